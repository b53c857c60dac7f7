package cluster

import (
	"encoding/binary"
	"fmt"
	"slices"
	"time"

	"github.com/tuttidb/tutti/connectors"
	"github.com/tuttidb/tutti/coordinator/query"
	"github.com/tuttidb/tutti/coordinator/schedule"
	"github.com/tuttidb/tutti/exchange"
	"github.com/tuttidb/tutti/internal/qerr"
	"github.com/tuttidb/tutti/planner/plan"
	"github.com/tuttidb/tutti/planner/plancodec"
	pb "github.com/tuttidb/tutti/proto/tutti/v1"
)

// update turns a scheduler's update into its message.
func (c *Client) update(u schedule.Update) (*pb.TaskUpdate, error) {
	m := &pb.TaskUpdate{Number: u.Number, Inputs: &pb.Inputs{}}
	for _, s := range u.Splits {
		m.Splits = append(m.Splits, &pb.Split{
			Id: s.ID, Scan: int32(s.Scan), Payload: s.Payload, Affinity: s.Affinity, Bytes: s.Bytes, Rows: s.Rows,
		})
	}
	for _, n := range u.NoMore {
		m.NoMore = append(m.NoMore, int32(n))
	}
	for _, s := range u.Sources {
		m.Inputs.Sources = append(m.Inputs.Sources, &pb.Source{
			Task: exchange.TaskToProto(s.Task), Address: s.Address, Committed: s.Committed, Frames: s.End.Frames, Rows: s.End.Rows,
		})
	}
	for _, f := range u.Complete {
		m.Inputs.Complete = append(m.Inputs.Complete, int32(f))
	}
	for _, f := range u.Filters {
		p, err := filterToProto(f)
		if err != nil {
			return nil, err
		}
		m.Filters = append(m.Filters, p)
	}
	for _, id := range u.NoFilters {
		m.NoFilters = append(m.NoFilters, int32(id))
	}
	for _, a := range u.TakeBack {
		m.TakeBack = append(m.TakeBack, &pb.TakeBack{Scan: int32(a.Scan), Count: int32(a.Count)})
	}
	return m, nil
}

func filterToProto(p query.FilterPart) (*pb.DynamicFilter, error) {
	f := p.Filter
	m := &pb.DynamicFilter{Id: int32(p.ID), Empty: f.Empty}
	var err error
	encode := func(v any) (d *pb.Datum) {
		if v != nil && err == nil {
			d, err = plancodec.EncodeDatum(v)
		}
		return d
	}
	m.Min, m.Max = encode(f.Min), encode(f.Max)
	for _, v := range f.Values {
		m.Values = append(m.Values, encode(v))
	}
	for _, w := range f.Bits {
		m.Bits = binary.LittleEndian.AppendUint64(m.Bits, w)
	}
	for _, w := range f.Bloom {
		m.Bloom = binary.LittleEndian.AppendUint64(m.Bloom, w)
	}
	return m, err
}

func filterFromProto(m *pb.DynamicFilter) (query.FilterPart, error) {
	f := &connectors.DynamicFilter{Empty: m.Empty}
	var err error
	decode := func(d *pb.Datum) (v any) {
		if d != nil && err == nil {
			v, err = plancodec.DecodeDatum(d)
		}
		return v
	}
	f.Min, f.Max = decode(m.Min), decode(m.Max)
	for _, v := range m.Values {
		f.Values = append(f.Values, decode(v))
	}
	for b := m.Bits; len(b) >= 8; b = b[8:] {
		f.Bits = append(f.Bits, binary.LittleEndian.Uint64(b))
	}
	for b := m.Bloom; len(b) >= 8; b = b[8:] {
		f.Bloom = append(f.Bloom, binary.LittleEndian.Uint64(b))
	}
	return query.FilterPart{ID: plan.DynamicID(m.Id), Filter: f}, err
}

// taskStates maps the message's states to ours.
var taskStates = map[pb.TaskState]query.TaskState{
	pb.TaskState_TASK_STATE_PLANNED: query.Planned, pb.TaskState_TASK_STATE_RUNNING: query.Running,
	pb.TaskState_TASK_STATE_FLUSHING: query.Flushing, pb.TaskState_TASK_STATE_FINISHED: query.Finished,
	pb.TaskState_TASK_STATE_CANCELED: query.Canceled, pb.TaskState_TASK_STATE_ABORTED: query.Aborted,
	pb.TaskState_TASK_STATE_FAILED: query.Failed,
}

func statusFromProto(m *pb.TaskStatus) (query.Status, error) {
	state, ok := taskStates[m.GetState()]
	if !ok || m.GetTask() == nil {
		return query.Status{}, fmt.Errorf("task status in unknown state %v", m.GetState())
	}
	st := query.Status{
		Task: exchange.TaskFromProto(m.Task), Version: m.Version, State: state,
		CPU: time.Duration(m.CpuNanos), Wall: time.Duration(m.WallNanos),
		MemoryUsed: m.MemoryUsed, MemoryPeak: m.MemoryPeak, SpilledBytes: m.SpilledBytes,
		QueuedSplits: int(m.QueuedSplits), RunningSplits: int(m.RunningSplits), DoneSplits: int(m.DoneSplits),
		OutputBytes: m.OutputBytes, OutputRows: m.OutputRows, OutputWaits: m.OutputWaits,
	}
	if m.Failure != nil {
		st.Failure = failureFromProto(m.Failure)
	}
	if m.End != nil {
		st.End = &query.End{Splits: m.End.Splits}
		for _, p := range m.End.Partitions {
			st.End.Partitions = append(st.End.Partitions, query.PartitionEnd{Frames: p.Frames, Rows: p.Rows, Bytes: p.Bytes})
		}
	}
	for _, id := range m.Consumed {
		st.Consumed = append(st.Consumed, exchange.TaskFromProto(id))
	}
	for _, id := range m.LostInputs {
		st.Lost = append(st.Lost, exchange.TaskFromProto(id))
	}
	for _, o := range m.Operators {
		st.Operators = append(st.Operators, figuresFromProto(o))
	}
	for _, f := range m.Filters {
		p, err := filterFromProto(f)
		if err != nil {
			return st, fmt.Errorf("dynamic filter %d of task %s: %w", f.Id, st.Task, err)
		}
		st.Filters = append(st.Filters, p)
	}
	return st, nil
}

// inventoryFromProto reads what a worker says that it has of a query.
func inventoryFromProto(at query.Place, m *pb.AdoptQueryResponse) (query.Inventory, error) {
	inv := query.Inventory{Place: at, Next: m.NextAttempt, Ended: m.Ended}
	for i, t := range slices.Concat(m.Tasks, m.Copies) {
		a, err := attemptFromProto(t)
		if err != nil {
			return inv, fmt.Errorf("what worker %s has of a query: %w", at.Node, err)
		}
		a.Copy = i >= len(m.Tasks)
		inv.Attempts = append(inv.Attempts, a)
	}
	return inv, nil
}

func attemptFromProto(t *pb.AdoptedTask) (query.Attempt, error) {
	st, err := statusFromProto(t.Status)
	if err != nil {
		return query.Attempt{}, err
	}
	a := query.Attempt{
		Status: st, Partition: int(t.Partition), Partitions: int(t.Partitions), Outputs: int(t.OutputPartitions),
		Epoch: t.Epoch, Chosen: t.Chosen, ChosenBy: t.ChosenEpoch, Update: t.GetTold().GetNumber(), Told: map[plan.TaskID]bool{}, Addresses: map[plan.TaskID]string{},
		Released: t.Released, DroppedFrames: t.DroppedFrames, DroppedRows: t.DroppedRows,
	}
	for _, s := range t.GetTold().GetSplits() {
		a.Splits = append(a.Splits, query.Split{
			ID: s.Id, Scan: plan.NodeID(s.Scan), Split: connectors.Split{Payload: s.Payload, Affinity: s.Affinity, Bytes: s.Bytes, Rows: s.Rows},
		})
	}
	for _, n := range t.GetTold().GetNoMore() {
		a.NoMore = append(a.NoMore, plan.NodeID(n))
	}
	for _, s := range t.GetTold().GetInputs().GetSources() {
		id := exchange.TaskFromProto(s.Task)
		a.Told[id], a.Addresses[id] = s.Committed, s.Address
	}
	for _, f := range t.GetTold().GetInputs().GetComplete() {
		a.Complete = append(a.Complete, plan.FragmentID(f))
	}
	for _, f := range t.Filters {
		a.Filters = append(a.Filters, plan.DynamicID(f))
	}
	return a, nil
}

// causes maps the message's causes to ours.
var causes = map[pb.Failure_Cause]query.Cause{
	pb.Failure_CAUSE_USER: query.CauseUser, pb.Failure_CAUSE_OUT_OF_MEMORY: query.CauseOutOfMemory,
	pb.Failure_CAUSE_LOST_OUTPUT: query.CauseLostOutput, pb.Failure_CAUSE_STORAGE: query.CauseStorage,
	pb.Failure_CAUSE_CANCELED: query.CauseCanceled, pb.Failure_CAUSE_INTERNAL: query.CauseInternal,
	pb.Failure_CAUSE_NODE: query.CauseNode, pb.Failure_CAUSE_DEPOSED: query.CauseDeposed,
}

func failureFromProto(m *pb.Failure) *query.Failure {
	f := &query.Failure{
		Cause: causes[m.Cause], Retryable: m.Retryable,
		Err: &qerr.Error{
			Code:    qerr.Code{Number: int(m.Code), Name: m.Name, Kind: qerr.Kind(m.Kind)},
			Message: m.Message, Pos: qerr.Pos{Line: int(m.Line), Column: int(m.Column)}, Retryable: m.Retryable,
		},
	}
	if m.Lost != nil {
		f.Lost = exchange.TaskFromProto(m.Lost)
	}
	return f
}

func figuresFromProto(o *pb.OperatorStats) query.Figures {
	return query.Figures{
		Node: plan.NodeID(o.Node), Part: o.Name, RowsIn: o.RowsIn, RowsOut: o.RowsOut, BytesOut: o.BytesOut,
		Nanos: o.Nanos, BlockedNanos: o.BlockedNanos, PeakBytes: o.PeakBytes, SpilledBytes: o.SpilledBytes,
		PhysicalBytes: o.PhysicalBytes, PhysicalRows: o.PhysicalRows, Groups: o.Groups, GroupsSkipped: o.GroupsSkipped,
	}
}
