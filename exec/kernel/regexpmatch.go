package kernel

import (
	"regexp"
	"regexp/syntax"
	"strings"
	"unicode/utf8"
)

// pattern is a compiled regular expression.
type pattern struct {
	*regexp.Regexp
	// byPieces says that matches are found one by one in the rest of the text.
	byPieces bool
}

// patterns compiles patterns, remembering the last.
type patterns struct {
	text string
	re   *pattern
}

func (p *patterns) compile(text []byte) (*pattern, error) {
	if p.re != nil && p.text == string(text) {
		return p.re, nil
	}
	re, err := regexp.Compile(string(text))
	if err != nil {
		msg := strings.TrimPrefix(err.Error(), "error parsing regexp: ")
		return nil, invalid("invalid regular expression: %s", msg)
	}
	p.text = string(text)
	p.re = &pattern{Regexp: re, byPieces: re.MatchString("") && !looksBack(p.text)}
	return p.re, nil
}

// looksBack reports whether a pattern asks what stands before a match, which
// cannot be told in the rest of a text.
func looksBack(text string) bool {
	tree, err := syntax.Parse(text, syntax.Perl)
	return err != nil || asksBefore(tree)
}

func asksBefore(re *syntax.Regexp) bool {
	switch re.Op {
	case syntax.OpBeginLine, syntax.OpBeginText, syntax.OpWordBoundary, syntax.OpNoWordBoundary:
		return true
	}
	for _, s := range re.Sub {
		if asksBefore(s) {
			return true
		}
	}
	return false
}

// all returns the places of all matches and their groups. Right behind a match
// there may be an empty one, as in Java and unlike in package regexp, except
// for patterns that look at what stands before.
func (p *pattern) all(b []byte) [][]int {
	if !p.byPieces {
		return p.FindAllSubmatchIndex(b, -1)
	}
	var out [][]int
	for at := 0; at <= len(b); {
		m := p.FindSubmatchIndex(b[at:])
		if m == nil {
			break
		}
		for k := range m {
			if m[k] >= 0 {
				m[k] += at
			}
		}
		out = append(out, m)
		at = m[1]
		if m[0] == m[1] {
			_, n := utf8.DecodeRune(b[at:])
			at += max(n, 1)
		}
	}
	return out
}
