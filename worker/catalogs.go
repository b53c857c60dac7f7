package worker

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/tuttidb/tutti/connectors"
	"github.com/tuttidb/tutti/exec"
	"github.com/tuttidb/tutti/internal/clock"
	"github.com/tuttidb/tutti/internal/qerr"
	pb "github.com/tuttidb/tutti/proto/tutti/v1"
)

const (
	// staleWait is how long a task waits for the definitions that it was planned
	// with. They come on another stream than the task, often later by a moment.
	staleWait = 10 * time.Second
	// keepRetired is how long a definition that holds no more is remembered:
	// queries that began before may have tasks here for the first time.
	keepRetired = time.Hour
)

// Factory makes a connector from a catalog's definition.
type Factory func(def *pb.CatalogDefinition) (connectors.Connector, error)

// Catalogs are the catalogs of a node, whose definitions come from the
// coordinator. A connector is made when first asked for and kept as long as
// its definition holds or a query runs that began when it did.
//
// Definitions are numbered by generations: a query's tasks see those of the
// generation that the query was planned with, on every worker, whatever is
// created and dropped meanwhile. See At.
type Catalogs struct {
	factory Factory
	clock   clock.Clock
	log     *slog.Logger
	// patience is how long At waits.
	patience time.Duration

	mu         sync.Mutex
	cluster    string
	generation uint64
	catalogs   []*catalog
	changed    chan struct{} // closed and replaced by each Set
}

var _ Generations = (*Catalogs)(nil)

// catalog is a definition and its connector, once made.
type catalog struct {
	def *pb.CatalogDefinition // until cleared
	// until is the generation in which the definition held no more, 0 while it
	// does, and retired when that became known here. Catalogs.mu guards both.
	until   uint64
	retired time.Time

	mu   sync.Mutex // held while the connector is made
	conn connectors.Connector
}

// NewCatalogs returns no catalogs yet.
func NewCatalogs(factory Factory, c clock.Clock, log *slog.Logger) *Catalogs {
	return &Catalogs{factory: factory, clock: c, log: log, patience: staleWait, changed: make(chan struct{})}
}

// Set replaces the definitions. Those of an older generation, from a
// coordinator that lags behind another or does not know yet which cluster it
// belongs to, change nothing; those of another cluster count anew.
func (c *Catalogs) Set(m *pb.Catalogs) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if same := m.GetCluster() == c.cluster || m.GetCluster() == ""; same && m.GetGeneration() < c.generation {
		return
	}
	c.replace(m)
}

// replace makes the definitions those of m. The caller holds mu.
func (c *Catalogs) replace(m *pb.Catalogs) {
	named := map[*catalog]bool{}
	for _, def := range m.GetCatalogs() {
		k := c.of(def)
		named[k] = true
		c.retire(k, def.Until)
	}
	for _, k := range c.catalogs {
		if !named[k] && k.until == 0 {
			c.retire(k, m.GetGeneration())
		}
	}
	c.cluster, c.generation = m.GetCluster(), m.GetGeneration()
	close(c.changed)
	c.changed = make(chan struct{})
}

// of returns the catalog of a definition, new if there is none yet. The
// caller holds mu.
func (c *Catalogs) of(def *pb.CatalogDefinition) *catalog {
	def = proto.CloneOf(def)
	def.Until = 0
	for _, k := range c.catalogs {
		if proto.Equal(k.def, def) {
			return k
		}
	}
	k := &catalog{def: def}
	c.catalogs = append(c.catalogs, k)
	return k
}

// retire notes since when a definition holds no more; 0: it holds (again).
// The caller holds mu.
func (c *Catalogs) retire(k *catalog, until uint64) {
	if until != 0 && k.retired.IsZero() {
		k.retired = c.clock.Now()
	}
	if k.until = until; until == 0 {
		k.retired = time.Time{}
	}
}

// Generation returns that of the definitions in use.
func (c *Catalogs) Generation() uint64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.generation
}

// staleCatalogs says that a node has not heard of a generation in time.
type staleCatalogs struct {
	have, want uint64
	waited     time.Duration
}

// Error says what was waited for.
func (e *staleCatalogs) Error() string {
	return fmt.Sprintf("The worker has catalogs of generation %d, and waited %s in vain for generation %d", e.have, e.waited, e.want)
}

// At returns the catalogs as they were in a generation, once this node has
// heard of it; 0 stands for whatever there is now. It waits 10 s at most, and
// not beyond the end of ctx.
func (c *Catalogs) At(ctx context.Context, generation uint64) (exec.Catalogs, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, c.patience, errStale)
	defer cancel()
	for {
		c.mu.Lock()
		have, changed := c.generation, c.changed
		c.mu.Unlock()
		if have >= generation {
			return catalogsAt{c, generation}, nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			if err := context.Cause(ctx); err != errStale { //nolint:errorlint // the one made above
				return nil, err
			}
			return nil, &staleCatalogs{have: have, want: generation, waited: c.patience}
		}
	}
}

// catalogsAt are the catalogs of one generation.
type catalogsAt struct {
	c          *Catalogs
	generation uint64
}

// Connector returns the connector of a catalog.
func (a catalogsAt) Connector(_ context.Context, name string) (connectors.Connector, error) {
	return a.c.connector(name, a.generation)
}

// Connector returns the connector of a catalog as it is now.
func (c *Catalogs) Connector(_ context.Context, name string) (connectors.Connector, error) {
	return c.connector(name, 0)
}

func (c *Catalogs) connector(name string, generation uint64) (connectors.Connector, error) {
	k := c.find(name, generation)
	if k == nil {
		return nil, qerr.New(qerr.CatalogNotFound, "Catalog '%s' not found", name)
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.conn == nil {
		conn, err := c.factory(k.def)
		if err != nil {
			return nil, fmt.Errorf("open catalog %s: %w", name, err)
		}
		k.conn = conn
	}
	return k.conn, nil
}

// find returns the catalog that had a name in a generation, 0: has it now.
func (c *Catalogs) find(name string, generation uint64) *catalog {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, k := range c.catalogs {
		if k.def.Name == name && k.held(generation) {
			return k
		}
	}
	return nil
}

// held reports whether the definition held in a generation. The caller holds
// Catalogs.mu.
func (k *catalog) held(generation uint64) bool {
	if generation == 0 || k.until == 0 && k.def.Since <= generation {
		return k.until == 0
	}
	return k.def.Since <= generation && generation < k.until
}

// CloseRetired closes connectors that were replaced before a point in time:
// that of the oldest query that still runs. Their definitions are kept a while.
func (c *Catalogs) CloseRetired(before time.Time) {
	forget := c.clock.Now().Add(-keepRetired)
	c.mu.Lock()
	var gone []*catalog
	c.catalogs = slices.DeleteFunc(c.catalogs, func(k *catalog) bool {
		if k.retired.IsZero() || !k.retired.Before(before) {
			return false
		}
		gone = append(gone, k)
		return k.retired.Before(forget)
	})
	c.mu.Unlock()
	for _, k := range gone {
		k.close(c.log)
	}
}

func (k *catalog) close(log *slog.Logger) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.conn == nil {
		return
	}
	if err := k.conn.Close(); err != nil {
		log.Warn("close catalog", "catalog", k.def.Name, "error", err)
	}
	k.conn = nil
}

// Close closes all connectors. No task may run.
func (c *Catalogs) Close() {
	c.mu.Lock()
	all := c.catalogs
	c.catalogs = nil
	c.mu.Unlock()
	for _, k := range all {
		k.close(c.log)
	}
}
