package parquet

import (
	"github.com/tuttidb/tutti/exec/vector"
)

// column reads one top-level column of a row group, batch by batch.
type column interface {
	// start begins a row group; chunks has the data of the column's leaves in
	// order, each with its metadata.
	start(chunks []chunkData)
	// skip passes over n rows.
	skip(n int)
	// read returns the next n rows; only those in sel, ascending, need be
	// right (nil: all). The vector is valid until release.
	read(n int, sel []int32) (*vector.Vector, error)
	// dictionary returns the dictionary of the current chunk, or nil if it has
	// none or it cannot be looked at.
	dictionary() (*vector.Vector, error)
	// release gives up what the last batch's vectors refer to.
	release()
	// close gives all memory back.
	close()
}

// chunkData is a column chunk and what was read of it.
type chunkData struct {
	leaf  int
	chunk *Chunk
	parts []chunkPart
}

// chunkPart is a run of pages, in the file's order. Parts that leave pages out
// are for flat columns only, where rows are values.
type chunkPart struct {
	// gap is the number of values between the part before and this one.
	gap  int64
	data []byte
	// rows has the number of values of each data page; nil: not known.
	rows []int64
}

// flatColumn reads a column without nesting: one value, or null, a row.
type flatColumn struct {
	pages pages
	out   sink
	// behind are rows that were passed over and not yet skipped in the pages.
	behind int
}

func (c *flatColumn) start(chunks []chunkData) {
	c.behind = 0
	c.pages.start(chunks[0].chunk, chunks[0].parts)
}

func (c *flatColumn) skip(n int) { c.behind += n }

func (c *flatColumn) release() { c.pages.release() }

func (c *flatColumn) close() {
	c.pages.close()
	c.out.close()
}

// catchUp skips the rows that are behind: whole pages by their headers.
func (c *flatColumn) catchUp() error {
	for c.behind > 0 {
		if c.pages.left == 0 {
			if err := c.pages.nextPage(); err != nil {
				return err
			}
		}
		k := min(c.behind, c.pages.left)
		if err := c.pass(k); err != nil {
			return err
		}
		c.behind -= k
	}
	return nil
}

// pass skips k values of the current page, at once if it is open.
func (c *flatColumn) pass(k int) error {
	p := &c.pages
	p.left -= k
	if p.opened {
		return p.skipOpened(k)
	}
	p.skipped += k
	return nil
}

func (c *flatColumn) read(n int, sel []int32) (*vector.Vector, error) {
	if err := c.catchUp(); err != nil {
		return nil, inColumn(c.pages.leaf.Path, err)
	}
	v, err := c.decode(n, sel)
	if err != nil {
		return nil, inColumn(c.pages.leaf.Path, err)
	}
	return v, nil
}

func (c *flatColumn) decode(n int, sel []int32) (*vector.Vector, error) {
	p, s := &c.pages, &c.out
	s.begin(p.typ, p.layout.dstW, n)
	s.validity(n)
	nulls := 0
	for at := 0; at < n; {
		if p.left == 0 {
			if err := p.nextPage(); err != nil {
				return nil, err
			}
		}
		k := min(n-at, p.left)
		wanted := true
		if sel != nil {
			sel, wanted = cutSelection(sel, at+k)
		}
		var missing int
		var err error
		if wanted {
			missing, err = c.segment(at, k)
		} else {
			missing, err = c.blank(at, k)
		}
		if err != nil {
			return nil, err
		}
		nulls += missing
		at += k
	}
	return s.finish(n, nulls), nil
}

// cutSelection drops the selected rows before end and reports whether there
// were any.
func cutSelection(sel []int32, end int) (rest []int32, any bool) {
	i := 0
	for i < len(sel) && int(sel[i]) < end {
		i++
	}
	return sel[i:], i > 0
}

// segment decodes k rows of the current page to rows at.. and returns how
// many are null.
func (c *flatColumn) segment(at, k int) (nulls int, err error) {
	p, s := &c.pages, &c.out
	if err := p.open(); err != nil {
		return 0, err
	}
	p.left -= k
	m := k
	if p.leaf.MaxDef == 1 {
		if m, err = p.defs.bitmap(s.bits, at, k); err != nil {
			return 0, err
		}
	} else {
		setBits(s.bits, at, k)
	}
	if m == 0 {
		return k, s.noValues(at, k)
	}
	if err := s.values(p, at, m); err != nil {
		return 0, err
	}
	return k - m, s.spread(p, at, k, m)
}

// noValues makes rows at.. safe to look at when they are all null.
func (s *sink) noValues(at, k int) error {
	switch s.mode {
	case asDict:
		clear(s.v.Idx[at : at+k])
	case asFlat:
		clear(s.v.Data[at*s.width : (at+k)*s.width])
	}
	return nil
}

// blank passes over k rows of the current page that nobody asks for: they
// become nulls.
func (c *flatColumn) blank(at, k int) (nulls int, err error) {
	clearBits(c.out.bits, at, k)
	if err := c.out.noValues(at, k); err != nil {
		return 0, err
	}
	return k, c.pass(k)
}

// dictionary returns the chunk's dictionary, reading as far as the first data
// page's header. It can be asked for only before the first row is read.
func (c *flatColumn) dictionary() (*vector.Vector, error) {
	p := &c.pages
	if p.left == 0 {
		if err := p.nextPage(); err != nil {
			return nil, inColumn(p.leaf.Path, err)
		}
	}
	if !p.hasDict {
		return nil, nil
	}
	if err := p.loadDict(); err != nil {
		return nil, inColumn(p.leaf.Path, err)
	}
	return p.dict, nil
}
