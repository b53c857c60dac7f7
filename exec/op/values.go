package op

import (
	"context"
	"fmt"

	"github.com/tuttidb/tutti/exec/vector"
	"github.com/tuttidb/tutti/sql/expr"
	"github.com/tuttidb/tutti/sql/types"
)

// Values produces constant rows. One driver has them all.
type Values struct {
	env  *Env
	rows [][]expr.Expr
	at   int
	cols []*vector.Builder
	ts   []types.Type
	out  vector.Batch
}

// NewValues returns an operator over rows of constants of the given types.
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
			c, ok := row[k].(*expr.Const)
			if !ok {
				return nil, fmt.Errorf("values: %s is not a constant", row[k])
			}
			if err := appendConst(b, v.ts[k], c.Value); err != nil {
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

// appendConst appends x, in the Go form of expr.Const, as a row of type t.
func appendConst(b *vector.Builder, t types.Type, x any) error {
	switch x := x.(type) {
	case nil:
		return b.AppendNull()
	case bool:
		if x {
			return vector.Append(b, uint8(1))
		}
		return vector.Append(b, uint8(0))
	case int64:
		return appendInt(b, t, x)
	case float32:
		return vector.Append(b, x)
	case float64:
		return vector.Append(b, x)
	case types.Int128:
		return vector.Append(b, x)
	case string:
		return b.AppendBytes([]byte(x))
	case []any:
		return appendConsts(b, t, x)
	case [][2]any:
		return appendPairs(b, t, x)
	}
	return fmt.Errorf("constant of Go type %T for SQL type %s", x, t)
}

func appendInt(b *vector.Builder, t types.Type, x int64) error {
	switch t.Physical() {
	case types.PhysInt8:
		return vector.Append(b, int8(x))
	case types.PhysInt16:
		return vector.Append(b, int16(x))
	case types.PhysInt32:
		return vector.Append(b, int32(x))
	}
	return vector.Append(b, x)
}

// appendConsts appends an array or a row.
func appendConsts(b *vector.Builder, t types.Type, elems []any) error {
	for i, e := range elems {
		k := 0
		if t.Physical() == types.PhysStruct {
			k = i
		}
		if err := appendConst(b.Kid(k), t.Elem(k), e); err != nil {
			return err
		}
	}
	return b.CloseRow()
}

// appendPairs appends a map.
func appendPairs(b *vector.Builder, t types.Type, pairs [][2]any) error {
	for _, p := range pairs {
		for k := range p {
			if err := appendConst(b.Kid(k), t.Elem(k), p[k]); err != nil {
				return err
			}
		}
	}
	return b.CloseRow()
}
