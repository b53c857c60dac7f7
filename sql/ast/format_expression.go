package ast

import (
	"encoding/hex"
	"math"
	"strconv"
	"strings"
)

// precedence is how tightly an expression binds, as in the grammar.
type precedence uint8

const (
	precLowest precedence = iota // lambdas: their bodies take all that follows
	precOr
	precAnd
	precNot
	precPredicate
	precConcat
	precAdd
	precMultiply
	precSign
	precAtZone
	precPrimary
)

// precedenceOf says how tightly the outermost operator of e binds.
func precedenceOf(e Expression) precedence {
	switch e := e.(type) {
	case *Lambda:
		return precLowest
	case *Logical:
		if e.Op == Or {
			return precOr
		}
		return precAnd
	case *Not:
		return precNot
	case *Comparison, *QuantifiedComparison, *Between, *InList, *InSubquery, *Like, *IsNull, *IsDistinctFrom:
		return precPredicate
	case *Binary:
		return binaryPrecedence(e.Op)
	case *Unary:
		return precSign
	case *AtTimeZone:
		return precAtZone
	}
	return precPrimary
}

func binaryPrecedence(op BinaryOp) precedence {
	switch op {
	case Concat:
		return precConcat
	case Add, Subtract:
		return precAdd
	}
	return precMultiply
}

// expr writes e, in parentheses if it binds less tightly than min.
func (p *printer) expr(e Expression, min precedence) {
	if precedenceOf(e) < min {
		p.put("(")
		defer p.put(")")
	}
	switch e := e.(type) {
	case *Identifier:
		p.ident(e)
	case *Logical:
		prec := precedenceOf(e) + 1
		for i, t := range e.Terms {
			p.when(i > 0, " "+e.Op.String()+" ")
			p.expr(t, prec)
		}
	case *Not:
		p.put("NOT ")
		p.expr(e.Operand, precNot)
	case *Binary:
		prec := binaryPrecedence(e.Op)
		p.expr(e.Left, prec)
		p.put(" ", e.Op.String(), " ")
		p.expr(e.Right, prec+1)
	case *Unary:
		p.unary(e)
	case *AtTimeZone:
		p.expr(e.Value, precAtZone)
		p.put(" AT TIME ZONE ")
		p.expr(e.Zone, precPrimary)
	case *Comparison, *QuantifiedComparison, *Between, *InList, *InSubquery, *Like, *IsNull, *IsDistinctFrom:
		p.predicate(e)
	case *FunctionCall, *Listagg, *Lambda, *Grouping, *Cast, *Extract, *Trim, *CurrentTime, *SessionValue:
		p.call(e)
	case *Dereference, *Subscript, *Row, *Array, *Case, *Exists, *ScalarSubquery:
		p.composite(e)
	default:
		p.literal(e)
	}
}

// unary writes a sign. Its operand must not run into it: -- starts a comment,
// and a sign in front of a number is part of the literal.
func (p *printer) unary(e *Unary) {
	p.put(e.Op.String())
	switch e.Operand.(type) {
	case *IntegerLiteral, *DecimalLiteral, *DoubleLiteral, *Unary:
		p.parens(e.Operand)
	case *AtTimeZone, *Subscript, *Dereference:
		// The operand may begin with a sign or a number.
		p.parens(e.Operand)
	default:
		p.expr(e.Operand, precSign)
	}
}

func (p *printer) parens(e Expression) {
	p.put("(")
	p.expr(e, precLowest)
	p.put(")")
}

func (p *printer) predicate(e Expression) {
	const operand = precConcat
	switch e := e.(type) {
	case *Comparison:
		p.expr(e.Left, operand)
		p.put(" ", e.Op.String(), " ")
		p.expr(e.Right, operand)
	case *QuantifiedComparison:
		p.expr(e.Value, operand)
		p.put(" ", e.Op.String(), " ", e.Quantifier.String(), " ")
		p.subquery(e.Query)
	case *Between:
		p.expr(e.Value, operand)
		p.put(not(e.Not), " BETWEEN ")
		p.expr(e.Low, operand)
		p.put(" AND ")
		p.expr(e.High, operand)
	case *InList:
		p.expr(e.Value, operand)
		p.put(not(e.Not), " IN (")
		p.exprs(e.Items)
		p.put(")")
	case *InSubquery:
		p.expr(e.Value, operand)
		p.put(not(e.Not), " IN ")
		p.subquery(e.Query)
	case *Like:
		p.expr(e.Value, operand)
		p.put(not(e.Not), " LIKE ")
		p.expr(e.Pattern, operand)
		if e.Escape != nil {
			p.put(" ESCAPE ")
			p.expr(e.Escape, operand)
		}
	case *IsNull:
		p.expr(e.Value, operand)
		p.put(" IS", not(e.Not), " NULL")
	case *IsDistinctFrom:
		p.expr(e.Left, operand)
		p.put(" IS", not(e.Not), " DISTINCT FROM ")
		p.expr(e.Right, operand)
	}
}

func not(is bool) string {
	if is {
		return " NOT"
	}
	return ""
}

// composite writes expressions that are primary but have parts.
func (p *printer) composite(e Expression) {
	switch e := e.(type) {
	case *Dereference:
		p.target(e.Target)
		p.put(".")
		p.ident(e.Field)
	case *Subscript:
		p.target(e.Target)
		p.put("[")
		p.expr(e.Index, precConcat)
		p.put("]")
	case *Row:
		p.put("ROW(")
		p.exprs(e.Items)
		p.put(")")
	case *Array:
		p.put("ARRAY[")
		p.exprs(e.Items)
		p.put("]")
	case *Case:
		p.caseExpr(e)
	case *Exists:
		p.put("EXISTS ")
		p.subquery(e.Query)
	case *ScalarSubquery:
		p.subquery(e.Query)
	}
}

// target writes what stands before .field or [index]. Literals get
// parentheses: 1.x would be read as a number.
func (p *printer) target(e Expression) {
	switch e.(type) {
	case *Identifier, *Dereference, *Subscript, *FunctionCall, *Row, *Array, *Cast, *ScalarSubquery:
		p.expr(e, precPrimary)
	default:
		p.parens(e)
	}
}

func (p *printer) caseExpr(e *Case) {
	p.put("CASE ")
	if e.Operand != nil {
		p.expr(e.Operand, precLowest)
		p.put(" ")
	}
	for _, w := range e.Whens {
		p.part(w)
		p.put(" ")
	}
	if e.Else != nil {
		p.put("ELSE ")
		p.expr(e.Else, precLowest)
		p.put(" ")
	}
	p.put("END")
}

// call writes functions and what looks like them.
func (p *printer) call(e Expression) {
	switch e := e.(type) {
	case *FunctionCall:
		p.function(e)
	case *Listagg:
		p.listagg(e)
	case *Lambda:
		if len(e.Params) == 1 {
			p.ident(e.Params[0])
		} else {
			p.put("(")
			commas(p, e.Params, p.ident)
			p.put(")")
		}
		p.put(" -> ")
		p.expr(e.Body, precLowest)
	case *Grouping:
		p.put("GROUPING(")
		commas(p, e.Args, p.name)
		p.put(")")
	case *Cast:
		p.when(e.Try, "TRY_")
		p.put("CAST(")
		p.expr(e.Expr, precLowest)
		p.put(" AS ")
		p.dataType(e.Type)
		p.put(")")
	case *Extract:
		p.put("EXTRACT(")
		p.ident(e.Field)
		p.put(" FROM ")
		p.expr(e.Value, precConcat)
		p.put(")")
	case *Trim:
		p.trim(e)
	case *CurrentTime:
		p.put(e.Function.String())
		if e.Precision != nil {
			p.put("(", strconv.Itoa(*e.Precision), ")")
		}
	case *SessionValue:
		p.put(e.Field.String())
	}
}

func (p *printer) trim(e *Trim) {
	p.put("TRIM(", e.Mode.String(), " ")
	if e.Chars != nil {
		p.expr(e.Chars, precConcat)
		p.put(" ")
	}
	p.put("FROM ")
	p.expr(e.Source, precConcat)
	p.put(")")
}

func (p *printer) function(e *FunctionCall) {
	if form, ok := normalForm(e); ok {
		p.put("NORMALIZE(")
		p.expr(e.Args[0], precConcat)
		p.put(", ", form, ")")
		return
	}
	p.functionName(e.Name)
	p.put("(")
	p.when(e.Star, "*")
	p.when(e.Distinct, "DISTINCT ")
	p.exprs(e.Args)
	if len(e.OrderBy) > 0 {
		p.when(len(e.Args) > 0, " ")
		p.orderBy(e.OrderBy)
	}
	p.put(")")
	p.filter(e.Filter)
	p.when(e.Nulls != NullTreatmentDefault, " "+e.Nulls.String())
	if e.Over != nil {
		p.put(" OVER ")
		p.window(e.Over)
	}
}

// functionName writes the name of a called function. POSITION needs quotes
// there: POSITION(a IN b) is a form of its own.
func (p *printer) functionName(n *QualifiedName) {
	if len(n.Parts) == 1 && n.Last().Fold() == "position" {
		p.put(`"`, n.Last().Name, `"`)
		return
	}
	p.name(n)
}

// normalForm recognizes the call made of NORMALIZE(x, form), whose name is a
// keyword and whose second argument is a bare word.
func normalForm(e *FunctionCall) (string, bool) {
	if len(e.Name.Parts) != 1 || e.Name.Parts[0].Quoted || e.Name.Parts[0].Name != "normalize" || len(e.Args) != 2 {
		return "", false
	}
	form, ok := e.Args[1].(*StringLiteral)
	if !ok {
		return "", false
	}
	switch form.Value {
	case "NFC", "NFD", "NFKC", "NFKD":
		return form.Value, true
	}
	return "", false
}

func (p *printer) filter(cond Expression) {
	if cond != nil {
		p.put(" FILTER (WHERE ")
		p.expr(cond, precLowest)
		p.put(")")
	}
}

func (p *printer) listagg(e *Listagg) {
	p.put("LISTAGG(")
	p.when(e.Distinct, "DISTINCT ")
	p.expr(e.Value, precLowest)
	if e.Separator != nil {
		p.put(", ", QuoteString(e.Separator.Value))
	}
	if e.Overflow != nil {
		p.put(" ")
		p.overflow(e.Overflow)
	}
	p.put(") WITHIN GROUP (")
	p.orderBy(e.OrderBy)
	p.put(")")
	p.filter(e.Filter)
}

func (p *printer) overflow(o *ListaggOverflow) {
	p.put("ON OVERFLOW ")
	if !o.Truncate {
		p.put("ERROR")
		return
	}
	p.put("TRUNCATE")
	if o.Filler != nil {
		p.put(" ", QuoteString(o.Filler.Value))
	}
	if o.WithCount {
		p.put(" WITH COUNT")
	} else {
		p.put(" WITHOUT COUNT")
	}
}

func (p *printer) literal(e Expression) {
	switch e := e.(type) {
	case *NullLiteral:
		p.put("NULL")
	case *BooleanLiteral:
		p.put(strings.ToUpper(strconv.FormatBool(e.Value)))
	case *StringLiteral:
		p.put(QuoteString(e.Value))
	case *BinaryLiteral:
		p.put("X'", strings.ToUpper(hex.EncodeToString(e.Value)), "'")
	case *IntegerLiteral:
		p.put(strconv.FormatInt(e.Value, 10))
	case *DecimalLiteral:
		p.put(e.Text)
	case *DoubleLiteral:
		p.put(formatDouble(e.Value))
	case *GenericLiteral:
		p.put(genericTypeName(e.Type), " ", QuoteString(e.Value))
	case *IntervalLiteral:
		p.interval(e)
	case *Parameter:
		p.put("?")
	}
}

func (p *printer) interval(e *IntervalLiteral) {
	p.put("INTERVAL ")
	p.when(e.Negative, "-")
	p.put(QuoteString(e.Value), " ", e.From.String())
	p.when(e.To != NoField, " TO "+e.To.String())
}

// formatDouble writes a float with an exponent, so that it is read as a
// double. An infinity is written as a number that is too large.
func formatDouble(f float64) string {
	switch {
	case math.IsInf(f, 1):
		return "1E999"
	case math.IsInf(f, -1):
		return "-1E999"
	}
	mantissa, exponent, _ := strings.Cut(strconv.FormatFloat(f, 'E', -1, 64), "E")
	n, _ := strconv.Atoi(exponent)
	return mantissa + "E" + strconv.Itoa(n)
}

func genericTypeName(name string) string {
	if name == "double precision" {
		return "DOUBLE PRECISION"
	}
	if q := QuoteIdentifier(name); q != name {
		return q
	}
	return strings.ToUpper(name)
}
