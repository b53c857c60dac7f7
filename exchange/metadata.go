package exchange

import (
	"encoding/binary"
	"errors"

	flatbuffers "github.com/google/flatbuffers/go"
)

// Numbers of Arrow's Message.fbs and Schema.fbs.
const (
	metadataV5        = 4
	headerSchema      = 1
	headerRecordBatch = 3
	codecLZ4          = 0
	codecZstd         = 1
)

// span is where a buffer lies in the body.
type span struct{ off, n int64 }

// node is a column's FieldNode: its rows, and how many of them are null.
type node struct{ rows, nulls int64 }

// recordMeta is a record batch message: what Arrow's IPC format says about a
// body. Columns and buffers are listed depth first.
type recordMeta struct {
	rows     int64
	body     int64
	nodes    []node
	buffers  []span
	variadic []int64 // heap buffers of each column of strings
	codec    int     // codecLZ4, codecZstd; -1: not compressed
}

// marshal returns the message as a flatbuffer.
func (m *recordMeta) marshal() []byte {
	b := flatbuffers.NewBuilder(192 + 16*(len(m.nodes)+len(m.buffers)) + 8*len(m.variadic))
	b.StartVector(8, len(m.variadic), 8)
	for i := len(m.variadic) - 1; i >= 0; i-- {
		b.PrependInt64(m.variadic[i])
	}
	variadic := b.EndVector(len(m.variadic))
	b.StartVector(16, len(m.buffers), 8)
	for i := len(m.buffers) - 1; i >= 0; i-- {
		b.PrependInt64(m.buffers[i].n)
		b.PrependInt64(m.buffers[i].off)
	}
	buffers := b.EndVector(len(m.buffers))
	b.StartVector(16, len(m.nodes), 8)
	for i := len(m.nodes) - 1; i >= 0; i-- {
		b.PrependInt64(m.nodes[i].nulls)
		b.PrependInt64(m.nodes[i].rows)
	}
	nodes := b.EndVector(len(m.nodes))
	compression := m.marshalCodec(b)

	b.StartObject(5)
	b.PrependInt64Slot(0, m.rows, 0)
	b.PrependUOffsetTSlot(1, nodes, 0)
	b.PrependUOffsetTSlot(2, buffers, 0)
	b.PrependUOffsetTSlot(3, compression, 0)
	if len(m.variadic) > 0 {
		b.PrependUOffsetTSlot(4, variadic, 0)
	}
	batch := b.EndObject()

	b.StartObject(5)
	b.PrependInt16Slot(0, metadataV5, 0)
	b.PrependByteSlot(1, headerRecordBatch, 0)
	b.PrependUOffsetTSlot(2, batch, 0)
	b.PrependInt64Slot(3, m.body, 0)
	b.Finish(b.EndObject())
	return b.FinishedBytes()
}

func (m *recordMeta) marshalCodec(b *flatbuffers.Builder) flatbuffers.UOffsetT {
	if m.codec < 0 {
		return 0
	}
	b.StartObject(2)
	b.PrependInt8Slot(0, int8(m.codec), 0)
	return b.EndObject()
}

var errMetadata = errors.New("malformed frame metadata")

// unmarshal reads a message that may come from anywhere. What it returns has
// as many nodes and buffers as fit the bytes, and nothing more is certain.
func (m *recordMeta) unmarshal(b []byte) error {
	msg := rootTable(b)
	if msg.integer(1, 1) != headerRecordBatch {
		return errMetadata
	}
	m.body = msg.integer(3, 8)
	batch := msg.table(2)
	m.rows = batch.integer(0, 8)
	m.codec = -1
	if c := batch.table(3); c.ok() {
		m.codec = int(c.integer(0, 1))
	}
	m.nodes, m.buffers, m.variadic = m.nodes[:0], m.buffers[:0], m.variadic[:0]
	batch.vector(1, 16, func(e []byte) { m.nodes = append(m.nodes, node{le64(e), le64(e[8:])}) })
	batch.vector(2, 16, func(e []byte) { m.buffers = append(m.buffers, span{le64(e), le64(e[8:])}) })
	batch.vector(4, 8, func(e []byte) { m.variadic = append(m.variadic, le64(e)) })
	if !batch.ok() {
		return errMetadata
	}
	return nil
}

func le64(b []byte) int64 { return int64(binary.LittleEndian.Uint64(b)) }

// table is a flatbuffer table within b, read with every offset checked. The
// zero table has no fields.
type table struct {
	b      []byte
	at     int
	vtable []byte
}

func (t table) ok() bool { return t.b != nil }

func rootTable(b []byte) table {
	if len(b) < 4 {
		return table{}
	}
	return tableAt(b, int64(binary.LittleEndian.Uint32(b)))
}

func tableAt(b []byte, at int64) table {
	if at < 0 || at+4 > int64(len(b)) {
		return table{}
	}
	v := at - int64(int32(binary.LittleEndian.Uint32(b[at:])))
	if v < 0 || v+4 > int64(len(b)) {
		return table{}
	}
	n := int64(binary.LittleEndian.Uint16(b[v:]))
	if n < 4 || v+n > int64(len(b)) {
		return table{}
	}
	return table{b: b, at: int(at), vtable: b[v : v+n]}
}

// field returns the bytes from a field on, at least size of them; nil if it
// is not there.
func (t table) field(slot, size int) []byte {
	at := 4 + 2*slot
	if at+2 > len(t.vtable) {
		return nil
	}
	off := int(binary.LittleEndian.Uint16(t.vtable[at:]))
	if off == 0 || t.at+off+size > len(t.b) {
		return nil
	}
	return t.b[t.at+off:]
}

// integer returns a field of 1 or 8 bytes, 0 if it is not there.
func (t table) integer(slot, size int) int64 {
	f := t.field(slot, size)
	switch {
	case f == nil:
		return 0
	case size == 1:
		return int64(f[0])
	}
	return le64(f)
}

// indirect returns the place a field's offset points to; -1 if there is none.
func (t table) indirect(slot int) int64 {
	f := t.field(slot, 4)
	if f == nil {
		return -1
	}
	return int64(len(t.b)-len(f)) + int64(binary.LittleEndian.Uint32(f))
}

func (t table) table(slot int) table { return tableAt(t.b, t.indirect(slot)) }

// vector calls f for each element of a vector of structs of that size, none
// if the vector does not lie within the bytes.
func (t table) vector(slot, size int, f func(e []byte)) {
	at := t.indirect(slot)
	if at < 0 || at+4 > int64(len(t.b)) {
		return
	}
	n := int64(binary.LittleEndian.Uint32(t.b[at:]))
	at += 4
	if n*int64(size) > int64(len(t.b))-at {
		return
	}
	for ; n > 0; n-- {
		f(t.b[at : at+int64(size)])
		at += int64(size)
	}
}
