package parquet

import (
	"strings"

	"github.com/tuttidb/tutti/exec/mem"
	"github.com/tuttidb/tutti/exec/vector"
	"github.com/tuttidb/tutti/sql/types"
)

// nestedColumn reads an array, map or row. Each leaf below it has one entry
// for each value and for each place where there is none, with two levels: the
// definition level says how deep the path to it is not null, the repetition
// level which list it continues (0 begins a row). A batch is read in two
// steps: the leaves' entries and values of n rows, then the vectors of the
// tree, each from the levels of one leaf below it (Melnik et al., "Dremel").
type nestedColumn struct {
	root   *nestNode
	leaves []*nestLeaf
	behind int
}

// nestNode is a node of the tree that a nested column's vector is.
type nestNode struct {
	field *Field // nil: the file lacks it
	typ   types.Type
	kids  []*nestNode
	leaf  *nestLeaf // of a leaf
	any   *nestLeaf // a leaf below, whose levels tell the node's shape
	// rep and def say which entries are the node's rows: those that repeat no
	// deeper than rep and are defined to def at least.
	rep, def int

	out     vector.Vector
	offsets *mem.Buf
	valid   vector.Bitmap
	nulls   *vector.Builder // of a missing field
	account *allocator
}

func newNested(cfg *Config, f *Field, t types.Type) (column, error) {
	c := &nestedColumn{}
	root, err := c.node(cfg, f, t, 0, 0)
	if err != nil {
		return nil, err
	}
	c.root = root
	return c, nil
}

// node makes the tree below f, read as t.
func (c *nestedColumn) node(cfg *Config, f *Field, t types.Type, rep, def int) (*nestNode, error) {
	n := &nestNode{field: f, typ: t, rep: rep, def: def, account: cfg.alloc}
	n.out = vector.Vector{Type: t, Enc: vector.Flat}
	if f == nil {
		n.nulls = vector.NewBuilder(cfg.Account, t)
		return n, nil
	}
	if f.Leaf != nil {
		return n, c.leaf(cfg, n, t)
	}
	if f.Type.Kind != t.Kind {
		return nil, unsupported("column %q: reading %s as %s", f.Name, f.Type, t)
	}
	if t.Kind != types.Row {
		rep, def = f.rep, f.elemDef
	}
	for i, e := range t.Elems() {
		kid, err := c.node(cfg, n.kidField(i), e, rep, def)
		if err != nil {
			return nil, err
		}
		n.kids = append(n.kids, kid)
		n.out.Kids = append(n.out.Kids, nil)
		if n.any == nil {
			n.any = kid.any
		}
	}
	if n.any == nil {
		return n, c.shape(cfg, n)
	}
	return n, nil
}

// kidField returns the file's field for child i of the node's type: rows go
// by name.
func (n *nestNode) kidField(i int) *Field {
	if n.typ.Kind != types.Row {
		return n.field.Kids[i]
	}
	for _, k := range n.field.Kids {
		if strings.EqualFold(k.Name, n.typ.FieldNames()[i]) {
			return k
		}
	}
	return nil
}

// leaf makes n a leaf.
func (c *nestedColumn) leaf(cfg *Config, n *nestNode, t types.Type) error {
	l, err := newLayout(n.field.Leaf, t)
	if err != nil {
		return inColumn(n.field.Leaf.Path, err)
	}
	n.leaf = &nestLeaf{}
	n.leaf.pages.setUp(cfg, n.field.Leaf, t, l)
	n.leaf.out.account = cfg.alloc
	n.leaf.keepValues = true
	n.any = n.leaf
	c.leaves = append(c.leaves, n.leaf)
	return nil
}

// shape adds a leaf whose levels alone are wanted: for a row of which no field
// that the file has is read.
func (c *nestedColumn) shape(cfg *Config, n *nestNode) error {
	f := n.field
	for f.Leaf == nil {
		f = f.Kids[0]
	}
	l, err := newLayout(f.Leaf, f.Leaf.Type)
	if err != nil {
		return inColumn(f.Leaf.Path, err)
	}
	n.any = &nestLeaf{}
	n.any.pages.setUp(cfg, f.Leaf, f.Leaf.Type, l)
	n.any.out.account = cfg.alloc
	c.leaves = append(c.leaves, n.any)
	return nil
}

func (c *nestedColumn) start(chunks []chunkData) {
	c.behind = 0
	for _, l := range c.leaves {
		for _, d := range chunks {
			if d.leaf == l.pages.leaf.Index {
				l.pages.start(d.chunk, d.parts)
			}
		}
		l.pos, l.have = 0, 0
	}
}

func (c *nestedColumn) skip(n int) { c.behind += n }

func (c *nestedColumn) release() {
	for _, l := range c.leaves {
		l.pages.release()
	}
}

func (c *nestedColumn) dictionary() (*vector.Vector, error) { return nil, nil }

func (c *nestedColumn) close() {
	for _, l := range c.leaves {
		l.pages.close()
		l.out.close()
		l.levels.Release()
		l.levels = nil
	}
	if c.root != nil {
		c.root.close()
	}
}

func (n *nestNode) close() {
	n.offsets.Release()
	n.offsets = nil
	if n.nulls != nil {
		n.nulls.Release()
	}
	for _, k := range n.kids {
		k.close()
	}
}

func (c *nestedColumn) read(n int, _ []int32) (*vector.Vector, error) {
	for _, l := range c.leaves {
		err := l.pass(c.behind)
		if err == nil {
			err = l.read(n)
		}
		if err != nil {
			return nil, inColumn(l.pages.leaf.Path, err)
		}
	}
	c.behind = 0
	v, err := c.root.build(n)
	if err != nil {
		return nil, inColumn(c.root.field.Name, err)
	}
	if v.N != n {
		return nil, inColumn(c.root.field.Name, corrupt("%d rows instead of %d", v.N, n))
	}
	return v, nil
}

// build makes the node's vector of the batch; rows is its length where no
// level tells (missing fields).
func (n *nestNode) build(rows int) (*vector.Vector, error) {
	switch {
	case n.field == nil:
		return n.buildNulls(rows)
	case n.leaf != nil:
		return n.buildLeaf()
	case n.typ.Kind == types.Row:
		return n.buildRow()
	}
	return n.buildList()
}

func (n *nestNode) buildNulls(rows int) (*vector.Vector, error) {
	n.nulls.Reset()
	for range rows {
		if err := n.nulls.AppendNull(); err != nil {
			return nil, err
		}
	}
	return n.nulls.Vector(), nil
}

// rows counts the node's rows in the batch and sets valid: those defined to
// level def are not null.
func (n *nestNode) rows(def int) (rows, nulls int) {
	reps, defs := n.any.entries()
	n.valid = n.valid.Resize(max(len(reps), 1))
	for i, r := range reps {
		if int(r) > n.rep || int(defs[i]) < n.def {
			continue
		}
		if int(defs[i]) >= def {
			n.valid.Set(rows)
		} else {
			n.valid.Clear(rows)
			nulls++
		}
		rows++
	}
	n.out.N, n.out.Valid = rows, n.valid
	if nulls == 0 {
		n.out.Valid = nil
	}
	return rows, nulls
}

func (n *nestNode) buildLeaf() (*vector.Vector, error) {
	l := n.leaf
	rows, nulls := n.rows(l.pages.leaf.MaxDef)
	if rows-nulls != l.dense {
		return nil, corrupt("%d values where the levels have %d", l.dense, rows-nulls)
	}
	s := &l.out
	if err := s.enlarge(rows); err != nil {
		return nil, err
	}
	if err := s.toFlat(&l.pages, 0); err != nil {
		return nil, err
	}
	s.v.N, s.v.Valid, s.v.Data = rows, n.out.Valid, s.v.Data[:rows*s.width]
	if nulls > 0 {
		if err := s.spread(&l.pages, 0, rows, l.dense); err != nil {
			return nil, err
		}
	}
	return &s.v, nil
}

func (n *nestNode) buildRow() (*vector.Vector, error) {
	rows, _ := n.rows(n.field.def)
	return n.buildKids(rows)
}

// buildKids builds the children, which must all have rows rows.
func (n *nestNode) buildKids(rows int) (*vector.Vector, error) {
	for i, k := range n.kids {
		v, err := k.build(rows)
		if err != nil {
			return nil, err
		}
		if v.N != rows {
			return nil, corrupt("the levels of the columns within %q contradict each other", n.field.Name)
		}
		n.out.Kids[i] = v
	}
	return &n.out, nil
}

func (n *nestNode) buildList() (*vector.Vector, error) {
	rows, _ := n.rows(n.field.def)
	if n.offsets == nil {
		buf, err := n.account.Alloc((rows + 1) * 4)
		if err != nil {
			return nil, err
		}
		n.offsets = buf
	}
	if err := n.account.Grow(n.offsets, (rows+1)*4); err != nil {
		return nil, err
	}
	offsets := vector.Cast[int32](n.offsets.B)[:rows+1]
	reps, defs := n.any.entries()
	row, elems := 0, int32(0)
	for i, r := range reps {
		if int(r) <= n.rep && int(defs[i]) >= n.def {
			offsets[row] = elems
			row++
		}
		if int(r) <= n.field.rep && int(defs[i]) >= n.field.elemDef {
			elems++
		}
	}
	offsets[rows] = elems
	n.out.Offsets = offsets
	return n.buildKids(int(elems))
}

// levelBatch is how many levels are decoded at once.
const levelBatch = 1024

// nestLeaf reads the entries of one leaf.
type nestLeaf struct {
	pages pages
	out   sink // the values that are there, without gaps until built
	dense int  // how many they are
	// keepValues is false where only the levels matter.
	keepValues bool

	// levels holds the batch's entries: count repetition levels, a byte each,
	// in the first half, the definition levels in the second.
	levels *mem.Buf
	count  int

	// Levels decoded from the current page and not yet taken.
	reps, defs [levelBatch]int32
	pos, have  int
}

// entries returns the levels of the batch.
func (l *nestLeaf) entries() (reps, defs []byte) {
	if l.levels == nil {
		return nil, nil
	}
	half := len(l.levels.B) / 2
	return l.levels.B[:l.count], l.levels.B[half : half+l.count]
}

// ended reports whether no entry is left in the chunk.
func (l *nestLeaf) ended() bool {
	return l.pos == l.have && l.pages.left == 0 && l.pages.unread <= 0
}

// fill decodes more levels.
func (l *nestLeaf) fill() error {
	p := &l.pages
	if p.left == 0 {
		if err := p.nextPage(); err != nil {
			return err
		}
	}
	if err := p.open(); err != nil {
		return err
	}
	k := min(levelBatch, p.left)
	clear(l.reps[:k])
	clear(l.defs[:k])
	if p.leaf.MaxRep > 0 {
		if err := p.reps.read(l.reps[:k]); err != nil {
			return err
		}
	}
	if p.leaf.MaxDef > 0 {
		if err := p.defs.read(l.defs[:k]); err != nil {
			return err
		}
	}
	l.pos, l.have = 0, k
	p.left -= k
	return nil
}

// pass skips rows rows, whole pages at once where that is possible.
func (l *nestLeaf) pass(rows int) error {
	p := &l.pages
	for rows > 0 {
		if l.pos == l.have && p.left == 0 {
			if err := p.nextPage(); err != nil {
				return err
			}
			in := p.head.rows
			if p.leaf.MaxRep == 0 {
				in = p.head.values
			}
			if in > 0 && in <= rows {
				p.left = 0
				rows -= in
				continue
			}
		}
		break
	}
	return l.take(rows, false)
}

func (l *nestLeaf) read(rows int) error {
	l.count, l.dense = 0, 0
	l.out.begin(l.pages.typ, l.pages.layout.dstW, 0)
	l.out.v.Enc = vector.Flat
	return l.take(rows, true)
}

// take reads the entries of rows rows, and keeps them or not. It looks one
// entry ahead, as only the next row's first one ends a row.
func (l *nestLeaf) take(rows int, keep bool) error {
	begun := 0
	for rows > 0 {
		if l.ended() {
			if begun < rows {
				return corrupt("the pages end before all rows were read")
			}
			return nil
		}
		if l.pos == l.have {
			if err := l.fill(); err != nil {
				return err
			}
		}
		from, present, full := l.pos, 0, false
		for ; l.pos < l.have; l.pos++ {
			if l.reps[l.pos] == 0 {
				if begun == rows {
					full = true
					break
				}
				begun++
			} else if begun == 0 {
				return corrupt("a row begins in the middle of a list")
			}
			if int(l.defs[l.pos]) == l.pages.leaf.MaxDef {
				present++
			}
		}
		if err := l.use(from, present, keep); err != nil {
			return err
		}
		if full || begun == rows && l.pages.leaf.MaxRep == 0 {
			return nil
		}
	}
	return nil
}

// use takes the entries from place from to l.pos, of which present have values.
func (l *nestLeaf) use(from, present int, keep bool) error {
	if !keep {
		return l.pages.vals.skip(&l.pages, present)
	}
	n := l.pos - from
	if err := l.growLevels(l.count + n); err != nil {
		return err
	}
	half := len(l.levels.B) / 2
	for i := range n {
		l.levels.B[l.count+i] = byte(l.reps[from+i])
		l.levels.B[half+l.count+i] = byte(l.defs[from+i])
	}
	l.count += n
	if !l.keepValues {
		return l.pages.vals.skip(&l.pages, present)
	}
	if err := l.out.enlarge(l.dense + present); err != nil {
		return err
	}
	if err := l.out.toFlat(&l.pages, 0); err != nil {
		return err
	}
	err := l.out.values(&l.pages, l.dense, present)
	l.dense += present
	return err
}

// growLevels makes room for n entries.
func (l *nestLeaf) growLevels(n int) error {
	if l.levels != nil && len(l.levels.B)/2 >= n {
		return nil
	}
	next, err := l.pages.account.Alloc(max(4*n, 1<<12))
	if err != nil {
		return err
	}
	if l.levels != nil {
		reps, defs := l.entries()
		copy(next.B, reps)
		copy(next.B[len(next.B)/2:], defs)
		l.levels.Release()
	}
	l.levels = next
	return nil
}

// enlarge makes room for n values, keeping those that are there.
func (s *sink) enlarge(n int) error {
	if n <= s.want {
		return nil
	}
	s.want = max(n, 2*s.want)
	if s.mode != asFlat {
		return nil
	}
	if err := s.account.Grow(s.data, max(s.want*s.width, 64)); err != nil {
		return err
	}
	s.v.Data = s.data.B[:s.want*s.width]
	return nil
}
