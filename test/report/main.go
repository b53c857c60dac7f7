// Command report reads the output of `go test -json` and prints what a person
// wants of it: the output of what failed, a line for each package, and at the
// end "N passed, N failed", tests and subtests counted. It fails if a test did,
// or a package that did not get as far as its tests.
package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"strings"
)

// event is a line of go test -json.
type event struct {
	Action      string
	Package     string
	ImportPath  string
	Test        string
	Output      string
	FailedBuild string
}

// tally counts results and keeps the output of tests that have not ended.
type tally struct {
	out            io.Writer
	passed, failed int
	skipped        int
	kept           map[string][]string
	failedTests    map[string]bool // packages with a test that failed
}

func main() {
	t := &tally{out: os.Stdout, kept: map[string][]string{}, failedTests: map[string]bool{}}
	if err := t.read(os.Stdin); err != nil {
		fmt.Fprintln(os.Stderr, "report:", err)
		os.Exit(1)
	}
	fmt.Printf("%d passed, %d failed\n", t.passed, t.failed)
	if t.failed > 0 || t.passed == 0 {
		os.Exit(1)
	}
}

// read takes all events.
func (t *tally) read(in io.Reader) error {
	lines := bufio.NewScanner(in)
	lines.Buffer(nil, 64<<20)
	for lines.Scan() {
		var e event
		if json.Unmarshal(lines.Bytes(), &e) != nil {
			fmt.Fprintln(t.out, lines.Text()) // not go test's own
			continue
		}
		t.take(&e)
	}
	return lines.Err()
}

func (t *tally) take(e *event) {
	key := e.Package + "\x00" + e.Test
	switch e.Action {
	case "output":
		t.kept[key] = append(t.kept[key], e.Output)
	case "build-output":
		fmt.Fprint(t.out, e.Output)
	case "pass", "skip":
		t.good(e, key)
	case "fail":
		t.bad(e, key)
	}
}

func (t *tally) good(e *event, key string) {
	switch {
	case e.Test == "":
		t.show(key, func(line string) bool { return strings.HasPrefix(line, "ok ") || strings.HasPrefix(line, "ok\t") })
	case e.Action == "skip":
		t.skipped++
	default:
		t.passed++
	}
	delete(t.kept, key)
}

// bad shows all that a failure said. A package that fails without a failed
// test (it did not compile, or ended early) counts as one.
func (t *tally) bad(e *event, key string) {
	t.show(key, func(string) bool { return true })
	delete(t.kept, key)
	if e.Test != "" {
		t.failed++
		t.failedTests[e.Package] = true
		return
	}
	if t.failedTests[e.Package] {
		return
	}
	t.failed++
	t.showUnfinished(e.Package)
}

// showUnfinished shows what the tests of a package had said that were running
// when the whole process ended: a panic's stack is in the words of one of them.
func (t *tally) showUnfinished(pkg string) {
	for _, key := range slices.Sorted(maps.Keys(t.kept)) {
		if strings.HasPrefix(key, pkg+"\x00") {
			t.show(key, func(string) bool { return true })
			delete(t.kept, key)
		}
	}
}

func (t *tally) show(key string, which func(string) bool) {
	for _, line := range t.kept[key] {
		if which(line) {
			fmt.Fprint(t.out, line)
		}
	}
}
