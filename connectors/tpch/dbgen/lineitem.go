package dbgen

// lineItemFiller makes lineitem (clause 4.2.3). Columns that others follow from
// are drawn into the vector where they are asked for and into scratch memory
// otherwise.
type lineItemFiller struct {
	*rows
	lines   layout
	sellers sellers

	date, quantity, discount, tax, seller stream
	ship, commit, receipt                 stream
	flag, instruct, mode                  stream
	part                                  keyStream
	comment                               commentStream

	needs lineNeeds
	// Scratch memory.
	orderDates, dates, shipped, received, numbers []int32
	parts, quantities                             []int64
}

// lineNeeds says which columns must be drawn, asked for or not.
type lineNeeds struct{ orderDate, part, quantity, ship, receipt bool }

func newLineItemFiller(r *rows) filler {
	from := r.next
	f := &lineItemFiller{
		rows:     r,
		lines:    layout{count: lineCountStream(from)},
		sellers:  newSellers(r.g.suppliers),
		date:     orderDateStream(from),
		quantity: quantityStream(from),
		discount: discountStream(from),
		tax:      taxStream(from),
		seller:   newStream(2095021727, linesPerOrder, from),
		ship:     shipDateStream(from),
		commit:   newStream(904914315, linesPerOrder, from),
		receipt:  newStream(373135028, linesPerOrder, from),
		flag:     newStream(717419739, linesPerOrder, from),
		instruct: newStream(1371272478, linesPerOrder, from),
		mode:     newStream(675466456, linesPerOrder, from),
		part:     partKeyStream(r.g, from),
		comment:  newCommentStream(r.g.text, 1095462486, 27, linesPerOrder, from),
	}
	n := &f.needs
	n.receipt = r.wants(LReceiptDate) || r.wants(LReturnFlag)
	n.ship = n.receipt || r.wants(LShipDate) || r.wants(LLineStatus)
	n.orderDate = n.ship || r.wants(LCommitDate)
	n.quantity = r.wants(LQuantity) || r.wants(LExtendedPrice)
	n.part = r.wants(LPartKey) || r.wants(LSuppKey) || r.wants(LExtendedPrice)
	return f
}

func (f *lineItemFiller) fill(b *Batch, maxRows int) (int, int) {
	l := &f.lines
	l.advance(f.left(maxRows), maxRows)
	n := l.rows
	if v := f.out(b, LOrderKey); v != nil {
		first, keys := f.next+1, v.int64s(n)
		for i, o := range l.order {
			keys[i] = orderKey(first + int64(o))
		}
	}
	if v := f.out(b, LLineNumber); v != nil {
		f.fillNumbers(v, n)
	}
	f.fillParts(b, n)
	if v := f.out(b, LDiscount); v != nil {
		drawLines(&f.discount, l, v.int64s(n), 0, numDiscounts)
	}
	if v := f.out(b, LTax); v != nil {
		drawLines(&f.tax, l, v.int64s(n), 0, numTaxes)
	}
	f.fillDates(b, n)
	if v := f.out(b, LShipInstruct); v != nil {
		drawLineCodes(&f.instruct, l, v.codes(n), float64(len(instructions)))
	}
	if v := f.out(b, LShipMode); v != nil {
		drawLineCodes(&f.mode, l, v.codes(n), float64(len(shipModes)))
	}
	if v := f.out(b, LComment); v != nil {
		f.comment.fillLines(v, l)
	}
	return l.orders, n
}

// fillNumbers writes 1, 2, … for each order, seven numbers at a time as
// layout.advance does.
func (f *lineItemFiller) fillNumbers(v *Vector, n int) {
	f.numbers = sized(f.numbers, n+linesPerOrder)
	row := 0
	for _, lines := range f.lines.counts[:f.lines.orders] {
		*(*[linesPerOrder]int32)(f.numbers[row:]) = [linesPerOrder]int32{1, 2, 3, 4, 5, 6, 7}
		row += int(lines)
	}
	copy(v.int32s(n), f.numbers)
}

// int64Out returns the memory for a column that others follow from.
func (f *lineItemFiller) int64Out(b *Batch, column, n int, scratch *[]int64) []int64 {
	if v := f.out(b, column); v != nil {
		return v.int64s(n)
	}
	*scratch = sized(*scratch, n)
	return *scratch
}

func (f *lineItemFiller) int32Out(b *Batch, column, n int, scratch *[]int32) []int32 {
	if v := f.out(b, column); v != nil {
		return v.int32s(n)
	}
	*scratch = sized(*scratch, n)
	return *scratch
}

// fillParts fills part, supplier, quantity and extended price.
func (f *lineItemFiller) fillParts(b *Batch, n int) {
	var parts, quantities []int64
	if f.needs.part {
		parts = f.int64Out(b, LPartKey, n, &f.parts)
		f.part.drawLines(&f.lines, parts)
	}
	if f.needs.quantity {
		quantities = f.int64Out(b, LQuantity, n, &f.quantities)
		drawLines(&f.quantity, &f.lines, quantities, 1, maxQuantity)
	}
	if v := f.out(b, LExtendedPrice); v != nil {
		for i, prices := 0, v.int64s(n); i < n; i++ {
			prices[i] = retailPrice(parts[i]) * quantities[i]
		}
	}
	if f.wants(LQuantity) {
		for i := range quantities {
			quantities[i] *= 100
		}
	}
	if v := f.out(b, LSuppKey); v != nil {
		keys := v.int64s(n)
		drawLines(&f.seller, &f.lines, keys, 0, suppliersPerPart)
		for i, number := range keys {
			keys[i] = f.sellers.of(parts[i], number)
		}
	}
}

// fillDates fills the dates and the two flags that follow from them.
func (f *lineItemFiller) fillDates(b *Batch, n int) {
	if !f.needs.orderDate {
		return
	}
	l := &f.lines
	f.orderDates, f.dates = sized(f.orderDates, l.orders), sized(f.dates, n)
	draw(&f.date, f.orderDates, startDate, numOrderDates)
	for i, o := range l.order {
		f.dates[i] = f.orderDates[o]
	}
	if v := f.out(b, LCommitDate); v != nil {
		f.drawDates(&f.commit, v.int32s(n), f.dates, minCommitDays, numCommitDays)
	}
	if !f.needs.ship {
		return
	}
	shipped := f.int32Out(b, LShipDate, n, &f.shipped)
	f.drawDates(&f.ship, shipped, f.dates, minShipDays, numShipDays)
	if v := f.out(b, LLineStatus); v != nil {
		fillStatuses(v.codes(n), shipped)
	}
	if !f.needs.receipt {
		return
	}
	received := f.int32Out(b, LReceiptDate, n, &f.received)
	f.drawDates(&f.receipt, received, shipped, minReceiptDays, numReceiptDays)
	if v := f.out(b, LReturnFlag); v != nil {
		f.fillFlags(v.codes(n), received)
	}
}

// drawDates fills dst with base and a random number of days.
func (f *lineItemFiller) drawDates(s *stream, dst, base []int32, low int32, n float64) {
	drawLines(s, &f.lines, dst, low, n)
	for i := range dst {
		dst[i] += base[i]
	}
}

func fillStatuses(dst []uint8, shipped []int32) {
	for i, date := range shipped {
		dst[i] = statusFilled
		if date > currentDate {
			dst[i] = statusOpen
		}
	}
}

// fillFlags writes R or A for lines received and N for others. Only the former
// draw a number, so a line's draw depends on the lines before it.
func (f *lineItemFiller) fillFlags(dst []uint8, received []int32) {
	row := 0
	for _, lines := range f.lines.counts[:f.lines.orders] {
		state := f.flag.state
		for end := row + int(lines); row < end; row++ {
			dst[row] = flagNone
			if received[row] <= currentDate {
				dst[row] = uint8(pick(state, numReturnDraws))
				state = mulmod(state, multiplier)
			}
		}
		f.flag.state = mulmod(f.flag.state, f.flag.jump)
	}
}
