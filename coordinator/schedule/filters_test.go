package schedule

import (
	"slices"
	"testing"

	"github.com/tuttidb/tutti/connectors"
	"github.com/tuttidb/tutti/coordinator/query"
	"github.com/tuttidb/tutti/planner/plan"
)

// filterPlan is root ← join by partition ← two scans, the probe's with a
// filter of the build's keys; rows are the scans' estimates.
func filterPlan(probeRows, buildRows float64) *plan.Plan {
	p := joinPlan()
	join := p.Fragments[1].Root.(*plan.Join)
	join.Dynamic = []plan.DynamicSource{{Filter: 1}}
	join.Left.(*plan.RemoteSource).Kind, join.Right.(*plan.RemoteSource).Kind = plan.Hash, plan.Hash
	probe, build := p.Fragments[2].Root.(*plan.Scan), p.Fragments[3].Root.(*plan.Scan)
	probe.Dynamic = []plan.DynamicUse{{Filter: 1}}
	probe.Est, build.Est = &plan.Estimate{Rows: probeRows}, &plan.Estimate{Rows: buildRows}
	return p
}

// listAll gives every scan some splits.
func listAll(r *query.Run, n int) {
	id := int64(0)
	for _, s := range r.Stages {
		for _, scan := range s.Scans {
			for range n {
				scan.Pending = append(scan.Pending, query.Split{ID: id, Scan: scan.Node})
				id++
			}
			scan.Listed = true
		}
	}
}

// heard is what tasks of a stage are told of filters.
func heard(actions []Action, stage plan.FragmentID) (have, not []plan.DynamicID) {
	for _, a := range actions {
		if a.Fragment.ID != stage {
			continue
		}
		for _, f := range a.Update.Filters {
			have = append(have, f.ID)
		}
		not = append(not, a.Update.NoFilters...)
	}
	return have, not
}

// TestWhatIsNotWaitedFor: a scan hears at its start of filters that are not
// worth waiting for.
func TestWhatIsNotWaitedFor(t *testing.T) {
	for _, c := range []struct {
		name   string
		plan   func() *plan.Plan
		refuse bool
	}{
		{"small build", func() *plan.Plan { return filterPlan(1e6, 1e3) }, false},
		{"build as large", func() *plan.Plan { return filterPlan(1e6, 1e6) }, false},
		{"far larger build", func() *plan.Plan { return filterPlan(1e6, 1e7) }, true},
		{"unknown sizes", func() *plan.Plan {
			p := filterPlan(0, 0)
			p.Fragments[2].Root.Common().Est, p.Fragments[3].Root.Common().Est = nil, nil
			return p
		}, false},
		{"nobody builds it", func() *plan.Plan {
			p := filterPlan(1e6, 1e3)
			p.Fragments[1].Root.(*plan.Join).Dynamic = nil
			return p
		}, true},
		{"the build side reads the scan's stage", func() *plan.Plan {
			p := filterPlan(1e6, 1e3)
			p.Fragments[3] = &plan.Fragment{
				ID: 3, Root: &plan.RemoteSource{Fragments: []plan.FragmentID{2}, Kind: plan.Hash}, Spread: plan.ByPartition,
				Inputs: []plan.FragmentID{2}, Output: plan.Partitioning{Kind: plan.Hash},
			}
			return p
		}, true},
	} {
		r := query.NewRun("q", c.plan(), 0, 2)
		listAll(r, 4)
		have, not := heard(Decide(r, workers(2, 1)), 2)
		if len(have) > 0 || (len(not) > 0) != c.refuse {
			t.Errorf("%s: filters %v, not to wait for %v", c.name, have, not)
		}
	}
}

// TestFilterComesOrNot: scans hear of a filter in the same round in which its
// last part is known, or in which it is known that a part will not come.
func TestFilterComesOrNot(t *testing.T) {
	part := []query.FilterPart{{ID: 1, Filter: &connectors.DynamicFilter{Min: int64(1), Max: int64(5)}}}
	for _, c := range []struct {
		name      string
		last      query.Status // the second join task's news
		have, not bool
	}{
		{"the other part", query.Status{State: query.Running, Filters: part}, true, false},
		{"the other part, at the end", query.Status{State: query.Finished, Filters: part}, true, false},
		{"no other part yet", query.Status{State: query.Running}, false, false},
		{"an end without its part", query.Status{State: query.Finished}, false, true},
	} {
		r := query.NewRun("q", filterPlan(1e6, 1e3), 0, 2)
		listAll(r, 4)
		Decide(r, workers(2, 1))
		joins := r.Stages[1].Tasks
		for _, s := range []*query.Status{{Task: joins[0].ID, State: query.Running, Filters: part}, &c.last} {
			s.Version = 3
			if s == &c.last {
				s.Task = joins[1].ID
			}
			if s.State == query.Finished {
				s.End = &query.End{Partitions: make([]query.PartitionEnd, 1)}
			}
			r.Report(*s)
		}
		CollectFilters(r)
		have, not := heard(Decide(r, workers(2, 1)), 2)
		if (len(have) == 2) != c.have || (len(not) == 2) != c.not || r.Failure != nil {
			t.Errorf("%s: told of %v, not to wait for %v", c.name, have, not)
		}
		if again, not := heard(Decide(r, workers(2, 1)), 2); len(again)+len(not) > 0 {
			t.Errorf("%s: told again of %v %v", c.name, again, not)
		}
	}
}

// TestWholeFilter: where each task has the whole build side, its filter is kept
// once, and no other task of the stage is sent what it makes by itself.
func TestWholeFilter(t *testing.T) {
	r := buildRun(64)
	nodes := workers(2, 1)
	Decide(r, nodes)
	tasks := r.Stages[1].Tasks
	for i, task := range tasks {
		part := &connectors.DynamicFilter{Min: int64(1), Max: int64(9), Bloom: make([]uint64, 4)}
		r.Report(query.Status{Task: task.ID, Version: 1, State: query.Running, DoneSplits: len(task.Splits), Filters: []query.FilterPart{{ID: 1, Filter: part}}})
		CollectFilters(r)
		if got := task.Status.Filters[0].Filter; got != r.Stages[1].Filters[1] {
			t.Errorf("task %d has a filter of its own", i)
		}
	}
	for range 20 {
		for _, task := range r.Stages[1].Tasks {
			r.Report(query.Status{Task: task.ID, Version: task.Status.Version + 1, State: query.Running, DoneSplits: len(task.Splits)})
		}
		if have, not := heard(Decide(r, nodes), 1); len(have)+len(not) > 0 {
			t.Fatalf("told of %v, not to wait for %v", have, not)
		}
	}
	if len(r.Stages[1].Tasks) <= len(tasks) {
		t.Error("no new tasks")
	}
}

// TestUnion: what any part passes passes, and what is not known of one part is
// not known.
func TestUnion(t *testing.T) {
	f := func(lo, hi int64, values ...any) *connectors.DynamicFilter {
		return &connectors.DynamicFilter{Min: lo, Max: hi, Values: values}
	}
	empty := &connectors.DynamicFilter{Empty: true}
	for _, c := range []struct {
		name     string
		parts    []*connectors.DynamicFilter
		empty    bool
		min, max any
		values   []any
	}{
		{"values", []*connectors.DynamicFilter{f(1, 3, int64(1), int64(3)), f(2, 3, int64(2), int64(3))}, false, int64(1), int64(3), []any{int64(1), int64(2), int64(3)}},
		{"an empty part", []*connectors.DynamicFilter{empty, f(4, 5, int64(4), int64(5))}, false, int64(4), int64(5), []any{int64(4), int64(5)}},
		{"all empty", []*connectors.DynamicFilter{empty, empty}, true, nil, nil, nil},
		{"values of one only", []*connectors.DynamicFilter{f(1, 1, int64(1)), f(5, 9)}, false, int64(1), int64(9), nil},
		{"no bounds", []*connectors.DynamicFilter{{}, f(5, 9)}, false, nil, nil, nil},
	} {
		got := union(c.parts)
		if got.Empty != c.empty || got.Min != c.min || got.Max != c.max || !slices.Equal(got.Values, c.values) {
			t.Errorf("%s: %+v", c.name, got)
		}
	}
}
