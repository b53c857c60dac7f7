package parquet

import (
	"context"
	"errors"
	"io"

	"github.com/tuttidb/tutti/connectors"
	"github.com/tuttidb/tutti/sql/expr"
	"github.com/tuttidb/tutti/sql/function"
	"github.com/tuttidb/tutti/sql/types"
)

// pruner decides what of a file need not be read.
type pruner struct {
	conj    []expr.Expr
	columns []Column
	stats   []*statReader // by column; nil: no statistics
	// probes are the conjuncts that ask for equality: bloom filters know.
	probes []probe
}

// probe is a conjunct column = c or column IN (c, …), whose values are encoded
// as a file's bloom filters hash them.
type probe struct {
	column int
	hashes []uint64
}

func (p *pruner) build(cfg *Config) error {
	p.columns = cfg.Columns
	p.conj = append(expr.Conjuncts(cfg.Predicate), expr.Conjuncts(cfg.Hint)...)
	p.stats = make([]*statReader, len(cfg.Columns))
	for i, c := range cfg.Columns {
		p.stats[i] = newStatReader(c.Field, c.Type)
	}
	for _, e := range p.conj {
		if pr, ok := p.probe(e); ok {
			p.probes = append(p.probes, pr)
		}
	}
	return nil
}

// domain returns what is known of a column in a group.
func (p *pruner) domain(g *Group, id expr.ColumnID) Domain {
	c := &p.columns[id]
	if c.Field == nil {
		return constantDomain(c.Value)
	}
	if st := p.stats[id]; st != nil {
		chunk := &g.Chunks[st.leaf.Index]
		return st.domain(&chunk.Stats, chunk.Values)
	}
	return unknown
}

func constantDomain(v any) Domain {
	return Domain{Min: v, Max: v, Nulls: v == nil, Values: v != nil}
}

// wanted reports whether a group's statistics leave a chance that a row of it
// passes. It reads nothing.
func (p *pruner) wanted(r *Reader, g *Group) bool {
	domain := func(id expr.ColumnID) Domain { return p.domain(g, id) }
	for _, e := range p.conj {
		if !MayMatch(e, domain) {
			return false
		}
	}
	for i := range r.filter.dynamic {
		if d := &r.filter.dynamic[i]; d.filter != nil && !meets(p.domain(g, expr.ColumnID(d.column)), d.filter, p.columns[d.column].Type) {
			return false
		}
	}
	return true
}

// meets reports whether a dynamic filter may let a value of the domain pass.
func meets(d Domain, f *connectors.DynamicFilter, t types.Type) bool {
	if f.Empty || !d.Values {
		return false
	}
	if f.Min != nil && compareDomain(function.OpGe, d, f.Min, t)&mayTrue == 0 {
		return false
	}
	if f.Max != nil && compareDomain(function.OpLe, d, f.Max, t)&mayTrue == 0 {
		return false
	}
	if f.Values == nil {
		return true
	}
	for _, v := range f.Values {
		if compareDomain(function.OpEq, d, v, t)&mayTrue != 0 {
			return true
		}
	}
	return false
}

// rows returns the ranges of group i's rows that may pass, by bloom filters
// and by the page index.
func (p *pruner) rows(r *Reader, i int) ([]rowRange, error) {
	g := &r.cfg.File.Groups[i]
	for _, pr := range p.probes {
		may, err := p.bloom(r, g, pr)
		if err != nil || !may {
			return nil, err
		}
	}
	all := []rowRange{{0, g.Rows}}
	for k, st := range p.stats {
		if st == nil {
			continue
		}
		var err error
		if all, err = p.pageRows(r, g, k, all); err != nil || len(all) == 0 {
			return nil, err
		}
	}
	return all, nil
}

// pageRows narrows the ranges by the column index of column k, where there is
// one and some conjunct is about that column alone and not true throughout.
func (p *pruner) pageRows(r *Reader, g *Group, k int, ranges []rowRange) ([]rowRange, error) {
	st := p.stats[k]
	chunk := &g.Chunks[st.leaf.Index]
	if chunk.columnIndex.len == 0 || chunk.offsetIndex.len == 0 {
		return ranges, nil
	}
	whole := p.domain(g, expr.ColumnID(k))
	var conj []expr.Expr
	for _, e := range p.conj {
		if onlyColumn(e, k) && outcomes(e, func(expr.ColumnID) Domain { return whole }) != mayTrue {
			conj = append(conj, e)
		}
	}
	var dynamic []*connectors.DynamicFilter
	for i := range r.filter.dynamic {
		if d := &r.filter.dynamic[i]; d.column == k && d.filter != nil {
			dynamic = append(dynamic, d.filter)
		}
	}
	if len(conj)+len(dynamic) == 0 {
		return ranges, nil
	}
	pages, err := r.pageIndex(g, chunk)
	if err != nil || pages == nil {
		return ranges, err
	}
	kept := pages.keep(func(pg *pageStats) bool {
		d := st.domain(&pg.stats, pg.rows)
		for _, e := range conj {
			if !MayMatch(e, func(expr.ColumnID) Domain { return d }) {
				return false
			}
		}
		for _, f := range dynamic {
			if !meets(d, f, st.typ) {
				return false
			}
		}
		return true
	})
	return intersect(ranges, kept), nil
}

// onlyColumn reports whether e refers to column k and no other.
func onlyColumn(e expr.Expr, k int) bool {
	only := false
	others := false
	expr.Columns(e, func(c *expr.Column) {
		if int(c.ID) == k {
			only = true
		} else {
			others = true
		}
	})
	return only && !others
}

// intersect returns the rows that are in both, each ascending and disjoint.
func intersect(a, b []rowRange) (out []rowRange) {
	for len(a) > 0 && len(b) > 0 {
		from, to := max(a[0].begin, b[0].begin), min(a[0].end, b[0].end)
		if from < to {
			out = append(out, rowRange{from, to})
		}
		if a[0].end < b[0].end {
			a = a[1:]
		} else {
			b = b[1:]
		}
	}
	return out
}

// small reads a few bytes of the file, such as an index, from memory if the
// footer's read brought them along.
func (r *Reader) small(ctx context.Context, s span) ([]byte, error) {
	f := r.cfg.File
	if s.off >= f.tailAt && s.off+s.len <= f.tailAt+int64(len(f.tail)) {
		at := s.off - f.tailAt
		return f.tail[at : at+s.len], nil
	}
	buf := make([]byte, s.len)
	n, err := r.cfg.Bucket.GetRange(ctx, r.cfg.Object.Key, r.cfg.Object.ETag, s.off, buf)
	r.stats.PhysicalBytes += int64(n)
	if errors.Is(err, io.EOF) && n < len(buf) {
		return nil, corrupt("the file is shorter than it was listed with")
	}
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, err
	}
	return buf, nil
}
