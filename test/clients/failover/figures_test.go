package main

import (
	"io"
	"net/http"
	"net/http/httptest"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"
)

var zero = time.UnixMilli(1_000_000)

func after(ms int64) time.Time { return zero.Add(time.Duration(ms) * time.Millisecond) }

func ended(begin, end int64, outcome string) answer {
	return answer{begin: after(begin), end: after(end), outcome: outcome}
}

func at0(begin, end int64) event { return event{begin: after(begin), end: after(end)} }

func durations(ms ...int64) (out []time.Duration) {
	for _, m := range ms {
		out = append(out, time.Duration(m)*time.Millisecond)
	}
	return out
}

func TestParseAnswer(t *testing.T) {
	for _, c := range []struct {
		line string
		want answer
		bad  bool
	}{
		{line: "q1\t1000\t1500\tok\t", want: answer{client: "c", query: "q1", begin: time.UnixMilli(1000), end: time.UnixMilli(1500), outcome: "ok"}},
		{line: "q1\t1000\t1500\tok", want: answer{client: "c", query: "q1", begin: time.UnixMilli(1000), end: time.UnixMilli(1500), outcome: "ok"}},
		{line: "q\t1\t2\tcut\treset\tby peer", want: answer{client: "c", query: "q", begin: time.UnixMilli(1), end: time.UnixMilli(2), outcome: "cut", detail: "reset\tby peer"}},
		{line: "q\t1\t2\tfine", bad: true},
		{line: "q\tone\t2\tok", bad: true},
		{line: "q\t1\ttwo\tok", bad: true},
		{line: "Exception in thread main", bad: true},
		{line: "", bad: true},
	} {
		got, err := parseAnswer("c", c.line)
		if (err != nil) != c.bad || err == nil && !reflect.DeepEqual(got, c.want) {
			t.Errorf("%q: %+v, %v", c.line, got, err)
		}
	}
}

func TestNext(t *testing.T) {
	for _, c := range []struct {
		name    string
		events  []event
		answers []answer
		want    []time.Duration
	}{
		{"nothing", nil, []answer{ended(0, 1, "ok")}, nil},
		{"asked before it does not count", []event{at0(10, 10)}, []answer{ended(9, 11, "ok"), ended(12, 40, "ok")}, durations(30)},
		{"asked at that moment counts", []event{at0(10, 10)}, []answer{ended(10, 15, "ok")}, durations(5)},
		{"the first to end, not to begin", []event{at0(10, 10)}, []answer{ended(11, 60, "ok"), ended(20, 30, "ok")}, durations(20)},
		{"failures are no answers", []event{at0(10, 10)}, []answer{ended(11, 12, "cut"), ended(12, 13, "error"), ended(13, 14, "wrong"), ended(14, 50, "ok")}, durations(40)},
		{"each event", []event{at0(0, 0), at0(100, 100)}, []answer{ended(10, 20, "ok"), ended(110, 150, "ok")}, durations(20, 50)},
		{"never answered", []event{at0(100, 100)}, []answer{ended(10, 20, "ok")}, nil},
	} {
		if got := next(c.events, c.answers); !slices.Equal(got, c.want) {
			t.Errorf("%s: %v, want %v", c.name, got, c.want)
		}
	}
}

func TestGaps(t *testing.T) {
	steady := func(from, to, step int64) (out []answer) {
		for at := from; at < to; at += step {
			out = append(out, ended(at, at+step, "ok"))
		}
		return out
	}
	for _, c := range []struct {
		name    string
		event   event
		answers []answer
		want    time.Duration
	}{
		{"steady", at0(1000, 1100), steady(0, 5000, 10), 10 * time.Millisecond},
		{"a silence within", at0(1000, 1100), append(steady(0, 1050, 10), steady(1300, 5000, 10)...), 260 * time.Millisecond},
		{"one that begins just after", at0(1000, 1100), append(steady(0, 1500, 10), steady(1700, 5000, 10)...), 210 * time.Millisecond},
		{"one long after", at0(1000, 1100), append(steady(0, 3000, 10), steady(4000, 5000, 10)...), 10 * time.Millisecond},
		{"one before", at0(1000, 1100), append(steady(0, 500, 10), steady(900, 5000, 10)...), 10 * time.Millisecond},
		{"failures are silence", at0(1000, 1100), append(steady(0, 1000, 10), ended(1001, 1002, "cut"), ended(1090, 1200, "ok")), 200 * time.Millisecond},
	} {
		if got := gaps([]event{c.event}, c.answers); len(got) != 1 || got[0] != c.want {
			t.Errorf("%s: %v, want %v", c.name, got, c.want)
		}
	}
}

func TestCount(t *testing.T) {
	ph := &phase{events: []event{at0(1000, 1000), at0(5000, 6000)}}
	for _, c := range []struct {
		answers []answer
		want    tally
		text    string
	}{
		{nil, tally{}, "0"},
		{[]answer{ended(0, 1, "ok"), ended(1, 2, "wrong"), ended(2, 3, "error")}, tally{ok: 1, wrong: 1, failed: 1}, "1, 1 **wrong**, 1 **failed**"},
		{[]answer{ended(900, 1100, "cut")}, tally{cut: 1}, "0, 1 cut"},
		{[]answer{ended(5200, 5300, "cut")}, tally{cut: 1}, "0, 1 cut"},
		{[]answer{ended(3000, 3100, "cut")}, tally{cut: 1, lone: 1}, "0, 1 cut"},
		{[]answer{ended(1240, 1300, "cut")}, tally{cut: 1}, "0, 1 cut"},
		{[]answer{ended(1300, 1400, "cut")}, tally{cut: 1, lone: 1}, "0, 1 cut"},
	} {
		got := ph.count(c.answers)
		if got != c.want || got.String() != c.text {
			t.Errorf("%v: %+v %q, want %+v", c.answers, got, got, c.want)
		}
	}
}

func TestFailures(t *testing.T) {
	ph := &phase{name: "killed", events: []event{at0(1000, 1000), at0(5000, 5000)}}
	cut := ended(1200, 7000, "cut")
	cut.client, cut.query, cut.detail = "node", "q1", "reset"
	early := ended(10, 20, "wrong")
	want := []string{"killed: node q1 cut after 5.8 s, 2.0 s after the last event: reset", "killed:   wrong after 10 ms, before any event: "}
	if got := ph.failures([]answer{cut, ended(0, 1, "ok"), early}); !slices.Equal(got, want) {
		t.Errorf("%q", got)
	}
}

func TestOf(t *testing.T) {
	phases := []*phase{{begin: after(100), end: after(200)}, {begin: after(250), end: after(400)}}
	all := []answer{ended(0, 50, "ok"), ended(60, 100, "ok"), ended(190, 210, "ok"), ended(240, 250, "ok"), ended(300, 999, "ok")}
	if got := of(phases, 0, all); !slices.Equal(got, all[1:3]) {
		t.Errorf("first: %v", got)
	}
	if got := of(phases, 1, all); !slices.Equal(got, all[3:]) {
		t.Errorf("last: %v", got)
	}
}

func TestSpread(t *testing.T) {
	for want, times := range map[string][]time.Duration{
		"-": nil, "5 ms, 5 ms": durations(5), "20 ms, 1.5 s": durations(1500, 10, 20), "30 ms, 40 ms": durations(10, 20, 30, 40),
	} {
		if got := spread(times); got != want {
			t.Errorf("%v: %s, want %s", times, got, want)
		}
	}
}

func TestFlat(t *testing.T) {
	for sql, want := range map[string]string{
		"SELECT 1\n": "SELECT 1",
		"-- what it is\nSELECT\t1,\n  2 -- two\nFROM t\n": "SELECT 1, 2 FROM t",
		"": "",
	} {
		if got := flat(sql); got != want {
			t.Errorf("%q: %q, want %q", sql, got, want)
		}
	}
}

func TestPercentiles(t *testing.T) {
	times := durations(1, 2, 3, 4, 5, 6, 7, 8, 9, 10)
	for percent, want := range map[int]time.Duration{0: 1e6, 50: 6e6, 95: 10e6, 100: 10e6} {
		if got := at(times, percent); got != want {
			t.Errorf("%d: %s, want %s", percent, got, want)
		}
	}
}

// TestSelectOne follows a statement to its last page.
func TestSelectOne(t *testing.T) {
	for _, c := range []struct {
		name    string
		pages   []string // after the first; NEXT is the URI of the one that follows
		problem string
	}{
		{"a row", []string{`{"data":[[1]],"nextUri":"NEXT"}`, `{}`}, ""},
		{"no row", []string{`{}`}, "0 rows"},
		{"two rows", []string{`{"data":[[1],[2]]}`}, "2 rows"},
		{"an error", []string{`{"error":{"message":"sorry"}}`}, "sorry"},
		{"nonsense", []string{`oops`}, "200 OK"},
	} {
		t.Run(c.name, func(t *testing.T) {
			page := 0
			s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				next := "http://" + r.Host + "/next"
				if r.Method == http.MethodPost {
					if b, _ := io.ReadAll(r.Body); string(b) != "SELECT 1" || r.URL.Path != "/v1/statement" || r.Header.Get("X-Trino-User") == "" {
						t.Errorf("%s %q", r.URL, b)
					}
					_, _ = io.WriteString(w, `{"nextUri":"`+next+`"}`)
					return
				}
				_, _ = io.WriteString(w, strings.ReplaceAll(c.pages[page], "NEXT", next))
				page++
			}))
			defer s.Close()
			err := selectOne(t.Context(), s.URL)
			if c.problem == "" && err != nil || c.problem != "" && (err == nil || !strings.Contains(err.Error(), c.problem)) {
				t.Errorf("%v, want %q", err, c.problem)
			}
		})
	}
}

// TestLoad runs programs that behave and programs that do not.
func TestLoad(t *testing.T) {
	for _, c := range []struct {
		name, command, problem string
		answers                int
	}{
		{"good", `f() { cat "$2/queries.tsv" >&2; echo ready; printf 'q\t1\t2\tok\t\n'; while [ ! -e "$2/stop" ]; do sleep 0.02; done; echo done; }; f`, "", 1},
		{"babbles", `f() { echo ready; echo what; while [ ! -e "$2/stop" ]; do sleep 0.02; done; echo done; }; f`, `says "what"`, 1},
		{"falls", `f() { echo ready; exit 3; }; f`, "ended early", 0},
		{"fails", `f() { echo ready; echo done; exit 3; }; f`, "exit status 3", 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			l, err := startLoad(t.TempDir(), c.name+"="+c.command, "http://nowhere", one)
			if err != nil {
				t.Fatal(err)
			}
			if err := l.await(t.Context()); err != nil && c.problem == "" {
				t.Fatal(err)
			}
			err = l.stop()
			if c.problem == "" && err != nil || c.problem != "" && (err == nil || !strings.Contains(err.Error(), c.problem)) {
				t.Errorf("%v, want %q", err, c.problem)
			}
			if got := l.taken(); len(got) != c.answers {
				t.Errorf("%v", got)
			}
		})
	}
	if _, err := startLoad(t.TempDir(), "nameless", "", ""); err == nil {
		t.Error("a client without a command")
	}
	l, err := startLoad(t.TempDir(), `early=f() { exit 1; }; f`, "", "")
	if err != nil {
		t.Fatal(err)
	}
	if err := l.await(t.Context()); err == nil {
		t.Error("it never said that it is ready")
	}
}
