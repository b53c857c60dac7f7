package slt

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
)

// Executor runs one SQL statement after the other in one session.
type Executor interface {
	// Query runs sql and returns all rows. A failure of the statement itself is
	// a *Failure; any other error means that the answer is not known.
	Query(ctx context.Context, sql string) (*Result, error)
}

// Result is the result of a statement. Control statements have no columns.
type Result struct {
	Names []string
	Types []string   // as the protocol spells them: decimal(38, 2)
	Rows  [][]string // values as described in the package comment, unescaped
}

// Failure is a statement's failure as the client sees it.
type Failure struct {
	Name    string // Trino's error name, such as SYNTAX_ERROR
	Message string
}

// Error returns "NAME: message", the text that "statement error" matches.
func (f *Failure) Error() string { return f.Name + ": " + f.Message }

// Options change what Check compares.
type Options struct {
	// IgnoreColumns leaves out the comparison with the "# ->" line.
	IgnoreColumns bool
	// Exclude names files that the server cannot run by its configuration:
	// memory.slt where there is no memory catalog, that is, on several nodes.
	Exclude []string
}

// Check runs one record and returns nil if the outcome is the expected one,
// otherwise an error that shows the difference.
func Check(ctx context.Context, exec Executor, rec *Record, opts Options) error {
	got, err := exec.Query(ctx, rec.SQL)
	var failure *Failure
	if err != nil && !errors.As(err, &failure) {
		return fmt.Errorf("no answer: %w", err)
	}
	switch {
	case rec.Kind == StatementError && failure == nil:
		return fmt.Errorf("no error, want %s", rec.Error)
	case rec.Kind == StatementError && !rec.Error.MatchString(failure.Error()):
		return fmt.Errorf("error is\n  %w\nwant\n  %s", failure, rec.Error)
	case rec.Kind != StatementError && failure != nil:
		return fmt.Errorf("failed: %w", failure)
	case rec.Kind == Query:
		return rec.compare(got, opts)
	}
	return nil
}

func (rec *Record) compare(got *Result, opts Options) error {
	if len(got.Types) != len(rec.Letters) {
		return fmt.Errorf("%d columns, want %d", len(got.Types), len(rec.Letters))
	}
	if columns := got.columns(); !opts.IgnoreColumns && rec.Columns != "" && columns != rec.Columns {
		return fmt.Errorf("columns are\n  %s\nwant\n  %s", columns, rec.Columns)
	}
	want, rows := rec.order(rec.Rows, got.Types), rec.order(got.Rows, got.Types)
	for i := range min(len(want), len(rows)) {
		for c := range want[i] {
			if !sameValue(want[i][c], rows[i][c], tolerance(got.Types[c%len(got.Types)])) {
				return fmt.Errorf("row %d is\n  %s\nwant\n  %s", i+1, line(rows[i]), line(want[i]))
			}
		}
	}
	if len(want) != len(rows) {
		return fmt.Errorf("%d rows, want %d%s", len(rows), len(want), excess(want, rows))
	}
	return nil
}

// excess shows the first row that one side has more than the other.
func excess(want, rows [][]string) string {
	if n := len(want); n < len(rows) {
		return "; first one more:\n  " + line(rows[n])
	}
	return "; first one missing:\n  " + line(want[len(rows)])
}

func line(row []string) string {
	texts := make([]string, len(row))
	for i, v := range row {
		texts[i] = Escape(v)
	}
	return strings.Join(texts, "\t")
}

func (r *Result) columns() string {
	parts := make([]string, len(r.Names))
	for i := range r.Names {
		parts[i] = r.Names[i] + " " + r.Types[i]
	}
	return strings.Join(parts, ", ")
}

// tolerance is the relative difference that values of a type may have; it is
// negative for types whose values must be equal.
func tolerance(kind string) float64 {
	switch {
	case strings.Contains(kind, "real"):
		return 1e-6
	case strings.Contains(kind, "double"):
		return 1e-9
	}
	return -1
}

// order returns the rows in the order in which they are compared. Under rowsort
// the columns of floating point come last and count as numbers, so that a
// difference in a last digit does not shuffle rows.
func (rec *Record) order(rows [][]string, types []string) [][]string {
	switch rec.Sort {
	case RowSort:
		rows = slices.Clone(rows)
		slices.SortStableFunc(rows, func(a, b []string) int { return compareRows(a, b, types) })
	case ValueSort:
		var values [][]string
		for _, row := range rows {
			for _, v := range row {
				values = append(values, []string{v})
			}
		}
		slices.SortFunc(values, slices.Compare)
		return values
	}
	return rows
}

func compareRows(a, b []string, types []string) int {
	for i := range a {
		if tolerance(types[i]) < 0 {
			if c := cmp.Compare(a[i], b[i]); c != 0 {
				return c
			}
		}
	}
	for i := range a {
		if tolerance(types[i]) >= 0 {
			x, errX := strconv.ParseFloat(a[i], 64)
			y, errY := strconv.ParseFloat(b[i], 64)
			c := cmp.Compare(x, y)
			if errX != nil || errY != nil {
				c = cmp.Compare(a[i], b[i])
			}
			if c != 0 {
				return c
			}
		}
	}
	return 0
}

// sameValue compares two texts; with a tolerance numbers within them, also
// inside JSON, may differ by it.
func sameValue(want, got string, tolerance float64) bool {
	if want == got {
		return true
	}
	if tolerance < 0 || want == "NULL" || got == "NULL" {
		return false
	}
	if x, err := strconv.ParseFloat(want, 64); err == nil {
		y, err := strconv.ParseFloat(got, 64)
		return err == nil && near(x, y, tolerance)
	}
	w, errW := decodeJSON(want)
	g, errG := decodeJSON(got)
	return errW == nil && errG == nil && sameJSON(w, g, tolerance)
}

func near(x, y, tolerance float64) bool {
	switch {
	case math.IsNaN(x) || math.IsNaN(y):
		return math.IsNaN(x) && math.IsNaN(y)
	case math.IsInf(x, 0) || math.IsInf(y, 0):
		return x == y
	}
	return math.Abs(x-y) <= tolerance*max(math.Abs(x), math.Abs(y))
}

func decodeJSON(text string) (any, error) {
	d := json.NewDecoder(bytes.NewReader([]byte(text)))
	d.UseNumber()
	var v any
	err := d.Decode(&v)
	return v, err
}

func sameJSON(want, got any, tolerance float64) bool {
	switch w := want.(type) {
	case []any:
		g, ok := got.([]any)
		return ok && slices.EqualFunc(w, g, func(a, b any) bool { return sameJSON(a, b, tolerance) })
	case map[string]any:
		g, ok := got.(map[string]any)
		if !ok || len(w) != len(g) {
			return false
		}
		for k := range w {
			if v, there := g[k]; !there || !sameJSON(w[k], v, tolerance) {
				return false
			}
		}
		return true
	case json.Number:
		g, ok := got.(json.Number)
		return ok && sameValue(w.String(), g.String(), tolerance)
	}
	return want == got
}
