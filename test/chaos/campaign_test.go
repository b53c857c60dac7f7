package chaos

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/tuttidb/tutti/test/slt"
	"github.com/tuttidb/tutti/test/tpch"
)

func failed(name string) error { return &slt.Failure{Name: name, Message: "test"} }

// TestJudge: what is a violation and what is not. A suite that lets everything
// pass would find nothing.
func TestJudge(t *testing.T) {
	now := time.Now()
	quiet, lossy, store := Fault{Name: "quiet"}, Fault{Name: "lossy", Targets: 1}, Fault{Name: "store", Allow: []string{"HIVE_FILESYSTEM_ERROR"}}
	for _, c := range []struct {
		name    string
		faults  []Fault
		err     error
		late    time.Duration // after the end of the fault
		allowed int
		bad     bool
	}{
		{name: "right", faults: []Fault{lossy}},
		{name: "wrong", faults: []Fault{lossy, store}, err: &Wrong{errors.New("2 rows, want 1")}, bad: true},
		{name: "late answer", faults: []Fault{lossy}, err: fmt.Errorf("no answer: %w", context.DeadlineExceeded), bad: true},
		{name: "connection", faults: []Fault{lossy}, err: io.ErrUnexpectedEOF, bad: true},
		{name: "an error that nothing allows", faults: []Fault{lossy}, err: failed("GENERIC_INTERNAL_ERROR"), bad: true},
		{name: "a lost worker", faults: []Fault{lossy}, err: failed("REMOTE_HOST_GONE"), bad: true},
		{name: "a lost worker, another fault", faults: []Fault{quiet}, err: failed("REMOTE_HOST_GONE"), bad: true},
		{name: "the store is down", faults: []Fault{lossy, store}, err: failed("HIVE_FILESYSTEM_ERROR"), allowed: 1},
		{name: "the store was down", faults: []Fault{store}, err: failed("HIVE_FILESYSTEM_ERROR"), late: time.Minute, bad: true},
	} {
		t.Run(c.name, func(t *testing.T) {
			l := &Load{outcomes: []Outcome{
				{Query: Query{Name: "before"}, Began: now.Add(-time.Minute), Ended: now.Add(-time.Second), Err: failed("X")},
				{Query: Query{Name: "q"}, Began: now.Add(c.late), Ended: now.Add(c.late + 3*time.Second), Err: c.err},
			}}
			r := &Record{Faults: c.faults, Began: now, Ended: now}
			(&Campaign{Load: l}).judge(r)
			if r.Queries != 1 || r.Allowed != c.allowed || (len(r.Violations) > 0) != c.bad || r.Slowest != 3*time.Second || r.Slow != "q" {
				t.Errorf("%+v", r)
			}
		})
	}
}

// answering is a server that gives the same answer to all queries but SET
// SESSION, after a time.
func answering(t *testing.T, after time.Duration, page map[string]any) (string, *atomic.Int64) {
	t.Helper()
	running := &atomic.Int64{}
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		answer := page
		if strings.HasPrefix(string(body), "SET SESSION") {
			answer = map[string]any{}
		} else {
			running.Add(1)
			defer running.Add(-1)
			select {
			case <-time.After(after):
			case <-r.Context().Done():
			}
		}
		if err := json.NewEncoder(w).Encode(answer); err != nil && r.Context().Err() == nil {
			t.Error(err)
		}
	}))
	t.Cleanup(s.Close)
	return s.URL, running
}

func number(n int) map[string]any {
	return map[string]any{"columns": []map[string]string{{"name": "n", "type": "bigint"}}, "data": [][]any{{n}}}
}

func TestAsk(t *testing.T) {
	q := single("q", "SELECT 1", "1")
	var wrong *Wrong
	var failure *slt.Failure
	for name, c := range map[string]struct {
		after time.Duration
		page  map[string]any
		ok    func(error) bool
	}{
		"right":   {page: number(1), ok: func(err error) bool { return err == nil }},
		"wrong":   {page: number(2), ok: func(err error) bool { return errors.As(err, &wrong) }},
		"nothing": {page: map[string]any{}, ok: func(err error) bool { return errors.As(err, &wrong) }},
		"failure": {page: map[string]any{"error": map[string]any{"errorName": "X", "message": "m"}}, ok: func(err error) bool { return errors.As(err, &failure) && failure.Name == "X" }},
		"hang":    {after: time.Minute, page: number(1), ok: func(err error) bool { return err != nil && strings.Contains(err.Error(), "no answer within 300ms") }},
	} {
		t.Run(name, func(t *testing.T) {
			url, _ := answering(t, c.after, c.page)
			if err := Ask(t.Context(), url, q, 300*time.Millisecond); !c.ok(err) {
				t.Errorf("%v", err)
			}
		})
	}
}

// TestLoadPauses: after Pause nothing runs and nothing begins, until Resume.
func TestLoadPauses(t *testing.T) {
	url, running := answering(t, 5*time.Millisecond, number(1))
	l := StartLoad(t.Context(), url, 3, 1, time.Minute, func(*rand.Rand) Query { return single("q", "SELECT 1", "1") })
	begun := time.Now()
	for len(l.Since(begun)) < 10 {
		time.Sleep(time.Millisecond)
	}
	l.Pause()
	if n := running.Load(); n != 0 || l.Running() != 0 {
		t.Errorf("%d queries run in a pause", n)
	}
	paused := time.Now()
	time.Sleep(30 * time.Millisecond)
	if n := len(l.Since(paused)); n != 0 {
		t.Errorf("%d queries ended in a pause", n)
	}
	l.Resume()
	for len(l.Since(paused)) == 0 {
		time.Sleep(time.Millisecond)
	}
	for _, o := range l.Stop() {
		if o.Err != nil || o.Took() < 5*time.Millisecond {
			t.Errorf("%+v", o)
		}
	}
}

// TestFaults: names are unique, and what draws from them can rely on the rest.
func TestFaults(t *testing.T) {
	var names []string
	for _, f := range Faults() {
		names = append(names, f.Name)
		if f.Strike == nil || f.Hold[1] < f.Hold[0] || f.Targets > 2 {
			t.Errorf("%+v", f)
		}
		if f.Store != strings.HasPrefix(f.Name, "s3-") {
			t.Errorf("%s is of the object store: %v", f.Name, f.Store)
		}
	}
	slices.Sort(names)
	if all := len(names); len(slices.Compact(names)) != all {
		t.Errorf("two faults have one name: %v", names)
	}
}

func TestMix(t *testing.T) {
	m := &Mix{}
	m.add(1, Query{Name: "a"}, Query{Name: "b"})
	m.add(3, Query{Name: "c"})
	seen, rng := map[string]int{}, rand.New(rand.NewPCG(1, 1))
	for range 8000 {
		seen[m.Next(rng).Name]++
	}
	for name, want := range map[string]int{"a": 1000, "b": 1000, "c": 6000} {
		if got := seen[name]; got < want*9/10 || got > want*11/10 {
			t.Errorf("%s was drawn %d times, want about %d", name, got, want)
		}
	}
}

func TestQueriesCheck(t *testing.T) {
	all, err := tpchQueries(tpch.Tiny)
	if err != nil || len(all) != 22 {
		t.Fatalf("%d queries, %v", len(all), err)
	}
	for _, q := range all {
		if q.Check([][]string{{"nothing like it"}}) == nil {
			t.Errorf("%s takes any answer", q.Name)
		}
	}
	if some, err := tpchQueries(tpch.SF1, "q03", "q18"); err != nil || len(some) != 2 || some[1].Name != "sf1.q18" {
		t.Errorf("%v, %v", some, err)
	}
	url, _ := answering(t, 0, map[string]any{
		"columns": []map[string]string{{"name": "n", "type": "bigint"}, {"name": "k", "type": "bigint"}, {"name": "l", "type": "bigint"}}, "data": [][]any{{2, 7, 5}},
	})
	q, err := large(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		rows string
		ok   bool
	}{
		{"3 ab,4 abc", true}, {"3 ab", false}, {"3 ab,4 abc,4 abc", false}, {"4 abc,3 ab", false}, {"3 ab,4 abcd", false}, {"2 ab,4 abc", false},
	} {
		var rows [][]string
		for _, row := range strings.Split(c.rows, ",") {
			rows = append(rows, strings.Fields(row))
		}
		if err := q.Check(rows); (err == nil) != c.ok {
			t.Errorf("%s: %v", c.rows, err)
		}
	}
}

func TestTable(t *testing.T) {
	a, b := Fault{Name: "a"}, Fault{Name: "b"}
	got := Table([]*Record{
		{Faults: []Fault{b}, Struck: 2, Queries: 3, First: time.Second, Slowest: 2 * time.Second},
		{Faults: []Fault{a, b}, Queries: 4, Allowed: 1, First: 3 * time.Second, Slowest: 4 * time.Second, Violations: []string{"x"}},
		{Faults: []Fault{b}, Struck: 1, Queries: 5, First: 5 * time.Second, Slowest: 2500 * time.Millisecond},
	})
	want := `| fault | strikes (at nothing) | queries | failed as allowed | violations | first answer after, median (max) | slowest query, median (max) |
| --- | --- | --- | --- | --- | --- | --- |
| a+b | 1 (1) | 4 | 1 | 1 | 3.0 s (3.0) | 4.0 s (4.0) |
| b | 2 (0) | 8 | 0 | 0 | 5.0 s (5.0) | 2.5 s (2.5) |
| **all** | 3 (1) | 12 | 1 | 1 | 3.0 s (5.0) | 2.5 s (4.0) |
`
	if got != want {
		t.Errorf("got\n%swant\n%s", got, want)
	}
}
