package ast

import (
	"strings"

	"github.com/tuttidb/tutti/internal/qerr"
)

// Node is any node of the tree.
type Node interface {
	// Pos is where errors about the node are reported; see the package
	// comment. It is the zero Pos for nodes made by hand.
	Pos() qerr.Pos
}

// Statement is a whole statement. Query is one too.
type Statement interface {
	Node
	statement()
}

// QueryBody is a query without WITH, ORDER BY and LIMIT: *Select,
// *SetOperation, *Values, *TableBody, or *Query when in parentheses.
type QueryBody interface {
	Node
	queryBody()
}

// Relation is what may stand in FROM.
type Relation interface {
	Node
	relation()
}

// Expression is any expression or predicate.
type Expression interface {
	Node
	expression()
}

// SelectItem is an element of a SELECT list: *SingleColumn or *AllColumns.
type SelectItem interface {
	Node
	selectItem()
}

// GroupingElement is an element of GROUP BY: *SimpleGroupBy or *GroupingSets.
type GroupingElement interface {
	Node
	groupingElement()
}

// Window is what follows OVER: *WindowSpec or *WindowRef.
type Window interface {
	Node
	window()
}

// DataType is a type as written: *GenericType, *DateTimeType, *RowType or
// *IntervalType.
type DataType interface {
	TypeArgument
	dataType()
}

// TypeArgument is a parameter of a type: a DataType or a *TypeNumber.
type TypeArgument interface {
	Node
	typeArgument()
}

// TableElement is an element of CREATE TABLE: *ColumnDefinition or *LikeClause.
type TableElement interface {
	Node
	tableElement()
}

// Base carries a node's position; every node embeds it.
type Base struct{ pos qerr.Pos }

// At makes the Base of a node at pos.
func At(pos qerr.Pos) Base { return Base{pos} }

// Pos returns the node's position.
func (b Base) Pos() qerr.Pos { return b.pos }

// Identifier is one name. As an Expression it is a reference to a column.
type Identifier struct {
	Base
	// Name is the text as written, without quotes and with "" undone.
	Name string
	// Quoted says that it was written in double quotes.
	Quoted bool
}

// Fold returns the name in lower case, for comparing and looking up: Trino
// compares names case-insensitively even when they are quoted.
func (i *Identifier) Fold() string { return strings.ToLower(i.Name) }

// QualifiedName is a dotted name such as catalog.schema.table.
type QualifiedName struct {
	Base
	// Parts has at least one element.
	Parts []*Identifier
}

// Name makes a name without position from plain parts. Format quotes those
// that need it.
func Name(parts ...string) *QualifiedName {
	n := &QualifiedName{}
	for _, p := range parts {
		n.Parts = append(n.Parts, &Identifier{Name: p})
	}
	return n
}

// Fold returns the parts in lower case.
func (q *QualifiedName) Fold() []string {
	out := make([]string, len(q.Parts))
	for i, p := range q.Parts {
		out[i] = p.Fold()
	}
	return out
}

// String returns the parts as written, joined by dots and without quotes, as
// Trino prints names in messages.
func (q *QualifiedName) String() string {
	parts := make([]string, len(q.Parts))
	for i, p := range q.Parts {
		parts[i] = p.Name
	}
	return strings.Join(parts, ".")
}

// Last returns the last part.
func (q *QualifiedName) Last() *Identifier { return q.Parts[len(q.Parts)-1] }

// DereferenceName turns an Identifier or a chain of Dereferences over one
// (a.b.c) into the name it spells, or returns nil for any other expression.
func DereferenceName(e Expression) *QualifiedName {
	var reversed []*Identifier
	for {
		switch x := e.(type) {
		case *Identifier:
			reversed = append(reversed, x)
			for l, r := 0, len(reversed)-1; l < r; l, r = l+1, r-1 {
				reversed[l], reversed[r] = reversed[r], reversed[l]
			}
			return &QualifiedName{Base: x.Base, Parts: reversed}
		case *Dereference:
			reversed = append(reversed, x.Field)
			e = x.Target
		default:
			return nil
		}
	}
}
