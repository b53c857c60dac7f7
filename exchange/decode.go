package exchange

import (
	"encoding/binary"
	"fmt"
	"unsafe"

	"github.com/tuttidb/tutti/exec/vector"
	"github.com/tuttidb/tutti/sql/types"
)

// decoder turns frames with columns of certain types into vectors. It is for
// one goroutine; what it returns stays valid as long as the frame.
type decoder struct {
	types []types.Type
	// trusted frames were made in this process and are shared with others:
	// their content is neither checked nor touched.
	trusted bool

	meta                   recordMeta
	body                   []byte
	node, buffer, variadic int
	// zeros is the validity of columns in which all is null.
	zeros vector.Bitmap
}

// decode returns the frame's columns, which alias its bytes. Malformed frames
// give errors, whatever their bytes.
func (d *decoder) decode(f Frame) (cols []*vector.Vector, rows int, err error) {
	if err := d.meta.unmarshal(f.Header); err != nil {
		return nil, 0, err
	}
	if d.meta.codec >= 0 {
		return nil, 0, fmt.Errorf("malformed frame: body is compressed still")
	}
	d.body, d.node, d.buffer, d.variadic = f.Body, 0, 0, 0
	if d.meta.rows < 0 || d.meta.rows > maxFrameRows {
		return nil, 0, fmt.Errorf("malformed frame: %d rows", d.meta.rows)
	}
	rows = int(d.meta.rows)
	for i, t := range d.types {
		v, err := d.column(t)
		if err == nil && v.N != rows {
			err = fmt.Errorf("%d rows of %d", v.N, rows)
		}
		if err != nil {
			return nil, 0, fmt.Errorf("malformed frame: column %d: %w", i, err)
		}
		cols = append(cols, v)
	}
	return cols, rows, nil
}

func (d *decoder) column(t types.Type) (*vector.Vector, error) {
	n, err := d.nextNode()
	if err != nil {
		return nil, err
	}
	v := &vector.Vector{Type: t, Enc: vector.Flat, N: int(n.rows)}
	p := t.Physical()
	if p == types.PhysNull {
		v.Valid = d.noneValid(v.N)
		return v, nil
	}
	if err := d.validity(v, n); err != nil {
		return nil, err
	}
	switch p {
	case types.PhysList, types.PhysMap, types.PhysStruct:
		return v, d.nested(v)
	case types.PhysBytes:
		return v, d.strings(v)
	}
	if v.Data, err = d.values(v.N, p.Width()); err != nil {
		return nil, err
	}
	if p == types.PhysBool && !d.trusted {
		return v, checkBools(v.Data)
	}
	return v, nil
}

func (d *decoder) nextNode() (node, error) {
	if d.node >= len(d.meta.nodes) {
		return node{}, fmt.Errorf("column is missing")
	}
	n := d.meta.nodes[d.node]
	d.node++
	if n.rows < 0 || n.rows > maxFrameRows || n.nulls < 0 || n.nulls > n.rows {
		return node{}, fmt.Errorf("%d rows with %d nulls", n.rows, n.nulls)
	}
	return n, nil
}

// nextBuffer returns a buffer, and the bytes that follow it in the body.
func (d *decoder) nextBuffer() (b, rest []byte, err error) {
	if d.buffer >= len(d.meta.buffers) {
		return nil, nil, fmt.Errorf("buffer is missing")
	}
	s := d.meta.buffers[d.buffer]
	d.buffer++
	size := int64(len(d.body))
	if s.off < 0 || s.n < 0 || s.off > size || s.n > size-s.off {
		return nil, nil, fmt.Errorf("buffer at %d of %d bytes in a body of %d", s.off, s.n, size)
	}
	return d.body[s.off : s.off+s.n : s.off+s.n], d.body[s.off:], nil
}

// noneValid returns a bitmap of n null rows.
func (d *decoder) noneValid(n int) vector.Bitmap {
	if w := (n + 63) / 64; len(d.zeros) < w {
		d.zeros = make(vector.Bitmap, w)
	}
	return d.zeros
}

// validity sets v's bitmap. It aliases the body where whole words can be read
// there.
func (d *decoder) validity(v *vector.Vector, n node) error {
	b, rest, err := d.nextBuffer()
	if err != nil || n.nulls == 0 {
		return err
	}
	if len(b) < (v.N+7)/8 {
		return fmt.Errorf("validity of %d bytes for %d rows", len(b), v.N)
	}
	words := (v.N + 63) / 64
	if isAligned(rest) && len(rest) >= words*8 {
		v.Valid = unsafe.Slice((*uint64)(unsafe.Pointer(unsafe.SliceData(rest))), words)
		return nil
	}
	v.Valid = make(vector.Bitmap, words)
	copy(wordBytes(v.Valid), b[:(v.N+7)/8])
	return nil
}

func isAligned(b []byte) bool { return uintptr(unsafe.Pointer(unsafe.SliceData(b)))%8 == 0 }

// values returns a buffer of n values, moved if they may not lie where it is.
func (d *decoder) values(n, width int) ([]byte, error) {
	b, _, err := d.nextBuffer()
	if err != nil {
		return nil, err
	}
	if n == 0 {
		return nil, nil
	}
	if len(b) < n*width {
		return nil, fmt.Errorf("%d bytes for %d values of %d", len(b), n, width)
	}
	b = b[:n*width]
	if width == 1 || isAligned(b) {
		return b, nil
	}
	out := vector.AsBytes(make([]types.Int128, (len(b)+15)/16))[:len(b)]
	copy(out, b)
	return out, nil
}

// checkBools makes sure that every byte is 0 or 1: kernels count with them.
func checkBools(b []byte) error {
	const others = 0xFEFEFEFEFEFEFEFE
	i := 0
	for ; i+8 <= len(b); i += 8 {
		if binary.LittleEndian.Uint64(b[i:])&others != 0 {
			return fmt.Errorf("boolean that is neither true nor false")
		}
	}
	for ; i < len(b); i++ {
		if b[i] > 1 {
			return fmt.Errorf("boolean that is neither true nor false")
		}
	}
	return nil
}

func (d *decoder) strings(v *vector.Vector) (err error) {
	if v.Data, err = d.values(v.N, 16); err != nil {
		return err
	}
	if d.variadic >= len(d.meta.variadic) {
		return fmt.Errorf("count of heap buffers is missing")
	}
	n := d.meta.variadic[d.variadic]
	d.variadic++
	if n < 0 || n > int64(len(d.meta.buffers)-d.buffer) {
		return fmt.Errorf("%d heap buffers", n)
	}
	for range n {
		h, _, err := d.nextBuffer()
		if err != nil {
			return err
		}
		v.Heap = append(v.Heap, h)
	}
	if d.trusted {
		return nil
	}
	return checkViews(v)
}

// checkViews makes sure that every view points into the heap. Those of null
// rows may be anything and are made empty.
func checkViews(v *vector.Vector) error {
	views := vector.Values[vector.View](v)
	for i := range views {
		x := &views[i]
		if x.IsInline() {
			continue
		}
		buf, off := x.Ref()
		if buf < len(v.Heap) && off+int(x.Len) <= len(v.Heap[buf]) {
			continue
		}
		if !v.IsNull(i) {
			return fmt.Errorf("string of row %d lies outside its buffers", i)
		}
		*x = vector.View{}
	}
	return nil
}

func (d *decoder) nested(v *vector.Vector) error {
	want := v.N
	if v.Type.Physical() != types.PhysStruct {
		var err error
		if want, err = d.offsets(v); err != nil {
			return err
		}
	}
	if v.Type.Physical() == types.PhysMap {
		entries, err := d.nextNode()
		if err != nil {
			return err
		}
		if _, _, err := d.nextBuffer(); err != nil {
			return err
		}
		if entries.nulls != 0 {
			return fmt.Errorf("map with entries that are null")
		}
	}
	for _, t := range v.Type.Elems() {
		kid, err := d.column(t)
		if err != nil {
			return err
		}
		if kid.N < want {
			return fmt.Errorf("child of %d rows where %d are needed", kid.N, want)
		}
		v.Kids = append(v.Kids, kid)
	}
	return nil
}

// offsets sets a list's offsets and returns how many elements they need.
func (d *decoder) offsets(v *vector.Vector) (int, error) {
	if v.N == 0 {
		_, _, err := d.nextBuffer()
		v.Offsets = []int32{0}
		return 0, err
	}
	b, err := d.values(v.N+1, 4)
	if err != nil {
		return 0, err
	}
	v.Offsets = vector.Cast[int32](b)
	if d.trusted {
		return int(v.Offsets[v.N]), nil
	}
	last := int32(0)
	for _, o := range v.Offsets {
		if o < last {
			return 0, fmt.Errorf("offsets run backwards")
		}
		last = o
	}
	return int(last), nil
}

// cut makes dst the rows [from, from+n) of src, a flat vector. from is a
// multiple of 64.
func cut(dst, src *vector.Vector, from, n int) {
	dst.Type, dst.Enc, dst.N, dst.Heap = src.Type, vector.Flat, n, src.Heap
	dst.Valid, dst.Data, dst.Offsets = nil, nil, nil
	if src.Valid != nil {
		dst.Valid = src.Valid[from/64:]
	}
	switch p := src.Type.Physical(); p {
	case types.PhysNull:
	case types.PhysList, types.PhysMap:
		dst.Offsets, dst.Kids = src.Offsets[from:from+n+1], src.Kids
	case types.PhysStruct:
		for len(dst.Kids) < len(src.Kids) {
			dst.Kids = append(dst.Kids, &vector.Vector{})
		}
		for i, k := range src.Kids {
			cut(dst.Kids[i], k, from, n)
		}
	default:
		w := p.Width()
		dst.Data = src.Data[from*w : (from+n)*w]
	}
}
