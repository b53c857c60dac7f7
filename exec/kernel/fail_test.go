package kernel

import (
	"testing"

	"github.com/tuttidb/tutti/internal/qerr"
	"github.com/tuttidb/tutti/sql/expr"
)

func TestFail(t *testing.T) {
	env := testEnv(t)
	for _, tc := range []struct {
		number int
		want   qerr.Code
	}{{28, qerr.SubqueryMultipleRows}, {7, qerr.InvalidFunctionArgument}, {9, qerr.InvalidCastArgument}, {-1, qerr.GenericInternal}} {
		call := fn("fail", boolT, lit(int64(tc.number), intT), str("too many"))
		call.(*expr.Call).Fn.Volatile = true
		_, err := Fold(env, call)
		if e := qerr.From(err); e == nil || e.Code != tc.want || e.Message != "too many" {
			t.Errorf("%d: %v", tc.number, err)
		}
	}
	many := fn("fail", boolT, lit(int64(28), intT), str("too many"))
	if _, err := Fold(env, form(expr.Try, boolT, many)); !qerr.Is(err, qerr.SubqueryMultipleRows) {
		t.Errorf("TRY forgives what is no error of the data: %v", err)
	}
	if !CanFail(many) {
		t.Error("a call of fail cannot fail")
	}
}
