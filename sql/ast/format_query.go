package ast

// query writes a query without parentheses around it.
func (p *printer) query(q *Query) {
	if q.With != nil {
		p.with(q.With)
		p.put(" ")
	}
	p.queryBody(q.Body)
	if len(q.OrderBy) > 0 {
		p.put(" ")
		p.orderBy(q.OrderBy)
	}
	if q.Offset != nil {
		p.put(" ")
		p.rowLimit(q.Offset)
	}
	if q.Limit != nil {
		p.put(" ")
		p.rowLimit(q.Limit)
	}
	if q.Fetch != nil {
		p.put(" ")
		p.rowLimit(q.Fetch)
	}
}

// subquery writes a query in parentheses.
func (p *printer) subquery(q *Query) {
	p.put("(")
	p.query(q)
	p.put(")")
}

func (p *printer) with(w *With) {
	p.put("WITH ")
	p.when(w.Recursive, "RECURSIVE ")
	commas(p, w.Queries, p.namedQuery)
}

func (p *printer) namedQuery(q *NamedQuery) {
	p.ident(q.Name)
	p.aliases(q.Columns)
	p.put(" AS ")
	p.subquery(q.Query)
}

func (p *printer) orderBy(items []*SortItem) {
	p.put("ORDER BY ")
	commas(p, items, p.sortItem)
}

func (p *printer) sortItem(s *SortItem) {
	p.expr(s.Expr, precLowest)
	p.when(s.Descending, " DESC")
	p.when(s.Nulls != NullsDefault, " "+s.Nulls.String())
}

func (p *printer) rowLimit(n Node) {
	switch n := n.(type) {
	case *Offset:
		p.put("OFFSET ")
		p.expr(n.Count, precPrimary)
		p.put(" ROWS")
	case *Limit:
		p.put("LIMIT ")
		if n.Count == nil {
			p.put("ALL")
			return
		}
		p.expr(n.Count, precPrimary)
	case *FetchFirst:
		p.put("FETCH FIRST ")
		if n.Count != nil {
			p.expr(n.Count, precPrimary)
			p.put(" ")
		}
		p.put("ROWS ")
		if n.WithTies {
			p.put("WITH TIES")
		} else {
			p.put("ONLY")
		}
	}
}

func (p *printer) queryBody(b QueryBody) {
	switch b := b.(type) {
	case *Query:
		p.subquery(b)
	case *Select:
		p.selectBody(b)
	case *SetOperation:
		p.setOperation(b)
	case *Values:
		p.put("VALUES ")
		commas(p, b.Rows, p.valuesRow)
	case *TableBody:
		p.put("TABLE ")
		p.name(b.Name)
	}
}

// valuesRow writes a row of VALUES, plain parentheses being the usual form.
func (p *printer) valuesRow(e Expression) {
	row, ok := e.(*Row)
	if !ok || len(row.Items) < 2 {
		p.expr(e, precLowest)
		return
	}
	p.put("(")
	p.exprs(row.Items)
	p.put(")")
}

func (p *printer) setOperation(b *SetOperation) {
	p.setOperand(b.Left, setPrecedence(b.Op))
	p.put(" ", b.Op.String())
	p.when(b.All, " ALL")
	p.when(b.Corresponding, " CORRESPONDING")
	p.put(" ")
	p.setOperand(b.Right, setPrecedence(b.Op)+1)
}

// setPrecedence says how tightly a set operation binds.
func setPrecedence(op SetOp) int {
	if op == Intersect {
		return 2
	}
	return 1
}

func (p *printer) setOperand(b QueryBody, min int) {
	if s, ok := b.(*SetOperation); ok && setPrecedence(s.Op) < min {
		p.put("(")
		defer p.put(")")
	}
	p.queryBody(b)
}

func (p *printer) selectBody(s *Select) {
	p.put("SELECT ")
	p.when(s.Distinct, "DISTINCT ")
	commas(p, s.Items, func(i SelectItem) { p.part(i) })
	if len(s.From) > 0 {
		p.put(" FROM ")
		commas(p, s.From, p.relation)
	}
	if s.Where != nil {
		p.put(" WHERE ")
		p.expr(s.Where, precLowest)
	}
	if s.GroupBy != nil {
		p.put(" GROUP BY ")
		p.groupBy(s.GroupBy)
	}
	if s.Having != nil {
		p.put(" HAVING ")
		p.expr(s.Having, precLowest)
	}
	if len(s.Windows) > 0 {
		p.put(" WINDOW ")
		commas(p, s.Windows, func(w *WindowDefinition) { p.window(w) })
	}
}

func (p *printer) allColumns(a *AllColumns) {
	if a.Target == nil {
		p.put("*")
		return
	}
	p.target(a.Target)
	p.put(".*")
	if len(a.Aliases) > 0 {
		p.put(" AS")
		p.aliases(a.Aliases)
	}
}

func (p *printer) groupBy(g *GroupBy) {
	if g.All {
		p.put("ALL")
		return
	}
	p.when(g.Distinct, "DISTINCT ")
	commas(p, g.Elements, func(e GroupingElement) { p.part(e) })
}

func (p *printer) groupingSet(s *SimpleGroupBy) {
	if len(s.Exprs) == 1 {
		p.expr(s.Exprs[0], precLowest)
		return
	}
	p.put("(")
	p.exprs(s.Exprs)
	p.put(")")
}

func (p *printer) window(n Node) {
	switch n := n.(type) {
	case *WindowDefinition:
		p.ident(n.Name)
		p.put(" AS ")
		p.windowSpec(n.Spec)
	case *WindowSpec:
		p.windowSpec(n)
	case *WindowRef:
		p.ident(n.Name)
	case *WindowFrame:
		p.frame(n)
	case *FrameBound:
		p.bound(n)
	}
}

func (p *printer) windowSpec(s *WindowSpec) {
	sep := ""
	next := func() {
		p.put(sep)
		sep = " "
	}
	p.put("(")
	if s.Name != nil {
		next()
		p.ident(s.Name)
	}
	if len(s.PartitionBy) > 0 {
		next()
		p.put("PARTITION BY ")
		p.exprs(s.PartitionBy)
	}
	if len(s.OrderBy) > 0 {
		next()
		p.orderBy(s.OrderBy)
	}
	if s.Frame != nil {
		next()
		p.frame(s.Frame)
	}
	p.put(")")
}

func (p *printer) frame(f *WindowFrame) {
	p.put(f.Unit.String(), " ")
	if f.End == nil {
		p.bound(f.Start)
		return
	}
	p.put("BETWEEN ")
	p.bound(f.Start)
	p.put(" AND ")
	p.bound(f.End)
}

func (p *printer) bound(b *FrameBound) {
	if b.Value != nil {
		p.expr(b.Value, precConcat)
		p.put(" ")
	}
	p.put(b.Kind.String())
}
