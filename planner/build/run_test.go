package build_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"

	"github.com/tuttidb/tutti/connectors/tpch/dbgen"
	"github.com/tuttidb/tutti/planner/build"
	"github.com/tuttidb/tutti/planner/plan"
	"github.com/tuttidb/tutti/sql/analyzer"
	"github.com/tuttidb/tutti/sql/analyzer/analyzertest"
	"github.com/tuttidb/tutti/sql/ast"
	"github.com/tuttidb/tutti/sql/parser"
	"github.com/tuttidb/tutti/sql/types"
)

// planOf plans a query in a catalog's schema tiny and checks the plan's form.
func planOf(sql, catalog string) (*plan.Output, error) {
	stmt, err := parser.ParseStatement(sql)
	if err != nil {
		return nil, err
	}
	alloc := &analyzer.Allocator{}
	a := analyzer.New(context.Background(), analyzertest.New(), analyzertest.Session(catalog), alloc)
	q, ok := stmt.(*ast.Query)
	if !ok {
		return nil, errors.New("no query")
	}
	bound, err := a.Query(q)
	if err != nil {
		return nil, err
	}
	n, err := build.Query(bound, alloc)
	if err != nil {
		return nil, err
	}
	return n, validate(n)
}

// answer runs a query through the interpreter and returns its rows as the
// client protocol writes them.
func answer(sql string) ([][]string, error) {
	n, err := planOf(sql, "tpch")
	if err != nil {
		return nil, err
	}
	t, err := (&interpreter{}).run(n)
	if err != nil {
		return nil, err
	}
	out := make([][]string, len(t.rows))
	for i, r := range t.rows {
		for j, v := range r {
			text, err := format(v, t.cols[j].Type)
			if err != nil {
				return nil, err
			}
			out[i] = append(out[i], text)
		}
	}
	return out, nil
}

func format(v any, t types.Type) (string, error) {
	switch {
	case v == nil:
		return "NULL", nil
	case v == "":
		return "(empty)", nil
	case t.IsInteger(), t.Kind == types.Varchar, t.Kind == types.Boolean:
		return fmt.Sprint(v), nil
	case t.Kind == types.Date:
		return types.FormatDate(v.(int64)), nil
	case t.Kind == types.Array && t.Elem(0).IsInteger():
		text, err := json.Marshal(v)
		return string(text), err
	}
	return "", lacking("text of %s", t)
}

// validate checks that every column that a node refers to is one of its
// inputs' and that no column is made twice.
func validate(n plan.Node) error {
	made := map[int32]bool{}
	var problems []string
	plan.Walk(n, func(n plan.Node) bool {
		have := map[int32]bool{}
		for _, in := range n.Inputs() {
			for _, c := range in.Outputs() {
				have[int32(c.ID)] = true
			}
		}
		name, _ := plan.Describe(n)
		if strings.HasPrefix(name, "*") {
			problems = append(problems, "private node "+name)
		}
		seen := map[int32]bool{}
		for _, c := range n.Outputs() {
			id := int32(c.ID)
			if seen[id] && name != "Output" {
				problems = append(problems, fmt.Sprintf("%s outputs %s twice", name, c))
			}
			seen[id] = true
			if !have[id] {
				if made[id] {
					problems = append(problems, fmt.Sprintf("%s makes %s again", name, c))
				}
				made[id] = true
			}
		}
		for _, id := range used(n) {
			if !have[id] {
				problems = append(problems, fmt.Sprintf("%s refers to #%d, which its inputs do not have", name, id))
			}
		}
		return true
	})
	if problems != nil {
		return fmt.Errorf("bad plan: %s\n%s", strings.Join(problems, "; "), plan.Format(n))
	}
	return nil
}

var generator = sync.OnceValues(func() (*dbgen.Generator, error) { return dbgen.New(0.01, nil) })

// tables remembers the rows of tables by name.
var tables sync.Map

// scanRows returns the rows of a table of TPC-H.
func scanRows(n *plan.Scan) ([][]any, error) {
	if rows, ok := tables.Load(n.Table.Name); ok {
		return slices.Clone(rows.([][]any)), nil
	}
	rows, err := readTable(n)
	tables.Store(n.Table.Name, rows)
	return slices.Clone(rows), err
}

func readTable(n *plan.Scan) ([][]any, error) {
	t, ok := dbgen.ParseTable(n.Table.Name)
	if !ok {
		return nil, lacking("table %s", n.Table.Name)
	}
	g, err := generator()
	if err != nil {
		return nil, err
	}
	s, err := g.Scan(t, n.Ordinals, 0, g.Units(t))
	if err != nil {
		return nil, err
	}
	var out [][]any
	for b := dbgen.NewBatch(1024); s.Next(b); {
		for i := range b.Rows {
			row := make([]any, len(n.Ordinals))
			for j, o := range n.Ordinals {
				row[j] = cell(&b.Columns[j], t.Columns()[o], i)
			}
			out = append(out, row)
		}
	}
	return out, nil
}

func cell(v *dbgen.Vector, c dbgen.Column, i int) any {
	switch c.Layout {
	case dbgen.Int64:
		if c.Kind == dbgen.Decimal {
			return float64(v.Int64[i]) / 100
		}
		return v.Int64[i]
	case dbgen.Int32:
		return int64(v.Int32[i])
	case dbgen.Codes:
		return c.Values[v.Codes[i]]
	}
	return string(v.Text(i))
}
