package lake

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"

	"github.com/tuttidb/tutti/connectors"
	"github.com/tuttidb/tutti/connectors/objstore"
	"github.com/tuttidb/tutti/internal/qerr"
)

// TableAt implements connectors.PathResolver. The path is a file, a pattern
// ('s3://bucket/path/*.parquet', see objstore.Glob), or a folder, which means
// all Parquet files below it. key=value folders in the path are columns.
func (l *Lake) TableAt(ctx context.Context, path string) (*connectors.Table, error) {
	ls, err := l.listPath(ctx, path)
	if err != nil {
		return nil, err
	}
	t, err := l.describe(ctx, ls)
	if err != nil {
		return nil, err
	}
	t.Name = path
	return t, nil
}

// listPath lists the files that a path names; an error if there are none.
func (l *Lake) listPath(ctx context.Context, path string) (*listing, error) {
	loc, err := objstore.ParseLocation(path)
	if err != nil {
		return nil, err
	}
	if err := l.allow(loc, path); err != nil {
		return nil, err
	}
	if ls := l.recent("path:" + path); ls != nil {
		return ls, nil
	}
	ls, err := l.listPattern(ctx, loc)
	if err == nil && ls == nil {
		err = l.emptyFile(ctx, loc)
	}
	if err != nil && !(loc.Scheme == objstore.SchemeFile && errors.Is(err, objstore.ErrNoBucket)) {
		return nil, err
	}
	if ls == nil {
		return nil, qerr.New(qerr.TableNotFound, "no files match '%s'", path)
	}
	l.remember("path:"+path, ls)
	return ls, nil
}

// listPattern lists what a location matches; nil if nothing does.
func (l *Lake) listPattern(ctx context.Context, loc objstore.Location) (*listing, error) {
	b, pattern, err := l.opener.OpenGlob(ctx, loc)
	if err != nil {
		return nil, err
	}
	if objstore.HasMeta(pattern) {
		// Whatever their suffix: the pattern says which files are meant.
		return l.list(objstore.Glob(ctx, b, pattern), b, literalFolder(pattern), notHidden)
	}
	if pattern != "" && !strings.HasSuffix(pattern, "/") {
		ls, err := l.list(objstore.Glob(ctx, b, pattern), b, pattern, func(string) bool { return true })
		if ls != nil || err != nil {
			return ls, err
		}
		pattern += "/" // no such file: perhaps a folder of an object store
	}
	return l.list(listAll(ctx, b, pattern), b, pattern, func(rel string) bool { return isParquet(rel) && notHidden(rel) })
}

// emptyFile returns an error if a location names a file without bytes, which
// listings leave out.
func (l *Lake) emptyFile(ctx context.Context, loc objstore.Location) error {
	b, key, err := l.opener.OpenGlob(ctx, loc)
	if err != nil || key == "" || objstore.HasMeta(key) || strings.HasSuffix(key, "/") {
		return err
	}
	if o, err := b.Stat(ctx, key); err == nil && o.Size == 0 {
		return qerr.New(qerr.LakeBadData, "%s/%s: not a Parquet file: it is empty", b.URL(), key)
	}
	return nil
}

// literalFolder returns the folders of a pattern before its first wildcard.
func literalFolder(pattern string) string {
	i := strings.IndexFunc(pattern, func(r rune) bool { return objstore.HasMeta(string(r)) })
	return pattern[:strings.LastIndexByte(pattern[:max(i, 0)], '/')+1]
}

// notHidden reports whether no part of a key begins with "_" or ".".
func notHidden(key string) bool {
	for part := range strings.SplitSeq(key, "/") {
		if !visible(part) {
			return false
		}
	}
	return true
}

// allow returns an error unless the settings let a path be read.
func (l *Lake) allow(loc objstore.Location, path string) error {
	if l.cfg.AllowAll {
		return nil
	}
	base, pattern := loc.Split()
	if strings.Contains("/"+pattern+"/", "/../") {
		return qerr.New(qerr.PermissionDenied, "Access Denied: the path '%s' has \"..\" after a wildcard", path)
	}
	if pattern != "" && !objstore.HasMeta(pattern) {
		base = base.Append(pattern)
	}
	if l.cfg.Warehouse != "" && l.warehouse.Contains(base) {
		return nil
	}
	for _, a := range l.allowed {
		if a.Contains(base) {
			return nil
		}
	}
	return qerr.New(qerr.PermissionDenied, "Access Denied: '%s' is outside of the catalog's warehouse; its setting allow-paths can name further locations", path)
}

// confine refuses files of a local folder that links lead to out of what may be
// read: who can make a link in the warehouse need not be who may read what the
// server can.
func (l *Lake) confine(ls *listing) error {
	loc, err := objstore.ParseLocation(ls.root)
	if err != nil || l.cfg.AllowAll || loc.Scheme != objstore.SchemeFile {
		return err
	}
	roots := l.realRoots()
	folders := map[string]bool{} // whether they lie within the roots
	for i := range ls.files {
		path := filepath.Join(loc.Path, filepath.FromSlash(ls.files[i].Key))
		dir := filepath.Dir(path)
		inside, known := folders[dir]
		if !known {
			inside = within(dir, roots)
			folders[dir] = inside
		}
		if fi, err := os.Lstat(path); err == nil && fi.Mode()&os.ModeSymlink != 0 {
			inside = within(path, roots)
		}
		if !inside {
			return qerr.New(qerr.PermissionDenied, "Access Denied: a link leads from '%s/%s' out of the catalog's warehouse; its setting allow-paths can name further locations", ls.root, ls.files[i].Key)
		}
	}
	return nil
}

// realRoots returns the local folders that may be read, links resolved.
func (l *Lake) realRoots() (roots []string) {
	locs := l.allowed
	if l.cfg.Warehouse != "" {
		locs = append([]objstore.Location{l.warehouse}, locs...)
	}
	for _, loc := range locs {
		if loc.Scheme != objstore.SchemeFile {
			continue
		}
		abs, err := filepath.Abs(loc.Path)
		if err != nil {
			continue
		}
		if real, err := filepath.EvalSymlinks(abs); err == nil {
			roots = append(roots, real)
		}
	}
	return roots
}

// within reports whether a path, links resolved, is one of the roots or below
// it. What is gone meanwhile is for its reader to report.
func within(path string, roots []string) bool {
	real, err := filepath.EvalSymlinks(path)
	if err != nil {
		return true
	}
	for _, root := range roots {
		if rel, err := filepath.Rel(root, real); err == nil && filepath.IsLocal(rel) {
			return true
		}
	}
	return false
}
