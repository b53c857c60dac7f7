package shell

import "strings"

// statement is one SQL statement of a source.
type statement struct {
	// text is without its terminator and the space around it.
	text string
	// line is the line of the source that text begins on, from 1.
	line int
	// vertical is set by the terminator \G: print this one vertically.
	vertical bool
}

// splitState is what the scanner is within.
type splitState uint8

const (
	inCode splitState = iota
	inString
	inName
	inLineComment
	inBlockComment
)

// splitter cuts text into statements as it arrives. A statement ends at ; or
// \G outside quotes and comments. Its own scanner, not the engine's parser:
// the shell must split what other servers' dialects hold, and go on after text
// that does not parse. Bodies of routines, which hold semicolons, it does not
// know.
type splitter struct {
	buf   strings.Builder
	state splitState
	line  int // lines seen
	start int // the line that the statement begins on
	code  bool
}

// add scans one more piece of text, which must be whole lines except perhaps
// the last piece, and returns the statements that it ends.
func (s *splitter) add(text string) []statement {
	var out []statement
	for i := 0; i < len(text); i++ {
		c := text[i]
		next := byte(0)
		if i+1 < len(text) {
			next = text[i+1]
		}
		end := s.state == inCode && (c == ';' || (c == '\\' && next == 'G'))
		if end {
			if st, ok := s.cut(c == '\\'); ok {
				out = append(out, st)
			}
			if c == '\\' {
				i++
			}
			continue
		}
		two := s.step(c, next)
		s.note(c)
		if two {
			i++
			s.note(next)
		}
	}
	return out
}

// step moves the state over c and reports whether next belongs to it.
func (s *splitter) step(c, next byte) (two bool) {
	switch s.state {
	case inCode:
		switch {
		case c == '\'':
			s.state = inString
		case c == '"':
			s.state = inName
		case c == '-' && next == '-':
			s.state = inLineComment
			return true
		case c == '/' && next == '*':
			s.state = inBlockComment
			return true
		case !isSpace(c):
			s.code = true
		}
	case inString: // a doubled quote ends and begins one again
		s.endAt(c == '\'')
	case inName:
		s.endAt(c == '"')
	case inLineComment:
		if c == '\n' {
			s.state = inCode
		}
	case inBlockComment:
		if c == '*' && next == '/' {
			s.state = inCode
			return true
		}
	}
	return false
}

func (s *splitter) endAt(end bool) {
	s.code = true
	if end {
		s.state = inCode
	}
}

// note keeps a byte and counts lines.
func (s *splitter) note(c byte) {
	if s.buf.Len() == 0 {
		if isSpace(c) {
			s.line += newline(c)
			return // space before a statement is no part of it
		}
		s.start = s.line + 1
	}
	s.buf.WriteByte(c)
	s.line += newline(c)
}

func newline(c byte) int {
	if c == '\n' {
		return 1
	}
	return 0
}

func isSpace(c byte) bool { return c == ' ' || c == '\t' || c == '\n' || c == '\r' }

// cut takes what is buffered as a statement; one of nothing but space and
// comments is dropped.
func (s *splitter) cut(vertical bool) (statement, bool) {
	st := statement{text: strings.TrimRight(s.buf.String(), " \t\r\n"), line: s.start, vertical: vertical}
	ok := s.code
	s.buf.Reset()
	s.state, s.code = inCode, false
	return st, ok
}

// rest returns the statement that the end of the text ends, if there is one.
func (s *splitter) rest() (statement, bool) { return s.cut(false) }

// empty reports whether no statement has begun.
func (s *splitter) empty() bool { return s.buf.Len() == 0 && s.state == inCode }

// pending reports whether a statement has begun and has not ended.
func (s *splitter) pending() bool { return s.code || s.state == inBlockComment }

// split cuts a whole text, the last statement's terminator being optional.
func split(text string) []statement {
	var s splitter
	out := s.add(text)
	if st, ok := s.rest(); ok {
		out = append(out, st)
	}
	return out
}
