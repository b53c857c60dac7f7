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
	"strings"

	"github.com/cespare/xxhash/v2"

	"github.com/tuttidb/tutti/sql/types"
)

// binaryKernels are the functions of bytes, digests and uuids.
var binaryKernels = map[string]builder{
	"to_hex":      appending(appendHex),
	"to_base64":   appending(base64.StdEncoding.AppendEncode),
	"from_hex":    decoding(fromHex),
	"from_base64": decoding(fromBase64),
	"to_utf8":     fixedKern(kern{strict: true, eval: copyBytes}),
	"from_utf8":   appending(func(dst, b []byte) []byte { return append(dst, strings.ToValidUTF8(string(b), "\uFFFD")...) }),
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
