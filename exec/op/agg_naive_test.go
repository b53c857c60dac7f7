package op

import (
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/tuttidb/tutti/exec/op/optest"
	"github.com/tuttidb/tutti/sql/types"
)

// naiveAggregate is what SQL says, value by value.
func naiveAggregate(s *AggSpec, rows optest.Rows) optest.Rows {
	groups := map[string][][]any{}
	var order []string
	for _, r := range rows {
		var key []any
		for _, k := range s.Keys {
			key = append(key, r[k])
		}
		name := fmt.Sprintf("%#v", key)
		if groups[name] == nil {
			order = append(order, name)
		}
		groups[name] = append(groups[name], r)
	}
	if len(s.Keys) == 0 && len(rows) == 0 {
		order = append(order, "")
	}
	var out optest.Rows
	for _, name := range order {
		var row []any
		for _, k := range s.Keys {
			row = append(row, groups[name][0][k])
		}
		for i := range s.Aggs {
			row = append(row, naiveCall(s, &s.Aggs[i], groups[name]))
		}
		out = append(out, row)
	}
	return out
}

// naiveCall computes one aggregate of one group's rows.
func naiveCall(s *AggSpec, c *AggCall, rows [][]any) any {
	skip := s.skips(c)
	seen := map[string]bool{}
	var kept [][]any
	for _, r := range rows {
		if c.Filter >= 0 && r[c.Filter] != true || slices.ContainsFunc(skip, func(k int) bool { return r[k] == nil }) {
			continue
		}
		var args []any
		for _, a := range c.Args {
			args = append(args, r[a])
		}
		if name := fmt.Sprintf("%#v", args); c.Distinct && seen[name] {
			continue
		} else {
			seen[name] = true
		}
		kept = append(kept, args)
	}
	return naiveFold(c, kept)
}

func naiveFold(c *AggCall, rows [][]any) any {
	switch c.Fn.Name {
	case "count":
		return int64(len(rows))
	case "count_if":
		n := int64(0)
		for _, r := range rows {
			if r[0] == true {
				n++
			}
		}
		return n
	case "array_agg":
		if len(rows) == 0 {
			return nil
		}
		var out []any
		for _, r := range rows {
			out = append(out, r[0])
		}
		return out
	}
	if len(rows) == 0 {
		return nil
	}
	switch c.Fn.Name {
	case "sum", "avg":
		return naiveSum(c, rows)
	case "min", "max", "min_by", "max_by":
		best := rows[0]
		for _, r := range rows[1:] {
			d := compareAny(r[len(r)-1], best[len(best)-1])
			if strings.HasPrefix(c.Fn.Name, "max") {
				d = -d
			}
			if d < 0 {
				best = r
			}
		}
		return best[0]
	case "bool_and", "bool_or", "every":
		and, or := true, false
		for _, r := range rows {
			and, or = and && r[0].(bool), or || r[0].(bool)
		}
		if c.Fn.Name == "bool_or" {
			return or
		}
		return and
	case "bitwise_and_agg", "bitwise_or_agg", "bitwise_xor_agg":
		x := rows[0][0].(int64)
		for _, r := range rows[1:] {
			y := r[0].(int64)
			x = map[string]int64{"bitwise_and_agg": x & y, "bitwise_or_agg": x | y, "bitwise_xor_agg": x ^ y}[c.Fn.Name]
		}
		return x
	}
	panic(c.Fn.Name)
}

func naiveSum(c *AggCall, rows [][]any) any {
	var exact types.Int128
	var sum float64
	for _, r := range rows {
		switch x := r[0].(type) {
		case int64:
			exact = exact.Add(types.Int128Of(x))
			sum += float64(x)
		case types.Int128:
			exact = exact.Add(x)
		case float64:
			sum += x
		case float32:
			sum += float64(x)
		}
	}
	n := float64(len(rows))
	avg := c.Fn.Name == "avg"
	switch t := c.Fn.Args[0]; {
	case t.Kind == types.Decimal && avg:
		if mean := exact.QuoRound(types.Int128Of(int64(n))); t.IsShortDecimal() {
			return mean.Int64()
		} else {
			return mean
		}
	case t.Kind == types.Decimal:
		return exact
	case t.IsFloat() && !avg:
		if t.Kind == types.Real {
			return float32(sum)
		}
		return sum
	case t.Kind == types.Real:
		return float32(sum / n)
	case t.Kind == types.IntervalDay && avg, t.Kind == types.IntervalYear && avg:
		return int64(math.Floor(sum/n + 0.5))
	case avg:
		return sum / n
	}
	return exact.Int64()
}

func compareAny(a, b any) int {
	switch x := a.(type) {
	case int64:
		return int(min(max(x-b.(int64), -1), 1))
	case float64:
		return types.Int128Of(int64(x * 4)).Cmp(types.Int128Of(int64(b.(float64) * 4)))
	case float32:
		return types.Int128Of(int64(x * 4)).Cmp(types.Int128Of(int64(b.(float32) * 4)))
	case bool:
		return strings.Compare(fmt.Sprint(a), fmt.Sprint(b))
	case string:
		return strings.Compare(x, b.(string))
	case types.Int128:
		return x.Cmp(b.(types.Int128))
	case []any:
		y := b.([]any)
		for i := range min(len(x), len(y)) {
			if d := compareAny(x[i], y[i]); d != 0 {
				return d
			}
		}
		return len(x) - len(y)
	}
	panic(fmt.Sprintf("%T", a))
}
