package op

import (
	"slices"

	"github.com/tuttidb/tutti/exec/vector"
)

// combos is the short way for keys that are all dictionary-encoded or
// constant: the dictionaries' entries combine to few keys, so each combination
// is looked up once a batch and then found by number. Nothing is kept from
// batch to batch, because a dictionary's memory may be another's by then.
type combos struct {
	codes  []uint16 // of each entry
	groups []uint32 // of each combination, plus one; 0: not looked up yet
	sizes  []int    // combinations of a column
	one    []colRef // a single entry of each column
}

// maxCombos bounds the combinations, and with them what a batch clears.
const maxCombos = 4096

// fit reports whether n entries of cols go the short way.
func (c *combos) fit(cols []colRef, n int) bool {
	total := 1
	c.sizes = c.sizes[:0]
	for i := range cols {
		size := 1
		switch cols[i].src.Enc {
		case vector.Dict:
			size = cols[i].flat.N
		case vector.Const:
		default:
			return false
		}
		if mayHaveNulls(cols[i].src) {
			size++ // the last is null
		}
		c.sizes = append(c.sizes, size)
		if total *= size; total > maxCombos || 4*total > n {
			return false
		}
	}
	c.groups = slices.Grow(c.groups[:0], total)[:total]
	clear(c.groups)
	return true
}

// number sets codes to the combination of each of n entries.
func (c *combos) number(cols []colRef, n int) {
	c.codes = slices.Grow(c.codes[:0], n)[:n]
	codes := c.codes
	for k := range cols {
		col, size := &cols[k], uint16(c.sizes[k])
		switch {
		case size == 1:
			if k == 0 {
				clear(codes)
			}
		case mayHaveNulls(col.src):
			c.numberNullable(col, k, size)
		case k == 0:
			for i, p := range col.pos[:n] {
				codes[i] = uint16(p)
			}
		default:
			for i, p := range col.pos[:n] {
				codes[i] = codes[i]*size + uint16(p)
			}
		}
	}
}

func (c *combos) numberNullable(col *colRef, k int, size uint16) {
	for i := range c.codes {
		code := size - 1
		if !col.isNull(i) {
			code = uint16(col.pos[i])
		}
		if k > 0 {
			code += c.codes[i] * size
		}
		c.codes[i] = code
	}
}

// find is groups.find for columns that fit; one looks up a single entry.
func (c *combos) find(cols []colRef, n int, ids []uint32, one func(cols []colRef, ids []uint32) error) error {
	c.number(cols, n)
	ids = ids[:n]
	for i, code := range c.codes {
		g := c.groups[code]
		if g == 0 {
			if err := one(c.entry(cols, i), ids[i:i+1]); err != nil {
				return err
			}
			g = ids[i] + 1
			c.groups[code] = g
		}
		ids[i] = g - 1
	}
	return nil
}

// entry narrows cols to entry i.
func (c *combos) entry(cols []colRef, i int) []colRef {
	c.one = append(c.one[:0], cols...)
	for k := range c.one {
		col := &c.one[k]
		if col.rows == nil {
			col.rows = []int32{int32(i)}
		} else {
			col.rows = col.rows[i : i+1]
		}
		col.pos = col.pos[i : i+1]
	}
	return c.one
}
