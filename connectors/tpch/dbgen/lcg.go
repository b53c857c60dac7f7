package dbgen

// The random number streams of dbgen's rnd.c: a multiplicative congruential
// ("Lehmer") generator modulo the Mersenne prime 2³¹−1, which divides by
// shifting and adding.
const (
	modulus    = 1<<31 - 1
	multiplier = 16807
	// period is the order of the multiplier: all non-zero residues.
	period = modulus - 1
)

// mulmod returns a·b mod 2³¹−1 for a, b < 2³¹. As 2³¹ ≡ 1, the high half of the
// product is added to the low half; one subtraction brings the sum in range.
func mulmod(a, b uint64) uint64 {
	p := a * b
	p = p&modulus + p>>31
	if p >= modulus {
		p -= modulus
	}
	return p
}

// power returns 16807ⁿ mod 2³¹−1, for n ≥ 0, by repeated squaring.
func power(n int64) uint64 {
	result, square := uint64(1), uint64(multiplier)
	for n %= period; n > 0; n >>= 1 {
		if n&1 != 0 {
			result = mulmod(result, square)
		}
		square = mulmod(square, square)
	}
	return result
}

// pick maps a drawn state to 0 … n−1. The two roundings of the floating point
// expression are part of the definition (UnifInt in rnd.c): the division may
// not be replaced by a multiplication.
func pick(state uint64, n float64) int64 {
	return int64(float64(int64(state)) / modulus * n)
}

// stream is the sequence of random numbers behind one column.
type stream struct {
	// state is the next unit's first draw, that is, one step past the
	// state before the unit.
	state uint64
	// jump is 16807 to the number of draws in a unit's budget.
	jump uint64
}

// newStream returns the stream with the given first seed and budget of draws
// per unit, placed before unit from (counted from 0).
func newStream(seed uint64, budget, from int64) stream {
	start := power(budget*(from%period) + 1)
	return stream{state: mulmod(seed, start), jump: power(budget)}
}

// draw fills dst with one number of low … low+n−1 for each unit.
func draw[T int32 | int64](s *stream, dst []T, low T, n float64) {
	state, jump := s.state, s.jump
	for i := range dst {
		dst[i] = low + T(pick(state, n))
		state = mulmod(state, jump)
	}
	s.state = state
}

// drawCodes fills dst with one dictionary code of 0 … n−1 for each unit.
func drawCodes(s *stream, dst []uint8, n float64) {
	state, jump := s.state, s.jump
	for i := range dst {
		dst[i] = uint8(pick(state, n))
		state = mulmod(state, jump)
	}
	s.state = state
}

// The 64-bit generator that replaces the 31-bit one for part and customer keys
// from scale factor wideScale on (NextRand64 in rnd.c).
const (
	wideScale      = 30000
	wideMultiplier = 6364136223846793005
)

// nextWide returns the successor of a 64-bit state; overflow wraps.
func nextWide(state int64) int64 { return state*wideMultiplier + 1 }

// pickWide maps a 64-bit state to 0 … n−1.
func pickWide(state, n int64) int64 {
	if state < 0 {
		state = -state
	}
	return state % n
}

// wideStart returns the state before the next unit, from which the 64-bit
// generator starts, and moves s past the unit. inverse is 16807⁻¹.
func (s *stream) wideStart() int64 {
	before := mulmod(s.state, inverse)
	s.state = mulmod(s.state, s.jump)
	return int64(before)
}

// inverse is 16807 to the power −1 modulo 2³¹−1.
const inverse = 1407677000
