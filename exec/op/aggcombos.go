package op

import (
	"math/bits"
	"slices"

	"github.com/tuttidb/tutti/exec/vector"
	"github.com/tuttidb/tutti/sql/types"
)

// combos is the short way for keys whose columns have few values each in a
// batch: those combine to few keys, so each combination is looked up once a
// batch and then found by number. A dictionary's values are numbered as they
// are; flat columns of up to 16 bytes are numbered by a small table (values).
// Nothing is kept from batch to batch, because a dictionary's memory may be
// another's by then.
type combos struct {
	codes  []uint16 // of each entry
	groups []uint32 // of each combination, plus one; 0: not looked up yet
	sizes  []int    // combinations of a column
	one    []colRef // a single entry of each column
	row    [1]int32

	flat    bool // number flat columns too
	values  values
	numbers [][]int32 // of the values of each flat column
	// pause is for how many batches flat columns are not tried, because one had
	// too many values.
	pause int
}

// maxCombos bounds the combinations, and with them what a batch clears.
const maxCombos = 4096

// fit reports whether n entries of cols go the short way.
func (c *combos) fit(cols []colRef, n int) bool {
	total := 1
	c.sizes = c.sizes[:0]
	for len(c.numbers) < len(cols) {
		c.numbers = append(c.numbers, nil)
	}
	for i := range cols {
		size := 1
		switch cols[i].src.Enc {
		case vector.Dict:
			size = cols[i].flat.N
		case vector.Const:
		default:
			if size = c.numberFlat(i, &cols[i], n); size == 0 {
				return false
			}
		}
		if mayHaveNulls(cols[i].src) {
			size++ // the last is null
		}
		c.sizes = append(c.sizes, size)
		if total *= size; total > maxCombos || 4*total > n {
			c.pause = pauseBatches
			return false
		}
	}
	c.groups = slices.Grow(c.groups[:0], total)[:total]
	clear(c.groups)
	return true
}

// pauseBatches is how long flat columns are left alone that had too many
// values.
const pauseBatches = 32

// numberFlat numbers the values of flat column k and returns how many there
// are; 0 for too many.
func (c *combos) numberFlat(k int, col *colRef, n int) int {
	if !c.flat || c.pause > 0 || n < 8*maxValues {
		c.pause = max(c.pause-1, 0)
		return 0
	}
	c.numbers[k] = slices.Grow(c.numbers[k][:0], n)[:n]
	size := c.values.number(c.numbers[k], col)
	if size == 0 {
		c.pause = pauseBatches
	}
	return size
}

// places returns the numbers of column k's values.
func (c *combos) places(k int, col *colRef) []int32 {
	if col.src.Enc == vector.Flat {
		return c.numbers[k]
	}
	return col.pos
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
			for i, p := range c.places(k, col)[:n] {
				codes[i] = uint16(p)
			}
		default:
			for i, p := range c.places(k, col)[:n] {
				codes[i] = codes[i]*size + uint16(p)
			}
		}
	}
}

func (c *combos) numberNullable(col *colRef, k int, size uint16) {
	places := c.places(k, col)
	for i := range c.codes {
		code := size - 1
		if !col.isNull(i) {
			code = uint16(places[i])
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
			c.row[0] = int32(i)
			col.rows = c.row[:]
		} else {
			col.rows = col.rows[i : i+1]
		}
		if col.pos == nil {
			col.pos = col.rows
		} else {
			col.pos = col.pos[i : i+1]
		}
	}
	return c.one
}

// maxValues is how many different values of a flat column are numbered.
const maxValues = 32

// values numbers the different values of a column in the order in which they
// come. Values are compared as the words they lie in, so that zeros of either
// sign get two numbers; the group table then finds one group for both.
type values struct {
	words [256]types.Int128
	taken [256]uint8 // number of the value in each slot, plus one
	n     int
}

// number sets out to the numbers of col's values and returns how many there
// are, 0 if too many or of a type that is not compared by words.
func (v *values) number(out []int32, col *colRef) int {
	clear(v.taken[:])
	v.n = 0
	ok := false
	switch f := col.flat; {
	case f.Type.IsNested():
	case f.Type.Physical() == types.PhysBytes:
		ok = v.strings(out, col, vector.Values[types.Int128](f))
	case f.Type.Physical().Width() == 8:
		ok = numberValues(v, out, col, vector.Values[int64](f))
	case f.Type.Physical().Width() == 4:
		ok = numberValues(v, out, col, vector.Values[int32](f))
	case f.Type.Physical().Width() == 2:
		ok = numberValues(v, out, col, vector.Values[int16](f))
	case f.Type.Physical().Width() == 1:
		ok = numberValues(v, out, col, vector.Values[uint8](f))
	}
	if !ok {
		return 0
	}
	return v.n
}

func numberValues[T uint8 | int16 | int32 | int64](v *values, out []int32, col *colRef, vals []T) bool {
	for i := range out {
		x := uint64(vals[col.at(i)])
		slot := x * hashMul >> 56
		if t := v.taken[slot]; t != 0 && v.words[slot].Lo == x {
			out[i] = int32(t) - 1
			continue
		}
		k := v.find(types.Int128{Lo: x}, uint8(slot))
		if k < 0 {
			return false
		}
		out[i] = k
	}
	return true
}

// strings numbers strings that lie in their views.
func (v *values) strings(out []int32, col *colRef, views []types.Int128) bool {
	for i := range out {
		x := views[col.at(i)]
		slot := (x.Lo ^ bits.RotateLeft64(uint64(x.Hi), 25)) * hashMul >> 56
		if t := v.taken[slot]; t != 0 && v.words[slot] == x {
			out[i] = int32(t) - 1
			continue
		}
		if uint32(x.Lo) > vector.InlineLen {
			return false
		}
		k := v.find(x, uint8(slot))
		if k < 0 {
			return false
		}
		out[i] = k
	}
	return true
}

// find returns the number of the value x, whose search starts at a slot,
// giving it one if it is new; -1 if there are too many.
func (v *values) find(x types.Int128, slot uint8) int32 {
	for ; v.taken[slot] != 0; slot++ {
		if v.words[slot] == x {
			return int32(v.taken[slot]) - 1
		}
	}
	if v.n == maxValues {
		return -1
	}
	v.n++
	v.words[slot], v.taken[slot] = x, uint8(v.n)
	return int32(v.n - 1)
}
