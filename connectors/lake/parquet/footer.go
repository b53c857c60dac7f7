package parquet

import (
	"bytes"
	"encoding/binary"
	"fmt"
)

// Kind is a Parquet physical type.
type Kind uint8

// The physical types, with Parquet's numbers.
const (
	KindBool Kind = iota
	KindInt32
	KindInt64
	KindInt96
	KindFloat
	KindDouble
	KindBytes
	KindFixed
)

// String returns Parquet's name of the type.
func (k Kind) String() string {
	names := [...]string{"BOOLEAN", "INT32", "INT64", "INT96", "FLOAT", "DOUBLE", "BYTE_ARRAY", "FIXED_LEN_BYTE_ARRAY"}
	if int(k) < len(names) {
		return names[k]
	}
	return fmt.Sprintf("type %d", uint8(k))
}

// Codec is a Parquet compression codec.
type Codec uint8

// The codecs, with Parquet's numbers.
const (
	Uncompressed Codec = iota
	Snappy
	Gzip
	LZO
	Brotli
	LZ4Hadoop
	Zstd
	LZ4Raw
)

// The encodings of values, with Parquet's numbers.
const (
	encPlain           = 0
	encPlainDict       = 2
	encRLE             = 3
	encBitPacked       = 4
	encDeltaBinary     = 5
	encDeltaLength     = 6
	encDeltaBytes      = 7
	encRLEDict         = 8
	encByteStreamSplit = 9
)

// The types of pages.
const (
	pageData   = 0
	pageIndex  = 1
	pageDict   = 2
	pageDataV2 = 3
	pageGap    = -2 // ours: values that were not read
)

// Group is a row group.
type Group struct {
	// Rows is the number of rows.
	Rows int64
	// First is the number of the group's first row in the file.
	First int64
	// Start and End are the bytes in the file that the group's chunks span.
	Start, End int64
	// Chunks has one entry a leaf of the schema.
	Chunks []Chunk
}

// Chunk is the column chunk of one leaf in one row group.
type Chunk struct {
	Codec Codec
	// Values is the number of values, nulls included.
	Values int64
	// Off and Len are the chunk's bytes in the file, dictionary page included.
	Off, Len int64
	// Uncompressed is the size of all pages when decompressed.
	Uncompressed int64
	// DictLen is the compressed size of the dictionary page with its header, 0
	// if there is none or it is not known.
	DictLen int64
	// HasDict says that the chunk begins with a dictionary page, and DictOnly
	// that every data page refers to it.
	HasDict, DictOnly bool
	// Stats are the chunk's statistics as they are in the file.
	Stats Stats

	columnIndex, offsetIndex, bloom span
}

// span is a range of bytes in a file; len 0: there is none.
type span struct{ off, len int64 }

// Stats are a chunk's or page's statistics, undecoded. They alias the footer.
type Stats struct {
	// Min and Max are nil if unknown. They are bounds, not always values that
	// occur.
	Min, Max []byte
	// Nulls is the number of nulls, -1 if unknown.
	Nulls int64
	// Distinct is the number of different values, -1 if unknown.
	Distinct int64
	// old says that Min and Max come from the deprecated fields, or that the
	// file does not define its order: then it is right for signed numbers only.
	old bool
}

// magic ends (and begins) a Parquet file, cryptMagic one with encrypted footer.
const (
	magic      = "PAR1"
	cryptMagic = "PARE"
	tailLen    = 8
)

// footerLen returns the length of the footer of a file that ends in tail.
func footerLen(tail []byte, size int64) (int64, error) {
	if len(tail) < tailLen || size < tailLen+4 {
		return 0, corrupt("not a Parquet file: it has %d bytes only", size)
	}
	end := tail[len(tail)-tailLen:]
	if bytes.Equal(end[4:], []byte(cryptMagic)) {
		return 0, unsupported("Parquet files with encryption")
	}
	if !bytes.Equal(end[4:], []byte(magic)) {
		return 0, corrupt("not a Parquet file: it does not end in %s", magic)
	}
	n := int64(binary.LittleEndian.Uint32(end))
	if n > size-tailLen-4 {
		return 0, corrupt("the footer is said to have %d bytes, the file has %d", n, size)
	}
	return n, nil
}

// parseFooter reads the FileMetaData structure. The result aliases b.
func parseFooter(b []byte, size int64) (*File, error) {
	f := &File{Size: size}
	var schema []element
	encrypted, ordered := false, false
	t := &thrift{b: b}
	t.structure(wireStruct, func(id int, wire byte) bool {
		switch id {
		case 2:
			n, elem := t.list(wire)
			for i := 0; i < n && !t.bad; i++ {
				schema = append(schema, readElement(t, elem))
			}
		case 3:
			f.Rows = t.integer(wire)
		case 4:
			n, elem := t.list(wire)
			for i := 0; i < n && !t.bad; i++ {
				f.Groups = append(f.Groups, readGroup(t, elem))
			}
		case 6:
			f.CreatedBy = string(t.binary(wire))
		case 7:
			ordered = true
			return false
		case 8:
			encrypted = true
			return false
		default:
			return false
		}
		return true
	})
	if t.bad {
		return nil, corrupt("the footer is damaged")
	}
	if err := f.build(schema); err != nil {
		return nil, err
	}
	if encrypted {
		return nil, unsupported("Parquet files with encryption")
	}
	if !ordered {
		f.distrust()
	}
	return f, f.check()
}

// distrust marks all statistics as of an order that is not known: a file that
// does not say how its columns are ordered means it as before that was defined.
func (f *File) distrust() {
	for i := range f.Groups {
		for k := range f.Groups[i].Chunks {
			f.Groups[i].Chunks[k].Stats.old = true
		}
	}
}

// readGroup reads a RowGroup.
func readGroup(t *thrift, wire byte) (g Group) {
	t.structure(wire, func(id int, wire byte) bool {
		switch id {
		case 1:
			n, elem := t.list(wire)
			g.Chunks = make([]Chunk, 0, min(n, (len(t.b)-t.pos)/8+1))
			for i := 0; i < n && !t.bad; i++ {
				g.Chunks = append(g.Chunks, readChunk(t, elem))
			}
		case 3:
			g.Rows = t.integer(wire)
		default:
			return false
		}
		return true
	})
	return g
}

// readChunk reads a ColumnChunk.
func readChunk(t *thrift, wire byte) (c Chunk) {
	c.Stats.Nulls, c.Stats.Distinct = -1, -1
	t.structure(wire, func(id int, wire byte) bool {
		switch id {
		case 3:
			readChunkMeta(t, wire, &c)
		case 4:
			c.offsetIndex.off = t.integer(wire)
		case 5:
			c.offsetIndex.len = t.integer(wire)
		case 6:
			c.columnIndex.off = t.integer(wire)
		case 7:
			c.columnIndex.len = t.integer(wire)
		default:
			return false
		}
		return true
	})
	return c
}

// readChunkMeta reads a ColumnMetaData.
func readChunkMeta(t *thrift, wire byte, c *Chunk) {
	var data, dict int64
	var used encodings
	t.structure(wire, func(id int, wire byte) bool {
		switch id {
		case 2:
			used.readList(t, wire)
		case 4:
			c.Codec = Codec(t.count(wire))
		case 5:
			c.Values = t.integer(wire)
		case 6:
			c.Uncompressed = t.integer(wire)
		case 7:
			c.Len = t.integer(wire)
		case 9:
			data = t.integer(wire)
		case 11:
			dict = t.integer(wire)
		case 12:
			c.Stats = readStats(t, wire)
		case 13:
			used.readPages(t, wire)
		case 14:
			c.bloom.off = t.integer(wire)
		case 15:
			c.bloom.len = t.integer(wire)
		default:
			return false
		}
		return true
	})
	c.Off = data
	if dict > 0 && dict < data {
		c.Off, c.HasDict, c.DictLen = dict, true, data-dict
	}
	// Some writers leave the dictionary's offset out and begin with it at the
	// data offset, so having one is decided by the first page's header.
	c.DictOnly = used.dictOnly()
}

// encodings tells from a chunk's metadata how its data pages are encoded.
type encodings struct {
	plain, dict bool // by the list of encodings
	pages       bool // encoding_stats were there:
	other       bool // some data page has no dictionary
}

func (e *encodings) readList(t *thrift, wire byte) {
	n, elem := t.list(wire)
	for i := 0; i < n && !t.bad; i++ {
		switch t.integer(elem) {
		case encPlainDict:
			e.dict = true
		case encPlain, encDeltaBinary, encDeltaLength, encDeltaBytes, encByteStreamSplit, encRLEDict:
			e.plain = true // in new files PLAIN may be the dictionary page's own
		}
	}
}

func (e *encodings) readPages(t *thrift, wire byte) {
	n, elem := t.list(wire)
	e.pages = n > 0
	for i := 0; i < n && !t.bad; i++ {
		var page, enc, count int64
		t.structure(elem, func(id int, wire byte) bool {
			switch id {
			case 1:
				page = t.integer(wire)
			case 2:
				enc = t.integer(wire)
			case 3:
				count = t.integer(wire)
			default:
				return false
			}
			return true
		})
		isData := page == pageData || page == pageDataV2
		if isData && count != 0 && enc != encPlainDict && enc != encRLEDict {
			e.other = true
		}
	}
}

// dictOnly reports whether it is certain that all data pages use a dictionary.
func (e *encodings) dictOnly() bool {
	if e.pages {
		return !e.other
	}
	return e.dict && !e.plain
}

// readStats reads a Statistics structure.
func readStats(t *thrift, wire byte) Stats {
	s := Stats{Nulls: -1, Distinct: -1}
	var oldMin, oldMax []byte
	t.structure(wire, func(id int, wire byte) bool {
		switch id {
		case 1:
			oldMax = nonNil(t.binary(wire))
		case 2:
			oldMin = nonNil(t.binary(wire))
		case 3:
			s.Nulls = t.integer(wire)
		case 4:
			s.Distinct = t.integer(wire)
		case 5:
			s.Max = nonNil(t.binary(wire))
		case 6:
			s.Min = nonNil(t.binary(wire))
		default:
			return false
		}
		return true
	})
	if s.Min == nil && s.Max == nil && (oldMin != nil || oldMax != nil) {
		s.Min, s.Max, s.old = oldMin, oldMax, true
	}
	return s
}

// nonNil makes an empty string differ from a missing one.
func nonNil(b []byte) []byte {
	if b == nil {
		return []byte{}
	}
	return b
}

// check looks at what later code relies on: every chunk inside the file, as
// many chunks as leaves, row counts that add up.
func (f *File) check() error {
	var rows int64
	for i := range f.Groups {
		g := &f.Groups[i]
		if g.Rows < 0 || len(g.Chunks) != len(f.Leaves) {
			return corrupt("row group %d has %d rows and %d columns, the schema has %d", i, g.Rows, len(g.Chunks), len(f.Leaves))
		}
		g.First = rows
		if rows += g.Rows; rows < 0 {
			return corrupt("the row groups have more rows than can be")
		}
		g.Start = f.Size
		for k := range g.Chunks {
			if err := f.checkChunk(g, &g.Chunks[k], f.Leaves[k]); err != nil {
				return err
			}
		}
	}
	if rows != f.Rows {
		return corrupt("the file is said to have %d rows, its row groups have %d", f.Rows, rows)
	}
	return nil
}

func (f *File) checkChunk(g *Group, c *Chunk, leaf *Leaf) error {
	if c.Off < 0 || c.Len < 0 || c.Off > f.Size || c.Len > f.Size-c.Off {
		return corrupt("column %q: its data (%d bytes at %d) lies outside of the file, which has %d bytes", leaf.Path, c.Len, c.Off, f.Size)
	}
	if c.Values < 0 || leaf.MaxRep == 0 && c.Values != g.Rows {
		return corrupt("column %q has %d values in a row group of %d rows", leaf.Path, c.Values, g.Rows)
	}
	if c.DictLen > c.Len {
		c.DictLen = 0
	}
	for _, s := range []*span{&c.columnIndex, &c.offsetIndex, &c.bloom} {
		if s.off <= 0 || s.len < 0 || s.off > f.Size || s.len > f.Size-s.off {
			*s = span{} // only an aid: better without
		}
	}
	g.Start, g.End = min(g.Start, c.Off), max(g.End, c.Off+c.Len)
	return nil
}
