package parquet

import (
	"encoding/binary"
)

// delta decodes DELTA_BINARY_PACKED: blocks of miniblocks of bit-packed
// differences. It is a stream, in 64-bit arithmetic that wraps as the format
// has it for both widths.
type delta struct {
	b         []byte
	total     int // values in all
	left      int // values not yet returned
	miniSize  int // values a miniblock
	minis     int // miniblocks a block
	last      int64
	first     bool // the first value, from the header, was not yet returned
	widths    []byte
	mini      int // miniblocks of the block that were begun
	minDelta  int64
	buf       [64]int64 // decoded values
	pos, have int       // of buf
	packed    []byte    // rest of the current miniblock
	packedAt  int       // values read of it
	miniLeft  int       // values left in it
	width     uint
}

// reset reads the header of b.
func (d *delta) reset(b []byte) error {
	*d = delta{b: b}
	block, ok1 := d.uvarint()
	minis, ok2 := d.uvarint()
	total, ok3 := d.uvarint()
	first, n := binary.Varint(d.b)
	if !ok1 || !ok2 || !ok3 || n <= 0 || minis == 0 || minis > 1<<16 || block > 1<<24 || total > 1<<31 || block%minis != 0 {
		return corrupt("the header of delta-encoded values is damaged")
	}
	d.b = d.b[n:]
	d.miniSize, d.minis = int(block/minis), int(minis)
	if d.miniSize == 0 || d.miniSize%32 != 0 {
		return corrupt("delta-encoded values come in miniblocks of %d", d.miniSize)
	}
	d.total, d.left, d.last, d.first = int(total), int(total), first, true
	d.mini = d.minis
	return nil
}

func (d *delta) uvarint() (uint64, bool) {
	v, n := binary.Uvarint(d.b)
	if n <= 0 {
		return 0, false
	}
	d.b = d.b[n:]
	return v, true
}

// read fills dst.
func (d *delta) read(dst []int64) error {
	if len(dst) > d.left {
		return corrupt("there are fewer delta-encoded values than expected")
	}
	d.left -= len(dst)
	if d.first && len(dst) > 0 {
		dst[0], d.first = d.last, false
		dst = dst[1:]
	}
	for len(dst) > 0 {
		if d.pos == d.have {
			if err := d.refill(); err != nil {
				return err
			}
		}
		k := copy(dst, d.buf[d.pos:d.have])
		d.pos += k
		dst = dst[k:]
	}
	return nil
}

// refill decodes up to 64 values of the current miniblock.
func (d *delta) refill() error {
	for d.miniLeft == 0 {
		if err := d.nextMini(); err != nil {
			return err
		}
	}
	n := min(d.miniLeft, len(d.buf), d.miniSize)
	d.pos, d.have = 0, n
	v, step := d.last, d.minDelta
	switch {
	case d.width == 0:
		for i := range d.buf[:n] {
			v += step
			d.buf[i] = v
		}
	case n == 64 && d.width <= 32:
		var raw [64]int32
		unpackRun(raw[:], d.packed, d.packedAt, d.width)
		for i, x := range raw {
			v += step + int64(uint32(x))
			d.buf[i] = v
		}
	default:
		for i := range d.buf[:n] {
			v += step + int64(loadBits(d.packed, (d.packedAt+i)*int(d.width), int(d.width)))
			d.buf[i] = v
		}
	}
	d.last = v
	d.packedAt += n
	d.miniLeft -= n
	return nil
}

// nextMini begins the next miniblock, and the next block if need be.
func (d *delta) nextMini() error {
	if d.mini == d.minis {
		lo, n := binary.Varint(d.b)
		if n <= 0 || len(d.b)-n < d.minis {
			return corrupt("delta-encoded values are cut off")
		}
		d.minDelta, d.widths, d.b = lo, d.b[n:n+d.minis], d.b[n+d.minis:]
		d.mini = 0
	}
	d.width = uint(d.widths[d.mini])
	d.mini++
	if d.width > 64 {
		return corrupt("a miniblock of delta-encoded values has %d bits a value", d.width)
	}
	size := d.miniSize / 8 * int(d.width)
	d.miniLeft = d.miniSize
	if size > len(d.b) {
		// Writers need not pad the last miniblock.
		size = len(d.b)
		if d.miniLeft = size * 8 / int(d.width); d.miniLeft == 0 {
			return corrupt("delta-encoded values are cut off")
		}
	}
	d.packed, d.packedAt, d.b = d.b[:size], 0, d.b[size:]
	return nil
}

// rest returns the bytes after the last miniblock that holds values. All
// values must have been read.
func (d *delta) rest() []byte { return d.b }

// skip passes over n values.
func (d *delta) skip(n int) error {
	var scratch [64]int64
	for n > 0 {
		k := min(n, len(scratch))
		if err := d.read(scratch[:k]); err != nil {
			return err
		}
		n -= k
	}
	return nil
}
