package parser

import (
	"strings"
	"unicode/utf8"

	"github.com/tuttidb/tutti/internal/qerr"
)

// kind is the kind of a token: one of the constants below, or a keyword.
type kind uint16

const (
	tokEOF kind = iota
	// tokUnrecognized is a character that begins no token.
	tokUnrecognized
	// tokUnterminated is a string, quoted name or comment without its end. It
	// reaches to the end of the text.
	tokUnterminated
	tokIdent
	tokQuotedIdent
	tokBackquotedIdent
	tokDigitIdent
	tokString
	tokUnicodeString
	tokBinary
	tokInteger
	tokDecimal
	tokDouble
	tokLeftParen
	tokRightParen
	tokLeftBracket
	tokRightBracket
	tokComma
	tokDot
	tokSemicolon
	tokQuestion
	tokEqual
	tokNotEqual
	tokLess
	tokLessEqual
	tokGreater
	tokGreaterEqual
	tokPlus
	tokMinus
	tokStar
	tokSlash
	tokPercent
	tokConcat
	tokArrow
	tokFatArrow

	firstKeyword = 64
)

// kindNames has the names by which messages call the kinds that are not
// keywords. It never changes.
var kindNames = [...]string{
	tokEOF: "<EOF>", tokIdent: "<identifier>", tokQuotedIdent: "<identifier>",
	tokString: "<string>", tokUnicodeString: "<string>", tokBinary: "<binary>",
	tokInteger: "<integer>", tokDecimal: "<decimal>", tokDouble: "<double>",
	tokLeftParen: "'('", tokRightParen: "')'", tokLeftBracket: "'['", tokRightBracket: "']'",
	tokComma: "','", tokDot: "'.'", tokSemicolon: "';'", tokQuestion: "'?'",
	tokEqual: "'='", tokNotEqual: "'<>'", tokLess: "'<'", tokLessEqual: "'<='",
	tokGreater: "'>'", tokGreaterEqual: "'>='", tokPlus: "'+'", tokMinus: "'-'",
	tokStar: "'*'", tokSlash: "'/'", tokPercent: "'%'", tokConcat: "'||'",
	tokArrow: "'->'", tokFatArrow: "'=>'",
}

// String returns the kind as messages show it.
func (k kind) String() string {
	if k >= firstKeyword {
		return "'" + keywordNames[k-firstKeyword] + "'"
	}
	return kindNames[k]
}

// token is one token: its kind, its bytes in the text and its position.
type token struct {
	kind         kind
	start, end   int32
	line, column int32
}

func (t token) pos() qerr.Pos { return qerr.Pos{Line: int(t.line), Column: int(t.column)} }

// lexer cuts text into tokens. White space and comments produce none. The text
// must be valid UTF-8 and shorter than 2 GiB.
type lexer struct {
	text string
	at   int
	// line counts from 1 and, as in Trino, only \n ends a line; lineStart and
	// wide place the line's start: columns count code points.
	line, lineStart int
	// wide is the number of bytes on this line beyond one a code point.
	wide int
}

// tokenize returns all tokens of text, the last one being tokEOF.
func tokenize(text string) []token {
	l := lexer{text: text, line: 1}
	tokens := make([]token, 0, len(text)/4+2)
	for {
		t := l.next()
		tokens = append(tokens, t)
		if t.kind == tokEOF {
			return tokens
		}
	}
}

// next returns the next token.
func (l *lexer) next() token {
	if t, bad := l.skipSpace(); bad {
		return t
	}
	t := l.begin()
	if l.at >= len(l.text) {
		return t
	}
	t.kind = l.scan()
	l.finish(&t)
	return t
}

// begin starts a token here.
func (l *lexer) begin() token {
	return token{start: int32(l.at), end: int32(l.at), line: int32(l.line), column: int32(l.at - l.lineStart - l.wide + 1)}
}

// finish ends a token here, and counts the lines and wide characters in it.
func (l *lexer) finish(t *token) {
	t.end = int32(l.at)
	if t.kind == tokString || t.kind == tokUnicodeString || t.kind == tokQuotedIdent ||
		t.kind == tokBinary || t.kind <= tokUnterminated || t.kind == tokBackquotedIdent {
		l.account(int(t.start), l.at)
	}
}

// account updates the position for the text from one offset to another.
func (l *lexer) account(from, to int) {
	for i := from; i < to; i++ {
		switch c := l.text[i]; {
		case c == '\n':
			l.line++
			l.lineStart = i + 1
			l.wide = 0
		case c&0xC0 == 0x80: // a byte that continues a code point
			l.wide++
		}
	}
}

// skipSpace passes white space and comments. A comment without end is returned
// as a token.
func (l *lexer) skipSpace() (token, bool) {
	for l.at < len(l.text) {
		switch c := l.text[l.at]; {
		case c == '\n':
			l.at++
			l.line++
			l.lineStart = l.at
			l.wide = 0
		case c == ' ' || c == '\t' || c == '\r':
			l.at++
		case c == '-' && l.peek(1) == '-':
			l.skipLine()
		case c == '/' && l.peek(1) == '*':
			t := l.begin()
			end := strings.Index(l.text[l.at+2:], "*/")
			if end < 0 {
				l.at = len(l.text)
				t.kind = tokUnterminated
				l.finish(&t)
				return t, true
			}
			l.at += end + 4
			l.account(int(t.start), l.at)
		default:
			return token{}, false
		}
	}
	return token{}, false
}

// skipLine passes a comment up to the end of its line. A lone \r ends it too.
func (l *lexer) skipLine() {
	from := l.at
	if i := strings.IndexAny(l.text[l.at:], "\r\n"); i >= 0 {
		l.at += i
	} else {
		l.at = len(l.text)
	}
	l.account(from, l.at)
}

// peek returns the byte n after the current one, or 0.
func (l *lexer) peek(n int) byte {
	if l.at+n < len(l.text) {
		return l.text[l.at+n]
	}
	return 0
}

// scan passes one token and returns its kind.
func (l *lexer) scan() kind {
	c := l.text[l.at]
	switch {
	case isLetter(c) || c == '_':
		return l.scanWord(c)
	case isDigit(c), c == '.' && isDigit(l.peek(1)):
		return l.scanNumber()
	case c == '\'':
		return l.scanQuoted('\'', 0, tokString)
	case c == '"':
		return l.scanQuoted('"', 0, tokQuotedIdent)
	case c == '`':
		return l.scanQuoted('`', 0, tokBackquotedIdent)
	}
	return l.scanSymbol(c)
}

// scanWord passes a keyword, an identifier, or a string with a prefix.
func (l *lexer) scanWord(c byte) kind {
	switch {
	case (c == 'U' || c == 'u') && l.peek(1) == '&' && l.peek(2) == '\'':
		return l.scanQuoted('\'', 2, tokUnicodeString)
	case (c == 'X' || c == 'x') && l.peek(1) == '\'':
		return l.scanBinary()
	}
	start := l.at
	for l.at < len(l.text) && isWordByte(l.text[l.at]) {
		l.at++
	}
	return keywordKind(l.text[start:l.at])
}

// keywordKind returns the keyword that word is, in any case, or tokIdent.
func keywordKind(word string) kind {
	var lower [20]byte
	if len(word) > len(lower) {
		return tokIdent
	}
	for i := 0; i < len(word); i++ {
		c := word[i]
		if 'A' <= c && c <= 'Z' {
			c += 'a' - 'A'
		}
		lower[i] = c
	}
	if k, ok := keywords[string(lower[:len(word)])]; ok {
		return k
	}
	return tokIdent
}

// scanQuoted passes text between quotes, in which a doubled quote stands for
// itself, after a prefix of the given length.
func (l *lexer) scanQuoted(quote byte, prefix int, k kind) kind {
	l.at += prefix + 1
	for {
		i := strings.IndexByte(l.text[l.at:], quote)
		if i < 0 {
			l.at = len(l.text)
			return tokUnterminated
		}
		l.at += i + 1
		if l.peek(0) != quote {
			return k
		}
		l.at++
	}
}

// scanBinary passes X'…', in which quotes cannot be doubled.
func (l *lexer) scanBinary() kind {
	l.at += 2
	i := strings.IndexByte(l.text[l.at:], '\'')
	if i < 0 {
		l.at = len(l.text)
		return tokUnterminated
	}
	l.at += i + 1
	return tokBinary
}

// scanNumber passes the longest of what can begin with a digit or a dot: an
// integer, a decimal, a double, or a name that begins with a digit, which the
// parser refuses with its own message.
func (l *lexer) scanNumber() kind {
	start := l.at
	word := start
	for word < len(l.text) && isWordByte(l.text[word]) {
		word++
	}
	best, end := l.longestNumber(start)
	if word > end {
		best, end = tokDigitIdent, word
	}
	l.at = end
	return best
}

// longestNumber returns the longest number that begins at start, and its end.
func (l *lexer) longestNumber(start int) (kind, int) {
	if end := l.radixEnd(start); end > start {
		return tokInteger, end
	}
	best := tokInteger
	end := l.digitsEnd(start)
	if end < len(l.text) && l.text[end] == '.' {
		best, end = tokDecimal, end+1
		end = l.digitsEnd(end)
	}
	if d := l.doubleEnd(start); d > end || d == end && best == tokInteger && d > start {
		return tokDouble, d
	}
	return best, end
}

// digitsEnd passes digits with single underscores between them.
func (l *lexer) digitsEnd(i int) int {
	for i < len(l.text) && isDigit(l.text[i]) {
		i++
		if i+1 < len(l.text) && l.text[i] == '_' && isDigit(l.text[i+1]) {
			i++
		}
	}
	return i
}

// doubleEnd returns the end of the double at start, or 0. Its digits have no
// underscores.
func (l *lexer) doubleEnd(i int) int {
	for i < len(l.text) && isDigit(l.text[i]) {
		i++
	}
	if i < len(l.text) && l.text[i] == '.' {
		i++
		for i < len(l.text) && isDigit(l.text[i]) {
			i++
		}
	}
	if i >= len(l.text) || l.text[i]|0x20 != 'e' {
		return 0
	}
	i++
	if i < len(l.text) && (l.text[i] == '+' || l.text[i] == '-') {
		i++
	}
	digits := i
	for i < len(l.text) && isDigit(l.text[i]) {
		i++
	}
	if i == digits {
		return 0
	}
	return i
}

// radixEnd returns the end of 0x…, 0o… or 0b… at i, or i.
func (l *lexer) radixEnd(start int) int {
	if l.text[start] != '0' || start+2 >= len(l.text) {
		return start
	}
	radix := radixOf(l.text[start+1])
	if radix == 0 {
		return start
	}
	i := start + 2
	for i < len(l.text) {
		j := i
		if l.text[j] == '_' && j+1 < len(l.text) {
			j++
		}
		if digitValue(l.text[j]) >= radix {
			break
		}
		i = j + 1
	}
	if i == start+2 {
		return start
	}
	return i
}

// radixOf returns the radix that a letter after 0 stands for, or 0.
func radixOf(c byte) int {
	switch c | 0x20 {
	case 'x':
		return 16
	case 'o':
		return 8
	case 'b':
		return 2
	}
	return 0
}

// digitValue returns the value of a hexadecimal digit, or 16.
func digitValue(c byte) int {
	switch {
	case isDigit(c):
		return int(c - '0')
	case 'a' <= c|0x20 && c|0x20 <= 'f':
		return int(c|0x20-'a') + 10
	}
	return 16
}

// scanSymbol passes an operator or a piece of punctuation.
func (l *lexer) scanSymbol(c byte) kind {
	if k, ok := pairs[[2]byte{c, l.peek(1)}]; ok {
		l.at += 2
		return k
	}
	if k := symbols[c]; k != 0 {
		l.at++
		return k
	}
	_, size := utf8.DecodeRuneInString(l.text[l.at:])
	l.at += size
	return tokUnrecognized
}

// pairs has the symbols of two characters. It never changes.
var pairs = map[[2]byte]kind{
	{'<', '>'}: tokNotEqual, {'!', '='}: tokNotEqual, {'<', '='}: tokLessEqual,
	{'>', '='}: tokGreaterEqual, {'|', '|'}: tokConcat, {'-', '>'}: tokArrow, {'=', '>'}: tokFatArrow,
}

// symbols has the symbols of one character. It never changes.
var symbols = [256]kind{
	'(': tokLeftParen, ')': tokRightParen, '[': tokLeftBracket, ']': tokRightBracket,
	',': tokComma, '.': tokDot, ';': tokSemicolon, '?': tokQuestion, '=': tokEqual,
	'<': tokLess, '>': tokGreater, '+': tokPlus, '-': tokMinus, '*': tokStar,
	'/': tokSlash, '%': tokPercent,
}

func isDigit(c byte) bool { return '0' <= c && c <= '9' }

func isLetter(c byte) bool { return 'a' <= c|0x20 && c|0x20 <= 'z' }

func isWordByte(c byte) bool { return isLetter(c) || isDigit(c) || c == '_' }
