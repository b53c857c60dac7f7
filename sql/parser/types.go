package parser

import "github.com/tuttidb/tutti/sql/ast"

// dataType parses a type with the ARRAY suffixes that may follow it.
func (p *parser) dataType() ast.DataType {
	defer p.leave()
	if !p.enter() {
		return nil
	}
	p.rule("<type>")
	base := p.here()
	t := p.baseType()
	for p.at(kwArray) {
		p.expect(kwArray)
		if p.accept(tokLeftBracket) {
			p.integer()
			p.expect(tokRightBracket)
		}
		t = genericType(base, "array", t)
	}
	return t
}

func genericType(base ast.Base, name string, args ...ast.TypeArgument) *ast.GenericType {
	return &ast.GenericType{Base: base, Name: &ast.Identifier{Base: base, Name: name}, Args: args}
}

// baseType parses a type without suffixes.
func (p *parser) baseType() ast.DataType {
	base := p.here()
	next := p.peek(1)
	switch p.kind() {
	case kwRow:
		if next == tokLeftParen {
			p.next()
			return &ast.RowType{Base: base, Fields: parenList(p, p.rowField)}
		}
	case kwInterval:
		if _, ok := intervalFields[next]; ok {
			return p.intervalType()
		}
	case kwTime:
		return p.dateTimeType(ast.TimeType)
	case kwTimestamp:
		return p.dateTimeType(ast.TimestampType)
	case kwDouble:
		if next == kwPrecision {
			p.expect(kwDouble, kwPrecision)
			return genericType(base, "double")
		}
	case kwArray:
		if next == tokLess {
			p.expect(kwArray, tokLess)
			element := p.dataType()
			p.closeAngle()
			return genericType(base, "array", element)
		}
	case tokIdent:
		if next == tokLess {
			return p.legacyMap()
		}
	}
	n := &ast.GenericType{Base: base, Name: p.identifier()}
	if p.accept(tokLeftParen) {
		n.Args = commaList(p, p.typeArgument)
		p.expect(tokRightParen)
	}
	return n
}

// legacyMap parses MAP<k, v>.
func (p *parser) legacyMap() ast.DataType {
	base := p.here()
	name := p.identifier()
	if name.Fold() != "map" {
		p.unexpected()
		return nil
	}
	p.expect(tokLess)
	key := p.dataType()
	p.expect(tokComma)
	value := p.dataType()
	p.closeAngle()
	return genericType(base, "map", key, value)
}

// closeAngle parses the end of ARRAY<…> or MAP<…>.
func (p *parser) closeAngle() { p.expect(tokGreater) }

func (p *parser) typeArgument() ast.TypeArgument {
	if p.at(tokInteger) {
		return &ast.TypeNumber{Base: p.here(), Value: p.integer()}
	}
	return p.dataType()
}

func (p *parser) intervalType() ast.DataType {
	n := &ast.IntervalType{Base: p.here()}
	p.expect(kwInterval)
	n.From = p.intervalField()
	if p.toFieldAhead() {
		p.expect(kwTo)
		n.To = p.intervalField()
	}
	return n
}

// dateTimeType parses TIME or TIMESTAMP [(p)] [WITH | WITHOUT TIME ZONE].
func (p *parser) dateTimeType(k ast.DateTimeKind) ast.DataType {
	n := &ast.DateTimeType{Base: p.here(), Kind: k}
	p.next()
	if p.accept(tokLeftParen) {
		n.Precision = p.typeArgument()
		p.expect(tokRightParen)
	}
	switch {
	case p.accept2(kwWith, kwTime):
		n.WithZone = true
		p.expect(kwZone)
	case p.accept2(kwWithout, kwTime):
		p.expect(kwZone)
	}
	return n
}

// rowField parses [name] type. Where both readings are possible, as in
// row(double precision), the one without a name wins, as in Trino.
func (p *parser) rowField() *ast.RowField {
	n := &ast.RowField{Base: p.here()}
	p.hint("<identifier>")
	if isIdentifier(p.kind()) && startsType(p.peek(1)) && !p.wordyTypeAhead() {
		n.Name = p.identifier()
	}
	n.Type = p.dataType()
	return n
}

// startsType reports whether a type can begin with a token.
func startsType(k kind) bool { return isIdentifier(k) }

// wordyTypeAhead reports whether two words follow that make one type.
func (p *parser) wordyTypeAhead() bool {
	next := p.peek(1)
	_, field := intervalFields[next]
	switch k := p.kind(); {
	case next == kwArray:
		// "x array" is an array of x, unless ARRAY begins a type itself.
		return p.peek(2) != tokLeftParen && p.peek(2) != tokLess
	case k == kwInterval && field:
		return true
	case k == kwDouble && next == kwPrecision:
		return true
	case k == kwTime || k == kwTimestamp:
		return next == kwWithout && p.peek(2) == kwTime
	}
	return false
}
