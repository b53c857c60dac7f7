package ast

// Inspect calls f for n and, as long as f returns true, for everything below
// it, parents first and in the order of the text.
func Inspect(n Node, f func(Node) bool) {
	if !f(n) {
		return
	}
	Children(n, func(c Node) { Inspect(c, f) })
}

// ParameterCount returns the number of ? placeholders under n.
func ParameterCount(n Node) int {
	count := 0
	Inspect(n, func(n Node) bool {
		if _, ok := n.(*Parameter); ok {
			count++
		}
		return true
	})
	return count
}

// Deepest returns the height of the tree under n, a single node having height
// 1, and the deepest node. It keeps its own stack, so that it can be asked
// about trees too high to recurse over.
func Deepest(n Node) (int, Node) {
	type entry struct {
		node  Node
		depth int
	}
	stack := []entry{{n, 1}}
	height, deepest := 0, n
	for len(stack) > 0 {
		top := stack[len(stack)-1]
		stack = stack[:len(stack)-1]
		if top.depth > height {
			height, deepest = top.depth, top.node
		}
		Children(top.node, func(c Node) { stack = append(stack, entry{c, top.depth + 1}) })
	}
	return height, deepest
}

// Children calls visit for each direct child of n, in the order of the text.
func Children(n Node, visit func(Node)) {
	v := visitor(visit)
	switch n := n.(type) {
	case Expression:
		v.expression(n)
	case Statement: // before QueryBody: Query is both
		v.statement(n)
	case QueryBody:
		v.queryBody(n)
	case Relation:
		v.relation(n)
	default:
		v.part(n)
	}
}

// visitor is the callback of Children with helpers for the forms of children.
type visitor func(Node)

// node visits each of ns that is there.
func (v visitor) node(ns ...Node) {
	for _, n := range ns {
		if n != nil {
			v(n)
		}
	}
}

func (v visitor) name(n *QualifiedName) {
	if n != nil {
		v(n)
	}
}

func (v visitor) ident(ids ...*Identifier) {
	for _, id := range ids {
		if id != nil {
			v(id)
		}
	}
}

func (v visitor) query(q *Query) {
	if q != nil {
		v(q)
	}
}

func (v visitor) str(s *StringLiteral) {
	if s != nil {
		v(s)
	}
}

// list visits the elements of a slice.
func list[T Node](v visitor, s []T) {
	for _, n := range s {
		v(n)
	}
}

// maybe visits a pointer unless it is nil.
func maybe[T any, P interface {
	*T
	Node
}](v visitor, p P) {
	if p != nil {
		v(p)
	}
}

func (v visitor) expression(n Expression) {
	switch n := n.(type) {
	case *Dereference:
		v.node(n.Target, n.Field)
	case *Subscript:
		v.node(n.Target, n.Index)
	case *Row:
		list(v, n.Items)
	case *Array:
		list(v, n.Items)
	case *Unary:
		v.node(n.Operand)
	case *Binary:
		v.node(n.Left, n.Right)
	case *Not:
		v.node(n.Operand)
	case *Logical:
		list(v, n.Terms)
	case *AtTimeZone:
		v.node(n.Value, n.Zone)
	case *Case:
		v.node(n.Operand)
		list(v, n.Whens)
		v.node(n.Else)
	case *Cast:
		v.node(n.Expr, n.Type)
	case *Extract:
		v.ident(n.Field)
		v.node(n.Value)
	case *Trim:
		v.node(n.Chars, n.Source)
	case *Lambda:
		list(v, n.Params)
		v.node(n.Body)
	case *Grouping:
		list(v, n.Args)
	case *FunctionCall:
		v.name(n.Name)
		list(v, n.Args)
		list(v, n.OrderBy)
		v.node(n.Filter, n.Over)
	case *Listagg:
		v.node(n.Value)
		v.str(n.Separator)
		maybe(v, n.Overflow)
		list(v, n.OrderBy)
		v.node(n.Filter)
	default:
		v.predicate(n)
	}
}

func (v visitor) predicate(n Expression) {
	switch n := n.(type) {
	case *Comparison:
		v.node(n.Left, n.Right)
	case *QuantifiedComparison:
		v.node(n.Value)
		v.query(n.Query)
	case *Between:
		v.node(n.Value, n.Low, n.High)
	case *InList:
		v.node(n.Value)
		list(v, n.Items)
	case *InSubquery:
		v.node(n.Value)
		v.query(n.Query)
	case *Like:
		v.node(n.Value, n.Pattern, n.Escape)
	case *IsNull:
		v.node(n.Value)
	case *IsDistinctFrom:
		v.node(n.Left, n.Right)
	case *Exists:
		v.query(n.Query)
	case *ScalarSubquery:
		v.query(n.Query)
	}
}

func (v visitor) queryBody(n QueryBody) {
	switch n := n.(type) {
	case *Select:
		list(v, n.Items)
		list(v, n.From)
		v.node(n.Where)
		maybe(v, n.GroupBy)
		v.node(n.Having)
		list(v, n.Windows)
	case *SetOperation:
		v.node(n.Left, n.Right)
	case *Values:
		list(v, n.Rows)
	case *TableBody:
		v.name(n.Name)
	}
}

func (v visitor) relation(n Relation) {
	switch n := n.(type) {
	case *Table:
		v.name(n.Name)
		maybe(v, n.Period)
	case *SubqueryRelation:
		v.query(n.Query)
	case *Lateral:
		v.query(n.Query)
	case *Unnest:
		list(v, n.Exprs)
	case *Join:
		v.node(n.Left, n.Right, n.On)
		list(v, n.Using)
	case *Aliased:
		v.node(n.Relation)
		v.ident(n.Alias)
		list(v, n.Columns)
	case *Sampled:
		v.node(n.Relation, n.Percentage)
	case *TableFunction:
		v.name(n.Name)
		list(v, n.Args)
		list(v, n.Copartition)
	}
}

// part visits the children of nodes that are no statement, query body,
// relation or expression.
func (v visitor) part(n Node) {
	switch n := n.(type) {
	case *QualifiedName:
		list(v, n.Parts)
	case *With:
		list(v, n.Queries)
	case *NamedQuery:
		v.ident(n.Name)
		list(v, n.Columns)
		v.query(n.Query)
	case *SingleColumn:
		v.node(n.Expr)
		v.ident(n.Alias)
	case *AllColumns:
		v.node(n.Target)
		list(v, n.Aliases)
	case *GroupBy:
		list(v, n.Elements)
	case *SimpleGroupBy:
		list(v, n.Exprs)
	case *GroupingSets:
		list(v, n.Sets)
	case *SortItem:
		v.node(n.Expr)
	case *Offset:
		v.node(n.Count)
	case *Limit:
		v.node(n.Count)
	case *FetchFirst:
		v.node(n.Count)
	case *When:
		v.node(n.Condition, n.Result)
	case *ListaggOverflow:
		v.str(n.Filler)
	case *QueryPeriod:
		v.node(n.End)
	case *WindowDefinition, *WindowSpec, *WindowRef, *WindowFrame, *FrameBound:
		v.window(n)
	case *CopartitionGroup, *TableFunctionArgument, *TableArgument, *Descriptor, *DescriptorField:
		v.tableFunction(n)
	case TypeArgument:
		v.dataType(n)
	default:
		v.definition(n)
	}
}

func (v visitor) window(n Node) {
	switch n := n.(type) {
	case *WindowDefinition:
		v.ident(n.Name)
		maybe(v, n.Spec)
	case *WindowSpec:
		v.ident(n.Name)
		list(v, n.PartitionBy)
		list(v, n.OrderBy)
		maybe(v, n.Frame)
	case *WindowRef:
		v.ident(n.Name)
	case *WindowFrame:
		maybe(v, n.Start)
		maybe(v, n.End)
	case *FrameBound:
		v.node(n.Value)
	}
}

func (v visitor) tableFunction(n Node) {
	switch n := n.(type) {
	case *CopartitionGroup:
		list(v, n.Tables)
	case *TableFunctionArgument:
		v.ident(n.Name)
		v.node(n.Expr)
		maybe(v, n.Table)
		maybe(v, n.Descriptor)
	case *TableArgument:
		v.node(n.Relation)
		list(v, n.PartitionBy)
		list(v, n.OrderBy)
	case *Descriptor:
		list(v, n.Fields)
	case *DescriptorField:
		v.ident(n.Name)
		v.node(n.Type)
	}
}

func (v visitor) dataType(n TypeArgument) {
	switch n := n.(type) {
	case *GenericType:
		v.ident(n.Name)
		list(v, n.Args)
	case *DateTimeType:
		v.node(n.Precision)
	case *RowType:
		list(v, n.Fields)
	}
}
