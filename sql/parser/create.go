package parser

import "github.com/tuttidb/tutti/sql/ast"

// create parses CREATE ….
func (p *parser) create() ast.Statement {
	base := p.here()
	p.expect(kwCreate)
	replace := p.accept(kwOr)
	if replace {
		p.expect(kwReplace)
	}
	switch {
	case p.accept(kwTable):
		return p.createTable(base, replace)
	case p.accept(kwView):
		return p.createView(base, replace)
	case p.accept(kwMaterialized):
		p.expect(kwView)
		return p.createMaterializedView(base, replace)
	case p.at(kwFunction):
		p.notSupported("CREATE FUNCTION")
		return nil
	case replace:
		p.unexpected()
		return nil
	case p.accept(kwSchema):
		n := &ast.CreateSchema{Base: base, IfNotExists: p.ifNotExists(), Name: p.qualifiedName()}
		n.Authorization = p.optionalAuthorization()
		n.Properties = p.optionalProperties()
		return n
	case p.accept(kwCatalog):
		return p.createCatalog(base)
	}
	if p.at(kwRole) {
		p.notSupported("CREATE ROLE")
		return nil
	}
	p.unexpected()
	return nil
}

func (p *parser) createCatalog(base ast.Base) ast.Statement {
	n := &ast.CreateCatalog{Base: base, IfNotExists: p.ifNotExists(), Name: p.identifier()}
	p.expect(kwUsing)
	n.Connector = p.identifier()
	n.Comment = p.optionalComment()
	n.Authorization = p.optionalAuthorization()
	n.Properties = p.optionalProperties()
	return n
}

// createTable parses what follows CREATE TABLE: a list of columns, or a query
// after AS, in front of which names of columns may stand.
func (p *parser) createTable(base ast.Base, replace bool) ast.Statement {
	ifNotExists := p.ifNotExists()
	name := p.qualifiedName()
	if p.at(tokLeftParen) && !p.columnNamesAhead() {
		n := &ast.CreateTable{Base: base, OrReplace: replace, IfNotExists: ifNotExists, Name: name}
		n.Elements = parenList(p, p.tableElement)
		n.Comment = p.optionalComment()
		n.Properties = p.optionalProperties()
		return n
	}
	n := &ast.CreateTableAs{Base: base, OrReplace: replace, IfNotExists: ifNotExists, Name: name}
	n.Columns = p.optionalColumns()
	n.Comment = p.optionalComment()
	n.Properties = p.optionalProperties()
	p.expect(kwAs)
	n.Query = p.query()
	if p.accept(kwWith) {
		n.NoData = p.accept(kwNo)
		p.expect(kwData)
	}
	return n
}

// columnNamesAhead reports whether a list of names without types begins here.
func (p *parser) columnNamesAhead() bool {
	return isIdentifier(p.peek(1)) && (p.peek(2) == tokComma || p.peek(2) == tokRightParen)
}

func (p *parser) tableElement() ast.TableElement {
	base := p.here()
	if !p.accept(kwLike) {
		return p.columnDefinition()
	}
	n := &ast.LikeClause{Base: base, Table: p.qualifiedName()}
	n.Including = p.accept(kwIncluding)
	if n.Including || p.accept(kwExcluding) {
		p.expect(kwProperties)
	}
	return n
}

func (p *parser) columnDefinition() *ast.ColumnDefinition {
	n := &ast.ColumnDefinition{Base: p.here(), Name: p.qualifiedName()}
	n.Type = p.dataType()
	if p.accept(kwNot) {
		p.expect(kwNull)
		n.NotNull = true
	}
	n.Comment = p.optionalComment()
	n.Properties = p.optionalProperties()
	return n
}

// optionalComment parses [COMMENT 'text'].
func (p *parser) optionalComment() *ast.StringLiteral {
	if !p.accept(kwComment) {
		return nil
	}
	return p.stringLiteral()
}

// optionalProperties parses [WITH (name = value, …)].
func (p *parser) optionalProperties() []*ast.Property {
	if !p.accept2(kwWith, tokLeftParen) {
		return nil
	}
	list := commaList(p, p.property)
	p.expect(tokRightParen)
	return list
}

func (p *parser) property() *ast.Property {
	n := &ast.Property{Base: p.here(), Name: p.identifier()}
	p.expect(tokEqual)
	switch p.peek(1) {
	case tokComma, tokRightParen, tokEOF, tokSemicolon:
		if p.accept(kwDefault) {
			return n
		}
	}
	n.Value = p.expression()
	return n
}

// optionalAuthorization parses [AUTHORIZATION principal].
func (p *parser) optionalAuthorization() *ast.Principal {
	if !p.accept(kwAuthorization) {
		return nil
	}
	return p.principal()
}

// principal parses [USER | ROLE] name.
func (p *parser) principal() *ast.Principal {
	n := &ast.Principal{Base: p.here()}
	if isIdentifier(p.peek(1)) {
		switch {
		case p.accept(kwUser):
			n.Kind = "USER"
		case p.accept(kwRole):
			n.Kind = "ROLE"
		}
	}
	n.Name = p.identifier()
	return n
}

func (p *parser) createView(base ast.Base, replace bool) ast.Statement {
	n := &ast.CreateView{Base: base, OrReplace: replace, Name: p.qualifiedName()}
	n.Comment = p.optionalComment()
	if p.accept(kwSecurity) {
		n.Security = ast.SecurityDefiner
		if !p.accept(kwDefiner) {
			p.expect(kwInvoker)
			n.Security = ast.SecurityInvoker
		}
	}
	n.Properties = p.optionalProperties()
	p.expect(kwAs)
	n.Query = p.query()
	return n
}

func (p *parser) createMaterializedView(base ast.Base, replace bool) ast.Statement {
	n := &ast.CreateMaterializedView{Base: base, OrReplace: replace, IfNotExists: p.ifNotExists()}
	n.Name = p.qualifiedName()
	if p.accept(kwGrace) {
		p.expect(kwPeriod)
		n.GracePeriod = p.interval()
	}
	n.Comment = p.optionalComment()
	n.Properties = p.optionalProperties()
	p.expect(kwAs)
	n.Query = p.query()
	return n
}

// drop parses DROP ….
func (p *parser) drop() ast.Statement {
	base := p.here()
	p.expect(kwDrop)
	switch {
	case p.accept(kwTable):
		return &ast.DropTable{Base: base, IfExists: p.ifExists(), Name: p.qualifiedName()}
	case p.accept(kwSchema):
		n := &ast.DropSchema{Base: base, IfExists: p.ifExists(), Name: p.qualifiedName()}
		n.Cascade = p.cascade()
		return n
	case p.accept(kwCatalog):
		n := &ast.DropCatalog{Base: base, IfExists: p.ifExists(), Name: p.identifier()}
		n.Cascade = p.cascade()
		return n
	case p.accept(kwView):
		return &ast.DropView{Base: base, IfExists: p.ifExists(), Name: p.qualifiedName()}
	case p.accept(kwMaterialized):
		p.expect(kwView)
		return &ast.DropView{Base: base, Materialized: true, IfExists: p.ifExists(), Name: p.qualifiedName()}
	case p.at(kwRole):
		p.notSupported("DROP ROLE")
	case p.at(kwFunction):
		p.notSupported("DROP FUNCTION")
	}
	p.unexpected()
	return nil
}

// cascade parses [CASCADE | RESTRICT].
func (p *parser) cascade() bool {
	if p.accept(kwCascade) {
		return true
	}
	p.accept(kwRestrict)
	return false
}
