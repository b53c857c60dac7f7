//go:build !amd64

package parquet

import "github.com/klauspost/compress/s2"

// snappyDecode decompresses src to dst, which must have the right length. It
// reports false if src is damaged.
func snappyDecode(dst, src []byte) bool {
	if n, err := s2.DecodedLen(src); err != nil || n != len(dst) {
		return false
	}
	_, err := s2.Decode(dst, src)
	return err == nil
}
