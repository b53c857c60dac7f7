package lake

import (
	"context"
	"slices"
	"strings"
	"sync"

	"github.com/tuttidb/tutti/connectors"
	"github.com/tuttidb/tutti/connectors/lake/parquet"
	"github.com/tuttidb/tutti/internal/qerr"
	"github.com/tuttidb/tutti/sql/types"
)

const (
	// schemaSample is the number of files whose footers make a table's schema.
	schemaSample = 32
	// footerReads bounds the footers that are read at once.
	footerReads = 16
)

// sample returns up to n files, spread evenly, with the first and the last.
func sample(files []file, n int) []file {
	if len(files) <= n {
		return files
	}
	out := make([]file, 0, n)
	for i := range n {
		out = append(out, files[i*(len(files)-1)/(n-1)])
	}
	return out
}

// footers opens the footers of files, in their order.
func (l *Lake) footers(ctx context.Context, ls *listing, files []file) ([]*parquet.File, error) {
	out := make([]*parquet.File, len(files))
	errs := make([]error, len(files))
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	next := make(chan int)
	var wg sync.WaitGroup
	for range min(footerReads, len(files)) {
		wg.Add(1)
		go func() {
			defer wg.Done()
			for i := range next {
				if out[i], errs[i] = l.deps.Footers.Open(ctx, ls.bucket, files[i].ObjectInfo); errs[i] != nil {
					cancel() // the rest is of no use
				}
			}
		}()
	}
	for i := range files {
		next <- i
	}
	close(next)
	wg.Wait()
	return out, firstError(errs)
}

// firstError returns the error that was the cause of the others: the first
// that is not merely the context's end.
func firstError(errs []error) error {
	var first error
	for _, err := range errs {
		if err != nil && (first == nil || qerr.From(first).Code == qerr.UserCanceled) {
			first = err
		}
	}
	return first
}

// columns finds a table's columns: those in the files, the partition keys,
// the hidden ones.
func (l *Lake) columns(ctx context.Context, ls *listing) ([]connectors.Column, error) {
	files := sample(ls.files, schemaSample)
	footers, err := l.footers(ctx, ls, files)
	if err != nil {
		return nil, err
	}
	u := union{place: map[string]int{}}
	for _, f := range footers {
		if err := u.add(f, ls.keys); err != nil {
			return nil, err
		}
	}
	for i, k := range ls.keys {
		u.cols = append(u.cols, connectors.Column{Name: k, Type: ls.kinds[i], Extra: "partition key"})
	}
	for _, name := range []string{colPath, colSize, colModified} {
		t, _ := hiddenType(name)
		u.cols = append(u.cols, connectors.Column{Name: name, Type: t, Hidden: true, NotNull: true})
	}
	return u.cols, nil
}

// union gathers the columns of files by name.
type union struct {
	cols  []connectors.Column
	from  []string // the file that gave each column its type
	place map[string]int
}

// add adds a file's columns, but for those that are partition keys too: there
// the folder's name counts, as in Hive.
func (u *union) add(f *parquet.File, keys []string) error {
	seen := map[string]string{}
	for _, field := range f.Fields {
		name := strings.ToLower(field.Name)
		if other, twice := seen[name]; twice {
			return qerr.New(qerr.LakeInvalidStructure, "%s: the columns %q and %q cannot be told apart without regard to case", f.Name, other, field.Name)
		}
		seen[name] = field.Name
		if slices.Contains(keys, name) {
			continue
		}
		i, known := u.place[name]
		if !known {
			u.place[name] = len(u.cols)
			u.cols = append(u.cols, connectors.Column{Name: name, Type: field.Type})
			u.from = append(u.from, f.Name)
			continue
		}
		t, ok := widest(u.cols[i].Type, field.Type)
		if !ok {
			return qerr.New(qerr.LakeSchemaMismatch, "column %q is %s in %s but %s in %s",
				name, u.cols[i].Type, u.from[i], field.Type, f.Name)
		}
		if !t.Equal(u.cols[i].Type) {
			u.cols[i].Type, u.from[i] = t, f.Name
		}
	}
	return nil
}

// widest returns the type that values of both types can be read as without
// loss.
func widest(a, b types.Type) (types.Type, bool) {
	switch {
	case parquet.Widens(a, b):
		return b, true
	case parquet.Widens(b, a):
		return a, true
	case a.Kind == types.Row && b.Kind == types.Row:
		return widestRow(a, b)
	case a.Kind == types.Array && b.Kind == types.Array:
		t, ok := widest(a.Elem(0), b.Elem(0))
		return types.ArrayOf(t), ok
	case a.Kind == types.Map && b.Kind == types.Map:
		k, ok1 := widest(a.Elem(0), b.Elem(0))
		v, ok2 := widest(a.Elem(1), b.Elem(1))
		return types.MapOf(k, v), ok1 && ok2
	case a.IsNumeric() && b.IsNumeric() && !a.IsFloat() && !b.IsFloat():
		t, ok := types.CommonSuper(a, b)
		return t, ok && parquet.Widens(a, t) && parquet.Widens(b, t)
	}
	return a, false
}

// widestRow unites the fields of two rows by name.
func widestRow(a, b types.Type) (types.Type, bool) {
	kinds, names := slices.Clone(a.Elems()), slices.Clone(a.FieldNames())
	for i, name := range b.FieldNames() {
		at := slices.IndexFunc(names, func(n string) bool { return strings.EqualFold(n, name) })
		if at < 0 {
			kinds, names = append(kinds, b.Elem(i)), append(names, name)
			continue
		}
		t, ok := widest(kinds[at], b.Elem(i))
		if !ok {
			return a, false
		}
		kinds[at] = t
	}
	return types.RowOf(kinds, names), true
}
