// Package conntest is the suite that every connector passes. A connector's
// test makes a catalog with known tables and calls Run:
//
//	conntest.Run(t, conntest.Config{
//		New:    func(t *testing.T) connectors.Connector { … },
//		Tables: []conntest.Table{{Schema: "tiny", Name: "orders"}},
//	})
//
// The suite compares a connector with itself: what a plain scan of all
// columns returns is the truth, and every other way to read (fewer columns,
// predicates, small batches, another instance, any order of splits) must
// return the same rows. So it fits any connector, and says nothing about
// whether the truth is true: that is the connector's own tests' business.
package conntest

import (
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"testing"

	"github.com/tuttidb/tutti/connectors"
	"github.com/tuttidb/tutti/exec/kernel"
	"github.com/tuttidb/tutti/exec/mem"
	"github.com/tuttidb/tutti/exec/vector"
	"github.com/tuttidb/tutti/sql/types"
)

// Config says what to test.
type Config struct {
	// New returns an instance of the connector. All instances must show the
	// same tables, as those of one catalog definition on several nodes do. The
	// suite closes it.
	New func(t *testing.T) connectors.Connector
	// Tables are the tables to test; of at most some hundred thousand rows.
	Tables []Table
	// OwnBatches says that batches are as large as the connector's data lies,
	// whatever the task asks for.
	OwnBatches bool
	// Paths are what TableAt must accept, for a PathResolver.
	Paths []string
}

// Table names a table.
type Table struct{ Schema, Name string }

// Run runs the suite.
func Run(t *testing.T, cfg Config) {
	t.Run("listing", func(t *testing.T) { testListing(t, cfg) })
	for _, tab := range cfg.Tables {
		t.Run(tab.Schema+"."+tab.Name, func(t *testing.T) {
			testTable(t, cfg, func(c connectors.Connector) (*connectors.Table, error) {
				return c.Table(t.Context(), tab.Schema, tab.Name)
			})
		})
	}
	for _, p := range cfg.Paths {
		t.Run(p, func(t *testing.T) {
			testTable(t, cfg, func(c connectors.Connector) (*connectors.Table, error) {
				r, ok := c.(connectors.PathResolver)
				if !ok {
					return nil, fmt.Errorf("the connector resolves no paths")
				}
				return r.TableAt(t.Context(), p)
			})
		})
	}
}

// open makes an instance that is closed at the test's end.
func open(t *testing.T, cfg Config) connectors.Connector {
	t.Helper()
	c := cfg.New(t)
	t.Cleanup(func() {
		if err := c.Close(); err != nil {
			t.Errorf("close the connector: %v", err)
		}
	})
	return c
}

func testListing(t *testing.T, cfg Config) {
	c := open(t, cfg)
	schemas, err := c.Schemas(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if !slices.IsSorted(schemas) {
		t.Errorf("schemas are not sorted: %q", schemas)
	}
	for _, tab := range cfg.Tables {
		if !slices.Contains(schemas, tab.Schema) {
			t.Errorf("schema %q is not listed among %q", tab.Schema, schemas)
		}
		tables, err := c.Tables(t.Context(), tab.Schema)
		if err != nil || !slices.IsSorted(tables) || !slices.Contains(tables, tab.Name) {
			t.Errorf("tables of %s: %q, %v; want %q among them, sorted", tab.Schema, tables, err, tab.Name)
		}
		if none, err := c.Table(t.Context(), tab.Schema, "no_such_table"); none != nil || err != nil {
			t.Errorf("a table that does not exist: %v, %v; want nil, nil", none, err)
		}
	}
	if none, err := c.Tables(t.Context(), "no_such_schema"); len(none) > 0 || err != nil {
		t.Errorf("tables of a schema that does not exist: %q, %v", none, err)
	}
	if none, err := c.Table(t.Context(), "no_such_schema", "t"); none != nil || err != nil {
		t.Errorf("a table of a schema that does not exist: %v, %v", none, err)
	}
}

// subject is a table under test.
type subject struct {
	t     *testing.T
	cfg   Config
	c     connectors.Connector
	table *connectors.Table
	pool  *mem.Pool
	root  *mem.Account
	// rows is the truth: all columns but the hidden ones.
	rows [][]any
}

func testTable(t *testing.T, cfg Config, find func(connectors.Connector) (*connectors.Table, error)) {
	s := &subject{t: t, cfg: cfg, c: open(t, cfg), pool: mem.NewPool()}
	s.pool.Poison = true
	s.root = mem.NewRoot("conntest", 0, s.pool)
	table, err := find(s.c)
	if err != nil || table == nil {
		t.Fatalf("table: %v, %v", table, err)
	}
	s.table = table
	t.Run("describe", func(t *testing.T) { s.describe(t, find) })
	scan := s.scan(s.columns()...)
	s.rows = s.read(t, s.c, scan, 0)
	for _, tc := range []struct {
		name string
		test func(*testing.T)
	}{
		{"again", s.again}, {"other instance", s.otherInstance}, {"small batches", s.smallBatches},
		{"projections", s.projections}, {"no columns", s.noColumns}, {"hidden columns", s.hidden},
		{"predicates", s.predicates}, {"hints", s.hints}, {"limit", s.limit},
		{"cancel", s.cancel}, {"close early", s.closeEarly}, {"statistics", s.statistics},
		{"dynamic filter", s.dynamic},
	} {
		t.Run(tc.name, func(t *testing.T) {
			tc.test(t)
			if n := s.pool.Out(); n != 0 {
				t.Errorf("%d bytes of slabs were not released", n)
			}
			if n := s.root.Used(); n != 0 {
				t.Errorf("%d bytes are still accounted", n)
			}
		})
	}
}

func (s *subject) describe(t *testing.T, find func(connectors.Connector) (*connectors.Table, error)) {
	again, err := find(s.c)
	if err != nil {
		t.Fatal(err)
	}
	if len(s.table.Columns) == 0 || len(again.Columns) != len(s.table.Columns) {
		t.Fatalf("%d columns, then %d", len(s.table.Columns), len(again.Columns))
	}
	seen := map[string]bool{}
	for i, c := range s.table.Columns {
		if seen[strings.ToLower(c.Name)] || c.Name == "" {
			t.Errorf("column %d has the name %q, as another has", i, c.Name)
		}
		seen[strings.ToLower(c.Name)] = true
		if c.Type.Kind == types.Unknown {
			t.Errorf("column %q has no type", c.Name)
		}
		if o := again.Columns[i]; o.Name != c.Name || !o.Type.Equal(c.Type) {
			t.Errorf("column %d is %s %s, then %s %s", i, c.Name, c.Type, o.Name, o.Type)
		}
	}
}

// columns returns the ordinals of the columns that are not hidden.
func (s *subject) columns() (out []int) {
	for i, c := range s.table.Columns {
		if !c.Hidden {
			out = append(out, i)
		}
	}
	return out
}

// scan returns a scan of columns, by ordinal.
func (s *subject) scan(ordinals ...int) *connectors.Scan {
	scan := &connectors.Scan{Schema: s.table.Schema, Table: s.table.Name, Handle: s.table.Handle, Limit: -1}
	for _, o := range ordinals {
		c := s.table.Columns[o]
		scan.Columns = append(scan.Columns, connectors.ScanColumn{Ordinal: o, Name: c.Name, Type: c.Type})
	}
	return scan
}

// env returns what sources get. batch 0 means the default.
func (s *subject) env(batch int) *connectors.Env {
	if batch == 0 {
		batch = vector.DefaultRows
	}
	return &connectors.Env{
		Account: s.root, BatchRows: batch, Log: slog.New(slog.DiscardHandler),
		Dynamic: func(int32) *connectors.DynamicFilter { return nil },
	}
}

// splits returns all splits of a scan.
func splits(t *testing.T, c connectors.Connector, scan *connectors.Scan, at int) (out []connectors.Split) {
	t.Helper()
	src, err := c.Splits(t.Context(), scan)
	if err != nil {
		t.Fatalf("splits: %v", err)
	}
	for {
		part, err := src.Next(t.Context(), at)
		if err != nil {
			t.Fatalf("splits: %v", err)
		}
		if len(part) == 0 {
			break
		}
		if len(part) > at {
			t.Errorf("%d splits where at most %d were asked for", len(part), at)
		}
		out = append(out, part...)
	}
	for range 2 {
		if err := src.Close(); err != nil {
			t.Errorf("close splits: %v", err)
		}
	}
	return out
}

// read reads a scan, splits in order, and returns its rows sorted.
func (s *subject) read(t *testing.T, c connectors.Connector, scan *connectors.Scan, batch int) [][]any {
	t.Helper()
	var rows [][]any
	for _, sp := range splits(t, s.c, scan, 3) {
		s.readSplit(t, c, scan, sp, s.env(batch), func(b *vector.Batch) bool {
			rows = appendRows(t, rows, b, scan)
			return true
		})
	}
	sortRows(rows)
	return rows
}

// readSplit reads one split and calls use for each batch until it returns false.
func (s *subject) readSplit(t *testing.T, c connectors.Connector, scan *connectors.Scan, sp connectors.Split, env *connectors.Env, use func(*vector.Batch) bool) {
	t.Helper()
	src, err := c.Open(t.Context(), scan, sp, env)
	if err != nil {
		t.Fatalf("open: %v", err)
	}
	defer func() {
		for range 2 {
			if err := src.Close(); err != nil {
				t.Errorf("close: %v", err)
			}
		}
		st := src.Stats()
		if st.PhysicalRows < 0 || st.PhysicalBytes < 0 || st.GroupsSkipped > st.Groups {
			t.Errorf("strange statistics: %+v", st)
		}
	}()
	for {
		b, err := src.Next(t.Context())
		if err != nil {
			t.Fatalf("next: %v", err)
		}
		if b == nil || !use(b) {
			return
		}
		s.checkBatch(t, b, scan, env)
	}
}

// fewRows is a number of rows that a batch may have however few were asked for:
// what a generator makes at once, say.
const fewRows = 10

// checkBatch checks what every batch must be.
func (s *subject) checkBatch(t *testing.T, b *vector.Batch, scan *connectors.Scan, env *connectors.Env) {
	t.Helper()
	if len(b.Cols) != len(scan.Columns) {
		t.Fatalf("a batch has %d columns, the scan %d", len(b.Cols), len(scan.Columns))
	}
	if b.N > vector.MaxRows || b.N > max(2*env.BatchRows, fewRows) && !s.cfg.OwnBatches {
		t.Errorf("a batch has %d rows where %d were asked for", b.N, env.BatchRows)
	}
	for i, r := range b.Sel {
		if int(r) >= b.N || i > 0 && r <= b.Sel[i-1] {
			t.Fatalf("the selection is not ascending within %d rows: %d", b.N, b.Sel)
		}
	}
	for i, v := range b.Cols {
		if v.N != b.N {
			t.Errorf("column %d has %d rows, its batch %d", i, v.N, b.N)
		}
		if !v.Type.Equal(scan.Columns[i].Type) {
			t.Errorf("column %q is %s, was described as %s", scan.Columns[i].Name, v.Type, scan.Columns[i].Type)
		}
	}
}

// appendRows appends a batch's rows as constants.
func appendRows(t *testing.T, rows [][]any, b *vector.Batch, scan *connectors.Scan) [][]any {
	t.Helper()
	if err := b.Load(); err != nil {
		t.Fatalf("load: %v", err)
	}
	for i := range b.Rows() {
		row := make([]any, len(b.Cols))
		for c, v := range b.Cols {
			if !scan.Columns[c].FilterOnly {
				row[c] = kernel.ValueAt(v, b.Row(i))
			}
		}
		rows = append(rows, row)
	}
	return rows
}

// sortRows puts rows in some fixed order.
func sortRows(rows [][]any) {
	type keyed struct {
		key string
		row []any
	}
	all := make([]keyed, len(rows))
	for i, r := range rows {
		all[i] = keyed{fmt.Sprint(r...), r}
	}
	slices.SortFunc(all, func(a, b keyed) int { return strings.Compare(a.key, b.key) })
	for i := range all {
		rows[i] = all[i].row
	}
}

// same compares rows in the order of sortRows.
func same(t *testing.T, what string, got, want [][]any) {
	t.Helper()
	if len(got) != len(want) {
		t.Errorf("%s: %d rows instead of %d", what, len(got), len(want))
		return
	}
	for i := range want {
		if g, w := fmt.Sprint(got[i]), fmt.Sprint(want[i]); g != w {
			t.Errorf("%s: row %d is %.200s instead of %.200s", what, i, g, w)
			return
		}
	}
}

// project returns some columns of the truth, sorted.
func (s *subject) project(places ...int) [][]any {
	out := make([][]any, len(s.rows))
	for i, r := range s.rows {
		out[i] = make([]any, len(places))
		for k, p := range places {
			out[i][k] = r[p]
		}
	}
	sortRows(out)
	return out
}
