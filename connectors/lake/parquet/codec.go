package parquet

import (
	"bytes"
	"encoding/binary"
	"io"
	"sync"

	"github.com/andybalholm/brotli"
	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
	"github.com/pierrec/lz4/v4"
)

// Codecs decompresses pages. It keeps the decoders that are costly to make;
// one serves a whole process, and it is safe for concurrent use.
type Codecs struct {
	zstdOnce sync.Once
	zstd     *zstd.Decoder
	zstdErr  error
	gzips    sync.Pool
	brotlis  sync.Pool
}

// NewCodecs returns a Codecs that makes its decoders when they are needed.
func NewCodecs() *Codecs { return &Codecs{} }

// decode decompresses src to dst, which it must fill exactly.
func (c *Codecs) decode(codec Codec, dst, src []byte) error {
	if len(dst) == 0 && len(src) == 0 {
		return nil
	}
	switch codec {
	case Uncompressed:
		if len(src) != len(dst) {
			return corrupt("a page of %d bytes is said to have %d", len(src), len(dst))
		}
		copy(dst, src)
		return nil
	case Snappy:
		return decodeSnappy(dst, src)
	case Zstd:
		return c.decodeZstd(dst, src)
	case Gzip:
		return c.decodeGzip(dst, src)
	case Brotli:
		return c.decodeBrotli(dst, src)
	case LZ4Raw:
		return decodeLZ4(dst, src)
	case LZ4Hadoop:
		return decodeHadoopLZ4(dst, src)
	case LZO:
		return unsupported("compression with LZO")
	}
	return corrupt("unknown compression codec %d", codec)
}

func decodeSnappy(dst, src []byte) error {
	if !snappyDecode(dst, src) {
		return corrupt("a page does not decompress with snappy to %d bytes", len(dst))
	}
	return nil
}

func (c *Codecs) decodeZstd(dst, src []byte) error {
	c.zstdOnce.Do(func() {
		c.zstd, c.zstdErr = zstd.NewReader(nil, zstd.WithDecoderConcurrency(0), zstd.WithDecodeAllCapLimit(true), zstd.IgnoreChecksum(false))
	})
	if c.zstdErr != nil {
		return c.zstdErr
	}
	out, err := c.zstd.DecodeAll(src, dst[:0:len(dst)])
	if err != nil {
		return corrupt("a page does not decompress with zstd: %v", err)
	}
	return filled("zstd", dst, len(out))
}

// filled checks that a page decompressed to the size that its header gave.
func filled(codec string, dst []byte, n int) error {
	if n != len(dst) {
		return corrupt("a page decompressed with %s to %d bytes instead of %d", codec, n, len(dst))
	}
	return nil
}

func (c *Codecs) decodeGzip(dst, src []byte) error {
	r, _ := c.gzips.Get().(*gzip.Reader)
	if r == nil {
		r = new(gzip.Reader)
	}
	defer c.gzips.Put(r)
	if err := r.Reset(bytes.NewReader(src)); err != nil {
		return corrupt("a page does not decompress with gzip: %v", err)
	}
	return readFull("gzip", r, dst)
}

func (c *Codecs) decodeBrotli(dst, src []byte) error {
	r, _ := c.brotlis.Get().(*brotli.Reader)
	if r == nil {
		r = brotli.NewReader(nil)
	}
	defer c.brotlis.Put(r)
	if err := r.Reset(bytes.NewReader(src)); err != nil {
		return corrupt("a page does not decompress with brotli: %v", err)
	}
	return readFull("brotli", r, dst)
}

// readFull fills dst from r, which must end there.
func readFull(codec string, r io.Reader, dst []byte) error {
	n, err := io.ReadFull(r, dst)
	if err != nil && n < len(dst) {
		return corrupt("a page does not decompress with %s: %v after %d of %d bytes", codec, err, n, len(dst))
	}
	var more [1]byte
	if n, _ := io.ReadFull(r, more[:]); n > 0 {
		return filled(codec, dst, len(dst)+1)
	}
	return nil
}

func decodeLZ4(dst, src []byte) error {
	n, err := lz4.UncompressBlock(src, dst)
	if err != nil {
		return corrupt("a page does not decompress with lz4: %v", err)
	}
	return filled("lz4", dst, n)
}

// decodeHadoopLZ4 reads the codec that the format calls LZ4, with Hadoop's
// frames around LZ4 blocks (sizes before each, big endian). Some writers left
// the frames out, so a page without valid ones is taken as one block.
func decodeHadoopLZ4(dst, src []byte) error {
	if hadoopFrames(dst, src) {
		return nil
	}
	return decodeLZ4(dst, src)
}

func hadoopFrames(dst, src []byte) bool {
	for len(src) >= 8 {
		raw, packed := binary.BigEndian.Uint32(src), binary.BigEndian.Uint32(src[4:])
		src = src[8:]
		if uint64(raw) > uint64(len(dst)) || uint64(packed) > uint64(len(src)) {
			return false
		}
		n, err := lz4.UncompressBlock(src[:packed], dst[:raw])
		if err != nil || n != int(raw) {
			return false
		}
		dst, src = dst[raw:], src[packed:]
	}
	return len(dst) == 0 && len(src) == 0
}
