// Package analyzertest has a catalog of tables without data, for tests of the
// analyzer and of what plans its trees.
package analyzertest

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/tuttidb/tutti/connectors"
	"github.com/tuttidb/tutti/sql/analyzer"
	"github.com/tuttidb/tutti/sql/types"
)

// Catalog is an analyzer.Catalog over a fixed list of tables. It is safe for
// concurrent use.
type Catalog struct {
	tables map[string]map[string]map[string]*connectors.Table
	files  map[string]*connectors.Table
	// Lookups counts the calls of Table and TableAt by name.
	Lookups map[string]int
}

// tpch are the tables of TPC-H in the standard's naming.
const tpch = `
region: r_regionkey bigint, r_name varchar(25), r_comment varchar(152)
nation: n_nationkey bigint, n_name varchar(25), n_regionkey bigint, n_comment varchar(152)
supplier: s_suppkey bigint, s_name varchar(25), s_address varchar(40), s_nationkey bigint, s_phone varchar(15), s_acctbal decimal(15;2), s_comment varchar(101)
customer: c_custkey bigint, c_name varchar(25), c_address varchar(40), c_nationkey bigint, c_phone varchar(15), c_acctbal decimal(15;2), c_mktsegment varchar(10), c_comment varchar(117)
part: p_partkey bigint, p_name varchar(55), p_mfgr varchar(25), p_brand varchar(10), p_type varchar(25), p_size integer, p_container varchar(10), p_retailprice decimal(15;2), p_comment varchar(23)
partsupp: ps_partkey bigint, ps_suppkey bigint, ps_availqty integer, ps_supplycost decimal(15;2), ps_comment varchar(199)
orders: o_orderkey bigint, o_custkey bigint, o_orderstatus varchar(1), o_totalprice decimal(15;2), o_orderdate date, o_orderpriority varchar(15), o_clerk varchar(15), o_shippriority integer, o_comment varchar(79)
lineitem: l_orderkey bigint, l_partkey bigint, l_suppkey bigint, l_linenumber integer, l_quantity decimal(15;2), l_extendedprice decimal(15;2), l_discount decimal(15;2), l_tax decimal(15;2), l_returnflag varchar(1), l_linestatus varchar(1), l_shipdate date, l_commitdate date, l_receiptdate date, l_shipinstruct varchar(25), l_shipmode varchar(10), l_comment varchar(44)
`

// others are further tables, in memory.default.
const others = `
q: a integer
wide: id bigint, name varchar(10), price decimal(10;2), ts timestamp(3), tags array(varchar), attrs map(varchar;bigint), pos row(x integer;y integer), hidden$ varchar
`

// New returns a catalog with tpch.tiny (Trino's column names and doubles),
// tpchstd.tiny (the standard's names and decimals), memory.default and the files
// s3://bucket/*.parquet of catalog lake.
func New() *Catalog {
	c := &Catalog{
		tables:  map[string]map[string]map[string]*connectors.Table{},
		files:   map[string]*connectors.Table{},
		Lookups: map[string]int{},
	}
	c.addAll("tpch", "tiny", tpch, true)
	c.addAll("tpchstd", "tiny", tpch, false)
	c.addAll("memory", "default", others, false)
	c.addAll("lake", "web", "hits: id bigint, url varchar", false)
	c.files["s3://bucket/*.parquet"] = &connectors.Table{
		Schema: "files", Name: "s3://bucket/*.parquet",
		Columns: []connectors.Column{{Name: "id", Type: types.Of(types.BigInt)}, {Name: "Name", Type: types.VarcharType()}},
	}
	return c
}

func (c *Catalog) addAll(catalog, schema, list string, trinoNames bool) {
	if c.tables[catalog] == nil {
		c.tables[catalog] = map[string]map[string]*connectors.Table{}
	}
	tables := map[string]*connectors.Table{}
	c.tables[catalog][schema] = tables
	for _, line := range strings.Split(strings.TrimSpace(list), "\n") {
		name, cols, _ := strings.Cut(line, ": ")
		t := &connectors.Table{Schema: schema, Name: name}
		for _, col := range strings.Split(cols, ", ") {
			t.Columns = append(t.Columns, column(col, trinoNames))
		}
		tables[name] = t
	}
}

// column reads "name type"; trinoNames drops the prefix and makes decimals
// doubles.
func column(s string, trinoNames bool) connectors.Column {
	name, typ, _ := strings.Cut(s, " ")
	c := connectors.Column{Name: name, Type: parseType(typ)}
	if strings.HasSuffix(name, "$") {
		c.Name, c.Hidden = "$"+strings.TrimSuffix(name, "$"), true
	}
	if trinoNames {
		_, c.Name, _ = strings.Cut(name, "_")
		if c.Type.Kind == types.Decimal {
			c.Type = types.Of(types.Double)
		}
	}
	return c
}

// parseType reads the types of the lists above.
func parseType(s string) types.Type {
	name, rest, _ := strings.Cut(s, "(")
	args := strings.Split(strings.TrimSuffix(rest, ")"), ";")
	var n [2]int32
	for i := range min(len(args), 2) {
		_, _ = fmt.Sscan(args[i], &n[i]) // what is no number is a type
	}
	switch name {
	case "bigint":
		return types.Of(types.BigInt)
	case "integer":
		return types.Of(types.Integer)
	case "date":
		return types.Of(types.Date)
	case "decimal":
		return types.DecimalOf(n[0], n[1])
	case "timestamp":
		return types.TimestampOf(n[0])
	case "array":
		return types.ArrayOf(parseType(args[0]))
	case "map":
		return types.MapOf(parseType(args[0]), parseType(args[1]))
	case "row":
		return types.RowOf([]types.Type{types.Of(types.Integer), types.Of(types.Integer)}, []string{"x", "y"})
	}
	if rest == "" {
		return types.VarcharType()
	}
	return types.VarcharOf(n[0])
}

// CatalogExists reports whether there is such a catalog.
func (c *Catalog) CatalogExists(_ context.Context, catalog string) (bool, error) {
	return c.tables[catalog] != nil, nil
}

// SchemaExists reports whether there is such a schema.
func (c *Catalog) SchemaExists(_ context.Context, catalog, schema string) (bool, error) {
	return c.tables[catalog][schema] != nil, nil
}

// Table describes a table.
func (c *Catalog) Table(_ context.Context, catalog, schema, table string) (*connectors.Table, error) {
	c.Lookups[catalog+"."+schema+"."+table]++
	return c.tables[catalog][schema][table], nil
}

// TableAt describes the files of catalog lake.
func (c *Catalog) TableAt(_ context.Context, catalog, path string) (string, *connectors.Table, error) {
	c.Lookups[path]++
	if catalog != "" && catalog != "lake" {
		return catalog, nil, nil
	}
	return "lake", c.files[path], nil
}

// Names lists catalogs, schemas or tables.
func (c *Catalog) Names(_ context.Context, catalog, schema string) []string {
	switch {
	case catalog == "":
		return keys(c.tables)
	case schema == "":
		return keys(c.tables[catalog])
	}
	return keys(c.tables[catalog][schema])
}

func keys[V any](m map[string]V) []string {
	var out []string
	for k := range m {
		out = append(out, k)
	}
	slices.Sort(out)
	return out
}

// Session returns a session in a catalog's schema tiny, started at a fixed
// time: 2024-05-06 07:08:09.123456789 UTC.
func Session(catalog string) *analyzer.Session {
	return &analyzer.Session{
		Catalog: catalog, Schema: "tiny", User: "alice", TimeZone: "UTC", Version: "476",
		Start: time.Date(2024, 5, 6, 7, 8, 9, 123456789, time.UTC),
	}
}
