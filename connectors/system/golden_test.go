package system

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/tuttidb/tutti/connectors"
	"github.com/tuttidb/tutti/sql/expr"
	"github.com/tuttidb/tutti/sql/types"
)

// The files in testdata are what Trino shows (see record.py there).

// shapes is a catalog with one table with a column of each type, as record.py
// makes it.
type shapes struct{ fake }

func (*shapes) Schemas(context.Context) ([]string, error)        { return []string{"default"}, nil }
func (*shapes) Tables(context.Context, string) ([]string, error) { return []string{"shapes"}, nil }

func (*shapes) Table(_ context.Context, schema, name string) (*connectors.Table, error) {
	if schema != "default" || name != "shapes" {
		return nil, nil
	}
	timeTZ := types.Type{Kind: types.TimeTZ, P: 3}
	bigint := types.Of(types.BigInt)
	t := &connectors.Table{Schema: schema, Name: name, Comment: "a table"}
	for _, c := range []struct {
		name string
		typ  types.Type
	}{
		{"a_boolean", types.Of(types.Boolean)}, {"a_tinyint", types.Of(types.TinyInt)}, {"a_smallint", types.Of(types.SmallInt)},
		{"an_integer", types.Of(types.Integer)}, {"a_bigint", bigint}, {"a_real", types.Of(types.Real)}, {"a_double", types.Of(types.Double)},
		{"a_decimal", types.DecimalOf(5, 2)}, {"a_long_decimal", types.DecimalOf(38, 10)}, {"a_char", types.CharOf(7)},
		{"a_varchar", types.VarcharType()}, {"a_short_varchar", types.VarcharOf(12)}, {"a_varbinary", types.Of(types.Varbinary)},
		{"a_date", types.Of(types.Date)}, {"a_time_0", types.TimeOf(0)}, {"a_time_3", types.TimeOf(3)}, {"a_time_9", types.TimeOf(9)},
		{"a_time_tz", timeTZ}, {"a_timestamp_0", types.TimestampOf(0)}, {"a_timestamp_3", types.TimestampOf(3)},
		{"a_timestamp_6", types.TimestampOf(6)}, {"a_timestamp_9", types.TimestampOf(9)},
		{"a_timestamp_tz", types.TimestampTZOf(3)}, {"a_timestamp_tz_6", types.TimestampTZOf(6)},
		{"an_array", types.ArrayOf(bigint)}, {"a_map", types.MapOf(types.VarcharType(), bigint)},
		{"a_row", types.RowOf([]types.Type{bigint, types.VarcharType()}, []string{"a", "b"})},
		{"a_json", types.Of(types.JSON)}, {"a_uuid", types.Of(types.UUID)},
		{"an_interval", types.Of(types.IntervalDay)}, {"a_month_interval", types.Of(types.IntervalYear)},
	} {
		t.Columns = append(t.Columns, connectors.Column{Name: c.name, Type: c.typ})
	}
	t.Columns = append(t.Columns, connectors.Column{Name: "a_comment", Type: bigint, Comment: "said of it"})
	return t, nil
}

// reference is a world with the catalogs of the recording.
func reference(t *testing.T) *world {
	t.Helper()
	w := newWorld(t)
	w.catalogs.conns = map[string]connectors.Connector{"memory": InformationSchema("memory", &shapes{})}
	w.catalogs.conns["system"] = InformationSchema("system", New(w.catalogs, fakeCluster{}))
	return w
}

// TestColumnsAreTrinos compares names, types and order of the columns of all
// tables.
func TestColumnsAreTrinos(t *testing.T) {
	conn := reference(t).catalogs.conns["system"]
	var got strings.Builder
	schemas, err := conn.Schemas(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, schema := range schemas {
		tables, err := conn.Tables(t.Context(), schema)
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range tables {
			info, err := conn.Table(t.Context(), schema, name)
			if err != nil || info == nil {
				t.Fatal(schema, name, info, err)
			}
			fmt.Fprintf(&got, "%s.%s\n", schema, name)
			for _, c := range info.Columns {
				fmt.Fprintf(&got, "  %s %s", c.Name, c.Type)
				if c.Hidden {
					got.WriteString(" hidden")
				}
				got.WriteByte('\n')
			}
		}
	}
	want, err := os.ReadFile("testdata/columns.golden")
	if err != nil {
		t.Fatal(err)
	}
	differ(t, strings.Split(string(want), "\n"), strings.Split(got.String(), "\n"))
}

// section is a part of rows.golden: what was asked, and the rows.
type section struct {
	title, catalog, schema, table string
	where                         map[string]string
	rows                          []string
}

func sections(t *testing.T) (out []section) {
	t.Helper()
	f, err := os.Open("testdata/rows.golden")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for lines := bufio.NewScanner(f); lines.Scan(); {
		if title, ok := strings.CutPrefix(lines.Text(), "> "); ok {
			words := strings.Fields(title)
			s := section{title: title, catalog: words[0], where: map[string]string{}}
			s.schema, s.table, _ = strings.Cut(words[1], ".")
			for _, test := range words[2:] {
				k, v, _ := strings.Cut(test, "=")
				s.where[k] = v
			}
			out = append(out, s)
			continue
		}
		last := &out[len(out)-1]
		last.rows = append(last.rows, lines.Text())
	}
	return out
}

// foreign are types of jdbc.types that the engine does not have, or that no
// column can have.
var foreign = []string{
	"CodePoints", "HyperLogLog", "JoniRegExp", "JsonPath", "JsonPath2016", "LikePattern", "P4HyperLogLog", "Re2JRegExp", "SetDigest",
	"color", "function", "ipaddress", "json2016", "qdigest", "tdigest",
}

// TestRowsAreTrinos compares the rows of tables that say what there is.
func TestRowsAreTrinos(t *testing.T) {
	all := sections(t)
	if len(all) < 20 {
		t.Fatalf("%d sections", len(all))
	}
	for _, s := range all {
		t.Run(s.title, func(t *testing.T) {
			w := reference(t)
			rows, err := w.read(t, s.catalog, s.schema, s.table, func(col func(string) expr.Expr) expr.Expr {
				var tests []expr.Expr
				for k, v := range s.where {
					tests = append(tests, eq(col(k), v))
				}
				return and(append(tests, &expr.Const{Value: true, Typ: types.Of(types.Boolean)})...)
			})
			if err != nil {
				t.Fatal(err)
			}
			for i := range rows {
				rows[i] = strings.ReplaceAll(rows[i], "<nil>", "NULL")
			}
			slices.Sort(rows)
			want := slices.DeleteFunc(s.rows, func(row string) bool {
				name, _, _ := strings.Cut(row, "|")
				return s.table == "types" && slices.Contains(foreign, name)
			})
			if s.table == "catalogs" { // the fake has its own names of connectors
				for i := range rows {
					rows[i] = strings.Replace(rows[i], "kind of ", "", 1)
				}
			}
			differ(t, want, rows)
		})
	}
}

// differ reports the lines by which two texts differ.
func differ(t *testing.T, want, got []string) {
	t.Helper()
	for _, line := range want {
		if !slices.Contains(got, line) {
			t.Errorf("missing:  %s", line)
		}
	}
	for _, line := range got {
		if !slices.Contains(want, line) {
			t.Errorf("too many: %s", line)
		}
	}
	for i := range min(len(want), len(got)) {
		if want[i] != got[i] {
			t.Errorf("line %d: got %s, want %s", i+1, got[i], want[i])
			return
		}
	}
}
