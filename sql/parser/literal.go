package parser

import (
	"encoding/hex"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/tuttidb/tutti/sql/ast"
)

func isNumber(k kind) bool { return k == tokInteger || k == tokDecimal || k == tokDouble }

func isStringKind(k kind) bool { return k == tokString || k == tokUnicodeString }

// isIdentifier reports whether a token can be a name. Names in backquotes and
// names that begin with a digit count: they get their own messages when they
// are taken as names.
func isIdentifier(k kind) bool {
	switch k {
	case tokIdent, tokQuotedIdent, tokBackquotedIdent, tokDigitIdent:
		return true
	}
	return k >= firstKeyword && !reservedKinds[k]
}

// startsExpression reports whether an expression can begin with a token.
func startsExpression(k kind) bool {
	switch k {
	case tokString, tokUnicodeString, tokBinary, tokInteger, tokDecimal, tokDouble,
		tokLeftParen, tokQuestion, tokPlus, tokMinus,
		kwNull, kwTrue, kwFalse, kwNot, kwCase, kwCast, kwExists, kwExtract, kwTrim, kwNormalize,
		kwListagg, kwGrouping, kwCurrentCatalog, kwCurrentDate, kwCurrentPath, kwCurrentSchema,
		kwCurrentTime, kwCurrentTimestamp, kwCurrentUser, kwLocaltime, kwLocaltimestamp,
		kwJsonArray, kwJsonExists, kwJsonObject, kwJsonQuery, kwJsonValue:
		return true
	}
	return isIdentifier(k)
}

// identifier parses one name.
func (p *parser) identifier() *ast.Identifier {
	p.hint("<identifier>")
	base := p.here()
	if !isIdentifier(p.kind()) {
		p.unexpected()
		return &ast.Identifier{Base: base}
	}
	switch p.kind() {
	case tokDigitIdent:
		p.fail("identifiers must not start with a digit; surround the identifier with double quotes")
		return &ast.Identifier{Base: base}
	case tokBackquotedIdent:
		p.fail("backquoted identifiers are not supported; use double quotes to quote identifiers")
		return &ast.Identifier{Base: base}
	case tokQuotedIdent:
		return p.quotedIdentifier(base)
	}
	return &ast.Identifier{Base: base, Name: p.textOf(p.next())}
}

func (p *parser) quotedIdentifier(base ast.Base) *ast.Identifier {
	text := p.textOf(p.tokens[p.pos])
	name := strings.ReplaceAll(text[1:len(text)-1], `""`, `"`)
	if name == "" {
		p.fail("Zero-length delimited identifier not allowed")
	}
	p.next()
	return &ast.Identifier{Base: base, Name: name, Quoted: true}
}

// qualifiedName parses a dotted name.
func (p *parser) qualifiedName() *ast.QualifiedName {
	n := &ast.QualifiedName{Base: p.here(), Parts: []*ast.Identifier{p.identifier()}}
	for p.accept(tokDot) {
		n.Parts = append(n.Parts, p.identifier())
	}
	return n
}

// number parses a number, with sign being "" or "-".
func (p *parser) number(base ast.Base, sign string) ast.Expression {
	t := p.tokens[p.pos]
	text := sign + strings.ReplaceAll(p.textOf(t), "_", "")
	p.next()
	switch t.kind {
	case tokInteger:
		return &ast.IntegerLiteral{Base: base, Value: p.parseInteger(t, text)}
	case tokDecimal:
		return &ast.DecimalLiteral{Base: base, Text: text}
	}
	// Too large a number is an infinity, too small a one is zero, as in Java.
	f, err := strconv.ParseFloat(text, 64)
	if err != nil && !errors.Is(err, strconv.ErrRange) {
		p.failAt(t, "Invalid numeric literal: %s", text)
	}
	return &ast.DoubleLiteral{Base: base, Value: f}
}

// parseInteger returns the value of the digits in text, which may have a radix
// prefix.
func (p *parser) parseInteger(t token, text string) int64 {
	digits, radix := text, 10
	if unsigned := strings.TrimPrefix(text, "-"); len(unsigned) > 1 && radixOf(unsigned[1]) != 0 {
		radix = radixOf(unsigned[1])
		digits = text[:len(text)-len(unsigned)] + unsigned[2:]
	}
	v, err := strconv.ParseInt(digits, radix, 64)
	if err != nil {
		p.failAt(t, "Invalid numeric literal: %s", text)
	}
	return v
}

// integer parses a whole number without sign.
func (p *parser) integer() int64 {
	t := p.tokens[p.pos]
	p.expect(tokInteger)
	if t.kind != tokInteger {
		return 0
	}
	return p.parseInteger(t, strings.ReplaceAll(p.textOf(t), "_", ""))
}

// atString reports whether the current token is a string.
func (p *parser) atString() bool {
	p.hint("<string>")
	return isStringKind(p.kind())
}

// stringLiteral parses a string.
func (p *parser) stringLiteral() *ast.StringLiteral {
	return &ast.StringLiteral{Base: p.here(), Value: p.str()}
}

// str parses a string and returns its value.
func (p *parser) str() string {
	if !p.atString() {
		p.unexpected()
		return ""
	}
	t := p.next()
	text := p.textOf(t)
	if t.kind == tokString {
		return strings.ReplaceAll(text[1:len(text)-1], "''", "'")
	}
	body := strings.ReplaceAll(text[3:len(text)-1], "''", "'")
	escape := '\\'
	if p.accept(kwUescape) {
		escape = p.escapeCharacter()
	}
	if p.err != nil {
		return ""
	}
	s, err := decodeUnicode(body, escape)
	if err != nil {
		p.failAt(t, "%s", err)
	}
	return s
}

// escapeCharacter parses what follows UESCAPE.
func (p *parser) escapeCharacter() rune {
	t := p.tokens[p.pos]
	if t.kind != tokString {
		p.hint("<string>")
		p.unexpected()
		return '\\'
	}
	text := p.textOf(t)
	s := strings.ReplaceAll(text[1:len(text)-1], "''", "'")
	r, size := utf8.DecodeRuneInString(s)
	switch {
	case size == 0:
		p.fail("Empty Unicode escape character")
	case size != len(s):
		p.fail("Invalid Unicode escape character: %s", s)
	case r == '"' || r == '\'' || r == '+' || r == ' ' || r < 0x80 && digitValue(byte(r)) < 16:
		p.fail("Invalid Unicode escape character: %s", s)
	}
	p.next()
	return r
}

// decodeUnicode undoes the escapes of a U&'…' string: \XXXX, \+XXXXXX, and the
// escape character twice for itself.
func decodeUnicode(s string, escape rune) (string, error) {
	var out strings.Builder
	for s != "" {
		r, size := utf8.DecodeRuneInString(s)
		s = s[size:]
		if r != escape {
			out.WriteRune(r)
			continue
		}
		if next, size := utf8.DecodeRuneInString(s); size > 0 && next == escape {
			out.WriteRune(escape)
			s = s[size:]
			continue
		}
		digits := 4
		if strings.HasPrefix(s, "+") {
			digits, s = 6, s[1:]
		}
		code, err := decodeCodePoint(s, digits)
		if err != nil {
			return "", err
		}
		out.WriteRune(code)
		s = s[digits:]
	}
	return out.String(), nil
}

// decodeCodePoint reads the given number of hexadecimal digits.
func decodeCodePoint(s string, digits int) (rune, error) {
	code := rune(0)
	for i := range digits {
		if i >= len(s) {
			return 0, fmt.Errorf("Incomplete escape sequence: %s", s) //nolint:staticcheck // Trino's words
		}
		v := digitValue(s[i])
		if v == 16 {
			r, _ := utf8.DecodeRuneInString(s[i:])
			return 0, fmt.Errorf("Invalid hexadecimal digit: %c", r) //nolint:staticcheck // Trino's words
		}
		code = code<<4 | rune(v)
	}
	switch {
	case 0xD800 <= code && code <= 0xDFFF:
		return 0, fmt.Errorf("Invalid escaped character: %s. Escaped character is a surrogate. Use '\\+123456' instead.", s[:digits]) //nolint:staticcheck,revive // Trino's words
	case code > utf8.MaxRune:
		return 0, fmt.Errorf("Invalid escaped character: %s", s[:digits]) //nolint:staticcheck // Trino's words
	}
	return code, nil
}

// binaryLiteral parses X'…', whose digits may have white space between them.
func (p *parser) binaryLiteral() ast.Expression {
	t := p.next()
	n := &ast.BinaryLiteral{Base: ast.At(t.pos())}
	text := p.textOf(t)
	digits := strings.Join(strings.Fields(text[2:len(text)-1]), "")
	value, err := hex.DecodeString(digits)
	switch {
	case errors.Is(err, hex.ErrLength):
		p.failAt(t, "Binary literal must contain an even number of digits")
	case err != nil:
		p.failAt(t, "Binary literal can only contain hexadecimal digits")
	}
	n.Value = value
	return n
}

// intervalFields never changes.
var intervalFields = map[kind]ast.IntervalField{
	kwYear: ast.Year, kwMonth: ast.Month, kwDay: ast.Day,
	kwHour: ast.Hour, kwMinute: ast.Minute, kwSecond: ast.Second,
}

func (p *parser) intervalField() ast.IntervalField {
	p.hint("'DAY'", "'HOUR'", "'MINUTE'", "'MONTH'", "'SECOND'", "'YEAR'")
	f, ok := intervalFields[p.kind()]
	if !ok {
		p.unexpected()
		return ast.NoField
	}
	p.next()
	return f
}

// interval parses INTERVAL '1' DAY and the like.
func (p *parser) interval() *ast.IntervalLiteral {
	n := &ast.IntervalLiteral{Base: p.here()}
	p.expect(kwInterval)
	n.Negative = p.accept(tokMinus)
	if !n.Negative {
		p.accept(tokPlus)
	}
	n.Value = p.str()
	n.From = p.intervalField()
	if p.toFieldAhead() {
		p.expect(kwTo)
		n.To = p.intervalField()
	}
	return n
}

// toFieldAhead reports whether TO and an interval field follow: TO is also a
// name.
func (p *parser) toFieldAhead() bool {
	_, field := intervalFields[p.peek(1)]
	return p.at(kwTo) && field
}
