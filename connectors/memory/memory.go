// Package memory is the connector whose tables live in the process's memory:
// for trying things out and for tests. It has CREATE TABLE, CREATE TABLE AS,
// INSERT and DROP TABLE, and works in a single process only.
//
// A table is a list of chunks that are only ever appended. A query sees the
// chunks that were there when it was planned: the table's Handle names the
// table's generation and how many chunks it had, so a query reads one version
// however long it runs, and one that outlives its table fails clearly.
package memory

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"sync"

	"github.com/tuttidb/tutti/connectors"
	"github.com/tuttidb/tutti/exec/mem"
	"github.com/tuttidb/tutti/exec/vector"
	"github.com/tuttidb/tutti/internal/qerr"
)

// defaultSchema is the schema that is always there.
const defaultSchema = "default"

// Connector keeps tables in memory.
type Connector struct {
	account *mem.Account

	mu         sync.RWMutex
	tables     map[string]map[string]*table // by schema and name
	generation int64
}

var (
	_ connectors.Connector    = (*Connector)(nil)
	_ connectors.Writer       = (*Connector)(nil)
	_ connectors.SchemaWriter = (*Connector)(nil)
	_ connectors.Statistician = (*Connector)(nil)
)

// table is one table. What changes is guarded by the connector's lock.
type table struct {
	schema, name string
	generation   int64
	columns      []connectors.Column
	chunks       []*chunk
	readers      int // open sources
	dropped      bool
}

// free releases a dropped table's memory once nobody reads it.
func (t *table) free() {
	if !t.dropped || t.readers > 0 {
		return
	}
	for _, ch := range t.chunks {
		ch.release()
	}
	t.chunks = nil
}

// chunk is some rows, flat, immutable once it is in a table.
type chunk struct {
	rows     int
	builders []*vector.Builder
	cols     []*vector.Vector
}

func (c *chunk) release() {
	for _, b := range c.builders {
		b.Release()
	}
}

// New returns a connector without tables whose data is charged to account.
func New(account *mem.Account) *Connector {
	return &Connector{account: account, tables: map[string]map[string]*table{defaultSchema: {}}}
}

// Schemas lists the schemas.
func (c *Connector) Schemas(context.Context) ([]string, error) {
	c.mu.RLock()
	defer c.mu.RUnlock()
	return slices.Sorted(maps.Keys(c.tables)), nil
}

// Tables lists a schema's tables.
func (c *Connector) Tables(_ context.Context, schema string) ([]string, error) {
	c.mu.RLock()
	defer c.mu.RUnlock()
	return slices.Sorted(maps.Keys(c.tables[schema])), nil
}

// handle is what a Table's Handle says: a version of a table.
type handle struct {
	Generation int64 `json:"generation"`
	Chunks     int   `json:"chunks"`
}

// Table describes a table as it is now.
func (c *Connector) Table(_ context.Context, schema, name string) (*connectors.Table, error) {
	c.mu.RLock()
	defer c.mu.RUnlock()
	t := c.tables[schema][name]
	if t == nil {
		return nil, nil
	}
	h, err := json.Marshal(handle{Generation: t.generation, Chunks: len(t.chunks)})
	if err != nil {
		return nil, err
	}
	return &connectors.Table{Schema: schema, Name: name, Columns: t.columns, Handle: h, Local: true}, nil
}

// version returns the table and the chunks that a scan's handle names. The
// caller holds the lock.
func (c *Connector) version(scan *connectors.Scan) (*table, []*chunk, error) {
	var h handle
	if err := json.Unmarshal(scan.Handle, &h); err != nil {
		return nil, nil, fmt.Errorf("memory table handle: %w", err)
	}
	t := c.tables[scan.Schema][scan.Table]
	if t == nil || t.generation != h.Generation || len(t.chunks) < h.Chunks {
		return nil, nil, qerr.New(qerr.TableNotFound, "Table '%s.%s' was dropped while it was read", scan.Schema, scan.Table)
	}
	return t, t.chunks[:h.Chunks], nil
}

// Stats knows the number of rows.
func (c *Connector) Stats(_ context.Context, scan *connectors.Scan) (*connectors.TableStats, error) {
	c.mu.RLock()
	defer c.mu.RUnlock()
	_, chunks, err := c.version(scan)
	if err != nil {
		return nil, err
	}
	out := connectors.UnknownStats(len(scan.Columns))
	out.Rows = 0
	for _, ch := range chunks {
		out.Rows += float64(ch.rows)
	}
	return out, nil
}

// CreateSchema makes an empty schema.
func (c *Connector) CreateSchema(_ context.Context, schema string) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.tables[schema] != nil {
		return qerr.New(qerr.SchemaAlreadyExists, "Schema '%s' already exists", schema)
	}
	c.tables[schema] = map[string]*table{}
	return nil
}

// DropSchema removes an empty schema.
func (c *Connector) DropSchema(_ context.Context, schema string) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	tables, ok := c.tables[schema]
	switch {
	case !ok:
		return qerr.New(qerr.SchemaNotFound, "Schema '%s' does not exist", schema)
	case len(tables) > 0:
		return qerr.New(qerr.SchemaNotEmpty, "Schema not empty: %s", schema)
	}
	delete(c.tables, schema)
	return nil
}

// CreateTable makes an empty table in a schema that exists.
func (c *Connector) CreateTable(_ context.Context, schema, name string, columns []connectors.Column) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.tables[schema][name] != nil {
		return qerr.New(qerr.TableAlreadyExists, "Table '%s.%s' already exists", schema, name)
	}
	if c.tables[schema] == nil {
		return qerr.New(qerr.SchemaNotFound, "Schema %s not found", schema)
	}
	c.generation++
	c.tables[schema][name] = &table{schema: schema, name: name, generation: c.generation, columns: slices.Clone(columns)}
	return nil
}

// DropTable removes a table. Splits that are being read keep its memory until
// their sources are closed; later ones fail.
func (c *Connector) DropTable(_ context.Context, schema, name string) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	t := c.tables[schema][name]
	if t == nil {
		return qerr.New(qerr.TableNotFound, "Table '%s.%s' does not exist", schema, name)
	}
	delete(c.tables[schema], name)
	t.dropped = true
	t.free()
	return nil
}

// Insert returns a sink for rows of the table's columns.
func (c *Connector) Insert(_ context.Context, schema, name string) (connectors.RowSink, error) {
	c.mu.RLock()
	defer c.mu.RUnlock()
	t := c.tables[schema][name]
	if t == nil {
		return nil, qerr.New(qerr.TableNotFound, "Table '%s.%s' does not exist", schema, name)
	}
	return &sink{c: c, t: t}, nil
}

// Close frees all tables.
func (c *Connector) Close() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, schema := range c.tables {
		for _, t := range schema {
			for _, ch := range t.chunks {
				ch.release()
			}
		}
	}
	c.tables = map[string]map[string]*table{defaultSchema: {}}
	return nil
}
