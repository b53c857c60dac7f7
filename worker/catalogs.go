package worker

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/tuttidb/tutti/connectors"
	"github.com/tuttidb/tutti/internal/clock"
	"github.com/tuttidb/tutti/internal/qerr"
	pb "github.com/tuttidb/tutti/proto/tutti/v1"
)

// Factory makes a connector from a catalog's definition.
type Factory func(def *pb.CatalogDefinition) (connectors.Connector, error)

// Catalogs are the catalogs of a node: an exec.Catalogs whose definitions
// come from the coordinator. A connector is made when first asked for and
// kept as long as its definition stays the same.
type Catalogs struct {
	factory Factory
	clock   clock.Clock
	log     *slog.Logger

	mu         sync.Mutex
	generation uint64
	catalogs   map[string]*catalog
	retired    []retiredCatalog
}

// catalog is a definition and its connector, once made.
type catalog struct {
	def  *pb.CatalogDefinition
	mu   sync.Mutex // held while the connector is made
	conn connectors.Connector
}

// retiredCatalog is a connector that older queries may still use.
type retiredCatalog struct {
	catalog *catalog
	since   time.Time
}

// NewCatalogs returns no catalogs yet.
func NewCatalogs(factory Factory, c clock.Clock, log *slog.Logger) *Catalogs {
	return &Catalogs{factory: factory, clock: c, log: log, catalogs: map[string]*catalog{}}
}

// Set replaces the definitions.
func (c *Catalogs) Set(m *pb.Catalogs) {
	c.mu.Lock()
	defer c.mu.Unlock()
	next := map[string]*catalog{}
	for _, def := range m.GetCatalogs() {
		if old := c.catalogs[def.Name]; old != nil && proto.Equal(old.def, def) {
			next[def.Name] = old
			continue
		}
		next[def.Name] = &catalog{def: def}
	}
	for name, old := range c.catalogs {
		if next[name] != old {
			c.retired = append(c.retired, retiredCatalog{old, c.clock.Now()})
		}
	}
	c.generation, c.catalogs = m.GetGeneration(), next
}

// Generation returns that of the definitions in use.
func (c *Catalogs) Generation() uint64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.generation
}

// Connector returns the connector of a catalog.
func (c *Catalogs) Connector(_ context.Context, name string) (connectors.Connector, error) {
	c.mu.Lock()
	cat := c.catalogs[name]
	c.mu.Unlock()
	if cat == nil {
		return nil, qerr.New(qerr.CatalogNotFound, "Catalog '%s' not found", name)
	}
	cat.mu.Lock()
	defer cat.mu.Unlock()
	if cat.conn == nil {
		conn, err := c.factory(cat.def)
		if err != nil {
			return nil, fmt.Errorf("open catalog %s: %w", name, err)
		}
		cat.conn = conn
	}
	return cat.conn, nil
}

// CloseRetired closes connectors that were replaced before a point in time:
// that of the oldest query that still runs.
func (c *Catalogs) CloseRetired(before time.Time) {
	c.mu.Lock()
	var gone []*catalog
	kept := c.retired[:0]
	for _, r := range c.retired {
		if r.since.Before(before) {
			gone = append(gone, r.catalog)
		} else {
			kept = append(kept, r)
		}
	}
	c.retired = kept
	c.mu.Unlock()
	for _, cat := range gone {
		cat.close(c.log)
	}
}

func (c *catalog) close(log *slog.Logger) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.conn == nil {
		return
	}
	if err := c.conn.Close(); err != nil {
		log.Warn("close catalog", "catalog", c.def.Name, "error", err)
	}
	c.conn = nil
}

// Close closes all connectors. No task may run.
func (c *Catalogs) Close() {
	c.Set(&pb.Catalogs{})
	c.CloseRetired(c.clock.Now().Add(time.Hour))
}
