package tpch

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/tuttidb/tutti/connectors"
	"github.com/tuttidb/tutti/connectors/conntest"
	"github.com/tuttidb/tutti/connectors/tpch/dbgen"
	"github.com/tuttidb/tutti/exec/kernel"
	"github.com/tuttidb/tutti/exec/mem"
	"github.com/tuttidb/tutti/exec/vector"
)

// text is shared: it takes a while to make.
var text = dbgen.NewText()

func newConnector(t *testing.T, cfg Config) *Connector {
	t.Helper()
	c, err := New(cfg, text)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestConformance(t *testing.T) {
	for _, tc := range []struct {
		cfg    Config
		tables []string
	}{
		{Config{}, []string{"region", "nation", "supplier", "customer"}},
		{Config{ColumnNaming: "standard", DoubleTypeMapping: "decimal"}, []string{"region", "part"}},
	} {
		t.Run(fmt.Sprintf("%+v", tc.cfg), func(t *testing.T) {
			cfg := conntest.Config{New: func(t *testing.T) connectors.Connector { return newConnector(t, tc.cfg) }}
			for _, name := range tc.tables {
				cfg.Tables = append(cfg.Tables, conntest.Table{Schema: "tiny", Name: name})
			}
			conntest.Run(t, cfg)
		})
	}
}

// describe returns a table's columns as "name type".
func describe(t *testing.T, c *Connector, schema, table string) string {
	t.Helper()
	tab, err := c.Table(t.Context(), schema, table)
	if err != nil || tab == nil {
		t.Fatalf("%s.%s: %v, %v", schema, table, tab, err)
	}
	var out []string
	for _, col := range tab.Columns {
		out = append(out, col.Name+" "+col.Type.String())
	}
	return strings.Join(out, ", ")
}

// TestSettings: the columns are those of Trino's connector unless the
// standard's are asked for.
func TestSettings(t *testing.T) {
	tests := []struct {
		cfg   Config
		table string
		want  string
	}{
		{Config{}, "nation", "nationkey bigint, name varchar(25), regionkey bigint, comment varchar(152)"},
		{Config{ColumnNaming: "SIMPLIFIED", DoubleTypeMapping: "Double"}, "nation", "nationkey bigint, name varchar(25), regionkey bigint, comment varchar(152)"},
		{Config{ColumnNaming: "standard"}, "region", "r_regionkey bigint, r_name varchar(25), r_comment varchar(152)"},
		{Config{}, "lineitem", "orderkey bigint, partkey bigint, suppkey bigint, linenumber integer, quantity double, extendedprice double, discount double, tax double, " +
			"returnflag varchar(1), linestatus varchar(1), shipdate date, commitdate date, receiptdate date, shipinstruct varchar(25), shipmode varchar(10), comment varchar(44)"},
		{Config{ColumnNaming: "standard", DoubleTypeMapping: "decimal"}, "partsupp",
			"ps_partkey bigint, ps_suppkey bigint, ps_availqty integer, ps_supplycost decimal(12,2), ps_comment varchar(199)"},
		{Config{DoubleTypeMapping: "decimal"}, "supplier",
			"suppkey bigint, name varchar(25), address varchar(40), nationkey bigint, phone varchar(15), acctbal decimal(12,2), comment varchar(101)"},
		{Config{}, "orders", "orderkey bigint, custkey bigint, orderstatus varchar(1), totalprice double, orderdate date, orderpriority varchar(15), clerk varchar(15), shippriority integer, comment varchar(79)"},
		{Config{}, "customer", "custkey bigint, name varchar(25), address varchar(40), nationkey bigint, phone varchar(15), acctbal double, mktsegment varchar(10), comment varchar(117)"},
		{Config{}, "part", "partkey bigint, name varchar(55), mfgr varchar(25), brand varchar(10), type varchar(25), size integer, container varchar(10), retailprice double, comment varchar(23)"},
	}
	for _, tc := range tests {
		if got := describe(t, newConnector(t, tc.cfg), "sf1", tc.table); got != tc.want {
			t.Errorf("%+v: %s is\n%s\nwant\n%s", tc.cfg, tc.table, got, tc.want)
		}
	}
	for want, cfg := range map[string]Config{
		`column-naming: "x" is neither simplified nor standard`:     {ColumnNaming: "x"},
		`double-type-mapping: "real" is neither double nor decimal`: {DoubleTypeMapping: "real"},
	} {
		if _, err := New(cfg, text); err == nil || err.Error() != want {
			t.Errorf("error %v, want %s", err, want)
		}
	}
}

// TestSchemaNames: every scale factor that the generator can make is a schema.
func TestSchemaNames(t *testing.T) {
	c := newConnector(t, Config{})
	for schema, rows := range map[string]float64{
		"tiny": 15_000, "sf1": 1_500_000, "sf10": 15_000_000, "sf100": 150_000_000, "sf0.5": 750_000, "sf3": 4_500_000,
		"sf": 0, "sf0": 0, "sf-1": 0, "sfx": 0, "1": 0, "sfNaN": 0, "sfInf": 0, "sf1e300": 0, "": 0, "sf1 ": 0, "SF1": 0, "Tiny": 0,
	} {
		tab, err := c.Table(t.Context(), schema, "orders")
		if rows == 0 {
			if tab != nil || err != nil {
				t.Errorf("%q: %v, %v; there is no such schema", schema, tab, err)
			}
			continue
		}
		if err != nil || tab == nil || tab.Schema != schema || tab.Name != "orders" {
			t.Errorf("%q: %v, %v", schema, tab, err)
			continue
		}
		st, err := c.Stats(t.Context(), &connectors.Scan{Handle: tab.Handle})
		if err != nil || st.Rows != rows {
			t.Errorf("%q: %+v, %v; want %v rows", schema, st, err, rows)
		}
	}
	listed, err := c.Schemas(t.Context())
	if err != nil || !slices.IsSorted(listed) || !slices.Contains(listed, "tiny") || !slices.Contains(listed, "sf1000") {
		t.Errorf("schemas %v, %v", listed, err)
	}
	for _, s := range listed {
		tables, err := c.Tables(t.Context(), s)
		if err != nil || len(tables) != 8 || !slices.IsSorted(tables) {
			t.Errorf("%s: tables %v, %v", s, tables, err)
		}
	}
}

// TestSplits: the splits of a table cover it without gap or overlap, each with
// about as many rows as it says.
func TestSplits(t *testing.T) {
	c := newConnector(t, Config{})
	for _, tc := range []struct {
		schema, table string
		splits        int
		rows          int64
	}{
		{"tiny", "region", 1, 5}, {"tiny", "lineitem", 1, 60_175}, {"sf1", "nation", 1, 25}, {"sf1", "orders", 2, 1_500_000},
		{"sf1", "lineitem", 11, 6_001_215}, {"sf100", "supplier", 1, 1_000_000}, {"sf100", "orders", 144, 150_000_000},
	} {
		tab, err := c.Table(t.Context(), tc.schema, tc.table)
		if err != nil {
			t.Fatal(err)
		}
		src, err := c.Splits(t.Context(), &connectors.Scan{Handle: tab.Handle})
		if err != nil {
			t.Fatal(err)
		}
		var all []connectors.Split
		for {
			part, err := src.Next(t.Context(), 5)
			if err != nil || len(part) > 5 {
				t.Fatal(len(part), err)
			}
			if len(part) == 0 {
				break
			}
			all = append(all, part...)
		}
		var rows int64
		for _, sp := range all {
			rows += sp.Rows
		}
		if len(all) != tc.splits || math.Abs(float64(rows-tc.rows)) > float64(tc.rows)/1000+float64(len(all)) {
			t.Errorf("%s.%s: %d splits of %d rows; want %d of %d", tc.schema, tc.table, len(all), rows, tc.splits, tc.rows)
		}
	}
}

// TestSplitRows reads the splits of a table in any order and compares with the
// whole: keys are dense, so a gap or an overlap would show.
func TestSplitRows(t *testing.T) {
	c := newConnector(t, Config{})
	tab, err := c.Table(t.Context(), "sf0.1", "partsupp")
	if err != nil {
		t.Fatal(err)
	}
	scan := &connectors.Scan{Handle: tab.Handle, Columns: []connectors.ScanColumn{{Ordinal: 0, Name: "partkey", Type: tab.Columns[0].Type}}}
	g, table, err := c.open(scan)
	if err != nil {
		t.Fatal(err)
	}
	account := mem.NewRoot("test", 0, mem.NewPool())
	seen := map[int64]int{}
	units := g.Units(table)
	for _, cut := range [][2]int64{{units / 3, units / 2}, {0, units / 3}, {units / 2, units}} {
		payload := fmt.Appendf(nil, `{"from": %d, "to": %d}`, cut[0], cut[1])
		src, err := c.Open(t.Context(), scan, connectors.Split{Payload: payload}, &connectors.Env{Account: account, BatchRows: vector.DefaultRows})
		if err != nil {
			t.Fatal(err)
		}
		for {
			b, err := src.Next(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			if b == nil {
				break
			}
			for i := range b.Rows() {
				seen[kernel.ValueAt(b.Cols[0], b.Row(i)).(int64)]++
			}
		}
		if err := src.Close(); err != nil {
			t.Fatal(err)
		}
	}
	if len(seen) != 20_000 || account.Used() != 0 {
		t.Errorf("%d parts, %d bytes left", len(seen), account.Used())
	}
	for part, n := range seen {
		if n != 4 || part < 1 || part > 20_000 {
			t.Fatalf("part %d has %d suppliers", part, n)
		}
	}
}

// TestDecimalsAndDoubles: both mappings hold the same numbers.
func TestDecimalsAndDoubles(t *testing.T) {
	values := map[string][]any{}
	for _, mapping := range []string{"double", "decimal"} {
		c := newConnector(t, Config{DoubleTypeMapping: mapping})
		tab, err := c.Table(t.Context(), "tiny", "customer")
		if err != nil {
			t.Fatal(err)
		}
		at := slices.IndexFunc(tab.Columns, func(c connectors.Column) bool { return c.Name == "acctbal" })
		scan := &connectors.Scan{Handle: tab.Handle, Columns: []connectors.ScanColumn{{Ordinal: at, Name: "acctbal", Type: tab.Columns[at].Type}}}
		src, err := c.Splits(t.Context(), scan)
		if err != nil {
			t.Fatal(err)
		}
		splits, err := src.Next(t.Context(), 10)
		if err != nil || len(splits) != 1 {
			t.Fatal(len(splits), err)
		}
		r, err := c.Open(t.Context(), scan, splits[0], &connectors.Env{Account: mem.NewRoot("test", 0, mem.NewPool()), BatchRows: 1000})
		if err != nil {
			t.Fatal(err)
		}
		for {
			b, err := r.Next(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			if b == nil {
				break
			}
			for i := range b.Rows() {
				values[mapping] = append(values[mapping], kernel.ValueAt(b.Cols[0], b.Row(i)))
			}
		}
		if err := r.Close(); err != nil {
			t.Fatal(err)
		}
	}
	if len(values["double"]) != 1500 || len(values["decimal"]) != 1500 {
		t.Fatalf("%d doubles, %d decimals", len(values["double"]), len(values["decimal"]))
	}
	for i, d := range values["double"] {
		if cents := values["decimal"][i].(int64); d.(float64) != float64(cents)/100 {
			t.Fatalf("customer %d has %v, or %d cents", i, d, cents)
		}
	}
}
