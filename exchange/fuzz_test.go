package exchange

import (
	"testing"

	grpcmem "google.golang.org/grpc/mem"

	"github.com/tuttidb/tutti/exec/mem"
)

// FuzzReceive feeds damaged messages, cut into buffers as gRPC does, to the
// codec, and what it makes of them to the decoder.
func FuzzReceive(f *testing.F) {
	fr, _, release := encodeAll(f, 20)
	release()
	whole := (&outgoing{frame: &Held{Frame: fr}}).marshal().Materialize()
	f.Add(whole, 100)
	f.Add((&outgoing{end: []byte("end")}).marshal().Materialize(), 1)
	f.Fuzz(func(t *testing.T, b []byte, chunk int) {
		pool := mem.NewPool()
		m := &incoming{account: mem.NewRoot("fuzz", 1<<24, pool)}
		chunk = max(chunk, 1)
		var data grpcmem.BufferSlice
		for rest := b; len(rest) > 0; {
			n := min(chunk, len(rest))
			data = append(data, grpcmem.SliceBuffer(rest[:n]))
			rest = rest[n:]
		}
		if err := m.unmarshal(data); err == nil && m.body != nil {
			d := &decoder{types: allTypes}
			_, _, _ = d.decode(Frame{Header: m.header, Body: m.body.B[:m.n]})
		}
		m.body.Release()
		if pool.Out() != 0 {
			t.Errorf("%d bytes leaked", pool.Out())
		}
	})
}

// FuzzDecompress feeds damaged compressed frames to the decompressor: errors,
// no more memory than the account allows.
func FuzzDecompress(f *testing.F) {
	for _, kind := range []Compression{LZ4, Zstd} {
		_, cols, release := encodeAll(f, 300)
		var e encoder
		n, err := e.layout(cols, 300)
		if err != nil {
			f.Fatal(err)
		}
		body := make([]byte, n)
		e.fill(body)
		header, out, err := e.compress(kind, body, nil)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(header, out)
		release()
	}
	f.Fuzz(func(t *testing.T, header, body []byte) {
		pool := mem.NewPool()
		fr, buf, err := decompress(Frame{Header: header, Body: body}, mem.NewRoot("fuzz", 1<<24, pool))
		if err == nil {
			d := &decoder{types: allTypes}
			_, _, _ = d.decode(fr)
		}
		buf.Release()
		if pool.Out() != 0 {
			t.Errorf("%d bytes leaked", pool.Out())
		}
	})
}
