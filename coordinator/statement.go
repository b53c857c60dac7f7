package coordinator

import (
	"fmt"
	"strings"

	"github.com/tuttidb/tutti/internal/qerr"
	"github.com/tuttidb/tutti/sql/analyzer"
	"github.com/tuttidb/tutti/sql/ast"
	"github.com/tuttidb/tutti/sql/expr"
	"github.com/tuttidb/tutti/sql/parser"
)

// other runs the statements that are not plans.
func (q *activeQuery) other(stmt ast.Statement, params []ast.Expression) error {
	switch s := stmt.(type) {
	case *ast.Explain:
		return q.explain(s, params)
	case *ast.ExplainAnalyze:
		return q.explainAnalyze(s, params)
	case *ast.Prepare:
		return q.prepare(s)
	case *ast.Execute:
		return q.executePrepared(s)
	case *ast.ExecuteImmediate:
		return q.executeImmediate(s)
	case *ast.Deallocate:
		return q.deallocate(s)
	case *ast.DescribeInput:
		return q.describeInput(s)
	case *ast.DescribeOutput:
		return q.describeOutput(s)
	case *ast.Use:
		return q.use(s)
	case *ast.SetSession:
		return q.setSession(s)
	case *ast.ResetSession:
		return q.resetSession(s)
	case *ast.SetTimeZone:
		return q.setTimeZone(s)
	case *ast.StartTransaction:
		return q.startTransaction(s)
	case *ast.Commit:
		return q.endTransaction("COMMIT")
	case *ast.Rollback:
		return q.endTransaction("ROLLBACK")
	case *ast.CreateTable:
		return q.createTable(s)
	case *ast.DropTable:
		return q.dropTable(s)
	case *ast.CreateSchema:
		return q.createSchema(s)
	case *ast.DropSchema:
		return q.dropSchema(s)
	case *ast.CreateCatalog:
		return q.createCatalog(s, params)
	case *ast.DropCatalog:
		return q.dropCatalog(s)
	case *ast.Call:
		return q.call(s)
	}
	return q.show(stmt)
}

// control ends a statement that has effects but no result.
func (q *activeQuery) control(updateType string, change func(*Effects)) error {
	q.effect(func(e *Effects) {
		e.UpdateType = updateType
		if change != nil {
			change(e)
		}
	})
	q.respond([]ResultColumn{})
	return nil
}

func (q *activeQuery) use(s *ast.Use) error {
	a := q.analyzer()
	catalog, err := a.CatalogName(s.Catalog, qerr.Pos{}) // without a position, as Trino
	if err != nil {
		return err
	}
	schema := s.Schema.Fold()
	if ok, err := q.catalogs.SchemaExists(q.ctx, catalog, schema); err != nil || !ok {
		return orError(err, qerr.New(qerr.NotFound, "Schema does not exist: %s.%s%s", catalog, schema, a.SuggestSchema(catalog, schema)))
	}
	return q.control("USE", func(e *Effects) {
		e.SetSchema = schema
		if s.Catalog != nil {
			e.SetCatalog = catalog
		}
	})
}

func (q *activeQuery) setSession(s *ast.SetSession) error {
	name := strings.Join(s.Name.Fold(), ".")
	if len(s.Name.Parts) > 1 {
		return placed(unknownProperty(name), s.Pos())
	}
	c, err := q.constant(s.Value)
	if err != nil {
		return err
	}
	value := fmt.Sprint(c.Value)
	if _, err := parseProperties(map[string]string{name: value}); err != nil {
		return placed(err, s.Pos())
	}
	return q.control("SET SESSION", func(e *Effects) { e.SetSession = map[string]string{name: value} })
}

// constant computes an expression without columns.
func (q *activeQuery) constant(e ast.Expression) (*expr.Const, error) {
	bound, err := q.analyzer().Constant(e)
	if err != nil {
		return nil, err
	}
	return q.c.deps.Folder.Fold(bound)
}

func (q *activeQuery) resetSession(s *ast.ResetSession) error {
	name := strings.Join(s.Name.Fold(), ".")
	for _, p := range SessionProperties() {
		if p.Name == name {
			return q.control("RESET SESSION", func(e *Effects) { e.ClearSession = []string{name} })
		}
	}
	return placed(unknownProperty(name), s.Pos())
}

// placed gives an error a place in the text.
func placed(err error, pos qerr.Pos) error {
	e := qerr.From(err)
	return qerr.At(e.Code, pos, "%s", e.Message)
}

// timeZoneProperty is the session property that carries SET TIME ZONE from
// one statement to the next, as Trino's does.
const timeZoneProperty = "time_zone_id"

func (q *activeQuery) setTimeZone(s *ast.SetTimeZone) error {
	if s.Value == nil {
		return q.control("SET TIME ZONE", func(e *Effects) { e.ClearSession = []string{timeZoneProperty} })
	}
	c, err := q.constant(s.Value)
	if err != nil {
		return err
	}
	zone, ok := c.Value.(string)
	if !ok {
		return qerr.NotSupported(s.Pos(), "time zones given as intervals; write the offset as text, such as '+02:00'")
	}
	if err := analyzer.CheckTimeZone(zone); err != nil {
		return err
	}
	return q.control("SET TIME ZONE", func(e *Effects) { e.SetSession = map[string]string{timeZoneProperty: zone} })
}

func (q *activeQuery) startTransaction(s *ast.StartTransaction) error {
	if q.req.Session.Transaction != "" && !strings.EqualFold(q.req.Session.Transaction, "NONE") {
		return qerr.At(qerr.NotSupportedCode, s.Pos(), "Nested transactions not supported")
	}
	return q.control("START TRANSACTION", func(e *Effects) { e.StartedTransaction = string(q.id) })
}

func (q *activeQuery) endTransaction(verb string) error {
	if id := q.req.Session.Transaction; id == "" || strings.EqualFold(id, "NONE") {
		return qerr.New(qerr.NotInTransaction, "No transaction in progress")
	}
	return q.control(verb, func(e *Effects) { e.ClearTransaction = true })
}

func (q *activeQuery) prepare(s *ast.Prepare) error {
	switch s.Statement.(type) {
	case *ast.Prepare, *ast.Execute, *ast.ExecuteImmediate, *ast.Deallocate:
		return qerr.At(qerr.NotSupportedCode, s.Pos(), "Invalid statement type for prepared statement")
	}
	text := ast.Format(s.Statement)
	return q.control("PREPARE", func(e *Effects) { e.AddedPrepare = map[string]string{s.Name.Fold(): text} })
}

func (q *activeQuery) deallocate(s *ast.Deallocate) error {
	name := s.Name.Fold()
	if _, err := q.prepared(name); err != nil {
		return err
	}
	return q.control("DEALLOCATE", func(e *Effects) { e.DeallocatedPrepare = []string{name} })
}

// prepared returns the text of a prepared statement.
func (q *activeQuery) prepared(name string) (string, error) {
	text, ok := q.req.Session.Prepared[name]
	if !ok {
		return "", qerr.New(qerr.NotFound, "Prepared statement not found: %s", name)
	}
	return text, nil
}

func (q *activeQuery) executePrepared(s *ast.Execute) error {
	text, err := q.prepared(s.Name.Fold())
	if err != nil {
		return err
	}
	stmt, err := parser.ParseStatement(text)
	if err != nil {
		return err
	}
	return q.statement(stmt, s.Params)
}

// executeImmediate runs the statement in a literal. Its positions are those
// within the whole text.
func (q *activeQuery) executeImmediate(s *ast.ExecuteImmediate) error {
	stmt, err := parser.ParseStatementAt(s.SQL.Value, s.SQL.Pos())
	if err != nil {
		return err
	}
	return q.statement(stmt, s.Params)
}

func (q *activeQuery) call(s *ast.Call) error {
	if name := strings.Join(s.Name.Fold(), "."); name != "system.runtime.kill_query" {
		return qerr.At(qerr.NotFound, s.Pos(), "Procedure not registered: %s", name)
	}
	args := map[string]string{}
	for i, a := range s.Args {
		name := []string{"query_id", "message"}[min(i, 1)]
		if a.Name != nil {
			name = a.Name.Fold()
		}
		c, err := q.constant(a.Value)
		if err != nil {
			return err
		}
		args[name], _ = c.Value.(string)
	}
	return q.kill(args["query_id"], args["message"])
}

func (q *activeQuery) kill(id, message string) error {
	for _, other := range q.c.live() {
		if string(other.id) == id {
			other.Cancel(qerr.New(qerr.AdministrativelyKilled, "Query killed. Message: %s", message))
			return q.control("CALL", nil)
		}
	}
	return qerr.New(qerr.NotFound, "Target query not found: %s", id)
}
