package dbgen

import (
	"math/big"
	"math/rand/v2"
	"testing"
)

func TestMulmod(t *testing.T) {
	for _, c := range [][2]uint64{{1, 1}, {modulus - 1, modulus - 1}, {1, modulus - 1}, {multiplier, inverse}} {
		if got, want := mulmod(c[0], c[1]), c[0]*c[1]%modulus; got != want {
			t.Errorf("mulmod(%d, %d) = %d, want %d", c[0], c[1], got, want)
		}
	}
	if mulmod(multiplier, inverse) != 1 {
		t.Error("inverse is not 16807⁻¹")
	}
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 0))
	for range 10000 {
		a, b := random.Uint64N(modulus), random.Uint64N(modulus)
		if got, want := mulmod(a, b), a*b%modulus; got != want {
			t.Fatalf("mulmod(%d, %d) = %d, want %d", a, b, got, want)
		}
	}
}

func TestPower(t *testing.T) {
	for _, n := range []int64{0, 1, 2, 7, 1000, period - 1, period, period + 3, 1 << 40, 6_000_000_000} {
		want := new(big.Int).Exp(big.NewInt(multiplier), big.NewInt(n), big.NewInt(modulus)).Uint64()
		if got := power(n); got != want {
			t.Errorf("power(%d) = %d, want %d", n, got, want)
		}
	}
}

// TestKnownSequence is the check that Park and Miller give for this generator:
// from 1, the 10,000th number is 1043618065.
func TestKnownSequence(t *testing.T) {
	state := uint64(1)
	for range 10000 {
		state = mulmod(state, multiplier)
	}
	if state != 1043618065 || power(10000) != state {
		t.Errorf("the 10,000th number is %d, by power %d", state, power(10000))
	}
}

func TestStreamSkips(t *testing.T) {
	s := newStream(1066728069, 7, 0)
	for unit := range int64(1000) {
		if skipped := newStream(1066728069, 7, unit); skipped != s {
			t.Fatalf("unit %d: %v, want %v", unit, skipped, s)
		}
		s.state = mulmod(s.state, s.jump)
	}
	far := newStream(1066728069, 7, period*50+3)
	if far != newStream(1066728069, 7, 3) {
		t.Error("the stream does not repeat after its period")
	}
}

func TestSellers(t *testing.T) {
	for _, suppliers := range []int64{1, 3, 4, 100, 10_000, 999_999, 1_000_000_000} {
		s := newSellers(suppliers)
		last := 20 * suppliers
		for _, part := range []int64{1, 2, suppliers, suppliers + 1, last / 2, last - 1, last} {
			for number := range int64(suppliersPerPart) {
				want := (part+number*(suppliers/4+(part-1)/suppliers))%suppliers + 1
				if got := s.of(part, number); got != want {
					t.Errorf("seller %d of part %d among %d: %d, want %d", number, part, suppliers, got, want)
				}
			}
		}
	}
}

func TestPutPadded(t *testing.T) {
	for n, want := range map[int64]string{
		0: "000000000", 42: "000000042", 999_999_999: "999999999", 1_000_000_000: "1000000000",
		15_000_000_000: "15000000000",
	} {
		var b [20]byte
		if got := string(b[:putPadded(b[:], n, 9)]); got != want {
			t.Errorf("putPadded(%d) = %s, want %s", n, got, want)
		}
	}
}

func TestOrderKey(t *testing.T) {
	for i, want := range map[int64]int64{1: 1, 7: 7, 8: 32, 15: 39, 16: 64, 1_500_000: 6_000_000} {
		if got := orderKey(i); got != want {
			t.Errorf("orderKey(%d) = %d, want %d", i, got, want)
		}
	}
}
