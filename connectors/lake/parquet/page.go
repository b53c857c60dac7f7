package parquet

import "hash/crc32"

// pageHeader is a PageHeader, as far as it matters.
type pageHeader struct {
	kind         int
	uncompressed int // bytes of the page
	compressed   int
	values       int // nulls included
	rows         int // -1: unknown (v1)
	enc          int
	defEnc       int
	repEnc       int
	defLen       int // v2: bytes of levels before the values, never compressed
	repLen       int
	packed       bool // v2: the values are compressed
	size         int  // bytes of the header itself
	crc          uint32
	checked      bool // crc is there
}

// readPageHeader parses the header at the start of b and checks it against
// what follows.
func readPageHeader(b []byte) (pageHeader, error) {
	h := parsePageHeader(b)
	switch {
	case h.size == 0:
		return h, corrupt("a page header is damaged")
	case h.compressed > len(b)-h.size:
		return h, corrupt("a page of %d bytes goes beyond the column's data", h.compressed)
	case h.kind != pageIndex && h.values < 0:
		return h, corrupt("a page header says nothing about the page's values")
	case h.kind == pageDataV2 && h.defLen+h.repLen > min(h.compressed, h.uncompressed):
		return h, corrupt("a page's levels are larger than the page")
	}
	return h, nil
}

// parsePageHeader parses the header at the start of b; its size is 0 if it is
// damaged.
func parsePageHeader(b []byte) pageHeader {
	h := pageHeader{kind: -1, rows: -1, packed: true, values: -1}
	t := &thrift{b: b}
	t.structure(wireStruct, func(id int, wire byte) bool {
		switch id {
		case 1:
			h.kind = t.count(wire)
		case 2:
			h.uncompressed = t.count(wire)
		case 3:
			h.compressed = t.count(wire)
		case 4:
			h.crc, h.checked = uint32(t.integer(wire)), true
		case 5:
			t.structure(wire, func(id int, wire byte) bool { return h.dataField(t, id, wire) })
		case 7:
			t.structure(wire, func(id int, wire byte) bool { return h.dictField(t, id, wire) })
		case 8:
			t.structure(wire, func(id int, wire byte) bool { return h.v2Field(t, id, wire) })
		default:
			return false
		}
		return true
	})
	if !t.bad {
		h.size = t.pos
	}
	return h
}

func (h *pageHeader) dataField(t *thrift, id int, wire byte) bool {
	switch id {
	case 1:
		h.values = t.count(wire)
	case 2:
		h.enc = t.count(wire)
	case 3:
		h.defEnc = t.count(wire)
	case 4:
		h.repEnc = t.count(wire)
	default:
		return false
	}
	return true
}

func (h *pageHeader) dictField(t *thrift, id int, wire byte) bool {
	switch id {
	case 1:
		h.values = t.count(wire)
	case 2:
		h.enc = t.count(wire)
	default:
		return false
	}
	return true
}

func (h *pageHeader) v2Field(t *thrift, id int, wire byte) bool {
	switch id {
	case 1:
		h.values = t.count(wire)
	case 3:
		h.rows = t.count(wire)
	case 4:
		h.enc = t.count(wire)
	case 5:
		h.defLen = t.count(wire)
	case 6:
		h.repLen = t.count(wire)
	case 7:
		h.packed = t.boolean(wire)
	default:
		return false
	}
	return true
}

// verify compares the page as it is in the file with its checksum, if it has
// one: Spark writes them.
func (h *pageHeader) verify(raw []byte) error {
	if h.checked && crc32.ChecksumIEEE(raw) != h.crc {
		return corrupt("a page's checksum is not that of its %d bytes", len(raw))
	}
	return nil
}

// isData reports whether the page holds values of rows.
func (h *pageHeader) isData() bool { return h.kind == pageData || h.kind == pageDataV2 }
