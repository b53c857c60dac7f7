package coordinator

import (
	"context"
	"maps"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/tuttidb/tutti/connectors"
	"github.com/tuttidb/tutti/exec"
	"github.com/tuttidb/tutti/internal/qerr"
)

// Catalogs are the named connectors of a process. They answer for the
// analyzer (which tables are there), the optimizer and local execution. Those
// that come from files are added at the start (Add), those that statements
// make come and go (Follow). A query works with a View of them, which does not
// change while it runs. Catalogs are safe for concurrent use.
type Catalogs struct {
	state atomic.Pointer[catalogSet]

	mu    sync.Mutex // of what follows, and of making a new state
	views map[uint64]*view
	// retired are those that hold no more, oldest first: see keepRetired.
	retired []retiredCatalog
}

// keepRetired is how many catalogs that hold no more are known, beside those
// that queries use: a query of an earlier coordinator may have begun with one.
const keepRetired = 256

// catalogSet are the catalogs at a time. It never changes.
type catalogSet struct {
	byName     map[string]*catalog
	generation uint64
}

// view is a set of catalogs that queries hold.
type view struct {
	catalogs *Catalogs
	holders  int
}

// retiredCatalog is one that queries which began before a generation may still
// use.
type retiredCatalog struct {
	*catalog
	name  string
	until uint64
}

type catalog struct {
	// kind is the connector's name, as in the catalog's definition.
	kind string
	// since tells definitions of one name apart; 0: from a file, for good.
	since uint64
	open  func() (connectors.Connector, error)

	mu   sync.Mutex // held while the connector is made
	conn connectors.Connector
}

// firstGeneration is that of the catalogs from files.
const firstGeneration = 1

// NewCatalogs returns no catalogs.
func NewCatalogs() *Catalogs {
	c := &Catalogs{views: map[uint64]*view{}}
	c.state.Store(&catalogSet{byName: map[string]*catalog{}, generation: firstGeneration})
	return c
}

// Add names a connector of a kind, for good. Whoever wants an
// information_schema in the catalog wraps the connector in one that has it.
func (c *Catalogs) Add(name, kind string, conn connectors.Connector) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	now := c.state.Load()
	if _, ok := now.byName[name]; ok {
		return qerr.New(qerr.AlreadyExists, "Catalog '%s' already exists", name)
	}
	next := &catalogSet{byName: maps.Clone(now.byName), generation: now.generation}
	next.byName[name] = &catalog{conn: conn, kind: kind}
	c.state.Store(next)
	return nil
}

// CatalogEntry is a catalog that may go again.
type CatalogEntry struct {
	Name, Kind string
	// Since is the generation that brought the definition: with the name it
	// says whether it is the same one as before.
	Since uint64
	// Open makes the connector. It is called at the first use, and again after
	// it failed.
	Open func() (connectors.Connector, error)
}

// Follow replaces the catalogs that may go again, in a new generation. An
// older generation than the present one changes nothing. A catalog from a file
// hides an entry of its name. Connectors of catalogs that are no more are
// closed when no query uses them.
func (c *Catalogs) Follow(generation uint64, entries []CatalogEntry) {
	c.mu.Lock()
	now := c.state.Load()
	if generation < now.generation {
		c.mu.Unlock()
		return
	}
	next := &catalogSet{byName: map[string]*catalog{}, generation: generation}
	for name, k := range now.byName {
		if k.since == 0 {
			next.byName[name] = k
		}
	}
	for _, e := range entries {
		old := now.byName[e.Name]
		switch {
		case next.byName[e.Name] != nil:
		case old != nil && old.since == e.Since:
			next.byName[e.Name] = old
		default:
			next.byName[e.Name] = &catalog{kind: e.Kind, since: e.Since, open: e.Open}
		}
	}
	for name, k := range now.byName {
		if next.byName[name] != k {
			c.retired = append(c.retired, retiredCatalog{k, name, generation})
		}
	}
	c.state.Store(next)
	gone := c.unused()
	c.mu.Unlock()
	closeAll(gone)
}

// View returns the catalogs as they are, for a query: nothing is added to
// them or taken from them until release is called.
func (c *Catalogs) View() (catalogs *Catalogs, release func()) {
	c.mu.Lock()
	defer c.mu.Unlock()
	now := c.state.Load()
	v := c.views[now.generation]
	if v == nil || v.catalogs.state.Load() != now { // Add makes a state without a generation
		v = c.fix(now, v.held())
	}
	return c.hold(v, now.generation)
}

// ViewAt returns the catalogs as they were in a generation, for a query that
// began with them under an earlier coordinator; 0, and what has not been yet,
// stand for now. What was dropped since is there if this process knows it
// still. What took its name since is not: a query never sees both.
func (c *Catalogs) ViewAt(generation uint64) (catalogs *Catalogs, release func()) {
	c.mu.Lock()
	now := c.state.Load()
	if generation == 0 || generation >= now.generation {
		c.mu.Unlock()
		return c.View()
	}
	defer c.mu.Unlock()
	v := c.views[generation]
	if v == nil {
		v = c.fix(c.past(now, generation), 0)
	}
	return c.hold(v, generation)
}

// past returns what is known of the catalogs of an earlier generation. The
// caller holds mu.
func (c *Catalogs) past(now *catalogSet, generation uint64) *catalogSet {
	set := &catalogSet{byName: map[string]*catalog{}, generation: generation}
	for _, r := range c.retired {
		if r.since <= generation && generation < r.until {
			set.byName[r.name] = r.catalog
		}
	}
	for name, k := range now.byName {
		if k.since <= generation {
			set.byName[name] = k
		}
	}
	return set
}

// fix makes the view of a generation. The caller holds mu.
func (c *Catalogs) fix(set *catalogSet, holders int) *view {
	fixed := &Catalogs{}
	fixed.state.Store(set)
	v := &view{catalogs: fixed, holders: holders}
	c.views[set.generation] = v
	return v
}

// hold counts one more holder of a view. The caller holds mu.
func (c *Catalogs) hold(v *view, generation uint64) (catalogs *Catalogs, release func()) {
	v.holders++
	return v.catalogs, sync.OnceFunc(func() { c.release(generation) })
}

func (v *view) held() int {
	if v == nil {
		return 0
	}
	return v.holders
}

func (c *Catalogs) release(generation uint64) {
	c.mu.Lock()
	v := c.views[generation]
	if v.holders--; v.holders == 0 {
		delete(c.views, generation)
	}
	gone := c.unused()
	c.mu.Unlock()
	closeAll(gone)
}

// unused takes from the retired catalogs that no view has their connectors,
// and forgets the oldest of them that are too many. The caller holds mu.
func (c *Catalogs) unused() (gone []connectors.Connector) {
	beyond := len(c.retired) - keepRetired
	c.retired = slices.DeleteFunc(c.retired, func(r retiredCatalog) bool {
		if c.used(r) || !r.mu.TryLock() { // it is just being opened for a query that has ended: next time
			return false
		}
		defer r.mu.Unlock()
		if r.conn != nil {
			gone = append(gone, r.conn)
			r.conn = nil
		}
		beyond--
		return beyond >= 0
	})
	return gone
}

// used reports whether a view may have a catalog. The caller holds mu.
func (c *Catalogs) used(r retiredCatalog) bool {
	for generation := range c.views {
		if generation < r.until {
			return true
		}
	}
	return false
}

func closeAll(gone []connectors.Connector) {
	for _, conn := range gone {
		_ = conn.Close() // nobody is left to hear of it
	}
}

// At returns the catalogs of a query's generation, which is held by its View;
// those of now for any other. It makes Catalogs those of a worker.Manager that
// runs the coordinator's own tasks.
func (c *Catalogs) At(_ context.Context, generation uint64) (exec.Catalogs, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if v := c.views[generation]; v != nil {
		return v.catalogs, nil
	}
	return c, nil
}

// Generation numbers the catalogs as they are: it grows with each change, and
// counts alike on all coordinators of a cluster.
func (c *Catalogs) Generation() uint64 { return c.state.Load().generation }

// List returns the catalogs' names, sorted, and KindOf each one's connector.
func (c *Catalogs) List() []string { return slices.Sorted(maps.Keys(c.state.Load().byName)) }

// KindOf returns the name of a catalog's connector, "" if there is none.
func (c *Catalogs) KindOf(name string) string {
	if k := c.get(name); k != nil {
		return k.kind
	}
	return ""
}

func (c *Catalogs) get(name string) *catalog { return c.state.Load().byName[name] }

// connector returns the catalog's connector, made if it is not there yet.
func (k *catalog) connector(name string) (connectors.Connector, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.conn == nil {
		conn, err := k.open()
		if err != nil {
			return nil, qerr.Wrap(qerr.CatalogNotAvailable, err, "Catalog '%s' is not available", name)
		}
		k.conn = conn
	}
	return k.conn, nil
}

// find returns a catalog's connector, nil if there is no such catalog.
func (c *Catalogs) find(name string) (connectors.Connector, error) {
	k := c.get(name)
	if k == nil {
		return nil, nil
	}
	return k.connector(name)
}

// Connector returns a catalog's connector, for planning and execution.
func (c *Catalogs) Connector(_ context.Context, name string) (connectors.Connector, error) {
	conn, err := c.find(name)
	if conn == nil && err == nil {
		err = qerr.New(qerr.CatalogNotFound, "Catalog '%s' not found", name)
	}
	return conn, err
}

// CatalogExists reports whether there is such a catalog.
func (c *Catalogs) CatalogExists(_ context.Context, name string) (bool, error) {
	return c.get(name) != nil, nil
}

// SchemaExists reports whether a catalog has such a schema.
func (c *Catalogs) SchemaExists(ctx context.Context, name, schema string) (bool, error) {
	conn, err := c.find(name)
	if conn == nil {
		return false, err
	}
	list, err := conn.Schemas(ctx)
	if err != nil || slices.Contains(list, schema) {
		return err == nil, err
	}
	tables, err := conn.Tables(ctx, schema) // a schema may work without being listed
	return len(tables) > 0, err
}

// Schemas lists a catalog's schemas, sorted.
func (c *Catalogs) Schemas(ctx context.Context, name string) ([]string, error) {
	conn, err := c.find(name)
	if conn == nil {
		return nil, err
	}
	return conn.Schemas(ctx)
}

// Tables lists the tables of a schema, sorted.
func (c *Catalogs) Tables(ctx context.Context, name, schema string) ([]string, error) {
	conn, err := c.find(name)
	if conn == nil {
		return nil, err
	}
	return conn.Tables(ctx, schema)
}

// Table describes a table; nil if there is none.
func (c *Catalogs) Table(ctx context.Context, name, schema, table string) (*connectors.Table, error) {
	conn, err := c.find(name)
	if conn == nil {
		return nil, err
	}
	return conn.Table(ctx, schema, table)
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
	conn, err := c.Connector(ctx, name)
	if err != nil {
		return nil, err
	}
	if r, ok := conn.(connectors.PathResolver); ok {
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
	conn, err := c.Connector(context.Background(), name)
	if err != nil {
		return nil, err
	}
	w, ok := conn.(connectors.SchemaWriter)
	if !ok {
		return nil, qerr.New(qerr.NotSupportedCode, "This connector does not support creating schemas")
	}
	return w, nil
}

// Writer returns a catalog's connector as a Writer.
func (c *Catalogs) Writer(name string) (connectors.Writer, error) {
	conn, err := c.Connector(context.Background(), name)
	if err != nil {
		return nil, err
	}
	w, ok := conn.(connectors.Writer)
	if !ok {
		return nil, qerr.New(qerr.NotSupportedCode, "This connector does not support creating tables")
	}
	return w, nil
}
