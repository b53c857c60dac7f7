package dbgen

// The streams that orders and lineitem both read: an order's status and total
// price follow from its lines.

func lineCountStream(from int64) stream { return newStream(1434868289, 1, from) }
func orderDateStream(from int64) stream { return newStream(1066728069, 1, from) }
func quantityStream(from int64) stream  { return newStream(209208115, linesPerOrder, from) }
func discountStream(from int64) stream  { return newStream(554590007, linesPerOrder, from) }
func taxStream(from int64) stream       { return newStream(721958466, linesPerOrder, from) }
func shipDateStream(from int64) stream  { return newStream(1769349045, linesPerOrder, from) }

// Dates as days since 1970-01-01 (clause 4.2.2.12), and the ranges of lineitem
// (clause 4.2.3).
const (
	startDate   = 8035 // 1992-01-01
	currentDate = 9298 // 1995-06-17
	endDate     = startDate + 2557 - 1

	minShipDays, numShipDays       = 1, 121
	minCommitDays, numCommitDays   = 30, 61
	minReceiptDays, numReceiptDays = 1, 30
	numOrderDates                  = 2406 // to 151 days before the end

	maxQuantity  = 50
	numDiscounts = 11
	numTaxes     = 9
)

// layout tells which lines belong to which order, for a batch of orders.
type layout struct {
	count stream
	// orders and rows are the numbers of orders and lines.
	orders, rows int
	// counts has the number of lines of each order.
	counts []uint8
	// order has, for each line, the position of its order in the batch.
	order []int32
	// jump has, for each line, the multiplier that leads to the next line's
	// draw, over the rest of the budget where the order ends.
	jump []uint32
}

// jumpAfter is the multiplier from the last line of an order with so many lines
// to the next order's first line.
var jumpAfter = func() (jumps [linesPerOrder + 1]uint32) {
	for lines := range jumps {
		jumps[lines] = uint32(power(int64(linesPerOrder + 1 - lines)))
	}
	return jumps
}()

// advance lays out the next orders, at most maxOrders and maxRows ≥ 7 lines.
func (l *layout) advance(maxOrders, maxRows int) {
	maxOrders = min(maxOrders, maxRows)
	l.counts = sized(l.counts, maxOrders)
	l.order = sized(l.order, maxRows+linesPerOrder)
	l.jump = sized(l.jump, maxRows+linesPerOrder)
	row, i := 0, 0
	for ; i < maxOrders; i++ {
		lines := int(1 + pick(l.count.state, linesPerOrder))
		if row+lines > maxRows {
			break
		}
		l.count.state = mulmod(l.count.state, l.count.jump)
		l.counts[i] = uint8(lines)
		// Writing seven lines always, the next order overwriting what
		// is too much, spares a branch that cannot be foretold.
		o := int32(i)
		*(*[linesPerOrder]int32)(l.order[row:]) = [linesPerOrder]int32{o, o, o, o, o, o, o}
		*(*[linesPerOrder]uint32)(l.jump[row:]) = sevenSteps
		row += lines
		l.jump[row-1] = jumpAfter[lines]
	}
	l.orders, l.rows = i, row
	l.order, l.jump = l.order[:row], l.jump[:row]
}

var sevenSteps = [linesPerOrder]uint32{
	multiplier, multiplier, multiplier, multiplier, multiplier, multiplier, multiplier,
}

// drawLines fills dst with a number of low … low+n−1 for each line.
func drawLines[T int32 | int64](s *stream, l *layout, dst []T, low T, n float64) {
	state := s.state
	jump := l.jump[:len(dst)]
	for i := range dst {
		dst[i] = low + T(pick(state, n))
		state = mulmod(state, uint64(jump[i]))
	}
	s.state = state
}

// drawLineCodes is drawLines for dictionary codes.
func drawLineCodes(s *stream, l *layout, dst []uint8, n float64) {
	state := s.state
	jump := l.jump[:len(dst)]
	for i := range dst {
		dst[i] = uint8(pick(state, n))
		state = mulmod(state, uint64(jump[i]))
	}
	s.state = state
}

// keyStream draws keys of another table, 1 … n: by the 31-bit generator, or
// from wideScale on by the 64-bit one.
type keyStream struct {
	stream
	n    int64
	wide bool
}

func newKeyStream(g *Generator, seed uint64, budget, n, from int64) keyStream {
	return keyStream{newStream(seed, budget, from), n, g.scale >= wideScale}
}

func partKeyStream(g *Generator, from int64) keyStream {
	return newKeyStream(g, 1808217256, linesPerOrder, g.parts, from)
}

// draw fills dst with one key a unit.
func (s *keyStream) draw(dst []int64) {
	if !s.wide {
		draw(&s.stream, dst, 1, float64(s.n))
		return
	}
	for i := range dst {
		dst[i] = 1 + pickWide(nextWide(s.wideStart()), s.n)
	}
}

// drawLines fills dst with one key a line.
func (s *keyStream) drawLines(l *layout, dst []int64) {
	if !s.wide {
		drawLines(&s.stream, l, dst, 1, float64(s.n))
		return
	}
	row := 0
	for _, lines := range l.counts[:l.orders] {
		state := s.wideStart()
		for range lines {
			state = nextWide(state)
			dst[row] = 1 + pickWide(state, s.n)
			row++
		}
	}
}

// orderKey returns the key of order i, counted from 1: only 8 of each 32
// numbers are used (clause 4.2.3, O_ORDERKEY).
func orderKey(i int64) int64 { return i>>3<<5 | i&7 }
