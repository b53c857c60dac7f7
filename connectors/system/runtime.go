package system

import (
	"context"
	"iter"
	"strings"
	"time"

	"github.com/tuttidb/tutti/connectors"
	"github.com/tuttidb/tutti/sql/types"
)

func fields(s string) []string { return strings.Fields(s) }

func runtimeTables(c Cluster) []table {
	names, double := types.ArrayOf(types.VarcharType()), types.Of(types.Double)
	return []table{
		{name: "nodes", rows: lines(c.Nodes, nodeRow), columns: mixed("node_id http_uri node_version ?coordinator state")},
		{name: "optimizer_rule_stats", rows: none, columns: append(mixed("rule_name #invocations #matches #failures"),
			colOf("average_time", double), colOf("time_distribution_percentiles", types.MapOf(double, double)))},
		{name: "queries", rows: lines(c.Queries, queryRow), columns: join(
			cols("query_id", "state", "user", "source", "query"),
			[]connectors.Column{colOf("resource_group_id", names)},
			mixed("#queued_time_ms #analysis_time_ms #planning_time_ms"),
			[]connectors.Column{instant("created"), instant("started"), instant("last_heartbeat"), instant("end")},
			cols("error_type", "error_code"))},
		{name: "tasks", rows: lines(c.Tasks, taskRow), columns: join(
			mixed("node_id task_id stage_id query_id state #splits #queued_splits #running_splits #completed_splits #split_scheduled_time_ms #split_cpu_time_ms #split_blocked_time_ms #raw_input_bytes #raw_input_rows #processed_input_bytes #processed_input_rows #output_bytes #output_rows #physical_input_bytes #physical_written_bytes"),
			[]connectors.Column{instant("created"), instant("start"), instant("last_heartbeat"), instant("end")})},
		{name: "transactions", rows: none, columns: join(
			mixed("transaction_id isolation_level ?read_only ?auto_commit_context"),
			[]connectors.Column{instant("create_time")},
			mixed("#idle_time_secs written_catalog"),
			[]connectors.Column{colOf("catalogs", names)})},
	}
}

func join(parts ...[]connectors.Column) (out []connectors.Column) {
	for _, p := range parts {
		out = append(out, p...)
	}
	return out
}

// lines makes a row of each thing of a list.
func lines[T any](list func() []T, row func(*T) []any) func(context.Context, *request) iter.Seq2[[]any, error] {
	return func(context.Context, *request) iter.Seq2[[]any, error] {
		return func(yield func([]any, error) bool) {
			all := list()
			for i := range all {
				if !yield(row(&all[i]), nil) {
					return
				}
			}
		}
	}
}

func nodeRow(n *Node) []any { return []any{n.ID, n.HTTPURI, n.Version, n.Coordinator, n.State} }

func queryRow(q *Query) []any {
	return []any{
		q.ID, q.State, q.User, orNull(q.Source), q.SQL, []any{"global"},
		q.Queued.Milliseconds(), q.Analysis.Milliseconds(), q.Planning.Milliseconds(),
		instantOf(q.Created), instantOf(q.Started), instantOf(q.LastHeartbeat), instantOf(q.Ended), orNull(q.ErrorType), orNull(q.ErrorCode),
	}
}

func taskRow(t *Task) []any {
	return []any{
		t.Node, t.ID, t.Stage, t.Query, t.State, t.Splits, t.QueuedSplits, t.RunningSplits, t.DoneSplits,
		t.Scheduled.Milliseconds(), t.CPU.Milliseconds(), t.Blocked.Milliseconds(),
		t.RawInputBytes, t.RawInputRows, t.InputBytes, t.InputRows, t.OutputBytes, t.OutputRows, t.PhysicalBytes, t.PhysicalWritten,
		instantOf(t.Created), instantOf(t.Started), instantOf(t.LastHeartbeat), instantOf(t.Ended),
	}
}

// instantOf returns a timestamp(3) with time zone, in UTC; null for the zero
// time.
func instantOf(t time.Time) any {
	if t.IsZero() {
		return nil
	}
	return types.Int128{Lo: uint64(t.UnixMilli() * 1000), Hi: types.UTCZone}
}
