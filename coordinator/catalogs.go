package coordinator

import (
	"context"
	"maps"
	"slices"
	"sync"

	"github.com/tuttidb/tutti/connectors"
	"github.com/tuttidb/tutti/internal/qerr"
)

// Catalogs are the named connectors of a process. They answer for the
// analyzer (which tables are there), the optimizer and local execution. It is
// safe for concurrent use.
type Catalogs struct {
	mu   sync.RWMutex
	byID map[string]*catalog
}

type catalog struct {
	conn connectors.Connector
	// kind is the connector's name, as in the catalog's definition.
	kind string
}

// NewCatalogs returns no catalogs.
func NewCatalogs() *Catalogs { return &Catalogs{byID: map[string]*catalog{}} }

// Add names a connector of a kind. Whoever wants an information_schema in the
// catalog wraps the connector in one that has it.
func (c *Catalogs) Add(name, kind string, conn connectors.Connector) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if _, ok := c.byID[name]; ok {
		return qerr.New(qerr.AlreadyExists, "Catalog '%s' already exists", name)
	}
	c.byID[name] = &catalog{conn: conn, kind: kind}
	return nil
}

// Generation numbers the catalogs as they are: it grows with each change.
func (c *Catalogs) Generation() uint64 { return 1 }

// List returns the catalogs' names, sorted, and KindOf each one's connector.
func (c *Catalogs) List() []string {
	c.mu.RLock()
	defer c.mu.RUnlock()
	return slices.Sorted(maps.Keys(c.byID))
}

// KindOf returns the name of a catalog's connector, "" if there is none.
func (c *Catalogs) KindOf(name string) string {
	if k := c.get(name); k != nil {
		return k.kind
	}
	return ""
}

func (c *Catalogs) get(name string) *catalog {
	c.mu.RLock()
	defer c.mu.RUnlock()
	return c.byID[name]
}

// Connector returns a catalog's connector, for planning and execution.
func (c *Catalogs) Connector(_ context.Context, name string) (connectors.Connector, error) {
	k := c.get(name)
	if k == nil {
		return nil, qerr.New(qerr.CatalogNotFound, "Catalog '%s' not found", name)
	}
	return k.conn, nil
}

// CatalogExists reports whether there is such a catalog.
func (c *Catalogs) CatalogExists(_ context.Context, name string) (bool, error) {
	return c.get(name) != nil, nil
}

// SchemaExists reports whether a catalog has such a schema.
func (c *Catalogs) SchemaExists(ctx context.Context, name, schema string) (bool, error) {
	k := c.get(name)
	if k == nil {
		return false, nil
	}
	list, err := k.conn.Schemas(ctx)
	if err != nil || slices.Contains(list, schema) {
		return err == nil, err
	}
	tables, err := k.conn.Tables(ctx, schema) // a schema may work without being listed
	return len(tables) > 0, err
}

// Schemas lists a catalog's schemas, sorted.
func (c *Catalogs) Schemas(ctx context.Context, name string) ([]string, error) {
	k := c.get(name)
	if k == nil {
		return nil, nil
	}
	return k.conn.Schemas(ctx)
}

// Tables lists the tables of a schema, sorted.
func (c *Catalogs) Tables(ctx context.Context, name, schema string) ([]string, error) {
	k := c.get(name)
	if k == nil {
		return nil, nil
	}
	return k.conn.Tables(ctx, schema)
}

// Table describes a table; nil if there is none.
func (c *Catalogs) Table(ctx context.Context, name, schema, table string) (*connectors.Table, error) {
	k := c.get(name)
	if k == nil {
		return nil, nil
	}
	return k.conn.Table(ctx, schema, table)
}

// TableAt describes the files that a path names, in the catalog that was
// asked for or the first one, by name, that serves the path.
func (c *Catalogs) TableAt(ctx context.Context, name, path string) (string, *connectors.Table, error) {
	if name != "" {
		t, err := c.tableAt(ctx, name, path)
		return name, t, err
	}
	var refused error
	for _, n := range c.List() {
		t, err := c.tableAt(ctx, n, path)
		switch {
		case err != nil && refused == nil:
			refused = err
		case t != nil:
			return n, t, nil
		}
	}
	return "", nil, refused
}

func (c *Catalogs) tableAt(ctx context.Context, name, path string) (*connectors.Table, error) {
	k := c.get(name)
	if k == nil {
		return nil, qerr.New(qerr.CatalogNotFound, "Catalog '%s' not found", name)
	}
	if r, ok := k.conn.(connectors.PathResolver); ok {
		return r.TableAt(ctx, path)
	}
	return nil, nil
}

// Names lists what exists, for suggestions; nothing where listing fails.
func (c *Catalogs) Names(ctx context.Context, name, schema string) []string {
	var list []string
	switch {
	case name == "":
		return c.List()
	case schema == "":
		list, _ = c.Schemas(ctx, name)
	default:
		list, _ = c.Tables(ctx, name, schema)
	}
	return list
}

// SchemaWriter returns a catalog's connector as a SchemaWriter.
func (c *Catalogs) SchemaWriter(name string) (connectors.SchemaWriter, error) {
	k := c.get(name)
	if k == nil {
		return nil, qerr.New(qerr.CatalogNotFound, "Catalog '%s' not found", name)
	}
	w, ok := k.conn.(connectors.SchemaWriter)
	if !ok {
		return nil, qerr.New(qerr.NotSupportedCode, "This connector does not support creating schemas")
	}
	return w, nil
}

// Writer returns a catalog's connector as a Writer.
func (c *Catalogs) Writer(name string) (connectors.Writer, error) {
	k := c.get(name)
	if k == nil {
		return nil, qerr.New(qerr.CatalogNotFound, "Catalog '%s' not found", name)
	}
	w, ok := k.conn.(connectors.Writer)
	if !ok {
		return nil, qerr.New(qerr.NotSupportedCode, "This connector does not support creating tables")
	}
	return w, nil
}
