package types

import (
	"math"
	"math/big"
	"math/rand/v2"
	"strings"
	"testing"
)

// randomWide makes numbers of every size, edges among them.
func randomWide(r *rand.Rand) Int128 {
	switch r.IntN(8) {
	case 0:
		return [...]Int128{{}, {Lo: 1}, Int128Of(-1), {Hi: math.MinInt64}, {Lo: math.MaxUint64, Hi: math.MaxInt64}, Int128Of(math.MinInt64)}[r.IntN(6)]
	case 1, 2, 3:
		return Int128Of(r.Int64() >> r.IntN(63))
	}
	v := Int128{Lo: r.Uint64(), Hi: int64(r.Uint64()) >> r.IntN(64)}
	return v
}

func fits(b *big.Int) bool {
	limit := new(big.Int).Lsh(big.NewInt(1), 127)
	return b.Cmp(limit) < 0 && b.Cmp(new(big.Int).Neg(limit)) >= 0
}

// TestInt128 compares every operation with math/big.
func TestInt128(t *testing.T) {
	seed := rand.Uint64()
	r := rand.New(rand.NewPCG(seed, 2))
	for range 50_000 {
		a, b := randomWide(r), randomWide(r)
		x, y := a.Big(), b.Big()
		sum, ok := a.AddOK(b)
		check(t, seed, "+", a, b, sum, ok, new(big.Int).Add(x, y))
		diff, ok := a.SubOK(b)
		check(t, seed, "-", a, b, diff, ok, new(big.Int).Sub(x, y))
		prod, ok := a.Mul(b)
		check(t, seed, "*", a, b, prod, ok, new(big.Int).Mul(x, y))
		if c := a.Cmp(b); c != x.Cmp(y) {
			t.Fatalf("seed %d: %s cmp %s = %d", seed, a, b, c)
		}
		if s := a.String(); s != x.String() {
			t.Fatalf("seed %d: String %s, want %s", seed, s, x)
		}
		if b == (Int128{}) || b == Int128Of(-1) {
			continue
		}
		q, rem := a.QuoRem(b)
		wantQ, wantR := new(big.Int).QuoRem(x, y, new(big.Int))
		check(t, seed, "/", a, b, q, true, wantQ)
		check(t, seed, "%", a, b, rem, true, wantR)
		check(t, seed, "round /", a, b, a.QuoRound(b), true, bigRound(x, y))
	}
}

func bigRound(x, y *big.Int) *big.Int {
	q, r := new(big.Int).QuoRem(x, y, new(big.Int))
	if r.Abs(r).Lsh(r, 1).CmpAbs(y) >= 0 {
		q.Add(q, big.NewInt(int64(x.Sign()*y.Sign())))
	}
	return q
}

func check(t *testing.T, seed uint64, op string, a, b, got Int128, ok bool, want *big.Int) {
	t.Helper()
	if ok != fits(want) || ok && got.Big().Cmp(want) != 0 {
		t.Fatalf("seed %d: %s %s %s = %s, %v; want %s", seed, a, op, b, got, ok, want)
	}
}

func TestParseDecimal(t *testing.T) {
	for _, test := range []struct {
		text  string
		scale int32
		want  string
	}{
		{"123.45", 2, "123.45"}, {"1.005", 2, "1.01"}, {"-1.005", 2, "-1.01"}, {"1.004999", 2, "1.00"}, {"1e3", 2, "1000.00"}, {"1.5E-1", 2, "0.15"},
		{".5", 0, "1"}, {"5.", 1, "5.0"}, {"+5", 0, "5"}, {"0.004", 2, "0.00"}, {"-0", 0, "0"}, {"99999999999999999999999999999999999999", 0, "99999999999999999999999999999999999999"},
		{"1e-100", 2, "0.00"}, {"0e100", 2, "0.00"}, {"000012", 0, "12"},
		{"", 0, ""}, {"abc", 0, ""}, {"1.2.3", 0, ""}, {"1e", 0, ""}, {" 1", 0, ""}, {"-", 0, ""}, {".", 0, ""}, {"99999999999999999999999999999999999999.5", 0, ""}, {"1e38", 0, ""}, {"1e400", 0, ""},
	} {
		v, number, ok := ParseDecimal([]byte(test.text), test.scale)
		got := ""
		if number && ok {
			got = string(AppendDecimal(nil, v, test.scale))
		}
		if got != test.want {
			t.Errorf("ParseDecimal(%q, %d) = %q, want %q", test.text, test.scale, got, test.want)
		}
	}
}

func TestDoubleText(t *testing.T) {
	for _, test := range []struct {
		f          float64
		bits       int
		cast, java string
	}{
		{1, 64, "1.0E0", "1.0"}, {0.1, 64, "1.0E-1", "0.1"}, {1e10, 64, "1.0E10", "1.0E10"}, {123456.789, 64, "1.23456789E5", "123456.789"},
		{0, 64, "0E0", "0.0"}, {math.Copysign(0, -1), 64, "-0E0", "-0.0"}, {math.NaN(), 64, "NaN", "NaN"}, {math.Inf(-1), 64, "-Infinity", "-Infinity"},
		{1e-3, 64, "1.0E-3", "0.001"}, {9.9e-4, 64, "9.9E-4", "9.9E-4"}, {1e7, 64, "1.0E7", "1.0E7"},
		{float64(float32(1.1)), 32, "1.1E0", "1.1"}, {float64(float32(16777217)), 32, "1.677722E7", "1.6777216E7"}, {math.MaxFloat32, 32, "3.402823E38", "3.4028235E38"},
	} {
		if got := string(AppendDouble(nil, test.f, test.bits)); got != test.cast {
			t.Errorf("AppendDouble(%v, %d) = %s, want %s", test.f, test.bits, got, test.cast)
		}
		if got := string(AppendJavaDouble(nil, test.f, test.bits)); got != test.java {
			t.Errorf("AppendJavaDouble(%v, %d) = %s, want %s", test.f, test.bits, got, test.java)
		}
	}
}

func TestParseDouble(t *testing.T) {
	for text, want := range map[string]float64{"1e3": 1000, "1d": 1, "-2.5F": -2.5, "Infinity": math.Inf(1), "-Infinity": math.Inf(-1), "0x1p3": 8, "1e999": math.Inf(1), ".5": 0.5} {
		if got, ok := ParseDouble(text, 64); !ok || got != want {
			t.Errorf("ParseDouble(%q) = %v, %v; want %v", text, got, ok, want)
		}
	}
	for _, text := range strings.Split("|nan|inf|infinity|1_0|x|1e|--1|+", "|") {
		if got, ok := ParseDouble(text, 64); ok {
			t.Errorf("ParseDouble(%q) = %v, want an error", text, got)
		}
	}
}

func TestDecimalToDouble(t *testing.T) {
	big38, _, _ := ParseDecimal([]byte("12345678901234567890.12345"), 5)
	for _, test := range []struct {
		v     Int128
		scale int32
		want  float64
	}{
		{Int128Of(1), 1, 0.1}, {Int128Of(-12345), 2, -123.45}, {big38, 5, 12345678901234567890.12345}, {Int128{}, 10, 0},
	} {
		if got := DecimalToDouble(test.v, test.scale); got != test.want {
			t.Errorf("DecimalToDouble(%s, %d) = %v, want %v", test.v, test.scale, got, test.want)
		}
	}
}

func TestUUID(t *testing.T) {
	const text = "12151fd2-7586-11e9-8f9e-2a86e4085a59"
	v, ok := ParseUUID([]byte(strings.ToUpper(text)))
	if got := string(AppendUUID(nil, v)); !ok || got != text {
		t.Errorf("uuid %s reads as %s, %v", text, got, ok)
	}
	for _, bad := range []string{"", "abc", strings.Replace(text, "-", "x", 1), strings.Replace(text, "1", "g", 1)} {
		if _, ok := ParseUUID([]byte(bad)); ok {
			t.Errorf("ParseUUID(%q) succeeded", bad)
		}
	}
}
