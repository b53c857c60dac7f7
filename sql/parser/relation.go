package parser

import "github.com/tuttidb/tutti/sql/ast"

// relation parses an element of FROM with the joins that follow it.
func (p *parser) relation() ast.Relation {
	defer p.leave()
	if !p.enter() {
		return nil
	}
	base := p.here()
	return p.joins(base, p.sampled())
}

// joinTypes never changes.
var joinTypes = map[kind]ast.JoinType{
	kwInner: ast.InnerJoin, kwLeft: ast.LeftJoin, kwRight: ast.RightJoin, kwFull: ast.FullJoin,
}

// joins parses the joins that follow left.
func (p *parser) joins(base ast.Base, left ast.Relation) ast.Relation {
	for {
		p.hint("'CROSS'", "'FULL'", "'INNER'", "'JOIN'", "'LEFT'", "'NATURAL'", "'RIGHT'")
		n := &ast.Join{Base: base, Left: left}
		switch p.kind() {
		case kwCross:
			p.next()
			p.expect(kwJoin)
			n.Type, n.Right = ast.CrossJoin, p.sampled()
		case kwNatural:
			p.next()
			n.Natural, n.Type = true, p.joinType()
			n.Right = p.sampled()
		case kwJoin, kwInner, kwLeft, kwRight, kwFull:
			n.Type = p.joinType()
			n.Right = p.relation()
			p.joinCriteria(n)
		default:
			return left
		}
		left = n
	}
}

// joinType parses [INNER | LEFT [OUTER] | …] JOIN.
func (p *parser) joinType() ast.JoinType {
	t, explicit := joinTypes[p.kind()]
	if explicit {
		p.next()
		if t != ast.InnerJoin {
			p.accept(kwOuter)
		}
	}
	p.expect(kwJoin)
	return t
}

func (p *parser) joinCriteria(n *ast.Join) {
	if p.accept(kwUsing) {
		n.Using = parenList(p, p.identifier)
		return
	}
	p.expect(kwOn)
	n.On = p.expression()
}

// sampled parses a relation without joins.
func (p *parser) sampled() ast.Relation {
	base := p.here()
	return p.sample(base, p.aliased(base, p.relationPrimary()))
}

// aliased parses the alias of r, if there is one.
func (p *parser) aliased(base ast.Base, r ast.Relation) ast.Relation {
	p.hint("<identifier>", "'TABLESAMPLE'")
	if !p.at(kwAs) && (!isIdentifier(p.kind()) || p.relationSuffixAhead()) {
		return r
	}
	p.accept(kwAs)
	n := &ast.Aliased{Base: base, Relation: r, Alias: p.identifier()}
	n.Columns = p.optionalColumns()
	return n
}

// relationSuffixAhead reports whether the name that comes next is a word that
// begins something else than an alias.
func (p *parser) relationSuffixAhead() bool {
	if p.limitAhead() || p.windowClauseAhead() || p.partitionAhead() {
		return true
	}
	switch next := p.peek(1); p.kind() {
	case kwTablesample:
		return next == kwBernoulli || next == kwSystem
	case kwMatchRecognize:
		return next == tokLeftParen
	case kwPrune, kwKeep:
		return next == kwWhen
	}
	return false
}

// sample parses what may follow an aliased relation.
func (p *parser) sample(base ast.Base, r ast.Relation) ast.Relation {
	if p.kind() == kwMatchRecognize && p.peek(1) == tokLeftParen {
		p.notSupported("MATCH_RECOGNIZE")
		return r
	}
	if !p.accept(kwTablesample) {
		return r
	}
	n := &ast.Sampled{Base: base, Relation: r}
	if !p.accept(kwBernoulli) {
		p.expect(kwSystem)
		n.Method = ast.System
	}
	p.expect(tokLeftParen)
	n.Percentage = p.expression()
	p.expect(tokRightParen)
	return n
}

// relationPrimary parses a relation without alias.
func (p *parser) relationPrimary() ast.Relation {
	p.hint("'('", "'LATERAL'", "'TABLE'", "'UNNEST'", "<identifier>", "<string>")
	base := p.here()
	switch k := p.kind(); {
	case k == tokLeftParen:
		return p.parenRelation()
	case k == kwUnnest:
		return p.unnest()
	case k == kwLateral && p.peek(1) == tokLeftParen:
		p.next()
		return &ast.Lateral{Base: base, Query: p.parenQuery()}
	case k == kwTable:
		return p.tableFunction()
	case isStringKind(k):
		return &ast.FileTable{Base: base, Path: p.str()}
	case k == kwJsonTable:
		p.notSupported("JSON_TABLE")
		return nil
	case isIdentifier(k):
		n := &ast.Table{Base: base, Name: p.qualifiedName()}
		n.Period = p.optionalPeriod()
		return n
	}
	p.unexpected()
	return nil
}

// optionalPeriod parses FOR VERSION | TIMESTAMP AS OF value.
func (p *parser) optionalPeriod() *ast.QueryPeriod {
	n := &ast.QueryPeriod{Base: p.here()}
	if !p.accept(kwFor) {
		return nil
	}
	if p.accept(kwVersion) {
		n.Kind = ast.PeriodVersion
	} else {
		p.expect(kwTimestamp)
	}
	p.expect(kwAs, kwOf)
	n.End = p.valueExpression()
	return n
}

func (p *parser) unnest() ast.Relation {
	n := &ast.Unnest{Base: p.here()}
	p.expect(kwUnnest)
	n.Exprs = parenList(p, p.expression)
	n.Ordinality = p.accept2(kwWith, kwOrdinality)
	return n
}

// parenRelation parses a relation or a query in parentheses.
func (p *parser) parenRelation() ast.Relation {
	base := p.here()
	r, q := p.relationOrQuery()
	if q != nil {
		return &ast.SubqueryRelation{Base: base, Query: q}
	}
	return r
}

// relationOrQuery parses parentheses and what is in them, which is either a
// query or a relation, and may itself begin with parentheses for which this is
// open: ((SELECT 1) UNION …) or ((SELECT 1) AS t JOIN …).
func (p *parser) relationOrQuery() (r ast.Relation, q *ast.Query) {
	defer p.leave()
	if !p.enter() {
		return nil, nil
	}
	isQuery := p.queryAfterParens(0)
	p.expect(tokLeftParen)
	base := p.here()
	switch {
	case isQuery && !p.at(tokLeftParen):
		q = p.query()
	case isQuery:
		r, q = p.relationOrQuery()
		if q != nil && (p.continuesQuery() || p.at(tokRightParen)) {
			q = p.queryFrom(base, q)
			break
		}
		if q != nil {
			r, q = &ast.SubqueryRelation{Base: base, Query: q}, nil
		}
		r = p.joins(base, p.sample(base, p.aliased(base, r)))
	default:
		r = p.relation()
	}
	p.expect(tokRightParen)
	return r, q
}

// tableFunction parses TABLE(f(…)).
func (p *parser) tableFunction() ast.Relation {
	n := &ast.TableFunction{Base: p.here()}
	p.expect(kwTable, tokLeftParen)
	n.Name = p.qualifiedName()
	p.expect(tokLeftParen)
	if !p.at(tokRightParen) && !p.copartitionAhead() {
		n.Args = commaList(p, p.tableFunctionArgument)
	}
	if p.copartitionAhead() {
		p.expect(kwCopartition)
		n.Copartition = commaList(p, p.copartition)
	}
	p.expect(tokRightParen, tokRightParen)
	return n
}

func (p *parser) copartitionAhead() bool {
	return p.at(kwCopartition) && p.peek(1) == tokLeftParen
}

func (p *parser) copartition() *ast.CopartitionGroup {
	n := &ast.CopartitionGroup{Base: p.here()}
	p.expect(tokLeftParen)
	n.Tables = []*ast.QualifiedName{p.qualifiedName()}
	p.expect(tokComma)
	n.Tables = append(n.Tables, commaList(p, p.qualifiedName)...)
	p.expect(tokRightParen)
	return n
}

func (p *parser) tableFunctionArgument() *ast.TableFunctionArgument {
	n := &ast.TableFunctionArgument{Base: p.here()}
	if isIdentifier(p.kind()) && p.peek(1) == tokFatArrow {
		n.Name = p.identifier()
		p.next()
	}
	switch next := p.peek(1); {
	case p.kind() == kwTable && next == tokLeftParen:
		n.Table = p.tableArgument()
	case p.kind() == kwDescriptor && next == tokLeftParen:
		n.Descriptor = p.descriptor()
	case p.nullDescriptorAhead():
		n.Descriptor = &ast.Descriptor{Base: p.here()}
		p.expect(kwCast, tokLeftParen, kwNull, kwAs, kwDescriptor, tokRightParen)
	default:
		n.Expr = p.expression()
	}
	return n
}

// nullDescriptorAhead reports whether CAST(NULL AS DESCRIPTOR) begins here.
func (p *parser) nullDescriptorAhead() bool {
	return p.kind() == kwCast && p.peek(2) == kwNull && p.peek(3) == kwAs &&
		p.peek(4) == kwDescriptor && p.peek(5) == tokRightParen
}

func (p *parser) descriptor() *ast.Descriptor {
	n := &ast.Descriptor{Base: p.here()}
	p.expect(kwDescriptor)
	n.Fields = parenList(p, func() *ast.DescriptorField {
		f := &ast.DescriptorField{Base: p.here(), Name: p.identifier()}
		if !p.at(tokComma) && !p.at(tokRightParen) {
			f.Type = p.dataType()
		}
		return f
	})
	return n
}

// tableArgument parses TABLE(…) as an argument, with its clauses.
func (p *parser) tableArgument() *ast.TableArgument {
	n := &ast.TableArgument{Base: p.here()}
	p.expect(kwTable, tokLeftParen)
	base := p.here()
	if p.queryAfterParens(0) {
		n.Relation = &ast.SubqueryRelation{Base: base, Query: p.query()}
	} else {
		n.Relation = &ast.Table{Base: base, Name: p.qualifiedName()}
	}
	p.expect(tokRightParen)
	if !p.copartitionAhead() {
		n.Relation = p.aliased(n.Base, n.Relation)
	}
	if p.accept2(kwPartition, kwBy) {
		n.Partitioned = true
		n.PartitionBy = p.partitionList()
	}
	switch {
	case p.accept2(kwPrune, kwWhen):
		n.Empty = ast.PruneWhenEmpty
		p.expect(kwEmpty)
	case p.accept2(kwKeep, kwWhen):
		n.Empty = ast.KeepWhenEmpty
		p.expect(kwEmpty)
	}
	if p.accept(kwOrder) {
		p.expect(kwBy)
		n.OrderBy = p.tableArgumentOrder()
	}
	return n
}

// partitionList parses (a, b), () or one expression after PARTITION BY. A list
// is parsed like a grouping set.
func (p *parser) partitionList() []ast.Expression { return p.groupingSet().Exprs }

// tableArgumentOrder parses (a DESC, b) or one sort item after ORDER BY.
func (p *parser) tableArgumentOrder() []*ast.SortItem {
	if p.at(tokLeftParen) {
		return parenList(p, p.sortItem)
	}
	return []*ast.SortItem{p.sortItem()}
}
