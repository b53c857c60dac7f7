package kernel

import (
	"bytes"
	"math"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"

	"github.com/tuttidb/tutti/sql/function"
	"github.com/tuttidb/tutti/sql/types"
)

// textKernels are the functions that make new strings.
var textKernels = map[string]builder{
	"lower": caseKernel(unicode.ToLower, 'A', 'Z'), "upper": caseKernel(unicode.ToUpper, 'a', 'z'),
	"concat": concatKernel, "concat_ws": concatWS,
	"replace": rowwise(replace), "translate": rowwise(translate), "chr": rowwise(chr),
	"lpad": padKernel(true), "rpad": padKernel(false), "normalize": rowwise(normalize),
	"current_timezone": sessionText(func(s *Session) string { return types.ZoneName(s.Zone) }),
	"version":          sessionText(func(s *Session) string { return s.Version }),
	"current_user":     sessionText(func(s *Session) string { return s.User }),
	"typeof":           typeofKernel,
}

// caseKernel maps characters one by one; lo to hi are the ASCII letters that
// change, by one bit.
func caseKernel(f func(rune) rune, lo, hi byte) builder {
	return fixedKern(kern{strict: true, eval: func(c *call) error {
		a := c.bytes(0)
		return c.each(func(i int) error {
			b := a.at(i)
			c.buf = append(c.buf[:0], b...)
			ascii := true
			for k, x := range c.buf {
				if x >= lo && x <= hi {
					c.buf[k] = x ^ 0x20
				}
				ascii = ascii && x < utf8.RuneSelf
			}
			if !ascii {
				c.buf = mapRunes(c.buf[:0], b, f)
			}
			return c.out.putBytes(i, c.buf)
		})
	}})
}

// mapRunes appends b with each character mapped; what is not UTF-8 stays.
func mapRunes(dst, b []byte, f func(rune) rune) []byte {
	src := append([]byte(nil), b...)
	for len(src) > 0 {
		r, n := utf8.DecodeRune(src)
		if r == utf8.RuneError && n == 1 {
			dst = append(dst, src[0])
		} else {
			dst = utf8.AppendRune(dst, f(r))
		}
		src = src[n:]
	}
	return dst
}

// concatKernel joins strings, binaries, or arrays and elements.
func concatKernel(fn *function.Scalar, b *binding) (kern, error) {
	if fn.Result.Kind == types.Array {
		return concatArrays(fn)
	}
	return kern{strict: true, eval: func(c *call) error {
		cols := make([]bytesCol, len(c.args))
		for k := range cols {
			cols[k] = c.bytes(k)
		}
		return c.each(func(i int) error {
			c.buf = c.buf[:0]
			for k := range cols {
				b := cols[k].at(i)
				n := len(c.buf)
				c.buf = append(c.buf, b...)
				if t := fn.Args[k]; t.Kind == types.Char {
					for m := utf8.RuneCount(c.buf[n:]); m < int(t.P); m++ {
						c.buf = append(c.buf, ' ')
					}
				}
			}
			if fn.Result.Kind == types.Char {
				c.buf = bytes.TrimRight(c.buf, " ")
			}
			return c.out.putBytes(i, c.buf)
		})
	}}, nil
}

// concatWS joins the strings that are not null; null only if the separator is.
func concatWS(fn *function.Scalar, _ *binding) (kern, error) {
	if fn.Args[1].Kind == types.Array {
		return concatArrayWS(), nil
	}
	return kern{eval: func(c *call) error {
		cols := make([]bytesCol, len(c.args))
		for k := range cols {
			cols[k] = c.bytes(k)
		}
		return c.each(func(i int) error {
			if c.args[0].IsNull(i) {
				c.out.setNull(i)
				return nil
			}
			c.buf = c.buf[:0]
			first := true
			for k := 1; k < len(cols); k++ {
				if c.args[k].IsNull(i) {
					continue
				}
				if !first {
					c.buf = append(c.buf, cols[0].at(i)...)
				}
				first = false
				c.buf = append(c.buf, cols[k].at(i)...)
			}
			return c.out.putBytes(i, c.buf)
		})
	}}, nil
}

// concatArrayWS joins the elements of an array that are not null.
func concatArrayWS() kern {
	return rowKern(func(c *call) func(i int) error {
		sep, l := c.bytes(0), c.list(1)
		return func(i int) error {
			if c.args[0].IsNull(i) || c.args[1].IsNull(i) {
				c.out.setNull(i)
				return nil
			}
			from, to := l.at(i)
			c.buf = c.buf[:0]
			first := true
			for j := from; j < to; j++ {
				if l.kid.IsNull(j) {
					continue
				}
				if !first {
					c.buf = append(c.buf, sep.at(i)...)
				}
				first = false
				c.buf = append(c.buf, l.kid.Bytes(j)...)
			}
			return c.out.putBytes(i, c.buf)
		}
	})
}

// replace replaces all occurrences; an empty search string stands between all
// characters and at both ends.
func replace(c *call) func(i int) error {
	s, from := c.bytes(0), c.bytes(1)
	var to bytesCol
	if len(c.args) > 2 {
		to = c.bytes(2)
	}
	return func(i int) error {
		b, old := s.at(i), from.at(i)
		var with []byte
		if len(c.args) > 2 {
			with = to.at(i)
		}
		c.buf = appendReplaced(c.buf[:0], b, old, with)
		return c.out.putBytes(i, c.buf)
	}
}

func appendReplaced(dst, b, old, with []byte) []byte {
	if len(old) == 0 {
		dst = append(dst, with...)
		for at := 0; at < len(b); {
			n := runeLen(b, at)
			dst = append(append(dst, b[at:at+n]...), with...)
			at += n
		}
		return dst
	}
	for {
		at := bytes.Index(b, old)
		if at < 0 {
			return append(dst, b...)
		}
		dst = append(append(dst, b[:at]...), with...)
		b = b[at+len(old):]
	}
}

// translate replaces each character of the second argument by the one at the
// same place of the third, or by nothing; the first mention counts.
func translate(c *call) func(i int) error {
	s, from, to := c.bytes(0), c.bytes(1), c.bytes(2)
	return func(i int) error {
		old, with := []rune(string(from.at(i))), []rune(string(to.at(i)))
		c.buf = c.buf[:0]
		for _, r := range string(s.at(i)) {
			k := indexRune(old, r)
			switch {
			case k < 0:
				c.buf = utf8.AppendRune(c.buf, r)
			case k < len(with):
				c.buf = utf8.AppendRune(c.buf, with[k])
			}
		}
		return c.out.putBytes(i, c.buf)
	}
}

func indexRune(rs []rune, r rune) int {
	for k, x := range rs {
		if x == r {
			return k
		}
	}
	return -1
}

func chr(c *call) func(i int) error {
	a := c.ints(0)
	return func(i int) error {
		r := a(i)
		if r < 0 || r > unicode.MaxRune || !utf8.ValidRune(rune(r)) {
			return invalid("Not a valid Unicode code point: %d", r)
		}
		c.buf = utf8.AppendRune(c.buf[:0], rune(r))
		return c.out.putBytes(i, c.buf)
	}
}

// padKernel pads or cuts to a number of characters.
func padKernel(left bool) builder {
	return func(fn *function.Scalar, _ *binding) (kern, error) {
		if t := fn.Args[0]; t.Kind == types.Varbinary {
			return rowKern(func(c *call) func(i int) error { return pad(c, t, left, binaryPadding) }), nil
		}
		return rowKern(func(c *call) func(i int) error { return pad(c, fn.Args[0], left, textPadding) }), nil
	}
}

// padding is how a kind of string is counted, cut and filled up.
type padding struct {
	count func([]byte) int
	cut   func(b []byte, n int) []byte
	fill  func(dst, p []byte, n int64) []byte
	empty string // the error of nothing to pad with
}

var (
	textPadding   = padding{utf8.RuneCount, cutRunes, appendPadding, "Padding string must not be empty"}
	binaryPadding = padding{
		func(b []byte) int { return len(b) },
		func(b []byte, n int) []byte { return b[:min(n, len(b))] },
		appendBytes, "Padding bytes must not be empty",
	}
)

func pad(c *call, t types.Type, left bool, how padding) func(i int) error {
	text, size, with := c.padded(0, t), c.ints(1), c.bytes(2)
	return func(i int) error {
		n, p := size(i), with.at(i)
		switch {
		case n < 0 || n > math.MaxInt32:
			return invalid("Target length must be in the range [0..2147483647]")
		case len(p) == 0:
			return invalid("%s", how.empty)
		}
		b := text(i)
		missing := n - int64(how.count(b))
		if missing <= 0 {
			return c.out.putBytes(i, how.cut(b, int(n)))
		}
		if missing > maxString {
			return invalid("Result of padding must not have more than %d bytes", maxString)
		}
		c.buf = c.buf[:0]
		if !left {
			c.buf = append(c.buf, b...)
		}
		c.buf = how.fill(c.buf, p, missing)
		if left {
			c.buf = append(c.buf, b...)
		}
		return c.out.putBytes(i, c.buf)
	}
}

// maxString bounds the strings that functions make.
const maxString = 64 << 20

// appendPadding appends n characters of p repeated.
func appendPadding(dst, p []byte, n int64) []byte {
	for at := 0; n > 0; n-- {
		k := runeLen(p, at)
		dst = append(dst, p[at:at+k]...)
		if at += k; at == len(p) {
			at = 0
		}
	}
	return dst
}

// appendBytes appends n bytes of p repeated.
func appendBytes(dst, p []byte, n int64) []byte {
	for ; n >= int64(len(p)); n -= int64(len(p)) {
		dst = append(dst, p...)
	}
	return append(dst, p[:n]...)
}

func normalize(c *call) func(i int) error {
	s := c.bytes(0)
	name := func(int) []byte { return []byte("NFC") }
	if len(c.args) > 1 {
		f := c.bytes(1)
		name = f.at
	}
	return func(i int) error {
		forms := map[string]norm.Form{"NFC": norm.NFC, "NFD": norm.NFD, "NFKC": norm.NFKC, "NFKD": norm.NFKD}
		f, ok := forms[strings.ToUpper(string(name(i)))]
		if !ok {
			return invalid("Normalization form must be one of [NFD, NFC, NFKD, NFKC]")
		}
		c.buf = f.Append(c.buf[:0], s.at(i)...)
		return c.out.putBytes(i, c.buf)
	}
}

// sessionText is a function of the session alone.
func sessionText(f func(s *Session) string) builder {
	return func(_ *function.Scalar, b *binding) (kern, error) {
		text := []byte(f(&b.env.Session))
		return kern{eval: func(c *call) error {
			return c.each(func(i int) error { return c.out.putBytes(i, text) })
		}}, nil
	}
}

func typeofKernel(fn *function.Scalar, _ *binding) (kern, error) {
	text := []byte(fn.Args[0].String())
	return kern{eval: func(c *call) error {
		return c.each(func(i int) error { return c.out.putBytes(i, text) })
	}}, nil
}
