package parser

import "strings"

// Piece is one statement cut out of a longer text.
type Piece struct {
	// SQL is the statement without its ';' and without white space around it.
	SQL string
	// Offset is where SQL begins in the text, in bytes.
	Offset int
}

// SplitStatements cuts text at each ';' that is not within a string, a quoted
// name or a comment. Pieces without any token are left out. The rest is what
// follows the last ';', trimmed: it is empty when nothing but white space and
// comments follows, else a statement that is not finished yet; a string or a
// comment that is never closed makes everything from its statement's start
// the rest. Nothing else about the text is checked.
func SplitStatements(text string) (pieces []Piece, rest string) {
	l := lexer{text: text, line: 1}
	start, tokens, open := 0, 0, false
	for {
		t := l.next()
		switch t.kind {
		case tokEOF:
			if tokens == 0 && !open {
				return pieces, ""
			}
			return pieces, strings.Trim(text[start:], white)
		case tokSemicolon:
			if tokens > 0 {
				pieces = append(pieces, piece(text, start, int(t.start)))
			}
			start, tokens = int(t.end), 0
		case tokUnterminated:
			open = true
		default:
			tokens++
		}
	}
}

// white is what the lexer takes for white space.
const white = " \t\r\n"

func piece(text string, start, end int) Piece {
	sql := strings.TrimLeft(text[start:end], white)
	return Piece{SQL: strings.TrimRight(sql, white), Offset: end - len(sql)}
}
