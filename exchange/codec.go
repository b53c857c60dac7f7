package exchange

import (
	"encoding/binary"
	"errors"
	"fmt"

	"google.golang.org/grpc/encoding"
	_ "google.golang.org/grpc/encoding/proto" // registers the codec that ours falls back to
	grpcmem "google.golang.org/grpc/mem"
	"google.golang.org/protobuf/encoding/protowire"

	"github.com/tuttidb/tutti/exec/mem"
)

// Fields of arrow.flight.protocol.FlightData.
const (
	fieldHeader   = 2
	fieldMetadata = 3
	fieldBody     = 1000
)

// maxMessage bounds a message between nodes; gRPC's limit is an int32.
const maxMessage = 1<<31 - 1

// codec is gRPC's codec for protocol buffers, but for the messages of DoGet,
// which are most of the bytes that nodes exchange: it sends retained frames
// from where they lie and receives them into accounted slabs, one copy each
// way less than protobuf's own code, and no garbage.
type codec struct{ proto encoding.CodecV2 }

func newCodec() codec { return codec{proto: encoding.GetCodecV2("proto")} }

// Name is that of the codec it stands in for: the bytes are the same.
func (c codec) Name() string { return "proto" }

// Marshal encodes outgoing frames, and other messages as protobuf does.
func (c codec) Marshal(v any) (grpcmem.BufferSlice, error) {
	if m, ok := v.(*outgoing); ok {
		return m.marshal(), nil
	}
	return c.proto.Marshal(v)
}

// Unmarshal decodes incoming frames, and other messages as protobuf does.
func (c codec) Unmarshal(data grpcmem.BufferSlice, v any) error {
	if m, ok := v.(*incoming); ok {
		return m.unmarshal(data)
	}
	return c.proto.Unmarshal(data, v)
}

// outgoing is a FlightData message to send: a frame, or the end with its
// figures as metadata.
type outgoing struct {
	frame *Held
	end   []byte
	// lent is where frames are noted while gRPC has them; nil: they are copied.
	lent  *lent
	taken bool // the frame has been taken over
}

// marshal takes the frame over: it is released when gRPC has sent it.
func (m *outgoing) marshal() grpcmem.BufferSlice {
	if m.frame == nil {
		b := protowire.AppendTag(nil, fieldMetadata, protowire.BytesType)
		return grpcmem.BufferSlice{grpcmem.SliceBuffer(protowire.AppendBytes(b, m.end))}
	}
	f := m.frame
	m.taken = true
	b := protowire.AppendTag(make([]byte, 0, len(f.Header)+32), fieldHeader, protowire.BytesType)
	b = protowire.AppendBytes(b, f.Header)
	b = protowire.AppendTag(b, fieldBody, protowire.BytesType)
	b = protowire.AppendVarint(b, uint64(len(f.Body)))
	// gRPC does not say when it has sent small buffers.
	if grpcmem.IsBelowBufferPoolingThreshold(cap(f.Body)) || m.lent == nil || !m.lent.take(f) {
		b = append(b, f.Body...)
		f.Release()
		return grpcmem.BufferSlice{grpcmem.SliceBuffer(b)}
	}
	return grpcmem.BufferSlice{grpcmem.SliceBuffer(b), grpcmem.NewBuffer(&f.Body, lender{m.lent, f})}
}

// lender is a "pool" that releases a frame when gRPC gives its body back.
type lender struct {
	lent  *lent
	frame *Held
}

// Get is never called: the pool only takes back.
func (r lender) Get(n int) *[]byte { b := make([]byte, n); return &b }

// Put releases the frame.
func (r lender) Put(*[]byte) { r.lent.giveBack(r.frame) }

// incoming is a FlightData message to receive. Its body goes to memory that
// account pays for and that belongs to whoever receives the message.
type incoming struct {
	account *mem.Account
	// alloc, if set, gives the memory instead.
	alloc func(n int) (*mem.Buf, error)
	// atEnd says that the message is the end, with its figures in end.
	atEnd  bool
	end    []byte
	header []byte
	body   *mem.Buf
	n      int // bytes of the body
	// err is why there was no memory: gRPC passes on the text alone.
	err error
}

var errMessage = errors.New("malformed message of an exchange")

// unmarshal reads the message field by field from gRPC's buffers.
func (m *incoming) unmarshal(data grpcmem.BufferSlice) error {
	r := sliceReader{rest: data, left: data.Len()}
	for r.left > 0 {
		if err := m.field(&r); err != nil {
			return err
		}
	}
	return nil
}

func (m *incoming) field(r *sliceReader) error {
	tag, err := r.varint()
	if err != nil {
		return err
	}
	if tag&7 != uint64(protowire.BytesType) {
		return errMessage // FlightData has no other fields
	}
	n64, err := r.varint()
	if err != nil || n64 > uint64(r.left) {
		return errMessage
	}
	n := int(n64)
	switch tag >> 3 {
	case fieldHeader:
		m.header = make([]byte, n)
		return r.copy(m.header)
	case fieldMetadata:
		m.atEnd, m.end = true, make([]byte, n)
		return r.copy(m.end)
	case fieldBody:
		m.body.Release()
		alloc := m.alloc
		if alloc == nil {
			alloc = m.account.Alloc
		}
		if m.body, err = alloc(max(n, 1)); err != nil {
			m.body, m.err = nil, err
			return fmt.Errorf("receive frame: %w", err)
		}
		m.n = n
		return r.copy(m.body.B[:n])
	}
	return r.skip(n)
}

// sliceReader reads bytes from a list of buffers.
type sliceReader struct {
	rest grpcmem.BufferSlice
	at   int // within rest[0]
	left int // in all
}

// chunk returns up to n of the next bytes, at least one if any are left.
func (r *sliceReader) chunk(n int) []byte {
	for len(r.rest) > 0 {
		if b := r.rest[0].ReadOnlyData()[r.at:]; len(b) > 0 {
			b = b[:min(n, len(b))]
			r.at += len(b)
			r.left -= len(b)
			return b
		}
		r.rest, r.at = r.rest[1:], 0
	}
	return nil
}

func (r *sliceReader) copy(dst []byte) error {
	for len(dst) > 0 {
		b := r.chunk(len(dst))
		if b == nil {
			return errMessage
		}
		dst = dst[copy(dst, b):]
	}
	return nil
}

func (r *sliceReader) skip(n int) error {
	for n > 0 {
		b := r.chunk(n)
		if b == nil {
			return errMessage
		}
		n -= len(b)
	}
	return nil
}

func (r *sliceReader) varint() (uint64, error) {
	var b [binary.MaxVarintLen64]byte
	for i := range b {
		c := r.chunk(1)
		if c == nil {
			return 0, errMessage
		}
		b[i] = c[0]
		if c[0] < 0x80 {
			v, n := binary.Uvarint(b[:i+1])
			if n <= 0 {
				return 0, errMessage
			}
			return v, nil
		}
	}
	return 0, errMessage
}
