package parquet

// Thrift's compact protocol, reading only: varints, zigzag integers and
// structures of (field id delta, type) headers. See
// https://github.com/apache/thrift/blob/master/doc/specs/thrift-compact-protocol.md.

// The wire types of the compact protocol.
const (
	wireStop   = 0
	wireTrue   = 1
	wireFalse  = 2
	wireByte   = 3
	wireI16    = 4
	wireI32    = 5
	wireI64    = 6
	wireDouble = 7
	wireBinary = 8
	wireList   = 9
	wireSet    = 10
	wireMap    = 11
	wireStruct = 12
)

// maxThriftDepth bounds nesting, so that damaged bytes cannot exhaust the stack.
const maxThriftDepth = 32

// thrift reads from b. After the first malformed thing bad is set and every
// further read returns zero values, so callers check once at the end.
type thrift struct {
	b     []byte
	pos   int
	depth int
	bad   bool
}

func (t *thrift) fail() {
	t.bad = true
	t.pos = len(t.b)
}

func (t *thrift) byte() byte {
	if t.pos >= len(t.b) {
		t.fail()
		return 0
	}
	t.pos++
	return t.b[t.pos-1]
}

func (t *thrift) uvarint() uint64 {
	var v uint64
	for shift := uint(0); shift < 64; shift += 7 {
		c := t.byte()
		v |= uint64(c&0x7f) << shift
		if c < 0x80 {
			return v
		}
	}
	t.fail()
	return 0
}

// integer reads an integer of the given wire type.
func (t *thrift) integer(wire byte) int64 {
	switch wire {
	case wireByte:
		return int64(int8(t.byte()))
	case wireI16, wireI32, wireI64:
		v := t.uvarint()
		return int64(v>>1) ^ -int64(v&1)
	}
	t.fail()
	return 0
}

// count reads an integer that must not be negative nor beyond 31 bits.
func (t *thrift) count(wire byte) int {
	v := t.integer(wire)
	if v < 0 || v > 1<<31-1 {
		t.fail()
		return 0
	}
	return int(v)
}

// binary reads a string, which aliases the input.
func (t *thrift) binary(wire byte) []byte {
	if wire != wireBinary {
		t.fail()
		return nil
	}
	n := t.uvarint()
	if n > uint64(len(t.b)-t.pos) {
		t.fail()
		return nil
	}
	t.pos += int(n)
	return t.b[t.pos-int(n) : t.pos : t.pos]
}

// boolean reads a boolean field, whose value is its wire type.
func (t *thrift) boolean(wire byte) bool {
	if wire != wireTrue && wire != wireFalse {
		t.fail()
	}
	return wire == wireTrue
}

// structure reads a structure: f is called with each field's id and wire type
// and either reads the field and returns true, or returns false to skip it.
func (t *thrift) structure(wire byte, f func(id int, wire byte) bool) {
	if wire != wireStruct || t.depth >= maxThriftDepth {
		t.fail()
		return
	}
	t.depth++
	last := 0
	for !t.bad {
		h := t.byte()
		if h == wireStop {
			break
		}
		if delta := int(h >> 4); delta != 0 {
			last += delta
		} else {
			last = int(int16(t.integer(wireI16)))
		}
		if !f(last, h&15) {
			t.skip(h & 15)
		}
	}
	t.depth--
}

// list reads a list's header. Each element takes at least a byte, so n is
// bounded by the input.
func (t *thrift) list(wire byte) (n int, elem byte) {
	if wire != wireList && wire != wireSet {
		t.fail()
		return 0, 0
	}
	h := t.byte()
	size := uint64(h >> 4)
	if size == 15 {
		size = t.uvarint()
	}
	if size > uint64(len(t.b)-t.pos) {
		t.fail()
		return 0, 0
	}
	return int(size), h & 15
}

// skip passes over a value.
func (t *thrift) skip(wire byte) {
	switch wire {
	case wireTrue, wireFalse:
	case wireByte:
		t.byte()
	case wireI16, wireI32, wireI64:
		t.uvarint()
	case wireDouble:
		if t.pos+8 > len(t.b) {
			t.fail()
			return
		}
		t.pos += 8
	case wireBinary:
		t.binary(wire)
	case wireList, wireSet:
		t.skipList(wire)
	case wireMap:
		t.skipMap()
	case wireStruct:
		t.structure(wire, func(int, byte) bool { return false })
	default:
		t.fail()
	}
}

func (t *thrift) skipList(wire byte) {
	n, elem := t.list(wire)
	if t.depth++; t.depth > maxThriftDepth {
		t.fail()
	}
	for range n {
		if t.bad {
			break
		}
		t.skipElem(elem)
	}
	t.depth--
}

// skipElem passes over an element of a container, where a boolean is a byte.
func (t *thrift) skipElem(wire byte) {
	if wire == wireTrue || wire == wireFalse {
		t.byte()
		return
	}
	t.skip(wire)
}

func (t *thrift) skipMap() {
	n := t.uvarint()
	if n == 0 {
		return
	}
	kinds := t.byte()
	if t.depth++; t.depth > maxThriftDepth || n > uint64(len(t.b)-t.pos) {
		t.fail()
	}
	for ; n > 0 && !t.bad; n-- {
		t.skipElem(kinds >> 4)
		t.skipElem(kinds & 15)
	}
	t.depth--
}
