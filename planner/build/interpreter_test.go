package build_test

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/tuttidb/tutti/planner/plan"
	"github.com/tuttidb/tutti/sql/expr"
	"github.com/tuttidb/tutti/sql/types"
)

// interpreter runs plans in the plainest way there is, so that tests can ask
// what a plan means instead of how it looks. Values are nil, bool, int64,
// float64, string and []any.
type interpreter struct{ nextID int64 }

// table is what a node produces.
type table struct {
	cols []plan.Column
	rows [][]any
}

// tooManyPairs bounds the work of a join without keys.
const tooManyPairs = 500_000

var errSubqueryRows = errors.New("SUBQUERY_MULTIPLE_ROWS")

func (in *interpreter) run(n plan.Node) (*table, error) {
	var inputs []*table
	for _, c := range n.Inputs() {
		t, err := in.run(c)
		if err != nil {
			return nil, err
		}
		inputs = append(inputs, t)
	}
	out := &table{cols: n.Outputs()}
	var err error
	switch n := n.(type) {
	case *plan.Scan:
		out.rows, err = scanRows(n)
	case *plan.Values:
		for _, r := range n.Rows {
			row := make([]any, len(r))
			for i, e := range r {
				if row[i], err = (&env{}).eval(e, nil); err != nil {
					return nil, err
				}
			}
			out.rows = append(out.rows, row)
		}
	case *plan.Filter:
		out.rows, err = inputs[0].filter(n.Predicate)
	case *plan.Project:
		out.rows, err = project(n, inputs[0])
	case *plan.Output:
		out.rows = inputs[0].pick(n.Cols)
	case *plan.Join:
		out.rows, err = join(n, inputs[0], inputs[1])
	case *plan.Aggregate:
		out.rows, err = aggregate(n, inputs[0])
	case *plan.Sort:
		inputs[0].sort(n.Keys)
		out.rows = inputs[0].rows
	case *plan.Limit:
		out.rows = limit(inputs[0].rows, n)
	case *plan.Union:
		for i, t := range inputs {
			out.rows = append(out.rows, t.pick(n.Sources[i])...)
		}
	default:
		out.rows, err = in.rest(n, inputs[0])
	}
	return out, err
}

func (in *interpreter) rest(n plan.Node, t *table) ([][]any, error) {
	switch n := n.(type) {
	case *plan.SingleRow:
		switch len(t.rows) {
		case 0:
			return [][]any{make([]any, len(t.cols))}, nil
		case 1:
			return t.rows, nil
		}
		return nil, errSubqueryRows
	case *plan.UniqueID:
		return t.extend(func([]any) any { in.nextID++; return in.nextID }), nil
	case *plan.MarkDistinct:
		seen := map[string]bool{}
		at := t.places(n.Keys)
		return t.extend(func(r []any) any {
			k := keyOf(r, at)
			first := !seen[k]
			seen[k] = true
			return first
		}), nil
	case *plan.RowNumber:
		return rowNumber(n, t), nil
	case *plan.Unnest:
		return unnest(n, t), nil
	}
	return nil, lacking("operator %T", n)
}

func limit(rows [][]any, n *plan.Limit) [][]any {
	rows = rows[min(n.Offset, int64(len(rows))):]
	if n.N >= 0 {
		rows = rows[:min(n.N, int64(len(rows)))]
	}
	return rows
}

// places are the positions of columns.
func (t *table) places(cols []plan.Column) []int {
	out := make([]int, len(cols))
	for i, c := range cols {
		out[i] = slices.IndexFunc(t.cols, func(o plan.Column) bool { return o.ID == c.ID })
		if out[i] < 0 {
			panic(fmt.Sprintf("no column %s among %v", c, t.cols))
		}
	}
	return out
}

func (t *table) pick(cols []plan.Column) [][]any {
	at := t.places(cols)
	out := make([][]any, len(t.rows))
	for i, r := range t.rows {
		for _, p := range at {
			out[i] = append(out[i], r[p])
		}
	}
	return out
}

func (t *table) extend(value func([]any) any) [][]any {
	out := make([][]any, len(t.rows))
	for i, r := range t.rows {
		out[i] = append(slices.Clone(r), value(r))
	}
	return out
}

func (t *table) filter(pred expr.Expr) ([][]any, error) {
	e := newEnv(t.cols)
	var out [][]any
	for _, r := range t.rows {
		v, err := e.eval(pred, r)
		if err != nil {
			return nil, err
		}
		if v == true {
			out = append(out, r)
		}
	}
	return out, nil
}

func project(n *plan.Project, t *table) ([][]any, error) {
	e := newEnv(t.cols)
	out := make([][]any, len(t.rows))
	for i, r := range t.rows {
		for _, a := range n.Cols {
			v, err := e.eval(a.Expr, r)
			if err != nil {
				return nil, err
			}
			out[i] = append(out[i], v)
		}
	}
	return out, nil
}

func (t *table) sort(keys []plan.SortKey) {
	var cols []plan.Column
	for _, k := range keys {
		cols = append(cols, k.Column)
	}
	at := t.places(cols)
	slices.SortStableFunc(t.rows, func(a, b []any) int {
		for i, k := range keys {
			if c := compareNulls(a[at[i]], b[at[i]], k); c != 0 {
				return c
			}
		}
		return 0
	})
}

func compareNulls(a, b any, k plan.SortKey) int {
	if a == nil || b == nil {
		c := 0
		if a == nil {
			c++
		}
		if b == nil {
			c--
		}
		if k.NullsFirst {
			return -c
		}
		return c
	}
	c := compareValues(a, b)
	if k.Descending {
		return -c
	}
	return c
}

// compareValues orders values of one type; neither is nil.
func compareValues(a, b any) int {
	switch a := a.(type) {
	case bool:
		return cmp.Compare(fmt.Sprint(a), fmt.Sprint(b))
	case int64:
		return cmp.Compare(a, b.(int64))
	case float64:
		return cmp.Compare(a, b.(float64))
	case string:
		return cmp.Compare(a, b.(string))
	case []any:
		return slices.CompareFunc(a, b.([]any), compareValues)
	}
	panic(fmt.Sprintf("cannot compare %T", a))
}

func keyOf(r []any, at []int) string {
	var b strings.Builder
	for _, p := range at {
		switch v := r[p].(type) {
		case int64:
			b.WriteString(strconv.FormatInt(v, 10))
		case string:
			b.WriteString(strconv.Quote(v))
		default:
			fmt.Fprintf(&b, "%T:%v", v, v)
		}
		b.WriteByte('|')
	}
	return b.String()
}

func rowNumber(n *plan.RowNumber, t *table) [][]any {
	t.sort(n.Keys)
	at := t.places(n.Partition)
	counts := map[string]int64{}
	var out [][]any
	for _, r := range t.rows {
		k := keyOf(r, at)
		counts[k]++
		if n.Limit < 0 || counts[k] <= n.Limit {
			out = append(out, append(slices.Clone(r), counts[k]))
		}
	}
	return out
}

func unnest(n *plan.Unnest, t *table) [][]any {
	replicate, exprs := t.places(n.Replicate), t.places(n.Exprs)
	var out [][]any
	for _, r := range t.rows {
		var base []any
		for _, p := range replicate {
			base = append(base, r[p])
		}
		longest := 0
		for _, p := range exprs {
			list, _ := r[p].([]any)
			longest = max(longest, len(list))
		}
		emit := func(i int, ord any) {
			row := slices.Clone(base)
			for j, p := range exprs {
				list, _ := r[p].([]any)
				row = append(row, element(list, i, n.Exprs[j].Type, len(n.Columns[j]))...)
			}
			if n.Ordinality != nil {
				row = append(row, ord)
			}
			out = append(out, row)
		}
		for i := range longest {
			emit(i, int64(i+1))
		}
		if longest == 0 && n.Outer {
			emit(-1, nil)
		}
	}
	return out
}

// element is what the i-th element of a list becomes; nulls if there is none.
func element(list []any, i int, t types.Type, width int) []any {
	switch {
	case i < 0 || i >= len(list) || list[i] == nil:
		return make([]any, width)
	case t.Elem(0).Kind == types.Row:
		return list[i].([]any)
	}
	return []any{list[i]}
}

// join runs every kind of join: with keys through a hash table, else over all
// pairs.
func join(n *plan.Join, l, r *table) ([][]any, error) {
	var leftKeys, rightKeys []plan.Column
	for _, k := range n.Keys {
		leftKeys, rightKeys = append(leftKeys, k.Left), append(rightKeys, k.Right)
	}
	lk, rk := l.places(leftKeys), r.places(rightKeys)
	table := map[string][]int{}
	nullKey := false
	for i, row := range r.rows {
		if hasNull(row, rk) {
			nullKey = true
			continue
		}
		k := keyOf(row, rk)
		table[k] = append(table[k], i)
	}
	if len(lk) == 0 && len(l.rows)*len(r.rows) > tooManyPairs {
		return nil, lacking("patience for so many pairs")
	}
	both := newEnv(append(slices.Clone(l.cols), r.cols...))
	usedRight := make([]bool, len(r.rows))
	var out [][]any
	for _, row := range l.rows {
		matched, unknown := false, false
		if hasNull(row, lk) {
			unknown = len(r.rows) > 0
		} else {
			for _, i := range table[keyOf(row, lk)] {
				pair := append(slices.Clone(row), r.rows[i]...)
				if n.Filter != nil {
					v, err := both.eval(n.Filter, pair)
					if err != nil {
						return nil, err
					}
					if v != true {
						continue
					}
				}
				matched, usedRight[i] = true, true
				if n.Kind <= plan.FullJoin {
					out = append(out, pair)
				}
			}
			unknown = nullKey
		}
		out = unmatchedLeft(n, out, row, len(r.cols), matched, unknown)
	}
	if n.Kind == plan.RightJoin || n.Kind == plan.FullJoin {
		for i, row := range r.rows {
			if !usedRight[i] {
				out = append(out, append(make([]any, len(l.cols)), row...))
			}
		}
	}
	return out, nil
}

// unmatchedLeft is what a left row gives beside its pairs.
func unmatchedLeft(n *plan.Join, out [][]any, row []any, width int, matched, unknown bool) [][]any {
	switch n.Kind {
	case plan.LeftJoin, plan.FullJoin:
		if !matched {
			out = append(out, append(slices.Clone(row), make([]any, width)...))
		}
	case plan.SemiJoin:
		if matched {
			out = append(out, row)
		}
	case plan.AntiJoin:
		if !matched {
			out = append(out, row)
		}
	case plan.NullAwareAntiJoin:
		if !matched && !unknown {
			out = append(out, row)
		}
	case plan.MarkJoin:
		var mark any = matched
		if !matched && unknown && n.NullAware {
			mark = nil
		}
		out = append(out, append(slices.Clone(row), mark))
	}
	return out
}

func hasNull(r []any, at []int) bool {
	return slices.ContainsFunc(at, func(p int) bool { return r[p] == nil })
}

func aggregate(n *plan.Aggregate, t *table) ([][]any, error) {
	at := t.places(n.Keys)
	groups := map[string][][]any{}
	var order []string
	for _, r := range t.rows {
		k := keyOf(r, at)
		if _, ok := groups[k]; !ok {
			order = append(order, k)
		}
		groups[k] = append(groups[k], r)
	}
	if len(n.Keys) == 0 && len(order) == 0 {
		order = []string{""}
	}
	e := newEnv(t.cols)
	var out [][]any
	for _, k := range order {
		var row []any
		for _, p := range at {
			row = append(row, groups[k][0][p])
		}
		for _, a := range n.Aggs {
			v, err := e.aggregate(a.Call, groups[k])
			if err != nil {
				return nil, err
			}
			row = append(row, v)
		}
		out = append(out, row)
	}
	return out, nil
}
