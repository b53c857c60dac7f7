package parser

import (
	"strings"

	"github.com/tuttidb/tutti/sql/ast"
)

// callAhead reports whether name( begins here, where the name may be dotted.
func (p *parser) callAhead() bool {
	n := 1
	for p.peek(n) == tokDot && isIdentifier(p.peek(n+1)) {
		n += 2
	}
	return p.peek(n) == tokLeftParen
}

// call parses a function call.
func (p *parser) call() ast.Expression {
	n := &ast.FunctionCall{Base: p.here(), Name: p.qualifiedName()}
	p.expect(tokLeftParen)
	switch {
	case p.accept(tokStar):
		n.Star = true
		p.expect(tokRightParen)
	case p.accept(tokRightParen):
	default:
		p.arguments(n)
	}
	p.suffix(n)
	return n
}

// restOfCall parses a call of name after its first argument.
func (p *parser) restOfCall(base ast.Base, name string, first ast.Expression) ast.Expression {
	id := &ast.Identifier{Base: base, Name: name}
	n := &ast.FunctionCall{
		Base: base,
		Name: &ast.QualifiedName{Base: base, Parts: []*ast.Identifier{id}},
		Args: []ast.Expression{first},
	}
	if p.accept(tokComma) {
		n.Args = append(n.Args, commaList(p, p.expression)...)
	}
	p.closeArguments(n)
	p.suffix(n)
	return n
}

// arguments parses a list of arguments that is not empty, up to its ')'.
func (p *parser) arguments(n *ast.FunctionCall) {
	if !p.at(kwOrder) {
		n.Distinct = p.quantifier()
		n.Args = commaList(p, p.expression)
	}
	p.closeArguments(n)
}

func (p *parser) closeArguments(n *ast.FunctionCall) {
	n.OrderBy = p.optionalOrderBy()
	p.expect(tokRightParen)
}

// quantifier parses DISTINCT or ALL in front of an expression, and reports
// whether it was DISTINCT. ALL may also be a name.
func (p *parser) quantifier() bool {
	if p.accept(kwDistinct) {
		return true
	}
	if p.at(kwAll) && (startsExpression(p.peek(1)) || p.peek(1) == tokStar) {
		p.next()
	}
	return false
}

// suffix parses FILTER, the null treatment and OVER.
func (p *parser) suffix(n *ast.FunctionCall) {
	n.Filter = p.filter()
	switch {
	case p.accept2(kwIgnore, kwNulls):
		n.Nulls = ast.IgnoreNulls
	case p.accept2(kwRespect, kwNulls):
		n.Nulls = ast.RespectNulls
	}
	if n.Nulls != ast.NullTreatmentDefault && !p.at(kwOver) {
		p.unexpected()
		return
	}
	if p.at(kwOver) && (p.peek(1) == tokLeftParen || isIdentifier(p.peek(1))) {
		p.next()
		n.Over = p.window()
	}
}

func (p *parser) filter() ast.Expression {
	if !p.accept2(kwFilter, tokLeftParen) {
		return nil
	}
	p.expect(kwWhere)
	cond := p.expression()
	p.expect(tokRightParen)
	return cond
}

func (p *parser) listagg() ast.Expression {
	n := &ast.Listagg{Base: p.here()}
	p.expect(kwListagg, tokLeftParen)
	n.Distinct = p.quantifier()
	n.Value = p.expression()
	if p.accept(tokComma) {
		n.Separator = p.stringLiteral()
	}
	if p.at(kwOn) {
		n.Overflow = p.overflow()
	}
	p.expect(tokRightParen, kwWithin, kwGroup, tokLeftParen, kwOrder, kwBy)
	n.OrderBy = commaList(p, p.sortItem)
	p.expect(tokRightParen)
	n.Filter = p.filter()
	return n
}

func (p *parser) overflow() *ast.ListaggOverflow {
	n := &ast.ListaggOverflow{Base: p.here()}
	p.expect(kwOn, kwOverflow)
	if p.accept(kwError) {
		return n
	}
	p.expect(kwTruncate)
	n.Truncate = true
	if p.atString() {
		n.Filler = p.stringLiteral()
	}
	n.WithCount = p.accept(kwWith)
	if !n.WithCount {
		p.expect(kwWithout)
	}
	p.expect(kwCount)
	return n
}

// window parses what follows OVER.
func (p *parser) window() ast.Window {
	if p.at(tokLeftParen) {
		return p.windowSpec()
	}
	return &ast.WindowRef{Base: p.here(), Name: p.identifier()}
}

func (p *parser) windowSpec() *ast.WindowSpec {
	n := &ast.WindowSpec{Base: p.here()}
	p.expect(tokLeftParen)
	if isIdentifier(p.kind()) && !p.partitionAhead() && !p.frameAhead() {
		n.Name = p.identifier()
	}
	if p.accept(kwPartition) {
		p.expect(kwBy)
		n.PartitionBy = commaList(p, p.expression)
	}
	n.OrderBy = p.optionalOrderBy()
	p.patternAhead()
	p.hint("'GROUPS'", "'RANGE'", "'ROWS'")
	if p.frameAhead() {
		n.Frame = p.frame()
		p.patternAhead()
	}
	p.expect(tokRightParen)
	return n
}

// patternAhead fails where a window matches a row pattern.
func (p *parser) patternAhead() {
	switch strings.ToUpper(p.textOf(p.tokens[p.pos])) {
	case "MEASURES", "AFTER", "INITIAL", "SEEK", "PATTERN":
		p.notSupported("row patterns in windows")
	}
}

func (p *parser) partitionAhead() bool {
	return p.kind() == kwPartition && p.peek(1) == kwBy
}

// frameUnits never changes.
var frameUnits = map[kind]ast.FrameUnit{kwRange: ast.FrameRange, kwRows: ast.FrameRows, kwGroups: ast.FrameGroups}

// frameAhead reports whether a window frame begins here, and not a window
// whose name is ROWS, RANGE or GROUPS.
func (p *parser) frameAhead() bool {
	if _, ok := frameUnits[p.kind()]; !ok {
		return false
	}
	switch p.peek(1) {
	case tokRightParen, kwOrder:
		return false
	case kwPartition:
		return p.peek(2) != kwBy
	}
	return true
}

func (p *parser) frame() *ast.WindowFrame {
	n := &ast.WindowFrame{Base: p.here(), Unit: frameUnits[p.kind()]}
	p.next()
	if !p.accept(kwBetween) {
		n.Start = p.frameBound()
		return n
	}
	n.Start = p.frameBound()
	p.expect(kwAnd)
	n.End = p.frameBound()
	return n
}

func (p *parser) frameBound() *ast.FrameBound {
	n := &ast.FrameBound{Base: p.here()}
	switch {
	case p.accept2(kwUnbounded, kwPreceding):
		n.Kind = ast.UnboundedPreceding
	case p.accept2(kwUnbounded, kwFollowing):
		n.Kind = ast.UnboundedFollowing
	case p.accept2(kwCurrent, kwRow):
		n.Kind = ast.CurrentRow
	default:
		p.hint("'CURRENT'", "'UNBOUNDED'")
		n.Value = p.expression()
		n.Kind = ast.Preceding
		if !p.accept(kwPreceding) {
			p.expect(kwFollowing)
			n.Kind = ast.Following
		}
	}
	return n
}
