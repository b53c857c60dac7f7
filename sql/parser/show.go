package parser

import "github.com/tuttidb/tutti/sql/ast"

// show parses SHOW ….
func (p *parser) show() ast.Statement {
	base := p.here()
	p.expect(kwShow)
	switch {
	case p.accept(kwCatalogs):
		return &ast.ShowCatalogs{Base: base, Like: p.optionalLike()}
	case p.accept(kwSchemas):
		return &ast.ShowSchemas{Base: base, Catalog: p.optionalIn(), Like: p.optionalLike()}
	case p.accept(kwTables):
		return &ast.ShowTables{Base: base, Schema: p.optionalInName(), Like: p.optionalLike()}
	case p.accept(kwColumns):
		if !p.accept(kwFrom) {
			p.expect(kwIn)
		}
		return &ast.ShowColumns{Base: base, Table: p.qualifiedName(), Like: p.optionalLike()}
	case p.accept(kwFunctions):
		return &ast.ShowFunctions{Base: base, Schema: p.optionalInName(), Like: p.optionalLike()}
	case p.accept(kwSession):
		return &ast.ShowSession{Base: base, Like: p.optionalLike()}
	case p.accept(kwCreate):
		return &ast.ShowCreate{Base: base, Kind: p.showCreateKind(), Name: p.qualifiedName()}
	case p.accept(kwStats):
		return p.showStats(base)
	}
	return p.showRights(base)
}

// optionalLike parses [LIKE 'pattern' [ESCAPE 'c']].
func (p *parser) optionalLike() *ast.LikePattern {
	n := &ast.LikePattern{Base: p.here()}
	if !p.accept(kwLike) {
		return nil
	}
	n.Pattern = p.str()
	if p.accept(kwEscape) {
		n.Escape = p.stringLiteral()
	}
	return n
}

// optionalIn parses [FROM | IN name].
func (p *parser) optionalIn() *ast.Identifier {
	if p.accept(kwFrom) || p.accept(kwIn) {
		return p.identifier()
	}
	return nil
}

// optionalInName parses [FROM | IN dotted.name].
func (p *parser) optionalInName() *ast.QualifiedName {
	if p.accept(kwFrom) || p.accept(kwIn) {
		return p.qualifiedName()
	}
	return nil
}

func (p *parser) showCreateKind() ast.ObjectKind {
	switch {
	case p.accept(kwTable):
		return ast.ObjectTable
	case p.accept(kwView):
		return ast.ObjectView
	case p.accept(kwSchema):
		return ast.ObjectSchema
	case p.accept(kwCatalog):
		return ast.ObjectCatalog
	case p.accept(kwFunction):
		return ast.ObjectFunction
	}
	p.expect(kwMaterialized, kwView)
	return ast.ObjectMaterializedView
}

// showStats parses what follows SHOW STATS.
func (p *parser) showStats(base ast.Base) ast.Statement {
	p.expect(kwFor)
	n := &ast.ShowStats{Base: base}
	if p.at(tokLeftParen) {
		n.Query = p.parenQuery()
	} else {
		n.Table = p.qualifiedName()
	}
	return n
}

// showRights parses SHOW GRANTS, SHOW ROLES and SHOW ROLE GRANTS.
func (p *parser) showRights(base ast.Base) ast.Statement {
	switch {
	case p.accept(kwGrants):
		return p.showGrants(base)
	case p.accept(kwRoles):
		return &ast.ShowRoles{Base: base, Catalog: p.optionalIn()}
	case p.accept(kwCurrent):
		p.expect(kwRoles)
		return &ast.ShowRoles{Base: base, Current: true, Catalog: p.optionalIn()}
	}
	p.expect(kwRole, kwGrants)
	return &ast.ShowRoleGrants{Base: base, Catalog: p.optionalIn()}
}

// showGrants parses [ON [kind] name], where the kind is any word.
func (p *parser) showGrants(base ast.Base) ast.Statement {
	n := &ast.ShowGrants{Base: base}
	if !p.accept(kwOn) {
		return n
	}
	switch kindBase := p.here(); {
	case p.at(kwTable):
		n.Kind = &ast.Identifier{Base: kindBase, Name: p.textOf(p.next())}
	case isIdentifier(p.kind()) && isIdentifier(p.peek(1)):
		n.Kind = p.identifier()
	}
	n.On = p.qualifiedName()
	return n
}

// describe parses DESCRIBE table, DESCRIBE INPUT name and DESCRIBE OUTPUT
// name. INPUT and OUTPUT may also be tables.
func (p *parser) describe() ast.Statement {
	base := p.here()
	full := p.next().kind == kwDescribe
	switch name := isIdentifier(p.peek(1)); {
	case full && name && p.accept(kwInput):
		return &ast.DescribeInput{Base: base, Name: p.identifier()}
	case full && name && p.accept(kwOutput):
		return &ast.DescribeOutput{Base: base, Name: p.identifier()}
	}
	return &ast.ShowColumns{Base: base, Table: p.qualifiedName()}
}
