package query

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/tuttidb/tutti/connectors"
	"github.com/tuttidb/tutti/planner/plan"
)

// past is a run of root ← two middle tasks ← scan tasks as workers a and b know
// it: the root and one middle task on a, the other on b; scans 0 on a, 1 on b.
type past struct {
	plan     *plan.Plan
	attempts map[string]*Attempt // "1.0" → the attempt
	at       map[string]string   // where it is; "": nowhere
	rows     int64
	change   func(*Adoption)
	places   func([]Inventory) []Inventory
	copies   []*Attempt // on a
}

var adoptStages = [3]plan.FragmentID{0, 1, 2}

func id(stage plan.FragmentID, task, attempt int32) plan.TaskID {
	return plan.TaskID{Stage: plan.StageID{Query: "q", Fragment: stage}, Task: task, Attempt: attempt}
}

func named(n int64) Split {
	return Split{ID: n, Scan: 7, Split: connectors.Split{Payload: fmt.Append(nil, "split ", n)}}
}

func newPast() *past {
	r, _, _, _ := lossy(false)
	p := &past{plan: r.Plan, attempts: map[string]*Attempt{}, at: map[string]string{}}
	add := func(name, at string, task plan.TaskID, splits ...Split) *Attempt {
		a := &Attempt{Partition: int(task.Task), Partitions: 2, Outputs: 2, Epoch: 1, Update: 3, Splits: splits, Told: map[plan.TaskID]bool{}}
		a.Status = Status{Task: task, Version: 5, State: Running}
		p.attempts[name], p.at[name] = a, at
		return a
	}
	root := add("0.0", "a", id(0, 0, 0))
	root.Partitions, root.Outputs = 1, 1
	root.Told = map[plan.TaskID]bool{id(1, 0, 0): false, id(1, 1, 0): false}
	root.Complete = []plan.FragmentID{1}
	for i, at := range []string{"a", "b"} {
		mid := add(fmt.Sprint("1.", i), at, id(1, int32(i), 0))
		mid.Outputs = 1
		mid.Told = map[plan.TaskID]bool{id(2, 0, 0): false, id(2, 1, 0): false}
		scan := add(fmt.Sprint("2.", i), at, id(2, int32(i), 0), named(int64(2*i)), named(int64(2*i+1)))
		scan.Partitions = 0
	}
	return p
}

// finish makes an attempt one that has ended well.
func (p *past) finish(name string) {
	a := p.attempts[name]
	a.NoMore = []plan.NodeID{7}
	a.Status.State = Finished
	a.Status.End = &End{Partitions: make([]PartitionEnd, a.Outputs)}
	for _, sp := range a.Splits {
		a.Status.End.Splits = append(a.Status.End.Splits, sp.ID)
	}
}

// copy puts a copy of an attempt's output on a.
func (p *past) copy(name string) {
	x := *p.attempts[name]
	x.Copy = true
	p.copies = append(p.copies, &x)
}

// tell lets middle tasks know that a scan task is committed.
func (p *past) tell(scan int32, mids ...string) {
	for _, m := range mids {
		p.attempts[m].Told[id(2, scan, 0)] = true
	}
}

// complete lets middle tasks know that there are no other scan tasks.
func (p *past) complete(mids ...string) {
	for _, m := range mids {
		p.attempts[m].Complete = []plan.FragmentID{2}
	}
}

func (p *past) adopt() (*Run, *NotAdoptable) {
	var places []Inventory
	for _, node := range []string{"a", "b"} {
		inv := Inventory{Place: Place{Node: node}}
		for _, stage := range adoptStages {
			for task := range int32(3) {
				if name := fmt.Sprintf("%d.%d", stage, task); p.attempts[name] != nil && p.at[name] == node {
					inv.Attempts = append(inv.Attempts, *p.attempts[name])
					inv.Next = max(inv.Next, p.attempts[name].Status.Task.Attempt+1)
				}
			}
		}
		if node == "a" {
			for _, x := range p.copies {
				inv.Attempts = append(inv.Attempts, *x)
			}
		}
		places = append(places, inv)
	}
	if p.places != nil {
		places = p.places(places)
	}
	a := Adoption{Query: "q", Plan: p.plan, Epoch: 2, Rows: p.rows, Partitions: 9, Recovery: Recovery{Tasks: true, Attempts: 4, Keep: 1 << 30}}
	if p.change != nil {
		p.change(&a)
	}
	return Adopt(a, places)
}

// lose makes all that is on a node be nowhere.
func (p *past) lose(node string) {
	for name, at := range p.at {
		if at == node {
			p.at[name] = ""
		}
	}
}

// describe says of each task what became of it: "1.0=run", "2.1=again".
func describe(r *Run) string {
	var out []string
	for _, s := range r.Stages {
		for _, t := range s.Tasks {
			what := "run"
			switch {
			case t.Awaits:
				what = "awaits"
			case t.Unplaced:
				what = "again"
			case t.Committed && t.Released:
				what = "over"
			case t.Committed:
				what = "done"
			}
			out = append(out, fmt.Sprintf("%d.%d=%s", s.Fragment.ID, t.ID.Task, what))
		}
	}
	return strings.Join(out, " ")
}

// TestAdopt: each rule, by what was there and what becomes of it.
func TestAdopt(t *testing.T) {
	for _, c := range []struct {
		name   string
		before func(*past)
		want   string // as describe says it, or the reason why not, in part
	}{
		{"all run", func(*past) {}, "0.0=run 1.0=run 1.1=run 2.0=run 2.1=run"},
		{"one has ended", func(p *past) { p.finish("2.0") }, "0.0=run 1.0=run 1.1=run 2.0=done 2.1=run"},
		{"its end names other splits", func(p *past) { p.finish("2.0"); p.attempts["2.0"].Status.End.Splits[0] = 77 }, "failed INTERNAL"},
		{"nothing anywhere", func(p *past) { p.lose("a"); p.lose("b") }, "no worker has anything"},
		{"another plan", func(p *past) { p.change = func(a *Adoption) { a.Replanned = true } }, "another plan"},
		{"ended on a worker", func(p *past) {
			p.places = func(in []Inventory) []Inventory { in[1].Ended = true; return in }
		}, "it was ended on worker b"},
		{"an earlier run ended on a worker", func(p *past) {
			for _, a := range p.attempts {
				a.Status.Task.Attempt += AttemptsPerRun
				told := a.Told
				a.Told = map[plan.TaskID]bool{}
				for k, v := range told {
					k.Attempt += AttemptsPerRun
					a.Told[k] = v
				}
			}
			p.places = func(in []Inventory) []Inventory {
				return append(in, Inventory{Place: Place{Node: "c"}, Next: 7, Ended: true})
			}
		}, "0.0=run 1.0=run 1.1=run 2.0=run 2.1=run"},
		// A middle task that is lost is made again; a scan task of which nobody has anything is, too, and empty.
		{"b is lost, nothing of it used", func(p *past) { p.lose("b") }, "0.0=run 1.0=run 1.1=again 2.0=run 2.1=again"},
		{"b is lost, and tasks of it are not to be made again", func(p *past) {
			p.lose("b")
			p.change = func(a *Adoption) { a.Recovery.Tasks = false }
		}, "not to be made again"},
		{"b is lost with an output that is needed, whose splits nobody knows", func(p *past) {
			p.lose("b")
			p.tell(1, "1.0")
		}, "What task q.2.1"},
		{"b is lost with an output that is whole elsewhere, in an open stage", func(p *past) {
			p.at["2.1"] = ""
			p.tell(1, "1.0", "1.1")
			for _, m := range []string{"1.0", "1.1"} {
				p.attempts[m].Status.Consumed = []plan.TaskID{id(2, 1, 0)}
			}
		}, "others are still to be read"},
		{"the same, in a complete stage", func(p *past) {
			p.at["2.1"] = ""
			p.finish("2.0")
			p.complete("1.0", "1.1")
			p.tell(1, "1.0", "1.1")
			for _, m := range []string{"1.0", "1.1"} {
				p.attempts[m].Status.Consumed = []plan.TaskID{id(2, 1, 0)}
			}
		}, "0.0=run 1.0=run 1.1=run 2.0=done 2.1=over"},
		{"b is lost with a scan that nobody used, in a complete stage", func(p *past) {
			p.at["2.1"] = ""
			p.finish("2.0")
			p.complete("1.0", "1.1")
		}, "0.0=run 1.0=run 1.1=run 2.0=done 2.1=awaits"},
		{"the same, but the root may take what a lost task made of it", func(p *past) {
			p.lose("b")
			p.finish("2.0")
			p.complete("1.0")
			p.attempts["0.0"].Told[id(1, 1, 0)] = true
		}, "is made of splits that nobody knows"},
		{"a scan that did not hear of its stage's end awaits what was on its way", func(p *past) { p.complete("1.0") },
			"0.0=run 1.0=run 1.1=run 2.0=awaits 2.1=run"},
		{"one that failed before it heard of its stage's end: what was on its way is for the next", func(p *past) {
			p.complete("1.0")
			p.finish("2.1")
			p.attempts["2.0"].Status.State = Failed
			p.attempts["2.0"].Status.Failure = gone()
		}, "0.0=run 1.0=run 1.1=run 2.0=awaits 2.1=done"},
		{"made of a scan of which there is no trace", func(p *past) {
			p.at["2.0"], p.at["2.1"], p.at["1.1"], p.at["0.0"] = "", "", "", ""
			delete(p.attempts["1.0"].Told, id(2, 0, 0))
			delete(p.attempts["1.0"].Told, id(2, 1, 0))
			p.finish("1.0")
		}, "made of splits that nobody knows"},
		{"a higher attempt that somebody was told of is lost", func(p *past) { p.attempts["0.0"].Told[id(1, 1, 1)] = false },
			"0.0=run 1.0=run 1.1=again 2.0=run 2.1=run"},
		{"an attempt that the coordinator before did not know of", func(p *past) {
			for name, a := range p.attempts {
				if name != "1.1" {
					a.Epoch = 2
				}
			}
		}, "0.0=run 1.0=run 1.1=again 2.0=run 2.1=run"},
		{"a task that only an attempt was told of that does not count", func(p *past) {
			p.older("1.1")
			p.attempts["1.1"].Told[id(2, 2, 0)] = true
			p.complete("1.0")
			p.finish("2.0")
			p.finish("2.1")
		}, "0.0=run 1.0=run 1.1=again 2.0=done 2.1=done"},
		{"a task of which there is only an attempt that does not count", func(p *past) {
			old := *p.attempts["2.1"]
			old.Status.Task.Task, old.Splits = 2, []Split{named(9)}
			p.attempts["2.2"], p.at["2.2"] = &old, "b"
			p.older("2.2")
			p.complete("1.0", "1.1")
			p.finish("2.0")
			p.finish("2.1")
		}, "0.0=run 1.0=run 1.1=run 2.0=done 2.1=done"},
		{"indeterminate, made again before the coordinator before, and used", func(p *past) {
			p.indeterminate()
			p.finish("2.0")
			p.attempts["2.0"].Status.Task.Attempt = 1
			p.attempts["1.0"].Told = map[plan.TaskID]bool{id(2, 0, 1): true, id(2, 1, 0): false}
			p.older("1.1")
		}, "may have other rows"},
		{"an attempt and its twin", func(p *past) { p.twin(1) }, "0.0=run 1.0=run 1.1=run 2.0=run 2.1=run"},
		{"a twin that has ended, its attempt runs", func(p *past) { p.twin(1); p.finish("2.1") }, "0.0=run 1.0=run 1.1=run 2.0=run 2.1=done"},
		{"a twin that runs, its attempt was accepted and read", func(p *past) {
			p.twin(1)
			p.tell(1, "1.0", "1.1")
			p.attempts["1.0"].Status.Consumed = []plan.TaskID{id(2, 1, 0)}
		}, "0.0=run 1.0=run 1.1=run 2.0=run 2.1=run"},
		{"an attempt that was accepted, its twin is lost", func(p *past) { p.finish("2.1"); p.tell(1, "1.0") }, "0.0=run 1.0=run 1.1=run 2.0=run 2.1=done"},
		{"a copy beside its output", func(p *past) { p.finish("2.1"); p.copy("2.1") }, "0.0=run 1.0=run 1.1=run 2.0=run 2.1=done"},
		{"a copy in the place of its output, needed", func(p *past) {
			p.finish("2.1")
			p.tell(1, "1.0")
			p.copy("2.1")
			p.lose("b")
		}, "0.0=run 1.0=run 1.1=again 2.0=run 2.1=done"},
		{"the same in a stage that is complete, whose root may have rows of who read it", func(p *past) {
			p.finish("2.0")
			p.finish("2.1")
			p.complete("1.0", "1.1")
			p.tell(1, "1.0", "1.1")
			p.tell(0, "1.0", "1.1")
			p.attempts["1.0"].Status.Consumed = []plan.TaskID{id(2, 0, 0)}
			p.copy("2.1")
			p.at["2.1"] = ""
		}, "0.0=run 1.0=run 1.1=run 2.0=done 2.1=done"},
		{"a copy that the coordinator before did not count, in the place of its output", func(p *past) {
			p.finish("2.1")
			p.tell(1, "1.0")
			p.copy("2.1")
			p.lose("b")
			for name, a := range p.attempts {
				if name != "2.1" {
					a.Epoch = 2
				}
			}
			p.copies[0].Epoch = 1
		}, "What task q.2.1"},
		{"two tasks have a split", func(p *past) { p.attempts["2.1"].Splits[0].ID = 0 }, "have the same split"},
		{"a split of another's scan", func(p *past) { p.attempts["2.1"].Splits[0].Scan = 99 }, "not its own"},
		{"a task that the plan has not", func(p *past) { p.attempts["2.1"].Status.Task.Stage.Fragment = 3 }, "which the plan does not"},
		{"a source that the plan has not", func(p *past) { p.attempts["1.0"].Told[id(9, 0, 0)] = true }, "which the plan does not"},
		{"partitions differ", func(p *past) { p.attempts["1.1"].Partitions = 3 }, "partitions, others"},
		{"an output was released and is needed", func(p *past) { p.finish("2.0"); p.attempts["2.0"].Released = true },
			"0.0=run 1.0=run 1.1=run 2.0=again 2.1=run"},
		{"an input is said to be lost", func(p *past) {
			p.finish("2.0")
			p.attempts["1.0"].Status.Lost = []plan.TaskID{id(2, 0, 0)}
		}, "0.0=run 1.0=run 1.1=run 2.0=again 2.1=run"},
		{"the root is lost, the client has nothing", func(p *past) { p.at["0.0"] = "" }, "1.0=run 1.1=run 2.0=run 2.1=run"},
		{"the root is lost, the client has rows", func(p *past) { p.at["0.0"], p.rows = "", 5 }, "the task that delivers the result is lost"},
		{"the client has rows of the root", func(p *past) { p.rows, p.attempts["0.0"].Chosen = 5, true }, "0.0=run 1.0=run 1.1=run 2.0=run 2.1=run"},
		{"the client has rows, maybe of another root", func(p *past) { p.rows = 5 }, "of another attempt"},
		{"the client has rows of a root that a later coordinator had made", func(p *past) {
			p.rows, p.attempts["0.0"].Chosen, p.attempts["0.0"].ChosenBy = 5, true, 1
			p.change = func(a *Adoption) { a.Shown = 2 }
		}, "of another attempt"},
		{"the client has rows of a root that a later coordinator has chosen too", func(p *past) {
			p.rows, p.attempts["0.0"].Chosen, p.attempts["0.0"].ChosenBy = 5, true, 2
			p.change = func(a *Adoption) { a.Shown = 1 }
		}, "0.0=run 1.0=run 1.1=run 2.0=run 2.1=run"},
		{"rows are gone that the client has not", func(p *past) {
			p.rows, p.attempts["0.0"].Chosen, p.attempts["0.0"].DroppedRows = 5, true, 6
		}, "6 rows of the result are gone"},
		{"indeterminate, all there", func(p *past) { p.indeterminate(); p.finish("2.0"); p.tell(0, "1.0", "1.1") }, "0.0=run 1.0=run 1.1=run 2.0=done 2.1=run"},
		{"indeterminate, a lost one, nothing used", func(p *past) { p.indeterminate(); p.at["2.1"] = "" }, "0.0=run 1.0=run 1.1=run 2.0=run 2.1=again"},
		{"indeterminate, a lost one, another used", func(p *past) {
			p.indeterminate()
			p.at["2.1"] = ""
			p.finish("2.0")
			p.tell(0, "1.0")
		}, "may have other rows"},
		{"indeterminate, made again once, and used", func(p *past) {
			p.indeterminate()
			p.finish("2.0")
			p.attempts["2.0"].Status.Task.Attempt = 1
			p.attempts["1.0"].Told[id(2, 0, 1)] = true
		}, "may have other rows"},
		{"the query's own failure", func(p *past) {
			p.attempts["1.0"].Status.State = Failed
			p.attempts["1.0"].Status.Failure = &Failure{Cause: CauseUser, Err: gone().Err}
		}, "failed"},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := newPast()
			c.before(p)
			r, no := p.adopt()
			switch {
			case no != nil:
				if !strings.Contains(no.Error(), c.want) {
					t.Errorf("not adopted: %s; want %s", no.Reason, c.want)
				}
				if no.Number != 2*RunsPerEpoch {
					t.Errorf("another run has number %d", no.Number)
				}
			case r.Failure != nil:
				if !strings.HasPrefix(c.want, "failed") {
					t.Errorf("failed: %v; want %s", r.Failure.Err, c.want)
				}
			default:
				if got := describe(r); got != c.want {
					t.Errorf("%s, want %s", got, c.want)
				}
				for _, s := range r.Stages {
					for _, x := range s.Tasks {
						if x.Unplaced && x.ID.Attempt%AttemptsPerRun < 2*leap {
							t.Errorf("new attempt %s may have been known to somebody", x.ID)
						}
					}
				}
			}
		})
	}
}

// older makes an attempt one that the coordinator before did not know of.
func (p *past) older(name string) {
	for other, a := range p.attempts {
		if other != name {
			a.Epoch = 2
		}
	}
}

// twin gives the second scan a twin on a, which is the attempt of that name from
// now on.
func (p *past) twin(attempt int32) {
	first := *p.attempts["2.1"]
	tw := first
	tw.Status.Task.Attempt, tw.NoMore = attempt, []plan.NodeID{7}
	p.attempts["2.1"], p.at["2.1"] = &tw, "a"
	p.places = func(in []Inventory) []Inventory {
		in[1].Attempts = append(in[1].Attempts, first)
		return in
	}
}

// indeterminate makes what the middle and scan tasks give another thing each time.
func (p *past) indeterminate() {
	fragments := slices.Clone(p.plan.Fragments)
	for i := 1; i < len(fragments); i++ {
		f := *fragments[i]
		f.Indeterminate = true
		fragments[i] = &f
	}
	p.plan = &plan.Plan{Fragments: fragments}
}

// TestAdoptedTask: what an attempt was told is known of it, and nothing else.
func TestAdoptedTask(t *testing.T) {
	p := newPast()
	p.finish("2.0")
	p.tell(0, "1.0")
	p.attempts["1.0"].Status.Consumed = []plan.TaskID{id(2, 0, 0)}
	p.attempts["1.0"].Filters = []plan.DynamicID{4}
	r, no := p.adopt()
	if no != nil {
		t.Fatal(no)
	}
	mid, scan := r.Stages[1].Tasks[0], r.Stages[2].Tasks[1]
	if !mid.Told[id(2, 0, 0)] || mid.Told[id(2, 1, 0)] || len(mid.Told) != 2 || !mid.ToldFilters[4] || !mid.Has[Part{2, 0}] || mid.Update != 3 {
		t.Errorf("middle task %+v", mid)
	}
	if !scan.Open || r.Stages[2].Tasks[0].Open || r.Stages[2].Complete || !r.Stages[1].Complete || r.Partitions != 2 {
		t.Errorf("scan task %+v, stages %v %v, %d partitions", scan, r.Stages[1].Complete, r.Stages[2].Complete, r.Partitions)
	}
	if n := r.AddTask(r.Stages[2], "a", nil); n.ID.Attempt != 2*leap {
		t.Errorf("a new task is %s", n.ID)
	}
}

// TestAdoptTwin: of an attempt and its twin the twin goes on, and is told of what
// it does not know; the attempt is stopped. No attempt has either's number again.
func TestAdoptTwin(t *testing.T) {
	p := newPast()
	p.twin(9)
	r, no := p.adopt()
	if no != nil {
		t.Fatal(no)
	}
	got := r.Stages[2].Tasks[1]
	if got.ID != id(2, 1, 9) || got.Place.Node != "a" || got.Unstarted() != 0 || len(got.Splits) != 2 {
		t.Errorf("task %+v", got)
	}
	if d := r.Discards(); len(d) != 1 || d[0].ID != id(2, 1, 0) || d[0].Place.Node != "b" {
		t.Errorf("stopped %v", d)
	}
	r.Lose(got.Place, gone(), false)
	if n := r.Stages[2].Tasks[1]; n.ID.Attempt < 9+leap {
		t.Errorf("the next attempt is %s", n.ID)
	}
}

// TestAdoptStale: what does not count is stopped, and its numbers are not used.
func TestAdoptStale(t *testing.T) {
	p := newPast()
	p.attempts["1.1"].Status.Task.Attempt = 20
	p.attempts["1.1"].Told[id(2, 5, 30)] = true
	p.older("1.1")
	r, no := p.adopt()
	if no != nil {
		t.Fatal(no)
	}
	if !slices.ContainsFunc(r.Discards(), func(d *Task) bool { return d.ID == id(1, 1, 20) && d.Place.Node == "b" }) {
		t.Error("it is not stopped")
	}
	if n := r.Stages[1].Tasks[1]; !n.Unplaced || n.ID.Attempt != 30+leap {
		t.Errorf("the task is %+v", n)
	}
}

// TestAdoptOthers: attempts that do not count are to be stopped, each once.
func TestAdoptOthers(t *testing.T) {
	p := newPast()
	p.places = func(in []Inventory) []Inventory {
		old := Attempt{Told: map[plan.TaskID]bool{}, Epoch: 1, Status: Status{Task: id(1, 0, -0), Version: 1, State: Running}}
		p.attempts["1.0"].Status.Task.Attempt = 1
		in[0].Attempts[1].Status.Task.Attempt = 1 // 1.0 is there as its second attempt
		in[1].Attempts = append(in[1].Attempts, old)
		return in
	}
	r, no := p.adopt()
	if no != nil {
		t.Fatal(no)
	}
	var got []string
	for _, d := range r.Discards() {
		got = append(got, d.ID.String()+"@"+d.Place.Node)
	}
	if fmt.Sprint(got) != "[q.1.0.0@b]" || len(r.Discards()) != 0 {
		t.Errorf("discards %v", got)
	}
}

// TestRelist: the new listing against what tasks have.
func TestRelist(t *testing.T) {
	listing := func(ns ...int64) (out []connectors.Split) {
		for _, n := range ns {
			out = append(out, named(n).Split)
		}
		return out
	}
	for _, c := range []struct {
		name    string
		before  func(*past)
		listed  []int64
		pending string // payload numbers
		fails   bool
		awaited string
	}{
		{"the same", func(*past) {}, []int64{3, 0, 2, 1}, "[]", false, ""},
		{"more", func(*past) {}, []int64{0, 1, 8, 2, 3, 9}, "[8 9]", false, ""},
		{"one twice", func(*past) {}, []int64{0, 1, 1, 2, 3}, "[1]", false, ""},
		{"one has gone", func(*past) {}, []int64{0, 1, 3}, "[]", true, ""},
		{"a lost task's are nobody's", func(p *past) { p.at["2.1"] = "" }, []int64{0, 1, 2, 3}, "[2 3]", false, ""},
		{"a complete stage's lost task has the rest", func(p *past) {
			p.at["2.1"] = ""
			p.finish("2.0")
			p.complete("1.0", "1.1")
		}, []int64{0, 1, 2, 3}, "[]", false, "[2 3]"},
		{"a task has what was on its way", func(p *past) { p.complete("1.0") }, []int64{0, 1, 2, 3, 4}, "[]", false, "[0 1 4]"},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := newPast()
			c.before(p)
			r, no := p.adopt()
			if no != nil {
				t.Fatal(no)
			}
			s := r.Stages[2]
			scan, waits := s.Scans[0], s.awaiting()
			r.List(s, scan, listing(c.listed[:2]...), false)
			r.List(s, scan, listing(c.listed[2:]...), true)
			names := func(splits []Split) string {
				var out []string
				for _, sp := range splits {
					out = append(out, strings.TrimPrefix(string(sp.Payload), "split "))
				}
				return fmt.Sprint(out)
			}
			if got := names(scan.Pending); got != c.pending || !scan.Listed {
				t.Errorf("pending %s, want %s; listed %v", got, c.pending, scan.Listed)
			}
			if fails := r.Failure != nil && r.Failure.Retryable && r.Failure.Unknown; fails != c.fails {
				t.Errorf("failure %+v", r.Failure)
			}
			if (waits != nil) != (c.awaited != "") {
				t.Fatalf("awaiting %v", waits)
			}
			if waits != nil && (names(waits.Splits) != c.awaited || waits.Awaits) {
				t.Errorf("the task that awaited has %s, want %s", names(waits.Splits), c.awaited)
			}
			seen := map[int64]bool{}
			for _, x := range s.Tasks {
				for _, sp := range x.Splits {
					seen[sp.ID] = true
				}
			}
			for _, sp := range scan.Pending {
				if seen[sp.ID] {
					t.Errorf("split %d has a number that another has", sp.ID)
				}
				seen[sp.ID] = true
			}
		})
	}
}

// TestUnknownAgain: a task whose splits nobody knows ends the run when it would
// have to be made again, so that another run of the query can follow.
func TestUnknownAgain(t *testing.T) {
	p := newPast()
	p.at["2.1"] = ""
	p.finish("2.0")
	p.complete("1.0", "1.1")
	p.tell(1, "1.0", "1.1")
	for _, m := range []string{"1.0", "1.1"} {
		p.attempts[m].Status.Consumed = []plan.TaskID{id(2, 1, 0)}
	}
	r, no := p.adopt()
	if no != nil {
		t.Fatal(no)
	}
	r.Lose(Place{Node: "b"}, gone(), true) // 1.1 was there, and needs 2.1 again
	if r.Failure == nil || !r.Failure.Unknown || !r.Failure.Retryable {
		t.Errorf("failure %+v", r.Failure)
	}
}
