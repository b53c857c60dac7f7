package coordinator

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/tuttidb/tutti/connectors/memory"
	"github.com/tuttidb/tutti/connectors/tpch"
	"github.com/tuttidb/tutti/connectors/tpch/dbgen"
	"github.com/tuttidb/tutti/exec/mem"
	"github.com/tuttidb/tutti/exec/vector"
	"github.com/tuttidb/tutti/internal/qerr"
	"github.com/tuttidb/tutti/sql/types"
)

// addTPCH gives a coordinator the catalog tpch.
func addTPCH(t *testing.T, c *Coordinator) {
	t.Helper()
	conn, err := tpch.New(tpch.Config{}, dbgen.NewText())
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Catalogs().Add("tpch", "tpch", conn); err != nil {
		t.Fatal(err)
	}
}

// newStatements returns a coordinator with the catalogs tpch and memory for
// statements that it answers by itself.
func newStatements(t *testing.T) *Coordinator {
	t.Helper()
	c, _ := newTest(t, &fakeExecutor{}, Limits{})
	addTPCH(t, c)
	tables := memory.New(mem.NewRoot("memory", 0, mem.NewPool()))
	if err := c.Catalogs().Add("memory", "memory", tables); err != nil {
		t.Fatal(err)
	}
	return c
}

// session is Trino's default in these tests: user ann in tpch.tiny.
func session() Session { return Session{User: "ann", Catalog: "tpch", Schema: "tiny"} }

// result runs a statement and returns its columns as "name type, …" and its
// rows as text.
func result(t *testing.T, c *Coordinator, sql string, s Session) (columns string, rows []string, err error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	q := c.Submit(Request{SQL: sql, Session: s})
	cols, err := q.Columns(ctx)
	if err != nil {
		return "", nil, err
	}
	names := make([]string, len(cols))
	for i, col := range cols {
		names[i] = col.Name + " " + col.Type.String()
	}
	for {
		b, err := q.Next(ctx)
		if err != nil || b == nil {
			return strings.Join(names, ", "), rows, err
		}
		for i := range b.Rows() {
			at := i
			if b.Sel != nil {
				at = int(b.Sel[i])
			}
			cells := make([]string, len(b.Cols))
			for j, v := range b.Cols {
				cells[j] = cellText(v, at, cols[j].Type)
			}
			rows = append(rows, strings.Join(cells, "|"))
		}
	}
}

func cellText(v *vector.Vector, i int, t types.Type) string {
	if v.IsNull(i) {
		return "NULL"
	}
	switch t.Kind {
	case types.BigInt:
		return fmt.Sprint(vector.Values[int64](v)[i])
	case types.Double:
		return fmt.Sprint(vector.Values[float64](v)[i])
	case types.Boolean:
		return fmt.Sprint(vector.Values[uint8](v)[i] != 0)
	}
	return string(v.Bytes(i))
}

// TestStatements: each statement that the coordinator answers by itself, with
// the names and types of columns that Trino 476 gives them.
func TestStatements(t *testing.T) {
	c := newStatements(t)
	const create = "CREATE TABLE tpch.tiny.region (\n   regionkey bigint NOT NULL,\n   name varchar(25) NOT NULL,\n   comment varchar(152) NOT NULL\n)"
	for _, s := range []struct {
		sql, columns string
		rows         []string // what must be there, in order, perhaps among others
	}{
		{"SHOW CATALOGS", "Catalog varchar(6)", []string{"memory", "tpch"}},
		{"SHOW CATALOGS LIKE 't%'", "Catalog varchar(6)", []string{"tpch"}},
		{"SHOW SCHEMAS", "Schema varchar", []string{"sf1", "tiny"}},
		{"SHOW SCHEMAS FROM memory", "Schema varchar", []string{"default"}},
		{"SHOW SCHEMAS LIKE 't__y'", "Schema varchar", []string{"tiny"}},
		{"SHOW TABLES", "Table varchar", []string{"customer", "lineitem", "supplier"}},
		{"SHOW TABLES FROM tpch.sf1 LIKE '%part%'", "Table varchar", []string{"part", "partsupp"}},
		{"SHOW TABLES LIKE 'x_%' ESCAPE 'x'", "Table varchar", nil},
		{"SHOW COLUMNS FROM nation", "Column varchar, Type varchar, Extra varchar, Comment varchar", []string{"nationkey|bigint||", "name|varchar(25)||", "regionkey|bigint||", "comment|varchar(152)||"}},
		{"DESCRIBE tpch.tiny.region", "Column varchar, Type varchar, Extra varchar, Comment varchar", []string{"regionkey|bigint||"}},
		{"SHOW COLUMNS FROM nation LIKE 'n%'", "Column varchar, Type varchar, Extra varchar, Comment varchar", []string{"nationkey|bigint||", "name|varchar(25)||"}},
		{"SHOW CREATE TABLE region", "Create Table varchar(126)", []string{create}},
		{"SHOW CREATE SCHEMA tpch.tiny", "Create Schema varchar(23)", []string{"CREATE SCHEMA tpch.tiny"}},
		{"SHOW ROLES", "Role varchar", nil},
		{"SHOW CURRENT ROLES", "Role varchar", nil},
		{"SHOW ROLE GRANTS", "Role Grants varchar", nil},
		{"SHOW GRANTS", "Grantor varchar, Grantor Type varchar, Grantee varchar, Grantee Type varchar, Catalog varchar, Schema varchar, Table varchar, Privilege varchar, Grantable varchar, With Hierarchy varchar", nil},
		{"SHOW GRANTS ON TABLE nation", "Grantor varchar, Grantor Type varchar, Grantee varchar, Grantee Type varchar, Catalog varchar, Schema varchar, Table varchar, Privilege varchar, Grantable varchar, With Hierarchy varchar", nil},
		{"SHOW STATS FOR region", statsColumns, []string{"regionkey|NULL|5|0|NULL|0|4", "name|34|5|0|NULL|NULL|NULL", "NULL|NULL|NULL|NULL|5|NULL|NULL"}},
		{"SHOW STATS FOR orders", statsColumns, []string{"orderkey|NULL|15000|0|NULL|1|60000", "totalprice|NULL|NULL|0|NULL|810.9|718578.0", "orderdate|NULL|2401|0|NULL|1992-01-01|1998-08-02"}},
		{"SHOW STATS FOR (SELECT * FROM nation WHERE nationkey > 10)", statsColumns, []string{"nationkey|NULL|14.583333333333334|0|NULL|10|24", "NULL|NULL|NULL|NULL|14.583333333333334|NULL|NULL"}},
		{"SHOW STATS FOR (SELECT name, 1 AS one FROM nation)", statsColumns, []string{"name|177|25|0|NULL|NULL|NULL", "NULL|NULL|NULL|NULL|25|NULL|NULL"}},
		{"DESCRIBE INPUT p", "Position bigint, Type varchar", []string{"0|bigint"}},
		{"DESCRIBE OUTPUT p", "Column Name varchar, Catalog varchar, Schema varchar, Table varchar, Type varchar, Type Size bigint, Aliased boolean",
			[]string{"name|tpch|tiny|nation|varchar(25)|0|false", "k|tpch|tiny|nation|bigint|8|true"}},
		{"EXPLAIN (TYPE VALIDATE) SELECT 1", "Valid boolean", []string{"true"}},
		{"EXPLAIN (TYPE VALIDATE) SHOW TABLES", "Valid boolean", []string{"true"}},
		{"EXPLAIN CREATE TABLE memory.default.x (a bigint)", "Query Plan varchar(29)", []string{"CREATE TABLE memory.default.x"}},
		{"EXPLAIN SHOW TABLES", "Query Plan varchar(11)", []string{"SHOW TABLES"}},
		{"CREATE TABLE memory.default.made (a bigint NOT NULL, b varchar(3) COMMENT 'it''s b')", "", nil},
		{"SHOW CREATE TABLE memory.default.made", "Create Table varchar(92)", []string{"CREATE TABLE memory.default.made (\n   a bigint NOT NULL,\n   b varchar(3) COMMENT 'it''s b'\n)"}},
		{"CREATE TABLE IF NOT EXISTS memory.default.made (c date)", "", nil},
		{"DROP TABLE memory.default.made", "", nil},
		{"DROP TABLE IF EXISTS memory.default.made", "", nil},
		{"DROP TABLE IF EXISTS memory.nosuch.made", "", nil},
		{"DROP TABLE IF EXISTS nosuch.nosuch.made", "", nil},
		{"CREATE SCHEMA IF NOT EXISTS memory.default", "", nil},
		{"CREATE SCHEMA memory.extra", "", nil},
		{"SHOW SCHEMAS FROM memory LIKE 'extra'", "Schema varchar", []string{"extra"}},
		{"DROP SCHEMA memory.extra", "", nil},
		{"DROP SCHEMA IF EXISTS memory.extra", "", nil},
	} {
		with := session()
		with.Prepared = map[string]string{"p": "SELECT name, nationkey AS k FROM nation WHERE nationkey = ?"}
		columns, rows, err := result(t, c, s.sql, with)
		if err != nil || columns != s.columns {
			t.Errorf("%s: columns %s, %v; want %s", s.sql, columns, err, s.columns)
			continue
		}
		if missing := notAmong(s.rows, rows); missing != "" {
			t.Errorf("%s: no row %q (in order) among %q", s.sql, missing, rows)
		}
	}
}

const statsColumns = "column_name varchar, data_size double, distinct_values_count double, nulls_fraction double, row_count double, low_value varchar, high_value varchar"

// notAmong returns the first of want that is not in got after the ones before.
func notAmong(want, got []string) string {
	for _, w := range want {
		i := 0
		for i < len(got) && got[i] != w {
			i++
		}
		if i == len(got) {
			return w
		}
		got = got[i+1:]
	}
	return ""
}

// TestListsAreAsWideAsTheirLongest: what Trino builds of literals has columns
// of the longest one's length, whatever LIKE leaves.
func TestListsAreAsWideAsTheirLongest(t *testing.T) {
	c := newStatements(t)
	all, rows, err := result(t, c, "SHOW SESSION", session())
	some, one, err2 := result(t, c, "SHOW SESSION LIKE 'retry_policy'", session())
	if err != nil || err2 != nil || all != some || len(rows) != len(SessionProperties()) || len(one) != 1 {
		t.Errorf("SHOW SESSION: %s with %d rows, %s with %d rows; %v, %v", all, len(rows), some, len(one), err, err2)
	}
	if !strings.HasPrefix(all, "Name varchar(") || strings.Contains(all, "varchar,") {
		t.Errorf("SHOW SESSION has columns %s", all)
	}
	changed := session()
	changed.Properties = map[string]string{"retry_policy": "NONE"}
	if _, rows, err := result(t, c, "SHOW SESSION LIKE 'retry_policy'", changed); err != nil || !strings.HasPrefix(rows[0], "retry_policy|NONE|TASK|varchar|") {
		t.Errorf("a property that is set shows as %q, %v", rows, err)
	}
	columns, rows, err := result(t, c, "SHOW FUNCTIONS LIKE 'abs'", session())
	if err != nil || len(rows) == 0 || !strings.HasPrefix(rows[0], "abs|") || !strings.Contains(columns, "Deterministic boolean, Description varchar(") {
		t.Errorf("SHOW FUNCTIONS: %s, %q, %v", columns, rows, err)
	}
}

// TestNearMisses: what does not exist is told in Trino's words, with its
// place in the text, and with what may have been meant.
func TestNearMisses(t *testing.T) {
	c := newStatements(t)
	for _, s := range []struct {
		sql  string
		code qerr.Code
		want string
	}{
		{"USE tpc.tiny", qerr.CatalogNotFound, "Catalog 'tpc' not found; did you mean 'tpch'?"},
		{"USE tpch.tinny", qerr.NotFound, "Schema does not exist: tpch.tinny; did you mean 'tiny'?"},
		{"SHOW SCHEMAS FROM tcph", qerr.CatalogNotFound, "Catalog 'tcph' not found; did you mean 'tpch'?"},
		{"SHOW TABLES FROM tpch.tinny", qerr.SchemaNotFound, "line 1:1: Schema 'tinny' does not exist; did you mean 'tiny'?"},
		{"SHOW TABLES FROM a.b.c", qerr.SyntaxError, "line 1:1: Too many parts in schema name: a.b.c"},
		{"SHOW COLUMNS FROM natoin", qerr.TableNotFound, "line 1:1: Table 'tpch.tiny.natoin' does not exist; did you mean 'nation'?"},
		{"SHOW CREATE TABLE natoin", qerr.TableNotFound, "line 1:1: Table 'tpch.tiny.natoin' does not exist; did you mean 'nation'?"},
		{"SHOW CREATE SCHEMA tpch.tinny", qerr.SchemaNotFound, "line 1:1: Schema 'tpch.tinny' does not exist; did you mean 'tiny'?"},
		{"SHOW STATS FOR natoin", qerr.TableNotFound, "did you mean 'nation'?"},
		{"DROP TABLE natoin", qerr.TableNotFound, "did you mean 'nation'?"},
		{"CREATE TABLE memry.default.x (a bigint)", qerr.CatalogNotFound, "line 1:1: Catalog 'memry' not found; did you mean 'memory'?"},
		{"CREATE SCHEMA memry.x", qerr.CatalogNotFound, "line 1:1: Catalog 'memry' not found; did you mean 'memory'?"},
		{"CREATE SCHEMA memory.default", qerr.SchemaAlreadyExists, "line 1:1: Schema 'memory.default' already exists"},
		{"DROP SCHEMA memory.nosuch", qerr.SchemaNotFound, "line 1:1: Schema 'memory.nosuch' does not exist"},
		{"SELECT * FROM tpch.tiny.\nnatoin", qerr.TableNotFound, "line 1:15: Table 'tpch.tiny.natoin' does not exist; did you mean 'nation'?"},
		{"SELECT 1 FROM\n  tcph.tiny.nation", qerr.CatalogNotFound, "line 2:3: Catalog 'tcph' not found; did you mean 'tpch'?"},
		{"SELECT nmae FROM nation", qerr.ColumnNotFound, "line 1:8: Column 'nmae' cannot be resolved; did you mean 'name'?"},
		{"SELECT n.nmae FROM nation n", qerr.ColumnNotFound, "line 1:8: Column 'n.nmae' cannot be resolved; did you mean 'n.name'?"},
		{"SELECT 1,\n  lenght('x')", qerr.FunctionNotFound, "line 2:3: Function 'lenght' not registered; did you mean 'length'?"},
		{"SET SESSION retry_polcy = 'NONE'", qerr.InvalidSessionProperty, "Session property 'retry_polcy' does not exist; did you mean 'retry_policy'?"},
		{"RESET SESSION retry_polcy", qerr.InvalidSessionProperty, "line 1:1: Session property 'retry_polcy' does not exist; did you mean 'retry_policy'?"},
		{"SET SESSION tpch.x = 1", qerr.InvalidSessionProperty, "Session property 'tpch.x' does not exist"},
		{"SET SESSION batch_rows = 0", qerr.InvalidSessionProperty, "Invalid value for session property 'batch_rows': \"0\" is not a number from 1 to 16384"},
		{"SHOW CREATE VIEW nation", qerr.NotSupportedCode, "not supported: SHOW CREATE VIEW"},
		{"CALL system.runtime.kill_qery(query_id => 'x')", qerr.NotFound, "line 1:1: Procedure not registered: system.runtime.kill_qery"},
	} {
		_, _, err := result(t, c, s.sql, session())
		if e := qerr.From(err); e == nil || e.Code != s.code || !strings.Contains(err.Error(), s.want) {
			t.Errorf("%s: %v, want %s with %q", s.sql, err, s.code.Name, s.want)
		}
	}
}

// TestNamesNeedASession: names that the session does not complete.
func TestNamesNeedASession(t *testing.T) {
	c := newStatements(t)
	for sql, code := range map[string]qerr.Code{
		"SHOW SCHEMAS": qerr.MissingCatalogName, "USE tiny": qerr.MissingCatalogName, "SHOW TABLES": qerr.MissingCatalogName,
		"CREATE SCHEMA x": qerr.MissingCatalogName, "SHOW CREATE SCHEMA tiny": qerr.MissingCatalogName, "DROP TABLE x": qerr.MissingSchemaName,
	} {
		if _, _, err := result(t, c, sql, Session{User: "ann"}); !qerr.Is(err, code) {
			t.Errorf("%s: %v, want %s", sql, err, code.Name)
		}
	}
}
