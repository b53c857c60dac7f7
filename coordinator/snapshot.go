package coordinator

import (
	"time"

	"github.com/tuttidb/tutti/coordinator/query"
)

// snapshotRun turns the state of a run into figures of the query, its stages
// and tasks.
func snapshotRun(run *query.Run, info *QueryInfo, wall time.Duration) {
	total := Stats{Wall: wall}
	operators := OperatorInfos(run.Plan, nil)
	nodes := map[string]bool{}
	stages := make([]StageInfo, len(run.Stages))
	for i, s := range run.Stages {
		st := &stages[i]
		st.ID, st.Spread, st.Inputs, st.State = s.Fragment.ID, s.Fragment.Spread.String(), s.Fragment.Inputs, stageState(s)
		for _, scan := range s.Scans {
			st.Stats.TotalSplits += scan.Waiting()
			st.Stats.QueuedSplits += scan.Waiting()
		}
		for _, t := range s.Tasks {
			nodes[t.Node] = true
			task := taskInfo(t)
			st.Tasks = append(st.Tasks, task)
			st.Stats.add(task.Stats)
			for _, f := range t.Status.Operators {
				operators.Add(operatorInfo(f))
			}
		}
		total.add(st.Stats)
	}
	for i, s := range operators.Stages(info.State, Stats{}) {
		stages[i].Operators = s.Operators
	}
	total.Nodes = len(nodes)
	total.Progress = progress(total)
	total.OutputRows = info.Stats.OutputRows
	info.Stats, info.Stages = total, stages
}

// progress is the share of splits that are done, once all are known.
func progress(s Stats) float64 {
	if s.TotalSplits == 0 {
		return -1
	}
	return min(99, 100*float64(s.DoneSplits)/float64(s.TotalSplits))
}

func stageState(s *query.Stage) State {
	switch {
	case len(s.Tasks) == 0:
		return Planning
	case s.Done():
		return Finished
	}
	for _, t := range s.Tasks {
		if t.Status.State == query.Failed {
			return Failed
		}
	}
	return Running
}

func taskInfo(t *query.Task) TaskInfo {
	st := t.Status
	out := TaskInfo{ID: t.ID, State: st.State.String(), Node: t.Node}
	out.Stats = Stats{
		TotalSplits: len(t.Splits), QueuedSplits: st.QueuedSplits, RunningSplits: st.RunningSplits, DoneSplits: st.DoneSplits,
		CPU: st.CPU, Wall: st.Wall, Scheduled: st.Wall, MemoryBytes: st.MemoryUsed, PeakMemoryBytes: st.MemoryPeak, SpilledBytes: st.SpilledBytes,
		OutputRows: st.OutputRows, OutputBytes: st.OutputBytes, InternalBytes: st.OutputBytes,
	}
	for _, f := range st.Operators {
		out.Stats.PhysicalRows += f.PhysicalRows
		out.Stats.PhysicalBytes += f.PhysicalBytes
		out.Stats.Blocked += time.Duration(f.BlockedNanos)
	}
	if st.State == query.Failed {
		out.Stats.FailedTasks = 1
	}
	return out
}

// add adds o's counters; memory peaks add up, as tasks run side by side.
func (s *Stats) add(o Stats) {
	s.TotalSplits += o.TotalSplits
	s.QueuedSplits += o.QueuedSplits
	s.RunningSplits += o.RunningSplits
	s.DoneSplits += o.DoneSplits
	s.CPU += o.CPU
	s.Scheduled += o.Scheduled
	s.Blocked += o.Blocked
	s.PhysicalRows += o.PhysicalRows
	s.PhysicalBytes += o.PhysicalBytes
	s.InternalBytes += o.InternalBytes
	s.OutputBytes += o.OutputBytes
	s.MemoryBytes += o.MemoryBytes
	s.PeakMemoryBytes += o.PeakMemoryBytes
	s.SpilledBytes += o.SpilledBytes
	s.FailedTasks += o.FailedTasks
}

func operatorInfo(f query.Figures) OperatorInfo {
	return OperatorInfo{
		Node: f.Node, Part: f.Part, RowsIn: f.RowsIn, RowsOut: f.RowsOut, BytesOut: f.BytesOut,
		Wall: time.Duration(f.Nanos), Blocked: time.Duration(f.BlockedNanos),
		PeakBytes: f.PeakBytes, SpilledBytes: f.SpilledBytes, PhysicalRows: f.PhysicalRows, PhysicalBytes: f.PhysicalBytes,
		Groups: f.Groups, GroupsSkipped: f.GroupsSkipped,
	}
}
