package parquet

import (
	"unsafe"

	"github.com/tuttidb/tutti/exec/vector"
)

func castWords(v []vector.View) []viewWords {
	return unsafe.Slice((*viewWords)(unsafe.Pointer(unsafe.SliceData(v))), len(v))
}

// valuesKind is how the values of an opened page are decoded.
type valuesKind uint8

const (
	valPlain   valuesKind = iota // as the layout's source says
	valRLEBool                   // booleans in runs
	valDict                      // indices
	valDelta                     // DELTA_BINARY_PACKED
	valLengths                   // DELTA_LENGTH_BYTE_ARRAY
)

// values decodes the values, without nulls, of the current page, in order.
type values struct {
	kind valuesKind
	b    []byte // the page's values
	at   int    // where the next one begins: a byte, or a bit for booleans
	runs hybrid
	ints delta
	lens []int32 // lengths of strings that were not read (valLengths)
}

// begin readies v for the page that p has just opened.
func (v *values) begin(p *pages) error {
	v.b, v.at, v.kind = p.body, 0, valPlain
	enc := p.head.enc
	switch src := p.layout.src; {
	case enc == encPlain:
		return nil
	case enc == encPlainDict || enc == encRLEDict:
		return v.beginDict(p)
	case enc == encRLE && src == srcBool:
		return v.beginRLE(p)
	case enc == encDeltaBinary && (p.leaf.Kind == KindInt32 || p.leaf.Kind == KindInt64):
		v.kind = valDelta
		return v.ints.reset(v.b)
	case enc == encDeltaLength && src == srcBytes:
		return v.beginLengths(p)
	case enc == encDeltaBytes && (p.leaf.Kind == KindBytes || p.leaf.Kind == KindFixed):
		return v.beginDeltaBytes(p)
	case enc == encByteStreamSplit && (src == srcFixed || src == srcFixedBytes):
		return v.beginSplit(p)
	}
	return unsupported("%s values in encoding %d", p.leaf.Kind, enc)
}

func (v *values) beginDict(p *pages) error {
	if err := p.loadDict(); err != nil {
		return err
	}
	v.kind = valDict
	if len(v.b) == 0 { // a page of nulls may leave the width out
		v.runs.reset(nil, 0)
		return nil
	}
	if v.b[0] > 32 {
		return corrupt("dictionary indices of %d bits", v.b[0])
	}
	v.runs.reset(v.b[1:], uint(v.b[0]))
	return nil
}

// beginRLE readies booleans in runs, which have a length in front. The v2
// header makes that length superfluous, and writers still put it there.
func (v *values) beginRLE(p *pages) error {
	v.kind = valRLEBool
	if len(v.b) < 4 {
		v.runs.reset(nil, 1)
		return nil
	}
	v.runs.reset(v.b[4:], 1)
	return nil
}

// beginLengths decodes the lengths of all strings of a page; the strings
// follow them.
func (v *values) beginLengths(p *pages) error {
	v.kind = valLengths
	if err := v.ints.reset(v.b); err != nil {
		return err
	}
	if v.ints.total > p.head.values {
		return corrupt("a page of %d values has %d strings", p.head.values, v.ints.total)
	}
	buf, err := p.room(&p.lens, v.ints.total*4)
	if err != nil {
		return err
	}
	v.lens = vector.Cast[int32](buf)
	if err := readInt32s(&v.ints, v.lens); err != nil {
		return err
	}
	v.at = len(v.b) - len(v.ints.rest())
	return nil
}

// readInt32s reads len(dst) values, cut to 32 bits.
func readInt32s(d *delta, dst []int32) error {
	var part [64]int64
	for len(dst) > 0 {
		k := min(len(part), len(dst))
		if err := d.read(part[:k]); err != nil {
			return err
		}
		for i, x := range part[:k] {
			dst[i] = int32(x)
		}
		dst = dst[k:]
	}
	return nil
}

// beginDeltaBytes turns a page of DELTA_BYTE_ARRAY, where strings share
// prefixes with their predecessors, into a PLAIN one.
func (v *values) beginDeltaBytes(p *pages) error {
	if err := v.ints.reset(v.b); err != nil {
		return err
	}
	n := v.ints.total
	if n > p.head.values {
		return corrupt("a page of %d values has %d strings", p.head.values, n)
	}
	buf, err := p.room(&p.lens, n*8)
	if err != nil {
		return err
	}
	lens := vector.Cast[int32](buf)
	prefixes, suffixes := lens[:n], lens[n:2*n]
	if err := readInt32s(&v.ints, prefixes); err != nil {
		return err
	}
	if err := v.ints.reset(v.ints.rest()); err != nil {
		return err
	}
	if v.ints.total != n {
		return corrupt("a page has %d prefixes and %d strings", n, v.ints.total)
	}
	if err := readInt32s(&v.ints, suffixes); err != nil {
		return err
	}
	return v.join(p, prefixes, suffixes, v.ints.rest())
}

// join writes the strings in PLAIN form to a new page buffer.
func (v *values) join(p *pages, prefixes, suffixes []int32, tails []byte) error {
	prefixed := 4 // bytes of length before each
	if p.leaf.Kind == KindFixed {
		prefixed = 0
	}
	total, err := joinedSize(p, prefixes, suffixes, len(tails), prefixed)
	if err != nil {
		return err
	}
	// The buffer that v.b lies in must survive until the copy is made.
	from := p.buf
	p.buf = nil
	out, err := p.pageBuf(total)
	if err == nil {
		joinInto(out, prefixes, suffixes, tails, prefixed)
	}
	if from != nil {
		p.keep = append(p.keep, from)
	}
	v.kind, v.b, v.at = valPlain, out, 0
	p.body = out
	return err
}

// joinedSize checks the lengths and returns the size of the PLAIN form.
func joinedSize(p *pages, prefixes, suffixes []int32, tails, prefixed int) (int, error) {
	total, last := 0, 0
	for i, pre := range prefixes {
		suf := int(suffixes[i])
		if pre < 0 || int(pre) > last || suf < 0 || suf > tails {
			return 0, corrupt("a string's prefix or suffix has an impossible length")
		}
		last = int(pre) + suf
		tails -= suf
		if total += last + prefixed; total > maxPage {
			return 0, corrupt("a page's strings are larger than any page")
		}
		if prefixed == 0 && last != p.leaf.Len {
			return 0, corrupt("a value of %d bytes in a column of %d", last, p.leaf.Len)
		}
	}
	return total, nil
}

func joinInto(out []byte, prefixes, suffixes []int32, tails []byte, prefixed int) {
	at, last := 0, 0 // last is where the predecessor lies
	for i, pre := range prefixes {
		suf := int(suffixes[i])
		if prefixed > 0 {
			putLen(out[at:], int(pre)+suf)
			at += prefixed
		}
		copy(out[at:], out[last:last+int(pre)])
		copy(out[at+int(pre):], tails[:suf])
		tails = tails[suf:]
		last = at
		at += int(pre) + suf
	}
}

func putLen(b []byte, n int) {
	b[0], b[1], b[2], b[3] = byte(n), byte(n>>8), byte(n>>16), byte(n>>24)
}

// beginSplit turns a page of BYTE_STREAM_SPLIT into a PLAIN one.
func (v *values) beginSplit(p *pages) error {
	w := p.layout.srcW
	if len(v.b)%w != 0 {
		return corrupt("a page of %d bytes has values of %d", len(v.b), w)
	}
	from := p.buf
	p.buf = nil
	out, err := p.pageBuf(len(v.b))
	if err == nil {
		unsplit(out, v.b, w)
	}
	if from != nil {
		p.keep = append(p.keep, from)
	}
	v.b, p.body = out, out
	return err
}

// skip passes over n values.
func (v *values) skip(p *pages, n int) (err error) {
	switch {
	case v.kind == valDict || v.kind == valRLEBool:
		return v.runs.skip(n)
	case v.kind == valDelta:
		return v.ints.skip(n)
	case v.kind == valLengths:
		return v.skipLengths(n)
	case p.layout.src == srcBytes:
		v.at, err = skipPlain(v.b, v.at, n)
		return err
	case p.layout.src == srcBool:
		v.at += n
		return nil
	}
	if n*p.layout.srcW > len(v.b)-v.at {
		return corrupt("values are cut off")
	}
	v.at += n * p.layout.srcW
	return nil
}

func (v *values) skipLengths(n int) error {
	if n > len(v.lens) {
		return corrupt("there are fewer strings than expected")
	}
	for _, l := range v.lens[:n] {
		if l < 0 || int(l) > len(v.b)-v.at {
			return corrupt("a string goes beyond its page")
		}
		v.at += int(l)
	}
	v.lens = v.lens[n:]
	return nil
}
