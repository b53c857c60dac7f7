package kernel

import (
	"bytes"
	"slices"
	"unicode/utf8"

	"github.com/tuttidb/tutti/exec/vector"
	"github.com/tuttidb/tutti/internal/qerr"
	"github.com/tuttidb/tutti/sql/expr"
	"github.com/tuttidb/tutti/sql/function"
	"github.com/tuttidb/tutti/sql/types"
)

// like is a compiled LIKE pattern: pieces of literal text and single-character
// wildcards, separated by '%'.
type like struct {
	// parts are what stands between the '%'s; the first is anchored at the
	// start, the last at the end.
	parts []likePart
	// exact: there is no '%', parts[0] is the whole.
	exact bool
}

// likePart is a run of literal text and '_'. Without '_', text is all of it.
type likePart struct {
	text []byte
	any  []bool // per character of runes: it is '_'
	rs   []rune
}

func (p *likePart) literal() bool { return p.any == nil }

// compileLike reads a pattern; escape is "" for none.
func compileLike(pattern, escape []byte) (*like, error) {
	var esc rune = -1
	if len(escape) > 0 {
		r, n := utf8.DecodeRune(escape)
		if n != len(escape) {
			return nil, qerr.New(qerr.InvalidFunctionArgument, "Escape string must be a single character")
		}
		esc = r
	}
	l := &like{exact: true}
	var part likePart
	wild := false
	add := func(r rune, any bool) {
		part.rs = append(part.rs, r)
		part.any = append(part.any, any)
		if !any {
			part.text = utf8.AppendRune(part.text, r)
		}
		wild = wild || any
	}
	end := func() {
		if !wild {
			part.any = nil
		}
		l.parts = append(l.parts, part)
		part, wild = likePart{}, false
	}
	for i := 0; i < len(pattern); {
		r, n := utf8.DecodeRune(pattern[i:])
		i += n
		switch {
		case r == esc && esc >= 0:
			next, m := utf8.DecodeRune(pattern[i:])
			if m == 0 || next != '%' && next != '_' && next != esc {
				return nil, qerr.New(qerr.InvalidFunctionArgument, "Escape character must be followed by '%%', '_' or the escape character itself")
			}
			i += m
			add(next, false)
		case r == '%':
			l.exact = false
			end()
		case r == '_':
			add(0, true)
		default:
			add(r, false)
		}
	}
	end()
	l.dropEmpty()
	return l, nil
}

// dropEmpty removes empty parts in the middle, which "%%" leaves.
func (l *like) dropEmpty() {
	if len(l.parts) < 3 {
		return
	}
	kept := l.parts[:1]
	for _, p := range l.parts[1 : len(l.parts)-1] {
		if len(p.rs) > 0 {
			kept = append(kept, p)
		}
	}
	l.parts = append(kept, l.parts[len(l.parts)-1])
}

// match reports whether s matches the pattern: the first part at the start,
// the last at the end, the others one after the other at the first place that
// fits, which is never worse than a later one.
func (l *like) match(s []byte) bool {
	first := &l.parts[0]
	n, ok := first.prefix(s)
	if !ok {
		return false
	}
	if l.exact {
		return n == len(s)
	}
	s = s[n:]
	last := &l.parts[len(l.parts)-1]
	if n, ok = last.suffix(s); !ok {
		return false
	}
	s = s[:len(s)-n]
	for i := 1; i < len(l.parts)-1; i++ {
		at := l.parts[i].find(s)
		if at < 0 {
			return false
		}
		s = s[at:]
	}
	return true
}

// prefix returns how many bytes at the start of s the part takes.
func (p *likePart) prefix(s []byte) (int, bool) {
	if p.literal() {
		return len(p.text), bytes.HasPrefix(s, p.text)
	}
	at := 0
	for k, r := range p.rs {
		x, n := utf8.DecodeRune(s[at:])
		if n == 0 || !p.any[k] && x != r {
			return 0, false
		}
		at += n
	}
	return at, true
}

func (p *likePart) suffix(s []byte) (int, bool) {
	if p.literal() {
		return len(p.text), bytes.HasSuffix(s, p.text)
	}
	at := len(s)
	for k := len(p.rs) - 1; k >= 0; k-- {
		x, n := utf8.DecodeLastRune(s[:at])
		if n == 0 || !p.any[k] && x != p.rs[k] {
			return 0, false
		}
		at -= n
	}
	return len(s) - at, true
}

// find returns where the first match of the part in s ends, or -1.
func (p *likePart) find(s []byte) int {
	if p.literal() {
		at := bytes.Index(s, p.text)
		if at < 0 {
			return -1
		}
		return at + len(p.text)
	}
	for at := 0; at <= len(s); {
		if n, ok := p.prefix(s[at:]); ok {
			return at + n
		}
		_, n := utf8.DecodeRune(s[at:])
		at += max(n, 1)
	}
	return -1
}

// likeTest is LIKE with a constant pattern.
type likeTest struct {
	l   *like
	neg int
}

func (t *likeTest) strict() bool { return true }

func (t *likeTest) pick(v *vector.Vector, sel []int32, n int, dst []int32) []int32 {
	views, k, l := vector.Values[vector.View](v), 0, t.l
	if len(l.parts) == 3 && l.parts[1].literal() && len(l.parts[0].rs)+len(l.parts[2].rs) == 0 {
		return t.contains(views, v.Heap, sel, n, dst)
	}
	for j := range rows(sel, n) {
		i := int32(j)
		if sel != nil {
			i = sel[j]
		}
		dst[k] = i
		k += boolInt(l.match(views[i].Bytes(v.Heap))) ^ t.neg
	}
	return dst[:k]
}

// contains is the loop for LIKE '%text%'.
func (t *likeTest) contains(views []vector.View, heap [][]byte, sel []int32, n int, dst []int32) []int32 {
	k, text := 0, t.l.parts[1].text
	for j := range rows(sel, n) {
		i := int32(j)
		if sel != nil {
			i = sel[j]
		}
		dst[k] = i
		k += boolInt(bytes.Contains(views[i].Bytes(heap), text)) ^ t.neg
	}
	return dst[:k]
}

// likePred compiles LIKE, and starts_with, with a constant pattern.
func (c *compiler) likePred(e *expr.Call, sc *scope, negate bool) (inputs, error) {
	if e.Args[0].Type().Kind == types.Char || slices.ContainsFunc(e.Args[1:], isVarying) {
		return nil, nil
	}
	arg, err := c.node(e.Args[0], sc)
	if err != nil {
		return nil, err
	}
	var consts [2][]byte
	for i, a := range e.Args[1:] {
		n, err := c.node(a, sc)
		if err != nil {
			return nil, err
		}
		k := asConst(n)
		if k == nil {
			return nil, nil
		}
		if k.IsNull(0) {
			return &nothing{arg: arg, null: k}, nil
		}
		consts[i] = k.Bytes(0)
	}
	if e.Fn.Name != function.OpLike {
		l := &like{parts: []likePart{{text: append([]byte(nil), consts[0]...)}, {}}}
		return c.testPred(arg, &likeTest{l: l, neg: boolInt(negate)}), nil
	}
	l, err := compileLike(consts[0], consts[1])
	if err != nil {
		return nil, nil // raised by the kernel, for rows that are there
	}
	if l.exact && l.parts[0].literal() {
		return c.testPred(arg, newBytesEqual(l.parts[0].text, boolByte(negate))), nil
	}
	return c.testPred(arg, &likeTest{l: l, neg: boolInt(negate)}), nil
}

// likeKernel is LIKE in its general form: patterns that differ by row are
// compiled when they change. Char values match with their padding.
func likeKernel(fn *function.Scalar, _ *binding) (kern, error) {
	var l *like
	var pattern, escape []byte
	pad := fn.Args[0]
	return kern{strict: true, fallible: true, eval: func(c *call) error {
		s, p := c.bytes(0), c.bytes(1)
		esc := bytesCol{}
		if len(c.args) > 2 {
			esc = c.bytes(2)
		}
		res := out[uint8](c.out)
		return c.each(func(i int) error {
			var e []byte
			if len(c.args) > 2 {
				e = esc.at(i)
			}
			if pt := p.at(i); l == nil || !bytes.Equal(pt, pattern) || !bytes.Equal(e, escape) {
				next, err := compileLike(pt, e)
				if err != nil {
					return c.fail(i, err)
				}
				l, pattern, escape = next, append(pattern[:0], pt...), append(escape[:0], e...)
			}
			c.buf = padChar(append(c.buf[:0], s.at(i)...), pad)
			res[i] = boolByte(l.match(c.buf))
			return nil
		})
	}}, nil
}

// padChar appends the spaces that a value of type t = char(n) lacks.
func padChar(b []byte, t types.Type) []byte {
	if t.Kind != types.Char {
		return b
	}
	for n := utf8.RuneCount(b); n < int(t.P); n++ {
		b = append(b, ' ')
	}
	return b
}
