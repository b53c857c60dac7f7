package types

import (
	"bytes"
	"math"
	"strconv"
)

// AppendDouble appends the text that CAST(double AS varchar) gives: shortest
// digits that read back the same, always with an exponent ("1.0E-1"), zero as
// "0E0". bits is 64 for double and 32 for real.
func AppendDouble(dst []byte, f float64, bits int) []byte {
	if f == 0 {
		if math.Signbit(f) {
			return append(dst, "-0E0"...)
		}
		return append(dst, "0E0"...)
	}
	return appendScientific(dst, f, bits, bits == 32)
}

func appendScientific(dst []byte, f float64, bits int, seven bool) []byte {
	switch {
	case math.IsNaN(f):
		return append(dst, "NaN"...)
	case math.IsInf(f, 1):
		return append(dst, "Infinity"...)
	case math.IsInf(f, -1):
		return append(dst, "-Infinity"...)
	}
	var buf [32]byte
	text := strconv.AppendFloat(buf[:0], f, 'e', -1, bits)
	if seven && len(text) > 12 {
		text = sevenDigits(text)
	}
	e := len(text) - 1
	for text[e] != 'e' {
		e--
	}
	point := false
	for _, c := range text[:e] {
		point = point || c == '.'
		dst = append(dst, c)
	}
	if !point {
		dst = append(dst, ".0"...)
	}
	dst = append(dst, 'E')
	exp, _ := strconv.Atoi(string(text[e+1:]))
	return strconv.AppendInt(dst, int64(exp), 10)
}

// sevenDigits cuts the text of a real to seven significant digits, which is
// all that Trino shows of one.
func sevenDigits(text []byte) []byte {
	f, _ := strconv.ParseFloat(string(text), 64)
	text = strconv.AppendFloat(text[:0], f, 'e', 6, 64)
	e := bytes.IndexByte(text, 'e')
	digits := bytes.TrimRight(text[:e], "0")
	if digits[len(digits)-1] == '.' {
		digits = digits[:len(digits)-1]
	}
	return append(digits, text[e:]...)
}

// AppendJavaDouble appends f as Java's Double.toString prints it, which is
// what error texts show: plain between 10^-3 and 10^7, else with an exponent.
func AppendJavaDouble(dst []byte, f float64, bits int) []byte {
	a := math.Abs(f)
	if f != 0 && (a < 1e-3 || a >= 1e7 || math.IsNaN(f)) {
		return appendScientific(dst, f, bits, false)
	}
	start := len(dst)
	dst = strconv.AppendFloat(dst, f, 'f', -1, bits)
	for _, c := range dst[start:] {
		if c == '.' {
			return dst
		}
	}
	return append(dst, ".0"...)
}

// ParseDouble reads a double as Java's Double.parseDouble does: decimal or
// hexadecimal digits, NaN, Infinity, and an optional d or f behind digits. Too
// large a number is infinite. bits is 64 or 32.
func ParseDouble(s string, bits int) (float64, bool) {
	body := s
	if body != "" && (body[0] == '-' || body[0] == '+') {
		body = body[1:]
	}
	switch {
	case body == "NaN" || body == "Infinity":
	case body == "" || body[0] != '.' && (body[0] < '0' || body[0] > '9'):
		return 0, false
	default:
		if c := s[len(s)-1] | 0x20; c == 'd' || c == 'f' {
			s = s[:len(s)-1]
		}
		for i := range len(s) {
			if s[i] == '_' {
				return 0, false
			}
		}
	}
	if body == "NaN" {
		return math.NaN(), true
	}
	f, err := strconv.ParseFloat(s, bits)
	if err != nil && !math.IsInf(f, 0) {
		return 0, false
	}
	return f, true
}
