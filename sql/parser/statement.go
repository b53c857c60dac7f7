package parser

import "github.com/tuttidb/tutti/sql/ast"

// statementKeywords lists what begins a statement other than a query, for
// messages. It never changes.
var statementKeywords = []kind{
	kwAlter, kwAnalyze, kwCall, kwComment, kwCommit, kwCreate, kwDeallocate, kwDelete, kwDeny,
	kwDesc, kwDescribe, kwDrop, kwExecute, kwExplain, kwGrant, kwInsert, kwMerge, kwPrepare,
	kwRefresh, kwReset, kwRevoke, kwRollback, kwSet, kwShow, kwStart, kwTruncate, kwUpdate, kwUse,
}

// statement parses any statement.
func (p *parser) statement() ast.Statement {
	defer p.leave()
	if !p.enter() {
		return nil
	}
	if p.expected != nil {
		p.hint("<query>")
		for _, k := range statementKeywords {
			p.hint(k.String())
		}
	}
	switch p.kind() {
	case kwSelect, kwValues, kwTable, kwWith, tokLeftParen:
		return p.query()
	case kwExplain:
		return p.explain()
	case kwShow:
		return p.show()
	case kwDescribe, kwDesc:
		return p.describe()
	case kwUse:
		return p.use()
	case kwSet:
		return p.set()
	case kwReset:
		return p.reset()
	case kwPrepare, kwExecute, kwDeallocate:
		return p.prepared()
	case kwStart, kwCommit, kwRollback:
		return p.transaction()
	case kwCall:
		n := &ast.Call{Base: p.here()}
		p.next()
		n.Name = p.qualifiedName()
		n.Args = p.callArguments()
		return n
	case kwAnalyze:
		n := &ast.Analyze{Base: p.here()}
		p.next()
		n.Table = p.qualifiedName()
		n.Properties = p.optionalProperties()
		return n
	case kwGrant, kwRevoke, kwDeny:
		p.notSupported("GRANT, REVOKE and DENY")
		return nil
	}
	return p.change()
}

// callArguments parses (a, b => c, …).
func (p *parser) callArguments() []*ast.CallArgument {
	p.expect(tokLeftParen)
	if p.accept(tokRightParen) {
		return nil
	}
	list := commaList(p, func() *ast.CallArgument {
		n := &ast.CallArgument{Base: p.here()}
		if isIdentifier(p.kind()) && p.peek(1) == tokFatArrow {
			n.Name = p.identifier()
			p.next()
		}
		n.Value = p.expression()
		return n
	})
	p.expect(tokRightParen)
	return list
}

func (p *parser) explain() ast.Statement {
	base := p.here()
	p.expect(kwExplain)
	if p.accept(kwAnalyze) {
		return &ast.ExplainAnalyze{Base: base, Verbose: p.accept(kwVerbose), Statement: p.statement()}
	}
	n := &ast.Explain{Base: base}
	if next := p.peek(1); next == kwType || next == kwFormat {
		parenList(p, func() bool { return p.explainOption(n) })
	}
	n.Statement = p.statement()
	return n
}

// explainTypes never changes.
var explainTypes = map[kind]ast.ExplainType{
	kwLogical: ast.ExplainLogical, kwDistributed: ast.ExplainDistributed,
	kwValidate: ast.ExplainValidate, kwIo: ast.ExplainIO,
}

// explainFormats never changes.
var explainFormats = map[kind]ast.ExplainFormat{
	kwText: ast.FormatText, kwGraphviz: ast.FormatGraphviz, kwJson: ast.FormatJSON,
}

// explainOption parses TYPE t or FORMAT f; the last of several wins.
func (p *parser) explainOption(n *ast.Explain) bool {
	ok := false
	if p.accept(kwType) {
		p.hint("'DISTRIBUTED'", "'IO'", "'LOGICAL'", "'VALIDATE'")
		n.Type, ok = explainTypes[p.kind()]
	} else {
		p.expect(kwFormat)
		p.hint("'GRAPHVIZ'", "'JSON'", "'TEXT'")
		n.Format, ok = explainFormats[p.kind()]
	}
	if !ok {
		p.unexpected()
		return false
	}
	p.next()
	return true
}

func (p *parser) use() ast.Statement {
	n := &ast.Use{Base: p.here()}
	p.expect(kwUse)
	n.Schema = p.identifier()
	if p.accept(tokDot) {
		n.Catalog, n.Schema = n.Schema, p.identifier()
	}
	return n
}

func (p *parser) prepared() ast.Statement {
	base := p.here()
	switch p.next().kind {
	case kwPrepare:
		n := &ast.Prepare{Base: base, Name: p.identifier()}
		p.expect(kwFrom)
		n.Statement = p.statement()
		return n
	case kwDeallocate:
		p.expect(kwPrepare)
		return &ast.Deallocate{Base: base, Name: p.identifier()}
	}
	if p.at(kwImmediate) && isStringKind(p.peek(1)) {
		p.next()
		return &ast.ExecuteImmediate{Base: base, SQL: p.stringLiteral(), Params: p.using()}
	}
	return &ast.Execute{Base: base, Name: p.identifier(), Params: p.using()}
}

// using parses [USING a, b, …].
func (p *parser) using() []ast.Expression {
	if !p.accept(kwUsing) {
		return nil
	}
	return commaList(p, p.expression)
}

func (p *parser) transaction() ast.Statement {
	base := p.here()
	switch p.next().kind {
	case kwCommit:
		p.accept(kwWork)
		return &ast.Commit{Base: base}
	case kwRollback:
		p.accept(kwWork)
		return &ast.Rollback{Base: base}
	}
	p.expect(kwTransaction)
	n := &ast.StartTransaction{Base: base}
	if p.at(kwIsolation) || p.at(kwRead) {
		n.Modes = commaList(p, p.transactionMode)
	}
	return n
}

func (p *parser) transactionMode() ast.TransactionMode {
	if p.accept(kwRead) {
		if p.accept(kwOnly) {
			return ast.ReadOnly
		}
		p.expect(kwWrite)
		return ast.ReadWrite
	}
	p.expect(kwIsolation, kwLevel)
	switch {
	case p.accept(kwSerializable):
		return ast.Serializable
	case p.accept(kwRepeatable):
		p.expect(kwRead)
		return ast.RepeatableRead
	}
	p.expect(kwRead)
	if p.accept(kwCommitted) {
		return ast.ReadCommitted
	}
	p.expect(kwUncommitted)
	return ast.ReadUncommitted
}

func (p *parser) set() ast.Statement {
	base := p.here()
	p.expect(kwSet)
	switch {
	case p.accept(kwSession):
		return p.setSession(base)
	case p.accept(kwTime):
		p.expect(kwZone)
		n := &ast.SetTimeZone{Base: base}
		if p.peek(1) > tokEOF && p.peek(1) != tokSemicolon || !p.accept(kwLocal) {
			n.Value = p.expression()
		}
		return n
	case p.accept(kwRole):
		return p.setRole(base)
	}
	p.expect(kwPath)
	return &ast.SetPath{Base: base, Path: commaList(p, p.pathElement)}
}

// pathElement parses [catalog.]schema.
func (p *parser) pathElement() *ast.QualifiedName {
	n := &ast.QualifiedName{Base: p.here(), Parts: []*ast.Identifier{p.identifier()}}
	if p.accept(tokDot) {
		n.Parts = append(n.Parts, p.identifier())
	}
	return n
}

// setSession parses what follows SET SESSION.
func (p *parser) setSession(base ast.Base) ast.Statement {
	if next := p.peek(1); p.at(kwAuthorization) && next != tokEqual && next != tokDot {
		p.next()
		n := &ast.SetSessionAuthorization{Base: base}
		if p.atString() {
			n.User = p.stringLiteral()
		} else {
			n.User = p.identifier()
		}
		return n
	}
	n := &ast.SetSession{Base: base, Name: p.qualifiedName()}
	p.expect(tokEqual)
	n.Value = p.expression()
	return n
}

func (p *parser) setRole(base ast.Base) ast.Statement {
	n := &ast.SetRole{Base: base}
	switch {
	case p.accept(kwAll):
		n.Kind = ast.RoleAll
	case p.accept(kwNone):
		n.Kind = ast.RoleNone
	default:
		n.Role = p.identifier()
	}
	if p.accept(kwIn) {
		n.Catalog = p.identifier()
	}
	return n
}

func (p *parser) reset() ast.Statement {
	base := p.here()
	p.expect(kwReset, kwSession)
	if p.at(kwAuthorization) && p.peek(1) != tokDot {
		p.next()
		return &ast.ResetSessionAuthorization{Base: base}
	}
	return &ast.ResetSession{Base: base, Name: p.qualifiedName()}
}
