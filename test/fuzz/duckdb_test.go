//go:build duckdb

package fuzz

import (
	"bufio"
	"encoding/json"
	"flag"
	"math/big"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/tuttidb/tutti/sql/types"
)

var pythonFlag = flag.String("fuzz.python", "python3", "a Python that has DuckDB")

// duck is a DuckDB with the same tables.
type duck struct {
	in  *json.Encoder
	out *bufio.Reader
}

type duckAnswer struct {
	Rows  [][]string
	Error string
}

func startDuck(t *testing.T, folder string) *duck {
	cmd := exec.CommandContext(t.Context(), *pythonFlag, "answer.py", folder)
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		in.Close()
		_ = cmd.Wait()
	})
	d := &duck{in: json.NewEncoder(in), out: bufio.NewReaderSize(out, 1<<20)}
	d.read(t)
	return d
}

func (d *duck) read(t *testing.T) (a duckAnswer) {
	line, err := d.out.ReadBytes('\n')
	if err == nil {
		err = json.Unmarshal(line, &a)
	}
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func (d *duck) run(t *testing.T, sql string) duckAnswer {
	if err := d.in.Encode(map[string]string{"sql": sql}); err != nil {
		t.Fatal(err)
	}
	return d.read(t)
}

// canonical writes a value so that both engines write equal ones alike.
func canonical(cell, kind string) string {
	switch {
	case cell == "NULL":
		return cell
	case kind == "double" || kind == "real":
		f, err := strconv.ParseFloat(cell, 64)
		if err != nil {
			return cell
		}
		return string(appendDouble(nil, f))
	case strings.HasPrefix(kind, "decimal"):
		if r, ok := new(big.Rat).SetString(cell); ok {
			return r.RatString()
		}
	case strings.HasPrefix(kind, "varchar") || strings.HasPrefix(kind, "char"):
		if text, theirs := strings.CutPrefix(cell, "'"); theirs {
			return text
		}
		if s, err := strconv.Unquote(cell); err == nil {
			return s
		}
	}
	return cell
}

func canonicalRow(cells []string, a *answer) string {
	out := make([]string, len(cells))
	for i, c := range cells {
		out[i] = canonical(c, a.types[i].String())
	}
	return strings.Join(out, "|")
}

// against returns how the answers differ; compared is false if one has none.
func (h *hunt) against(d *duck, sql string, ordered bool) (why string, compared bool) {
	ours := h.u.run(sql, nil)
	if ours.err != nil || slices.ContainsFunc(ours.types, types.Type.IsNested) {
		return "", false
	}
	theirs := d.run(h.t, sql)
	if theirs.Error != "" {
		return "", false
	}
	var a, b []string
	for _, r := range ours.rows {
		a = append(a, canonicalRow(strings.Split(r, "|"), ours))
	}
	for _, r := range theirs.Rows {
		if len(r) != len(ours.types) {
			return "another number of columns", true
		}
		b = append(b, canonicalRow(r, ours))
	}
	return unlike(&answer{rows: a}, &answer{rows: b}, ordered), true
}

// TestDuckDB compares the answers of random queries with DuckDB's.
func TestDuckDB(t *testing.T) {
	h := newHunt(t)
	defer h.summary()
	h.g = h.g.Portable()
	d := startDuck(t, h.u.folder)
	compared, refused := 0, map[string]int{}
	end := time.Now().Add(*timeFlag)
	for i := 0; i < *checksFlag && time.Now().Before(end); i++ {
		sql, ordered := h.g.Query()
		sql = home(sql, "lake")
		if a := h.run(sql, nil); a.err != nil {
			continue
		}
		why, ok := h.against(d, sql, ordered)
		if !ok {
			refused[d.run(t, sql).Error]++
			continue
		}
		compared++
		if why != "" {
			h.report("not DuckDB's answer", sql, nil, why, func(try string) bool {
				why, _ := h.against(d, try, false)
				return why != "" && (!strings.Contains(try, "LIMIT") || strings.Contains(sql, "LIMIT"))
			})
		}
	}
	t.Logf("%d compared; DuckDB refused: %v", compared, refused)
}
