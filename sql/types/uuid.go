package types

// A uuid value is an Int128 whose Hi holds the first eight bytes and whose Lo
// the last eight, both big endian, so that comparing (Hi, Lo) as unsigned
// numbers compares the text.

// ParseUUID reads the form 8-4-4-4-12 of hexadecimal digits.
func ParseUUID(text []byte) (v Int128, ok bool) {
	if len(text) != 36 {
		return v, false
	}
	var hi, lo uint64
	n := 0
	for i, c := range text {
		if i == 8 || i == 13 || i == 18 || i == 23 {
			if c != '-' {
				return v, false
			}
			continue
		}
		d, ok := hexDigit(c)
		if !ok {
			return v, false
		}
		if n < 16 {
			hi = hi<<4 | d
		} else {
			lo = lo<<4 | d
		}
		n++
	}
	return Int128{Hi: int64(hi), Lo: lo}, true
}

func hexDigit(c byte) (uint64, bool) {
	switch {
	case c >= '0' && c <= '9':
		return uint64(c - '0'), true
	case c|0x20 >= 'a' && c|0x20 <= 'f':
		return uint64(c|0x20-'a') + 10, true
	}
	return 0, false
}

// AppendUUID appends the lower-case text of a uuid.
func AppendUUID(dst []byte, v Int128) []byte {
	const digits = "0123456789abcdef"
	for i := range 32 {
		if i == 8 || i == 12 || i == 16 || i == 20 {
			dst = append(dst, '-')
		}
		w := uint64(v.Hi)
		if i >= 16 {
			w = v.Lo
		}
		dst = append(dst, digits[w>>(60-4*(i&15))&15])
	}
	return dst
}
