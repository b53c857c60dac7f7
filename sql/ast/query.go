package ast

// Query is a whole query: a body with what stands around it. It is a Statement
// at the top, and a QueryBody when it stands in parentheses inside another.
type Query struct {
	Base
	With    *With
	Body    QueryBody
	OrderBy []*SortItem
	Offset  *Offset
	// At most one of Limit and Fetch is set.
	Limit *Limit
	Fetch *FetchFirst
}

// With is WITH [RECURSIVE] q1 AS (…), q2 AS (…).
type With struct {
	Base
	Recursive bool
	Queries   []*NamedQuery
}

// NamedQuery is one common table expression: name [(columns)] AS (query).
type NamedQuery struct {
	Base
	Name    *Identifier
	Columns []*Identifier
	Query   *Query
}

// Select is SELECT … FROM … WHERE … GROUP BY … HAVING … WINDOW ….
type Select struct {
	Base
	Distinct bool
	Items    []SelectItem
	// From is empty without FROM; more than one element means commas, that
	// is, cross joins in which later elements may refer to earlier ones where
	// they are UNNEST or LATERAL.
	From    []Relation
	Where   Expression
	GroupBy *GroupBy
	Having  Expression
	Windows []*WindowDefinition
}

// SetOp is the kind of a SetOperation.
type SetOp uint8

// The set operations.
const (
	Union SetOp = iota
	Intersect
	Except
)

// String returns the keyword.
func (o SetOp) String() string { return [...]string{"UNION", "INTERSECT", "EXCEPT"}[o] }

// SetOperation is Left UNION | INTERSECT | EXCEPT [ALL] Right. Its position is
// that of the keyword.
type SetOperation struct {
	Base
	Op SetOp
	// All keeps duplicates; without it, or with DISTINCT, they are removed.
	All bool
	// Corresponding matches columns by name instead of by place.
	Corresponding bool
	Left, Right   QueryBody
}

// Values is VALUES row, row, …. A row of several columns is a *Row; any other
// expression is a row of one column.
type Values struct {
	Base
	Rows []Expression
}

// TableBody is TABLE name used as a query: SELECT * FROM name.
type TableBody struct {
	Base
	Name *QualifiedName
}

// SingleColumn is an expression with an optional alias in a SELECT list.
type SingleColumn struct {
	Base
	Expr  Expression
	Alias *Identifier
}

// AllColumns is *, t.* or (row).* in a SELECT list.
type AllColumns struct {
	Base
	// Target is nil for a plain *.
	Target Expression
	// Aliases renames the columns: target.* AS (a, b, …).
	Aliases []*Identifier
}

// GroupBy is the GROUP BY clause. Its position is that of its first element.
type GroupBy struct {
	Base
	// Distinct removes duplicate grouping sets (GROUP BY DISTINCT …).
	Distinct bool
	// All is GROUP BY ALL without elements, Tutti's addition to the dialect:
	// group by every selected expression that holds no aggregate. Elements is
	// then empty.
	All      bool
	Elements []GroupingElement
}

// SimpleGroupBy is one grouping set: an expression, or a list in parentheses,
// which may be empty. ROW(a, b) written with its keyword is one expression.
type SimpleGroupBy struct {
	Base
	Exprs []Expression
}

// GroupingKind is the kind of GroupingSets.
type GroupingKind uint8

// The kinds of grouping sets.
const (
	ExplicitSets GroupingKind = iota
	Rollup
	Cube
)

// String returns the keyword or keywords.
func (k GroupingKind) String() string { return [...]string{"GROUPING SETS", "ROLLUP", "CUBE"}[k] }

// GroupingSets is GROUPING SETS (…), ROLLUP (…) or CUBE (…).
type GroupingSets struct {
	Base
	Kind GroupingKind
	Sets []*SimpleGroupBy
}

// NullsOrder says where nulls sort.
type NullsOrder uint8

// The null orders. NullsDefault is last for both directions, as in Trino.
const (
	NullsDefault NullsOrder = iota
	NullsFirst
	NullsLast
)

// String returns the keywords, or "" for NullsDefault.
func (o NullsOrder) String() string { return [...]string{"", "NULLS FIRST", "NULLS LAST"}[o] }

// SortItem is an element of ORDER BY.
type SortItem struct {
	Base
	Expr       Expression
	Descending bool
	Nulls      NullsOrder
}

// Offset is OFFSET n [ROWS]. Count is an *IntegerLiteral or a *Parameter.
type Offset struct {
	Base
	Count Expression
}

// Limit is LIMIT n, LIMIT ? or LIMIT ALL. Count is an *IntegerLiteral, a
// *Parameter, or nil for ALL.
type Limit struct {
	Base
	Count Expression
}

// FetchFirst is FETCH FIRST [n] ROWS ONLY | WITH TIES. Count is an
// *IntegerLiteral, a *Parameter, or nil for one row.
type FetchFirst struct {
	Base
	Count    Expression
	WithTies bool
}

// WindowDefinition is name AS (spec) in a WINDOW clause.
type WindowDefinition struct {
	Base
	Name *Identifier
	Spec *WindowSpec
}

// WindowSpec is a window in parentheses:
// ([name] [PARTITION BY …] [ORDER BY …] [frame]).
type WindowSpec struct {
	Base
	// Name refers to a window of the WINDOW clause that this one refines.
	Name        *Identifier
	PartitionBy []Expression
	OrderBy     []*SortItem
	Frame       *WindowFrame
}

// WindowRef is OVER name.
type WindowRef struct {
	Base
	Name *Identifier
}

// FrameUnit is the unit of a window frame.
type FrameUnit uint8

// The frame units.
const (
	FrameRange FrameUnit = iota
	FrameRows
	FrameGroups
)

// String returns the keyword.
func (u FrameUnit) String() string { return [...]string{"RANGE", "ROWS", "GROUPS"}[u] }

// WindowFrame is ROWS|RANGE|GROUPS start, or … BETWEEN start AND end.
type WindowFrame struct {
	Base
	Unit  FrameUnit
	Start *FrameBound
	// End is nil in the short form, which means CURRENT ROW.
	End *FrameBound
}

// BoundKind is the kind of a frame bound.
type BoundKind uint8

// The frame bounds, in the order of the rows they can name.
const (
	UnboundedPreceding BoundKind = iota
	Preceding
	CurrentRow
	Following
	UnboundedFollowing
)

// String returns the keywords, without the value of Preceding and Following.
func (k BoundKind) String() string {
	return [...]string{
		"UNBOUNDED PRECEDING", "PRECEDING", "CURRENT ROW", "FOLLOWING", "UNBOUNDED FOLLOWING",
	}[k]
}

// FrameBound is one end of a window frame.
type FrameBound struct {
	Base
	Kind BoundKind
	// Value is the distance, set for Preceding and Following only.
	Value Expression
}

func (*Query) statement()               {}
func (*Query) queryBody()               {}
func (*Select) queryBody()              {}
func (*SetOperation) queryBody()        {}
func (*Values) queryBody()              {}
func (*TableBody) queryBody()           {}
func (*SingleColumn) selectItem()       {}
func (*AllColumns) selectItem()         {}
func (*SimpleGroupBy) groupingElement() {}
func (*GroupingSets) groupingElement()  {}
func (*WindowSpec) window()             {}
func (*WindowRef) window()              {}
