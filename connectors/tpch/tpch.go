// Package tpch is the connector of the TPC-H benchmark: tables that exist as
// a formula. Every schema is a scale factor (tiny is 0.01, sf1 is 1, any sfN
// works), and a scan generates the values that the official dbgen would have
// written. Names and types are those of Trino's tpch connector unless the
// catalog asks for the standard's.
package tpch

import (
	"context"
	"encoding/json"
	"fmt"
	"math"
	"strconv"
	"strings"
	"sync"

	"github.com/tuttidb/tutti/connectors"
	"github.com/tuttidb/tutti/connectors/tpch/dbgen"
	"github.com/tuttidb/tutti/internal/qerr"
	"github.com/tuttidb/tutti/sql/types"
)

// Config are the settings of a tpch catalog.
type Config struct {
	// ColumnNaming is "simplified" (orderkey, the default) or "standard"
	// (o_orderkey).
	ColumnNaming string `yaml:"column-naming"`
	// DoubleTypeMapping is "double" (the default) or "decimal": how the
	// standard's decimals appear.
	DoubleTypeMapping string `yaml:"double-type-mapping"`
}

// Check reports a setting that has no such value.
func (c Config) Check() error {
	switch strings.ToLower(c.ColumnNaming) {
	case "", "simplified", "standard":
	default:
		return fmt.Errorf("column-naming: %q is neither simplified nor standard", c.ColumnNaming)
	}
	switch strings.ToLower(c.DoubleTypeMapping) {
	case "", "double", "decimal":
	default:
		return fmt.Errorf("double-type-mapping: %q is neither double nor decimal", c.DoubleTypeMapping)
	}
	return nil
}

// rowsPerSplit is about a quarter of a second of generating.
const rowsPerSplit = 1 << 20

// schemas are those that are listed; any other sfN works too.
var schemas = []string{"sf1", "sf10", "sf100", "sf1000", "sf300", "sf3000", "tiny"}

// Connector generates TPC-H tables.
type Connector struct {
	standard bool
	decimals bool
	text     *dbgen.Text

	mu         sync.Mutex
	generators map[float64]*dbgen.Generator
}

// New returns a connector. text is shared by all catalogs of a process, which
// calls its Sweep now and then.
func New(cfg Config, text *dbgen.Text) (*Connector, error) {
	if err := cfg.Check(); err != nil {
		return nil, err
	}
	return &Connector{
		standard:   strings.EqualFold(cfg.ColumnNaming, "standard"),
		decimals:   strings.EqualFold(cfg.DoubleTypeMapping, "decimal"),
		text:       text,
		generators: map[float64]*dbgen.Generator{},
	}, nil
}

// Schemas lists the usual scale factors.
func (c *Connector) Schemas(context.Context) ([]string, error) { return schemas, nil }

// Tables lists the eight tables, sorted.
func (c *Connector) Tables(_ context.Context, schema string) ([]string, error) {
	if _, ok := scaleOf(schema); !ok {
		return nil, nil
	}
	return []string{"customer", "lineitem", "nation", "orders", "part", "partsupp", "region", "supplier"}, nil
}

// scaleOf returns the scale factor that a schema's name means.
func scaleOf(schema string) (float64, bool) {
	if schema == "tiny" {
		return 0.01, true
	}
	digits, ok := strings.CutPrefix(schema, "sf")
	if !ok {
		return 0, false
	}
	scale, err := strconv.ParseFloat(digits, 64)
	return scale, err == nil && scale >= dbgen.MinScale && scale <= dbgen.MaxScale
}

// handle is what a table's Handle says.
type handle struct {
	Scale float64 `json:"scale"`
	Table string  `json:"table"`
}

func (c *Connector) generator(scale float64) (*dbgen.Generator, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if g := c.generators[scale]; g != nil {
		return g, nil
	}
	g, err := dbgen.New(scale, c.text)
	if err != nil {
		return nil, qerr.Wrap(qerr.InvalidArguments, err, "tpch scale factor %g", scale)
	}
	c.generators[scale] = g
	return g, nil
}

// Table describes one of the eight tables at the schema's scale factor. Names
// are in lower case, as those of all catalogs: "ORDERS" is none.
func (c *Connector) Table(_ context.Context, schema, table string) (*connectors.Table, error) {
	scale, ok := scaleOf(schema)
	t, known := dbgen.ParseTable(table)
	if !ok || !known {
		return nil, nil
	}
	h, err := json.Marshal(handle{Scale: scale, Table: t.String()})
	if err != nil {
		return nil, err
	}
	out := &connectors.Table{Schema: schema, Name: t.String(), Handle: h}
	for _, col := range t.Columns() {
		out.Columns = append(out.Columns, connectors.Column{Name: c.columnName(col.Name), Type: c.columnType(col), NotNull: true})
	}
	return out, nil
}

// columnName drops the standard's prefix ("l_") unless it is wanted.
func (c *Connector) columnName(name string) string {
	if c.standard {
		return name
	}
	_, simple, _ := strings.Cut(name, "_")
	return simple
}

func (c *Connector) columnType(col dbgen.Column) types.Type {
	switch col.Kind {
	case dbgen.Identifier:
		return types.Of(types.BigInt)
	case dbgen.Integer:
		return types.Of(types.Integer)
	case dbgen.Date:
		return types.Of(types.Date)
	case dbgen.Decimal:
		if c.decimals {
			return types.DecimalOf(12, 2)
		}
		return types.Of(types.Double)
	}
	return types.VarcharOf(int32(col.Size))
}

// open reads a handle.
func (c *Connector) open(scan *connectors.Scan) (*dbgen.Generator, dbgen.Table, error) {
	var h handle
	if err := json.Unmarshal(scan.Handle, &h); err != nil {
		return nil, 0, fmt.Errorf("tpch table handle: %w", err)
	}
	t, ok := dbgen.ParseTable(h.Table)
	if !ok {
		return nil, 0, fmt.Errorf("tpch table handle names %q", h.Table)
	}
	g, err := c.generator(h.Scale)
	return g, t, err
}

// Stats knows the row count and the bounds and distinct counts of columns.
func (c *Connector) Stats(_ context.Context, scan *connectors.Scan) (*connectors.TableStats, error) {
	g, t, err := c.open(scan)
	if err != nil {
		return nil, err
	}
	rows, _ := g.Rows(t)
	stats := g.Stats(t)
	out := &connectors.TableStats{Rows: float64(rows), Columns: make([]connectors.ColumnStats, len(scan.Columns))}
	for i, col := range scan.Columns {
		out.Columns[i] = columnStats(t.Columns()[col.Ordinal], stats[col.Ordinal], col.Type)
	}
	return out, nil
}

func columnStats(col dbgen.Column, s dbgen.Stats, t types.Type) connectors.ColumnStats {
	unknown := math.NaN()
	out := connectors.ColumnStats{Distinct: unknown, Min: unknown, Max: unknown, Bytes: float64(t.Physical().Width())}
	if s.Distinct > 0 {
		out.Distinct = float64(s.Distinct)
	}
	if col.Layout == dbgen.Int64 || col.Layout == dbgen.Int32 {
		out.Min, out.Max = float64(s.Min), float64(s.Max)
		if col.Kind == dbgen.Decimal {
			out.Min, out.Max = out.Min/100, out.Max/100
		}
	} else {
		out.Bytes = s.AvgBytes
	}
	return out
}

// Close drops the generators.
func (c *Connector) Close() error { return nil }
