package parser

import "github.com/tuttidb/tutti/sql/ast"

// change parses statements that change data or definitions.
func (p *parser) change() ast.Statement {
	switch p.kind() {
	case kwInsert:
		return p.insert()
	case kwDelete:
		n := &ast.Delete{Base: p.here()}
		p.expect(kwDelete, kwFrom)
		n.Table = p.qualifiedName()
		n.Where = p.optionalWhere()
		return n
	case kwTruncate:
		n := &ast.Truncate{Base: p.here()}
		p.expect(kwTruncate, kwTable)
		n.Table = p.qualifiedName()
		return n
	case kwUpdate:
		n := &ast.Update{Base: p.here()}
		p.expect(kwUpdate)
		n.Table = p.qualifiedName()
		p.expect(kwSet)
		n.Assignments = commaList(p, p.assignment)
		n.Where = p.optionalWhere()
		return n
	case kwMerge:
		return p.merge()
	case kwComment:
		return p.commentOn()
	case kwRefresh:
		n := &ast.RefreshMaterializedView{Base: p.here()}
		p.expect(kwRefresh, kwMaterialized, kwView)
		n.Name = p.qualifiedName()
		return n
	case kwCreate:
		return p.create()
	case kwDrop:
		return p.drop()
	case kwAlter:
		return p.alter()
	}
	p.unexpected()
	return nil
}

func (p *parser) insert() ast.Statement {
	n := &ast.Insert{Base: p.here()}
	p.expect(kwInsert, kwInto)
	n.Table = p.qualifiedName()
	if p.at(tokLeftParen) && !p.queryAfterParens(0) {
		n.Columns = p.optionalColumns()
	}
	n.Query = p.query()
	return n
}

func (p *parser) optionalWhere() ast.Expression {
	if !p.accept(kwWhere) {
		return nil
	}
	return p.expression()
}

func (p *parser) assignment() *ast.Assignment {
	n := &ast.Assignment{Base: p.here(), Column: p.identifier()}
	p.expect(tokEqual)
	n.Value = p.expression()
	return n
}

func (p *parser) merge() ast.Statement {
	n := &ast.Merge{Base: p.here()}
	p.expect(kwMerge, kwInto)
	n.Table = p.qualifiedName()
	if p.accept(kwAs) || isIdentifier(p.kind()) {
		n.Alias = p.identifier()
	}
	p.expect(kwUsing)
	n.Source = p.relation()
	p.expect(kwOn)
	n.On = p.expression()
	n.Cases = []*ast.MergeCase{p.mergeCase()}
	for p.at(kwWhen) {
		n.Cases = append(n.Cases, p.mergeCase())
	}
	return n
}

func (p *parser) mergeCase() *ast.MergeCase {
	n := &ast.MergeCase{Base: p.here()}
	p.expect(kwWhen)
	insert := p.accept(kwNot)
	p.expect(kwMatched)
	if p.accept(kwAnd) {
		n.Condition = p.expression()
	}
	p.expect(kwThen)
	switch {
	case insert:
		p.mergeInsert(n)
	case p.accept(kwDelete):
		n.Action = ast.MergeDelete
	default:
		p.expect(kwUpdate, kwSet)
		n.Assignments = commaList(p, p.assignment)
	}
	return n
}

func (p *parser) mergeInsert(n *ast.MergeCase) {
	n.Action = ast.MergeInsert
	p.expect(kwInsert)
	n.Columns = p.optionalColumns()
	p.expect(kwValues)
	n.Values = parenList(p, p.expression)
}

func (p *parser) commentOn() ast.Statement {
	n := &ast.CommentOn{Base: p.here()}
	p.expect(kwComment, kwOn)
	switch {
	case p.accept(kwView):
		n.Kind = ast.ObjectView
	case p.accept(kwColumn):
		n.Kind = ast.ObjectColumn
	default:
		p.expect(kwTable)
	}
	n.Name = p.qualifiedName()
	p.expect(kwIs)
	if !p.accept(kwNull) {
		n.Text = p.stringLiteral()
	}
	return n
}

// alter parses ALTER ….
func (p *parser) alter() ast.Statement {
	base := p.here()
	p.expect(kwAlter)
	switch {
	case p.accept(kwTable):
		return p.alterTable(base)
	case p.accept(kwSchema):
		return p.alterSchema(base)
	case p.accept(kwMaterialized):
		p.expect(kwView)
		return p.alterView(base, ast.ObjectMaterializedView)
	}
	p.expect(kwView)
	return p.alterView(base, ast.ObjectView)
}

func (p *parser) alterSchema(base ast.Base) ast.Statement {
	name := p.qualifiedName()
	if p.accept(kwRename) {
		p.expect(kwTo)
		return &ast.RenameSchema{Base: base, Name: name, Target: p.identifier()}
	}
	p.expect(kwSet)
	return p.setAuthorization(base, ast.ObjectSchema, name)
}

// setAuthorization parses what follows SET in ALTER … SET AUTHORIZATION.
func (p *parser) setAuthorization(base ast.Base, k ast.ObjectKind, name *ast.QualifiedName) ast.Statement {
	p.expect(kwAuthorization)
	return &ast.SetAuthorization{Base: base, Kind: k, Name: name, Principal: p.principal()}
}

func (p *parser) alterView(base ast.Base, k ast.ObjectKind) ast.Statement {
	ifExists := k == ast.ObjectMaterializedView && p.ifExists()
	name := p.qualifiedName()
	if p.accept(kwRename) {
		p.expect(kwTo)
		return &ast.Rename{Base: base, Kind: k, IfExists: ifExists, Name: name, Target: p.qualifiedName()}
	}
	p.expect(kwSet)
	if k == ast.ObjectView {
		return p.setAuthorization(base, k, name)
	}
	p.expect(kwProperties)
	return &ast.SetProperties{Base: base, Kind: k, Name: name, Properties: commaList(p, p.property)}
}

// ifExists parses [IF EXISTS].
func (p *parser) ifExists() bool { return p.accept2(kwIf, kwExists) }

// ifNotExists parses [IF NOT EXISTS].
func (p *parser) ifNotExists() bool {
	if !p.accept2(kwIf, kwNot) {
		return false
	}
	p.expect(kwExists)
	return true
}

// alterTable parses what follows ALTER TABLE.
func (p *parser) alterTable(base ast.Base) ast.Statement {
	ifExists := p.ifExists()
	table := p.qualifiedName()
	switch {
	case p.accept(kwRename):
		if p.accept(kwTo) {
			return &ast.Rename{Base: base, IfExists: ifExists, Name: table, Target: p.qualifiedName()}
		}
		p.expect(kwColumn)
		n := &ast.RenameColumn{Base: base, IfExists: ifExists, Table: table, ColumnIfExists: p.ifExists()}
		n.Column = p.qualifiedName()
		p.expect(kwTo)
		n.Target = p.identifier()
		return n
	case p.accept(kwAdd):
		return p.addColumn(base, ifExists, table)
	case p.accept(kwDrop):
		p.expect(kwColumn)
		n := &ast.DropColumn{Base: base, IfExists: ifExists, Table: table, ColumnIfExists: p.ifExists()}
		n.Column = p.qualifiedName()
		return n
	case p.accept(kwAlter):
		return p.alterColumn(base, ifExists, table)
	case p.accept(kwExecute):
		return p.tableExecute(base, table)
	}
	p.expect(kwSet)
	if p.accept(kwProperties) {
		return &ast.SetProperties{Base: base, Name: table, Properties: commaList(p, p.property)}
	}
	return p.setAuthorization(base, ast.ObjectTable, table)
}

func (p *parser) addColumn(base ast.Base, ifExists bool, table *ast.QualifiedName) ast.Statement {
	p.expect(kwColumn)
	n := &ast.AddColumn{Base: base, IfExists: ifExists, Table: table, IfNotExists: p.ifNotExists()}
	n.Column = p.columnDefinition()
	switch {
	case p.accept(kwFirst):
		n.Position = ast.PositionFirst
	case p.accept(kwLast):
		n.Position = ast.PositionLast
	case p.accept(kwAfter):
		n.Position, n.After = ast.PositionAfter, p.identifier()
	}
	return n
}

func (p *parser) alterColumn(base ast.Base, ifExists bool, table *ast.QualifiedName) ast.Statement {
	p.expect(kwColumn)
	column := p.qualifiedName()
	if p.accept(kwSet) {
		p.expect(kwData, kwType)
		return &ast.SetColumnType{Base: base, IfExists: ifExists, Table: table, Column: column, Type: p.dataType()}
	}
	p.expect(kwDrop, kwNot, kwNull)
	return &ast.DropNotNull{Base: base, IfExists: ifExists, Table: table, Column: column}
}

func (p *parser) tableExecute(base ast.Base, table *ast.QualifiedName) ast.Statement {
	n := &ast.TableExecute{Base: base, Table: table, Procedure: p.identifier()}
	if p.at(tokLeftParen) {
		n.Args = p.callArguments()
	}
	n.Where = p.optionalWhere()
	return n
}
