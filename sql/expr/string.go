package expr

import (
	"fmt"
	"strings"

	"github.com/tuttidb/tutti/sql/function"
	"github.com/tuttidb/tutti/sql/types"
)

// String prints the column's name and id.
func (c *Column) String() string {
	if c.Name == "" {
		return fmt.Sprintf("#%d", c.ID)
	}
	return fmt.Sprintf("%s#%d", c.Name, c.ID)
}

// infix are the operators that print between their arguments.
var infix = map[string]string{
	function.OpAdd: "+", function.OpSubtract: "-", function.OpMultiply: "*", function.OpDivide: "/",
	function.OpModulus: "%", function.OpEq: "=", function.OpNe: "<>", function.OpLt: "<",
	function.OpLe: "<=", function.OpGt: ">", function.OpGe: ">=", function.OpLike: "LIKE",
	function.OpDistinct: "IS DISTINCT FROM", function.OpAtTimeZone: "AT TIME ZONE",
}

// String prints operators infix, in parentheses, and functions as name(args).
func (c *Call) String() string {
	if op, ok := infix[c.Fn.Name]; ok && len(c.Args) == 2 {
		return "(" + c.Args[0].String() + " " + op + " " + c.Args[1].String() + ")"
	}
	switch c.Fn.Name {
	case function.OpNegate:
		return "(-" + c.Args[0].String() + ")"
	case function.OpSubscript:
		return c.Args[0].String() + "[" + c.Args[1].String() + "]"
	}
	return strings.TrimPrefix(c.Fn.Name, "$") + "(" + list(c.Args) + ")"
}

// String prints CAST(x AS t).
func (c *Cast) String() string {
	name := "CAST("
	if c.Safe {
		name = "TRY_CAST("
	}
	return name + c.Arg.String() + " AS " + c.Typ.String() + ")"
}

// String prints the form as SQL.
func (f *Form) String() string {
	switch f.Op {
	case And, Or:
		return "(" + join(f.Args, map[Op]string{And: " AND ", Or: " OR "}[f.Op]) + ")"
	case Not:
		return "(NOT " + f.Args[0].String() + ")"
	case Case:
		return f.caseString()
	case In:
		return "(" + f.Args[0].String() + " IN (" + list(f.Args[1:]) + "))"
	case IsNull:
		return "(" + f.Args[0].String() + " IS NULL)"
	case Field:
		return fmt.Sprintf("%s[%d]", f.Args[0], f.Index+1)
	case Coalesce:
		return "COALESCE(" + list(f.Args) + ")"
	case Try:
		return "TRY(" + list(f.Args) + ")"
	}
	return "ROW(" + list(f.Args) + ")"
}

func (f *Form) caseString() string {
	var b strings.Builder
	b.WriteString("CASE")
	n := len(f.Args) - 1
	for i := 0; i < n; i += 2 {
		fmt.Fprintf(&b, " WHEN %s THEN %s", f.Args[i], f.Args[i+1])
	}
	fmt.Fprintf(&b, " ELSE %s END", f.Args[n])
	return b.String()
}

// String prints the aggregate as SQL.
func (a *Aggregate) String() string {
	args := list(a.Args)
	if len(a.Args) == 0 {
		args = "*"
	}
	if a.Distinct {
		args = "DISTINCT " + args
	}
	s := a.Fn.Name + "(" + args + ")"
	if a.Filter != nil {
		s += " FILTER (WHERE " + a.Filter.String() + ")"
	}
	return s
}

// String prints the constant as a literal of its type.
func (c *Const) String() string {
	switch v := c.Value.(type) {
	case nil:
		return "NULL"
	case string:
		if c.Typ.Kind == types.Varbinary {
			return fmt.Sprintf("X'%X'", v)
		}
		return "'" + strings.ReplaceAll(v, "'", "''") + "'"
	case bool, float64, float32:
		return fmt.Sprint(v)
	}
	return types.FormatValue(c.Typ, c.Value)
}

func list(args []Expr) string { return join(args, ", ") }

func join(args []Expr, sep string) string {
	parts := make([]string, len(args))
	for i, a := range args {
		parts[i] = a.String()
	}
	return strings.Join(parts, sep)
}
