package shell

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/tuttidb/tutti/client"
)

func TestHumanNumbers(t *testing.T) {
	for got, want := range map[string]string{
		count(0): "0", count(999): "999", count(1234): "1.2 K", count(6_001_215): "6.0 M", count(999_999): "1.0 M",
		bytesText(512): "512 B", bytesText(1_200_000_000): "1.2 GB",
		duration(250 * time.Microsecond): "0.25 ms", duration(45 * time.Millisecond): "45 ms", duration(1234 * time.Millisecond): "1.23 s",
		duration(125 * time.Second): "2m 05s", duration(3 * time.Hour): "3h 00m",
		plural(1, "row"): "1 row", plural(1234567, "row"): "1,234,567 rows", group(-1234): "-1,234", group(999): "999",
	} {
		if got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}

func TestWidths(t *testing.T) {
	for s, want := range map[string]int{"abc": 3, "日本": 4, "e\u0301": 1, "👩‍🚀": 2, "": 0} {
		if got := textWidth(s); got != want {
			t.Errorf("width of %q is %d, want %d", s, got, want)
		}
	}
	for _, tc := range []struct {
		s    string
		w    int
		want string
	}{{"abcdef", 4, "abc…"}, {"日本語", 4, "日…"}, {"abc", 3, "abc"}, {"abc", 1, "…"}, {"abc", 0, ""}} {
		if got := clip(tc.s, tc.w); got != tc.want {
			t.Errorf("clip(%q, %d) = %q, want %q", tc.s, tc.w, got, tc.want)
		}
	}
	if got := visible("a\tb\x1b\u0085é"); got != `a    b\x1b\u0085é` {
		t.Errorf("visible: %q", got)
	}
}

func TestExplain(t *testing.T) {
	st := statement{text: "SELECT 日本,\n\tnosuch FROM t", line: 10}
	at := func(line, col int) error {
		return &client.Error{Message: "line 2:2: Column 'nosuch' cannot be resolved", Name: "COLUMN_NOT_FOUND", Line: line, Column: col, Type: client.UserError}
	}
	for _, tc := range []struct {
		name, source string
		err          error
		want         string
	}{
		{"tab", "", at(2, 2), "Error: line 2:2: Column 'nosuch' cannot be resolved (COLUMN_NOT_FOUND)\n   2 │     nosuch FROM t\n     │     ^\n"},
		{"wide characters", "", at(1, 10), "Error: line 2:2: Column 'nosuch' cannot be resolved (COLUMN_NOT_FOUND)\n   1 │ SELECT 日本,\n     │            ^\n"},
		{"file", "q.sql", at(2, 2), "q.sql:11: Error: line 2:2: Column 'nosuch' cannot be resolved (COLUMN_NOT_FOUND)\n   2 │     nosuch FROM t\n     │     ^\n"},
		{"past the end", "", at(2, 99), "Error: line 2:2: Column 'nosuch' cannot be resolved (COLUMN_NOT_FOUND)\n   2 │     nosuch FROM t\n     │                  ^\n"},
		{"no such line", "", at(7, 1), "Error: line 2:2: Column 'nosuch' cannot be resolved (COLUMN_NOT_FOUND)\n"},
		{"no place", "", at(0, 0), "Error: line 2:2: Column 'nosuch' cannot be resolved (COLUMN_NOT_FOUND)\n"},
		{"other", "", errors.New("broken pipe"), "Error: broken pipe\n"},
		{"canceled", "", errInterrupted, "Query canceled.\n"},
		{"refused", "", &client.ConnectError{URL: "http://h:1", Err: errors.New("refused")}, "Error: cannot reach server at http://h:1: is it running? start one with `tutti server` (refused)\n"},
	} {
		if got := explain(tc.err, st, tc.source, 0, false); got != tc.want {
			t.Errorf("%s: got\n%swant\n%s", tc.name, got, tc.want)
		}
	}
}

func TestCaretInLongLines(t *testing.T) {
	st := statement{text: "SELECT " + strings.Repeat("aaaa, ", 100) + "nosuch, " + strings.Repeat("bbbb, ", 100), line: 1}
	err := &client.Error{Message: "m", Line: 1, Column: 608}
	lines := strings.Split(explain(err, st, "", 60, false), "\n")
	code, mark := lines[1], lines[2]
	if textWidth(code) > 60 || !strings.HasPrefix(string([]rune(code)[strings.Index(mark, "^")-len("│")+1:]), "nosuch") {
		t.Errorf("\n%s\n%s", code, mark)
	}
}

func TestExitCodes(t *testing.T) {
	for _, tc := range []struct {
		err  error
		want int
	}{
		{nil, 0}, {&client.Error{Type: client.UserError}, 1}, {usageError{errors.New("x")}, 2}, {&client.Error{Type: client.ExternalError}, 3},
		{&client.Error{Type: client.InsufficientResources}, 4}, {&client.Error{Type: client.InternalError}, 5}, {&client.Error{}, 5},
		{&client.ConnectError{Err: errors.New("x")}, 3}, {&client.HTTPError{StatusCode: 401}, 1}, {&client.HTTPError{StatusCode: 500}, 3},
		{errInterrupted, 130}, {shownError{&client.Error{Type: client.UserError}}, 1},
	} {
		if got := exitCode(tc.err); got != tc.want {
			t.Errorf("%T %v: %d, want %d", tc.err, tc.err, got, tc.want)
		}
	}
}

func TestProgressText(t *testing.T) {
	percent := 50.0
	st := client.Stats{
		State: "RUNNING", ProgressPercentage: &percent, ProcessedRows: 12_300_000, PhysicalInputBytes: 1_200_000_000, TotalSplits: 400, CompletedSplits: 120,
		PeakMemoryBytes: 5_000_000, RootStage: &client.StageStats{SubStages: []client.StageStats{{Done: true}, {}}},
	}
	full := "running ██████░░░░░░ 50% · 3.00 s · 12.3 M rows · 4.1 M rows/s · 1.2 GB · splits 120/400 · stages 1/3 · memory 5.0 MB"
	if got := progressText(st, 3*time.Second, 0); got != full {
		t.Errorf("got %q", got)
	}
	if got := progressText(st, 3*time.Second, 60); got != "running ██████░░░░░░ 50% · 3.00 s · 12.3 M rows" {
		t.Errorf("narrow: %q", got)
	}
	if got := progressText(client.Stats{}, 0, 80); got != "sending · 0.00 ms" {
		t.Errorf("at the start: %q", got)
	}
}

func TestSummary(t *testing.T) {
	got := summary("3 rows", client.Stats{ProcessedRows: 6_000_000, PhysicalInputBytes: 80_000_000, PeakMemoryBytes: 1_000_000, SpilledBytes: 5000}, 2*time.Second)
	if got != "3 rows in 2.00 s · 6.0 M rows, 80.0 MB read · 3.0 M rows/s · peak memory 1.0 MB · spilled 5.0 kB" {
		t.Errorf("got %q", got)
	}
	if got := summary("USE", client.Stats{}, time.Millisecond); got != "USE in 1 ms" {
		t.Errorf("got %q", got)
	}
}

func TestScreenKeepsOutputAndProgressApart(t *testing.T) {
	var b bytes.Buffer
	s := &screen{out: &b, err: &b, shared: true}
	s.draw("p1")
	_, _ = s.Write([]byte("half"))
	s.draw("never shown")
	_, _ = s.Write([]byte(" line\n"))
	s.draw("p2")
	s.message("m\n")
	if got, want := b.String(), "p1\r\x1b[Khalf line\np2\r\x1b[Km\n"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestHistoryFile(t *testing.T) {
	file := filepath.Join(t.TempDir(), "deep", "history")
	h, err := openHistory(file)
	if err != nil {
		t.Fatal(err)
	}
	for _, line := range []string{"select 1;", "select 1;", "  ", "select\n  'ü';"} {
		if err := h.Add(line); err != nil {
			t.Fatal(err)
		}
	}
	again, err := openHistory(file)
	if err != nil || again.Len() != 2 {
		t.Fatalf("%d entries, %v", again.Len(), err)
	}
	if got := again.At(1); got != "select\n  'ü';" {
		t.Errorf("entry is %q", got)
	}
	if info, err := os.Stat(file); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v, %v", info.Mode(), err)
	}
	if err := os.WriteFile(file, []byte("\"ok\"\n{broken\n"+strings.Repeat("\"x\"\n", maxHistory*2)), 0o600); err != nil {
		t.Fatal(err)
	}
	if again, err = openHistory(file); err != nil || again.Len() != maxHistory {
		t.Errorf("%d entries, %v", again.Len(), err)
	}
	if again, err = openHistory(file); err != nil || again.Len() != maxHistory {
		t.Errorf("after the cut: %d entries, %v", again.Len(), err)
	}
}
