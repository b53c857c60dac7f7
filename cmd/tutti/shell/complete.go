package shell

import (
	"context"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/tuttidb/tutti/cmd/tutti/shell/lineedit"
)

// How long the server may take to answer for a completion, and how long its
// answers (and its failures) are believed.
const (
	lookupTimeout = 2 * time.Second
	lookupFresh   = time.Minute
	lookupRetry   = 5 * time.Second
)

// completer finds candidates. Names come from the server when first needed.
type completer struct {
	backend Backend
	now     func() time.Time

	mu    sync.Mutex
	cache map[string]lookup
}

type lookup struct {
	rows  [][]string
	until time.Time
}

func newCompleter(b Backend) *completer {
	return &completer{backend: b, now: time.Now, cache: map[string]lookup{}}
}

// forget drops what is known of the server.
func (c *completer) forget() {
	c.mu.Lock()
	defer c.mu.Unlock()
	clear(c.cache)
}

// ask returns the text of a statement's rows, or none when it fails: a
// completion is a help, not a place for errors.
func (c *completer) ask(sql string) [][]string {
	c.mu.Lock()
	defer c.mu.Unlock()
	if l, ok := c.cache[sql]; ok && c.now().Before(l.until) {
		return l.rows
	}
	rows, err := c.fetch(sql)
	l := lookup{rows: rows, until: c.now().Add(lookupFresh)}
	if err != nil {
		l = lookup{until: c.now().Add(lookupRetry)}
	}
	c.cache[sql] = l
	return l.rows
}

func (c *completer) fetch(sql string) ([][]string, error) {
	ctx, stop := context.WithTimeout(context.Background(), lookupTimeout)
	defer stop()
	res, err := c.backend.Execute(ctx, sql)
	if err != nil {
		return nil, err
	}
	defer res.Close()
	var out [][]string
	err = collect(ctx, res, func(row []string) { out = append(out, row) })
	return out, err
}

// wordBreak is what ends a word that is being completed: all but the
// characters of names, quoted or not, and the dots between them.
var (
	lastWord = regexp.MustCompile(`[\w$."]*$`)
	// tableRef finds the tables of a statement with their aliases.
	tableRef = regexp.MustCompile(`(?i)\b(?:from|join|into|update)\s+([\w$."]+)(?:\s+(?:as\s+)?([a-z_]\w*))?`)
	// tablesFollow ends where the name of a table is due.
	tablesFollow = regexp.MustCompile(`(?i)\b(?:from|join|into|update|table|describe|desc|analyze|columns\s+from|stats\s+for)\s+$`)
	namesFollow  = regexp.MustCompile(`(?i)\b(?:use|schemas\s+from|tables\s+from|tables\s+in|schema)\s+$`)
)

// complete returns the word before the cursor and what it could become. head
// is the input up to the cursor, tail what follows it.
func (c *completer) complete(head, tail string) (word string, items []lineedit.Candidate) {
	if strings.HasPrefix(strings.TrimSpace(head), `\`) {
		return c.completeCommand(strings.TrimLeft(head, " \t\n"))
	}
	var sp splitter
	sp.add(head)
	word = lastWord.FindString(head)
	if sp.state == inString || sp.state == inLineComment || sp.state == inBlockComment {
		return word, nil
	}
	before := head[:len(head)-len(word)]
	switch {
	case tablesFollow.MatchString(before):
		items = c.relations(word)
	case namesFollow.MatchString(before):
		items = c.namespaces(word)
	case strings.Contains(word, "."):
		items = c.columns(head+tail, word)
	default:
		items = c.columns(head+tail, word)
		items = append(items, c.functions(word)...)
		items = append(items, keywordCandidates(word)...)
	}
	return word, matching(items, word)
}

func (c *completer) completeCommand(head string) (string, []lineedit.Candidate) {
	name, arg, hasArg := strings.Cut(head, " ")
	var items []lineedit.Candidate
	switch {
	case !hasArg:
		for _, m := range metaCommands() {
			items = append(items, lineedit.Candidate{Text: m.names[0], Show: m.names[0], About: m.help})
		}
		return name, matching(items, name)
	case name == `\mode` || name == `\format`:
		for _, f := range Formats() {
			items = append(items, lineedit.Candidate{Text: string(f), Show: string(f)})
		}
	case name == `\d`:
		items = c.relations(arg)
	case name == `\c` || name == `\dn` || name == `\dt`:
		items = c.namespaces(arg)
	}
	return arg, matching(items, arg)
}

// matching keeps the candidates that begin like word, each text once.
func matching(items []lineedit.Candidate, word string) []lineedit.Candidate {
	seen := map[string]bool{}
	return slices.DeleteFunc(items, func(it lineedit.Candidate) bool {
		drop := seen[it.Text] || len(it.Text) < len(word) || !strings.EqualFold(it.Text[:len(word)], word)
		seen[it.Text] = true
		return drop
	})
}

// names turns the first column of an answer into candidates behind a
// qualifier such as "tpch.".
func names(rows [][]string, qualifier string) []lineedit.Candidate {
	out := make([]lineedit.Candidate, 0, len(rows))
	for _, r := range rows {
		it := lineedit.Candidate{Text: qualifier + quoteName(r[0]), Show: r[0]}
		if len(r) > 1 {
			it.About = r[1]
		}
		out = append(out, it)
	}
	return out
}

var plainName = regexp.MustCompile(`^[a-z_][a-z0-9_]*$`)

func quoteName(s string) string {
	if plainName.MatchString(s) {
		return s
	}
	return `"` + strings.ReplaceAll(s, `"`, `""`) + `"`
}

// unquoteName is the name that an SQL identifier means.
func unquoteName(s string) string {
	if strings.HasPrefix(s, `"`) {
		return strings.ReplaceAll(strings.Trim(s, `"`), `""`, `"`)
	}
	return strings.ToLower(s)
}

// quoted writes a name as a quoted identifier.
func quoted(s string) string { return `"` + strings.ReplaceAll(s, `"`, `""`) + `"` }

// qualifier splits a dotted word into its names before the last dot.
func qualifier(word string) (parts []string, text string) {
	i := strings.LastIndexByte(word, '.')
	if i < 0 {
		return nil, ""
	}
	for _, p := range strings.Split(word[:i], ".") {
		parts = append(parts, unquoteName(p))
	}
	return parts, word[:i+1]
}

func (c *completer) catalogs() [][]string { return c.ask("SHOW CATALOGS") }

func (c *completer) schemas(catalog string) [][]string {
	if catalog == "" {
		return nil
	}
	return c.ask("SHOW SCHEMAS FROM " + quoted(catalog))
}

func (c *completer) tables(catalog, schema string) [][]string {
	if catalog == "" || schema == "" {
		return nil
	}
	return c.ask("SHOW TABLES FROM " + quoted(catalog) + "." + quoted(schema))
}

// relations are candidates where a table is due.
func (c *completer) relations(word string) []lineedit.Candidate {
	catalog, schema := c.backend.Namespace()
	parts, q := qualifier(word)
	switch len(parts) {
	case 0:
		return append(names(c.tables(catalog, schema), ""), c.namespaces(word)...)
	case 1:
		return append(names(c.tables(catalog, parts[0]), q), names(c.schemas(parts[0]), q)...)
	case 2:
		return names(c.tables(parts[0], parts[1]), q)
	}
	return nil
}

// namespaces are candidates where a catalog or schema is due.
func (c *completer) namespaces(word string) []lineedit.Candidate {
	catalog, _ := c.backend.Namespace()
	parts, q := qualifier(word)
	switch len(parts) {
	case 0:
		return append(names(c.schemas(catalog), ""), names(c.catalogs(), "")...)
	case 1:
		return names(c.schemas(parts[0]), q)
	}
	return nil
}

// columns are candidates from the tables that the statement names. Behind a
// dot only those of the table or alias before it.
func (c *completer) columns(text, word string) []lineedit.Candidate {
	parts, q := qualifier(word)
	var out []lineedit.Candidate
	for _, m := range tableRef.FindAllStringSubmatch(text, 8) {
		path := strings.Split(m[1], ".")
		table, alias := unquoteName(path[len(path)-1]), unquoteName(m[2])
		if len(parts) > 0 {
			if last := parts[len(parts)-1]; last != table && last != alias {
				continue
			}
		}
		out = append(out, names(c.columnsOf(path), q)...)
	}
	return out
}

func (c *completer) columnsOf(path []string) [][]string {
	catalog, schema := c.backend.Namespace()
	table := unquoteName(path[len(path)-1])
	if len(path) > 1 {
		schema = unquoteName(path[len(path)-2])
	}
	if len(path) > 2 {
		catalog = unquoteName(path[len(path)-3])
	}
	if catalog == "" || schema == "" || table == "" {
		return nil
	}
	return c.ask("SELECT column_name, data_type FROM " + quoted(catalog) + ".information_schema.columns WHERE table_schema = " +
		sqlString(schema) + " AND table_name = " + sqlString(table) + " ORDER BY ordinal_position")
}

// functions are offered from the second letter on: there are hundreds.
func (c *completer) functions(word string) []lineedit.Candidate {
	if len(word) < 2 {
		return nil
	}
	var out []lineedit.Candidate
	for _, r := range c.ask("SHOW FUNCTIONS") {
		if name := r[0]; plainName.MatchString(name) {
			out = append(out, lineedit.Candidate{Text: name + "(", Show: name})
		}
	}
	return out
}

// keywordCandidates follow the case in which the word is being written.
func keywordCandidates(word string) []lineedit.Candidate {
	if word == "" {
		return nil
	}
	lower := word != strings.ToUpper(word)
	out := make([]lineedit.Candidate, 0, len(keywords))
	for k := range keywords {
		if lower {
			k = strings.ToLower(k)
		}
		out = append(out, lineedit.Candidate{Text: k, Show: k})
	}
	slices.SortFunc(out, func(a, b lineedit.Candidate) int { return strings.Compare(a.Text, b.Text) })
	return out
}
