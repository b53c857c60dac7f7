// Package parser turns SQL text into the syntax tree of package ast. The
// dialect is that of Trino 476, plus strings in place of tables
// (FROM 's3://bucket/path/*.parquet') and GROUP BY ALL.
//
// A hand-written lexer cuts the whole text into tokens first, which makes any
// look-ahead cheap. Statements, queries and relations are parsed by recursive
// descent, expressions by precedence climbing (Pratt): see expression.go. The
// parser never goes back: where the grammar leaves open what begins, such as
// after an opening parenthesis, it looks ahead or parses what the readings
// have in common. Its time is linear in the length of the text.
//
// # Errors
//
// Errors are *qerr.Error with the code SYNTAX_ERROR, a position and Trino's
// words: "line 1:8: mismatched input 'from'. Expecting: <expression>". What is
// expected is found by parsing a second time, with every test for a token
// noted; the first time pays nothing for it. Parts of Trino's grammar that
// Tutti does not have yet give NOT_SUPPORTED.
//
// After an error the parser stands at the end of the text, where every loop
// ends and every test fails, and carries on to the top: functions therefore
// return incomplete nodes, perhaps nil, and must not look into them.
//
// # Limits
//
// The text may have MaxTextLength characters. Neither nesting nor the height
// of the tree may pass MaxDepth, so recursion over a tree is safe; AND and OR
// chains are flat and of any length.
package parser

import (
	"errors"
	"strings"
	"unicode/utf8"

	"github.com/tuttidb/tutti/internal/qerr"
	"github.com/tuttidb/tutti/sql/ast"
)

const (
	// MaxTextLength is the longest query text in characters: Trino's default
	// for query.max-length.
	MaxTextLength = 1_000_000
	// MaxDepth is the most levels that parentheses may be nested and that a
	// tree may be high.
	MaxDepth = 10_000
)

// ParseStatement parses one statement, which a ';' may end.
func ParseStatement(sql string) (ast.Statement, error) {
	return ParseStatementAt(sql, qerr.Pos{})
}

// ParseStatementAt parses a statement that stands in a string literal at a
// place in another one. All positions are those in the other text, as if the
// statement began right behind the opening quote; quotes doubled within the
// literal are not made up for.
func ParseStatementAt(sql string, at qerr.Pos) (ast.Statement, error) {
	return parseAt(sql, at, func(p *parser) ast.Statement {
		s := p.statement()
		if p.kind() == tokSemicolon && p.peek(1) == tokEOF {
			p.next()
		}
		return s
	})
}

// ParseExpression parses a single expression.
func ParseExpression(sql string) (ast.Expression, error) {
	return parse(sql, (*parser).expression)
}

// ParseType parses a data type, such as "decimal(12,2)" or
// "array(row(a bigint))".
func ParseType(sql string) (ast.DataType, error) {
	return parse(sql, (*parser).dataType)
}

// parse runs rule over the whole of sql.
func parse[T ast.Node](sql string, rule func(*parser) T) (T, error) {
	return parseAt(sql, qerr.Pos{}, rule)
}

// parseAt is parse for a text in a literal at a place in another text.
func parseAt[T ast.Node](sql string, at qerr.Pos, rule func(*parser) T) (T, error) {
	var none T
	if n := utf8.RuneCountInString(sql); n > MaxTextLength {
		return none, qerr.New(qerr.QueryTextTooLarge,
			"Query text length (%d) exceeds the maximum length (%d)", n, MaxTextLength)
	}
	if !utf8.ValidString(sql) {
		sql = strings.ToValidUTF8(sql, string(utf8.RuneError))
	}
	p := &parser{text: sql, tokens: moved(tokenize(sql), at)}
	node := p.run(func() ast.Node { return rule(p) })
	if p.err == nil {
		p.checkHeight(node)
	}
	if errors.Is(p.err, errMismatch) {
		again := &parser{text: sql, tokens: p.tokens, expected: &expectations{}}
		again.run(func() ast.Node { return rule(again) })
		p.err = again.mismatch()
	}
	if p.err != nil {
		return none, p.err
	}
	result, _ := node.(T)
	return result, nil
}

// moved moves tokens behind the quote of a literal at a place.
func moved(tokens []token, at qerr.Pos) []token {
	if !at.IsValid() {
		return tokens
	}
	for i := range tokens {
		if tokens[i].line == 1 {
			tokens[i].column += int32(at.Column)
		}
		tokens[i].line += int32(at.Line) - 1
	}
	return tokens
}

// parser is the state of one run over the tokens.
type parser struct {
	text   string
	tokens []token
	// pos is the index of the current token.
	pos int
	// err is the first error; failed is the token it is about.
	err    error
	failed token
	depth  int
	// params counts the ? seen so far.
	params int
	// runStart and runEnd bound the run of '(' that afterParens last measured.
	runStart, runEnd int
	// expected is nil on the first run.
	expected *expectations
}

// run parses the whole text by rule.
func (p *parser) run(rule func() ast.Node) ast.Node {
	node := rule()
	if !p.accept(tokEOF) {
		p.unexpected()
	}
	return node
}

// kind returns the kind of the current token.
func (p *parser) kind() kind { return p.tokens[p.pos].kind }

// peek returns the kind of the token n after the current one.
func (p *parser) peek(n int) kind {
	if p.pos+n < len(p.tokens) {
		return p.tokens[p.pos+n].kind
	}
	return tokEOF
}

// here returns a Base at the current token.
func (p *parser) here() ast.Base { return ast.At(p.tokens[p.pos].pos()) }

// next passes the current token and returns it.
func (p *parser) next() token {
	t := p.tokens[p.pos]
	if t.kind != tokEOF {
		p.pos++
	}
	return t
}

// at reports whether the current token is of kind k.
func (p *parser) at(k kind) bool {
	if p.expected != nil {
		p.expected.note(p.pos, k.String())
	}
	return p.kind() == k
}

// accept passes the current token if it is of kind k.
func (p *parser) accept(k kind) bool {
	if !p.at(k) {
		return false
	}
	p.next()
	return true
}

// accept2 passes two tokens if they are of kinds a and b. It is for words that
// only together are not a name.
func (p *parser) accept2(a, b kind) bool {
	if p.peek(1) != b || !p.at(a) {
		return false
	}
	p.pos += 2
	return true
}

// expect passes tokens of the given kinds, or fails.
func (p *parser) expect(kinds ...kind) {
	for _, k := range kinds {
		if !p.accept(k) {
			p.unexpected()
			return
		}
	}
}

// text of a token as written.
func (p *parser) textOf(t token) string { return p.text[t.start:t.end] }

// enter begins a level of nesting; the caller defers leave. It reports false,
// with an error set, when there are too many.
func (p *parser) enter() bool {
	p.depth++
	if p.depth > MaxDepth {
		p.fail("statement is too large: nested more than %d levels deep", MaxDepth)
		return false
	}
	return true
}

func (p *parser) leave() { p.depth-- }

// checkHeight fails if the tree is too high. A tree is never higher than its
// text has tokens, so that short texts need no look at it.
func (p *parser) checkHeight(n ast.Node) {
	if len(p.tokens) <= MaxDepth {
		return
	}
	height, deepest := ast.Deepest(n)
	if height > MaxDepth {
		p.err = qerr.At(qerr.SyntaxError, deepest.Pos(),
			"statement is too large: its syntax tree is %d levels high, more than %d", height, MaxDepth)
	}
}

// commaList parses one or more items with commas between them.
func commaList[T any](p *parser, item func() T) []T {
	list := []T{item()}
	for p.accept(tokComma) {
		list = append(list, item())
	}
	return list
}

// parenList parses a commaList in parentheses.
func parenList[T any](p *parser, item func() T) []T {
	p.expect(tokLeftParen)
	list := commaList(p, item)
	p.expect(tokRightParen)
	return list
}
