package parquet

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"reflect"
	"strconv"
	"strings"
	"testing"

	"github.com/tuttidb/tutti/sql/types"
)

// recorded is what testdata/make.py wrote about a file.
type recorded struct {
	Columns [][2]string `json:"columns"`
	Rows    [][]any     `json:"rows"`
	Error   string      `json:"error"`
	Same    string      `json:"same"`
}

func readRecorded(t *testing.T, name string) (r recorded) {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("testdata", name+".json"))
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(data, &r); err != nil {
		t.Fatal(name, err)
	}
	if r.Same != "" {
		return readRecorded(t, r.Same)
	}
	return r
}

// canon brings a value into the form of the recorded ones.
func canon(v any, t types.Type) any {
	switch v := v.(type) {
	case int64:
		return strconv.FormatInt(v, 10)
	case types.Int128:
		switch t.Kind {
		case types.TimestampTZ:
			return strconv.FormatInt(int64(v.Lo), 10)
		case types.UUID:
			return map[string]any{"x": fmt.Sprintf("%016x%016x", uint64(v.Hi), v.Lo)}
		}
		return v.Big().String()
	case float32:
		return canonFloat(float64(v))
	case float64:
		return canonFloat(v)
	case string:
		return map[string]any{"x": hex.EncodeToString([]byte(v))}
	case []any:
		out := make([]any, len(v))
		for i := range v {
			e := t.Elem(0)
			if t.Kind == types.Row {
				e = t.Elem(i)
			}
			out[i] = canon(v[i], e)
		}
		return out
	case [][2]any:
		out := make([]any, len(v))
		for i := range v {
			out[i] = []any{canon(v[i][0], t.Elem(0)), canon(v[i][1], t.Elem(1))}
		}
		return out
	}
	return v
}

// canonFloat writes a number such that the sign of zero shows.
func canonFloat(f float64) any {
	return map[string]any{"f": strconv.FormatFloat(f, 'x', -1, 64)}
}

// floats brings the recorded floating-point numbers, which are as Python
// writes them, into canonFloat's form.
func floats(v any) any {
	switch v := v.(type) {
	case []any:
		for i := range v {
			v[i] = floats(v[i])
		}
	case map[string]any:
		if s, ok := v["f"].(string); ok {
			f, err := strconv.ParseFloat(s, 64)
			if err != nil {
				return err
			}
			return canonFloat(f)
		}
	}
	return v
}

// TestRecorded reads the files that PyArrow and DuckDB wrote: all types,
// encodings, codecs and page forms that they have. The rows must be those that
// PyArrow reads.
func TestRecorded(t *testing.T) {
	paths, err := filepath.Glob("testdata/*.parquet")
	if err != nil || len(paths) < 40 {
		t.Fatalf("%d files, %v", len(paths), err)
	}
	for _, path := range paths {
		name := strings.TrimSuffix(filepath.Base(path), ".parquet")
		t.Run(name, func(t *testing.T) {
			data, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			want := readRecorded(t, name)
			if want.Error != "" {
				tf := stage(t, data)
				if _, err := Open(context.Background(), tf.b, tf.obj); err == nil || !strings.Contains(err.Error(), want.Error) || !strings.Contains(err.Error(), "f.parquet") {
					t.Fatalf("error %v, want %q", err, want.Error)
				}
				return
			}
			tf := openBytes(t, data)
			checkRecorded(t, tf, want)
			checkPruning(t, tf)
		})
	}
}

func checkRecorded(t *testing.T, tf *testFile, want recorded) {
	cfg := tf.config()
	if len(cfg.Columns) != len(want.Columns) {
		t.Fatalf("%d columns, want %d", len(cfg.Columns), len(want.Columns))
	}
	for i, c := range cfg.Columns {
		if got := tf.file.Fields[i].Name + " " + c.Type.String(); got != want.Columns[i][0]+" "+want.Columns[i][1] {
			t.Errorf("column %s, want %v", got, want.Columns[i])
		}
	}
	for _, batch := range []int{8192, 7} {
		cfg.BatchRows = batch
		got := readRows(t, cfg)
		if len(got) != len(want.Rows) {
			t.Fatalf("%d rows, want %d", len(got), len(want.Rows))
		}
		for r, row := range want.Rows {
			for c := range row {
				row[c] = floats(row[c])
				g := canon(got[r][c], cfg.Columns[c].Type)
				if !reflect.DeepEqual(g, row[c]) && fmt.Sprint(g) != fmt.Sprint(row[c]) {
					t.Fatalf("row %d, column %s: %v instead of %v", r, want.Columns[c], g, row[c])
				}
			}
		}
	}
}

// checkPruning compares reads with conditions on the flat columns to plain
// reads that are filtered afterwards: what these writers say about their data
// in statistics, indexes and bloom filters must not lose a row.
func checkPruning(t *testing.T, tf *testFile) {
	cfg := tf.config()
	var flat []string
	for i, c := range cfg.Columns {
		if c.Type.Orderable() && !c.Type.IsNested() {
			flat = append(flat, tf.file.Fields[i].Name)
		}
	}
	if cfg = tf.config(flat...); len(flat) == 0 {
		return
	}
	rows := readRows(t, cfg)
	if len(rows) == 0 {
		return
	}
	r := rand.New(rand.NewPCG(12, uint64(len(rows))))
	for range 40 {
		cfg.Predicate = randomPredicate(t, r, cfg.Columns, rows, 2)
		want := naive(t, cfg, cfg.Predicate)
		got := readRows(t, cfg)
		if len(got) != len(want) {
			t.Fatalf("%s: %d rows instead of %d", cfg.Predicate, len(got), len(want))
		}
		for i := range want {
			for c := range want[i] {
				if g, w := fmt.Sprint(got[i][c]), fmt.Sprint(want[i][c]); g != w {
					t.Fatalf("%s: row %d column %d: %s instead of %s", cfg.Predicate, i, c, g, w)
				}
			}
		}
	}
}

// readFile returns a file of testdata.
func readFile(t *testing.T, name string) []byte {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("testdata", name+".parquet"))
	if err != nil {
		t.Fatal(err)
	}
	return data
}
