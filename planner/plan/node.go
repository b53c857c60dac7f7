// Package plan is the query plan: data and a printer, no decisions.
//
// A plan is a tree of Nodes. Every column that a node produces has an ID that
// is unique in the query, so an expression means the same wherever a rule
// moves it, and a node's inputs are found by ID, never by position. A
// Fragment is a piece of the plan that runs as one stage; fragments refer to
// each other through RemoteSource nodes and form a DAG.
//
// Nodes are immutable once built: rules make new ones and share what did not
// change.
package plan

import (
	"github.com/tuttidb/tutti/connectors"
	"github.com/tuttidb/tutti/sql/expr"
	"github.com/tuttidb/tutti/sql/types"
)

// NodeID numbers the nodes of a plan from 1, for statistics and EXPLAIN;
// given out after optimizing (fragment.Number), 0 before.
type NodeID int32

// Column is a column that a node produces.
type Column struct {
	ID   expr.ColumnID
	Name string
	Type types.Type
}

// Ref returns an expression that refers to c.
func (c Column) Ref() *expr.Column { return &expr.Column{ID: c.ID, Typ: c.Type, Name: c.Name} }

// Node is a relational operator: one of the types of this package.
type Node interface {
	// Inputs returns the nodes that feed this one.
	Inputs() []Node
	// WithInputs returns a copy with other inputs, as many as before.
	WithInputs(in []Node) Node
	// Outputs returns the columns that the node produces, in order.
	Outputs() []Column
	// Common returns what all nodes have.
	Common() *Base
}

// Base is what all nodes have. It is copied along with the node.
type Base struct {
	// ID is the node's number in the final plan.
	ID NodeID
	// Est is the optimizer's estimate, nil where none was made.
	Est *Estimate
}

// Estimate is what the optimizer believes about a node's output; NaN means
// unknown.
type Estimate struct {
	Rows, Bytes float64
}

// Common returns the node's common part.
func (b *Base) Common() *Base { return b }

// Scan reads a table.
type Scan struct {
	Base
	Catalog string
	Table   *connectors.Table
	// Columns are what is read; Ordinals[i] is Columns[i]'s index in Table.Columns.
	Columns  []Column
	Ordinals []int
	// Predicate is what the connector enforces; Hint is what it may use to skip
	// data while a Filter above still applies it. Both may be nil, and both
	// refer to Columns by ID.
	Predicate, Hint expr.Expr
	// FilterOnly are columns that only Predicate needs.
	FilterOnly []expr.ColumnID
	// Limit is the number of rows after which nobody reads on; -1: all.
	Limit int64
	// Dynamic are the filters that joins above feed at run time.
	Dynamic []DynamicUse
}

// DynamicUse ties a dynamic filter to a column of a scan.
type DynamicUse struct {
	Filter DynamicID
	Column expr.ColumnID
}

// DynamicID numbers a plan's dynamic filters.
type DynamicID int32

// Values produces constant rows.
type Values struct {
	Base
	Columns []Column
	// Rows hold constant expressions, one a column.
	Rows [][]expr.Expr
}

// Filter keeps the rows for which Predicate is true.
type Filter struct {
	Base
	Input     Node
	Predicate expr.Expr
}

// Assignment computes a column.
type Assignment struct {
	Column Column
	Expr   expr.Expr
}

// Project computes columns. An assignment whose expression is a plain column
// of the same ID passes it through.
type Project struct {
	Base
	Input Node
	Cols  []Assignment
}

// Step says which part of a two-step operation a node does.
type Step uint8

// The steps.
const (
	Single  Step = iota // all of it
	Partial             // per task, before the exchange: states or candidates
	Final               // merges what Partial made
)

// Agg is one aggregate of an Aggregate node. Its arguments, filter and order
// keys are column references of the input; in the Final step the arguments
// are the state columns that Partial produced, in order.
type Agg struct {
	// Column is the result (Single, Final); unused in Partial.
	Column Column
	// State are the columns that Partial produces, by Call.Fn.State.
	State []Column
	Call  *expr.Aggregate
}

// Aggregate groups by Keys (plain columns of the input) and aggregates. No
// Aggs makes it a DISTINCT. No Keys gives one row even for no input (Single,
// Final).
type Aggregate struct {
	Base
	Input Node
	Keys  []Column
	Aggs  []Agg
	Step  Step
}

// JoinKind is the kind of a join. Left is the probe side, Right the build side.
type JoinKind uint8

// The kinds of join.
const (
	InnerJoin JoinKind = iota
	LeftJoin
	RightJoin
	FullJoin
	// SemiJoin keeps left rows with a match, AntiJoin those without; both output
	// left columns only.
	SemiJoin
	AntiJoin
	// NullAwareAntiJoin is NOT IN on its single key: no row if the right side
	// has a null key; left rows with null keys only if the right side is empty.
	NullAwareAntiJoin
	// MarkJoin outputs the left columns and Mark: true with a match, null where
	// SQL's IN is null if NullAware, else false.
	MarkJoin
)

// EquiKey is an equality between a left and a right column of one type.
type EquiKey struct {
	Left, Right Column
}

// Distribution says how a join's sides meet.
type Distribution uint8

// The distributions.
const (
	Undecided   Distribution = iota
	Partitioned              // both sides hashed on the keys
	Broadcast                // the right side copied to every task
)

// Join joins Left and Right. Without keys it is a nested-loop join, whose
// right side is always broadcast or gathered.
type Join struct {
	Base
	Kind        JoinKind
	Left, Right Node
	Keys        []EquiKey
	// Filter is the rest of the condition, over both sides' columns; nil: none.
	Filter expr.Expr
	// Mark is the result column of a MarkJoin; NullAware is IN's rule.
	Mark      Column
	NullAware bool
	Dist      Distribution
	// Dynamic are the filters that the build side makes for scans below Left.
	Dynamic []DynamicSource
	// Cols are the columns that are output, of those the kind allows; nil: all.
	Cols []Column
}

// DynamicSource ties a dynamic filter to the build column it is made of.
type DynamicSource struct {
	Filter DynamicID
	Column Column
}

// SortKey is a column to sort by.
type SortKey struct {
	Column     Column
	Descending bool
	NullsFirst bool
}

// Sort orders all rows (Single) or each task's rows (Partial).
type Sort struct {
	Base
	Input Node
	Keys  []SortKey
	Step  Step
}

// TopN keeps the first N rows in order.
type TopN struct {
	Base
	Input Node
	Keys  []SortKey
	N     int64
	Step  Step
}

// Limit skips Offset rows and keeps N (-1: all). Partial limits skip none.
type Limit struct {
	Base
	Input     Node
	N, Offset int64
	Step      Step
}

// Union concatenates its inputs. Sources[i][j] is the column of input i that
// becomes Columns[j].
type Union struct {
	Base
	In      []Node
	Columns []Column
	Sources [][]Column
}

// SingleRow passes the one row of its input, a row of nulls for none, and
// fails with SUBQUERY_MULTIPLE_ROWS for more.
type SingleRow struct {
	Base
	Input Node
}

// UniqueID adds a bigint column that differs in each row of the whole stage.
type UniqueID struct {
	Base
	Input  Node
	Column Column
}

// RowNumber numbers the rows of each partition from 1, in the order of Keys
// (any order for none), and keeps those up to Limit (-1: all). Its input is
// hashed on Partition.
type RowNumber struct {
	Base
	Input     Node
	Partition []Column
	Keys      []SortKey
	Column    Column
	Limit     int64
}

// MarkDistinct adds a boolean column that is true in the first row of each
// combination of Keys and false in its repeats.
type MarkDistinct struct {
	Base
	Input  Node
	Keys   []Column
	Column Column
}

// Unnest expands arrays and maps: for each input row, as many rows as the
// longest of Exprs (plain columns) has elements, beside the replicated
// columns. Outer keeps input rows without elements.
type Unnest struct {
	Base
	Input      Node
	Replicate  []Column
	Exprs      []Column
	Columns    [][]Column // for each of Exprs, the columns it becomes
	Ordinality *Column
	Outer      bool
}

// Shared is one of several places that read the rows of Input, which are
// computed once: all Shared nodes of one Class have the same Input. Like
// exchanges, they are gone once the plan is cut into fragments.
type Shared struct {
	Base
	Input Node
	Class int
}

// Output names the columns of the result, in order; it is the root of the
// root fragment.
type Output struct {
	Base
	Input Node
	Cols  []Column
	Names []string
}

// Write inserts its input into a table and outputs one row, the count.
type Write struct {
	Base
	Input         Node
	Catalog       string
	Schema, Table string
	// Create makes the table first, for CREATE TABLE AS; nil: it is there.
	Create []connectors.Column
	Cols   []Column
	Count  Column
}
