package analyzer_test

import (
	"context"
	"strings"
	"testing"

	"github.com/tuttidb/tutti/internal/qerr"
	"github.com/tuttidb/tutti/sql/analyzer"
	"github.com/tuttidb/tutti/sql/analyzer/analyzertest"
	"github.com/tuttidb/tutti/sql/ast"
	"github.com/tuttidb/tutti/sql/expr"
	"github.com/tuttidb/tutti/sql/parser"
)

// constants binds SELECT list and returns the items as text.
func constants(t *testing.T, session *analyzer.Session, list string) []string {
	t.Helper()
	q, err := newAnalyzer(session).Query(parse(t, "SELECT "+list).(*ast.Query))
	if err != nil {
		t.Fatalf("%s: %v", list, err)
	}
	var out []string
	for _, i := range q.Body.(*analyzer.Select).Items {
		out = append(out, i.Expr.Type().String()+" "+i.Expr.String())
	}
	return out
}

func TestConstants(t *testing.T) {
	for _, c := range []struct{ sql, want string }{
		{"1", "integer 1"},
		{"-2147483648", "integer -2147483648"},
		{"2147483648", "bigint 2147483648"},
		{"00.50", "decimal(2,2) 0.50"},
		{"-1.50", "decimal(3,2) -1.50"},
		{"123456789012345678901.5", "decimal(22,1) 123456789012345678901.5"},
		{"1e3", "double 1000"},
		{"'日本'", "varchar(2) '日本'"},
		{"X'0aff'", "varbinary X'0AFF'"},
		{"DATE '2024-02-29'", "date DATE '2024-02-29'"},
		{"DECIMAL '1.50'", "decimal(3,2) 1.50"},
		{"CHAR 'ab  '", "char(4) 'ab'"},
		{"BIGINT '3'", "bigint 3"},
		{"BOOLEAN 'true'", "boolean true"},
		{"JSON '{\"a\" : 1}'", "json '{\"a\":1}'"},
		{"INTERVAL '3' DAY", "interval day to second 259200000"},
		{"INTERVAL -'1-2' YEAR TO MONTH", "interval year to month -14"},
		{"TIME '01:02:03.5'", "time(1) 3723500000000"},
		{"TIMESTAMP '2024-02-29 12:00'", "timestamp(0) TIMESTAMP '2024-02-29 12:00:00'"},
		{"TIMESTAMP '2024-02-29 12:00:00.125'", "timestamp(3) TIMESTAMP '2024-02-29 12:00:00.125'"},
		{"CURRENT_DATE", "date DATE '2024-05-06'"},
		{"LOCALTIMESTAMP(6)", "timestamp(6) TIMESTAMP '2024-05-06 07:08:09.123456'"},
		{"LOCALTIME(0)", "time(0) 25689000000000"},
		{"CURRENT_USER", "varchar 'alice'"},
		{"CURRENT_CATALOG", "varchar 'tpch'"},
		{"CURRENT_SCHEMA", "varchar 'tiny'"},
		{"current_timezone()", "varchar 'UTC'"},
		{"version()", "varchar '476'"},
		{"typeof(1.5)", "varchar 'decimal(2,1)'"},
		{"NULL", "unknown NULL"},
	} {
		if got := constants(t, analyzertest.Session("tpch"), c.sql)[0]; got != c.want {
			t.Errorf("%s: got %s, want %s", c.sql, got, c.want)
		}
	}
}

func TestZone(t *testing.T) {
	s := analyzertest.Session("tpch")
	s.TimeZone = "Pacific/Auckland" // where it is evening already
	got := constants(t, s, "CURRENT_DATE, LOCALTIMESTAMP(0), current_timezone()")
	want := "date DATE '2024-05-06'|timestamp(0) TIMESTAMP '2024-05-06 19:08:09'|varchar 'Pacific/Auckland'"
	if strings.Join(got, "|") != want {
		t.Errorf("got %s, want %s", got, want)
	}
	s.TimeZone = "Nowhere/At_All"
	if _, err := newAnalyzer(s).Query(parse(t, "SELECT 1").(*ast.Query)); !qerr.Is(err, qerr.InvalidSessionProperty) {
		t.Errorf("unknown zone: %v", err)
	}
	s = &analyzer.Session{}
	if got := constants(t, s, "CURRENT_CATALOG, CURRENT_SCHEMA"); strings.Join(got, "|") != "varchar NULL|varchar NULL" {
		t.Errorf("without catalog: %s", got)
	}
}

// TestCoercions looks at what implicit coercions leave in the tree.
func TestCoercions(t *testing.T) {
	for _, c := range []struct{ sql, want string }{
		{"1 + 2.5", "decimal(12,1) (1 + 2.5)"},
		{"1 = 2e0", "boolean (1 = 2)"},
		{"bigint '1' + 1", "bigint (1 + 1)"},
		{"COALESCE('a', 'bcd')", "varchar(3) COALESCE('a', 'bcd')"},
		{"NULLIF(1, 2)", "integer CASE WHEN (1 = 2) THEN NULL ELSE 1 END"},
		{"IF(true, 1, 2.5)", "decimal(11,1) CASE WHEN true THEN 1.0 ELSE 2.5 END"},
		{"CASE 1 WHEN 2 THEN 'a' END", "varchar(1) CASE WHEN (1 = 2) THEN 'a' ELSE NULL END"},
		{"1 BETWEEN 0 AND 2.0", "boolean ((1.0 >= 0.0) AND (1.0 <= 2.0))"},
		{"1 NOT IN (1, 2.5)", "boolean (NOT (1.0 IN (1.0, 2.5)))"},
		{"1 IN (2)", "boolean (1 = 2)"},
		{"1 IS NOT DISTINCT FROM NULL", "boolean (NOT (1 IS DISTINCT FROM NULL))"},
		{"'a' LIKE 'b' ESCAPE '!'", "boolean like('a', 'b', '!')"},
		{"TRY(1 / 0)", "integer TRY((1 / 0))"},
		{"EXTRACT(YEAR FROM DATE '2024-01-01')", "bigint year(DATE '2024-01-01')"},
		{"ROW(1, 'a')[2]", "varchar(1) ROW(1, 'a')[2]"},
		{"CAST(ROW(1) AS row(a integer)).a", "integer CAST(ROW(1) AS row(a integer))[1]"},
		{"TRIM(LEADING 'x' FROM 'xa')", "varchar(2) ltrim('xa', 'x')"},
		{"NOT true AND NULL", "boolean ((NOT true) AND NULL)"},
	} {
		if got := constants(t, analyzertest.Session("tpch"), c.sql)[0]; got != c.want {
			t.Errorf("%s: got %s, want %s", c.sql, got, c.want)
		}
	}
}

func TestParameters(t *testing.T) {
	s := analyzertest.Session("tpch")
	values := parse(t, "EXECUTE p USING BIGINT '3', 'x', 2").(*ast.Execute)
	s.Parameters = values.Params
	q, err := newAnalyzer(s).Query(parse(t, "SELECT ? + 1, ? || 'y' FROM nation LIMIT ?").(*ast.Query))
	if err != nil {
		t.Fatal(err)
	}
	items := q.Body.(*analyzer.Select).Items
	if got := items[0].Expr.String() + " " + items[1].Expr.String(); got != "(3 + 1) concat('x', 'y')" || q.Limit != 2 {
		t.Errorf("got %s limit %d", got, q.Limit)
	}
	_, err = newAnalyzer(s).Query(parse(t, "SELECT ?").(*ast.Query))
	if want := "line 1:1: Incorrect number of parameters: expected 1 but found 3"; err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
	s.Parameters = parse(t, "EXECUTE p USING nosuch").(*ast.Execute).Params
	if _, err = newAnalyzer(s).Query(parse(t, "SELECT ?").(*ast.Query)); !qerr.Is(err, qerr.ExpressionNotConstant) {
		t.Errorf("a column as parameter: %v", err)
	}
}

func TestDescribe(t *testing.T) {
	d, err := newAnalyzer(analyzertest.Session("tpch")).Describe(parse(t, `SELECT name, n.regionkey AS r, count(*)
		FROM nation n WHERE nationkey = ? AND name LIKE ? AND ? IS NULL GROUP BY 1, 2 LIMIT ?`))
	if err != nil {
		t.Fatal(err)
	}
	var outputs, params []string
	for _, o := range d.Outputs {
		outputs = append(outputs, strings.Join([]string{o.Name, o.Catalog, o.Schema, o.Table, o.Type.String()}, "."))
	}
	for _, p := range d.Parameters {
		params = append(params, p.String())
	}
	if got, want := strings.Join(outputs, " "), "name.tpch.tiny.nation.varchar(25) r.tpch.tiny.nation.bigint _col2....bigint"; got != want {
		t.Errorf("outputs %s, want %s", got, want)
	}
	if !d.Outputs[1].Aliased || d.Outputs[0].Aliased {
		t.Errorf("aliased: %v, %v", d.Outputs[0].Aliased, d.Outputs[1].Aliased)
	}
	if got := strings.Join(params, " "); !strings.HasPrefix(got, "bigint varchar") || !strings.HasSuffix(got, "unknown bigint") {
		t.Errorf("parameters %s", got)
	}
}

func TestCreateTableAs(t *testing.T) {
	a := newAnalyzer(analyzertest.Session("tpch"))
	w, err := a.CreateTableAs(parse(t, `CREATE TABLE memory.default.n (a, B) AS SELECT nationkey, name FROM nation`).(*ast.CreateTableAs))
	if err != nil {
		t.Fatal(err)
	}
	if len(w.Create) != 2 || w.Create[1].Name != "b" || w.Create[1].Type.String() != "varchar(25)" || w.Table != "n" {
		t.Errorf("creates %v", w)
	}
	w, err = newAnalyzer(analyzertest.Session("tpch")).CreateTableAs(
		parse(t, `CREATE TABLE IF NOT EXISTS memory.default.q AS SELECT 1 a`).(*ast.CreateTableAs))
	if err != nil || !w.Exists {
		t.Errorf("a table that exists: %v, %v", w, err)
	}
	w, err = newAnalyzer(analyzertest.Session("tpch")).CreateTableAs(
		parse(t, `CREATE TABLE memory.default.n AS SELECT 1 a WITH NO DATA`).(*ast.CreateTableAs))
	if err != nil || w.Query.Limit != 0 {
		t.Errorf("WITH NO DATA: %v, %v", w, err)
	}
}

func TestInsert(t *testing.T) {
	w, err := newAnalyzer(analyzertest.Session("tpch")).Insert(
		parse(t, `INSERT INTO memory.default.wide (price, id) VALUES (1, 2), (1.5, NULL)`).(*ast.Insert))
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, v := range w.Values {
		e := v.Expr.String()
		if _, ok := v.Expr.(*expr.Const); !ok {
			e = strings.NewReplacer("0", "", "1", "", "2", "", "3", "", "4", "", "5", "", "6", "", "7", "", "8", "", "9", "").Replace(e)
		}
		got = append(got, v.Column.Name+"="+e)
	}
	want := "id=CAST(# AS bigint) name=NULL price=CAST(# AS decimal(,)) ts=NULL tags=NULL attrs=NULL pos=NULL"
	if strings.Join(got, " ") != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

// TestFileTables binds paths in both spellings.
func TestFileTables(t *testing.T) {
	for _, sql := range []string{
		`SELECT id, NAME FROM 's3://bucket/*.parquet'`,
		`SELECT f.id, f.name FROM lake.files."s3://bucket/*.parquet" AS f`,
	} {
		stmt := parse(t, sql).(*ast.Query)
		a := analyzer.New(context.Background(), analyzertest.New(), analyzertest.Session("lake"), &analyzer.Allocator{})
		q, err := a.Query(stmt)
		if err != nil {
			t.Errorf("%s: %v", sql, err)
			continue
		}
		var scan *analyzer.Scan
		walk(q, func(s *analyzer.Scan) { scan = s })
		if scan.Catalog != "lake" || scan.Table.Name != "s3://bucket/*.parquet" {
			t.Errorf("%s: scans %s of %s", sql, scan.Table.Name, scan.Catalog)
		}
	}
}

func TestNames(t *testing.T) {
	a := newAnalyzer(analyzertest.Session("tpch"))
	n, table, err := a.Table(ast.Name("Nation"), qerr.Pos{})
	if err != nil || n.String() != "tpch.tiny.nation" || len(table.Columns) != 4 {
		t.Errorf("got %s, %v, %v", n, table, err)
	}
	if _, _, err = a.Table(ast.Name("nosuch"), qerr.Pos{Line: 1, Column: 5}); err == nil || err.Error() != "line 1:5: Table 'tpch.tiny.nosuch' does not exist" {
		t.Errorf("got %v", err)
	}
	if n, err = a.TableName(ast.Name("s", "New Table"), qerr.Pos{}); err != nil || n.String() != `tpch.s."new table"` {
		t.Errorf("got %s, %v", n, err)
	}
}

func TestConstant(t *testing.T) {
	for sql, want := range map[string]string{
		"1 + 1":      "(1 + 1)",
		"x":          "line 1:1: Constant expression cannot contain column references",
		"(SELECT 1)": "line 1:1: Constant expression cannot contain a subquery",
	} {
		e, err := parser.ParseExpression(sql)
		if err != nil {
			t.Fatal(err)
		}
		v, err := newAnalyzer(analyzertest.Session("tpch")).Constant(e)
		got := ""
		if err != nil {
			got = err.Error()
		} else {
			got = v.String()
		}
		if got != want {
			t.Errorf("%s: got %s, want %s", sql, got, want)
		}
	}
}
