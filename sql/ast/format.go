package ast

import (
	"strconv"
	"strings"
)

// Format prints any node as SQL on one line. Parsing the text gives the same
// tree again (by Same), as long as the tree is one that a parser can make: a
// SetOperation under another that binds tighter, for instance, gets
// parentheses and so comes back wrapped in a Query.
//
// Keywords are printed in upper case, names as written and quoted only where
// they must be, parentheses only where they are needed. A StringLiteral's text
// is printed as it is, with quotes doubled.
func Format(n Node) string {
	var p printer
	p.node(n)
	return p.String()
}

// printer writes SQL. Its methods assume well-formed trees.
type printer struct {
	strings.Builder
}

// put writes pieces of text as they are.
func (p *printer) put(parts ...string) {
	for _, s := range parts {
		p.WriteString(s)
	}
}

// when writes s if cond holds.
func (p *printer) when(cond bool, s string) {
	if cond {
		p.WriteString(s)
	}
}

// node writes a node of any kind.
func (p *printer) node(n Node) {
	switch n := n.(type) {
	case Expression:
		p.expr(n, precLowest)
	case Statement:
		p.statement(n)
	case QueryBody:
		p.queryBody(n)
	case Relation:
		p.relation(n)
	case TypeArgument:
		p.dataType(n)
	case *QualifiedName:
		p.name(n)
	default:
		p.part(n)
	}
}

// part writes nodes that never stand alone in a statement; Format prints them
// too, for messages.
func (p *printer) part(n Node) {
	switch n := n.(type) {
	case *With:
		p.with(n)
	case *NamedQuery:
		p.namedQuery(n)
	case *SingleColumn:
		p.expr(n.Expr, precLowest)
		if n.Alias != nil {
			p.put(" AS ")
			p.ident(n.Alias)
		}
	case *AllColumns:
		p.allColumns(n)
	case *GroupBy:
		p.groupBy(n)
	case *SimpleGroupBy:
		p.groupingSet(n)
	case *GroupingSets:
		p.put(n.Kind.String(), " (")
		commas(p, n.Sets, p.groupingSet)
		p.put(")")
	case *SortItem:
		p.sortItem(n)
	case *Offset, *Limit, *FetchFirst:
		p.rowLimit(n)
	case *When:
		p.put("WHEN ")
		p.expr(n.Condition, precLowest)
		p.put(" THEN ")
		p.expr(n.Result, precLowest)
	case *WindowDefinition, *WindowSpec, *WindowRef, *WindowFrame, *FrameBound:
		p.window(n)
	case *QueryPeriod, *TableFunctionArgument, *TableArgument, *Descriptor, *DescriptorField, *CopartitionGroup:
		p.relationPart(n)
	case *ListaggOverflow:
		p.overflow(n)
	default:
		p.definition(n)
	}
}

// ident writes a name, quoted when it was or must be.
func (p *printer) ident(i *Identifier) {
	if i.Quoted {
		p.put(`"`, strings.ReplaceAll(i.Name, `"`, `""`), `"`)
		return
	}
	p.put(QuoteIdentifier(i.Name))
}

func (p *printer) name(q *QualifiedName) {
	for i, part := range q.Parts {
		p.when(i > 0, ".")
		p.ident(part)
	}
}

// commas writes the items of a list with ", " between them.
func commas[T any](p *printer, items []T, write func(T)) {
	for i, item := range items {
		p.when(i > 0, ", ")
		write(item)
	}
}

// exprs writes a list of expressions.
func (p *printer) exprs(list []Expression) {
	commas(p, list, func(e Expression) { p.expr(e, precLowest) })
}

// aliases writes " (a, b)" unless the list is empty.
func (p *printer) aliases(columns []*Identifier) {
	if len(columns) == 0 {
		return
	}
	p.put(" (")
	commas(p, columns, p.ident)
	p.put(")")
}

func (p *printer) dataType(t TypeArgument) {
	switch t := t.(type) {
	case *TypeNumber:
		p.put(strconv.FormatInt(t.Value, 10))
	case *GenericType:
		p.typeName(t.Name)
		if len(t.Args) > 0 {
			p.put("(")
			commas(p, t.Args, p.dataType)
			p.put(")")
		}
	case *DateTimeType:
		p.put(t.Kind.String())
		if t.Precision != nil {
			p.put("(")
			p.dataType(t.Precision)
			p.put(")")
		}
		p.when(t.WithZone, " WITH TIME ZONE")
	case *RowType:
		p.put("ROW(")
		commas(p, t.Fields, p.rowField)
		p.put(")")
	case *IntervalType:
		p.put("INTERVAL ", t.From.String())
		p.when(t.To != NoField, " TO "+t.To.String())
	}
}

// typeName writes the name of a type. ARRAY is an ordinary name there.
func (p *printer) typeName(i *Identifier) {
	if !i.Quoted && i.Fold() == "array" {
		p.put(i.Name)
		return
	}
	p.ident(i)
}

func (p *printer) rowField(f *RowField) {
	if f.Name != nil {
		p.ident(f.Name)
		p.put(" ")
	}
	p.dataType(f.Type)
}
