package coordinator

import (
	"fmt"
	"strings"
	"time"

	"github.com/tuttidb/tutti/internal/qerr"
	"github.com/tuttidb/tutti/planner"
	"github.com/tuttidb/tutti/planner/plan"
	"github.com/tuttidb/tutti/sql/analyzer"
	"github.com/tuttidb/tutti/sql/ast"
	"github.com/tuttidb/tutti/sql/parser"
	"github.com/tuttidb/tutti/sql/types"
)

// explain answers EXPLAIN: whether a statement is valid, what it reads and
// writes, or its plan as text, JSON or a graph.
func (q *activeQuery) explain(s *ast.Explain, params []ast.Expression) error {
	if !planned(s.Statement) {
		return q.explainOther(s)
	}
	res, _, err := q.plan(s.Statement, params)
	if err != nil {
		return err
	}
	if s.Type == ast.ExplainValidate {
		return q.answer(validColumn(), [][]any{{true}})
	}
	text, err := explained(s, res)
	if err != nil {
		return err
	}
	return q.answerText("Query Plan", text)
}

func validColumn() []ResultColumn {
	return []ResultColumn{{Name: "Valid", Type: types.Of(types.Boolean)}}
}

// explained is the text of a plan in the type and format that were asked for.
func explained(s *ast.Explain, res *planner.Result) (string, error) {
	logical := s.Type == ast.ExplainLogical
	switch {
	case s.Type == ast.ExplainIO:
		if s.Format == ast.FormatGraphviz {
			return "", qerr.NotSupported(s.Pos(), "EXPLAIN (TYPE IO) with FORMAT GRAPHVIZ")
		}
		return ioText(res.Logical), nil
	case s.Format == ast.FormatJSON && logical:
		return logicalJSON(res.Logical), nil
	case s.Format == ast.FormatJSON:
		return distributedJSON(res.Plan), nil
	case s.Format == ast.FormatGraphviz && logical:
		return logicalDot(res.Logical), nil
	case s.Format == ast.FormatGraphviz:
		return distributedDot(res.Plan), nil
	case logical:
		return plan.Format(res.Logical), nil
	}
	return plan.FormatPlan(res.Plan, nil), nil
}

// planned reports whether a statement runs by a plan.
func planned(stmt ast.Statement) bool {
	switch stmt.(type) {
	case *ast.Query, *ast.CreateTableAs, *ast.Insert:
		return true
	}
	return false
}

// explainOther answers EXPLAIN of a statement that has no plan with the
// statement itself.
func (q *activeQuery) explainOther(s *ast.Explain) error {
	if s.Type == ast.ExplainValidate {
		return q.answer(validColumn(), [][]any{{true}})
	}
	if c, ok := s.Statement.(*ast.CreateTable); ok {
		return q.answerText("Query Plan", "CREATE TABLE "+c.Name.String())
	}
	return q.answerText("Query Plan", ast.Format(s.Statement))
}

// explainAnalyze runs the statement, drops its rows and answers with the plan
// and what each operator did.
func (q *activeQuery) explainAnalyze(s *ast.ExplainAnalyze, params []ast.Expression) error {
	res, executor, err := q.plan(s.Statement, params)
	if err != nil {
		return err
	}
	if err := q.reserve(res.Plan, executor.Tasks()); err != nil {
		return err
	}
	q.setState(Starting)
	rows, err := executor.Execute(q.ctx, q.execution(res.Plan))
	if err != nil {
		return err
	}
	if err := q.started(rows); err != nil {
		_ = rows.Close() // nothing is left to close
		return err
	}
	q.setState(Running)
	start := time.Now()
	for {
		b, err := rows.Next(q.ctx)
		if err != nil {
			_ = rows.Close() // the first error is the one to tell
			return err
		}
		if b == nil {
			break
		}
	}
	q.mu.Lock()
	q.figures(rows)
	stages, stats := q.info.Stages, q.info.Stats
	q.rows = nil
	q.mu.Unlock()
	if err := rows.Close(); err != nil {
		return err
	}
	text := analyzedText(res.Plan, stages, stats, time.Since(start), q.info.PlanningFor+q.info.AnalysisFor)
	return q.answer(textColumns("Query Plan"), [][]any{{text}})
}

// analyzedText is the distributed plan with the figures below each node.
func analyzedText(p *plan.Plan, stages []StageInfo, total Stats, ran, planned time.Duration) string {
	var b strings.Builder
	fmt.Fprintf(&b, "Planning: %s, Execution: %s, CPU: %s, Peak memory: %s, Spilled: %s\n",
		round(planned), round(ran), round(total.CPU), size(total.PeakMemoryBytes), size(total.SpilledBytes))
	figures := map[plan.NodeID][]OperatorInfo{}
	for _, s := range stages {
		for _, o := range s.Operators {
			figures[o.Node] = append(figures[o.Node], o)
		}
	}
	b.WriteString(plan.FormatPlan(p, func(n plan.Node) (lines []string) {
		for _, o := range figures[n.Common().ID] {
			lines = append(lines, operatorText(o))
		}
		return lines
	}))
	return b.String()
}

func operatorText(o OperatorInfo) string {
	s := fmt.Sprintf("%s: rows out %d, in %d; time %s, blocked %s; memory %s; spilled %s",
		o.Part, o.RowsOut, o.RowsIn, round(o.Wall), round(o.Blocked), size(o.PeakBytes), size(o.SpilledBytes))
	if o.PhysicalRows > 0 || o.PhysicalBytes > 0 {
		s += fmt.Sprintf("; read %d rows, %s", o.PhysicalRows, size(o.PhysicalBytes))
	}
	if o.Groups > 0 {
		s += fmt.Sprintf("; row groups %d, skipped %d", o.Groups, o.GroupsSkipped)
	}
	return s
}

func round(d time.Duration) time.Duration {
	if d > time.Second {
		return d.Round(10 * time.Millisecond)
	}
	return d.Round(10 * time.Microsecond)
}

func size(n int64) string {
	switch {
	case n >= 1<<30:
		return fmt.Sprintf("%.2fGB", float64(n)/(1<<30))
	case n >= 1<<20:
		return fmt.Sprintf("%.2fMB", float64(n)/(1<<20))
	case n >= 1<<10:
		return fmt.Sprintf("%.2fkB", float64(n)/(1<<10))
	}
	return fmt.Sprintf("%dB", n)
}

// describe returns what is known of a prepared statement.
func (q *activeQuery) describe(name string) (*analyzer.Description, error) {
	text, err := q.prepared(name)
	if err != nil {
		return nil, err
	}
	stmt, err := parser.ParseStatement(text)
	if err != nil {
		return nil, err
	}
	return q.analyzer().Describe(stmt)
}

func (q *activeQuery) describeInput(s *ast.DescribeInput) error {
	d, err := q.describe(s.Name.Fold())
	if err != nil {
		return err
	}
	cols := textColumns("Position", "Type")
	cols[0].Type = types.Of(types.BigInt)
	var rows [][]any
	for i, t := range d.Parameters {
		rows = append(rows, []any{int64(i), t.String()})
	}
	return q.answer(cols, rows)
}

func (q *activeQuery) describeOutput(s *ast.DescribeOutput) error {
	d, err := q.describe(s.Name.Fold())
	if err != nil {
		return err
	}
	cols := textColumns("Column Name", "Catalog", "Schema", "Table", "Type", "Type Size", "Aliased")
	cols[5].Type, cols[6].Type = types.Of(types.BigInt), types.Of(types.Boolean)
	var rows [][]any
	for _, o := range d.Outputs {
		size := int64(o.Type.Physical().Width())
		if o.Type.Physical() == types.PhysBytes {
			size = 0
		}
		rows = append(rows, []any{o.Name, o.Catalog, o.Schema, o.Table, o.Type.String(), size, o.Aliased})
	}
	return q.answer(cols, rows)
}
