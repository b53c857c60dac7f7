package kernel

import "github.com/tuttidb/tutti/sql/expr"

// CanFail reports whether evaluating e can raise an error about the data, such
// as a division by zero. A condition that cannot may be tested on rows that
// another condition would have excluded, or on values that no row has.
func CanFail(e expr.Expr) bool { return canFail(e) }
