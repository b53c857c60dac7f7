// Package optest is the harness that every operator is tested under.
//
// A test states its inputs and the expected rows as plain Go values; the
// harness runs the operator many times over, with the same rows cut into
// batches of 1, 3, 7 and many rows, behind selection vectors that skip decoys,
// and in every encoding (flat, dictionary, constant, lazy). It lends batches
// the way real operators do, memory and all: when the operator asks for the
// next batch, the one before is released and, because the pool poisons what is
// released, a use after that shows as wrong rows. It checks what an operator
// promises of its own batches, and at the end that no slab is still out. Faults
// breaks jobs of operators off at every point, and checks the same.
//
//	want := optest.Rows{{int64(1), "a"}}
//	optest.Each(t, []optest.Table{left, right}, func(c *optest.Case) exec.Operator {
//		return op.NewThing(c.Account, c.Inputs[0], c.Inputs[1])
//	}, want)
//
// Values are in the Go form of expr.Const: nil, bool, int64 for all integer
// layouts, float32, float64, types.Int128, string, []any, [][2]any.
package optest
