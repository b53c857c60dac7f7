package lake

import (
	"context"

	"github.com/tuttidb/tutti/connectors"
	"github.com/tuttidb/tutti/exec/kernel"
	"github.com/tuttidb/tutti/exec/vector"
	"github.com/tuttidb/tutti/internal/qerr"
	"github.com/tuttidb/tutti/sql/expr"
)

const (
	// Splits weigh between minSplit and maxSplit bytes, such that a scan has
	// about wantedSplits: enough that drivers end at about the same time, and
	// few enough that each is worth its overhead.
	minSplit     = 8 << 20
	maxSplit     = 64 << 20
	wantedSplits = 32
	// openCost is what opening a file weighs beside its bytes: about what could
	// be read of it in that time. So a split has no more than 64 files.
	openCost = 1 << 20
	// limitFiles is the number of footers that are looked at to find how many
	// files a scan with a limit needs.
	limitFiles = 8
)

// snapshot returns the listing that a handle names. An instance that did not
// make it lists again, and refuses to go on if the files are others by now.
func (l *Lake) snapshot(ctx context.Context, scan *connectors.Scan) (*listing, handle, error) {
	h, err := decodeHandle(scan.Handle)
	if err != nil {
		return nil, h, err
	}
	l.mu.Lock()
	ls := l.listings.byID[h.ID]
	l.mu.Unlock()
	if ls != nil {
		return ls, h, nil
	}
	if scan.Schema == "" {
		ls, err = l.listPath(ctx, scan.Table)
	} else {
		ls, err = l.tableListing(ctx, scan.Schema, scan.Table)
	}
	if err != nil {
		return nil, h, err
	}
	if ls == nil || ls.id != h.ID {
		return nil, h, qerr.New(qerr.LakeFileChanged, "the files of %s changed while the query was planned; run the query again", scan.Table).WithRetry()
	}
	return ls, h, nil
}

// Splits implements connectors.Connector.
func (l *Lake) Splits(ctx context.Context, scan *connectors.Scan) (connectors.SplitSource, error) {
	ls, _, err := l.snapshot(ctx, scan)
	if err != nil {
		return nil, err
	}
	files, err := l.prune(ls, scan)
	if err != nil {
		return nil, err
	}
	files = l.limited(ctx, ls, scan, files)
	s := &splitSource{root: ls.root, files: files}
	var total int64
	for i := range files {
		total += files[i].weight()
	}
	s.target = min(max(total/wantedSplits, minSplit), maxSplit)
	return s, nil
}

// weight is the work of reading a file, in bytes.
func (f *file) weight() int64 { return f.Size + openCost }

// limited leaves out the files that a scan with a limit, and no condition, does
// not come to. What cannot be told soon is left to the readers.
func (l *Lake) limited(ctx context.Context, ls *listing, scan *connectors.Scan, files []file) []file {
	if scan.Limit < 0 || scan.Predicate != nil || scan.Hint != nil || len(scan.Dynamic) > 0 {
		return files
	}
	var rows int64
	for i := range files[:min(len(files), limitFiles)] {
		f, err := l.deps.Footers.Open(ctx, ls.bucket, files[i].ObjectInfo)
		if err != nil {
			return files // the reader will say so
		}
		if rows += f.Rows; rows >= scan.Limit {
			return files[:i+1]
		}
	}
	return files
}

// splitSource cuts files into ranges of about target bytes, and puts small
// files together up to there.
type splitSource struct {
	root   string
	files  []file
	target int64
	parts  int64 // of files[0] that were handed out
}

// Next implements connectors.SplitSource.
func (s *splitSource) Next(ctx context.Context, max int) ([]connectors.Split, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	var out []connectors.Split
	for len(out) < max && len(s.files) > 0 {
		out = append(out, s.next())
	}
	return out, nil
}

// next makes one split.
func (s *splitSource) next() connectors.Split {
	f := &s.files[0]
	split := connectors.Split{Affinity: s.root + "/" + f.Key}
	info := splitInfo{Version: handleVersion}
	n := max((f.Size+s.target/2)/s.target, 1)
	if n > 1 {
		from, to := f.Size*s.parts/n, f.Size*(s.parts+1)/n
		info.Files = []splitFile{f.part(from, to)}
		split.Bytes = to - from
		if s.parts++; s.parts == n {
			s.files, s.parts = s.files[1:], 0
		}
	} else {
		for weight := int64(0); len(s.files) > 0; s.files = s.files[1:] {
			f := &s.files[0]
			if weight += f.weight(); weight > s.target && len(info.Files) > 0 {
				break
			}
			info.Files = append(info.Files, f.part(0, f.Size))
			split.Bytes += f.Size
		}
	}
	split.Payload = info.encode()
	return split
}

// part describes bytes from to to-1 of the file.
func (f *file) part(from, to int64) splitFile {
	return splitFile{
		Key: []byte(f.Key), Size: f.Size, ETag: f.ETag, Modified: f.ModTime.UnixMilli(),
		From: from, To: to, Values: f.values,
	}
}

// Close implements connectors.SplitSource.
func (s *splitSource) Close() error {
	s.files = nil
	return nil
}

// prune returns the files whose partition values, path, size and time leave a
// chance for a row to pass the scan's predicate and hint.
func (l *Lake) prune(ls *listing, scan *connectors.Scan) ([]file, error) {
	known := map[expr.ColumnID]bool{}
	for i, c := range scan.Columns {
		if _, hidden := hiddenType(c.Name); hidden || ls.key(c.Name) >= 0 {
			known[expr.ColumnID(i)] = true
		}
	}
	var conj []expr.Expr
	for _, e := range append(expr.Conjuncts(scan.Predicate), expr.Conjuncts(scan.Hint)...) {
		if about(e, known) && !kernel.CanFail(e) && sessionFree(e) {
			conj = append(conj, e)
		}
	}
	if len(conj) == 0 {
		return ls.files, nil
	}
	filter, err := kernel.CompileFilter(&kernel.Env{Account: l.deps.Account}, and(conj))
	if err != nil {
		return ls.files, nil // no code for it: the reader will say so
	}
	defer filter.Close()
	return l.pruneWith(filter, ls, scan, known)
}

// about reports whether e is about columns in known alone, and at least one.
func about(e expr.Expr, known map[expr.ColumnID]bool) bool {
	some, others := false, false
	expr.Columns(e, func(c *expr.Column) {
		some = true
		others = others || !known[c.ID]
	})
	return some && !others
}

// and joins conditions; nil if there are none.
func and(es []expr.Expr) expr.Expr {
	switch len(es) {
	case 0:
		return nil
	case 1:
		return es[0]
	}
	return &expr.Form{Op: expr.And, Args: es, Typ: es[0].Type()}
}

// key returns the number of the partition column called name, or -1.
func (ls *listing) key(name string) int {
	for i, k := range ls.keys {
		if k == name {
			return i
		}
	}
	return -1
}

// pruneWith applies a filter to files as if they were rows.
func (l *Lake) pruneWith(filter *kernel.Filter, ls *listing, scan *connectors.Scan, known map[expr.ColumnID]bool) (kept []file, err error) {
	builders := make([]*vector.Builder, len(scan.Columns))
	batch := vector.Batch{Cols: make([]*vector.Vector, len(scan.Columns))}
	for i := range known {
		b := vector.NewBuilder(l.deps.Account, scan.Columns[i].Type)
		defer b.Release()
		builders[i] = b
	}
	for files := ls.files; len(files) > 0; {
		n := min(len(files), vector.DefaultRows)
		for id := range known {
			b := builders[id]
			b.Reset()
			for k := range files[:n] {
				if err := ls.appendKnown(b, &files[k], &scan.Columns[id]); err != nil {
					return nil, err
				}
			}
			batch.Cols[id] = b.Vector()
		}
		batch.N = n
		sel, err := filter.Apply(&batch)
		if err != nil {
			return nil, err
		}
		if sel == nil {
			kept = append(kept, files[:n]...)
		}
		for _, r := range sel {
			kept = append(kept, files[r])
		}
		files = files[n:]
	}
	return kept, nil
}

// appendKnown appends the value that a column has for all rows of a file.
func (ls *listing) appendKnown(b *vector.Builder, f *file, c *connectors.ScanColumn) error {
	if k := ls.key(c.Name); k >= 0 {
		v, err := partitionValue(c.Type, f.values[k])
		if err != nil {
			return err
		}
		return kernel.AppendValue(b, c.Type, v)
	}
	info := f.part(0, f.Size)
	return kernel.AppendValue(b, c.Type, hiddenValue(c.Name, ls.root, &info))
}
