package analyzer

import (
	"github.com/tuttidb/tutti/internal/qerr"
	"github.com/tuttidb/tutti/sql/types"
)

// The limits of a statement. The parser bounds the length of the text and the
// height of its tree, but a short text can still mean a lot: a WITH query that
// is named twice doubles what it reads, and forty of them in a row read a
// thousand billion tables. What is over a limit fails at once, with a place in
// the text, rather than take the process's memory.
const (
	// maxRelations is the most tables and queries that a statement may read,
	// those of WITH counted as often as they are named.
	maxRelations = 5000
	// maxQueryDepth is how deeply queries may be nested; planning takes more
	// than linear time in it.
	maxQueryDepth = 300
	// maxTypeDepth is how deeply arrays, maps and rows may be nested.
	maxTypeDepth = 100
)

// countRelation counts a table or query that the statement reads.
func (a *Analyzer) countRelation(pos qerr.Pos) error {
	a.relations++
	if a.relations > maxRelations {
		return qerr.At(qerr.StackOverflow, pos,
			"statement is too large: it reads more than %d tables and subqueries, those of WITH counted as often as they are named", maxRelations)
	}
	return nil
}

// enterQuery begins a query within the current one; leaveQuery ends it.
func (a *Analyzer) enterQuery(pos qerr.Pos) error {
	a.depth++
	if a.depth > maxQueryDepth {
		return qerr.At(qerr.StackOverflow, pos, "statement is too large: queries are nested more than %d levels deep", maxQueryDepth)
	}
	return a.countRelation(pos)
}

func (a *Analyzer) leaveQuery() { a.depth-- }

// checkDepth fails for a type that is nested too deeply.
func checkDepth(t types.Type, pos qerr.Pos) error {
	if deeper(t, maxTypeDepth) {
		return qerr.At(qerr.StackOverflow, pos, "statement is too large: a type is nested more than %d levels deep", maxTypeDepth)
	}
	return nil
}

// deeper reports whether a type has more than n levels.
func deeper(t types.Type, n int) bool {
	if n == 0 {
		return true
	}
	if t.Kind != types.Array && t.Kind != types.Map && t.Kind != types.Row {
		return false
	}
	for _, e := range t.Elems() {
		if deeper(e, n-1) {
			return true
		}
	}
	return false
}
