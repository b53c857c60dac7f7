// Package vector is the unit of data between operators: columns of a few
// thousand rows.
//
// A Batch is a set of Vectors, one a column, over the same physical rows, and
// an optional selection of those rows. A Vector is flat, dictionary-encoded
// (indices into a shared flat vector), constant, or lazy (not yet read from
// its file). Values lie in Arrow's layout (see types.Type.Physical), so that
// whole vectors pass to and from Arrow without touching rows.
//
// # Ownership
//
// A batch is borrowed: it and everything it refers to stay valid until the
// next call of Next or Close on the operator that returned it. Whoever keeps
// rows longer copies them. The receiver may not change vectors it borrowed,
// but may build its own Batch around them (other columns, another selection).
// An operator therefore owns its output vectors and fills the same ones again
// and again; nothing is allocated a batch once it is warm.
//
// # Limits
//
// No batch has more than MaxRows physical rows, so scratch space has a known
// size. DefaultRows is what sources aim at.
package vector

import (
	"unsafe"

	"github.com/tuttidb/tutti/sql/types"
)

const (
	// MaxRows is the largest number of physical rows of a batch.
	MaxRows = 16384
	// DefaultRows is the number of rows that sources aim at: 64 KiB a column
	// of 8 bytes, several of which fit a core's second-level cache.
	DefaultRows = 8192
)

// Encoding says how a Vector represents its rows.
type Encoding uint8

// The encodings.
const (
	// Flat: row i is entry i of Data (or of Kids, for nested types).
	Flat Encoding = iota
	// Dict: row i is entry Idx[i] of Base, a flat vector without nulls; rows
	// that Valid marks null have any in-range index.
	Dict
	// Const: every row is entry 0 of Data; Valid is nil or one false bit.
	Const
	// Lazy: nothing is there until Load; see Loader.
	Lazy
)

// Vector is one column of a batch. Which fields matter depends on Enc. Code
// outside the kernels reads rows through the accessors (IsNull, Bytes, …) or
// copies them into a flat vector with Builder.AppendRows. What a null row has
// for a value means nothing and may be anything, a view that points nowhere
// included.
type Vector struct {
	// Type is the SQL type of the column.
	Type types.Type
	// Enc is the encoding.
	Enc Encoding
	// N is the number of physical rows.
	N int
	// Valid has a set bit for each row that is not null; nil: no row is null.
	Valid Bitmap
	// Data holds fixed-width values or 16-byte views, little endian, N of them
	// (one for Const).
	Data []byte
	// Heap holds the bytes of strings longer than InlineLen, as views point at.
	Heap [][]byte
	// Idx and Base are a dictionary vector's indices and values. Sparse says
	// that entries no row refers to may hold anything, views that point
	// nowhere included: Base was a column of which only some rows were made.
	Idx    []int32
	Base   *Vector
	Sparse bool
	// Offsets has N+1 entries for arrays and maps: row i spans
	// [Offsets[i], Offsets[i+1]) of each of Kids.
	Offsets []int32
	// Kids are the children of nested types: one for arrays, keys and values
	// for maps, one a field for rows.
	Kids []*Vector
	// Loader fills a Lazy vector.
	Loader Loader
}

// Loader reads a lazy column when somebody first needs it.
type Loader interface {
	// Load turns v into a flat, dictionary or constant vector of the same N
	// rows. Only rows in sel need be right (nil: all); the others hold any
	// value of the type. v.Enc is not Lazy afterwards.
	Load(v *Vector, sel []int32) error
}

// Load makes sure that v is not lazy, reading only the rows in sel if it is.
// Later calls see what the first one loaded, so an operator that narrows the
// selection further may call it again, one that widens it must not.
func (v *Vector) Load(sel []int32) error {
	if v.Enc != Lazy {
		return nil
	}
	return v.Loader.Load(v, sel)
}

// Fixed are the Go types of fixed-width values; View stands for strings.
type Fixed interface {
	uint8 | int8 | int16 | int32 | int64 | float32 | float64 | types.Int128 | View
}

// Values returns v's data as a slice of T, one entry a row (one in all for
// Const). T must have the width of v's type.
func Values[T Fixed](v *Vector) []T { return Cast[T](v.Data) }

// Cast views bytes as a slice of T. b must be aligned for T, as all slabs are.
func Cast[T Fixed](b []byte) []T {
	var zero T
	if len(b) == 0 {
		return nil
	}
	return unsafe.Slice((*T)(unsafe.Pointer(unsafe.SliceData(b))), len(b)/int(unsafe.Sizeof(zero)))
}

// AsBytes views a slice of T as bytes.
func AsBytes[T Fixed](s []T) []byte {
	var zero T
	if len(s) == 0 {
		return nil
	}
	return unsafe.Slice((*byte)(unsafe.Pointer(unsafe.SliceData(s))), len(s)*int(unsafe.Sizeof(zero)))
}

// At returns the index into v's data (or its dictionary's) for row i.
func (v *Vector) At(i int) int {
	switch v.Enc {
	case Dict:
		return int(v.Idx[i])
	case Const:
		return 0
	}
	return i
}

// flat returns the vector that holds v's values: its dictionary or itself.
func (v *Vector) flat() *Vector {
	if v.Enc == Dict {
		return v.Base
	}
	return v
}

// IsNull reports whether row i is null.
func (v *Vector) IsNull(i int) bool {
	if v.Valid == nil {
		return false
	}
	if v.Enc == Const {
		i = 0
	}
	return !v.Valid.Get(i)
}

// HasNulls reports whether any row may be null.
func (v *Vector) HasNulls() bool { return v.Valid != nil }

// Value returns row i of a fixed-width column, whatever its encoding. For
// single rows only: loops switch on the encoding once.
func Value[T Fixed](v *Vector, i int) T { return Values[T](v.flat())[v.At(i)] }

// Bytes returns the string at row i. It aliases the vector and must not be
// changed or kept.
func (v *Vector) Bytes(i int) []byte {
	f := v.flat()
	return Values[View](f)[v.At(i)].Bytes(f.Heap)
}
