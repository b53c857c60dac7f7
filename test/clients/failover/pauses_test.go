package main

import (
	"strings"
	"testing"
	"time"
)

// TestPauseNotes reads what coordinators log.
func TestPauseNotes(t *testing.T) {
	begin := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	var p pause
	for _, line := range []string{
		`panic: a line without a time`,
		`time=2026-01-02T03:04:05.010Z level=INFO msg="joined coordinator" took=9s`,
		`time=2026-01-02T03:04:05.150Z level=INFO msg="leads the coordinators" node=c2 epoch=4 remembered=70 took=50ms of_it.barrier=10ms of_it.entry=2ms of_it.memory=38ms`,
		`time=2026-01-02T03:04:05.180Z level=INFO msg="goes on where the one before was lost" epoch=4 statements=60 took=30ms`,
		`time=2026-01-02T03:04:05.250Z level=INFO msg="run taken over" query=q1`,
		`time=2026-01-02T03:04:05.220Z level=INFO msg="query begins again" query=q2`,
	} {
		p.note(line, begin)
	}
	const ms = time.Millisecond
	want := pause{elected: 100 * ms, took: 50 * ms, ruled: 180 * ms, adopted: 250 * ms, remembered: "70", parts: " barrier 10ms entry 2ms memory 38ms"}
	if p != want {
		t.Errorf("%+v, want %+v", p, want)
	}
	p.what, p.silence = "kill", 1234*time.Microsecond
	q := p
	q.silence = 9 * ms
	var out strings.Builder
	report(&out, []pause{q, p, {what: "hand over", silence: ms}})
	for _, line := range []string{
		"| kill | 9ms | 100ms | 50ms | barrier 10ms entry 2ms memory 38ms | 70 | 180ms | 250ms |",
		"| kill | 1ms | 100ms |", "hand over: silence of 1ms (median), 1ms (worst) of 1", "kill: silence of 9ms (median), 9ms (worst) of 2",
	} {
		if !strings.Contains(out.String(), line) {
			t.Errorf("no %q in\n%s", line, out.String())
		}
	}
}

func TestAttribute(t *testing.T) {
	for _, c := range []struct{ line, name, want string }{
		{"time=now level=INFO", "time", "now"},
		{"a=1 ba=2", "a", "1"},
		{"ba=2 a=1", "a", "1"},
		{"ba=2", "a", ""},
		{"", "a", ""},
	} {
		if got := attribute(c.line, c.name); got != c.want {
			t.Errorf("%s of %q: %q", c.name, c.line, got)
		}
	}
}
