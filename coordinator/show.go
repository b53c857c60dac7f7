package coordinator

import (
	"fmt"
	"regexp"
	"strings"

	"github.com/tuttidb/tutti/connectors"
	"github.com/tuttidb/tutti/internal/qerr"
	"github.com/tuttidb/tutti/sql/analyzer"
	"github.com/tuttidb/tutti/sql/ast"
	"github.com/tuttidb/tutti/sql/function"
	"github.com/tuttidb/tutti/sql/types"
)

// show runs the SHOW statements.
func (q *activeQuery) show(stmt ast.Statement) error {
	switch s := stmt.(type) {
	case *ast.ShowCatalogs:
		return q.showCatalogs(s)
	case *ast.ShowSchemas:
		return q.showSchemas(s)
	case *ast.ShowTables:
		return q.showTables(s)
	case *ast.ShowColumns:
		return q.showColumns(s)
	case *ast.ShowFunctions:
		return q.showFunctions(s)
	case *ast.ShowSession:
		return q.showSession(s)
	case *ast.ShowCreate:
		return q.showCreate(s)
	case *ast.ShowStats:
		return q.showStats(s)
	case *ast.ShowRoles: // nobody has rights of their own, so there are none to show
		return q.answer(textColumns("Role"), nil)
	case *ast.ShowRoleGrants:
		return q.answer(textColumns("Role Grants"), nil)
	case *ast.ShowGrants:
		return q.showGrants(s)
	}
	return qerr.NotSupported(stmt.Pos(), "this statement")
}

// showGrants lists no grants; a table that is named must be there.
func (q *activeQuery) showGrants(s *ast.ShowGrants) error {
	if s.On != nil && (s.Kind == nil || s.Kind.Fold() == "table") {
		if _, _, err := q.analyzer().Table(s.On, s.Pos()); err != nil {
			return err
		}
	}
	return q.answer(textColumns("Grantor", "Grantor Type", "Grantee", "Grantee Type", "Catalog", "Schema", "Table", "Privilege", "Grantable", "With Hierarchy"), nil)
}

// matcher returns a test for SHOW … LIKE.
func matcher(like *ast.LikePattern) (func(string) bool, error) {
	if like == nil {
		return func(string) bool { return true }, nil
	}
	escape := rune(-1)
	if like.Escape != nil {
		r := []rune(like.Escape.Value)
		if len(r) != 1 {
			return nil, qerr.At(qerr.InvalidFunctionArgument, like.Pos(), "Escape string must be a single character")
		}
		escape = r[0]
	}
	var b strings.Builder
	b.WriteString("(?s)^")
	quoted := false
	for _, r := range like.Pattern {
		switch {
		case quoted:
			b.WriteString(regexp.QuoteMeta(string(r)))
			quoted = false
		case r == escape:
			quoted = true
		case r == '%':
			b.WriteString(".*")
		case r == '_':
			b.WriteString(".")
		default:
			b.WriteString(regexp.QuoteMeta(string(r)))
		}
	}
	b.WriteString("$")
	re, err := regexp.Compile(b.String())
	if err != nil {
		return nil, fmt.Errorf("pattern %q: %w", like.Pattern, err)
	}
	return re.MatchString, nil
}

// showCatalogs names the catalogs, in a type as long as the longest name, as
// a list of literals has it.
func (q *activeQuery) showCatalogs(s *ast.ShowCatalogs) error {
	var all [][]any
	for _, n := range q.catalogs.List() {
		all = append(all, []any{n})
	}
	match, err := matcher(s.Like)
	if err != nil {
		return err
	}
	return q.answer(literalColumns(all, "Catalog"), matching(all, match))
}

func (q *activeQuery) showNames(column ResultColumn, names []string, like *ast.LikePattern) error {
	match, err := matcher(like)
	if err != nil {
		return err
	}
	var rows [][]any
	for _, n := range names {
		if match(n) {
			rows = append(rows, []any{n})
		}
	}
	return q.answer([]ResultColumn{column}, rows)
}

func (q *activeQuery) showSchemas(s *ast.ShowSchemas) error {
	catalog, err := q.analyzer().CatalogName(s.Catalog, qerr.Pos{}) // without a position, as Trino
	if err != nil {
		return err
	}
	list, err := q.catalogs.Schemas(q.ctx, catalog)
	if err != nil {
		return err
	}
	return q.showNames(textColumns("Schema")[0], list, s.Like)
}

func (q *activeQuery) showTables(s *ast.ShowTables) error {
	n, err := q.analyzer().Schema(s.Schema, s.Pos())
	if err != nil {
		return err
	}
	list, err := q.catalogs.Tables(q.ctx, n.Catalog, n.Schema)
	if err != nil {
		return err
	}
	return q.showNames(textColumns("Table")[0], list, s.Like)
}

func (q *activeQuery) showColumns(s *ast.ShowColumns) error {
	_, t, err := q.analyzer().Table(s.Table, s.Pos())
	if err != nil {
		return err
	}
	match, err := matcher(s.Like)
	if err != nil {
		return err
	}
	var rows [][]any
	for _, c := range t.Columns {
		if !c.Hidden && match(c.Name) {
			rows = append(rows, []any{c.Name, c.Type.String(), c.Extra, c.Comment})
		}
	}
	return q.answer(textColumns("Column", "Type", "Extra", "Comment"), rows)
}

func (q *activeQuery) showFunctions(s *ast.ShowFunctions) error {
	match, err := matcher(s.Like)
	if err != nil {
		return err
	}
	var all [][]any
	for _, f := range function.List() {
		all = append(all, []any{f.Name, f.Result, f.Args, f.Kind.String(), f.Deterministic, f.Description})
	}
	cols := literalColumns(all, "Function", "Return Type", "Argument Types", "Function Type", "Deterministic", "Description")
	cols[4].Type = types.Of(types.Boolean)
	return q.answer(cols, matching(all, match))
}

func (q *activeQuery) showSession(s *ast.ShowSession) error {
	match, err := matcher(s.Like)
	if err != nil {
		return err
	}
	var all [][]any
	for _, p := range SessionProperties() {
		value, ok := q.req.Session.Properties[p.Name]
		if !ok {
			value = p.Default
		}
		all = append(all, []any{p.Name, value, p.Default, p.Type, p.Description})
	}
	return q.answer(literalColumns(all, "Name", "Value", "Default", "Type", "Description"), matching(all, match))
}

// literalColumns are columns as long as the longest of all rows, before any
// pattern, as Trino's lists of literals have them.
func literalColumns(all [][]any, names ...string) []ResultColumn {
	out := make([]ResultColumn, len(names))
	for i, n := range names {
		out[i] = literalColumn(n, all, i)
	}
	return out
}

// matching are the rows whose first column matches.
func matching(all [][]any, match func(string) bool) (rows [][]any) {
	for _, r := range all {
		if match(r[0].(string)) {
			rows = append(rows, r)
		}
	}
	return rows
}

func (q *activeQuery) showCreate(s *ast.ShowCreate) error {
	switch s.Kind {
	case ast.ObjectTable:
		n, t, err := q.analyzer().Table(s.Name, s.Pos())
		if err != nil {
			return err
		}
		return q.answerText("Create Table", createTableText(n, t))
	case ast.ObjectSchema:
		n, err := q.analyzer().Schema(s.Name, s.Pos())
		if qerr.Is(err, qerr.SchemaNotFound) { // Trino says it so here
			err = qerr.At(qerr.SchemaNotFound, s.Pos(), "Schema '%s' does not exist%s", n, q.analyzer().SuggestSchema(n.Catalog, n.Schema))
		}
		if err != nil {
			return err
		}
		return q.answerText("Create Schema", "CREATE SCHEMA "+n.String())
	case ast.ObjectCatalog:
		return q.showCreateCatalog(s)
	}
	return qerr.NotSupported(s.Pos(), "SHOW CREATE %s", s.Kind)
}

// createTableText is the statement that would make the table.
func createTableText(n analyzer.TableName, t *connectors.Table) string {
	var b strings.Builder
	fmt.Fprintf(&b, "CREATE TABLE %s.%s.%s (\n", ast.QuoteIdentifier(n.Catalog), ast.QuoteIdentifier(n.Schema), ast.QuoteIdentifier(n.Table))
	first := true
	for _, c := range t.Columns {
		if c.Hidden {
			continue
		}
		if !first {
			b.WriteString(",\n")
		}
		first = false
		fmt.Fprintf(&b, "   %s %s", ast.QuoteIdentifier(c.Name), c.Type)
		if c.NotNull {
			b.WriteString(" NOT NULL")
		}
		if c.Comment != "" {
			b.WriteString(" COMMENT " + ast.QuoteString(c.Comment))
		}
	}
	b.WriteString("\n)")
	if t.Comment != "" {
		b.WriteString("\nCOMMENT " + ast.QuoteString(t.Comment))
	}
	return b.String()
}
