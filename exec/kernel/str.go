package kernel

import (
	"bytes"
	"unicode"
	"unicode/utf8"

	"github.com/tuttidb/tutti/exec/vector"
	"github.com/tuttidb/tutti/sql/function"
	"github.com/tuttidb/tutti/sql/types"
)

// stringKernels are the functions that take strings apart; those whose result
// is part of an argument share its memory.
var stringKernels = map[string]builder{
	"length": lengthKernel, "reverse": reverseKernel,
	"substr": substrKernel, "substring": substrKernel,
	"trim": trimKernel(true, true), "ltrim": trimKernel(true, false), "rtrim": trimKernel(false, true),
	"strpos": rowwise(strpos), "starts_with": rowwise(startsWith),
	"split_part": rowwise(splitPart), "split": splitKernel,
	"codepoint": rowwise(codepoint), "levenshtein_distance": rowwise(levenshtein), "hamming_distance": rowwise(hamming),
	"soundex": rowwise(soundex),
}

func lengthKernel(fn *function.Scalar, _ *binding) (kern, error) {
	t := fn.Args[0]
	return kern{strict: true, eval: func(c *call) error {
		a, res := c.bytes(0), out[int64](c.out)
		switch t.Kind {
		case types.Varbinary:
			return c.each(func(i int) error {
				res[i] = int64(a.views[i&a.mask].Len)
				return nil
			})
		case types.Char:
			return c.each(func(i int) error {
				res[i] = int64(t.P)
				return nil
			})
		}
		return c.each(func(i int) error {
			res[i] = int64(runeCount(a.at(i)))
			return nil
		})
	}}, nil
}

// runeCount counts characters, quickly where all are ASCII.
func runeCount(b []byte) int { return utf8.RuneCount(b) }

// isASCII reports whether every byte is below 128.
func isASCII(b []byte) bool {
	for _, c := range b {
		if c >= utf8.RuneSelf {
			return false
		}
	}
	return true
}

func reverseKernel(fn *function.Scalar, _ *binding) (kern, error) {
	if fn.Args[0].Kind == types.Array {
		return reverseArray(), nil
	}
	t := fn.Args[0]
	binary := t.Kind == types.Varbinary
	return rowKern(func(c *call) func(i int) error {
		text := c.padded(0, t)
		return func(i int) error {
			b := text(i)
			c.buf = c.buf[:0]
			for at := len(b); at > 0; {
				n := 1
				if !binary {
					_, n = utf8.DecodeLastRune(b[:at])
				}
				c.buf = append(c.buf, b[at-n:at]...)
				at -= n
			}
			if t.Kind == types.Char {
				c.buf = bytes.TrimRight(c.buf, " ")
			}
			return c.out.putBytes(i, c.buf)
		}
	}), nil
}

// substrKernel is substr(s, start [, length]), characters counted from 1, or
// from the end when start is negative.
func substrKernel(fn *function.Scalar, _ *binding) (kern, error) {
	t := fn.Args[0]
	binary, hasLen := t.Kind == types.Varbinary, len(fn.Args) > 2
	return kern{strict: true, eval: func(c *call) error {
		a, start, res := c.bytes(0), c.ints(1), out[vector.View](c.out)
		var length func(i int) int64
		if hasLen {
			length = c.ints(2)
		}
		base := c.out.shareHeap(a.heap)
		return c.each(func(i int) error {
			b, n := a.at(i), int64(1)<<40
			if hasLen {
				n = length(i)
			}
			if t.Kind == types.Char {
				c.buf = padChar(append(c.buf[:0], b...), t)
				from, to := substr(c.buf, start(i), n, false)
				return c.out.putBytes(i, c.buf[from:to])
			}
			from, to := substr(b, start(i), n, binary)
			res[i] = subView(&a.views[i&a.mask], b[from:to], from, base)
			return nil
		})
	}}, nil
}

// substr returns the byte range of n characters of b from the start-th.
func substr(b []byte, start, n int64, binary bool) (from, to int) {
	if start == 0 || n <= 0 {
		return 0, 0
	}
	if binary || start < 0 && isASCII(b) {
		size := int64(len(b))
		if start < 0 {
			start += size + 1
		}
		if start < 1 || start > size {
			return 0, 0
		}
		return int(start - 1), int(start - 1 + min(n, size-start+1))
	}
	if start < 0 {
		start += int64(utf8.RuneCount(b)) + 1
	}
	if start < 1 {
		return 0, 0
	}
	for ; start > 1 && from < len(b); start-- {
		from += runeLen(b, from)
	}
	for to = from; n > 0 && to < len(b); n-- {
		to += runeLen(b, to)
	}
	return from, to
}

// trimKernel removes white space, or the characters of a second argument.
func trimKernel(left, right bool) builder {
	return func(fn *function.Scalar, _ *binding) (kern, error) {
		custom := len(fn.Args) > 1
		return kern{strict: true, eval: func(c *call) error {
			a, res := c.bytes(0), out[vector.View](c.out)
			var set bytesCol
			if custom {
				set = c.bytes(1)
			}
			base := c.out.shareHeap(a.heap)
			return c.each(func(i int) error {
				b := a.at(i)
				in := isSpace
				if custom {
					chars := set.at(i)
					in = func(r rune) bool { return bytes.ContainsRune(chars, r) }
				}
				part, off := b, 0
				if left {
					part = bytes.TrimLeftFunc(part, in)
					off = len(b) - len(part)
				}
				if right {
					part = bytes.TrimRightFunc(part, in)
				}
				res[i] = subView(&a.views[i&a.mask], part, off, base)
				return nil
			})
		}}, nil
	}
}

// isSpace is Java's Character.isWhitespace: no no-break spaces.
func isSpace(r rune) bool {
	switch r {
	case ' ', '\t', '\n', '\v', '\f', '\r', 0x1c, 0x1d, 0x1e, 0x1f:
		return true
	case 0x85, 0xa0, 0x2007, 0x202f:
		return false
	}
	return r >= 0x80 && unicode.IsSpace(r)
}

func strpos(c *call) func(i int) error {
	s, sub, res := c.bytes(0), c.bytes(1), out[int64](c.out)
	instance := func(int) int64 { return 1 }
	if len(c.args) > 2 {
		instance = c.ints(2)
	}
	return func(i int) error {
		n := instance(i)
		if n == 0 {
			return invalid("'instance' must be a positive or negative number.")
		}
		b := s.at(i)
		at := findInstance(b, sub.at(i), n)
		res[i] = 0
		if at >= 0 {
			res[i] = int64(utf8.RuneCount(b[:at])) + 1
		}
		return nil
	}
}

// findInstance returns where the n-th occurrence of sub begins, from the end
// if n is negative; occurrences may overlap.
func findInstance(b, sub []byte, n int64) int {
	if len(sub) == 0 {
		return 0
	}
	if n < 0 {
		end := len(b)
		for {
			at := bytes.LastIndex(b[:end], sub)
			if n++; at < 0 || n == 0 {
				return at
			}
			end = at + len(sub) - 1
		}
	}
	from := 0
	for {
		at := bytes.Index(b[from:], sub)
		if at < 0 {
			return -1
		}
		if n--; n == 0 {
			return from + at
		}
		from += at + 1
	}
}

func startsWith(c *call) func(i int) error {
	s, p, res := c.bytes(0), c.bytes(1), out[uint8](c.out)
	return func(i int) error {
		res[i] = boolByte(bytes.HasPrefix(s.at(i), p.at(i)))
		return nil
	}
}

// splitPart is split_part: null past the last part; an empty separator splits
// into characters.
func splitPart(c *call) func(i int) error {
	s, sep, index := c.bytes(0), c.bytes(1), c.ints(2)
	return func(i int) error {
		k := index(i)
		if k <= 0 {
			return invalid("Index must be greater than zero")
		}
		b, d := s.at(i), sep.at(i)
		if len(d) == 0 {
			from, to := substr(b, k, 1, false)
			if from == to {
				c.out.setNull(i)
			}
			return c.out.putBytes(i, b[from:to])
		}
		for ; k > 1; k-- {
			at := bytes.Index(b, d)
			if at < 0 {
				c.out.setNull(i)
				return nil
			}
			b = b[at+len(d):]
		}
		if at := bytes.Index(b, d); at >= 0 {
			b = b[:at]
		}
		return c.out.putBytes(i, b)
	}
}

func splitKernel(fn *function.Scalar, _ *binding) (kern, error) {
	return kern{strict: true, fallible: true, eval: func(c *call) error {
		s, sep := c.bytes(0), c.bytes(1)
		limit := func(int) int64 { return 1 << 31 }
		if len(fn.Args) > 2 {
			limit = c.ints(2)
		}
		return c.eachNested(func(b *vector.Builder, i int) error {
			rest, d, n := s.at(i), sep.at(i), limit(i)
			switch {
			case n <= 0:
				return invalid("Limit must be positive")
			case len(d) == 0:
				return invalid("The delimiter may not be the empty string")
			}
			for ; n > 1; n-- {
				at := bytes.Index(rest, d)
				if at < 0 {
					break
				}
				if err := b.Kid(0).AppendBytes(rest[:at]); err != nil {
					return err
				}
				rest = rest[at+len(d):]
			}
			if err := b.Kid(0).AppendBytes(rest); err != nil {
				return err
			}
			return b.CloseRow()
		})
	}}, nil
}

func codepoint(c *call) func(i int) error {
	s, res := c.bytes(0), out[int32](c.out)
	return func(i int) error {
		r, n := utf8.DecodeRune(s.at(i))
		if n == 0 || n != len(s.at(i)) {
			return invalid("Input string must be a single character string")
		}
		res[i] = r
		return nil
	}
}

// levenshtein is the edit distance, by the two-row dynamic program.
func levenshtein(c *call) func(i int) error {
	s, t, res := c.bytes(0), c.bytes(1), out[int64](c.out)
	var row []int
	return func(i int) error {
		a, b := []rune(string(s.at(i))), []rune(string(t.at(i)))
		if len(a)*len(b) > 1_000_000 {
			return invalid("The combined inputs for Levenshtein distance are too large")
		}
		row = row[:0]
		for j := range len(b) + 1 {
			row = append(row, j)
		}
		for x, ra := range a {
			diagonal := row[0]
			row[0] = x + 1
			for y, rb := range b {
				cost := min(row[y], row[y+1]) + 1
				cost = min(cost, diagonal+boolInt(ra != rb))
				diagonal, row[y+1] = row[y+1], cost
			}
		}
		res[i] = int64(row[len(b)])
		return nil
	}
}

func hamming(c *call) func(i int) error {
	s, t, res := c.bytes(0), c.bytes(1), out[int64](c.out)
	return func(i int) error {
		a, b := s.at(i), t.at(i)
		if utf8.RuneCount(a) != utf8.RuneCount(b) {
			return invalid("The input strings to hamming_distance function must have the same length")
		}
		res[i] = 0
		for len(a) > 0 {
			x, n := utf8.DecodeRune(a)
			y, m := utf8.DecodeRune(b)
			res[i] += int64(boolInt(x != y))
			a, b = a[n:], b[m:]
		}
		return nil
	}
}

// soundexDigits are the digits of the letters A to Z: 0 for vowels and their
// like, which part equal digits, and '-' for H and W, which do not.
const soundexDigits = "0123012-02245501262301-202"

// soundex is the letter and three digits of American Soundex.
func soundex(c *call) func(i int) error {
	s := c.bytes(0)
	return func(i int) error {
		c.buf = c.buf[:0]
		last := byte(0)
		for _, r := range string(s.at(i)) {
			switch {
			case r >= 'a' && r <= 'z':
				r -= 'a' - 'A'
			case r >= utf8.RuneSelf && unicode.IsLetter(r):
				return invalid("The character is not mapped: %c (index=%d)", r, r-'A')
			case r < 'A' || r > 'Z':
				continue
			}
			d := soundexDigits[r-'A']
			switch {
			case len(c.buf) == 0:
				c.buf = append(c.buf, byte(r))
			case d == '-':
				continue
			case d != '0' && d != last && len(c.buf) < 4:
				c.buf = append(c.buf, d)
			}
			last = d
		}
		for len(c.buf) > 0 && len(c.buf) < 4 {
			c.buf = append(c.buf, '0')
		}
		return c.out.putBytes(i, c.buf)
	}
}
