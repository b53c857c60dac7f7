// Package system shows what the cluster knows about itself as tables: the
// catalog system (what drivers ask for in jdbc, what runs in runtime, what
// there is in metadata) and the schema information_schema of every catalog.
//
// All tables are Local: they are read in the coordinator's process, which has
// what they show. Rows are made while they are read, by a function a table,
// and nothing is kept.
//
// # Asking for little
//
// Tools list tables a screen at a time, and listing a lake is slow. A table's
// function therefore looks at the scan's hint: Wanted says which names of
// catalogs, schemas and tables the query can return at all, so that only those
// are listed, and names that the query spells out are looked up instead. The
// engine still applies the whole condition itself.
package system

import (
	"context"
	"fmt"
	"iter"
	"log/slog"
	"time"

	"github.com/tuttidb/tutti/connectors"
	"github.com/tuttidb/tutti/exec/kernel"
	"github.com/tuttidb/tutti/exec/mem"
	"github.com/tuttidb/tutti/exec/vector"
	"github.com/tuttidb/tutti/internal/qerr"
	"github.com/tuttidb/tutti/sql/types"
)

// Catalogs lists the cluster's catalogs.
type Catalogs interface {
	// List returns the catalogs' names, sorted, KindOf the name of one's
	// connector.
	List() []string
	KindOf(name string) string
	// Connector returns a catalog's connector, which also serves its
	// information_schema.
	Connector(ctx context.Context, name string) (connectors.Connector, error)
}

// Cluster shows what runs.
type Cluster interface {
	Queries() []Query
	Nodes() []Node
	Tasks() []Task
}

// Query is a line of runtime.queries. Zero times and "" mean null.
type Query struct {
	ID, State, User, Source, SQL           string
	Queued, Analysis, Planning             time.Duration
	Created, Started, LastHeartbeat, Ended time.Time
	ErrorType, ErrorCode                   string
}

// Node is a line of runtime.nodes.
type Node struct {
	ID, HTTPURI, Version string
	Coordinator          bool
	State                string
}

// Task is a line of runtime.tasks.
type Task struct {
	Node, ID, Stage, Query, State                           string
	Splits, QueuedSplits, RunningSplits, DoneSplits         int64
	Scheduled, CPU, Blocked                                 time.Duration
	RawInputBytes, RawInputRows, InputBytes, InputRows      int64
	OutputBytes, OutputRows, PhysicalBytes, PhysicalWritten int64
	Created, Started, LastHeartbeat, Ended                  time.Time
}

// table is a table and how its rows are made.
type table struct {
	schema, name string
	columns      []connectors.Column
	// rows makes the rows that req may want. A row has a value, as
	// expr.Const.Value, for each column; it may be reused for the next.
	rows func(ctx context.Context, req *request) iter.Seq2[[]any, error]
}

// request is a scan as a table's function sees it.
type request struct {
	scan    *connectors.Scan
	account *mem.Account // for evaluating conditions
	log     *slog.Logger
}

// col makes a column of varchar; colOf one of another type.
func col(name string) connectors.Column { return colOf(name, types.VarcharType()) }

func colOf(name string, t types.Type) connectors.Column {
	return connectors.Column{Name: name, Type: t}
}

// cols makes columns of varchar.
func cols(names ...string) []connectors.Column {
	out := make([]connectors.Column, len(names))
	for i, n := range names {
		out[i] = col(n)
	}
	return out
}

func bigint(name string) connectors.Column { return colOf(name, types.Of(types.BigInt)) }

func boolean(name string) connectors.Column { return colOf(name, types.Of(types.Boolean)) }

func instant(name string) connectors.Column { return colOf(name, types.TimestampTZOf(3)) }

// none is the function of tables that are always empty.
func none(context.Context, *request) iter.Seq2[[]any, error] {
	return func(func([]any, error) bool) {}
}

// Connector serves tables that are functions.
type Connector struct{ schemas []schemaTables }

type schemaTables struct {
	name   string
	tables []table
}

// New returns the connector of the catalog system. Give it to the catalogs
// through InformationSchema, as every catalog.
func New(catalogs Catalogs, cluster Cluster) *Connector {
	return newConnector(map[string][]table{
		"jdbc":     jdbcTables(catalogs),
		"metadata": metadataTables(catalogs),
		"runtime":  runtimeTables(cluster),
	})
}

func newConnector(bySchema map[string][]table) *Connector {
	c := &Connector{}
	for _, name := range sortedKeys(bySchema) {
		s := schemaTables{name: name}
		for _, t := range bySchema[name] {
			t.schema = name
			s.tables = append(s.tables, t)
		}
		c.schemas = append(c.schemas, s)
	}
	return c
}

// Schemas lists the schemas.
func (c *Connector) Schemas(context.Context) ([]string, error) {
	out := make([]string, len(c.schemas))
	for i, s := range c.schemas {
		out[i] = s.name
	}
	return out, nil
}

// Tables lists a schema's tables.
func (c *Connector) Tables(_ context.Context, schema string) ([]string, error) {
	bySchema := map[string]table{}
	for _, s := range c.schemas {
		if s.name == schema {
			for _, t := range s.tables {
				bySchema[t.name] = t
			}
		}
	}
	return sortedKeys(bySchema), nil
}

func (c *Connector) find(schema, name string) *table {
	for _, s := range c.schemas {
		for i := range s.tables {
			if s.name == schema && s.tables[i].name == name {
				return &s.tables[i]
			}
		}
	}
	return nil
}

// Table describes a table.
func (c *Connector) Table(_ context.Context, schema, name string) (*connectors.Table, error) {
	t := c.find(schema, name)
	if t == nil {
		return nil, nil
	}
	return &connectors.Table{Schema: schema, Name: name, Columns: t.columns, Local: true}, nil
}

// Splits returns one split: the tables are read in one go.
func (c *Connector) Splits(context.Context, *connectors.Scan) (connectors.SplitSource, error) {
	return &oneSplit{}, nil
}

type oneSplit struct{ done bool }

// Next returns the split.
func (s *oneSplit) Next(_ context.Context, limit int) ([]connectors.Split, error) {
	if s.done || limit < 1 {
		return nil, nil
	}
	s.done = true
	return []connectors.Split{{}}, nil
}

// Close does nothing.
func (s *oneSplit) Close() error { return nil }

// Open reads a table.
func (c *Connector) Open(ctx context.Context, scan *connectors.Scan, _ connectors.Split, env *connectors.Env) (connectors.Source, error) {
	t := c.find(scan.Schema, scan.Table)
	if t == nil {
		return nil, qerr.New(qerr.TableNotFound, "Table '%s.%s' does not exist", scan.Schema, scan.Table)
	}
	if scan.Predicate != nil {
		return nil, fmt.Errorf("scan of %s.%s: a predicate that was not taken over", scan.Schema, scan.Table)
	}
	return newSource(ctx, t, &request{scan: scan, account: env.Account, log: env.Log}, env), nil
}

// Close does nothing: the connector holds nothing.
func (c *Connector) Close() error { return nil }

// source makes batches of a table's rows.
type source struct {
	table    *table
	scan     *connectors.Scan
	max      int
	next     func() ([]any, error, bool)
	stop     func()
	builders []*vector.Builder
	batch    vector.Batch
	stats    connectors.SourceStats
}

func newSource(ctx context.Context, t *table, req *request, env *connectors.Env) *source {
	s := &source{table: t, scan: req.scan, max: max(1, min(env.BatchRows, vector.MaxRows))}
	for _, c := range req.scan.Columns {
		s.builders = append(s.builders, vector.NewBuilder(env.Account, c.Type))
	}
	s.batch.Cols = make([]*vector.Vector, len(s.builders))
	s.next, s.stop = iter.Pull2(t.rows(ctx, req))
	return s
}

// Next returns the next rows.
func (s *source) Next(ctx context.Context) (*vector.Batch, error) {
	for _, b := range s.builders {
		b.Reset()
	}
	n := 0
	for ; n < s.max; n++ {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		row, err, more := s.next()
		if err != nil {
			return nil, err
		}
		if !more {
			break
		}
		if err := s.add(row); err != nil {
			return nil, err
		}
	}
	if n == 0 {
		return nil, nil
	}
	s.stats.PhysicalRows += int64(n)
	s.batch.N = n
	for i, b := range s.builders {
		s.batch.Cols[i] = b.Vector()
	}
	return &s.batch, nil
}

func (s *source) add(row []any) error {
	for i, c := range s.scan.Columns {
		if err := kernel.AppendValue(s.builders[i], c.Type, row[c.Ordinal]); err != nil {
			return fmt.Errorf("%s.%s, column %s: %w", s.table.schema, s.table.name, c.Name, err)
		}
	}
	return nil
}

// Stats counts the rows made so far.
func (s *source) Stats() connectors.SourceStats { return s.stats }

// Close ends the table's function.
func (s *source) Close() error {
	s.stop()
	for _, b := range s.builders {
		b.Release()
	}
	return nil
}
