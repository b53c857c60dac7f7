package dbgen

import (
	"crypto/md5"
	"encoding/hex"
	"hash"
	"strconv"
	"testing"
	"time"
)

// all returns the positions of all columns of a table.
func all(t Table) []int {
	columns := make([]int, len(t.Columns()))
	for i := range columns {
		columns[i] = i
	}
	return columns
}

// tblWriter renders batches in the .tbl form of the official dbgen.
type tblWriter struct {
	table Table
	dates map[int32]string
	line  []byte
}

func newTblWriter(t Table) *tblWriter { return &tblWriter{table: t, dates: map[int32]string{}} }

func (w *tblWriter) write(h hash.Hash, b *Batch) {
	w.line = w.line[:0]
	columns := w.table.Columns()
	for row := range b.Rows {
		for i := range columns {
			w.line = append(w.field(w.line, &columns[i], &b.Columns[i], row), '|')
		}
		w.line = append(w.line, '\n')
	}
	h.Write(w.line)
}

func (w *tblWriter) field(dst []byte, c *Column, v *Vector, row int) []byte {
	switch {
	case c.Name == "l_quantity": // dbgen's one decimal without a point
		return strconv.AppendInt(dst, v.Int64[row]/100, 10)
	case c.Kind == Decimal:
		return appendCents(dst, v.Int64[row])
	case c.Kind == Date:
		return append(dst, w.date(v.Int32[row])...)
	case c.Layout == Int64:
		return strconv.AppendInt(dst, v.Int64[row], 10)
	case c.Layout == Int32:
		return strconv.AppendInt(dst, int64(v.Int32[row]), 10)
	case c.Layout == Codes:
		return append(dst, c.Values[v.Codes[row]]...)
	}
	return append(dst, v.Text(row)...)
}

func (w *tblWriter) date(day int32) string {
	text, ok := w.dates[day]
	if !ok {
		text = time.Unix(int64(day)*86400, 0).UTC().Format(time.DateOnly)
		w.dates[day] = text
	}
	return text
}

func appendCents(dst []byte, n int64) []byte {
	if n < 0 {
		dst, n = append(dst, '-'), -n
	}
	dst = strconv.AppendInt(dst, n/100, 10)
	return append(dst, '.', byte('0'+n/10%10), byte('0'+n%10))
}

// checksum returns the MD5 of a range of a table as .tbl, and its rows.
func checksum(t *testing.T, g *Generator, table Table, from, to int64, batchRows int) (string, int64) {
	t.Helper()
	s, err := g.Scan(table, all(table), from, to)
	if err != nil {
		t.Fatal(err)
	}
	h, w, b := md5.New(), newTblWriter(table), NewBatch(batchRows)
	rows := int64(0)
	for s.Next(b) {
		w.write(h, b)
		rows += int64(b.Rows)
	}
	return hex.EncodeToString(h.Sum(nil)), rows
}

// sum is what tpchgen-cli 4.0 writes for part `part` of `parts` of a table.
type sum struct {
	table       Table
	scale       float64
	part, parts int64
	rows        int64
	md5         string
}

func (s sum) check(t *testing.T, text *Text) {
	t.Helper()
	g, err := New(s.scale, text)
	if err != nil {
		t.Fatal(err)
	}
	each := g.Units(s.table) / s.parts
	from, to := each*(s.part-1), each*s.part
	if s.part == s.parts {
		to = g.Units(s.table)
	}
	got, rows := checksum(t, g, s.table, from, to, 1000)
	if got != s.md5 || rows != s.rows {
		t.Errorf("%s at scale %v, part %d of %d: %d rows, MD5 %s; want %d rows, %s",
			s.table, s.scale, s.part, s.parts, rows, got, s.rows, s.md5)
	}
}

func TestChecksums(t *testing.T) {
	text := NewText()
	for _, s := range smallSums {
		s.check(t, text)
	}
}

func TestChecksumsLarge(t *testing.T) {
	if testing.Short() {
		t.Skip("makes a gigabyte of rows")
	}
	text := NewText()
	for _, s := range largeSums {
		t.Run(s.table.String()+"/"+strconv.FormatFloat(s.scale, 'g', -1, 64), func(t *testing.T) {
			t.Parallel()
			s.check(t, text)
		})
	}
}
