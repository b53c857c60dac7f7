package local

import (
	"fmt"
	"slices"

	"github.com/tuttidb/tutti/exec"
	"github.com/tuttidb/tutti/exec/mem"
	"github.com/tuttidb/tutti/exec/op"
	"github.com/tuttidb/tutti/planner/plan"
	"github.com/tuttidb/tutti/sql/types"
)

// Merge returns the rows of sorted streams as one stream, sorted as node says.
// It is what an exchange puts over the outputs of a stage that sorted them.
func Merge(node *plan.RemoteSource, streams []exec.Operator, account *mem.Account) (exec.Operator, error) {
	spec := &op.SortSpec{Input: make([]types.Type, len(node.Columns))}
	for i, c := range node.Columns {
		spec.Input[i] = c.Type
	}
	for _, k := range node.OrderBy {
		at := slices.IndexFunc(node.Columns, func(c plan.Column) bool { return c.ID == k.Column.ID })
		if at < 0 {
			return nil, fmt.Errorf("merge by column %s, which the exchange does not carry", k.Column)
		}
		spec.Keys = append(spec.Keys, op.SortColumn{Column: at, Descending: k.Descending, NullsFirst: k.NullsFirst})
	}
	return op.NewMerge(&op.Env{Account: account, Stats: &exec.OperatorStats{Name: "merge"}}, streams, spec), nil
}
