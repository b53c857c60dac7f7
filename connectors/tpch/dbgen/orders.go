package dbgen

// ordersFiller makes orders (clause 4.2.3).
type ordersFiller struct {
	*rows
	date, priority, clerk stream
	customer              keyStream
	comment               commentStream
	totals                *orderTotals
	dates, clerks         []int32
}

func newOrdersFiller(r *rows) filler {
	f := &ordersFiller{
		rows:     r,
		date:     orderDateStream(r.next),
		priority: newStream(591449447, 1, r.next),
		clerk:    newStream(1171034773, 1, r.next),
		customer: newKeyStream(r.g, 851767375, 1, r.g.customers, r.next),
		comment:  newCommentStream(r.g.text, 276090261, 49, 1, r.next),
	}
	if r.wants(OTotalPrice) || r.wants(OOrderStatus) {
		f.totals = newOrderTotals(r.g, r.next)
	}
	return f
}

func (f *ordersFiller) fill(b *Batch, maxRows int) (int, int) {
	n := f.left(maxRows)
	if v := f.out(b, OOrderKey); v != nil {
		keys := v.int64s(n)
		for i := range keys {
			keys[i] = orderKey(f.next + 1 + int64(i))
		}
	}
	if v := f.out(b, OCustKey); v != nil {
		f.fillCustomers(v.int64s(n))
	}
	f.fillDates(b, n)
	if v := f.out(b, OOrderPriority); v != nil {
		drawCodes(&f.priority, v.codes(n), float64(len(priorities)))
	}
	if v := f.out(b, OClerk); v != nil {
		f.clerks = sized(f.clerks, n)
		draw(&f.clerk, f.clerks, 1, float64(f.g.clerks))
		fillNumbered(v, "Clerk#", f.clerks)
	}
	if v := f.out(b, OShipPriority); v != nil {
		clear(v.int32s(n))
	}
	if v := f.out(b, OComment); v != nil {
		f.comment.fill(v, n, 1)
	}
	return n, n
}

// fillCustomers draws customers. Every third has no orders; its neighbor gets
// them.
func (f *ordersFiller) fillCustomers(keys []int64) {
	f.customer.draw(keys)
	for i, key := range keys {
		if uint64(key)%3 != 0 {
			continue
		}
		if key < f.customer.n {
			keys[i] = key + 1
		} else {
			keys[i] = key - 1
		}
	}
}

// fillDates fills the date, and the status and price that depend on it.
func (f *ordersFiller) fillDates(b *Batch, n int) {
	if f.totals == nil && !f.wants(OOrderDate) {
		return
	}
	f.dates = sized(f.dates, n)
	draw(&f.date, f.dates, startDate, numOrderDates)
	if v := f.out(b, OOrderDate); v != nil {
		copy(v.int32s(n), f.dates)
	}
	if f.totals != nil {
		f.totals.fill(f.out(b, OTotalPrice), f.out(b, OOrderStatus), f.dates)
	}
}

// orderTotals makes the columns of orders that sum up its lines.
type orderTotals struct {
	lines                         layout
	quantity, discount, tax, ship stream
	part                          keyStream
	parts                         []int64
	quantities, discounts, taxes  []int32
	shipped                       []int32
}

func newOrderTotals(g *Generator, from int64) *orderTotals {
	return &orderTotals{
		lines:    layout{count: lineCountStream(from)},
		quantity: quantityStream(from),
		discount: discountStream(from),
		tax:      taxStream(from),
		ship:     shipDateStream(from),
		part:     partKeyStream(g, from),
	}
}

// totalsRows is how many lines are in hand at a time: few enough for the
// first-level cache.
const totalsRows = 1024

// fill writes prices and statuses (either may be nil) of the orders with the
// given dates.
func (t *orderTotals) fill(price, status *Vector, dates []int32) {
	var prices []int64
	var statuses []uint8
	if price != nil {
		prices = price.int64s(len(dates))
	}
	if status != nil {
		statuses = status.codes(len(dates))
	}
	for done := 0; done < len(dates); {
		t.lines.advance(len(dates)-done, totalsRows)
		end := done + t.lines.orders
		if price != nil {
			t.fillPrices(prices[done:end])
		}
		if status != nil {
			t.fillStatuses(statuses[done:end], dates[done:end])
		}
		done = end
	}
}

// fillPrices sums extendedprice·(1−discount)·(1+tax), each line rounded down
// twice as dbgen does.
func (t *orderTotals) fillPrices(dst []int64) {
	n := t.lines.rows
	t.parts = sized(t.parts, n)
	t.quantities, t.discounts, t.taxes = sized(t.quantities, n), sized(t.discounts, n), sized(t.taxes, n)
	t.part.drawLines(&t.lines, t.parts)
	drawLines(&t.quantity, &t.lines, t.quantities, 1, maxQuantity)
	drawLines(&t.discount, &t.lines, t.discounts, 0, numDiscounts)
	drawLines(&t.tax, &t.lines, t.taxes, 0, numTaxes)
	clear(dst)
	for i, o := range t.lines.order {
		gross := uint64(retailPrice(t.parts[i]) * int64(t.quantities[i]))
		net := gross * uint64(100-t.discounts[i]) / 100
		dst[o] += int64(net * uint64(100+t.taxes[i]) / 100)
	}
}

// fillStatuses writes whether all lines, none or some have been shipped.
func (t *orderTotals) fillStatuses(dst []uint8, dates []int32) {
	t.shipped = sized(t.shipped, t.lines.rows)
	drawLines(&t.ship, &t.lines, t.shipped, minShipDays, numShipDays)
	row := 0
	for i, date := range dates {
		lines, past := int(t.lines.counts[i]), 0
		for _, days := range t.shipped[row : row+lines] {
			if date+days <= currentDate {
				past++
			}
		}
		switch past {
		case lines:
			dst[i] = statusFilled
		case 0:
			dst[i] = statusOpen
		default:
			dst[i] = statusPartial
		}
		row += lines
	}
}
