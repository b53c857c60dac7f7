package op

import (
	"context"

	"github.com/tuttidb/tutti/exec/kernel"
	"github.com/tuttidb/tutti/exec/vector"
	"github.com/tuttidb/tutti/sql/expr"
	"github.com/tuttidb/tutti/sql/types"
)

// Values produces rows of expressions without columns, mostly constants. One
// driver has them all.
type Values struct {
	env  *Env
	rows [][]expr.Expr
	at   int
	cols []*vector.Builder
	ts   []types.Type
	out  vector.Batch
}

// NewValues returns an operator over rows of expressions of the given types.
// What is not a constant yet, because it fails or is volatile, is computed
// when its row is wanted.
// The rows of a table without columns are empty slices.
func NewValues(env *Env, ts []types.Type, rows [][]expr.Expr) *Values {
	v := &Values{env: env, rows: rows, ts: ts}
	for _, t := range ts {
		v.cols = append(v.cols, vector.NewBuilder(env.Account, t))
	}
	return v
}

// Next returns the next batch.
func (v *Values) Next(context.Context) (*vector.Batch, error) {
	n := min(v.env.rows(), len(v.rows)-v.at)
	if n <= 0 {
		return nil, nil
	}
	rows := v.rows[v.at : v.at+n]
	v.at += n
	v.out = vector.Batch{N: n, Cols: v.out.Cols[:0]}
	for k, b := range v.cols {
		b.Reset()
		for _, row := range rows {
			c, err := kernel.Fold(v.env.kernel(), row[k])
			if err != nil {
				return nil, err
			}
			if err := kernel.AppendValue(b, v.ts[k], c.Value); err != nil {
				return nil, err
			}
		}
		v.out.Cols = append(v.out.Cols, b.Vector())
	}
	return &v.out, nil
}

// Close releases the last batch.
func (v *Values) Close() error {
	v.at = len(v.rows)
	releaseAll(v.cols)
	return nil
}
