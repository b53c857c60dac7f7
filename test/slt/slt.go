// Package slt runs the SQL corpus: files of queries with their right results,
// in sqllogictest form, against anything that executes SQL.
//
// A file of corpus/ is a list of blocks with an empty line between them:
//
//	# a comment
//
//	statement ok
//	CREATE TABLE memory.default.t (a bigint)
//
//	statement error COLUMN_NOT_FOUND: line 1:8: Column 'x' cannot be resolved
//	SELECT x
//
//	# -> name varchar(25), keys bigint
//	query TI rowsort
//	SELECT name, sum(nationkey) AS keys FROM nation GROUP BY name
//	----
//	ALGERIA	0
//	BRAZIL	2
//
// The pattern of "statement error" is a regular expression that must match the
// whole text "ERROR_NAME: message". The letters after "query" are one a column:
// I integers, R decimals, reals and doubles, T everything else; then comes
// nosort (the query fixes the order), rowsort or valuesort. The optional line
// "# ->" before it lists the columns' names and types as the protocol spells
// them, and is checked too.
//
// Results have one line a row and a tab between values. Values are the texts of
// the client protocol: NULL for null, (empty) for an empty string, true and
// false, binary as base64, arrays and rows as JSON without blanks and maps with
// sorted keys. Within a value \t, \n, \r and \\ are escaped, and blanks at its
// ends are written \s. Reals and doubles are compared within 1e-6 and 1e-9
// relative, everything else as text: a decimal must have the right scale.
//
// The corpus' expected results come from Trino 476 and are checked against
// DuckDB; see record/record.py. Queries name tables of the catalog tpch, schema
// tiny, without qualification (the session's default), and those of catalog
// tpchstd (column names and decimals of the TPC-H standard) in full.
package slt

import (
	"bufio"
	"embed"
	"fmt"
	"io"
	"io/fs"
	"regexp"
	"strings"
)

//go:embed corpus
var corpus embed.FS

// Corpus returns the corpus' files.
func Corpus() fs.FS {
	sub, err := fs.Sub(corpus, "corpus")
	if err != nil {
		panic(err) // the folder is embedded above
	}
	return sub
}

// Kind is the kind of a Record.
type Kind int

// The kinds of records.
const (
	StatementOK Kind = iota
	StatementError
	Query
)

// SortMode says how rows are put in order before they are compared.
type SortMode string

// The sort modes of sqllogictest.
const (
	NoSort    SortMode = "nosort"
	RowSort   SortMode = "rowsort"
	ValueSort SortMode = "valuesort"
)

// Record is one block of a file that runs something.
type Record struct {
	Line    int // of the block's header, from 1
	Kind    Kind
	SQL     string
	Error   *regexp.Regexp // StatementError: matches the whole text
	Letters string         // Query: I, R or T a column
	Sort    SortMode
	Columns string     // Query: "name type, …"; empty when not given
	Rows    [][]string // Query: expected values, unescaped
}

// Parse reads a file. The name is for errors.
func Parse(name string, r io.Reader) ([]Record, error) {
	var records []Record
	var block []string
	line, start := 0, 0
	flush := func() error {
		if len(block) == 0 {
			return nil
		}
		rec, err := parseBlock(block, start)
		if err != nil {
			return fmt.Errorf("%s:%d: %w", name, start, err)
		}
		if rec != nil {
			records = append(records, *rec)
		}
		block = block[:0]
		return nil
	}
	scanner := bufio.NewScanner(r)
	scanner.Buffer(nil, 1<<20)
	for scanner.Scan() {
		line++
		text := scanner.Text()
		if text != "" {
			if len(block) == 0 {
				start = line
			}
			block = append(block, text)
			continue
		}
		if err := flush(); err != nil {
			return nil, err
		}
	}
	if err := scanner.Err(); err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return records, flush()
}

const columnsMark = "# -> "

// parseBlock returns nil for a block of comments only.
func parseBlock(lines []string, line int) (*Record, error) {
	rec := &Record{}
	for len(lines) > 0 && strings.HasPrefix(lines[0], "#") {
		if columns, ok := strings.CutPrefix(lines[0], columnsMark); ok {
			rec.Columns = columns
		}
		lines, line = lines[1:], line+1
	}
	if len(lines) == 0 {
		return nil, nil
	}
	rec.Line = line
	if err := rec.parseHeader(lines[0]); err != nil {
		return nil, err
	}
	sql, results, separated := cutLine(lines[1:], "----")
	rec.SQL = strings.Join(sql, "\n")
	switch {
	case rec.SQL == "":
		return nil, fmt.Errorf("no SQL after %q", lines[0])
	case separated != (rec.Kind == Query):
		return nil, fmt.Errorf("---- belongs after a query, and only there")
	}
	for _, text := range results {
		row := strings.Split(text, "\t")
		if len(row) != len(rec.Letters) {
			return nil, fmt.Errorf("row %q has %d values, want %d", text, len(row), len(rec.Letters))
		}
		for i := range row {
			row[i] = unescape(row[i])
		}
		rec.Rows = append(rec.Rows, row)
	}
	return rec, nil
}

// cutLine splits lines at the first one equal to mark.
func cutLine(lines []string, mark string) (before, after []string, found bool) {
	for i, text := range lines {
		if text == mark {
			return lines[:i], lines[i+1:], true
		}
	}
	return lines, nil, false
}

func (rec *Record) parseHeader(header string) error {
	if header == "statement ok" {
		rec.Kind = StatementOK
		return nil
	}
	if pattern, ok := strings.CutPrefix(header, "statement error "); ok {
		rec.Kind = StatementError
		var err error
		rec.Error, err = regexp.Compile(`(?s)\A(?:` + pattern + `)\z`)
		return err
	}
	words := strings.Fields(header)
	if len(words) < 2 || len(words) > 3 || words[0] != "query" {
		return fmt.Errorf("unknown record %q", header)
	}
	rec.Kind, rec.Letters, rec.Sort = Query, words[1], NoSort
	if strings.Trim(rec.Letters, "IRT") != "" {
		return fmt.Errorf("unknown column letters %q", rec.Letters)
	}
	if len(words) == 3 {
		rec.Sort = SortMode(words[2])
	}
	switch rec.Sort {
	case NoSort, RowSort, ValueSort:
		return nil
	}
	return fmt.Errorf("unknown sort mode %q", rec.Sort)
}

var (
	escaper   = strings.NewReplacer(`\`, `\\`, "\t", `\t`, "\n", `\n`, "\r", `\r`)
	unescaper = strings.NewReplacer(`\\`, `\`, `\t`, "\t", `\n`, "\n", `\r`, "\r", `\s`, " ")
)

// unescape turns a value as written in a file into the value.
func unescape(text string) string { return unescaper.Replace(text) }

// Escape turns a value into what a file holds.
func Escape(value string) string {
	text := escaper.Replace(value)
	inner := strings.TrimLeft(text, " ")
	left := len(text) - len(inner)
	body := strings.TrimRight(inner, " ")
	return strings.Repeat(`\s`, left) + body + strings.Repeat(`\s`, len(inner)-len(body))
}
