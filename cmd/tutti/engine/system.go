package engine

import (
	"strings"

	"github.com/tuttidb/tutti/connectors/system"
	"github.com/tuttidb/tutti/coordinator"
)

// SystemView shows a coordinator's queries, nodes and tasks to the system
// tables. Coordinator is called at each look, so it may be made later than
// the catalogs that hold the view.
type SystemView struct {
	Coordinator func() *coordinator.Coordinator
}

// Queries lists the queries that run or are remembered.
func (v SystemView) Queries() []system.Query {
	var out []system.Query
	for _, q := range v.Coordinator().Queries() {
		line := system.Query{
			ID: string(q.ID), State: string(q.State), User: q.Session.User, Source: q.Session.Source, SQL: q.SQL,
			Queued: q.QueuedFor, Analysis: q.AnalysisFor, Planning: q.PlanningFor,
			Created: q.Created, Started: q.Started, LastHeartbeat: q.LastHeartbeat, Ended: q.Ended,
		}
		if q.Error != nil {
			line.ErrorType, line.ErrorCode = q.Error.Code.Kind.String(), q.Error.Code.Name
		}
		out = append(out, line)
	}
	return out
}

// Nodes lists the nodes.
func (v SystemView) Nodes() []system.Node {
	var out []system.Node
	for _, n := range v.Coordinator().Nodes() {
		uri := n.HTTPAddress
		if uri != "" && !strings.Contains(uri, "://") {
			uri = "http://" + uri
		}
		out = append(out, system.Node{ID: n.ID, HTTPURI: uri, Version: n.Version, Coordinator: n.Coordinator, State: n.State})
	}
	return out
}

// Tasks lists the latest attempts of all tasks of the remembered queries.
func (v SystemView) Tasks() []system.Task {
	var out []system.Task
	for _, q := range v.Coordinator().Queries() {
		for _, stage := range q.Stages {
			for _, t := range stage.Tasks {
				s := &t.Stats
				out = append(out, system.Task{
					Node: t.Node, ID: t.ID.String(), Stage: t.ID.Stage.String(), Query: string(q.ID), State: t.State,
					Splits: int64(s.TotalSplits), QueuedSplits: int64(s.QueuedSplits), RunningSplits: int64(s.RunningSplits), DoneSplits: int64(s.DoneSplits),
					Scheduled: s.Scheduled, CPU: s.CPU, Blocked: s.Blocked,
					RawInputBytes: s.PhysicalBytes, RawInputRows: s.PhysicalRows, InputBytes: s.InputBytes, InputRows: s.InputRows,
					OutputBytes: s.OutputBytes, OutputRows: s.OutputRows, PhysicalBytes: s.PhysicalBytes,
					Created: q.Created, Started: q.Started, LastHeartbeat: q.LastHeartbeat, Ended: q.Ended,
				})
			}
		}
	}
	return out
}
