package shell

import (
	"bufio"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/tuttidb/tutti/client"
)

// Format names a form of output.
type Format string

// The formats. All but Table print rows as they arrive.
const (
	Table    Format = "table"
	CSV      Format = "csv"
	TSV      Format = "tsv"
	JSON     Format = "json"
	JSONL    Format = "jsonl"
	Markdown Format = "markdown"
	Vertical Format = "vertical"
)

// Formats lists the formats, for help texts and completion.
func Formats() []Format { return []Format{Table, CSV, TSV, JSON, JSONL, Markdown, Vertical} }

// ParseFormat checks a format's name; empty is Table.
func ParseFormat(s string) (Format, error) {
	f := Format(strings.ToLower(s))
	if f == "" {
		return Table, nil
	}
	if !slices.Contains(Formats(), f) {
		names := make([]string, 0, 8)
		for _, f := range Formats() {
			names = append(names, string(f))
		}
		return "", fmt.Errorf("unknown format %q: want one of %s", s, strings.Join(names, ", "))
	}
	return f, nil
}

// printer writes one result. begin comes first, then rows any number of
// times, then end; after a failure within the rows, fail instead of end.
type printer interface {
	begin(cols []client.Column)
	rows(rows [][]any)
	end()
	// fail ends the output after an error: what is held back is printed, what
	// would claim completeness is not.
	fail()
}

// look is how output appears on a terminal.
type look struct {
	width int // columns of the terminal, 0 if Out is none
	color bool
}

func newPrinter(f Format, w *bufio.Writer, l look) printer {
	switch f {
	case CSV:
		return &csvPrinter{lines: lines{w: w}}
	case TSV:
		return &tsvPrinter{lines: lines{w: w}}
	case JSON:
		return &jsonPrinter{lines: lines{w: w}, array: true}
	case JSONL:
		return &jsonPrinter{lines: lines{w: w}}
	case Markdown:
		return &markdownPrinter{lines: lines{w: w}}
	case Vertical:
		return &verticalPrinter{lines: lines{w: w}, look: l}
	}
	return &tablePrinter{w: w, look: l}
}

// lines is what the streaming printers share.
type lines struct {
	w    *bufio.Writer
	cols []client.Column
}

func (l *lines) end()  {}
func (l *lines) fail() {}

// each writes one line of fields with a separator.
func (l *lines) each(sep string, field func(i int) string) {
	for i := range l.cols {
		if i > 0 {
			l.w.WriteString(sep)
		}
		l.w.WriteString(field(i))
	}
	l.w.WriteByte('\n')
}

// csvPrinter writes RFC 4180 with a header, lines ended by \n as Unix tools
// want them. NULL is an empty field, the empty string "".
type csvPrinter struct{ lines }

func (p *csvPrinter) begin(cols []client.Column) {
	p.cols = cols
	p.each(",", func(i int) string { return csvField(cols[i].Name) })
}

func (p *csvPrinter) rows(rows [][]any) {
	for _, row := range rows {
		p.each(",", func(i int) string {
			if row[i] == nil {
				return ""
			}
			return csvField(p.cols[i].Signature.FormatValue(row[i]))
		})
	}
}

func csvField(s string) string {
	if s == "" || strings.ContainsAny(s, ",\"\r\n") || s[0] == ' ' || s[len(s)-1] == ' ' {
		return `"` + strings.ReplaceAll(s, `"`, `""`) + `"`
	}
	return s
}

// tsvPrinter writes tab separated values with a header. NULL is \N; tab, line
// ends and backslash are escaped with a backslash.
type tsvPrinter struct{ lines }

func (p *tsvPrinter) begin(cols []client.Column) {
	p.cols = cols
	p.each("\t", func(i int) string { return tsvField(cols[i].Name) })
}

func (p *tsvPrinter) rows(rows [][]any) {
	for _, row := range rows {
		p.each("\t", func(i int) string {
			if row[i] == nil {
				return `\N`
			}
			return tsvField(p.cols[i].Signature.FormatValue(row[i]))
		})
	}
}

func tsvField(s string) string {
	if !strings.ContainsAny(s, "\t\n\r\\") {
		return s
	}
	return strings.NewReplacer("\\", `\\`, "\t", `\t`, "\n", `\n`, "\r", `\r`).Replace(s)
}

// markdownPrinter writes a table of GitHub's Markdown.
type markdownPrinter struct{ lines }

func (p *markdownPrinter) begin(cols []client.Column) {
	p.cols = cols
	p.row(func(i int) string { return markdownField(cols[i].Name) })
	p.row(func(i int) string {
		if rightAligned(cols[i]) {
			return "---:"
		}
		return "---"
	})
}

func (p *markdownPrinter) row(field func(i int) string) {
	p.w.WriteString("| ")
	for i := range p.cols {
		if i > 0 {
			p.w.WriteString(" | ")
		}
		p.w.WriteString(field(i))
	}
	p.w.WriteString(" |\n")
}

func (p *markdownPrinter) rows(rows [][]any) {
	for _, row := range rows {
		p.row(func(i int) string {
			if row[i] == nil {
				return "NULL"
			}
			return markdownField(p.cols[i].Signature.FormatValue(row[i]))
		})
	}
}

func markdownField(s string) string {
	return strings.NewReplacer("\\", `\\`, "|", `\|`, "\r\n", "<br>", "\n", "<br>").Replace(s)
}

// verticalPrinter writes a record a block, a column a line.
type verticalPrinter struct {
	lines
	look  look
	names int // width of the longest name
	n     int64
}

func (p *verticalPrinter) begin(cols []client.Column) {
	p.cols = cols
	for _, c := range cols {
		p.names = max(p.names, textWidth(visible(c.Name)))
	}
}

func (p *verticalPrinter) rows(rows [][]any) {
	for _, row := range rows {
		p.n++
		head := fmt.Sprintf("─[ record %s ]─", group(p.n))
		p.w.WriteString(head + strings.Repeat("─", max(p.names+20-textWidth(head), 0)) + "\n")
		for i, c := range p.cols {
			name := visible(c.Name)
			pad := strings.Repeat(" ", p.names-textWidth(name))
			text := "NULL"
			if row[i] != nil {
				text = c.Signature.FormatValue(row[i])
			} else if p.look.color {
				text = dim + text + reset
			}
			for _, line := range strings.Split(text, "\n") {
				if row[i] != nil {
					line = visible(strings.TrimSuffix(line, "\r"))
				}
				p.w.WriteString(name + pad + " │ " + line + "\n")
				name, pad = "", strings.Repeat(" ", p.names)
			}
		}
	}
}

// jsonPrinter writes rows as objects: an array of them, or one a line.
type jsonPrinter struct {
	lines
	array bool
	keys  []string // `"name":`
	n     int64
}

func (p *jsonPrinter) begin(cols []client.Column) {
	p.cols = cols
	for _, name := range uniqueNames(cols) {
		p.keys = append(p.keys, jsonString(name)+":")
	}
	if p.array {
		p.w.WriteString("[")
	}
}

func (p *jsonPrinter) rows(rows [][]any) {
	for _, row := range rows {
		if p.array {
			p.w.WriteString([]string{"\n", ",\n"}[min(p.n, 1)])
		}
		p.n++
		p.w.WriteByte('{')
		for i, v := range row {
			if i > 0 {
				p.w.WriteByte(',')
			}
			p.w.WriteString(p.keys[i])
			writeJSON(p.w, p.cols[i].Signature, v)
		}
		p.w.WriteByte('}')
		if !p.array {
			p.w.WriteByte('\n')
		}
	}
}

func (p *jsonPrinter) end() {
	if p.array && p.n > 0 {
		p.w.WriteString("\n")
	}
	if p.array {
		p.w.WriteString("]\n")
	}
}

// fail leaves the array open, so that nobody takes it for whole.
func (p *jsonPrinter) fail() {
	if p.array {
		p.w.WriteByte('\n')
	}
}

// uniqueNames tells columns of one name apart, as objects need it.
func uniqueNames(cols []client.Column) []string {
	seen := map[string]bool{}
	out := make([]string, len(cols))
	for i, c := range cols {
		name := c.Name
		for n := 2; seen[name]; n++ {
			name = c.Name + "_" + strconv.Itoa(n)
		}
		seen[name] = true
		out[i] = name
	}
	return out
}

// writeJSON writes a value by its type: numbers and decimals as JSON numbers
// with all their digits, JSON as itself, rows as objects, the rest as text.
func writeJSON(w *bufio.Writer, t client.TypeSignature, raw any) {
	switch v := raw.(type) {
	case nil:
		w.WriteString("null")
	case bool:
		w.WriteString(strconv.FormatBool(v))
	case json.Number:
		w.WriteString(string(v))
	case string:
		if (t.RawType == "decimal" || t.RawType == "json") && json.Valid([]byte(v)) {
			w.WriteString(v)
		} else {
			w.WriteString(jsonString(v))
		}
	case []any:
		writeJSONList(w, t, v)
	case client.Map:
		w.WriteByte('{')
		for i, e := range v {
			if i > 0 {
				w.WriteByte(',')
			}
			w.WriteString(jsonString(e.Key) + ":")
			writeJSON(w, argument(t, 1), e.Value)
		}
		w.WriteByte('}')
	default:
		w.WriteString(jsonString(fmt.Sprint(raw)))
	}
}

func writeJSONList(w *bufio.Writer, t client.TypeSignature, list []any) {
	row := t.RawType == "row"
	w.WriteByte("[{"[btoi(row)])
	for i, e := range list {
		if i > 0 {
			w.WriteByte(',')
		}
		elem := argument(t, 0)
		if row {
			elem = argument(t, i)
			name := "field" + strconv.Itoa(i)
			if i < len(t.Arguments) && t.Arguments[i].Name != "" {
				name = t.Arguments[i].Name
			}
			w.WriteString(jsonString(name) + ":")
		}
		writeJSON(w, elem, e)
	}
	w.WriteByte("]}"[btoi(row)])
}

func btoi(b bool) int {
	if b {
		return 1
	}
	return 0
}

func argument(t client.TypeSignature, i int) client.TypeSignature {
	if i < len(t.Arguments) && t.Arguments[i].Type != nil {
		return *t.Arguments[i].Type
	}
	return client.TypeSignature{}
}

// jsonString quotes s without encoding/json's escapes for HTML.
func jsonString(s string) string {
	var b strings.Builder
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(s); err != nil {
		return `""` // strings always encode
	}
	return strings.TrimSuffix(b.String(), "\n")
}

// rightAligned reports whether a column's values line up at their right end.
func rightAligned(c client.Column) bool {
	switch c.Signature.RawType {
	case "tinyint", "smallint", "integer", "bigint", "real", "double", "decimal":
		return true
	}
	return false
}
