// Package analyzer gives a syntax tree its meaning: it finds the tables and
// columns that names stand for, gives every expression a type, makes implicit
// coercions explicit, checks what SQL demands of grouping, ordering and
// subqueries, and returns a bound tree that no longer depends on text.
//
// It follows Trino: the same queries are accepted, and those that are not fail
// with Trino's error code, text and position. Where Trino refuses a query for
// want of a plan (some correlated subqueries), Tutti accepts it.
//
// # The bound tree
//
// Relations (Scan, Values, Join, Unnest, SetOperation, Select, Query) hold
// expressions of package expr. Every column gets an expr.ColumnID from the
// query's Allocator where it comes to life and keeps it wherever it is passed
// on, so there are no qualified names, positions or scopes any more.
//
// A subquery inside an expression is a Subquery beside it: the expression
// refers to the subquery's value through the column Subquery.Result, as if a
// column of that ID were computed before the expression. A correlated
// subquery just refers to columns of the enclosing query by ID. The planner
// (planner/build) turns both into joins.
//
// Common table expressions are bound anew for each reference, with fresh
// columns.
//
// # How it works
//
// Query calls analyze the body first, because ORDER BY may use its columns. A
// SELECT is bound in the order FROM, WHERE, GROUP BY, SELECT, HAVING, ORDER
// BY. Names are looked up in a chain of scopes: the innermost query's columns
// first, then those of the queries around it. In a grouped query expressions
// are first bound over FROM's columns and then rewritten over the grouping's
// (see grouping.rewrite), where what is neither a key nor an aggregate is an
// error.
package analyzer
