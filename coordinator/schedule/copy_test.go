package schedule

import (
	"fmt"
	"testing"
	"time"

	"github.com/tuttidb/tutti/coordinator/query"
)

// copiesIn lists the copies that actions begin, as task@from>to.
func copiesIn(actions []Action) string {
	var out []string
	for _, a := range actions {
		if a.Copy != (query.Place{}) {
			out = append(out, fmt.Sprintf("%d.%d@%s>%s", a.Task.ID.Stage.Fragment, a.Task.ID.Task, a.Task.Node, a.Copy.Node))
		}
	}
	return fmt.Sprint(out)
}

// apart are workers in processes of their own.
func apart(n int) []Node {
	nodes := workers(n, 1)
	for i := range nodes {
		nodes[i].Address = fmt.Sprint("h", i)
	}
	return nodes
}

// TestCopyPays: what is copied, and when. The scan of three workers' run ended
// after a second, on w0.
func TestCopyPays(t *testing.T) {
	const s = time.Second
	for _, c := range []struct {
		name  string
		bytes int64 // of each of three partitions
		cpu   time.Duration
		now   time.Duration
		but   func(r *query.Run, nodes []Node) []Node
		want  string
	}{
		{name: "small beside the work", bytes: 1 << 20, cpu: s, now: 3 * s, want: "[2.0@w0>w1]"},
		{name: "the query is young", bytes: 1 << 20, cpu: s, now: s, want: "[]"},
		{name: "large beside the work", bytes: 8 << 20, cpu: s, now: 3 * s, want: "[]"},
		{name: "much work", bytes: 8 << 20, cpu: 3 * s, now: 3 * s, want: "[2.0@w0>w1]"},
		{name: "too large for whatever work", bytes: 32 << 20, cpu: 100 * s, now: 3 * s, want: "[]"},
		{name: "nothing in it", cpu: 0, now: 3 * s, want: "[]"},
		{name: "little in it", bytes: 10, cpu: 10 * time.Millisecond, now: 3 * s, want: "[2.0@w0>w1]"},
		{name: "many partitions beside the work", bytes: 10, cpu: 12 * time.Millisecond, now: 3 * s, but: func(r *query.Run, n []Node) []Node {
			for i := range r.Stages[2].Tasks[0].Status.End.Partitions {
				r.Stages[2].Tasks[0].Status.End.Partitions[i].Frames = 1
			}
			return n
		}, want: "[]"},
		{name: "one worker only", bytes: 10, cpu: s, now: 3 * s, but: func(_ *query.Run, n []Node) []Node { return n[:1] }, want: "[]"},
		{name: "the others share its process", bytes: 10, cpu: s, now: 3 * s, but: func(_ *query.Run, n []Node) []Node {
			for i := range n {
				n[i].Address = n[0].Address
			}
			return n
		}, want: "[]"},
		{name: "nothing is copied", bytes: 10, cpu: s, now: 3 * s, but: func(r *query.Run, n []Node) []Node {
			r.Recovery.CopyAfter = 0
			return n
		}, want: "[]"},
		{name: "too much has been", bytes: 10, cpu: s, now: 3 * s, but: func(r *query.Run, n []Node) []Node {
			r.Copies.Bytes = 3 * copiesPerNode
			return n
		}, want: "[]"},
		{name: "who reads it has ended", bytes: 10, cpu: s, now: 3 * s, but: func(r *query.Run, n []Node) []Node {
			for _, t := range r.Stages[1].Tasks {
				endAt(r, t, 2*s)
				t.Status.CPU = s
			}
			return n
		}, want: "[1.0@w0>w2 1.1@w1>w0 1.2@w2>w1]"},
	} {
		r := twinRun(c.bytes, c.bytes, c.bytes)
		r.Stages[2].Tasks[0].Status.CPU = c.cpu
		r.Stages[2].Tasks[0].Place = apart(1)[0].Place()
		r.Recovery.TwinAfter, r.Recovery.CopyAfter = 0, 2*s
		nodes := apart(3)
		if c.but != nil {
			nodes = c.but(r, nodes)
		}
		r.Now = c.now
		if got := copiesIn(Decide(r, nodes)); got != c.want {
			t.Errorf("%s: %s, want %s", c.name, got, c.want)
		}
		if got := copiesIn(Decide(r, nodes)); got != "[]" {
			t.Errorf("%s: again %s", c.name, got)
		}
	}
}

// TestCopiesAtOnce: a worker makes a few at a time, and readers are told of a copy
// that took the place of its output.
func TestCopiesAtOnce(t *testing.T) {
	r := twinRun(10, 10, 10, 10, 10, 10)
	r.Recovery.TwinAfter, r.Recovery.CopyAfter = 0, time.Nanosecond
	nodes := apart(6)
	for _, task := range r.Stages[1].Tasks {
		task.Node, task.Place = nodes[0].ID, nodes[0].Place()
		endAt(r, task, 3*time.Second)
		task.Status.CPU = time.Second
	}
	r.Stages[2].Tasks[0].Uncopied = true
	var first []Action
	for _, a := range Decide(r, nodes[:2]) {
		if a.Copy != (query.Place{}) {
			first = append(first, a)
		}
	}
	if len(first) != copiesAtOnce {
		t.Fatalf("%d copies at once", len(first))
	}
	r.EndCopy(first[0].Task, first[0].Copy, true)
	if next := copiesIn(Decide(r, nodes[:2])); next != fmt.Sprintf("[1.%d@w0>w1]", copiesAtOnce) {
		t.Errorf("next %s", next)
	}
	r.Lose(nodes[0].Place(), &query.Failure{Cause: query.CauseNode, Retryable: true}, false)
	for _, a := range Decide(r, nodes[1:2]) {
		if a.Task.ID.Stage.Fragment != 0 || len(a.Update.Sources) == 0 {
			continue
		}
		src := a.Update.Sources[0]
		if src.Task != first[0].Task.ID || src.Address != nodes[1].Address || !src.Committed {
			t.Errorf("told of %v", src)
		}
		return
	}
	t.Error("the root is not told where the output is now")
}
