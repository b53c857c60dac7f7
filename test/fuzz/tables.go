package fuzz

import (
	"fmt"
	"math"
	"math/rand/v2"
	"strings"
	"time"
)

// Kind is a column's type in the tables and a class of types in expressions.
type Kind byte

// The kinds.
const (
	Bigint    Kind = 'k'
	Integer   Kind = 'i'
	Double    Kind = 'd'
	Decimal   Kind = 'n' // decimal(10,2)
	Wide      Kind = 'w' // decimal(22,3), wider than a word
	Text      Kind = 's'
	Date      Kind = 'a'
	Timestamp Kind = 'c'
	Boolean   Kind = 'b'
)

// kinds are the kinds in the order of a table's columns. Each column bears its
// kind's letter as its name; u, before them, is a row's number.
const kinds = "kidnwsacb"

var typeNames = map[Kind]string{
	Bigint: "bigint", Integer: "integer", Double: "double", Decimal: "decimal(10,2)", Wide: "decimal(22,3)",
	Text: "varchar", Date: "date", Timestamp: "timestamp(6)", Boolean: "boolean",
}

// Table is a table with its rows.
type Table struct {
	Name string
	// Files is the number of Parquet files it is cut into, Group the rows of a
	// row group, Page the bytes of a page.
	Files, Group, Page int
	// Dictionary says whether the files may use dictionaries.
	Dictionary bool
	Rows       []Row
}

// Row holds a row's values by column: int64 for k and i, float64 for d,
// an int64 of hundredths for n and of thousandths for w, string, days since
// 1970 for a, microseconds since 1970 for c, bool; nil for null.
type Row map[Kind]any

// words are the texts of tables and literals: empty, short, one byte above
// and at what a view holds inline, long with a shared prefix, and not ASCII.
var words = []string{
	"", "a", "b", "A", "ab", "x_y", "50%", "hello", "exactly12chr", "thirteen chrs", "a long text, longer than a view",
	"a long text, longer than a vieW", "a long text", "żółw", "日本語", "日本語のテキスト、少し長い", "ÄÖÜ", "o'clock", " padded ", "-7", "12",
}

// spread says how a table's values are drawn.
type spread struct {
	rows  int
	nulls float64
	low   int // keys are drawn from low to high
	high  int
	odd   bool // doubles that are no numbers, or have two zeros
}

// odd are doubles on whose order and equality engines differ.
var odd = []float64{math.NaN(), math.Inf(1), math.Inf(-1), math.Copysign(0, -1), 0, 1}

// Tables returns the tables for a seed. The last one has odd doubles.
func Tables(seed uint64) []*Table {
	rng := rand.New(rand.NewPCG(seed, 0x7ab1e5))
	make := func(name string, files, group, page int, dictionary bool, s spread) *Table {
		t := &Table{Name: name, Files: files, Group: group, Page: page, Dictionary: dictionary}
		for range s.rows {
			t.Rows = append(t.Rows, randomRow(rng, s))
		}
		return t
	}
	return []*Table{
		make("t0", 1, 10, 100, true, spread{0, 0, 0, 1, false}),
		make("t1", 1, 3, 1<<20, true, spread{7, 0.3, -2, 4, false}),
		make("t2", 2, 1000, 1<<20, false, spread{40, 0.15, -5, 12, false}),
		make("t3", 3, 40, 128, true, spread{250, 0.1, -10, 30, false}),
		make("t4", 2, 60, 64, false, spread{150, 0, 0, 20, false}),
		make("t5", 2, 2000, 1000, true, spread{5000, 0.05, -2000, 2000, false}),
		make("t6", 1, 8, 64, true, spread{24, 0.1, -3, 3, true}),
	}
}

func randomRow(rng *rand.Rand, s spread) Row {
	row := Row{}
	for _, k := range kinds {
		if rng.Float64() >= s.nulls {
			row[Kind(k)] = randomValue(rng, Kind(k), s)
		}
	}
	return row
}

func randomValue(rng *rand.Rand, k Kind, s spread) any {
	key := int64(s.low + rng.IntN(s.high-s.low+1))
	switch k {
	case Bigint, Integer:
		return key
	case Double:
		if s.odd {
			return odd[rng.IntN(len(odd))]
		}
		// Quarters: their sums are exact in any order.
		return float64(key*4+int64(rng.IntN(4))) / 4
	case Decimal:
		return key*100 + int64(rng.IntN(3)*25)
	case Wide:
		return key*1000 + int64(rng.IntN(2)*500)
	case Text:
		return words[rng.IntN(len(words))]
	case Date:
		return 10957 + key*15
	case Timestamp:
		return (10957+key)*86400e6 + int64(rng.IntN(3))*3600e6 + int64(rng.IntN(2))*123456
	}
	return rng.IntN(2) == 0
}

// Literal returns a value as SQL, in the spelling that both dialects know.
func Literal(k Kind, v any) string {
	if v == nil {
		return "CAST(NULL AS " + typeNames[k] + ")"
	}
	switch k {
	case Bigint:
		return fmt.Sprintf("BIGINT '%d'", v)
	case Integer:
		return fmt.Sprintf("INTEGER '%d'", v)
	case Double:
		return doubleLiteral(v.(float64))
	case Decimal:
		return fmt.Sprintf("CAST('%s' AS decimal(10,2))", scaled(v.(int64), 2))
	case Wide:
		return fmt.Sprintf("CAST('%s' AS decimal(22,3))", scaled(v.(int64), 3))
	case Text:
		return "'" + strings.ReplaceAll(v.(string), "'", "''") + "'"
	case Date:
		return "DATE '" + time.Unix(v.(int64)*86400, 0).UTC().Format(time.DateOnly) + "'"
	case Timestamp:
		return "TIMESTAMP '" + time.UnixMicro(v.(int64)).UTC().Format("2006-01-02 15:04:05.000000") + "'"
	}
	return strings.ToUpper(fmt.Sprint(v))
}

func doubleLiteral(f float64) string {
	switch {
	case math.IsNaN(f):
		return "nan()"
	case math.IsInf(f, 1):
		return "infinity()"
	case math.IsInf(f, -1):
		return "-infinity()"
	}
	return fmt.Sprintf("DOUBLE '%v'", f)
}

func scaled(v int64, digits int) string {
	sign, pow := "", int64(1)
	for range digits {
		pow *= 10
	}
	if v < 0 {
		sign, v = "-", -v
	}
	return fmt.Sprintf("%s%d.%0*d", sign, v/pow, digits, v%pow)
}

// Columns returns a table's column definitions, for CREATE TABLE.
func Columns() string {
	parts := []string{"u bigint"}
	for _, k := range kinds {
		parts = append(parts, string(k)+" "+typeNames[Kind(k)])
	}
	return strings.Join(parts, ", ")
}

// Values returns rows as the items of a VALUES list, numbered from first.
func Values(rows []Row, first int) string {
	items := make([]string, len(rows))
	for i, r := range rows {
		values := []string{fmt.Sprintf("BIGINT '%d'", first+i)}
		for _, k := range kinds {
			values = append(values, Literal(Kind(k), r[Kind(k)]))
		}
		items[i] = "(" + strings.Join(values, ", ") + ")"
	}
	return strings.Join(items, ", ")
}
