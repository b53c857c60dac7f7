package parser

import "github.com/tuttidb/tutti/sql/ast"

// precedence is how tightly an operator binds. The levels are those of Trino's
// grammar, where predicates do not chain: a = b = c is an error.
type precedence uint8

const (
	precOr precedence = iota + 1
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

// infixPrecedence returns the level of an infix operator, or 0 for any other
// token.
func infixPrecedence(k kind) precedence {
	switch k {
	case kwOr:
		return precOr
	case kwAnd:
		return precAnd
	case tokEqual, tokNotEqual, tokLess, tokLessEqual, tokGreater, tokGreaterEqual,
		kwNot, kwBetween, kwIn, kwLike, kwIs:
		return precPredicate
	case tokConcat:
		return precConcat
	case tokPlus, tokMinus:
		return precAdd
	case tokStar, tokSlash, tokPercent:
		return precMultiply
	case kwAt:
		return precAtZone
	}
	return 0
}

// expression parses any expression.
func (p *parser) expression() ast.Expression {
	p.rule("<expression>")
	return p.expr(precOr)
}

// valueExpression parses an expression without AND, OR, NOT and predicates,
// which the grammar asks for in places where those words mean something else.
func (p *parser) valueExpression() ast.Expression {
	p.rule("<expression>")
	return p.expr(precConcat)
}

// expr parses an expression whose operators all bind at least as tightly as
// min.
func (p *parser) expr(min precedence) ast.Expression {
	defer p.leave()
	if !p.enter() {
		return nil
	}
	start := p.here()
	left, prec := p.prefix(min)
	return p.infix(start, left, prec, min)
}

// prefix parses NOT, a sign or a primary expression, and says how tightly its
// outermost operator binds.
func (p *parser) prefix(min precedence) (ast.Expression, precedence) {
	base := p.here()
	switch p.kind() {
	case kwNot:
		if min > precNot {
			break
		}
		p.next()
		p.rule("<expression>")
		return &ast.Not{Base: base, Operand: p.expr(precNot)}, precNot
	case tokMinus:
		if isNumber(p.peek(1)) {
			p.next()
			return p.postfix(base, p.number(base, "-")), precPrimary
		}
		p.next()
		return &ast.Unary{Base: base, Op: ast.Negate, Operand: p.signed()}, precSign
	case tokPlus:
		p.next()
		return &ast.Unary{Base: base, Op: ast.Plus, Operand: p.signed()}, precSign
	}
	return p.primary(), precPrimary
}

// signed parses what follows a sign.
func (p *parser) signed() ast.Expression {
	p.rule("<expression>")
	return p.expr(precSign)
}

// infix parses the operators that follow left, as long as they bind at least
// as tightly as min. start is where left begins and prec how tightly its
// outermost operator binds: an operator that binds more tightly than that
// cannot follow, as it would have been taken by left's own right side.
func (p *parser) infix(start ast.Base, left ast.Expression, prec, min precedence) ast.Expression {
	for {
		op := infixPrecedence(p.kind())
		p.hintInfix(prec, min)
		if op == 0 || op < min || op > prec || op == precPredicate && prec == precPredicate {
			return left
		}
		base := p.here()
		switch op {
		case precOr:
			left = p.logical(start, left, kwOr)
		case precAnd:
			left = p.logical(start, left, kwAnd)
		case precPredicate:
			left = p.predicate(left)
		case precAtZone:
			if p.peek(1) != kwTime {
				return left // AT is a name here, an alias for instance.
			}
			p.next()
			p.expect(kwTime, kwZone)
			left = &ast.AtTimeZone{Base: base, Value: left, Zone: p.zone()}
		default:
			operator := binaryOps[p.next().kind]
			p.rule("<expression>")
			left = &ast.Binary{Base: base, Op: operator, Left: left, Right: p.expr(op + 1)}
		}
		prec = op
	}
}

// binaryOps never changes.
var binaryOps = map[kind]ast.BinaryOp{
	tokPlus: ast.Add, tokMinus: ast.Subtract, tokStar: ast.Multiply,
	tokSlash: ast.Divide, tokPercent: ast.Modulus, tokConcat: ast.Concat,
}

// hintInfix notes which operators may stand here.
func (p *parser) hintInfix(prec, min precedence) {
	if p.expected == nil {
		return
	}
	for _, o := range []struct {
		prec  precedence
		names []string
	}{
		{precOr, []string{"'OR'"}},
		{precAnd, []string{"'AND'"}},
		{precPredicate, []string{"<predicate>"}},
		{precConcat, []string{"'||'"}},
		{precAdd, []string{"'+'", "'-'"}},
		{precMultiply, []string{"'*'", "'/'", "'%'"}},
		{precAtZone, []string{"'AT'"}},
	} {
		if o.prec >= min && o.prec <= prec && (o.prec != precPredicate || prec != precPredicate) {
			p.hint(o.names...)
		}
	}
}

// logical parses a chain of AND or OR into one node.
func (p *parser) logical(start ast.Base, left ast.Expression, op kind) ast.Expression {
	n := &ast.Logical{Base: start, Op: ast.And, Terms: []ast.Expression{left}}
	operand := precNot
	if op == kwOr {
		n.Op, operand = ast.Or, precAnd
	}
	for p.accept(op) {
		p.rule("<expression>")
		n.Terms = append(n.Terms, p.expr(operand))
	}
	return n
}

// zone parses what follows AT TIME ZONE.
func (p *parser) zone() ast.Expression {
	if p.at(kwInterval) {
		return p.interval()
	}
	return p.stringLiteral()
}

// comparisonOps never changes.
var comparisonOps = map[kind]ast.ComparisonOp{
	tokEqual: ast.Equal, tokNotEqual: ast.NotEqual, tokLess: ast.LessThan,
	tokLessEqual: ast.LessThanOrEqual, tokGreater: ast.GreaterThan, tokGreaterEqual: ast.GreaterThanOrEqual,
}

// predicate parses the predicate that follows value.
func (p *parser) predicate(value ast.Expression) ast.Expression {
	base := p.here()
	if p.kind() == kwIs {
		return p.isPredicate(base, value)
	}
	if op, ok := comparisonOps[p.kind()]; ok {
		return p.comparison(base, value, op)
	}
	not := p.accept(kwNot)
	switch {
	case p.accept(kwBetween):
		low := p.valueExpression()
		p.expect(kwAnd)
		return &ast.Between{Base: base, Not: not, Value: value, Low: low, High: p.valueExpression()}
	case p.accept(kwIn):
		return p.in(base, value, not)
	case p.accept(kwLike):
		n := &ast.Like{Base: base, Not: not, Value: value, Pattern: p.valueExpression()}
		if p.accept(kwEscape) {
			n.Escape = p.valueExpression()
		}
		return n
	}
	p.unexpected()
	return value
}

func (p *parser) isPredicate(base ast.Base, value ast.Expression) ast.Expression {
	p.expect(kwIs)
	not := p.accept(kwNot)
	if p.accept(kwNull) {
		return &ast.IsNull{Base: base, Not: not, Value: value}
	}
	p.expect(kwDistinct, kwFrom)
	return &ast.IsDistinctFrom{Base: base, Not: not, Left: value, Right: p.valueExpression()}
}

// quantifiers never changes.
var quantifiers = map[kind]ast.Quantifier{kwAll: ast.All, kwAny: ast.Any, kwSome: ast.Some}

func (p *parser) comparison(base ast.Base, value ast.Expression, op ast.ComparisonOp) ast.Expression {
	p.next()
	p.hint("'ALL'", "'ANY'", "'SOME'")
	if q, ok := quantifiers[p.kind()]; ok && p.peek(1) == tokLeftParen && p.queryAfterParens(1) {
		p.next()
		return &ast.QuantifiedComparison{Base: base, Op: op, Quantifier: q, Value: value, Query: p.parenQuery()}
	}
	return &ast.Comparison{Base: base, Op: op, Left: value, Right: p.valueExpression()}
}

// in parses what follows IN. A query in two pairs of parentheses is a list
// with one scalar subquery, as in Trino.
func (p *parser) in(base ast.Base, value ast.Expression, not bool) ast.Expression {
	if p.at(tokLeftParen) && p.peek(1) == tokRightParen {
		// Trino's grammar finds out here, too, that no kind of IN fits.
		p.failAt(p.tokens[p.pos-1], "mismatched input 'IN'. Expecting: <EOF>, <predicate>")
		return value
	}
	p.expect(tokLeftParen)
	p.hint("<query>")
	if !p.at(tokLeftParen) && p.startsQuery(0) {
		q := p.query()
		p.expect(tokRightParen)
		return &ast.InSubquery{Base: base, Not: not, Value: value, Query: q}
	}
	list := &ast.InList{Base: base, Not: not, Value: value}
	if p.at(tokLeftParen) && p.queryAfterParens(0) {
		inner := p.here()
		e, q, bare := p.queryOrExpr()
		if q != nil && !bare {
			p.expect(tokRightParen)
			return &ast.InSubquery{Base: base, Not: not, Value: value, Query: q}
		}
		if q != nil {
			e = &ast.ScalarSubquery{Base: inner, Query: unwrap(q)}
		}
		list.Items = append(list.Items, e)
		if !p.accept(tokComma) {
			p.expect(tokRightParen)
			return list
		}
	}
	list.Items = append(list.Items, commaList(p, p.expression)...)
	p.expect(tokRightParen)
	return list
}

// unwrap returns the query that q has in parentheses as its body.
func unwrap(q *ast.Query) *ast.Query {
	if inner, ok := q.Body.(*ast.Query); ok {
		return inner
	}
	return q
}

// startsQuery reports whether the token n after the current one begins a query
// other than by a parenthesis.
func (p *parser) startsQuery(n int) bool {
	switch p.peek(n) {
	case kwSelect, kwValues, kwTable, kwWith:
		return true
	}
	return false
}

// queryAfterParens reports whether a query begins after the run of '(' that
// starts n tokens from here. Runs are measured once, so that asking again at
// each of many parentheses stays cheap.
func (p *parser) queryAfterParens(n int) bool {
	from := p.pos + n
	if from < p.runStart || from >= p.runEnd {
		p.runStart, p.runEnd = from, from
		for p.tokens[p.runEnd].kind == tokLeftParen {
			p.runEnd++
		}
	}
	return p.startsQuery(p.runEnd - p.pos)
}

// parenthesized parses what begins with '(' in an expression: a row, a
// subquery, a lambda, or an expression in parentheses.
func (p *parser) parenthesized() ast.Expression {
	base := p.here()
	if p.lambdaAhead() {
		return p.lambda()
	}
	if !p.queryAfterParens(0) {
		p.expect(tokLeftParen)
		p.hint("<query>")
		return p.closeRow(base, p.expression())
	}
	p.expect(tokLeftParen)
	if !p.at(tokLeftParen) {
		q := p.query()
		p.expect(tokRightParen)
		return &ast.ScalarSubquery{Base: base, Query: q}
	}
	e, q, _ := p.queryOrExpr()
	if q != nil {
		p.expect(tokRightParen)
		return &ast.ScalarSubquery{Base: base, Query: q}
	}
	return p.closeRow(base, e)
}

// closeRow parses the rest of a list in parentheses after its first element,
// which alone stands for itself.
func (p *parser) closeRow(base ast.Base, first ast.Expression) ast.Expression {
	if !p.accept(tokComma) {
		p.expect(tokRightParen)
		return first
	}
	items := append([]ast.Expression{first}, commaList(p, p.expression)...)
	p.expect(tokRightParen)
	return &ast.Row{Base: base, Items: items}
}

// queryOrExpr parses at a '(' that has a query somewhere behind it and its
// followers, when either a query or an expression may stand here:
// ((SELECT 1) UNION …) or ((SELECT 1) + …). It takes in the parenthesised
// part, which both share, and lets the next token decide. bare says that a
// query is nothing but that part, so that it may as well be an expression.
func (p *parser) queryOrExpr() (e ast.Expression, q *ast.Query, bare bool) {
	defer p.leave()
	if !p.enter() {
		return nil, nil, false
	}
	base := p.here()
	p.expect(tokLeftParen)
	var inner *ast.Query
	var first ast.Expression
	if p.at(tokLeftParen) {
		first, inner, _ = p.queryOrExpr()
	} else {
		inner = p.query()
	}
	if inner == nil {
		e = p.postfix(base, p.closeRow(base, first))
		return p.infix(base, e, precPrimary, precOr), nil, false
	}
	p.expect(tokRightParen)
	if p.continuesQuery() {
		return nil, p.queryFrom(base, inner), false
	}
	if p.at(tokRightParen) {
		return nil, &ast.Query{Base: base, Body: inner}, true
	}
	e = p.postfix(base, &ast.ScalarSubquery{Base: base, Query: inner})
	return p.infix(base, e, precPrimary, precOr), nil, false
}

// lambdaAhead reports whether (x, y) -> begins here.
func (p *parser) lambdaAhead() bool {
	n := 1
	if p.peek(n) == tokRightParen {
		return p.peek(n+1) == tokArrow
	}
	for {
		if !isIdentifier(p.peek(n)) {
			return false
		}
		switch p.peek(n + 1) {
		case tokComma:
			n += 2
		case tokRightParen:
			return p.peek(n+2) == tokArrow
		default:
			return false
		}
	}
}

// lambda parses x -> body or (x, y) -> body.
func (p *parser) lambda() ast.Expression {
	n := &ast.Lambda{Base: p.here()}
	switch {
	case !p.accept(tokLeftParen):
		n.Params = []*ast.Identifier{p.identifier()}
	case !p.accept(tokRightParen):
		n.Params = commaList(p, p.identifier)
		p.expect(tokRightParen)
	}
	p.expect(tokArrow)
	n.Body = p.expression()
	return n
}

// postfix parses the .field and [index] that follow e.
func (p *parser) postfix(start ast.Base, e ast.Expression) ast.Expression {
	for {
		switch {
		case p.peek(1) != tokStar && p.accept(tokDot):
			e = &ast.Dereference{Base: start, Target: e, Field: p.identifier()}
		case p.accept(tokLeftBracket):
			e = &ast.Subscript{Base: start, Target: e, Index: p.valueExpression()}
			p.expect(tokRightBracket)
		default:
			return e
		}
	}
}
