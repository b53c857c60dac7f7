package client

import (
	"encoding/json"
	"fmt"
	"strconv"
	"unicode/utf16"
	"unicode/utf8"
)

// Map is a JSON object in its own order: how a map value arrives. Keys are
// text whatever their SQL type.
type Map []MapEntry

// MapEntry is one key of a Map with its value.
type MapEntry struct {
	Key   string
	Value any
}

// maxDepth bounds the nesting of values, as encoding/json does.
const maxDepth = 10000

// DecodeRows reads a JSON array of rows, each an array of values: nil, bool,
// json.Number, string, []any or Map. It does what encoding/json would with
// UseNumber, but keeps the order of map keys and takes numbers and strings
// without escapes as parts of text instead of copying them, so rows keep text
// alive.
func DecodeRows(text string) ([][]any, error) {
	d := rowDecoder{s: text}
	rows, err := d.rows()
	if err != nil {
		return nil, fmt.Errorf("rows are not valid JSON at byte %d of %d: %w", d.i, len(text), err)
	}
	return rows, nil
}

type rowDecoder struct {
	s     string
	i     int
	depth int
	cells []any // the chunk that rows are cut from
}

type syntaxError string

func (e syntaxError) Error() string { return string(e) }

func (d *rowDecoder) rows() ([][]any, error) {
	var rows [][]any
	err := d.list('[', ']', func() error {
		row, err := d.row()
		rows = append(rows, row)
		return err
	})
	if err != nil {
		return nil, err
	}
	if d.space(); d.i != len(d.s) {
		return nil, syntaxError("text after the last row")
	}
	return rows, nil
}

// row cuts a row from the shared chunk: one allocation for many rows.
func (d *rowDecoder) row() ([]any, error) {
	start := len(d.cells)
	err := d.list('[', ']', func() error {
		v, err := d.value()
		if err != nil {
			return err
		}
		if len(d.cells) == cap(d.cells) {
			next := make([]any, len(d.cells)-start, max(256, min(4*cap(d.cells), 8192), 2*(len(d.cells)-start)))
			copy(next, d.cells[start:])
			d.cells, start = next, 0
		}
		d.cells = append(d.cells, v)
		return nil
	})
	n := len(d.cells)
	return d.cells[start:n:n], err
}

// list reads items between two brackets, separated by commas.
func (d *rowDecoder) list(open, end byte, item func() error) error {
	if d.space(); !d.take(open) {
		return syntaxError("expected " + string(open))
	}
	if d.depth++; d.depth > maxDepth {
		return syntaxError("nested too deep")
	}
	defer func() { d.depth-- }()
	if d.space(); d.take(end) {
		return nil
	}
	for {
		if err := item(); err != nil {
			return err
		}
		d.space()
		if d.take(end) {
			return nil
		}
		if !d.take(',') {
			return syntaxError("expected , or " + string(end))
		}
	}
}

func (d *rowDecoder) space() {
	for d.i < len(d.s) && (d.s[d.i] == ' ' || d.s[d.i] == '\n' || d.s[d.i] == '\t' || d.s[d.i] == '\r') {
		d.i++
	}
}

func (d *rowDecoder) take(c byte) bool {
	if d.i < len(d.s) && d.s[d.i] == c {
		d.i++
		return true
	}
	return false
}

func (d *rowDecoder) value() (any, error) {
	d.space()
	if d.i >= len(d.s) {
		return nil, syntaxError("text ends within a value")
	}
	switch c := d.s[d.i]; {
	case c == '"':
		return d.str()
	case c == '[':
		return d.array()
	case c == '{':
		return d.object()
	case c == '-' || (c >= '0' && c <= '9'):
		return d.number()
	}
	for _, w := range [...]struct {
		text string
		v    any
	}{{"null", nil}, {"true", true}, {"false", false}} {
		if len(d.s)-d.i >= len(w.text) && d.s[d.i:d.i+len(w.text)] == w.text {
			d.i += len(w.text)
			return w.v, nil
		}
	}
	return nil, syntaxError("expected a value")
}

func (d *rowDecoder) array() (any, error) {
	out := []any{}
	err := d.list('[', ']', func() error {
		v, err := d.value()
		out = append(out, v)
		return err
	})
	return out, err
}

func (d *rowDecoder) object() (any, error) {
	out := Map{}
	err := d.list('{', '}', func() error {
		d.space()
		key, err := d.str()
		if err != nil {
			return err
		}
		if d.space(); !d.take(':') {
			return syntaxError("expected :")
		}
		v, err := d.value()
		out = append(out, MapEntry{key, v})
		return err
	})
	return out, err
}

func (d *rowDecoder) digits() bool {
	start := d.i
	for d.i < len(d.s) && d.s[d.i] >= '0' && d.s[d.i] <= '9' {
		d.i++
	}
	return d.i > start
}

func (d *rowDecoder) number() (any, error) {
	start := d.i
	d.take('-')
	if !d.take('0') && !d.digits() {
		return nil, syntaxError("expected a digit")
	}
	if d.take('.') && !d.digits() {
		return nil, syntaxError("expected a digit after the point")
	}
	if d.take('e') || d.take('E') {
		if !d.take('-') {
			d.take('+')
		}
		if !d.digits() {
			return nil, syntaxError("expected a digit in the exponent")
		}
	}
	return json.Number(d.s[start:d.i]), nil
}

// str reads a string; without escapes it is a part of the text.
func (d *rowDecoder) str() (string, error) {
	if !d.take('"') {
		return "", syntaxError("expected a string")
	}
	start := d.i
	for ; d.i < len(d.s); d.i++ {
		switch c := d.s[d.i]; {
		case c == '"':
			d.i++
			return d.s[start : d.i-1], nil
		case c == '\\':
			return d.escaped(start)
		case c < ' ':
			return "", syntaxError("control character in a string")
		}
	}
	return "", syntaxError("text ends within a string")
}

// escaped goes on with a string that began at start, from its first escape.
func (d *rowDecoder) escaped(start int) (string, error) {
	buf := append([]byte(nil), d.s[start:d.i]...)
	for d.i < len(d.s) {
		c := d.s[d.i]
		d.i++
		switch {
		case c == '"':
			return string(buf), nil
		case c < ' ':
			return "", syntaxError("control character in a string")
		case c != '\\':
			buf = append(buf, c)
		default:
			r, err := d.escape()
			if err != nil {
				return "", err
			}
			buf = utf8.AppendRune(buf, r)
		}
	}
	return "", syntaxError("text ends within a string")
}

// escape reads what follows a backslash.
func (d *rowDecoder) escape() (rune, error) {
	if d.i >= len(d.s) {
		return 0, syntaxError("text ends within an escape")
	}
	c := d.s[d.i]
	d.i++
	switch c {
	case '"', '\\', '/':
		return rune(c), nil
	case 'b':
		return '\b', nil
	case 'f':
		return '\f', nil
	case 'n':
		return '\n', nil
	case 'r':
		return '\r', nil
	case 't':
		return '\t', nil
	case 'u':
		return d.unicode()
	}
	return 0, syntaxError("unknown escape")
}

// unicode reads the digits of \u and, for a surrogate, those of its partner.
// A lone surrogate becomes U+FFFD.
func (d *rowDecoder) unicode() (rune, error) {
	r, ok := d.hex4(d.i)
	if !ok {
		return 0, syntaxError("expected four hex digits")
	}
	d.i += 4
	if !utf16.IsSurrogate(r) {
		return r, nil
	}
	if d.i+6 <= len(d.s) && d.s[d.i] == '\\' && d.s[d.i+1] == 'u' {
		if low, ok := d.hex4(d.i + 2); ok {
			if pair := utf16.DecodeRune(r, low); pair != utf8.RuneError {
				d.i += 6
				return pair, nil
			}
		}
	}
	return utf8.RuneError, nil
}

func (d *rowDecoder) hex4(at int) (rune, bool) {
	if at+4 > len(d.s) {
		return 0, false
	}
	n, err := strconv.ParseUint(d.s[at:at+4], 16, 16)
	return rune(n), err == nil
}
