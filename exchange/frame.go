package exchange

import (
	"fmt"
	"io"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/ipc"
	"github.com/apache/arrow-go/v18/arrow/memory"

	"github.com/tuttidb/tutti/exec/vector"
	"github.com/tuttidb/tutti/sql/types"
)

// Frame is what an exchange moves: one Arrow record batch in IPC form, as
// Flight sends it. Header is the message's flatbuffer, Body the columns'
// buffers, each aligned to 8 bytes or more.
type Frame struct {
	Header []byte
	Body   []byte
	Rows   int
}

// encode writes flat columns of n rows as a frame. body is called once, with
// the length of the body, for the memory to write it to.
func encode(schema *arrow.Schema, cols []*vector.Vector, n int, body func(n int) ([]byte, error)) (Frame, error) {
	arrays := make([]arrow.Array, len(cols))
	for i, c := range cols {
		arrays[i] = array.MakeFromData(toArrow(c))
	}
	rec := array.NewRecordBatch(schema, arrays, int64(n))
	payload, err := ipc.GetRecordBatchPayload(rec)
	if err != nil {
		return Frame{}, fmt.Errorf("encode frame: %w", err)
	}
	defer payload.Release()
	var size counter
	if err := payload.SerializeBody(&size); err != nil {
		return Frame{}, fmt.Errorf("encode frame: %w", err)
	}
	dst, err := body(int(size))
	if err != nil {
		return Frame{}, err
	}
	w := filler{b: dst}
	if err := payload.SerializeBody(&w); err != nil {
		return Frame{}, fmt.Errorf("encode frame: %w", err)
	}
	header := append([]byte(nil), payload.Meta().Bytes()...)
	return Frame{Header: header, Body: dst, Rows: n}, nil
}

// counter is a writer that only counts.
type counter int

func (c *counter) Write(p []byte) (int, error) {
	*c += counter(len(p))
	return len(p), nil
}

// filler is a writer into memory of a known size.
type filler struct {
	b []byte
	n int
}

func (f *filler) Write(p []byte) (int, error) {
	if f.n+len(p) > len(f.b) {
		return 0, io.ErrShortWrite
	}
	f.n += copy(f.b[f.n:], p)
	return len(p), nil
}

// decoder turns frames of one schema back into vectors. It is for one
// goroutine.
type decoder struct {
	types  []types.Type
	reader *ipc.Reader
	feed   feed
}

// newDecoder returns a decoder for frames with columns of these types.
func newDecoder(ts []types.Type) (*decoder, error) {
	d := &decoder{types: ts}
	schema := ipc.GetSchemaPayload(arrowSchema(ts), memory.DefaultAllocator)
	d.feed.next = ipc.NewMessage(memory.NewBufferBytes(append([]byte(nil), schema.Meta().Bytes()...)), memory.NewBufferBytes(nil))
	schema.Release()
	r, err := ipc.NewReaderFromMessageReader(&d.feed)
	if err != nil {
		return nil, fmt.Errorf("decode frames: %w", err)
	}
	d.reader = r
	return d, nil
}

// decode returns the frame's columns, which alias its bytes, and its rows.
// Malformed frames give errors, whatever their bytes.
func (d *decoder) decode(f Frame) (cols []*vector.Vector, rows int, err error) {
	defer func() {
		// The Arrow reader panics on some malformed messages; what it does to
		// its own state does not matter, for the caller gives up on the stream.
		if p := recover(); p != nil {
			cols, rows, err = nil, 0, fmt.Errorf("malformed frame: %v", p)
		}
	}()
	if len(f.Header) < 8 {
		return nil, 0, fmt.Errorf("malformed frame: header of %d bytes", len(f.Header))
	}
	d.feed.next = ipc.NewMessage(memory.NewBufferBytes(f.Header), memory.NewBufferBytes(f.Body))
	rec, err := d.reader.Read()
	if err != nil {
		return nil, 0, fmt.Errorf("malformed frame: %w", err)
	}
	if int(rec.NumCols()) != len(d.types) {
		return nil, 0, fmt.Errorf("malformed frame: %d columns, want %d", rec.NumCols(), len(d.types))
	}
	rows = int(rec.NumRows())
	for i, t := range d.types {
		v, err := fromArrow(rec.Column(i).Data(), t)
		if err != nil {
			return nil, 0, fmt.Errorf("malformed frame: column %d: %w", i, err)
		}
		if v.N != rows {
			return nil, 0, fmt.Errorf("malformed frame: column %d has %d rows of %d", i, v.N, rows)
		}
		cols = append(cols, v)
	}
	return cols, rows, nil
}

// feed hands the Arrow reader one message at a time.
type feed struct{ next *ipc.Message }

// Message returns the message that was put in, once.
func (f *feed) Message() (*ipc.Message, error) {
	if f.next == nil {
		return nil, io.EOF
	}
	m := f.next
	f.next = nil
	return m, nil
}

// Release does nothing: the garbage collector frees what the reader drops.
func (f *feed) Release() {}

// Retain does nothing.
func (f *feed) Retain() {}
