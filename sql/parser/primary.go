package parser

import "github.com/tuttidb/tutti/sql/ast"

// primary parses an expression without operators: a literal, a name, a call, a
// special form, or anything in parentheses, with the fields and subscripts
// that follow it.
func (p *parser) primary() ast.Expression {
	start := p.here()
	return p.postfix(start, p.simple())
}

// simple parses a primary expression without what may follow it.
func (p *parser) simple() ast.Expression {
	base := p.here()
	switch k := p.kind(); {
	case k == tokLeftParen:
		return p.parenthesized()
	case k == tokQuestion:
		p.next()
		p.params++
		return &ast.Parameter{Base: base, Index: p.params - 1}
	case isNumber(k):
		return p.number(base, "")
	case k == tokString || k == tokUnicodeString:
		return p.stringLiteral()
	case k == tokBinary:
		return p.binaryLiteral()
	case isIdentifier(k):
		return p.named()
	case k >= firstKeyword:
		return p.special(base, k)
	}
	p.unexpected()
	return nil
}

// special parses what begins with a reserved word.
func (p *parser) special(base ast.Base, k kind) ast.Expression {
	switch k {
	case kwNull:
		p.next()
		return &ast.NullLiteral{Base: base}
	case kwTrue, kwFalse:
		p.next()
		return &ast.BooleanLiteral{Base: base, Value: k == kwTrue}
	case kwCase:
		return p.caseExpression()
	case kwCast:
		return p.cast()
	case kwExists:
		p.next()
		return &ast.Exists{Base: base, Query: p.parenQuery()}
	case kwExtract:
		return p.extract()
	case kwTrim:
		return p.trim()
	case kwNormalize:
		return p.normalize()
	case kwListagg:
		return p.listagg()
	case kwGrouping:
		return p.grouping()
	case kwJsonArray, kwJsonExists, kwJsonObject, kwJsonQuery, kwJsonValue:
		p.notSupported("SQL/JSON functions")
		return nil
	}
	return p.currentValue(base, k)
}

// currentValue parses CURRENT_DATE and the like.
func (p *parser) currentValue(base ast.Base, k kind) ast.Expression {
	switch k {
	case kwCurrentDate:
		p.next()
		return &ast.CurrentTime{Base: base, Function: ast.CurrentDate}
	case kwCurrentTime:
		return p.currentTime(ast.CurrentTimeOfDay)
	case kwCurrentTimestamp:
		return p.currentTime(ast.CurrentTimestamp)
	case kwLocaltime:
		return p.currentTime(ast.LocalTime)
	case kwLocaltimestamp:
		return p.currentTime(ast.LocalTimestamp)
	case kwCurrentUser:
		return p.sessionValue(ast.CurrentUser)
	case kwCurrentCatalog:
		return p.sessionValue(ast.CurrentCatalog)
	case kwCurrentSchema:
		return p.sessionValue(ast.CurrentSchema)
	case kwCurrentPath:
		return p.sessionValue(ast.CurrentPath)
	}
	p.unexpected()
	return nil
}

func (p *parser) currentTime(f ast.TimeFunction) ast.Expression {
	n := &ast.CurrentTime{Base: p.here(), Function: f}
	p.next()
	if p.accept(tokLeftParen) {
		precision := int(p.integer())
		n.Precision = &precision
		p.expect(tokRightParen)
	}
	return n
}

func (p *parser) sessionValue(f ast.SessionField) ast.Expression {
	base := p.here()
	p.next()
	return &ast.SessionValue{Base: base, Field: f}
}

// named parses what begins with a name, or with a word that is also one.
func (p *parser) named() ast.Expression {
	if e := p.contextual(); e != nil {
		return e
	}
	base := p.here()
	switch next := p.peek(1); {
	case next == tokArrow:
		return p.lambda()
	case next == tokString || next == tokUnicodeString:
		name := p.identifier().Fold()
		return &ast.GenericLiteral{Base: base, Type: name, Value: p.str()}
	case p.callAhead():
		return p.call()
	case next == kwOver && (p.peek(2) == tokLeftParen || isIdentifier(p.peek(2))):
		p.notSupported("measures of row patterns over windows")
		return nil
	}
	return p.identifier()
}

// contextual parses special forms whose first word is a name elsewhere, and
// returns nil if none begins here.
func (p *parser) contextual() ast.Expression {
	next := p.peek(1)
	switch p.kind() {
	case kwArray:
		if next == tokLeftBracket {
			return p.array()
		}
	case kwRow:
		if next == tokLeftParen {
			base := p.here()
			p.next()
			return &ast.Row{Base: base, Items: parenList(p, p.expression)}
		}
	case kwInterval:
		if isStringKind(next) || (next == tokMinus || next == tokPlus) && isStringKind(p.peek(2)) {
			return p.interval()
		}
	case kwDouble:
		if next == kwPrecision && isStringKind(p.peek(2)) {
			base := p.here()
			p.expect(kwDouble, kwPrecision)
			return &ast.GenericLiteral{Base: base, Type: "double precision", Value: p.str()}
		}
	case kwTryCast:
		if next == tokLeftParen {
			return p.cast()
		}
	case kwPosition:
		if next == tokLeftParen {
			return p.position()
		}
	case kwSubstring:
		if next == tokLeftParen {
			return p.substring()
		}
	}
	return nil
}

func (p *parser) array() ast.Expression {
	n := &ast.Array{Base: p.here()}
	p.expect(kwArray, tokLeftBracket)
	if p.accept(tokRightBracket) {
		return n
	}
	n.Items = commaList(p, p.expression)
	p.expect(tokRightBracket)
	return n
}

func (p *parser) caseExpression() ast.Expression {
	n := &ast.Case{Base: p.here()}
	p.expect(kwCase)
	if !p.at(kwWhen) {
		n.Operand = p.expression()
	}
	if !p.at(kwWhen) {
		p.unexpected()
	}
	for p.at(kwWhen) {
		w := &ast.When{Base: p.here()}
		p.next()
		w.Condition = p.expression()
		p.expect(kwThen)
		w.Result = p.expression()
		n.Whens = append(n.Whens, w)
	}
	if p.accept(kwElse) {
		n.Else = p.expression()
	}
	p.expect(kwEnd)
	return n
}

func (p *parser) cast() ast.Expression {
	n := &ast.Cast{Base: p.here()}
	n.Try = p.next().kind == kwTryCast
	p.expect(tokLeftParen)
	n.Expr = p.expression()
	p.expect(kwAs)
	n.Type = p.dataType()
	p.expect(tokRightParen)
	return n
}

func (p *parser) extract() ast.Expression {
	n := &ast.Extract{Base: p.here()}
	p.expect(kwExtract, tokLeftParen)
	n.Field = p.identifier()
	p.expect(kwFrom)
	n.Value = p.valueExpression()
	p.expect(tokRightParen)
	return n
}

// trimModes never changes.
var trimModes = map[kind]ast.TrimMode{kwBoth: ast.TrimBoth, kwLeading: ast.TrimLeading, kwTrailing: ast.TrimTrailing}

func (p *parser) trim() ast.Expression {
	n := &ast.Trim{Base: p.here()}
	p.expect(kwTrim, tokLeftParen)
	p.hint("'BOTH'", "'LEADING'", "'TRAILING'")
	mode, explicit := trimModes[p.kind()]
	explicit = explicit && (p.peek(1) == kwFrom || startsExpression(p.peek(1)))
	if explicit {
		n.Mode = mode
		p.next()
	}
	if explicit && p.accept(kwFrom) {
		n.Source = p.valueExpression()
		p.expect(tokRightParen)
		return n
	}
	first := p.valueExpression()
	switch {
	case p.accept(kwFrom):
		n.Chars, n.Source = first, p.valueExpression()
	case explicit:
		p.unexpected()
	case p.accept(tokComma):
		n.Source, n.Chars = first, p.valueExpression()
	default:
		n.Source = first
	}
	p.expect(tokRightParen)
	return n
}

// normalForms has the words that NORMALIZE takes. It never changes.
var normalForms = map[kind]string{kwNfc: "NFC", kwNfd: "NFD", kwNfkc: "NFKC", kwNfkd: "NFKD"}

func (p *parser) normalize() ast.Expression {
	base := p.here()
	p.expect(kwNormalize, tokLeftParen)
	value := p.valueExpression()
	form := &ast.StringLiteral{Base: base, Value: "NFC"}
	if p.accept(tokComma) {
		p.hint("'NFC'", "'NFD'", "'NFKC'", "'NFKD'")
		name, ok := normalForms[p.kind()]
		if !ok {
			p.unexpected()
		}
		form = &ast.StringLiteral{Base: p.here(), Value: name}
		p.next()
	}
	p.expect(tokRightParen)
	return functionCall(base, "normalize", value, form)
}

// functionCall makes the call that a special form stands for.
func functionCall(base ast.Base, name string, args ...ast.Expression) ast.Expression {
	id := &ast.Identifier{Base: base, Name: name}
	return &ast.FunctionCall{
		Base: base,
		Name: &ast.QualifiedName{Base: base, Parts: []*ast.Identifier{id}},
		Args: args,
	}
}

// plainCallAhead reports whether what follows name( begins no expression of
// the kind that the special forms take, so that it can only be an ordinary
// call.
func (p *parser) plainCallAhead() bool {
	first := p.peek(2)
	return first == kwNot || !startsExpression(first) || first == kwAll && startsExpression(p.peek(3))
}

// position parses POSITION(a IN b), which is strpos(b, a), or a call of a
// function of that name.
func (p *parser) position() ast.Expression {
	base := p.here()
	if p.plainCallAhead() {
		return p.call()
	}
	name := p.textOf(p.next())
	p.expect(tokLeftParen)
	start := p.here()
	first := p.valueExpression()
	if p.accept(kwIn) {
		second := p.valueExpression()
		p.expect(tokRightParen)
		return functionCall(base, "strpos", second, first)
	}
	first = p.infix(start, first, precConcat, precOr)
	return p.restOfCall(base, name, first)
}

// substring parses SUBSTRING(x FROM a FOR b), which is substring(x, a, b), or
// a plain call.
func (p *parser) substring() ast.Expression {
	base := p.here()
	if p.plainCallAhead() {
		return p.call()
	}
	name := p.textOf(p.next())
	p.expect(tokLeftParen)
	args := []ast.Expression{p.expression()}
	if !p.accept(kwFrom) {
		return p.restOfCall(base, name, args[0])
	}
	args = append(args, p.valueExpression())
	if p.accept(kwFor) {
		args = append(args, p.valueExpression())
	}
	p.expect(tokRightParen)
	return functionCall(base, "substring", args...)
}

func (p *parser) grouping() ast.Expression {
	n := &ast.Grouping{Base: p.here()}
	p.expect(kwGrouping, tokLeftParen)
	if p.accept(tokRightParen) {
		return n
	}
	n.Args = commaList(p, p.qualifiedName)
	p.expect(tokRightParen)
	return n
}
