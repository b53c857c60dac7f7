package kernel

import (
	"crypto/md5"
	crand "crypto/rand"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"hash/crc32"
	"unicode/utf8"

	"github.com/cespare/xxhash/v2"

	"github.com/tuttidb/tutti/sql/function"
	"github.com/tuttidb/tutti/sql/types"
)

// binaryKernels are the functions of bytes, digests and uuids.
var binaryKernels = map[string]builder{
	"to_hex":      appending(appendHex),
	"to_base64":   appending(base64.StdEncoding.AppendEncode),
	"from_hex":    decoding(fromHex),
	"from_base64": decoding(fromBase64),
	"to_utf8":     toUTF8,
	"from_utf8":   rowwise(fromUTF8),
	"md5":         appending(func(dst, b []byte) []byte { s := md5.Sum(b); return append(dst, s[:]...) }),
	"sha1":        appending(func(dst, b []byte) []byte { s := sha1.Sum(b); return append(dst, s[:]...) }),
	"sha256":      appending(func(dst, b []byte) []byte { s := sha256.Sum256(b); return append(dst, s[:]...) }),
	"sha512":      appending(func(dst, b []byte) []byte { s := sha512.Sum512(b); return append(dst, s[:]...) }),
	"xxhash64":    appending(func(dst, b []byte) []byte { return binary.BigEndian.AppendUint64(dst, xxhash.Sum64(b)) }),
	"crc32": rowwise(func(c *call) func(i int) error {
		a, res := c.bytes(0), out[int64](c.out)
		return func(i int) error {
			res[i] = int64(crc32.ChecksumIEEE(a.at(i)))
			return nil
		}
	}),
	"uuid": rowwise(func(c *call) func(i int) error {
		res := out[types.Int128](c.out)
		return func(i int) error {
			res[i] = randomUUID()
			return nil
		}
	}),
}

// toUTF8 shares the argument's memory; char gets its blanks.
func toUTF8(fn *function.Scalar, _ *binding) (kern, error) {
	t := fn.Args[0]
	if t.Kind != types.Char {
		return kern{strict: true, eval: copyBytes}, nil
	}
	return rowKern(func(c *call) func(i int) error {
		text := c.padded(0, t)
		return func(i int) error { return c.out.putBytes(i, text(i)) }
	}), nil
}

// fromUTF8 puts U+FFFD, or what the second argument says, in place of what is
// no character.
func fromUTF8(c *call) func(i int) error {
	a := c.bytes(0)
	other := func(int) (string, error) { return "\uFFFD", nil }
	if len(c.args) > 1 {
		other = replacement(c)
	}
	return func(i int) error {
		with, err := other(i)
		if err != nil {
			return err
		}
		c.buf = c.buf[:0]
		for b := a.at(i); len(b) > 0; {
			r, n := utf8.DecodeRune(b)
			if r == utf8.RuneError && n == 1 {
				n = brokenRune(b)
				c.buf = append(c.buf, with...)
			} else {
				c.buf = append(c.buf, b[:n]...)
			}
			b = b[n:]
		}
		return c.out.putBytes(i, c.buf)
	}
}

// brokenRune is the length of what is no character: a first byte with those of
// the bytes it announces that follow.
func brokenRune(b []byte) int {
	size := 1
	switch {
	case b[0] >= 0xf0 && b[0] < 0xf8:
		size = 4
	case b[0] >= 0xe0 && b[0] < 0xf0:
		size = 3
	case b[0] >= 0xc0 && b[0] < 0xe0:
		size = 2
	}
	n := 1
	for n < size && n < len(b) && b[n]&0xc0 == 0x80 {
		n++
	}
	return n
}

// replacement reads from_utf8's second argument, a character or its number.
func replacement(c *call) func(i int) (string, error) {
	if c.args[1].Type.Kind == types.BigInt {
		code := c.ints(1)
		return func(i int) (string, error) {
			if n := code(i); n < 0 || n > utf8.MaxRune || !utf8.ValidRune(rune(n)) {
				return "", invalid("Invalid replacement character")
			}
			return string(rune(code(i))), nil
		}
	}
	text := c.bytes(1)
	return func(i int) (string, error) {
		b := text.at(i)
		if utf8.RuneCount(b) > 1 {
			return "", invalid("Replacement character string must empty or a single character")
		}
		return string(b), nil
	}
}

// appending is a kernel of one string that cannot fail.
func appending(f func(dst, b []byte) []byte) builder {
	return fixedKern(kern{strict: true, eval: func(c *call) error {
		a := c.bytes(0)
		return c.each(func(i int) error {
			c.buf = f(c.buf[:0], a.at(i))
			return c.out.putBytes(i, c.buf)
		})
	}})
}

// decoding is a kernel of one string that can.
func decoding(f func(dst, b []byte) ([]byte, error)) builder {
	return rowwise(func(c *call) func(i int) error {
		a := c.bytes(0)
		return func(i int) (err error) {
			if c.buf, err = f(c.buf[:0], a.at(i)); err != nil {
				return err
			}
			return c.out.putBytes(i, c.buf)
		}
	})
}

func appendHex(dst, b []byte) []byte {
	const digits = "0123456789ABCDEF"
	for _, x := range b {
		dst = append(dst, digits[x>>4], digits[x&15])
	}
	return dst
}

func fromHex(dst, b []byte) ([]byte, error) {
	if len(b)%2 != 0 {
		return dst, invalid("invalid input length %d", len(b))
	}
	dst, err := hex.AppendDecode(dst, b)
	var bad hex.InvalidByteError
	if errors.As(err, &bad) {
		return dst, invalid("not a hexadecimal digit: \"%c\" = %d", rune(bad), byte(bad))
	}
	return dst, err
}

func fromBase64(dst, b []byte) ([]byte, error) {
	enc := base64.StdEncoding
	if len(b)%4 != 0 {
		enc = base64.RawStdEncoding
	}
	dst, err := enc.AppendDecode(dst, b)
	var bad base64.CorruptInputError
	if errors.As(err, &bad) {
		if at := int(bad); at < len(b) {
			return dst, invalid("Illegal base64 character %x", b[at])
		}
		return dst, invalid("Input byte array has incorrect ending byte at %d", int(bad))
	}
	return dst, err
}

// randomUUID returns a version 4 uuid.
func randomUUID() types.Int128 {
	var b [16]byte
	_, _ = crand.Read(b[:]) // never fails
	hi := binary.BigEndian.Uint64(b[:8])&^0xf000 | 0x4000
	lo := binary.BigEndian.Uint64(b[8:])&^(3<<62) | 2<<62
	return types.Int128{Hi: int64(hi), Lo: lo}
}
