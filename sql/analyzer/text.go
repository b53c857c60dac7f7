package analyzer

import (
	"strings"

	"github.com/tuttidb/tutti/sql/ast"
)

// textOf prints an expression the way Trino's messages do: every operator in
// parentheses, names in lower case.
func textOf(e ast.Expression) string {
	switch e := e.(type) {
	case *ast.Identifier:
		if e.Quoted {
			return `"` + strings.ReplaceAll(e.Name, `"`, `""`) + `"`
		}
		return e.Name
	case *ast.Dereference:
		return textOf(e.Target) + "." + textOf(e.Field)
	case *ast.Binary:
		if e.Op == ast.Concat {
			return "concat(" + textOf(e.Left) + ", " + textOf(e.Right) + ")"
		}
		return infixText(e.Left, e.Op.String(), e.Right)
	case *ast.Comparison:
		return infixText(e.Left, e.Op.String(), e.Right)
	case *ast.IsDistinctFrom:
		return infixText(e.Left, "IS"+notText(e.Not)+" DISTINCT FROM", e.Right)
	case *ast.Logical:
		return logicalText(e)
	case *ast.Not:
		return "(NOT " + textOf(e.Operand) + ")"
	case *ast.Unary:
		return e.Op.String() + textOf(e.Operand)
	case *ast.IsNull:
		return "(" + textOf(e.Value) + " IS" + notText(e.Not) + " NULL)"
	case *ast.Between:
		return "(" + textOf(e.Value) + notText(e.Not) + " BETWEEN " + textOf(e.Low) + " AND " + textOf(e.High) + ")"
	case *ast.InList:
		return "(" + textOf(e.Value) + notText(e.Not) + " IN (" + texts(e.Items) + "))"
	case *ast.Like:
		return likeText(e)
	}
	return compositeText(e)
}

func compositeText(e ast.Expression) string {
	switch e := e.(type) {
	case *ast.NullLiteral:
		return "null"
	case *ast.Subscript:
		return textOf(e.Target) + "[" + textOf(e.Index) + "]"
	case *ast.Array:
		return "ARRAY[" + texts(e.Items) + "]"
	case *ast.Row:
		return "ROW (" + texts(e.Items) + ")"
	case *ast.Cast:
		name := "CAST("
		if e.Try {
			name = "TRY_CAST("
		}
		return name + textOf(e.Expr) + " AS " + strings.ToLower(ast.Format(e.Type)) + ")"
	case *ast.Extract:
		return "EXTRACT(" + upper(e.Field.Name) + " FROM " + textOf(e.Value) + ")"
	case *ast.FunctionCall:
		return callText(e)
	case *ast.Case:
		return caseText(e)
	}
	return ast.Format(e)
}

func notText(not bool) string {
	if not {
		return " NOT"
	}
	return ""
}

func infixText(l ast.Expression, op string, r ast.Expression) string {
	return "(" + textOf(l) + " " + op + " " + textOf(r) + ")"
}

func logicalText(e *ast.Logical) string {
	parts := make([]string, len(e.Terms))
	for i, t := range e.Terms {
		parts[i] = textOf(t)
	}
	return "(" + strings.Join(parts, " "+e.Op.String()+" ") + ")"
}

func likeText(e *ast.Like) string {
	s := "(" + textOf(e.Value) + notText(e.Not) + " LIKE " + textOf(e.Pattern)
	if e.Escape != nil {
		s += " ESCAPE " + textOf(e.Escape)
	}
	return s + ")"
}

// callText prints the forms that Trino has nodes of their own for in capitals.
func callText(e *ast.FunctionCall) string {
	name := e.Name.String()
	switch strings.ToLower(name) {
	case "coalesce", "nullif", "if", "try":
		name = upper(name)
	}
	args := texts(e.Args)
	switch {
	case e.Star:
		args = "*"
	case e.Distinct:
		args = "DISTINCT " + args
	}
	s := name + "(" + args + ")"
	if e.Filter != nil {
		s += " FILTER (WHERE " + textOf(e.Filter) + ")"
	}
	return s
}

func caseText(e *ast.Case) string {
	s := "(CASE"
	if e.Operand != nil {
		s += " " + textOf(e.Operand)
	}
	for _, w := range e.Whens {
		s += " WHEN " + textOf(w.Condition) + " THEN " + textOf(w.Result)
	}
	if e.Else != nil {
		s += " ELSE " + textOf(e.Else)
	}
	return s + " END)"
}
