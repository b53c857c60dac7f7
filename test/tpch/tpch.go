// Package tpch holds the 22 queries of TPC-H and their right answers.
//
// The queries q01.sql … q22.sql use the standard's column names, its validation
// parameters (q11 with the fraction 0.0001 at every scale) and unqualified
// table names, so that they run wherever a session's catalog and schema hold
// the eight tables.
//
// The answers are those of dbgen-exact data with DECIMAL(15,2) columns, as in
// the Parquet files of tpchgen. Each has a header line, "name type" per column
// separated by "|", and one line a row in the query's own order, with values as
// the client protocol writes them and NULL for null. No query has ties in its
// ORDER BY keys at these scales (record.py, which wrote the answers and checked
// them against a second engine, makes sure of it), so the order is part of the
// answer.
package tpch

import (
	"embed"
	"fmt"
	"slices"
	"strings"
)

//go:embed q*.sql
var queryFiles embed.FS

//go:embed answers
var answerFiles embed.FS

// Scale names a recorded scale, spelled like the tpch connector's schema.
type Scale string

// The recorded scales.
const (
	Tiny Scale = "tiny" // scale factor 0.01
	SF1  Scale = "sf1"  // scale factor 1
)

// Query is one of the 22 queries.
type Query struct {
	Name string // q01 … q22
	SQL  string // no semicolon at the end
}

// Queries returns the 22 queries in order.
func Queries() []Query {
	var all []Query
	for i := 1; i <= 22; i++ {
		name := fmt.Sprintf("q%02d", i)
		text, err := queryFiles.ReadFile(name + ".sql")
		if err != nil {
			panic(err) // embedded: cannot fail once it compiles and the test passes
		}
		all = append(all, Query{Name: name, SQL: strings.TrimSpace(string(text))})
	}
	return all
}

// Answer is the recorded result of a query.
type Answer struct {
	Names []string   // column names
	Types []string   // column types, spelled as in the protocol: decimal(38, 2)
	Rows  [][]string // values as text, in order
}

// Load returns the answer of the named query at a scale.
func Load(scale Scale, name string) (*Answer, error) {
	text, err := answerFiles.ReadFile("answers/" + string(scale) + "/" + name + ".csv")
	if err != nil {
		return nil, fmt.Errorf("no answer of %s at %s: %w", name, scale, err)
	}
	return parseAnswer(string(text))
}

// parseAnswer reads the form described in the package comment.
func parseAnswer(text string) (*Answer, error) {
	header, body, ok := strings.Cut(text, "\n")
	if !ok {
		return nil, fmt.Errorf("answer has no header line")
	}
	a := &Answer{}
	for _, column := range strings.Split(header, "|") {
		name, kind, ok := strings.Cut(column, " ")
		if !ok {
			return nil, fmt.Errorf("answer column %q has no type", column)
		}
		a.Names, a.Types = append(a.Names, name), append(a.Types, kind)
	}
	for line := range strings.Lines(body) {
		row := strings.Split(strings.TrimSuffix(line, "\n"), "|")
		if len(row) != len(a.Names) {
			return nil, fmt.Errorf("answer row %q has %d values, want %d", line, len(row), len(a.Names))
		}
		a.Rows = append(a.Rows, row)
	}
	return a, nil
}

// Check compares rows, given as protocol texts with NULL for null, with the
// answer: values exactly, rows in order. It returns nil or an error that shows
// the first difference.
func (a *Answer) Check(rows [][]string) error {
	for i, want := range a.Rows {
		if i >= len(rows) {
			break
		}
		if !slices.Equal(want, rows[i]) {
			return fmt.Errorf("row %d is %s, want %s", i+1, strings.Join(rows[i], "|"), strings.Join(want, "|"))
		}
	}
	if len(rows) != len(a.Rows) {
		return fmt.Errorf("%d rows, want %d", len(rows), len(a.Rows))
	}
	return nil
}
