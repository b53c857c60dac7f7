package dbgen

import "strconv"

// minBatchRows is the least capacity of a batch: one order's lines.
const minBatchRows = linesPerOrder

// Batch holds rows column by column. It belongs to the caller and is filled
// anew by each [Scanner.Next].
type Batch struct {
	// Rows is the number of rows filled by the last Next.
	Rows int
	// Columns has one vector for each column asked for, in that order.
	Columns []Vector
	max     int
}

// NewBatch returns a batch for up to maxRows rows (at least 7, an order's
// lines; some thousands are a good choice). Memory for the columns comes with
// the first Next.
func NewBatch(maxRows int) *Batch { return &Batch{max: max(maxRows, minBatchRows)} }

// Vector holds one column of a batch, in the fields that the column's [Layout]
// names. Next reuses the capacity of the slices and replaces those that are too
// small, so a caller may set a field to memory of its own before a Next, and
// the values are written there; a slice that a caller has taken for itself must
// be replaced (by nil, for instance).
type Vector struct {
	// Int64 has one value a row; decimals are in hundredths.
	Int64 []int64
	// Int32 has one value a row; dates are in days since 1970-01-01.
	Int32 []int32
	// Codes has one position in Column.Values a row.
	Codes []uint8
	// Offsets has one entry more than rows, the first of them 0: row i is
	// Bytes[Offsets[i]:Offsets[i+1]], ASCII.
	Offsets []int32
	Bytes   []byte
}

// Text returns the bytes of a row in a column of layout Strings. They are valid
// until the batch is filled again.
func (v *Vector) Text(row int) []byte { return v.Bytes[v.Offsets[row]:v.Offsets[row+1]] }

// sized returns s with length n, reallocated if its capacity is too small.
func sized[T any](s []T, n int) []T {
	if cap(s) < n {
		return make([]T, n)
	}
	return s[:n]
}

func (v *Vector) int64s(n int) []int64 {
	v.Int64 = sized(v.Int64, n)
	return v.Int64
}

func (v *Vector) int32s(n int) []int32 {
	v.Int32 = sized(v.Int32, n)
	return v.Int32
}

func (v *Vector) codes(n int) []uint8 {
	v.Codes = sized(v.Codes, n)
	return v.Codes
}

// beginText readies v for n strings of up to size bytes and returns the whole
// buffer, in which a write may go wordSlot bytes past the last string. The
// caller cuts v.Bytes to the bytes used.
func (v *Vector) beginText(n, size int) []byte {
	v.Offsets = sized(v.Offsets, n+1)
	v.Offsets[0] = 0
	v.Bytes = sized(v.Bytes, n*size+wordSlot)
	return v.Bytes
}

// fillRange writes low, low+1, ….
func fillRange(dst []int64, low int64) {
	for i := range dst {
		dst[i] = low + int64(i)
	}
}

// maxNumbered is room for a prefix, "#" and the digits of any int64.
const maxNumbered = 32

// fillNumbered writes names such as Customer#000000042: the number in at least
// nine digits.
func fillNumbered[T int32 | int64](v *Vector, prefix string, numbers []T) {
	dst := v.beginText(len(numbers), maxNumbered)
	at := 0
	for i, number := range numbers {
		at += copy(dst[at:], prefix)
		at += putPadded(dst[at:], int64(number), 9)
		v.Offsets[i+1] = int32(at)
	}
	v.Bytes = dst[:at]
}

// putPadded writes n with leading zeros to width digits, or with as many digits
// as it takes, and returns their number.
func putPadded(dst []byte, n int64, width int) int {
	rest := n
	for i := width - 1; i >= 0; i-- {
		dst[i] = byte('0' + rest%10)
		rest /= 10
	}
	if rest == 0 {
		return width
	}
	return len(strconv.AppendInt(dst[:0], n, 10))
}
