package ast

func (p *printer) relation(r Relation) {
	switch r := r.(type) {
	case *Table:
		p.name(r.Name)
		if r.Period != nil {
			p.put(" ")
			p.relationPart(r.Period)
		}
	case *FileTable:
		p.put(QuoteString(r.Path))
	case *SubqueryRelation:
		p.subquery(r.Query)
	case *Lateral:
		p.put("LATERAL ")
		p.subquery(r.Query)
	case *Unnest:
		p.put("UNNEST(")
		p.exprs(r.Exprs)
		p.put(")")
		p.when(r.Ordinality, " WITH ORDINALITY")
	case *Join:
		p.join(r)
	case *Aliased:
		p.aliasable(r.Relation)
		p.put(" AS ")
		p.ident(r.Alias)
		p.aliases(r.Columns)
	case *Sampled:
		p.sampleable(r.Relation)
		p.put(" TABLESAMPLE ", r.Method.String(), " (")
		p.expr(r.Percentage, precLowest)
		p.put(")")
	case *TableFunction:
		p.tableFunction(r)
	}
}

// aliasable writes what may stand directly before an alias.
func (p *printer) aliasable(r Relation) {
	switch r.(type) {
	case *Join, *Aliased, *Sampled:
		p.parenRelation(r)
	default:
		p.relation(r)
	}
}

// sampleable writes what may stand directly before TABLESAMPLE.
func (p *printer) sampleable(r Relation) {
	switch r.(type) {
	case *Join, *Sampled:
		p.parenRelation(r)
	default:
		p.relation(r)
	}
}

func (p *printer) parenRelation(r Relation) {
	p.put("(")
	p.relation(r)
	p.put(")")
}

// join writes a join; a join on its right side always gets parentheses, as
// without them it may be read otherwise.
func (p *printer) join(j *Join) {
	p.relation(j.Left)
	p.put(" ")
	p.when(j.Natural, "NATURAL ")
	p.put(j.Type.String(), " JOIN ")
	if _, ok := j.Right.(*Join); ok {
		p.parenRelation(j.Right)
	} else {
		p.relation(j.Right)
	}
	if j.On != nil {
		p.put(" ON ")
		p.expr(j.On, precLowest)
	}
	if len(j.Using) > 0 {
		p.put(" USING")
		p.aliases(j.Using)
	}
}

func (p *printer) tableFunction(f *TableFunction) {
	p.put("TABLE(")
	p.name(f.Name)
	p.put("(")
	commas(p, f.Args, func(a *TableFunctionArgument) { p.relationPart(a) })
	if len(f.Copartition) > 0 {
		p.put(" COPARTITION ")
		commas(p, f.Copartition, func(g *CopartitionGroup) { p.relationPart(g) })
	}
	p.put("))")
}

func (p *printer) relationPart(n Node) {
	switch n := n.(type) {
	case *QueryPeriod:
		p.put("FOR ", n.Kind.String(), " AS OF ")
		p.expr(n.End, precConcat)
	case *TableFunctionArgument:
		p.tableFunctionArgument(n)
	case *TableArgument:
		p.tableArgument(n)
	case *CopartitionGroup:
		p.put("(")
		commas(p, n.Tables, p.name)
		p.put(")")
	case *Descriptor:
		p.descriptor(n)
	case *DescriptorField:
		p.ident(n.Name)
		if n.Type != nil {
			p.put(" ")
			p.dataType(n.Type)
		}
	}
}

func (p *printer) tableFunctionArgument(a *TableFunctionArgument) {
	if a.Name != nil {
		p.ident(a.Name)
		p.put(" => ")
	}
	switch {
	case a.Table != nil:
		p.tableArgument(a.Table)
	case a.Descriptor != nil:
		p.descriptor(a.Descriptor)
	default:
		p.expr(a.Expr, precLowest)
	}
}

func (p *printer) descriptor(d *Descriptor) {
	if len(d.Fields) == 0 {
		p.put("CAST(NULL AS DESCRIPTOR)")
		return
	}
	p.put("DESCRIPTOR(")
	commas(p, d.Fields, func(f *DescriptorField) { p.relationPart(f) })
	p.put(")")
}

func (p *printer) tableArgument(a *TableArgument) {
	relation := a.Relation
	aliased, ok := relation.(*Aliased)
	if ok {
		relation = aliased.Relation
	}
	p.put("TABLE(")
	if sub, ok := relation.(*SubqueryRelation); ok {
		p.query(sub.Query)
	} else {
		p.relation(relation)
	}
	p.put(")")
	if ok {
		p.put(" AS ")
		p.ident(aliased.Alias)
		p.aliases(aliased.Columns)
	}
	if a.Partitioned {
		p.put(" PARTITION BY (")
		p.exprs(a.PartitionBy)
		p.put(")")
	}
	p.when(a.Empty != EmptyDefault, " "+a.Empty.String())
	if len(a.OrderBy) > 0 {
		p.put(" ORDER BY (")
		commas(p, a.OrderBy, p.sortItem)
		p.put(")")
	}
}
