// Package build turns the analyzer's bound tree into a logical plan without
// subqueries.
//
// It works in two steps. The first follows the bound tree from the inside
// out: FROM, WHERE, GROUP BY, HAVING, SELECT, DISTINCT, ORDER BY, LIMIT. Where
// an expression refers to a subquery's value, or a relation to columns beside
// it (LATERAL, UNNEST), an apply node says: for each row of the left side
// evaluate the right side, whose expressions may refer to the left's columns.
//
// The second step (decorrelate.go) turns every apply into joins. It knows two
// ways:
//
//   - pull (pull.go) lifts the conditions that refer to the outside up through
//     the right side until they can be the join's condition. What stands
//     between, such as an aggregation, gets the compared columns as further
//     keys. This gives the plans that one would write by hand: semi joins, or
//     a join with a grouped table.
//   - push (push.go) does what pull cannot. It carries the left side's rows
//     down into the right side, each with a unique number where that is
//     needed to keep them apart, until the reference is to a column that is
//     simply there. This is always possible; see Galindo-Legaria and Joshi,
//     "Orthogonal Optimization of Subqueries and Aggregation" (SIGMOD 2001),
//     and Neumann and Kemper, "Unnesting Arbitrary Queries" (BTW 2015).
//
// The result is correct but naive in one more respect: joins stand in the
// order of FROM with the conditions of WHERE above them, and scans read every
// column. The optimizer puts that right.
package build
