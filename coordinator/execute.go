package coordinator

import (
	"fmt"
	"time"
	"unicode/utf8"

	"github.com/tuttidb/tutti/exec"
	"github.com/tuttidb/tutti/internal/qerr"
	"github.com/tuttidb/tutti/planner"
	"github.com/tuttidb/tutti/planner/fragment"
	"github.com/tuttidb/tutti/planner/optimize"
	"github.com/tuttidb/tutti/planner/plan"
	"github.com/tuttidb/tutti/sql/analyzer"
	"github.com/tuttidb/tutti/sql/ast"
	"github.com/tuttidb/tutti/sql/parser"
)

// execute parses the statement and runs it.
func (q *activeQuery) execute() error {
	q.setState(Planning)
	if n := utf8.RuneCountInString(q.req.SQL); n > q.c.deps.Limits.MaxText {
		return qerr.New(qerr.QueryTextTooLarge, "Query text length (%d) exceeds the maximum length (%d)", n, q.c.deps.Limits.MaxText)
	}
	stmt, err := parser.ParseStatement(q.req.SQL)
	if err != nil {
		return err
	}
	props, err := parseProperties(q.req.Session.Properties)
	if err != nil {
		return err
	}
	q.mu.Lock()
	q.props = props
	if props.timeZone != "" {
		q.req.Session.TimeZone = props.timeZone
	}
	q.mu.Unlock()
	if q.from != nil {
		if done, err := q.goOn(q.from); done {
			return err
		}
	}
	return q.statement(stmt, nil)
}

// statement runs one statement with the values of its parameters.
func (q *activeQuery) statement(stmt ast.Statement, params []ast.Expression) error {
	if err := q.mayRepeat(stmt); err != nil {
		return err
	}
	switch stmt.(type) {
	case *ast.Query:
		return q.runPlanned(stmt, params)
	case *ast.CreateTableAs, *ast.Insert:
		return q.runWrite(stmt, params)
	}
	return q.other(stmt, params)
}

// session is the analyzer's view of the client's session.
func (q *activeQuery) session(params []ast.Expression) *analyzer.Session {
	s := q.req.Session
	return &analyzer.Session{
		Catalog: s.Catalog, Schema: s.Schema, User: s.User, TimeZone: s.TimeZone,
		Start: q.info.Created, Version: q.c.deps.Version, Parameters: params,
	}
}

// plan plans a statement for the executor that will run it.
func (q *activeQuery) plan(stmt ast.Statement, params []ast.Expression) (*planner.Result, Executor, error) {
	executor := q.c.deps.Cluster
	if executor == nil {
		executor = q.c.deps.Local
	}
	opts := planner.Options{Optimize: optimize.Options{
		ReorderJoins: q.props.reorderJoins, DynamicFilters: q.props.dynamicFilters,
		Distribution: q.props.distribution, Tasks: executor.Tasks(), BroadcastLimit: float64(q.props.broadcastLimit),
	}}
	opts.Fragment = fragment.Options{OneTask: q.c.deps.Cluster == nil}
	opts.OneTaskBytes = q.props.oneTaskSize
	res, err := q.planner().Plan(q.ctx, stmt, q.session(params), opts)
	if err != nil {
		return nil, nil, err
	}
	if !needsWorkers(res.Plan) {
		executor = q.c.deps.Local
	}
	q.mu.Lock()
	q.info.AnalysisFor, q.info.PlanningFor = res.Analysis, res.Planning
	q.info.Plan = plan.FormatPlan(res.Plan, nil)
	q.mu.Unlock()
	return res, executor, nil
}

// planner plans with the query's view of the catalogs.
func (q *activeQuery) planner() *planner.Planner {
	return &planner.Planner{Catalog: q.catalogs, Connectors: q.catalogs, Folder: q.c.deps.Folder}
}

// needsWorkers reports whether a plan reads anything that lies outside the
// coordinator's process.
func needsWorkers(p *plan.Plan) bool {
	found := false
	for _, f := range p.Fragments {
		plan.Walk(f.Root, func(n plan.Node) bool {
			if s, ok := n.(*plan.Scan); ok && !s.Table.Local {
				found = true
			}
			return !found
		})
	}
	return found
}

// runPlanned plans a statement and delivers its rows.
func (q *activeQuery) runPlanned(stmt ast.Statement, params []ast.Expression) error {
	res, executor, err := q.plan(stmt, params)
	if err != nil {
		return err
	}
	if executor == q.c.deps.Cluster {
		q.journal(res.Plan)
	}
	return q.deliverPlan(res.Plan, executor)
}

// runWrite is runPlanned for statements whose one row is a count.
func (q *activeQuery) runWrite(stmt ast.Statement, params []ast.Expression) error {
	updateType := "INSERT"
	if _, ok := stmt.(*ast.CreateTableAs); ok {
		updateType = "CREATE TABLE"
	}
	q.effect(func(e *Effects) { e.UpdateType = updateType })
	return q.runPlanned(stmt, params)
}

// deliverPlan executes a plan and hands its rows to the reader.
func (q *activeQuery) deliverPlan(p *plan.Plan, executor Executor) (err error) {
	if err := q.reserve(p, executor.Tasks()); err != nil {
		return err
	}
	q.setState(Starting)
	rows, err := executor.Execute(q.ctx, q.execution(p))
	if err != nil {
		return err
	}
	defer func() {
		if e := q.stop(rows, err != nil, executor == q.c.deps.Cluster); err == nil && e != nil {
			err = fmt.Errorf("end execution: %w", e)
		}
	}()
	if err := q.started(rows); err != nil {
		return err
	}
	q.respond(resultColumns(p))
	q.setState(Running)
	return q.pump(rows)
}

// pump delivers all rows.
func (q *activeQuery) pump(rows Rows) error {
	for {
		b, err := rows.Next(q.ctx)
		if err != nil || b == nil {
			return err
		}
		if err := q.deliver(b); err != nil {
			return err
		}
	}
}

func (q *activeQuery) execution(p *plan.Plan) *Execution {
	return &Execution{
		RetryPolicy: RetryPolicy(q.props.retryPolicy), TaskAttempts: q.props.taskAttempts, Twins: q.props.twins, WorkerWait: q.props.workerWait,
		Query: q.id, Plan: p, Catalogs: q.catalogs, MemoryLimit: q.props.maxMemory, User: q.req.Session.User,
		TimeZone: q.req.Session.TimeZone, Start: q.info.Created, Bound: q.bound, Partitions: q.props.partitions, FilterWait: filterWait(q.props.filterWait), Resume: q.resume,
		Settings: exec.Settings{
			Drivers: q.props.drivers, BatchRows: q.props.batchRows,
			PartialAggregation: q.props.partialAggregation, DynamicFiltering: q.props.dynamicFilters,
		},
	}
}

// filterWait is the session's wait for dynamic filters as executions have it,
// where 0 is no wish.
func filterWait(d time.Duration) time.Duration {
	if d == 0 {
		return -1
	}
	return d
}

func resultColumns(p *plan.Plan) []ResultColumn {
	out := make([]ResultColumn, len(p.Columns))
	for i, c := range p.Columns {
		out[i] = ResultColumn{Name: p.Names[i], Type: c.Type}
	}
	return out
}
