package parquet

import (
	"encoding/binary"
	"math/bits"

	"github.com/tuttidb/tutti/exec/mem"
	"github.com/tuttidb/tutti/exec/vector"
	"github.com/tuttidb/tutti/sql/types"
)

// slack is what page buffers have behind their end, so that loops over
// strings may load whole words.
const slack = 16

// maxPage bounds a page's size. Writers aim at 1 MiB.
const maxPage = 1 << 30

// pages walks the pages of one column chunk. A page's header is read first;
// the page is opened, that is decompressed, only when a value in it is wanted.
//
// Buffers that the current batch refers to (pinned) are kept until release.
type pages struct {
	account *allocator
	codecs  *Codecs
	leaf    *Leaf
	typ     types.Type
	layout  layout

	codec  Codec
	parts  []chunkPart // of the chunk, not begun yet
	data   []byte      // the current part from the next page's header on
	rows   []int64     // of the current part's pages not begun, if it says so
	unread int64       // values in pages whose headers were not read

	// The dictionary. dictPage is set when its header was read, dict when it
	// was decoded.
	dictHeader pageHeader
	dictRaw    []byte
	hasDict    bool
	dictReady  bool
	dict       *vector.Vector // one of its own a chunk: consumers tell dictionaries apart by it
	dictBody   *mem.Buf       // its decompressed page
	dictData   *mem.Buf       // its values

	// The current page.
	head    pageHeader
	raw     []byte
	left    int // values in it that were not read
	skipped int // values to skip when it is opened
	opened  bool
	body    []byte // what follows the levels, decompressed
	heapAt  int    // place of body in the batch's heap; -1: not in it
	defs    hybrid
	reps    hybrid
	vals    values

	buf     *mem.Buf // of the current page
	pinned  bool     // the batch refers to body
	keep    []*mem.Buf
	spare   []*mem.Buf
	scratch *mem.Buf // for conversions
	lens    *mem.Buf // lengths of delta-encoded strings
}

// start begins a chunk, of which parts were read. They stay valid until
// release after the chunk's last batch.
func (p *pages) start(c *Chunk, parts []chunkPart) {
	p.codec, p.parts, p.data, p.rows, p.unread = c.Codec, parts, nil, nil, c.Values
	p.hasDict, p.dictReady, p.left, p.opened = false, false, 0, false
	p.dict = &vector.Vector{Type: p.typ}
}

// release gives up what batches up to now refer to.
func (p *pages) release() {
	p.spare = append(p.spare, p.keep...)
	p.keep = p.keep[:0]
	p.pinned, p.heapAt = false, -1
}

// close gives all memory back.
func (p *pages) close() {
	p.release()
	for _, b := range p.spare {
		b.Release()
	}
	p.spare = nil
	for _, b := range []**mem.Buf{&p.buf, &p.dictBody, &p.dictData, &p.scratch, &p.lens} {
		(*b).Release()
		*b = nil
	}
}

// nextPage reads the next data page's header, and the dictionary page on the
// way.
func (p *pages) nextPage() error {
	for {
		if p.unread <= 0 || len(p.data) == 0 && len(p.parts) == 0 {
			return corrupt("the pages end before all values were read")
		}
		if len(p.data) == 0 {
			if p.nextPart() {
				return nil
			}
			continue
		}
		h, err := readPageHeader(p.data)
		if err != nil {
			return err
		}
		raw := p.data[h.size : h.size+h.compressed]
		p.data = p.data[h.size+h.compressed:]
		if err := p.checkSize(h); err != nil {
			return err
		}
		switch {
		case h.kind == pageDict:
			if p.hasDict {
				return corrupt("there are two dictionary pages")
			}
			p.hasDict, p.dictHeader, p.dictRaw = true, h, raw
		case h.isData():
			p.head, p.raw, p.left, p.skipped, p.opened = h, raw, h.values, 0, false
			p.unread -= int64(h.values)
			if p.unread < 0 {
				return corrupt("the pages have more values than the column")
			}
			if err := p.checkRows(h.values); err != nil {
				return err
			}
			if h.values > 0 {
				return nil
			}
		}
	}
}

// checkSize refuses a page that cannot decompress to what its header says.
func (p *pages) checkSize(h pageHeader) error {
	if h.uncompressed > maxPage || p.codec != Brotli && h.uncompressed/40000 > h.compressed+1<<10 {
		return corrupt("a page of %d bytes is said to decompress to %d", h.compressed, h.uncompressed)
	}
	return nil
}

// startDict begins a chunk of which only the first bytes were read, up to the
// end of its dictionary, and decodes that; nil if there is none.
func (p *pages) startDict(c *Chunk, data []byte) (*vector.Vector, error) {
	p.start(c, nil)
	h, err := readPageHeader(data)
	if err != nil || h.kind != pageDict {
		return nil, err
	}
	if err := p.checkSize(h); err != nil {
		return nil, err
	}
	p.hasDict, p.dictHeader, p.dictRaw = true, h, data[h.size:h.size+h.compressed]
	return p.dict, p.loadDict()
}

// nextPart begins the next part of the chunk. Values that were not read before
// it become the current page, which cannot be opened; then it returns true.
func (p *pages) nextPart() bool {
	part := &p.parts[0]
	if n := part.gap; n > 0 {
		part.gap = 0
		p.head, p.raw = pageHeader{kind: pageGap, values: int(n)}, nil
		p.left, p.skipped, p.opened = int(n), 0, false
		p.unread -= n
		return true
	}
	p.data, p.rows = part.data, part.rows
	p.parts = p.parts[1:]
	return false
}

// checkRows compares a page's number of values with that of the page index, by
// which it was chosen.
func (p *pages) checkRows(values int) error {
	if p.rows == nil {
		return nil
	}
	if len(p.rows) == 0 || p.rows[0] != int64(values) {
		return corrupt("the page index does not describe the pages: one of %d values is not in it", values)
	}
	p.rows = p.rows[1:]
	return nil
}

// room makes buf hold n bytes, contents lost, and slack behind.
func (p *pages) room(buf **mem.Buf, n int) ([]byte, error) {
	if *buf != nil && (*buf).Cap() < n+slack {
		(*buf).Release()
		*buf = nil
	}
	if *buf == nil {
		b, err := p.account.Alloc(max(n+slack, 1<<10))
		if err != nil {
			return nil, err
		}
		*buf = b
	}
	(*buf).Resize(n + slack)
	return (*buf).B[:n], nil
}

// pageBuf returns n bytes for the next page's body, leaving alone what the
// batch refers to.
func (p *pages) pageBuf(n int) ([]byte, error) {
	if p.pinned && p.buf != nil {
		p.keep = append(p.keep, p.buf)
		p.buf = nil
	}
	if p.buf == nil && len(p.spare) > 0 {
		p.buf = p.spare[len(p.spare)-1]
		p.spare = p.spare[:len(p.spare)-1]
	}
	p.pinned = false
	return p.room(&p.buf, n)
}

// open decompresses the current page and readies its decoders.
func (p *pages) open() error {
	if p.opened {
		return nil
	}
	p.heapAt = -1
	err := p.head.verify(p.raw)
	switch {
	case err != nil:
	case p.head.kind == pageDataV2:
		err = p.openV2()
	case p.head.kind == pageGap:
		err = corrupt("rows are wanted that are not in the page index")
	default:
		err = p.openV1()
	}
	if err != nil {
		return err
	}
	if err := p.vals.begin(p); err != nil {
		return err
	}
	p.opened = true
	n := p.skipped
	p.skipped = 0
	return p.skipOpened(n)
}

func (p *pages) openV1() error {
	body := p.raw
	if p.codec != Uncompressed {
		buf, err := p.pageBuf(p.head.uncompressed)
		if err != nil {
			return err
		}
		if err := p.codecs.decode(p.codec, buf, p.raw); err != nil {
			return err
		}
		body = buf
	}
	var err error
	if p.leaf.MaxRep > 0 {
		if body, err = p.levels(&p.reps, body, p.head.repEnc, p.leaf.MaxRep); err != nil {
			return err
		}
	}
	if p.leaf.MaxDef > 0 {
		if body, err = p.levels(&p.defs, body, p.head.defEnc, p.leaf.MaxDef); err != nil {
			return err
		}
	}
	p.body = body
	return nil
}

// levels readies h for the levels at the start of body, as v1 pages have
// them, and returns what follows.
func (p *pages) levels(h *hybrid, body []byte, enc, highest int) ([]byte, error) {
	width := uint(bits.Len(uint(highest)))
	if enc == encBitPacked {
		old, err := unpackOld(body, p.head.values, width)
		if err != nil {
			return nil, err
		}
		h.reset(old, width)
		return body[(p.head.values*int(width)+7)/8:], nil
	}
	if enc != encRLE {
		return nil, unsupported("levels in encoding %d", enc)
	}
	if len(body) < 4 {
		return nil, corrupt("a page's levels are cut off")
	}
	n := int(binary.LittleEndian.Uint32(body))
	if n > len(body)-4 {
		return nil, corrupt("a page's levels are larger than the page")
	}
	h.reset(body[4:4+n], width)
	return body[4+n:], nil
}

func (p *pages) openV2() error {
	repLen, levels := p.head.repLen, p.head.repLen+p.head.defLen
	body := p.raw[levels:]
	if p.head.packed && p.codec != Uncompressed {
		buf, err := p.pageBuf(p.head.uncompressed - levels)
		if err != nil {
			return err
		}
		if err := p.codecs.decode(p.codec, buf, body); err != nil {
			return err
		}
		body = buf
	}
	p.reps.reset(p.raw[:repLen], uint(bits.Len(uint(p.leaf.MaxRep))))
	p.defs.reset(p.raw[repLen:levels], uint(bits.Len(uint(p.leaf.MaxDef))))
	p.body = body
	return nil
}

// loadDict decodes the dictionary page if it was not yet.
func (p *pages) loadDict() error {
	if p.dictReady {
		return nil
	}
	if !p.hasDict {
		return corrupt("a page refers to a dictionary that is not there")
	}
	h := &p.dictHeader
	if h.enc != encPlain && h.enc != encPlainDict {
		return unsupported("a dictionary in encoding %d", h.enc)
	}
	if err := h.verify(p.dictRaw); err != nil {
		return err
	}
	body := p.dictRaw
	if p.codec != Uncompressed {
		buf, err := p.room(&p.dictBody, h.uncompressed)
		if err != nil {
			return err
		}
		if err := p.codecs.decode(p.codec, buf, p.dictRaw); err != nil {
			return err
		}
		body = buf
	}
	least := max(p.layout.srcW, 1)
	if p.layout.src == srcBytes {
		least = 4
	}
	if p.layout.src == srcBool || h.values > len(body)/least {
		return corrupt("a dictionary of %d bytes is said to have %d values", len(body), h.values)
	}
	if err := p.decodeDict(body, h.values); err != nil {
		return err
	}
	p.dictReady = true
	return nil
}

// decodeDict makes p.dict of n values in PLAIN encoding.
func (p *pages) decodeDict(body []byte, n int) error {
	data, err := p.room(&p.dictData, n*p.layout.dstW)
	if err != nil {
		return err
	}
	v := p.dict
	v.Type, v.Enc, v.N, v.Data = p.typ, vector.Flat, n, data
	v.Heap = append(v.Heap[:0], body)
	switch {
	case p.layout.src == srcFixed:
		return p.convert(data, body, n)
	case p.layout.src == srcFixedBytes:
		fixedViews(asWords(data), body, 0, p.layout.srcW, 0)
		return nil
	case p.layout.fromBytes == nil:
		_, err := plainViews(asWords(data), body, 0, 0)
		return err
	}
	views, err := p.room(&p.scratch, n*16)
	if err != nil {
		return err
	}
	if _, err := plainViews(asWords(views), body, 0, 0); err != nil {
		return err
	}
	return p.layout.fromBytes(data, vector.Cast[vector.View](views), v.Heap)
}

// convert turns n PLAIN values of srcFixed, which are there, into the vector's.
func (p *pages) convert(dst, src []byte, n int) error {
	if p.layout.conv == nil {
		copy(dst, src[:n*p.layout.dstW])
		return nil
	}
	return p.layout.conv(dst, src, n)
}

// skipOpened passes over n values, nulls included, of the opened page of a
// column without repetition.
func (p *pages) skipOpened(n int) error {
	if n == 0 {
		return nil
	}
	present := n
	switch {
	case p.leaf.MaxDef == 1:
		ones, err := p.defs.countOnes(n)
		if err != nil {
			return err
		}
		present = ones
	case p.leaf.MaxDef > 1:
		present = 0
		var levels [256]int32
		for n > 0 {
			part := levels[:min(n, len(levels))]
			if err := p.defs.read(part); err != nil {
				return err
			}
			present += countLevel(part, int32(p.leaf.MaxDef))
			n -= len(part)
		}
	}
	return p.vals.skip(p, present)
}

// countLevel counts the levels that equal x.
func countLevel(levels []int32, x int32) (n int) {
	for _, l := range levels {
		if l == x {
			n++
		}
	}
	return n
}

// asWords views the memory of views as words.
func asWords(b []byte) []viewWords {
	return castWords(vector.Cast[vector.View](b))
}
