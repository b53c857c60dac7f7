package objstore

import (
	"cmp"
	"context"
	"io/fs"
	"iter"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// List implements Bucket. Only the folders that can hold matching keys are
// read, and in a flat listing only one.
func (f *File) List(ctx context.Context, opts ListOptions) iter.Seq2[Page, error] {
	return func(yield func(Page, error) bool) {
		p := &pager{opts: opts, ctx: ctx, url: f.url, metrics: f.metrics, yield: yield, start: time.Now()}
		dir := opts.Prefix[:strings.LastIndexByte(opts.Prefix, '/')+1]
		if dir != "" {
			if _, err := f.path(strings.TrimSuffix(dir, "/")); err != nil {
				p.fail(err)
				return
			}
		}
		w := fileWalk{f: f, pager: p}
		if w.dir(dir, nil) {
			p.flush()
		}
	}
}

// fileWalk is one recursive listing.
type fileWalk struct {
	f     *File
	pager *pager
}

// dirEntry is a file or a folder with the name that sorts it among its
// siblings: folders sort as if their name ended in "/", as keys do.
type dirEntry struct {
	sortName string
	info     fs.FileInfo
}

// dir lists the folder whose keys begin with prefix ("" or ending in "/").
// parents are the folders above it, which a link must not lead back to. It
// reports false when the listing is over.
func (w *fileWalk) dir(prefix string, parents []fs.FileInfo) bool {
	if ctx := w.pager.ctx; ctx.Err() != nil {
		return w.pager.fail(ctxErr(ctx, nameOf(w.f.url, prefix)))
	}
	path := filepath.Join(w.f.root, filepath.FromSlash(prefix))
	entries, err := w.read(path, prefix)
	if err != nil {
		return w.missing(prefix, err)
	}
	for _, e := range entries {
		if !w.entry(prefix, e, parents) {
			return false
		}
	}
	return true
}

// missing handles a folder that cannot be read: one that is not there is empty,
// unless it is the bucket itself.
func (w *fileWalk) missing(prefix string, err error) bool {
	if !isNotExist(err) {
		return w.pager.fail(w.f.wrap(strings.TrimSuffix(prefix, "/"), err))
	}
	if _, serr := os.Stat(w.f.root); serr != nil && isNotExist(serr) {
		return w.pager.fail(fail(ErrNoBucket, w.f.url, nil, "no such folder"))
	}
	if prefix == "" && w.isFile() {
		return w.pager.fail(fail(ErrNoBucket, w.f.url, nil, "not a folder"))
	}
	return true
}

// isFile reports whether the root is something else than a folder.
func (w *fileWalk) isFile() bool {
	fi, err := os.Stat(w.f.root)
	return err == nil && !fi.IsDir()
}

// read returns the entries of a folder in key order, without those that
// cannot match, are being written or are neither files nor folders.
func (w *fileWalk) read(path, prefix string) ([]dirEntry, error) {
	names, err := os.ReadDir(path)
	if err != nil {
		return nil, err
	}
	out := make([]dirEntry, 0, len(names))
	for _, de := range names {
		key := prefix + de.Name()
		if strings.HasPrefix(de.Name(), tempPrefix) || !w.canMatch(key, de) {
			continue
		}
		fi, err := os.Stat(filepath.Join(path, de.Name()))
		switch {
		case err != nil && isNotExist(err):
			continue // deleted meanwhile, or a dangling link
		case err != nil && de.Type()&fs.ModeSymlink != 0:
			continue // a link in a circle, or to where we may not look
		case err != nil:
			return nil, err
		case fi.IsDir():
			out = append(out, dirEntry{de.Name() + "/", fi})
		case fi.Mode().IsRegular():
			out = append(out, dirEntry{de.Name(), fi})
		}
	}
	slices.SortFunc(out, func(a, b dirEntry) int { return cmp.Compare(a.sortName, b.sortName) })
	return out, nil
}

// canMatch reports whether the entry, or something below it, can be within the
// prefix and after StartAfter.
func (w *fileWalk) canMatch(key string, de fs.DirEntry) bool {
	want := w.pager.opts.Prefix
	if de.Type().IsRegular() {
		return strings.HasPrefix(key, want)
	}
	key += "/"
	return strings.HasPrefix(key, want) || strings.HasPrefix(want, key)
}

// entry lists one file or folder.
func (w *fileWalk) entry(prefix string, e dirEntry, parents []fs.FileInfo) bool {
	key := prefix + e.sortName
	opts := w.pager.opts
	if !e.info.IsDir() {
		if !strings.HasPrefix(key, opts.Prefix) { // a link to a file
			return true
		}
		return w.pager.add(infoOf(key, e.info))
	}
	if after := opts.StartAfter; after > key && !strings.HasPrefix(after, key) {
		return true // all keys below are before StartAfter
	}
	if slices.ContainsFunc(parents, func(p fs.FileInfo) bool { return os.SameFile(p, e.info) }) {
		return true
	}
	if opts.Flat && len(key) > len(opts.Prefix) {
		return w.pager.addPrefix(key)
	}
	return w.dir(key, append(slices.Clone(parents), e.info))
}
