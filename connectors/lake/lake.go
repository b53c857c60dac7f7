// Package lake serves Parquet files in an object store or a folder as tables.
//
// # Tables without DDL
//
// A catalog has a warehouse, a location such as s3://bucket/prefix or a
// folder. Its folders are schemas, theirs are tables, and all Parquet files
// below a table's folder are its rows:
//
//	WAREHOUSE/SCHEMA/TABLE/**.parquet
//	WAREHOUSE/SCHEMA/TABLE.parquet       a table of one file
//
// Names that begin with "_" or "." are left out. Folders named key=value
// make partition columns, in Hive's way. Names are matched without regard to
// case and shown in lower case.
//
// A table's columns are the union by name of those in its files' footers, of
// a sample when there are many. Where files differ in a column's type, the
// wider one is the table's; a file that lacks a column has nulls there.
//
// Besides, a file or pattern can be read with no table at all (see TableAt).
//
// # One query, one listing
//
// Table lists the files anew for every query, so a file that was dropped in
// the folder is there at once; the catalog may allow older listings. The
// listing stays in the coordinator's memory: a handle names it, and each
// split carries what it needs of its file, with size and etag, and is read
// under the condition that the file has not changed.
//
// # Splits
//
// A split is a range of bytes of a file, and stands for the row groups whose
// middle lies in it; or it is several small files. So splitting needs no
// footers, and works for thousands of files; workers open footers, and cache
// them. The files of a split are opened ahead of their turn (see source).
package lake

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/tuttidb/tutti/connectors"
	"github.com/tuttidb/tutti/connectors/lake/parquet"
	"github.com/tuttidb/tutti/connectors/objstore"
	"github.com/tuttidb/tutti/exec/mem"
	"github.com/tuttidb/tutti/internal/clock"
	"github.com/tuttidb/tutti/internal/qerr"
)

// Config are the settings of a lake catalog. Names in comments are those in a
// catalog's file.
type Config struct {
	// Warehouse (warehouse) is the location of the schemas; "" means that the
	// catalog has none and reads paths only.
	Warehouse string
	// S3 (s3) says how to reach S3.
	S3 objstore.Config
	// AllowPaths (allow-paths) are locations outside of the warehouse whose
	// files may be read by path.
	AllowPaths []string
	// AllowAll lets every path be read: for a process that belongs to the user
	// who asks.
	AllowAll bool
	// ListingStaleness (listing-staleness) is how old the listing may be that a
	// query works with; 0: it is made afresh.
	ListingStaleness time.Duration
}

// Deps are what a Lake works with. Zero fields but Account get defaults.
type Deps struct {
	// Footers and Codecs are shared by all catalogs of a process.
	Footers *parquet.Cache
	Codecs  *parquet.Codecs
	// Account pays for what planning needs; required.
	Account *mem.Account
	Clock   clock.Clock
	Log     *slog.Logger
}

// defaultFooters is the size of the footer cache that a Lake makes itself.
const defaultFooters = 256 << 20

// Lake is the connector.
type Lake struct {
	cfg       Config
	deps      Deps
	warehouse objstore.Location // zero without one
	allowed   []objstore.Location
	opener    *objstore.Opener

	mu       sync.Mutex
	listings listingCache
}

var (
	_ connectors.Connector    = (*Lake)(nil)
	_ connectors.Statistician = (*Lake)(nil)
	_ connectors.Enforcer     = (*Lake)(nil)
	_ connectors.PathResolver = (*Lake)(nil)
)

// New returns the connector of a catalog. It checks the settings and asks
// nothing of the store.
func New(_ context.Context, cfg Config, deps Deps) (*Lake, error) {
	if err := cfg.S3.Check(); err != nil {
		return nil, err
	}
	if deps.Footers == nil {
		deps.Footers = parquet.NewCache(defaultFooters)
	}
	if deps.Codecs == nil {
		deps.Codecs = parquet.NewCodecs()
	}
	if deps.Clock == nil {
		deps.Clock = clock.System{}
	}
	if deps.Log == nil {
		deps.Log = slog.New(slog.DiscardHandler)
	}
	l := &Lake{cfg: cfg, deps: deps, opener: objstore.NewOpener(cfg.S3)}
	if cfg.Warehouse != "" {
		loc, err := objstore.ParseLocation(cfg.Warehouse)
		if err != nil {
			return nil, qerr.Wrap(qerr.InvalidCatalogProperty, err, "warehouse")
		}
		if objstore.HasMeta(cfg.Warehouse) && loc.Scheme == objstore.SchemeS3 {
			return nil, qerr.New(qerr.InvalidCatalogProperty, "warehouse: %q is a pattern", cfg.Warehouse)
		}
		l.warehouse = loc
	}
	for _, p := range cfg.AllowPaths {
		loc, err := objstore.ParseLocation(p)
		if err != nil {
			return nil, qerr.Wrap(qerr.InvalidCatalogProperty, err, "allow-paths")
		}
		l.allowed = append(l.allowed, loc)
	}
	return l, nil
}

// Close implements connectors.Connector.
func (l *Lake) Close() error { return l.opener.Close() }

// visible reports whether a file's or folder's name is one to look at.
func visible(name string) bool {
	return name != "" && name[0] != '_' && name[0] != '.'
}

const suffix = ".parquet"

// tableOfFile returns the table that a file right in a schema's folder is, or "".
func tableOfFile(name string) string {
	if !isParquet(name) {
		return ""
	}
	return name[:len(name)-len(suffix)]
}

func isParquet(name string) bool {
	n := len(name) - len(suffix)
	return n > 0 && strings.EqualFold(name[n:], suffix)
}

// Schemas implements connectors.Connector.
func (l *Lake) Schemas(ctx context.Context) ([]string, error) {
	dirs, _, err := l.children(ctx, "")
	return lowerSorted(dirs), err
}

// Tables implements connectors.Connector.
func (l *Lake) Tables(ctx context.Context, schema string) ([]string, error) {
	dir, err := l.folder(ctx, "", schema)
	if err != nil || dir == "" {
		return nil, err
	}
	dirs, files, err := l.children(ctx, dir)
	for _, f := range files {
		if t := tableOfFile(f); t != "" {
			dirs = append(dirs, t)
		}
	}
	return lowerSorted(dirs), err
}

func lowerSorted(names []string) []string {
	for i, n := range names {
		names[i] = strings.ToLower(n)
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// children lists the visible folders and files right below a folder of the
// warehouse ("" is the warehouse itself). A local warehouse that is not there
// yet is empty.
func (l *Lake) children(ctx context.Context, dir string) (dirs, files []string, err error) {
	if l.cfg.Warehouse == "" {
		return nil, nil, nil
	}
	b, prefix, err := l.opener.Open(ctx, l.warehouse)
	if err != nil {
		return nil, nil, err
	}
	if prefix = objstore.Join(prefix, dir); prefix != "" {
		prefix += "/"
	}
	for page, err := range b.List(ctx, objstore.ListOptions{Prefix: prefix, Flat: true}) {
		if err != nil {
			if l.warehouse.Scheme == objstore.SchemeFile && errors.Is(err, objstore.ErrNoBucket) {
				return nil, nil, nil
			}
			return nil, nil, err
		}
		for _, p := range page.Prefixes {
			if name := strings.TrimSuffix(p[len(prefix):], "/"); visible(name) {
				dirs = append(dirs, name)
			}
		}
		for _, o := range page.Objects {
			if name := o.Key[len(prefix):]; visible(name) && o.Size > 0 {
				files = append(files, name)
			}
		}
	}
	return dirs, files, nil
}

// folder returns the path below the warehouse of the folder called name in
// dir, whatever its case; "" if there is none.
func (l *Lake) folder(ctx context.Context, dir, name string) (string, error) {
	dirs, _, err := l.children(ctx, dir)
	if err != nil {
		return "", err
	}
	if slices.Contains(dirs, name) {
		return objstore.Join(dir, name), nil
	}
	for _, d := range dirs {
		if strings.EqualFold(d, name) {
			return objstore.Join(dir, d), nil
		}
	}
	return "", nil
}

// Table implements connectors.Connector.
func (l *Lake) Table(ctx context.Context, schema, table string) (*connectors.Table, error) {
	if l.cfg.Warehouse == "" || !plainName(schema) || !plainName(table) {
		return nil, nil
	}
	ls, err := l.tableListing(ctx, schema, table)
	if err != nil || ls == nil {
		return nil, err
	}
	t, err := l.describe(ctx, ls)
	if err != nil {
		return nil, err
	}
	t.Schema, t.Name = strings.ToLower(schema), strings.ToLower(table)
	return t, nil
}

// plainName reports whether a name can be that of a folder.
func plainName(s string) bool {
	return visible(s) && !strings.ContainsAny(s, "/\\\x00")
}

// describe makes a table of a listing.
func (l *Lake) describe(ctx context.Context, ls *listing) (*connectors.Table, error) {
	cols, err := l.columns(ctx, ls)
	if err != nil {
		return nil, err
	}
	h := handle{Version: handleVersion, Root: ls.root, ID: ls.id, Keys: ls.keys}
	return &connectors.Table{Columns: cols, Handle: h.encode()}, nil
}
