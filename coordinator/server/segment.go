package server

import (
	"encoding/base64"
	"strconv"
	"strings"
	"sync"

	"github.com/klauspost/compress/zstd"
	"github.com/pierrec/lz4/v4"
)

// packAbove is the size of rows from which compressing them pays.
const packAbove = 8 << 10

// compressors are shared by all results: each has tables of some hundred KB.
type compressors struct {
	zstd *zstd.Encoder // EncodeAll may be called by several at once
	lz4  sync.Pool     // of *lz4.Compressor
}

// packer writes rows as an inline segment, compressed if that helps. It counts
// the rows of one result and is for one goroutine at a time.
type packer struct {
	encoding string
	rows     int64 // in the segments so far
	shared   *compressors
}

// newPacker returns a packer for the first encoding that the client names and
// the server knows, nil if there is none.
func newPacker(wanted []string, shared *compressors) *packer {
	for _, e := range wanted {
		switch e = strings.ToLower(e); e {
		case "json", "json+lz4", "json+zstd":
			return &packer{encoding: e, shared: shared}
		}
	}
	return nil
}

// pack returns the "data" object for some rows.
func (p *packer) pack(rows buffer) ([]byte, error) {
	text := make([]byte, 0, len(rows.json)+2)
	text = append(append(append(text, '['), rows.json...), ']')
	content, size := text, 0
	if len(text) >= packAbove && p.encoding != "json" {
		packed, err := p.compress(text)
		if err != nil {
			return nil, err
		}
		if len(packed) > 0 && len(packed) < len(text) {
			content, size = packed, len(text)
		}
	}
	dst := make([]byte, 0, base64.StdEncoding.EncodedLen(len(content))+256)
	dst = append(dst, `{"encoding":"`+p.encoding+`","segments":[{"type":"inline","data":"`...)
	dst = base64.StdEncoding.AppendEncode(dst, content)
	dst = append(dst, `","metadata":{"rowOffset":`...)
	dst = strconv.AppendInt(dst, p.rows, 10)
	dst = strconv.AppendInt(append(dst, `,"rowsCount":`...), rows.n, 10)
	dst = strconv.AppendInt(append(dst, `,"segmentSize":`...), int64(len(content)), 10)
	if size > 0 {
		dst = strconv.AppendInt(append(dst, `,"uncompressedSize":`...), int64(size), 10)
	}
	p.rows += rows.n
	return append(dst, "}}]}"...), nil
}

// compress returns text packed, or nothing where it does not get smaller.
func (p *packer) compress(text []byte) ([]byte, error) {
	if p.encoding == "json+zstd" {
		return p.shared.zstd.EncodeAll(text, nil), nil
	}
	c, ok := p.shared.lz4.Get().(*lz4.Compressor)
	if !ok {
		c = &lz4.Compressor{}
	}
	defer p.shared.lz4.Put(c)
	dst := make([]byte, lz4.CompressBlockBound(len(text)))
	n, err := c.CompressBlock(text, dst)
	return dst[:n], err
}
