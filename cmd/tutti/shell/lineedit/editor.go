// Package lineedit reads text from a terminal with editing: several lines at
// once, history with incremental search, completion, colors, bracketed paste.
//
// It works with relative cursor movement only. It never asks the terminal
// where the cursor is, since the answer arrives among the typed keys and has
// to be told from them; and it never relies on the terminal's own wrapping,
// but leaves the last column free and breaks lines itself, so that what is on
// screen is always known. Text typed ahead of a Read is kept for it.
//
// Keys are those of Emacs and readline. Enter ends the input where Done says
// that it is complete, else it begins a new line; Alt-Enter always does the
// latter. Up and down move within the input first, then through history.
package lineedit

import (
	"bufio"
	"errors"
	"io"
	"slices"
	"strings"
)

// ErrInterrupted is returned when Ctrl-C was pressed.
var ErrInterrupted = errors.New("interrupted")

// History is the list of past inputs, oldest first.
type History interface {
	Len() int
	// At returns an entry, for 0 ≤ i < Len().
	At(i int) string
	// Add keeps an input. It decides itself what is worth keeping.
	Add(text string) error
}

// Candidate is one completion of a word.
type Candidate struct {
	// Text replaces the word.
	Text string
	// Show stands for it in the list, About explains it; both may be empty.
	Show, About string
}

// Config is what an editor works with.
type Config struct {
	// In gives the keys as a terminal in raw mode sends them, Out is the screen.
	In  io.Reader
	Out io.Writer
	// Raw puts the terminal into raw mode for one Read. Nil leaves it as it is.
	Raw func() (restore func() error, err error)
	// Size returns the screen's columns and rows; not positive is unknown.
	Size func() (columns, rows int)
	// History must not be nil.
	History History
	// Done reports whether Enter ends the input. Nil means always.
	Done func(text string) bool
	// Complete returns the word before the cursor and what it could become.
	// Nil completes nothing.
	Complete func(head, tail string) (word string, items []Candidate)
	// Styles returns an SGR sequence ("" is plain) for each code point of
	// text. Nil colors nothing.
	Styles func(text string) []string
}

// Editor reads inputs. It is not safe for concurrent use.
type Editor struct {
	cfg  Config
	keys *bufio.Reader
	kill []rune // what was cut last

	// The state of one Read.
	prompt string
	buf    []rune
	pos    int // the cursor, 0 ≤ pos ≤ len(buf)
	column int // where up and down want to be, -1 for where the cursor is
	at     int // the history entry shown, History.Len() for the own input
	edits  map[int][]rune
	below  []string // lines under the input: a list of completions
	search *search

	cursorRow int // the screen row of the cursor, counted from the prompt's
}

// New makes an editor.
func New(cfg Config) *Editor {
	if cfg.Done == nil {
		cfg.Done = func(string) bool { return true }
	}
	return &Editor{cfg: cfg, keys: bufio.NewReader(cfg.In)}
}

// Read shows the prompt and returns what is entered. With ErrInterrupted it
// returns what had been typed; Ctrl-D on an empty input and the end of In are
// io.EOF. Inputs are added to the history.
func (e *Editor) Read(prompt string) (text string, err error) {
	if e.cfg.Raw != nil {
		restore, err := e.cfg.Raw()
		if err != nil {
			return "", err
		}
		defer func() { err = errors.Join(err, restore()) }()
	}
	e.begin(prompt)
	if err := e.put(pasteOn); err != nil {
		return "", err
	}
	err = e.loop()
	text = string(e.buf)
	if endErr := e.leave(); err == nil {
		err = endErr
	}
	if err == nil {
		err = e.cfg.History.Add(text)
	}
	return text, err
}

func (e *Editor) begin(prompt string) {
	e.prompt, e.buf, e.pos, e.column = prompt, nil, 0, -1
	e.at, e.edits, e.below, e.search, e.cursorRow = e.cfg.History.Len(), map[int][]rune{}, nil, nil, 0
}

// loop handles keys until the input ends. Rendering waits while more keys lie
// ready, so that pasted and typed ahead text is drawn once.
func (e *Editor) loop() error {
	for {
		if e.keys.Buffered() == 0 || e.below != nil {
			if err := e.render(); err != nil {
				return err
			}
		}
		k, err := readKey(e.keys, e.search != nil)
		if err != nil {
			return err
		}
		e.below = nil
		if e.search != nil && e.searchKey(k) {
			continue
		}
		done, err := e.handle(k)
		if done || err != nil {
			return err
		}
	}
}

// leave draws the input a last time and goes to the line below it.
func (e *Editor) leave() error {
	e.pos, e.below, e.search = len(e.buf), nil, nil
	return errors.Join(e.render(), e.put("\r\n"+pasteOff))
}

// handle acts on a key and reports whether it ends the input.
func (e *Editor) handle(k key) (done bool, err error) {
	if k.code != keyUp && k.code != keyDown {
		e.column = -1
	}
	switch k.code {
	case keyRune:
		e.insert([]rune{k.r})
	case keyPaste:
		e.insert([]rune(k.text))
	case keyEnter:
		if e.cfg.Done(string(e.buf)) {
			return true, nil
		}
		e.insert([]rune{'\n'})
	case keyNewline:
		e.insert([]rune{'\n'})
	case keyInterrupt:
		return true, ErrInterrupted
	case keyEOF:
		if len(e.buf) == 0 {
			return true, io.EOF
		}
		e.cut(e.pos, e.next(e.pos), false)
	case keyTab:
		return false, e.complete()
	case keySearch:
		e.startSearch()
	case keyClear:
		e.cursorRow = 0
		return false, e.put("\x1b[H\x1b[2J")
	default:
		if !e.move(k) {
			e.change(k)
		}
	}
	return false, nil
}

// move handles the keys that only move the cursor.
func (e *Editor) move(k key) bool {
	switch k.code {
	case keyLeft:
		e.pos = e.previous(e.pos)
	case keyRight:
		e.pos = e.next(e.pos)
	case keyWordLeft:
		e.pos = e.wordLeft(e.pos)
	case keyWordRight:
		e.pos = e.wordRight(e.pos)
	case keyHome:
		e.pos = e.lineStart(e.pos)
	case keyEnd:
		e.pos = e.lineEnd(e.pos)
	case keyUp:
		e.vertical(-1)
	case keyDown:
		e.vertical(1)
	case keyPrevious:
		e.show(e.at - 1)
	case keyNext:
		e.show(e.at + 1)
	default:
		return false
	}
	return true
}

// change handles the keys that cut and paste.
func (e *Editor) change(k key) {
	switch k.code {
	case keyBackspace:
		e.cut(e.previous(e.pos), e.pos, false)
	case keyDelete:
		e.cut(e.pos, e.next(e.pos), false)
	case keyKillEnd:
		end := e.lineEnd(e.pos)
		if end == e.pos {
			end = min(end+1, len(e.buf)) // at the end of a line: join the next
		}
		e.cut(e.pos, end, true)
	case keyKillStart:
		e.cut(e.lineStart(e.pos), e.pos, true)
	case keyKillWordLeft:
		e.cut(e.wordLeft(e.pos), e.pos, true)
	case keyKillWordRight:
		e.cut(e.pos, e.wordRight(e.pos), true)
	case keyYank:
		e.insert(e.kill)
	case keyTranspose:
		if e.pos > 0 && len(e.buf) > 1 {
			i := min(e.pos, len(e.buf)-1)
			e.buf[i-1], e.buf[i] = e.buf[i], e.buf[i-1]
			e.pos = i + 1
		}
	}
}

func (e *Editor) insert(text []rune) {
	e.buf = slices.Insert(e.buf, e.pos, text...)
	e.pos += len(text)
}

// cut removes a range, keeping it for yank if asked to.
func (e *Editor) cut(from, to int, keep bool) {
	if from == to {
		return
	}
	if keep {
		e.kill = slices.Clone(e.buf[from:to])
	}
	e.buf = slices.Delete(e.buf, from, to)
	e.pos = from
}

// replace puts text where the input was, the cursor at its end.
func (e *Editor) replace(text []rune) { e.buf, e.pos = slices.Clone(text), len(text) }

func (e *Editor) lineStart(p int) int {
	for p > 0 && e.buf[p-1] != '\n' {
		p--
	}
	return p
}

func (e *Editor) lineEnd(p int) int {
	for p < len(e.buf) && e.buf[p] != '\n' {
		p++
	}
	return p
}

// previous and next step over one character as a reader sees it, which may be
// several code points.
func (e *Editor) previous(p int) int {
	if p == 0 {
		return 0
	}
	start := e.lineStart(p)
	if start == p {
		return p - 1 // the line end before
	}
	last := start
	for at := start; at < p; {
		last = at
		at += clusterLen(e.buf[at:])
	}
	return last
}

func (e *Editor) next(p int) int {
	if p == len(e.buf) {
		return p
	}
	return p + clusterLen(e.buf[p:])
}

func isWord(r rune) bool {
	return r == '_' || r >= 0x80 || (r >= '0' && r <= '9') || (r|0x20 >= 'a' && r|0x20 <= 'z')
}

func (e *Editor) wordLeft(p int) int {
	for p > 0 && !isWord(e.buf[p-1]) {
		p--
	}
	for p > 0 && isWord(e.buf[p-1]) {
		p--
	}
	return p
}

func (e *Editor) wordRight(p int) int {
	for p < len(e.buf) && !isWord(e.buf[p]) {
		p++
	}
	for p < len(e.buf) && isWord(e.buf[p]) {
		p++
	}
	return p
}

// vertical moves up (-1) or down (+1) a line of the input, and beyond its
// first or last line to another entry of the history.
func (e *Editor) vertical(d int) {
	start := e.lineStart(e.pos)
	if e.column < 0 {
		e.column = e.pos - start
	}
	var to int
	if d < 0 {
		if start == 0 {
			e.show(e.at - 1)
			return
		}
		to = e.lineStart(start - 1)
	} else {
		end := e.lineEnd(e.pos)
		if end == len(e.buf) {
			e.show(e.at + 1)
			return
		}
		to = end + 1
	}
	e.pos = min(to+e.column, e.lineEnd(to))
}

// show goes to an entry of the history. What was changed in the one left is
// there when coming back to it.
func (e *Editor) show(i int) {
	n := e.cfg.History.Len()
	if i < 0 || i > n {
		return
	}
	e.edits[e.at] = e.buf
	e.at, e.column = i, -1
	text, ok := e.edits[i]
	if !ok && i < n {
		text = []rune(e.cfg.History.At(i))
	}
	e.replace(text)
}

func (e *Editor) put(s string) error {
	_, err := io.WriteString(e.cfg.Out, s)
	return err
}

// complete extends the word before the cursor as far as all candidates agree,
// or lists them where that is no step forward.
func (e *Editor) complete() error {
	if e.cfg.Complete == nil {
		return nil
	}
	word, items := e.cfg.Complete(string(e.buf[:e.pos]), string(e.buf[e.pos:]))
	if len(items) == 0 {
		return e.put("\a")
	}
	common := []rune(commonPrefix(items))
	if len(common) > len([]rune(word)) || (len(items) == 1 && items[0].Text != word) {
		e.cut(e.pos-len([]rune(word)), e.pos, false)
		e.insert(common)
		return nil
	}
	if len(items) > 1 {
		columns, rows := e.size()
		e.below = list(items, columns, max(rows/2, 4))
	}
	return nil
}

func commonPrefix(items []Candidate) string {
	common := items[0].Text
	for _, it := range items[1:] {
		for !strings.HasPrefix(it.Text, common) {
			r := []rune(common)
			common = string(r[:len(r)-1])
		}
	}
	return common
}
