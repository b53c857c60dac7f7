package parquet

import (
	"encoding/binary"
	"math/bits"

	"github.com/tuttidb/tutti/sql/expr"
	"github.com/tuttidb/tutti/sql/function"
	"github.com/tuttidb/tutti/sql/types"
)

// maxProbes is the number of values up to which an IN list is looked up in a
// bloom filter.
const maxProbes = 64

// probe returns e as a probe if it is one.
func (p *pruner) probe(e expr.Expr) (probe, bool) {
	col, values := equalities(e)
	if col == nil || len(values) > maxProbes || int(col.ID) >= len(p.stats) {
		return probe{}, false
	}
	st := p.stats[col.ID]
	if st == nil {
		return probe{}, false
	}
	pr := probe{column: int(col.ID)}
	for _, v := range values {
		b, ok := st.plain(v)
		if !ok {
			return probe{}, false
		}
		pr.hashes = append(pr.hashes, xxh64(b))
	}
	return pr, true
}

// equalities returns the column and the values of column = c, c = column or
// column IN (…); nil for anything else.
func equalities(e expr.Expr) (*expr.Column, []any) {
	var args []expr.Expr
	switch e := e.(type) {
	case *expr.Call:
		if e.Fn.Name != function.OpEq {
			return nil, nil
		}
		args = e.Args
		if _, ok := args[0].(*expr.Const); ok {
			args = []expr.Expr{args[1], args[0]}
		}
	case *expr.Form:
		if e.Op != expr.In {
			return nil, nil
		}
		args = e.Args
	default:
		return nil, nil
	}
	col, ok := args[0].(*expr.Column)
	if !ok {
		return nil, nil
	}
	var values []any
	for _, a := range args[1:] {
		c, ok := a.(*expr.Const)
		if !ok {
			return nil, nil
		}
		if c.Value != nil {
			values = append(values, c.Value)
		}
	}
	return col, values
}

// plain returns a value in the PLAIN encoding of the file, where that is
// certain: for types that are read as they are stored.
func (r *statReader) plain(v any) ([]byte, bool) {
	if !r.leaf.Type.Equal(r.typ) {
		return nil, false
	}
	switch v := v.(type) {
	case string:
		return []byte(v), r.leaf.Kind == KindBytes
	case int64:
		switch r.typ.Kind {
		case types.TinyInt, types.SmallInt, types.Integer, types.BigInt, types.Date, types.Decimal:
		case types.Timestamp:
			if r.leaf.logic.unit != r.typ.UnitsPerSecond() {
				return nil, false
			}
		default:
			return nil, false
		}
		switch r.leaf.Kind {
		case KindInt32:
			return binary.LittleEndian.AppendUint32(nil, uint32(v)), v == int64(int32(v))
		case KindInt64:
			return binary.LittleEndian.AppendUint64(nil, uint64(v)), true
		}
	}
	return nil, false
}

// bloom reports whether the group's bloom filter leaves a chance for a probe.
func (p *pruner) bloom(r *Reader, g *Group, pr probe) (bool, error) {
	c := &g.Chunks[p.stats[pr.column].leaf.Index]
	at := c.bloom
	if at.off == 0 || c.DictOnly && c.HasDict {
		return true, nil // a dictionary that is read anyway knows better
	}
	if at.len == 0 { // older writers left the length out: the header has it
		at.len = min(minBloom, r.cfg.File.Size-at.off)
	}
	if at.len > maxIndex {
		return true, nil
	}
	b, err := r.small(r.asked, at)
	if err != nil {
		return false, err
	}
	size, head, ok := bloomHeader(b)
	if !ok || size > maxIndex || at.off+int64(head)+size > r.cfg.File.Size {
		return true, nil
	}
	if int64(len(b)) < int64(head)+size {
		if b, err = r.small(r.asked, span{at.off, int64(head) + size}); err != nil {
			return false, err
		}
	}
	return anyIn(b[head:head+int(size)], pr.hashes), nil
}

// bloomHeader reads a BloomFilterHeader: the size in bytes of the blocks, and
// its own. ok is false for kinds of filter that are not known.
func bloomHeader(b []byte) (size int64, head int, ok bool) {
	t := &thrift{b: b}
	known := 0
	t.structure(wireStruct, func(id int, wire byte) bool {
		if id == 1 {
			size = t.integer(wire)
			return true
		}
		if id > 4 || wire != wireStruct {
			return false
		}
		t.structure(wire, func(member int, wire byte) bool { // a union
			if member == 1 { // of one: split blocks; XXH64; uncompressed
				known++
			}
			return false
		})
		return true
	})
	return size, t.pos, !t.bad && known == 3 && size > 0 && size%32 == 0
}

// parquetSalts are the constants of the format's split-block bloom filter.
var parquetSalts = [8]uint32{
	0x47b6137b, 0x44974d91, 0x8824ad5b, 0xa2b7289d, 0x705495c7, 0x2df1424b, 0x9efc4947, 0x5c6bfb31,
}

// anyIn reports whether one of the hashes may be in the filter.
func anyIn(blocks []byte, hashes []uint64) bool {
	n := uint64(len(blocks) / 32)
	for _, h := range hashes {
		block := blocks[(h>>32)*n>>32*32:]
		in := true
		for i, salt := range parquetSalts {
			word := binary.LittleEndian.Uint32(block[4*i:])
			in = in && word>>(uint32(h)*salt>>27)&1 != 0
		}
		if in {
			return true
		}
	}
	return false
}

// The primes of XXH64.
const (
	xxp1 = 0x9E3779B185EBCA87
	xxp2 = 0xC2B2AE3D27D4EB4F
	xxp3 = 0x165667B19E3779F9
	xxp4 = 0x85EBCA77C2B2AE63
	xxp5 = 0x27D4EB2F165667C5
)

// xxh64 is XXH64 with seed 0, which Parquet's bloom filters use:
// https://github.com/Cyan4973/xxHash/blob/dev/doc/xxhash_spec.md.
func xxh64(b []byte) uint64 {
	n := uint64(len(b))
	h := uint64(xxp5)
	if len(b) >= 32 {
		h, b = xxhLanes(b)
	}
	h += n
	for ; len(b) >= 8; b = b[8:] {
		h = bits.RotateLeft64(h^xxRound(0, binary.LittleEndian.Uint64(b)), 27)*xxp1 + xxp4
	}
	if len(b) >= 4 {
		h = bits.RotateLeft64(h^uint64(binary.LittleEndian.Uint32(b))*xxp1, 23)*xxp2 + xxp3
		b = b[4:]
	}
	for _, c := range b {
		h = bits.RotateLeft64(h^uint64(c)*xxp5, 11) * xxp1
	}
	h = (h ^ h>>33) * xxp2
	h = (h ^ h>>29) * xxp3
	return h ^ h>>32
}

// xxhLanes digests whole stripes of 32 bytes in four lanes, and returns what
// follows them.
func xxhLanes(b []byte) (uint64, []byte) {
	var p1, p2 uint64 = xxp1, xxp2
	lanes := [4]uint64{p1 + p2, p2, 0, -p1}
	for ; len(b) >= 32; b = b[32:] {
		for i := range lanes {
			lanes[i] = xxRound(lanes[i], binary.LittleEndian.Uint64(b[8*i:]))
		}
	}
	h := bits.RotateLeft64(lanes[0], 1) + bits.RotateLeft64(lanes[1], 7) +
		bits.RotateLeft64(lanes[2], 12) + bits.RotateLeft64(lanes[3], 18)
	for _, l := range lanes {
		h = (h^xxRound(0, l))*xxp1 + xxp4
	}
	return h, b
}

func xxRound(acc, word uint64) uint64 {
	return bits.RotateLeft64(acc+word*xxp2, 31) * xxp1
}
