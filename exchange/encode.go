package exchange

import (
	"fmt"
	"math"
	"unsafe"

	"github.com/tuttidb/tutti/exec/vector"
	"github.com/tuttidb/tutti/sql/types"
)

// Frame is what an exchange moves: one Arrow record batch in IPC form, as
// Flight sends it. Header is the message's flatbuffer, Body the columns'
// buffers.
type Frame struct {
	Header []byte
	Body   []byte
	Rows   int
}

// maxFrameRows bounds the rows of a frame, and the elements of its nested
// columns: what has no bytes (nulls of no type, rows of no columns) is
// otherwise not bounded by the size of what was received.
const maxFrameRows = 1 << 24

// bigFrame is the number of rows from which buffers are aligned to cache
// lines; for small frames that would be mostly padding.
const bigFrame = 1024

// encoder lays flat columns out as a frame's body and writes them there.
type encoder struct {
	meta   recordMeta
	pieces []piece
	align  int64
	bases  []uint32
}

// piece is what goes into one buffer: bytes, or the views of a column, which
// point into one heap buffer afterwards, or that heap.
type piece struct {
	bytes []byte
	views *vector.Vector
	heap  [][]byte
}

// layout plans a frame of n rows and returns the length of its body.
func (e *encoder) layout(cols []*vector.Vector, n int) (int, error) {
	e.meta = recordMeta{rows: int64(n), codec: -1, nodes: e.meta.nodes[:0], buffers: e.meta.buffers[:0], variadic: e.meta.variadic[:0]}
	e.pieces, e.align = e.pieces[:0], 8
	if n >= bigFrame {
		e.align = 64
	}
	for _, c := range cols {
		if err := e.column(c); err != nil {
			return 0, err
		}
	}
	return int(e.meta.body), nil
}

func (e *encoder) column(v *vector.Vector) error {
	if v.N > maxFrameRows {
		return fmt.Errorf("%d rows of %s in a frame, at most %d are possible", v.N, v.Type, maxFrameRows)
	}
	if v.Type.Physical() == types.PhysNull {
		e.meta.nodes = append(e.meta.nodes, node{int64(v.N), int64(v.N)})
		return nil
	}
	e.validity(v)
	switch v.Type.Physical() {
	case types.PhysBytes:
		return e.strings(v)
	case types.PhysList:
		e.offsets(v)
	case types.PhysMap:
		e.offsets(v)
		// Arrow's map is a list of structs: the entries, none of them null.
		e.meta.nodes = append(e.meta.nodes, node{rows: int64(v.Kids[0].N)})
		e.add(piece{}, 0)
	case types.PhysStruct:
	default:
		e.add(piece{bytes: v.Data[:v.N*v.Type.Physical().Width()]}, -1)
	}
	for _, k := range v.Kids {
		if err := e.column(k); err != nil {
			return err
		}
	}
	return nil
}

func (e *encoder) validity(v *vector.Vector) {
	nulls := 0
	if v.Valid != nil {
		nulls = v.N - v.Valid.Count(v.N)
	}
	e.meta.nodes = append(e.meta.nodes, node{int64(v.N), int64(nulls)})
	if nulls == 0 {
		e.add(piece{}, 0)
		return
	}
	e.add(piece{bytes: wordBytes(v.Valid)[:(v.N+7)/8]}, -1)
}

func wordBytes(b vector.Bitmap) []byte {
	return unsafe.Slice((*byte)(unsafe.Pointer(unsafe.SliceData([]uint64(b)))), len(b)*8)
}

func (e *encoder) offsets(v *vector.Vector) {
	if v.N == 0 {
		e.add(piece{}, 0)
		return
	}
	e.add(piece{bytes: vector.AsBytes(v.Offsets[:v.N+1])}, -1)
}

func (e *encoder) strings(v *vector.Vector) error {
	e.add(piece{views: v}, int64(v.N)*16)
	size := int64(0)
	for _, h := range v.Heap {
		size += int64(len(h))
	}
	if size > math.MaxInt32 {
		return fmt.Errorf("strings of %d bytes in a frame, at most %d are possible", size, math.MaxInt32)
	}
	if size == 0 {
		e.meta.variadic = append(e.meta.variadic, 0)
		return nil
	}
	e.meta.variadic = append(e.meta.variadic, 1)
	e.add(piece{heap: v.Heap}, size)
	return nil
}

// add places a buffer of n bytes, -1: as many as p.bytes has.
func (e *encoder) add(p piece, n int64) {
	if n < 0 {
		n = int64(len(p.bytes))
	}
	e.pieces = append(e.pieces, p)
	e.meta.buffers = append(e.meta.buffers, span{e.meta.body, n})
	e.meta.body += (n + e.align - 1) &^ (e.align - 1)
}

// fill writes the body that was laid out to dst and returns the header.
func (e *encoder) fill(dst []byte) []byte {
	for i, p := range e.pieces {
		s := e.meta.buffers[i]
		end := e.meta.body
		if i+1 < len(e.pieces) {
			end = e.meta.buffers[i+1].off
		}
		to := dst[s.off:end]
		switch {
		case p.views != nil:
			e.fillViews(to, p.views)
		case p.heap != nil:
			at := 0
			for _, h := range p.heap {
				at += copy(to[at:], h)
			}
		default:
			copy(to, p.bytes)
		}
		clear(to[s.n:]) // slabs hold what others left
	}
	return e.meta.marshal()
}

// fillViews copies views and makes them point into the one heap buffer that
// their column has in a frame.
func (e *encoder) fillViews(dst []byte, v *vector.Vector) {
	copy(dst, v.Data[:v.N*16])
	e.bases = e.bases[:0]
	at := uint32(0)
	for _, h := range v.Heap {
		e.bases = append(e.bases, at)
		at += uint32(len(h))
	}
	if len(e.bases) < 2 && v.Valid == nil {
		return
	}
	views := vector.Cast[vector.View](dst)[:v.N]
	for i := range views {
		x := &views[i]
		if x.IsInline() {
			continue
		}
		if v.Valid != nil && !v.Valid.Get(i) {
			*x = vector.View{}
			continue
		}
		buf, off := x.Ref()
		*x = x.Rebase(0, int(e.bases[buf])+off)
	}
}
