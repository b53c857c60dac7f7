package kernel

import (
	"strings"
	"unicode/utf8"

	"github.com/tuttidb/tutti/exec/vector"
	"github.com/tuttidb/tutti/sql/function"
)

// regexpKernels are the functions of regular expressions, in RE2's syntax.
var regexpKernels = map[string]builder{
	"regexp_like":        patternKernel(regexpLike),
	"regexp_count":       patternKernel(regexpCount),
	"regexp_position":    patternKernel(regexpPosition),
	"regexp_extract":     patternKernel(regexpExtract),
	"regexp_replace":     patternKernel(regexpReplace),
	"regexp_extract_all": nestedPattern(regexpExtractAll),
	"regexp_split":       nestedPattern(regexpSplit),
}

// patternKernel is a row-wise kernel whose second argument is a pattern.
func patternKernel(prepare func(c *call) func(i int, re *pattern) error) builder {
	return func(*function.Scalar, *binding) (kern, error) {
		var ps patterns
		return rowKern(func(c *call) func(i int) error {
			f, pattern := prepare(c), c.bytes(1)
			return func(i int) error {
				re, err := ps.compile(pattern.at(i))
				if err != nil {
					return err
				}
				return f(i, re)
			}
		}), nil
	}
}

// nestedPattern is its form for arrays of strings: f appends the elements.
func nestedPattern(f func(c *call, i int, re *pattern, elems *vector.Builder) error) builder {
	return func(*function.Scalar, *binding) (kern, error) {
		var ps patterns
		return kern{strict: true, fallible: true, eval: func(c *call) error {
			pattern := c.bytes(1)
			return c.eachNested(func(b *vector.Builder, i int) error {
				re, err := ps.compile(pattern.at(i))
				if err != nil {
					return err
				}
				if err := f(c, i, re, b.Kid(0)); err != nil {
					return err
				}
				return b.CloseRow()
			})
		}}, nil
	}
}

func regexpLike(c *call) func(i int, re *pattern) error {
	s, res := c.bytes(0), out[uint8](c.out)
	return func(i int, re *pattern) error {
		res[i] = boolByte(re.Match(s.at(i)))
		return nil
	}
}

func regexpCount(c *call) func(i int, re *pattern) error {
	s, res := c.bytes(0), out[int64](c.out)
	return func(i int, re *pattern) error {
		res[i] = int64(len(re.all(s.at(i))))
		return nil
	}
}

// regexpPosition is the character at which the n-th match begins that does not
// begin before a start, -1 if there is none.
func regexpPosition(c *call) func(i int, re *pattern) error {
	s, res := c.bytes(0), out[int32](c.out)
	start, occurrence := c.intsOr(2, 1), c.intsOr(3, 1)
	return func(i int, re *pattern) error {
		first, n := start(i), occurrence(i)
		switch {
		case first < 1:
			return invalid("start position cannot be smaller than 1")
		case n < 1:
			return invalid("occurrence cannot be smaller than 1")
		}
		b := s.at(i)
		res[i] = -1
		if first > int64(utf8.RuneCount(b)) {
			return nil
		}
		from, _ := substr(b, first, 1, false)
		if m := nthMatch(re, b, from, n); m >= 0 {
			res[i] = int32(utf8.RuneCount(b[:m])) + 1
		}
		return nil
	}
}

// nthMatch returns where the n-th match that begins at from or later begins.
func nthMatch(re *pattern, b []byte, from int, n int64) int {
	for _, m := range re.all(b) {
		if m[0] < from {
			continue
		}
		if n--; n == 0 {
			return m[0]
		}
	}
	return -1
}

func checkGroup(re *pattern, group int64) error {
	switch {
	case group < 0:
		return invalid("Group cannot be negative")
	case group > int64(re.NumSubexp()):
		return invalid("Pattern has %d groups. Cannot access group %d", re.NumSubexp(), group)
	}
	return nil
}

func regexpExtract(c *call) func(i int, re *pattern) error {
	s, group := c.bytes(0), c.intsOr(2, 0)
	return func(i int, re *pattern) error {
		g := group(i)
		if err := checkGroup(re, g); err != nil {
			return err
		}
		b := s.at(i)
		m := re.FindSubmatchIndex(b)
		if m == nil || m[2*g] < 0 {
			c.out.setNull(i)
			return nil
		}
		return c.out.putBytes(i, b[m[2*g]:m[2*g+1]])
	}
}

func regexpExtractAll(c *call, i int, re *pattern, elems *vector.Builder) error {
	s, g := c.bytes(0), c.intsOr(2, 0)(i)
	if err := checkGroup(re, g); err != nil {
		return err
	}
	b := s.at(i)
	for _, m := range re.all(b) {
		err := error(nil)
		if m[2*g] < 0 {
			err = elems.AppendNull()
		} else {
			err = elems.AppendBytes(b[m[2*g]:m[2*g+1]])
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func regexpSplit(c *call, i int, re *pattern, elems *vector.Builder) error {
	s := c.bytes(0)
	b, from := s.at(i), 0
	for _, m := range re.all(b) {
		if err := elems.AppendBytes(b[from:m[0]]); err != nil {
			return err
		}
		from = m[1]
	}
	return elems.AppendBytes(b[from:])
}

func regexpReplace(c *call) func(i int, re *pattern) error {
	s := c.bytes(0)
	var with bytesCol
	if len(c.args) > 2 {
		with = c.bytes(2)
	}
	return func(i int, re *pattern) error {
		b, from := s.at(i), 0
		c.buf = c.buf[:0]
		var repl []byte
		if len(c.args) > 2 {
			repl = with.at(i)
		}
		for _, m := range re.all(b) {
			c.buf = append(c.buf, b[from:m[0]]...)
			var err error
			if c.buf, err = expand(c.buf, repl, b, m, re); err != nil {
				return err
			}
			from = m[1]
		}
		c.buf = append(c.buf, b[from:]...)
		return c.out.putBytes(i, c.buf)
	}
}

// expand appends a replacement: $g and ${name} are groups, a backslash makes
// the next character plain.
func expand(dst, repl, src []byte, m []int, re *pattern) ([]byte, error) {
	for k := 0; k < len(repl); k++ {
		switch x := repl[k]; {
		case x == '\\':
			if k++; k == len(repl) {
				return dst, invalid("Illegal replacement sequence: character to be escaped is missing")
			}
			dst = append(dst, repl[k])
		case x != '$':
			dst = append(dst, x)
		default:
			g, next, err := groupReference(repl, k+1, re)
			if err != nil {
				return dst, err
			}
			if m[2*g] >= 0 {
				dst = append(dst, src[m[2*g]:m[2*g+1]]...)
			}
			k = next - 1
		}
	}
	return dst, nil
}

// groupReference reads what follows a '$' at repl[at:].
func groupReference(repl []byte, at int, re *pattern) (group, next int, err error) {
	if at < len(repl) && repl[at] == '{' {
		end := strings.IndexByte(string(repl[at:]), '}')
		if end < 0 {
			return 0, 0, invalid("Illegal replacement sequence: named group is not closed")
		}
		name := string(repl[at+1 : at+end])
		g := re.SubexpIndex(name)
		if g < 0 {
			return 0, 0, invalid("Illegal replacement sequence: unknown group {%s}", name)
		}
		return g, at + end + 1, nil
	}
	if at == len(repl) || repl[at] < '0' || repl[at] > '9' {
		return 0, 0, invalid("Illegal replacement sequence: illegal group reference")
	}
	g, first := 0, at
	for ; at < len(repl) && repl[at] >= '0' && repl[at] <= '9'; at++ {
		// Further digits belong to the reference only while there is such a group.
		if n := g*10 + int(repl[at]-'0'); n <= re.NumSubexp() || at == first {
			g = n
			continue
		}
		break
	}
	if g > re.NumSubexp() {
		return 0, 0, invalid("Illegal replacement sequence: unknown group %d", g)
	}
	return g, at, nil
}
