package exchange

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"

	"github.com/klauspost/compress/zstd"
	"github.com/pierrec/lz4/v4"

	"github.com/tuttidb/tutti/exec/mem"
)

// Compression of frames. None is right on a fast network: LZ4 costs about
// four times what the transport does.
type Compression uint8

// The compressions, those of Arrow's IPC format.
const (
	None Compression = iota
	LZ4
	Zstd
)

// ParseCompression returns the compression of that name: none, lz4 or zstd.
func ParseCompression(name string) (Compression, error) {
	switch name {
	case "", "none":
		return None, nil
	case "lz4":
		return LZ4, nil
	case "zstd":
		return Zstd, nil
	}
	return None, fmt.Errorf("unknown compression %q: none, lz4 and zstd are possible", name)
}

// stored is the length that precedes a buffer that did not shrink.
const stored = -1

// compress returns a compressed form of the body that fill wrote, appended to
// dst, and its header. As Arrow has it, each buffer is compressed by itself
// behind its length.
func (e *encoder) compress(kind Compression, body, dst []byte) (header, out []byte, err error) {
	squeeze, codec := squeezeLZ4, codecLZ4
	if kind == Zstd {
		squeeze, codec = squeezeZstd, codecZstd
	}
	out = dst[:0]
	for i, s := range e.meta.buffers {
		from := len(out)
		if s.n > 0 {
			raw := body[s.off : s.off+s.n]
			out = binary.LittleEndian.AppendUint64(out, uint64(s.n))
			if out, err = squeeze(out, raw); err != nil {
				return nil, nil, fmt.Errorf("compress frame: %w", err)
			}
			if len(out)-from-8 >= len(raw) {
				out = binary.LittleEndian.AppendUint64(out[:from], ^uint64(0)) // stored
				out = append(out, raw...)
			}
		}
		e.meta.buffers[i] = span{int64(from), int64(len(out) - from)}
		for len(out)%8 != 0 {
			out = append(out, 0)
		}
	}
	e.meta.codec, e.meta.body = codec, int64(len(out))
	return e.meta.marshal(), out, nil
}

func squeezeLZ4(dst, src []byte) ([]byte, error) {
	w := bytes.NewBuffer(dst)
	z := lz4.NewWriter(w)
	if _, err := z.Write(src); err != nil {
		return nil, err
	}
	err := z.Close()
	return w.Bytes(), err
}

func squeezeZstd(dst, src []byte) ([]byte, error) {
	z, err := zstd.NewWriter(nil, zstd.WithEncoderLevel(zstd.SpeedFastest), zstd.WithEncoderConcurrency(1))
	if err != nil {
		return nil, err
	}
	defer z.Close()
	return z.EncodeAll(src, dst), nil
}

var errCompressed = errors.New("malformed frame: compressed buffer")

// decompress returns the frame as it was before compression, in memory that
// account pays for, or f itself (and no memory) if it is not compressed.
func decompress(f Frame, account *mem.Account) (Frame, *mem.Buf, error) {
	var m recordMeta
	if err := m.unmarshal(f.Header); err != nil {
		return f, nil, err
	}
	if m.codec < 0 {
		return f, nil, nil
	}
	if m.codec > codecZstd {
		return f, nil, fmt.Errorf("malformed frame: compression %d is not known", m.codec)
	}
	plain := m
	size, err := plain.inflate(f.Body)
	if err != nil {
		return f, nil, err
	}
	buf, err := account.Alloc(max(size, 1))
	if err != nil {
		return f, nil, err
	}
	if err := expandAll(&m, plain.buffers, f.Body, buf.B); err != nil {
		buf.Release()
		return f, nil, err
	}
	return Frame{Header: plain.marshal(), Body: buf.B[:size], Rows: f.Rows}, buf, nil
}

// maxInflation bounds what a compressed buffer may claim to hold; LZ4 cannot
// pass 255, and zstd reaches more only for buffers that are all the same.
const maxInflation = 1 << 12

// inflate lays the buffers out in their plain sizes.
func (m *recordMeta) inflate(body []byte) (int, error) {
	out := make([]span, len(m.buffers))
	at := int64(0)
	for i, s := range m.buffers {
		if s.off < 0 || s.n < 0 || s.off > int64(len(body)) || s.n > int64(len(body))-s.off || s.n > 0 && s.n < 8 {
			return 0, errCompressed
		}
		n := int64(0)
		if s.n > 0 {
			if n = le64(body[s.off:]); n == stored {
				n = s.n - 8
			}
			if n < 0 || n > s.n*maxInflation {
				return 0, errCompressed
			}
		}
		out[i] = span{at, n}
		if at += (n + 63) &^ 63; at > maxMessage {
			return 0, errCompressed
		}
	}
	m.buffers, m.body, m.codec = out, at, -1
	return int(at), nil
}

func expandAll(m *recordMeta, to []span, body, dst []byte) error {
	for i, s := range m.buffers {
		if s.n == 0 {
			continue
		}
		src := body[s.off : s.off+s.n]
		out := dst[to[i].off : to[i].off+to[i].n : to[i].off+to[i].n]
		switch {
		case le64(src) == stored:
			copy(out, src[8:])
		case m.codec == codecLZ4:
			if _, err := io.ReadFull(lz4.NewReader(bytes.NewReader(src[8:])), out); err != nil {
				return errCompressed
			}
		default:
			if err := expandZstd(src[8:], out); err != nil {
				return errCompressed
			}
		}
	}
	return nil
}

func expandZstd(src, out []byte) error {
	z, err := zstd.NewReader(bytes.NewReader(src), zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxMemory(maxMessage))
	if err != nil {
		return err
	}
	defer z.Close()
	_, err = io.ReadFull(z, out)
	return err
}
