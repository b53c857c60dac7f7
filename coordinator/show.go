package coordinator

import (
	"fmt"
	"math"
	"regexp"
	"strings"
	"unicode/utf8"

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
	case *ast.ShowRoles, *ast.ShowRoleGrants:
		return q.answer(textColumns("Role"), nil)
	}
	return qerr.NotSupported(stmt.Pos(), "this statement")
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
	names, longest := q.c.deps.Catalogs.List(), 0
	for _, n := range names {
		longest = max(longest, utf8.RuneCountInString(n))
	}
	return q.showNames(ResultColumn{Name: "Catalog", Type: types.VarcharOf(int32(longest))}, names, s.Like)
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
	list, err := q.c.deps.Catalogs.Schemas(q.ctx, catalog)
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
	list, err := q.c.deps.Catalogs.Tables(q.ctx, n.Catalog, n.Schema)
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
	cols := textColumns("Function", "Return Type", "Argument Types", "Function Type", "Deterministic", "Description")
	cols[4].Type = types.Of(types.Boolean)
	var rows [][]any
	for _, f := range function.List() {
		if match(f.Name) {
			rows = append(rows, []any{f.Name, f.Result, f.Args, f.Kind.String(), f.Deterministic, f.Description})
		}
	}
	return q.answer(cols, rows)
}

func (q *activeQuery) showSession(s *ast.ShowSession) error {
	match, err := matcher(s.Like)
	if err != nil {
		return err
	}
	var rows [][]any
	for _, p := range SessionProperties() {
		if !match(p.Name) {
			continue
		}
		value, ok := q.req.Session.Properties[p.Name]
		if !ok {
			value = p.Default
		}
		rows = append(rows, []any{p.Name, value, p.Default, p.Type, p.Description})
	}
	return q.answer(textColumns("Name", "Value", "Default", "Type", "Description"), rows)
}

func (q *activeQuery) showCreate(s *ast.ShowCreate) error {
	switch s.Kind {
	case ast.ObjectTable:
		n, t, err := q.analyzer().Table(s.Name, s.Pos())
		if err != nil {
			return err
		}
		return q.answer(textColumns("Create Table"), [][]any{{createTableText(n, t)}})
	case ast.ObjectSchema:
		n, err := q.analyzer().Schema(s.Name, s.Pos())
		if err != nil {
			return err
		}
		return q.answer(textColumns("Create Schema"), [][]any{{"CREATE SCHEMA " + n.String()}})
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

func (q *activeQuery) showStats(s *ast.ShowStats) error {
	if s.Table == nil {
		return qerr.NotSupported(s.Pos(), "SHOW STATS FOR (query)")
	}
	n, t, err := q.analyzer().Table(s.Table, s.Pos())
	if err != nil {
		return err
	}
	conn, err := q.c.deps.Catalogs.Connector(q.ctx, n.Catalog)
	if err != nil {
		return err
	}
	scan := &connectors.Scan{Schema: t.Schema, Table: t.Name, Handle: t.Handle, Limit: -1}
	for i, c := range t.Columns {
		if !c.Hidden {
			scan.Columns = append(scan.Columns, connectors.ScanColumn{Ordinal: i, Name: c.Name, Type: c.Type})
		}
	}
	stats := &connectors.TableStats{Rows: math.NaN(), Columns: make([]connectors.ColumnStats, len(scan.Columns))}
	if st, ok := conn.(connectors.Statistician); ok {
		if stats, err = st.Stats(q.ctx, scan); err != nil {
			return err
		}
	}
	return q.answerStats(scan, stats)
}

func (q *activeQuery) answerStats(scan *connectors.Scan, stats *connectors.TableStats) error {
	cols := textColumns("column_name", "data_size", "distinct_values_count", "nulls_fraction", "row_count", "low_value", "high_value")
	for i := 1; i <= 4; i++ {
		cols[i].Type = types.Of(types.Double)
	}
	var rows [][]any
	for i, c := range scan.Columns {
		s := stats.Columns[i]
		var size any
		if c.Type.Physical() == types.PhysBytes {
			size = number(s.Bytes * stats.Rows)
		}
		rows = append(rows, []any{c.Name, size, number(s.Distinct), number(s.NullFraction), nil, boundText(s.Min, c.Type), boundText(s.Max, c.Type)})
	}
	rows = append(rows, []any{nil, nil, nil, nil, number(stats.Rows), nil, nil})
	return q.answer(cols, rows)
}

func number(x float64) any {
	if math.IsNaN(x) {
		return nil
	}
	return x
}

// boundText prints a column's smallest or largest value as its type does.
func boundText(x float64, t types.Type) any {
	switch {
	case math.IsNaN(x) || t.Physical() == types.PhysBytes:
		return nil
	case t.Kind == types.Date:
		return types.FormatDate(int64(x))
	case t.IsInteger():
		return fmt.Sprintf("%.0f", x)
	}
	return fmt.Sprint(x)
}
