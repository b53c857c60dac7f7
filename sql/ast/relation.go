package ast

// Table is a table, view or common table expression by name.
type Table struct {
	Base
	Name *QualifiedName
	// Period asks for an old version of the table; nil for the current one.
	Period *QueryPeriod
}

// PeriodKind says how a QueryPeriod names a version.
type PeriodKind uint8

// The kinds of query periods.
const (
	PeriodTimestamp PeriodKind = iota
	PeriodVersion
)

// String returns the keyword.
func (k PeriodKind) String() string { return [...]string{"TIMESTAMP", "VERSION"}[k] }

// QueryPeriod is FOR TIMESTAMP | VERSION AS OF value.
type QueryPeriod struct {
	Base
	Kind PeriodKind
	End  Expression
}

// FileTable is a string where a table may stand: FROM 's3://b/p/*.parquet'.
// It is Tutti's addition to the dialect.
type FileTable struct {
	Base
	Path string
}

// SubqueryRelation is a query in parentheses in FROM.
type SubqueryRelation struct {
	Base
	Query *Query
}

// Lateral is LATERAL (query): the query sees the columns of the relations to
// its left.
type Lateral struct {
	Base
	Query *Query
}

// Unnest is UNNEST(e, …) [WITH ORDINALITY].
type Unnest struct {
	Base
	Exprs      []Expression
	Ordinality bool
}

// JoinType is the kind of a Join.
type JoinType uint8

// The join types.
const (
	InnerJoin JoinType = iota
	LeftJoin
	RightJoin
	FullJoin
	CrossJoin
)

// String returns the keyword.
func (t JoinType) String() string {
	return [...]string{"INNER", "LEFT", "RIGHT", "FULL", "CROSS"}[t]
}

// Join is an explicit join. For a CrossJoin none of On, Using and Natural is
// set, for any other type exactly one. Its position is that of Left.
type Join struct {
	Base
	Type        JoinType
	Left, Right Relation
	On          Expression
	Using       []*Identifier
	Natural     bool
}

// Aliased is relation [AS] alias [(columns)].
type Aliased struct {
	Base
	Relation Relation
	Alias    *Identifier
	Columns  []*Identifier
}

// SampleMethod is the method of TABLESAMPLE.
type SampleMethod uint8

// The sample methods.
const (
	Bernoulli SampleMethod = iota
	System
)

// String returns the keyword.
func (m SampleMethod) String() string { return [...]string{"BERNOULLI", "SYSTEM"}[m] }

// Sampled is relation TABLESAMPLE method (percentage).
type Sampled struct {
	Base
	Relation   Relation
	Method     SampleMethod
	Percentage Expression
}

// TableFunction is TABLE(f(args) [COPARTITION (t1, t2), …]).
type TableFunction struct {
	Base
	Name *QualifiedName
	Args []*TableFunctionArgument
	// Copartition lists the groups of table arguments that are partitioned
	// together.
	Copartition []*CopartitionGroup
}

// CopartitionGroup is one group of COPARTITION, of at least two tables.
type CopartitionGroup struct {
	Base
	Tables []*QualifiedName
}

// TableFunctionArgument is one argument of a table function. Exactly one of
// Expr, Table and Descriptor is set.
type TableFunctionArgument struct {
	Base
	// Name is set for name => value.
	Name       *Identifier
	Expr       Expression
	Table      *TableArgument
	Descriptor *Descriptor
}

// EmptyHandling says what a table function does with an empty table argument.
type EmptyHandling uint8

// The ways to handle an empty table argument.
const (
	EmptyDefault EmptyHandling = iota
	PruneWhenEmpty
	KeepWhenEmpty
)

// String returns the keywords, or "" for EmptyDefault.
func (e EmptyHandling) String() string {
	return [...]string{"", "PRUNE WHEN EMPTY", "KEEP WHEN EMPTY"}[e]
}

// TableArgument is TABLE(name or query) [AS alias] [PARTITION BY …]
// [PRUNE|KEEP WHEN EMPTY] [ORDER BY …].
type TableArgument struct {
	Base
	// Relation is a *Table or *SubqueryRelation, perhaps in an *Aliased.
	Relation Relation
	// Partitioned tells PARTITION BY () from no PARTITION BY.
	Partitioned bool
	PartitionBy []Expression
	Empty       EmptyHandling
	OrderBy     []*SortItem
}

// Descriptor is DESCRIPTOR(name [type], …), or CAST(NULL AS DESCRIPTOR) when
// Fields is empty.
type Descriptor struct {
	Base
	Fields []*DescriptorField
}

// DescriptorField is one field of a Descriptor; Type may be nil.
type DescriptorField struct {
	Base
	Name *Identifier
	Type DataType
}

func (*Table) relation()            {}
func (*FileTable) relation()        {}
func (*SubqueryRelation) relation() {}
func (*Lateral) relation()          {}
func (*Unnest) relation()           {}
func (*Join) relation()             {}
func (*Aliased) relation()          {}
func (*Sampled) relation()          {}
func (*TableFunction) relation()    {}
