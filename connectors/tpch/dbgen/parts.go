package dbgen

// partFiller makes part (clause 4.2.3).
type partFiller struct {
	*rows
	name, mfgr, brand, kind, size, container stream
	comment                                  commentStream
	makers                                   []int32
}

// nameWords is the number of words in a part's name; its stream has a budget
// of one draw for each color.
const nameWords = 5

func newPartFiller(r *rows) filler {
	return &partFiller{
		rows:      r,
		name:      newStream(709314158, int64(len(colors)), r.next),
		mfgr:      newStream(1, 1, r.next),
		brand:     newStream(46831694, 1, r.next),
		kind:      newStream(1841581359, 1, r.next),
		size:      newStream(1193163244, 1, r.next),
		container: newStream(727633698, 1, r.next),
		comment:   newCommentStream(r.g.text, 804159733, 14, 1, r.next),
	}
}

func (f *partFiller) fill(b *Batch, maxRows int) (int, int) {
	n := f.left(maxRows)
	if v := f.out(b, PPartKey); v != nil {
		fillRange(v.int64s(n), f.next+1)
	}
	if v := f.out(b, PName); v != nil {
		f.fillNames(v, n)
	}
	f.fillMakers(b, n)
	if v := f.out(b, PType); v != nil {
		drawCodes(&f.kind, v.codes(n), float64(len(partTypes)))
	}
	if v := f.out(b, PSize); v != nil {
		draw(&f.size, v.int32s(n), 1, maxPartSize)
	}
	if v := f.out(b, PContainer); v != nil {
		drawCodes(&f.container, v.codes(n), float64(len(containers)))
	}
	if v := f.out(b, PRetailPrice); v != nil {
		prices := v.int64s(n)
		for i := range prices {
			prices[i] = retailPrice(f.next + 1 + int64(i))
		}
	}
	if v := f.out(b, PComment); v != nil {
		f.comment.fill(v, n, 1)
	}
	return n, n
}

const maxPartSize = 50

// retailPrice returns the price of a part in hundredths (clause 4.2.3,
// P_RETAILPRICE).
func retailPrice(part int64) int64 {
	p := uint64(part)
	return int64(90_000 + p/10%20_001 + p%1_000*100)
}

// fillMakers fills manufacturer and brand, which begins with the
// manufacturer's number.
func (f *partFiller) fillMakers(b *Batch, n int) {
	mfgr, brand := f.out(b, PMfgr), f.out(b, PBrand)
	if mfgr == nil && brand == nil {
		return
	}
	f.makers = sized(f.makers, n)
	draw(&f.mfgr, f.makers, 0, float64(len(manufacturers)))
	if mfgr != nil {
		codes := mfgr.codes(n)
		for i, m := range f.makers {
			codes[i] = uint8(m)
		}
	}
	if brand != nil {
		codes := brand.codes(n)
		drawCodes(&f.brand, codes, float64(len(brands)/len(manufacturers)))
		for i, m := range f.makers {
			codes[i] += uint8(m) * uint8(len(brands)/len(manufacturers))
		}
	}
}

// maxColor is the longest color, and a space.
const maxColor = 11

// fillNames writes names of five different colors: the first five of a shuffle
// that begins anew for each part.
func (f *partFiller) fillNames(v *Vector, n int) {
	dst := v.beginText(n, nameWords*maxColor)
	var order [len(colors)]uint8
	fillRow(order[:], 0)
	at := 0
	for i := range n {
		state, shuffled := f.name.state, order
		for j := range nameWords {
			k := j + int(pick(state, float64(len(colors)-j)))
			shuffled[j], shuffled[k] = shuffled[k], shuffled[j]
			at += copy(dst[at:], colors[shuffled[j]])
			dst[at] = ' '
			at++
			state = mulmod(state, multiplier)
		}
		at--
		v.Offsets[i+1] = int32(at)
		f.name.state = mulmod(f.name.state, f.name.jump)
	}
	v.Bytes = dst[:at]
}

// partSuppFiller makes partsupp (clause 4.2.3): four suppliers for each part.
type partSuppFiller struct {
	*rows
	sellers   sellers
	qty, cost stream
	comment   commentStream
}

func newPartSuppFiller(r *rows) filler {
	return &partSuppFiller{
		rows:    r,
		sellers: newSellers(r.g.suppliers),
		qty:     newStream(1671059989, suppliersPerPart, r.next),
		cost:    newStream(1051288424, suppliersPerPart, r.next),
		comment: newCommentStream(r.g.text, 1961692154, 124, suppliersPerPart, r.next),
	}
}

const (
	maxAvailQty    = 9_999
	minSupplyCost  = 100 // hundredths
	numSupplyCosts = 99_901
)

func (f *partSuppFiller) fill(b *Batch, maxRows int) (int, int) {
	units := f.left(maxRows / suppliersPerPart)
	n := units * suppliersPerPart
	if v := f.out(b, PSPartKey); v != nil {
		keys := v.int64s(n)
		for i := range keys {
			keys[i] = f.next + 1 + int64(i/suppliersPerPart)
		}
	}
	if v := f.out(b, PSSuppKey); v != nil {
		keys := v.int64s(n)
		for i := range keys {
			keys[i] = f.sellers.of(f.next+1+int64(i/suppliersPerPart), int64(i%suppliersPerPart))
		}
	}
	if v := f.out(b, PSAvailQty); v != nil {
		drawFour(&f.qty, v.int32s(n), 1, maxAvailQty)
	}
	if v := f.out(b, PSSupplyCost); v != nil {
		drawFour(&f.cost, v.int64s(n), minSupplyCost, numSupplyCosts)
	}
	if v := f.out(b, PSComment); v != nil {
		f.comment.fill(v, units, suppliersPerPart)
	}
	return units, n
}

// drawFour is draw for streams of which each unit uses its whole budget, so
// that the draws are one sequence.
func drawFour[T int32 | int64](s *stream, dst []T, low T, n float64) {
	rows := stream{state: s.state, jump: multiplier}
	draw(&rows, dst, low, n)
	s.state = rows.state
}

// sellers tells which suppliers sell a part (clause 4.2.3, PS_SUPPKEY).
type sellers struct {
	count   int64
	quarter int64
	inverse float64
}

func newSellers(suppliers int64) sellers {
	return sellers{suppliers, suppliers / suppliersPerPart, 1 / float64(suppliers)}
}

// of returns the key of the part's seller of the given number, 0 … 3.
func (s *sellers) of(part, number int64) int64 {
	round, _ := s.divide(part - 1)
	_, rest := s.divide(part + number*(s.quarter+round))
	return rest + 1
}

// divide returns a/count and a%count for 0 ≤ a < 2⁵³. Multiplying by the
// inverse is off by one at most, and far faster than dividing.
func (s *sellers) divide(a int64) (quotient, rest int64) {
	quotient = int64(float64(a) * s.inverse)
	rest = a - quotient*s.count
	if rest < 0 {
		return quotient - 1, rest + s.count
	}
	if rest >= s.count {
		return quotient + 1, rest - s.count
	}
	return quotient, rest
}
