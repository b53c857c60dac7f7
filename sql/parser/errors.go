package parser

import (
	"errors"
	"math"
	"sort"
	"strings"

	"github.com/tuttidb/tutti/internal/qerr"
)

// errMismatch marks an unexpected token until the second run has found what
// was expected instead.
var errMismatch = errors.New("mismatched input")

// maxShownToken is how much of a token a message shows, in bytes.
const maxShownToken = 80

// expectations collects what a token was tested for at the furthest place that
// the parser reached.
type expectations struct {
	at    int
	names map[string]bool
	// quiet is one more than the place of a rule whose parts are not noted
	// because the rule itself is.
	quiet int
}

// note records that the token at index at was tested for name.
func (e *expectations) note(at int, name string) {
	if at < e.at || at+1 == e.quiet {
		return
	}
	if at > e.at || e.names == nil {
		e.at = at
		e.names = map[string]bool{}
	}
	e.names[name] = true
}

// close ends the collection: the token at index at is the one that failed.
func (e *expectations) close(at int) {
	if e.at != at {
		e.names = nil
	}
	e.at = math.MaxInt
}

// list returns the names in the order of Trino's messages.
func (e *expectations) list() string {
	names := make([]string, 0, len(e.names))
	for n := range e.names {
		names = append(names, n)
	}
	sort.Strings(names)
	return strings.Join(names, ", ")
}

// rule notes that something with a name of its own may begin here, such as
// "<expression>", so that messages name it instead of all its first tokens.
func (p *parser) rule(name string) {
	if p.expected != nil {
		p.expected.note(p.pos, name)
		p.expected.quiet = p.pos + 1
	}
}

// hint notes that something with a name may stand here, which is not parsed
// now.
func (p *parser) hint(names ...string) {
	if p.expected != nil {
		for _, n := range names {
			p.expected.note(p.pos, n)
		}
	}
}

// unexpected fails at the current token.
func (p *parser) unexpected() { p.stop(errMismatch) }

// fail fails at the current token with a message of its own.
func (p *parser) fail(format string, args ...any) {
	p.failAt(p.tokens[p.pos], format, args...)
}

// failAt fails at t with a message of its own.
func (p *parser) failAt(t token, format string, args ...any) {
	p.stop(qerr.At(qerr.SyntaxError, t.pos(), format, args...))
}

// notSupported fails at the current token for a part of the grammar that is
// known but not there yet.
func (p *parser) notSupported(what string) {
	p.stop(qerr.NotSupported(p.tokens[p.pos].pos(), "%s", what))
}

// stop records the first error and moves to the end of the text.
func (p *parser) stop(err error) {
	if p.err != nil {
		return
	}
	if p.expected != nil {
		p.expected.close(p.pos)
	}
	p.err = err
	p.failed = p.tokens[p.pos]
	p.pos = len(p.tokens) - 1
}

// mismatch makes the message for an unexpected token, after a second run.
func (p *parser) mismatch() error {
	if !errors.Is(p.err, errMismatch) {
		return p.err
	}
	return qerr.At(qerr.SyntaxError, p.failed.pos(), "mismatched input '%s'. Expecting: %s%s",
		p.shown(p.failed), p.expected.list(), p.remark(p.failed))
}

// shown returns a token as messages show it.
func (p *parser) shown(t token) string {
	text := p.textOf(t)
	switch {
	case t.kind == tokEOF:
		return "<EOF>"
	case t.kind == tokUnterminated && strings.HasPrefix(text, "/*"):
		return "/*"
	case t.kind == tokUnterminated:
		return text[:strings.IndexAny(text, "'\"`")+1]
	case len(text) > maxShownToken:
		return strings.ToValidUTF8(text[:maxShownToken], "") + "…"
	}
	return text
}

// remark says what else is known about a token that was not expected.
func (p *parser) remark(t token) string {
	if t.kind != tokUnterminated {
		return ""
	}
	switch shown := p.shown(t); shown[len(shown)-1] {
	case '*':
		return " (the comment that starts here is not terminated)"
	case '\'':
		return " (the string that starts here is not terminated)"
	}
	return " (the quoted identifier that starts here is not terminated)"
}
