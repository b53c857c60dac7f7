package op

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/tuttidb/tutti/exec"
	"github.com/tuttidb/tutti/exec/op/optest"
)

func keyOf(row []any, keys []int) string {
	var key []any
	for _, k := range keys {
		key = append(key, row[k])
	}
	return fmt.Sprintf("%#v", key)
}

func TestMarkDistinct(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 1))
	tab := optest.Random(r, aggTypes, 300, 5, 10)
	for _, keys := range [][]int{nil, {0}, {1, 5}, {11}} {
		seen := map[string]bool{}
		var want optest.Rows
		for _, row := range tab.Rows {
			key := keyOf(row, keys)
			want = append(want, append(row[:len(row):len(row)], !seen[key]))
			seen[key] = true
		}
		t.Run(fmt.Sprint(keys), func(t *testing.T) {
			optest.EachOrdered(t, []optest.Table{tab}, func(c *optest.Case) exec.Operator {
				return NewMarkDistinct(testEnv(c), tab.Types, keys).Operator(c.Inputs[0])
			}, want)
		})
	}
}

// TestMarkDistinctAcrossDrivers marks each key once in all drivers together.
func TestMarkDistinctAcrossDrivers(t *testing.T) {
	tab := optest.Random(rand.New(rand.NewPCG(2, 2)), aggTypes[:2], 2000, 100, 10)
	account := optest.NewAccount(t)
	m := NewMarkDistinct(&Env{Account: account}, tab.Types, []int{0})
	var ops []exec.Operator
	for range 3 {
		ops = append(ops, m.Operator(optest.NewSource(account, tab, optest.Forms()[2])))
	}
	rows, err := optest.DrainAll(ops)
	if err != nil {
		t.Fatal(err)
	}
	marked := map[string]int{}
	for _, row := range rows {
		if row[2] == true {
			marked[keyOf(row, []int{0})]++
		}
	}
	for key, n := range marked {
		if n != 1 {
			t.Errorf("%s is marked %d times", key, n)
		}
	}
	if len(marked) != 101 && len(marked) != 100 {
		t.Errorf("%d keys are marked", len(marked))
	}
}

func TestRowNumber(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 3))
	tab := optest.Random(r, aggTypes, 300, 5, 10)
	for _, partition := range [][]int{nil, {0}, {1, 5}} {
		for _, limit := range []int64{-1, 0, 1, 3, 1000} {
			counts := map[string]int64{}
			var want optest.Rows
			for _, row := range tab.Rows {
				key := keyOf(row, partition)
				counts[key]++
				if limit < 0 || counts[key] <= limit {
					want = append(want, append(row[:len(row):len(row)], counts[key]))
				}
			}
			t.Run(fmt.Sprint(partition, limit), func(t *testing.T) {
				optest.EachOrdered(t, []optest.Table{tab}, func(c *optest.Case) exec.Operator {
					return NewRowNumber(testEnv(c), tab.Types, partition, limit).Operator(c.Inputs[0])
				}, want)
			})
		}
	}
}
