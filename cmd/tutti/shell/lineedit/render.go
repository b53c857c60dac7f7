package lineedit

import (
	"fmt"
	"strings"

	"github.com/rivo/uniseg"
)

// size returns the screen's size, with a guess for what is unknown.
func (e *Editor) size() (columns, rows int) {
	if e.cfg.Size != nil {
		columns, rows = e.cfg.Size()
	}
	if columns <= 0 {
		columns = 80
	}
	if rows <= 0 {
		rows = 24
	}
	return max(columns, 8), max(rows, 3)
}

// layout is an input broken into screen rows.
type layout struct {
	rows     []string
	row, col int // of the cursor
}

// clusterLen is the number of code points of the first character of text.
func clusterLen(text []rune) int {
	if len(text) > 1 && text[0] < 0x80 && text[1] < 0x80 {
		return 1 // nothing in ASCII combines, \r\n aside
	}
	cluster, _, _, _ := uniseg.FirstGraphemeClusterInString(string(text[:min(len(text), 32)]), -1)
	return max(len([]rune(cluster)), 1)
}

// printable is a character as it is drawn, and its width.
func printable(cluster []rune) (string, int) {
	switch r := cluster[0]; {
	case r == '\t':
		return "    ", 4
	case r < ' ' || (r >= 127 && r < 0xa0):
		return "?", 1
	}
	s := string(cluster)
	if w := uniseg.StringWidth(s); w > 0 {
		return s, w
	}
	return "?", 1 // what nobody sees nobody can edit
}

// drawn is text of one line as it is drawn.
func drawn(text []rune) string {
	var b strings.Builder
	for i := 0; i < len(text); {
		n := clusterLen(text[i:])
		s, _ := printable(text[i : i+n])
		b.WriteString(s)
		i += n
	}
	return b.String()
}

// lay breaks the prompt and text into rows of less than columns cells: the
// last column stays free, as terminals differ in what they do after it.
func lay(prompt string, text []rune, pos, columns int, styles []string) layout {
	prompt = lastPart(prompt, columns-4)
	promptWidth := uniseg.StringWidth(prompt)
	indent := strings.Repeat(" ", max(promptWidth-3, 0)) + "-> "
	if promptWidth > columns/2 {
		indent = "-> "
	}
	var l layout
	var row strings.Builder
	row.WriteString(prompt)
	width, style := promptWidth, ""
	setStyle := func(s string) {
		if s != style {
			row.WriteString("\x1b[0m" + s)
			style = s
		}
	}
	newRow := func(start string) {
		old := style
		setStyle("")
		l.rows = append(l.rows, row.String())
		row.Reset()
		row.WriteString(start)
		width = uniseg.StringWidth(start)
		setStyle(old)
	}
	for i := 0; ; {
		if i == pos {
			l.row, l.col = len(l.rows), width
		}
		if i == len(text) {
			break
		}
		if text[i] == '\n' {
			newRow(indent)
			i++
			continue
		}
		n := clusterLen(text[i:])
		s, w := printable(text[i : i+n])
		if width+w >= columns {
			newRow("")
			if i == pos {
				l.row, l.col = len(l.rows), width
			}
		}
		if styles != nil {
			setStyle(styles[i])
		}
		row.WriteString(s)
		width += w
		i += n
	}
	setStyle("")
	l.rows = append(l.rows, row.String())
	return l
}

// render draws the input over its last drawing. All is one write, so that it
// does not flicker.
func (e *Editor) render() error {
	columns, height := e.size()
	prompt, text, pos := e.prompt, e.buf, e.pos
	if e.search != nil {
		prompt = e.search.prompt()
	}
	var styles []string
	if e.cfg.Styles != nil {
		if styles = e.cfg.Styles(string(text)); len(styles) != len(text) {
			styles = nil // text that is no UTF-8 counts otherwise
		}
	}
	l := lay(prompt, text, pos, columns, styles)
	below := e.below[:min(len(e.below), height-2)]
	// What is higher than the screen is shown around the cursor.
	if room := height - 1 - len(below); len(l.rows) > room {
		from := min(max(l.row-room/2, 0), len(l.rows)-room)
		l.rows, l.row = l.rows[from:from+room], l.row-from
	}
	var b strings.Builder
	if e.cursorRow > 0 {
		fmt.Fprintf(&b, "\x1b[%dA", e.cursorRow)
	}
	b.WriteString("\r\x1b[J")
	all := append(l.rows, below...)
	b.WriteString(strings.Join(all, "\r\n"))
	if up := len(all) - 1 - l.row; up > 0 {
		fmt.Fprintf(&b, "\x1b[%dA", up)
	}
	b.WriteByte('\r')
	if l.col > 0 {
		fmt.Fprintf(&b, "\x1b[%dC", l.col)
	}
	e.cursorRow = l.row
	return e.put(b.String())
}

// list lays candidates out in columns, in at most height rows. A few that
// have an explanation get a row each.
func list(items []Candidate, columns, height int) []string {
	names := make([]string, len(items))
	widest, abouts := 0, 0
	for i, it := range items {
		if names[i] = it.Show; names[i] == "" {
			names[i] = it.Text
		}
		widest = max(widest, uniseg.StringWidth(names[i]))
		if it.About != "" {
			abouts++
		}
	}
	cell := min(widest+2, columns-1)
	perRow := max((columns-1)/cell, 1)
	withAbout := abouts > 0 && len(items) <= height
	if withAbout {
		perRow = 1
	}
	rows := (len(items) + perRow - 1) / perRow
	var out []string
	for r := range min(rows, height) {
		if r == height-1 && rows > height {
			out = append(out, fmt.Sprintf("… %d more", len(items)-r*perRow))
			break
		}
		var line strings.Builder
		for c := range perRow {
			i := r*perRow + c
			if i >= len(items) {
				break
			}
			pad := max(cell-uniseg.StringWidth(names[i]), 0)
			line.WriteString(names[i] + strings.Repeat(" ", pad))
			if withAbout {
				line.WriteString(items[i].About)
			}
		}
		out = append(out, cutTo(strings.TrimRight(line.String(), " "), columns-1))
	}
	return out
}

// cutTo cuts s to width cells.
func cutTo(s string, width int) string {
	used, end := 0, 0
	for g := uniseg.NewGraphemes(s); g.Next(); {
		if used += g.Width(); used > width {
			break
		}
		_, end = g.Positions()
	}
	return s[:end]
}

// lastPart cuts s to width cells from its left: of a long search it is the end
// that is being typed.
func lastPart(s string, width int) string {
	for over := uniseg.StringWidth(s) - width; over > 0 && s != ""; over = uniseg.StringWidth(s) - width {
		_, s, _, _ = uniseg.FirstGraphemeClusterInString(s, -1)
	}
	return s
}
