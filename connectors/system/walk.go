package system

import (
	"context"
	"iter"
	"slices"
	"sync"

	"github.com/tuttidb/tutti/connectors"
)

// describing is how many tables of a schema are described at once: each may
// be a read of a file's footer.
const describing = 8

// walker goes through catalogs, schemas and tables, no further than a query
// asks. A catalog or table that cannot be read is left out unless the query
// names it: one broken bucket must not keep a tool from listing the others.
type walker struct {
	req *request
	// catalogs, schemas and tables are what the query wants.
	catalogs, schemas, tables *wanted
}

// walk returns a walker for a scan whose table has the names of catalogs,
// schemas and tables in the given columns.
func (r *request) walk(catalog, schema, table int) *walker {
	return &walker{req: r, catalogs: r.wants(catalog), schemas: r.wants(schema), tables: r.wants(table)}
}

// place is a table that the walker found; info is nil unless asked for.
type place struct {
	catalog, schema, table string
	info                   *connectors.Table
}

// eachCatalog yields the catalogs' names and connectors.
func (w *walker) eachCatalog(ctx context.Context, all Catalogs) iter.Seq2[string, connectors.Connector] {
	return func(yield func(string, connectors.Connector) bool) {
		for _, name := range all.List() {
			if !w.catalogs.is(name) {
				continue
			}
			conn, err := all.Connector(ctx, name)
			if err != nil {
				w.skip("catalog", name, err)
				continue
			}
			if !yield(name, conn) {
				return
			}
		}
	}
}

func (w *walker) skip(what, name string, err error) {
	if w.req.log != nil {
		w.req.log.Warn("left out of a system table", what, name, "error", err)
	}
}

// eachSchema returns a catalog's schemas that are wanted and exist.
func (w *walker) eachSchema(ctx context.Context, catalog string, conn connectors.Connector) ([]string, error) {
	list, err := conn.Schemas(ctx)
	if err != nil {
		return nil, w.fail("catalog", catalog, w.catalogs, err)
	}
	return slices.DeleteFunc(slices.Clone(list), func(n string) bool { return !w.schemas.is(n) }), nil
}

// fail returns an error if the query names the thing that it is about, else
// logs it.
func (w *walker) fail(what, name string, named *wanted, err error) error {
	if named.exact {
		return err
	}
	w.skip(what, name, err)
	return nil
}

// places yields the tables of one catalog, described if the caller wants it.
func (w *walker) places(ctx context.Context, catalog string, conn connectors.Connector, describe bool) iter.Seq2[place, error] {
	return func(yield func(place, error) bool) {
		schemas, _, err := w.schemas.of(func() ([]string, error) { return conn.Schemas(ctx) })
		if err != nil {
			if err = w.fail("catalog", catalog, w.catalogs, err); err != nil {
				yield(place{}, err)
			}
			return
		}
		for _, schema := range schemas {
			found, err := w.inSchema(ctx, catalog, schema, conn, describe)
			if err != nil {
				if err = w.fail("schema", catalog+"."+schema, w.schemas, err); err != nil {
					yield(place{}, err)
					return
				}
				continue
			}
			for _, p := range found {
				if !yield(p, nil) {
					return
				}
			}
		}
	}
}

// inSchema returns the tables of one schema, sorted.
func (w *walker) inSchema(ctx context.Context, catalog, schema string, conn connectors.Connector, describe bool) ([]place, error) {
	names, sure, err := w.tables.of(func() ([]string, error) { return conn.Tables(ctx, schema) })
	if err != nil {
		return nil, err
	}
	found := make([]place, len(names))
	for i, n := range names {
		found[i] = place{catalog: catalog, schema: schema, table: n}
	}
	if !describe && !sure {
		return found, nil
	}
	if err := w.describe(ctx, conn, found); err != nil {
		return nil, err
	}
	return slices.DeleteFunc(found, func(p place) bool { return p.info == nil }), nil
}

// describe fills in what the connector says of tables.
func (w *walker) describe(ctx context.Context, conn connectors.Connector, found []place) error {
	errs := make([]error, len(found))
	var wait sync.WaitGroup
	turn := make(chan struct{}, describing)
	for i := range found {
		turn <- struct{}{}
		wait.Go(func() {
			found[i].info, errs[i] = conn.Table(ctx, found[i].schema, found[i].table)
			<-turn
		})
	}
	wait.Wait()
	for i, err := range errs {
		if err == nil {
			continue
		}
		p := found[i]
		if err = w.fail("table", p.catalog+"."+p.schema+"."+p.table, w.tables, err); err != nil {
			return err
		}
		found[i].info = nil
	}
	return ctx.Err()
}
