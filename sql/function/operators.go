package function

import "github.com/tuttidb/tutti/sql/types"

// operatorText is how errors name the operators.
var operatorText = map[string]string{
	OpAdd: "+", OpSubtract: "-", OpMultiply: "*", OpDivide: "/", OpModulus: "%", OpNegate: "-",
	OpEq: "=", OpNe: "<>", OpLt: "<", OpLe: "<=", OpGt: ">", OpGe: ">=", OpDistinct: "IS DISTINCT FROM",
}

// resolveOperator applies the rules that no pattern can say; nil if none does.
func resolveOperator(name string, args []types.Type) *Scalar {
	switch name {
	case OpAdd, OpSubtract, OpMultiply, OpDivide, OpModulus:
		return resolveArithmetic(name, args)
	case OpEq, OpNe, OpLt, OpLe, OpGt, OpGe, OpDistinct:
		return resolveComparison(name, args)
	case OpNegate:
		if len(args) == 1 && args[0].IsNumeric() {
			return &Scalar{Name: name, Args: args, Result: args[0], NonNull: true}
		}
	}
	return nil
}

func resolveComparison(name string, args []types.Type) *Scalar {
	super, ok := types.CommonSuper(args[0], args[1])
	ordered := name != OpEq && name != OpNe && name != OpDistinct
	if !ok || !super.Comparable() || ordered && !super.Orderable() {
		return nil
	}
	fn := &Scalar{Name: name, Args: []types.Type{super, super}, Result: types.Of(types.Boolean), NonNull: true}
	if name == OpDistinct {
		fn.Nulls = CalledOnNull
	}
	return fn
}

// resolveArithmetic covers numbers; dates and intervals are in the table.
func resolveArithmetic(name string, args []types.Type) *Scalar {
	a, b := args[0], args[1]
	if a.Kind == types.Unknown {
		a = b
	}
	if b.Kind == types.Unknown {
		b = a
	}
	if a.Kind == types.Unknown {
		a, b = types.Of(types.BigInt), types.Of(types.BigInt)
	}
	if !a.IsNumeric() || !b.IsNumeric() {
		return nil
	}
	if super, _ := types.CommonSuper(a, b); super.Kind != types.Decimal {
		return &Scalar{Name: name, Args: []types.Type{super, super}, Result: super, NonNull: true}
	}
	a, b = types.AsDecimal(a), types.AsDecimal(b)
	result, ok := decimalResult(name, a, b)
	if !ok {
		return nil
	}
	return &Scalar{Name: name, Args: []types.Type{a, b}, Result: result, NonNull: true}
}

// decimalResult is Trino's rule for precision and scale (DecimalOperators).
func decimalResult(name string, a, b types.Type) (types.Type, bool) {
	scale := max(a.S, b.S)
	var p int32
	switch name {
	case OpAdd, OpSubtract:
		p = max(a.P-a.S, b.P-b.S) + scale + 1
	case OpMultiply:
		p, scale = a.P+b.P, a.S+b.S
	case OpDivide:
		p = a.P + b.S + max(b.S-a.S, 0)
	case OpModulus:
		p = min(b.P-b.S, a.P-a.S) + scale
	}
	return types.DecimalOf(min(p, types.MaxDecimal), scale), scale <= types.MaxDecimal
}
