// Package ast holds the syntax tree of Tutti's SQL, which is the dialect of
// Trino: one Go type for each kind of node, each with the position at which
// errors about it are reported.
//
// The tree says what was written and nothing about what it means: no types,
// no catalogs, no resolved names. sql/parser makes it, sql/analyzer reads it.
//
// # Kinds of nodes
//
// Every node is a pointer to a struct and implements Node. Small interfaces
// group them by the place where they may stand:
//
//   - Statement: what a client can send (Query is one of them);
//   - QueryBody: Select, SetOperation, Values, TableBody, and Query itself
//     for a query in parentheses;
//   - Relation: what may stand in FROM;
//   - Expression: all expressions, predicates included;
//   - SelectItem, Window, DataType, TypeArgument, TableElement, …: the rest.
//
// An optional part is a nil pointer, nil interface or empty slice. Parentheses
// leave no node behind: their only trace is the shape of the tree. The printer
// Format puts them back where the grammar needs them.
//
// # Shapes worth knowing
//
//   - AND and OR are n-ary: a AND b AND c is one Logical with three terms.
//   - Arithmetic, || and set operations are binary and lean to the left. The
//     parser bounds the height of the tree (parser.MaxDepth), so recursion
//     over it is safe.
//   - NOT BETWEEN, NOT IN, NOT LIKE, IS NOT NULL and IS NOT DISTINCT FROM are
//     flags on the predicate, while a free-standing NOT is a Not node.
//   - A minus sign directly in front of a number belongs to the literal, so
//     -9223372036854775808 is an IntegerLiteral.
//   - substring(x FROM a FOR b), position(a IN b) and normalize(x, NFD) become
//     plain FunctionCalls (substring, strpos, normalize), as in Trino.
//   - A dotted name in an expression is a chain of Dereference over an
//     Identifier; DereferenceName turns such a chain back into a name.
//   - SELECT's FROM list with commas is a slice; explicit joins are Join nodes.
//
// # Positions
//
// Pos is the place Trino names in errors: the start of a node, but the
// operator for arithmetic, ||, comparisons, IS, BETWEEN, IN, LIKE, AT TIME
// ZONE and set operations.
//
// # Names
//
// An Identifier keeps its text as written (without quotes, with "" undone) and
// whether it was quoted. Names compare case-insensitively whether quoted or
// not, as in Trino; use Identifier.Fold and QualifiedName.Fold for lookups.
package ast
