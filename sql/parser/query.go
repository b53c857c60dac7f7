package parser

import (
	"strings"

	"github.com/tuttidb/tutti/sql/ast"
)

// query parses [WITH …] body [ORDER BY …] [OFFSET …] [LIMIT … | FETCH …].
func (p *parser) query() *ast.Query {
	defer p.leave()
	if !p.enter() {
		return nil
	}
	p.rule("<query>")
	n := &ast.Query{Base: p.here()}
	if p.accept(kwWith) {
		n.With = p.with(n.Base)
	}
	n.Body = p.queryTerm(precUnion)
	p.queryTail(n)
	return n
}

// parenQuery parses a query in parentheses.
func (p *parser) parenQuery() *ast.Query {
	p.expect(tokLeftParen)
	q := p.query()
	p.expect(tokRightParen)
	return q
}

// with parses what follows WITH.
func (p *parser) with(base ast.Base) *ast.With {
	if p.kind() == kwFunction && isIdentifier(p.peek(1)) {
		p.notSupported("inline functions (WITH FUNCTION)")
		return nil
	}
	if p.kind() == kwSession && isIdentifier(p.peek(1)) && (p.peek(2) == tokEqual || p.peek(2) == tokDot) {
		p.notSupported("properties of one query (WITH SESSION)")
		return nil
	}
	n := &ast.With{Base: base, Recursive: p.accept(kwRecursive)}
	n.Queries = commaList(p, p.namedQuery)
	return n
}

func (p *parser) namedQuery() *ast.NamedQuery {
	n := &ast.NamedQuery{Base: p.here(), Name: p.identifier()}
	n.Columns = p.optionalColumns()
	p.expect(kwAs)
	n.Query = p.parenQuery()
	return n
}

// optionalColumns parses (a, b, …) if a parenthesis follows.
func (p *parser) optionalColumns() []*ast.Identifier {
	if !p.at(tokLeftParen) {
		return nil
	}
	return parenList(p, p.identifier)
}

// setPrecedence is how tightly a set operation binds.
type setPrecedence uint8

const (
	precUnion setPrecedence = iota + 1
	precIntersect
)

// queryTerm parses queries joined by set operations that bind at least as
// tightly as min.
func (p *parser) queryTerm(min setPrecedence) ast.QueryBody {
	return p.setOperations(p.queryPrimary(), min)
}

// setOperations parses the set operations that follow left.
func (p *parser) setOperations(left ast.QueryBody, min setPrecedence) ast.QueryBody {
	for {
		n := &ast.SetOperation{Base: p.here(), Left: left}
		prec := precUnion
		switch {
		case p.at(kwIntersect):
			n.Op, prec = ast.Intersect, precIntersect
		case min > precUnion:
			return left
		case p.at(kwExcept):
			n.Op = ast.Except
		case p.at(kwUnion):
			n.Op = ast.Union
		default:
			return left
		}
		p.next()
		n.All = p.accept(kwAll)
		if !n.All {
			p.accept(kwDistinct)
		}
		n.Corresponding = p.accept(kwCorresponding)
		n.Right = p.queryTerm(prec + 1)
		left = n
	}
}

// queryPrimary parses a query without set operations.
func (p *parser) queryPrimary() ast.QueryBody {
	base := p.here()
	p.hint("'('", "'SELECT'", "'TABLE'", "'VALUES'")
	switch p.kind() {
	case kwSelect:
		return p.selectBody()
	case kwTable:
		p.next()
		return &ast.TableBody{Base: base, Name: p.qualifiedName()}
	case kwValues:
		p.next()
		return &ast.Values{Base: base, Rows: commaList(p, p.expression)}
	case tokLeftParen:
		return p.parenQuery()
	}
	p.unexpected()
	return nil
}

// continuesQuery reports whether what follows a query in parentheses makes a
// longer query of it: a set operation, ORDER BY, OFFSET, LIMIT or FETCH.
func (p *parser) continuesQuery() bool {
	switch p.kind() {
	case kwUnion, kwIntersect, kwExcept, kwOrder:
		return true
	}
	return p.limitAhead()
}

// limitAhead reports whether OFFSET, LIMIT or FETCH begins here, which are all
// names elsewhere.
func (p *parser) limitAhead() bool {
	switch next := p.peek(1); p.kind() {
	case kwOffset:
		return next == tokInteger || next == tokQuestion
	case kwLimit:
		return next == tokInteger || next == tokQuestion || next == kwAll
	case kwFetch:
		return next == kwFirst || next == kwNext
	}
	return false
}

// queryFrom parses the rest of a query whose first part, in parentheses, has
// been parsed.
func (p *parser) queryFrom(base ast.Base, first *ast.Query) *ast.Query {
	n := &ast.Query{Base: base, Body: p.setOperations(first, precUnion)}
	p.queryTail(n)
	return n
}

// queryTail parses ORDER BY, OFFSET and LIMIT or FETCH.
func (p *parser) queryTail(n *ast.Query) {
	n.OrderBy = p.optionalOrderBy()
	base := p.here()
	if p.accept(kwOffset) {
		n.Offset = &ast.Offset{Base: base, Count: p.rowCount()}
		if !p.accept(kwRow) {
			p.accept(kwRows)
		}
	}
	base = p.here()
	switch {
	case p.accept(kwLimit):
		n.Limit = &ast.Limit{Base: base}
		if !p.accept(kwAll) {
			n.Limit.Count = p.rowCount()
		}
	case p.accept(kwFetch):
		n.Fetch = p.fetch(base)
	}
}

// fetch parses what follows FETCH.
func (p *parser) fetch(base ast.Base) *ast.FetchFirst {
	n := &ast.FetchFirst{Base: base}
	if !p.accept(kwFirst) {
		p.expect(kwNext)
	}
	if !p.at(kwRow) && !p.at(kwRows) {
		n.Count = p.rowCount()
	}
	if !p.accept(kwRow) {
		p.expect(kwRows)
	}
	if p.accept(kwOnly) {
		return n
	}
	p.expect(kwWith, kwTies)
	n.WithTies = true
	return n
}

// rowCount parses a whole number or a parameter.
func (p *parser) rowCount() ast.Expression {
	if p.at(tokQuestion) {
		return p.simple()
	}
	return &ast.IntegerLiteral{Base: p.here(), Value: p.integer()}
}

// optionalOrderBy parses ORDER BY … if it is there.
func (p *parser) optionalOrderBy() []*ast.SortItem {
	if !p.accept(kwOrder) {
		return nil
	}
	p.expect(kwBy)
	return commaList(p, p.sortItem)
}

func (p *parser) sortItem() *ast.SortItem {
	n := &ast.SortItem{Base: p.here(), Expr: p.expression()}
	n.Descending = p.accept(kwDesc)
	if !n.Descending {
		p.accept(kwAsc)
	}
	if p.accept(kwNulls) {
		n.Nulls = ast.NullsFirst
		if !p.accept(kwFirst) {
			p.expect(kwLast)
			n.Nulls = ast.NullsLast
		}
	}
	return n
}

func (p *parser) selectBody() *ast.Select {
	n := &ast.Select{Base: p.here()}
	p.expect(kwSelect)
	n.Distinct = p.quantifier()
	n.Items = commaList(p, p.selectItem)
	if p.accept(kwFrom) {
		n.From = commaList(p, p.relation)
	}
	if p.accept(kwWhere) {
		n.Where = p.expression()
	}
	if p.accept(kwGroup) {
		p.expect(kwBy)
		n.GroupBy = p.groupBy()
	}
	if p.accept(kwHaving) {
		n.Having = p.expression()
	}
	p.hint("'WINDOW'")
	if p.windowClauseAhead() {
		p.next()
		n.Windows = commaList(p, p.windowDefinition)
	}
	return n
}

// windowClauseAhead reports whether WINDOW name AS begins here; WINDOW is also
// a name.
func (p *parser) windowClauseAhead() bool {
	return p.kind() == kwWindow && isIdentifier(p.peek(1)) && p.peek(2) == kwAs
}

func (p *parser) windowDefinition() *ast.WindowDefinition {
	n := &ast.WindowDefinition{Base: p.here(), Name: p.identifier()}
	p.expect(kwAs)
	n.Spec = p.windowSpec()
	return n
}

func (p *parser) selectItem() ast.SelectItem {
	base := p.here()
	if p.accept(tokStar) {
		return &ast.AllColumns{Base: base}
	}
	e := p.expression()
	if p.accept2(tokDot, tokStar) {
		return p.allColumns(base, e)
	}
	return &ast.SingleColumn{Base: base, Expr: e, Alias: p.optionalAlias()}
}

// allColumns parses what follows target.*.
func (p *parser) allColumns(base ast.Base, target ast.Expression) ast.SelectItem {
	n := &ast.AllColumns{Base: base, Target: target}
	switch target.(type) {
	case *ast.Unary, *ast.Binary, *ast.Logical, *ast.Not, *ast.Comparison, *ast.Lambda:
		// a + b.* reads as (a + b).* only because the dot comes last here.
		p.pos -= 2
		p.unexpected()
	}
	if p.accept(kwAs) {
		n.Aliases = parenList(p, p.identifier)
	}
	return n
}

// optionalAlias parses [AS] name if it is there. Words that begin the next
// clause are names too, and are told apart by what follows them.
func (p *parser) optionalAlias() *ast.Identifier {
	if p.accept(kwAs) {
		return p.identifier()
	}
	p.hint("<identifier>")
	if !isIdentifier(p.kind()) || p.limitAhead() || p.windowClauseAhead() {
		return nil
	}
	return p.identifier()
}

func (p *parser) groupBy() *ast.GroupBy {
	n := &ast.GroupBy{Base: p.here()}
	switch {
	case p.accept(kwDistinct):
		n.Distinct = true
	case p.at(kwAll) && p.selectEnds(1):
		p.next()
		n.All = true
		return n
	case p.autoAhead():
		p.accept(kwAll)
		p.next()
		n.All = true
		return n
	case p.at(kwAll) && p.startsGrouping(1):
		p.next()
	}
	n.Elements = commaList(p, p.groupingElement)
	return n
}

// autoAhead reports whether GROUP BY [ALL] AUTO ends the grouping, which is
// the same as ALL; AUTO is no reserved word.
func (p *parser) autoAhead() bool {
	n := 0
	if p.kind() == kwAll {
		n = 1
	}
	return p.peek(n) == tokIdent && strings.EqualFold(p.textOf(p.tokens[p.pos+n]), "auto") && p.selectEnds(n+1)
}

// selectEnds reports whether GROUP BY ends n tokens from here.
func (p *parser) selectEnds(n int) bool {
	p.pos += n
	defer func() { p.pos -= n }()
	switch p.kind() {
	case tokEOF, tokSemicolon, tokRightParen, kwHaving, kwWith:
		return true
	}
	return p.continuesQuery() || p.windowClauseAhead()
}

// startsGrouping reports whether a grouping element can begin n tokens from
// here.
func (p *parser) startsGrouping(n int) bool {
	k := p.peek(n)
	return k == kwRollup || k == kwCube || startsExpression(k)
}

func (p *parser) groupingElement() ast.GroupingElement {
	base := p.here()
	switch {
	case p.accept(kwRollup):
		return p.groupingSets(base, ast.Rollup)
	case p.accept(kwCube):
		return p.groupingSets(base, ast.Cube)
	case p.accept2(kwGrouping, kwSets):
		return p.groupingSets(base, ast.ExplicitSets)
	}
	return p.groupingSet()
}

// groupingSets parses the list in parentheses, which only GROUPING SETS needs
// to have elements.
func (p *parser) groupingSets(base ast.Base, k ast.GroupingKind) ast.GroupingElement {
	n := &ast.GroupingSets{Base: base, Kind: k}
	p.expect(tokLeftParen)
	if k != ast.ExplicitSets && p.accept(tokRightParen) {
		return n
	}
	n.Sets = commaList(p, p.groupingSet)
	p.expect(tokRightParen)
	return n
}

// groupingSet parses (), (a, b) or an expression. A list in parentheses is
// parsed as a row first: only when the row is all there is, it was a set.
func (p *parser) groupingSet() *ast.SimpleGroupBy {
	n := &ast.SimpleGroupBy{Base: p.here()}
	if p.peek(1) == tokRightParen && p.peek(2) != tokArrow && p.accept(tokLeftParen) {
		p.next()
		return n
	}
	list := p.at(tokLeftParen)
	e := p.expression()
	if row, ok := e.(*ast.Row); ok && list && row.Pos() == n.Pos() {
		n.Exprs = row.Items
		return n
	}
	n.Exprs = []ast.Expression{e}
	return n
}
