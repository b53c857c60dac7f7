package shell

import (
	"bufio"
	"fmt"
	"strings"

	"github.com/tuttidb/tutti/client"
)

// sampleRows is how many rows a table looks at for its column widths before
// it prints the first.
const sampleRows = 1000

// minColumn is how narrow a column is made before columns are left out.
const minColumn = 8

// Escape sequences of ECMA-48 that the shell uses.
const (
	dim   = "\x1b[2m"
	bold  = "\x1b[1m"
	red   = "\x1b[31m"
	green = "\x1b[32m"
	blue  = "\x1b[34m"
	reset = "\x1b[0m"
)

// cell is one value of a table, split into lines.
type cell struct {
	lines []string
	null  bool
}

// tablePrinter writes aligned columns in a box. Widths come from the first
// rows. On a terminal later values are cut to them and columns that do not fit
// are left out with a note; elsewhere nothing is cut, and a later, wider value
// pushes its line out.
type tablePrinter struct {
	w      *bufio.Writer
	look   look
	cols   []client.Column
	sample [][]cell
	widths []int // nil until the sample is complete
	hidden int   // columns left out at the right
	text   bool  // a single text of several lines: no box
}

func (p *tablePrinter) begin(cols []client.Column) { p.cols = cols }

func (p *tablePrinter) rows(rows [][]any) {
	for _, row := range rows {
		cells := make([]cell, len(p.cols))
		for i, v := range row {
			cells[i] = newCell(p.cols[i].Signature, v)
		}
		if p.widths != nil {
			p.row(cells)
			continue
		}
		if p.sample = append(p.sample, cells); len(p.sample) == sampleRows {
			p.open()
		}
	}
}

func newCell(t client.TypeSignature, v any) cell {
	if v == nil {
		return cell{lines: []string{"NULL"}, null: true}
	}
	text := t.FormatValue(v)
	if !strings.Contains(text, "\n") {
		return cell{lines: []string{visible(text)}}
	}
	lines := strings.Split(strings.TrimRight(text, "\n"), "\n")
	for i, l := range lines {
		lines[i] = visible(strings.TrimSuffix(l, "\r"))
	}
	return cell{lines: lines}
}

// open fixes the widths and prints what has been held back.
func (p *tablePrinter) open() {
	// EXPLAIN and SHOW CREATE give one text: a box would only break its lines.
	if len(p.cols) == 1 && len(p.sample) == 1 && len(p.sample[0][0].lines) > 1 {
		p.text = true
		p.widths = []int{0}
		p.w.WriteString(strings.Join(p.sample[0][0].lines, "\n") + "\n")
		return
	}
	p.measure()
	p.fit()
	p.rule("┌", "┬", "┐")
	head := make([]cell, len(p.cols))
	for i, c := range p.cols {
		head[i] = cell{lines: []string{visible(c.Name)}}
	}
	p.line(head, 0, true)
	p.rule("├", "┼", "┤")
	for _, cells := range p.sample {
		p.row(cells)
	}
	p.sample = nil
}

func (p *tablePrinter) measure() {
	p.widths = make([]int, len(p.cols))
	for i, c := range p.cols {
		p.widths[i] = max(textWidth(visible(c.Name)), 1)
	}
	for _, cells := range p.sample {
		for i, c := range cells {
			for _, l := range c.lines {
				p.widths[i] = max(p.widths[i], textWidth(l))
			}
		}
	}
}

// fit makes the widest columns narrower until the box fits the terminal, then
// leaves out columns at the right. Numbers are shown whole: one that is cut
// reads as another.
func (p *tablePrinter) fit() {
	if p.look.width == 0 {
		return
	}
	limit := max(p.look.width, 20)
	total := 1
	for i, w := range p.widths {
		p.widths[i] = min(w, limit-4)
		total += p.widths[i] + 3
	}
	for total > limit {
		widest := -1
		for i, w := range p.widths {
			if w > minColumn && !rightAligned(p.cols[i]) && (widest < 0 || w > p.widths[widest]) {
				widest = i
			}
		}
		if widest < 0 {
			break
		}
		p.widths[widest]--
		total--
	}
	shown := len(p.widths)
	for total > limit && shown > 1 {
		shown--
		total -= p.widths[shown] + 3
	}
	p.hidden = len(p.widths) - shown
	p.widths = p.widths[:shown]
}

func (p *tablePrinter) rule(left, mid, right string) {
	p.w.WriteString(left)
	for i, w := range p.widths {
		if i > 0 {
			p.w.WriteString(mid)
		}
		for range w + 2 {
			p.w.WriteString("─")
		}
	}
	p.w.WriteString(right + "\n")
}

func (p *tablePrinter) row(cells []cell) {
	height := 1
	for _, c := range cells[:len(p.widths)] {
		height = max(height, len(c.lines))
	}
	for n := range height {
		p.line(cells, n, false)
	}
}

// line writes the n-th line of a row of cells.
func (p *tablePrinter) line(cells []cell, n int, head bool) {
	p.w.WriteString("│")
	for i, w := range p.widths {
		text := ""
		if n < len(cells[i].lines) {
			text = cells[i].lines[n]
		}
		if p.look.width > 0 {
			text = clip(text, w)
		}
		pad := strings.Repeat(" ", max(w-textWidth(text), 0))
		if p.look.color && text != "" {
			switch {
			case head:
				text = bold + text + reset
			case cells[i].null:
				text = dim + text + reset
			}
		}
		if rightAligned(p.cols[i]) {
			text = pad + text
		} else {
			text += pad
		}
		p.w.WriteString(" " + text + " │")
	}
	p.w.WriteByte('\n')
}

func (p *tablePrinter) end() {
	if p.widths == nil {
		p.open()
	}
	if p.text {
		return
	}
	p.rule("└", "┴", "┘")
	if p.hidden > 0 {
		fmt.Fprintf(p.w, "%s of %d not shown; \\mode vertical shows all\n", plural(int64(p.hidden), "column"), len(p.cols))
	}
}

// fail prints the rows held back and leaves the box open.
func (p *tablePrinter) fail() {
	if p.widths == nil && len(p.sample) > 0 {
		p.open()
	}
}
