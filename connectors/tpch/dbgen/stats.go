package dbgen

import (
	"fmt"
	"math"
	"slices"
)

// Stats says what a column's values are like at one scale factor, from the
// definitions alone: nothing is generated. No column has NULLs.
type Stats struct {
	// Distinct is the expected number of different values, 0 if there is no
	// formula for it (comments and some prices).
	Distinct int64
	// Min and Max bound the values of layouts Int64 and Int32, in the units
	// of [Vector]. No value lies outside. At scale factor 1 and above they
	// are attained, save for o_totalprice and l_extendedprice.
	Min, Max int64
	// MinText and MaxText bound the values of layouts Codes and Strings in
	// byte order; both are empty if not known.
	MinText, MaxText string
	// AvgBytes is the average length of values of layouts Codes and Strings.
	AvgBytes float64
}

// Stats returns the statistics of the table's columns, in the order of
// [Table.Columns]; nil for a table that does not exist.
func (g *Generator) Stats(t Table) []Stats {
	switch t {
	case Region:
		return []Stats{keys(0, 4), dictionary(regionNames), words(regionComment)}
	case Nation:
		return []Stats{
			keys(0, 24), dictionary(nationNames), keys(0, 4), words(regionComment),
		}
	case Supplier:
		return []Stats{
			keys(1, g.suppliers), numbered("Supplier#", g.suppliers, g.suppliers),
			addresses(g.suppliers), keys(0, 24), phones(g.suppliers), balances(g.suppliers),
			words(63),
		}
	case Customer:
		return []Stats{
			keys(1, g.customers), numbered("Customer#", g.customers, g.customers),
			addresses(g.customers), keys(0, 24), phones(g.customers), balances(g.customers),
			dictionary(segments), words(73),
		}
	case Part:
		return g.partStats()
	case PartSupp:
		rows := g.parts * suppliersPerPart
		return []Stats{
			keys(1, g.parts), keys(1, g.suppliers), drawn(rows, 1, maxAvailQty),
			drawn(rows, minSupplyCost, minSupplyCost+numSupplyCosts-1), words(124),
		}
	case Orders:
		return g.orderStats()
	case LineItem:
		return g.lineStats()
	}
	return nil
}

func (g *Generator) partStats() []Stats {
	low, high := g.priceBounds()
	colorBytes := 0
	for _, c := range colors {
		colorBytes += len(c)
	}
	name := Stats{
		Distinct: g.parts,
		AvgBytes: nameWords*float64(colorBytes)/float64(len(colors)) + nameWords - 1,
	}
	return []Stats{
		keys(1, g.parts), name, dictionary(manufacturers), dictionary(brands),
		dictionary(partTypes), drawn(g.parts, 1, maxPartSize), dictionary(containers),
		{Min: low, Max: high}, words(14),
	}
}

func (g *Generator) orderStats() []Stats {
	low, high := g.priceBounds()
	lastCustomer := g.customers
	if lastCustomer%3 == 0 {
		lastCustomer--
	}
	return []Stats{
		{Distinct: g.orders, Min: orderKey(1), Max: orderKey(g.orders)},
		{
			Distinct: different(g.orders, g.customers-g.customers/3),
			Min:      1, Max: lastCustomer,
		},
		dictionary(orderStatuses),
		// From one line of one piece at 10 % off to seven lines of fifty
		// at 8 % tax.
		{Min: low * 90 / 100, Max: linesPerOrder * maxQuantity * high * 108 / 100},
		drawn(g.orders, startDate, startDate+numOrderDates-1),
		dictionary(priorities),
		numbered("Clerk#", g.orders, g.clerks),
		{Distinct: 1},
		words(49),
	}
}

func (g *Generator) lineStats() []Stats {
	low, high := g.priceBounds()
	rows, _ := g.Rows(LineItem)
	lastOrderDate := int64(startDate + numOrderDates - 1)
	dates := func(first, last int64) Stats {
		return drawn(rows, startDate+first, lastOrderDate+last)
	}
	return []Stats{
		{Distinct: g.orders, Min: orderKey(1), Max: orderKey(g.orders)},
		drawn(rows, 1, g.parts),
		drawn(rows, 1, g.suppliers),
		keys(1, linesPerOrder),
		{Distinct: maxQuantity, Min: 100, Max: maxQuantity * 100},
		{Min: low, Max: maxQuantity * high},
		keys(0, numDiscounts-1),
		keys(0, numTaxes-1),
		dictionary(returnFlags), dictionary(lineStatuses),
		dates(minShipDays, numShipDays),
		dates(minCommitDays, minCommitDays+numCommitDays-1),
		dates(minShipDays+minReceiptDays, numShipDays+numReceiptDays),
		dictionary(instructions), dictionary(shipModes), words(27),
	}
}

// priceBounds bounds retail prices; see retailPrice. Only from the 20,001st ten
// of parts on is one cheaper than the first.
func (g *Generator) priceBounds() (low, high int64) {
	low = retailPrice(1)
	if g.parts >= 200_010 {
		low = 90_000
	}
	return low, 90_000 + min(g.parts/10, 20_000) + 100*min(g.parts, 999)
}

// different returns how many different values n draws from a set of size values
// hit on average: size·(1−(1−1/size)ⁿ).
func different(n, size int64) int64 {
	s := float64(size)
	return int64(math.Round(-s * math.Expm1(float64(n)*math.Log1p(-1/s))))
}

// keys is for columns that have all values of low … high.
func keys(low, high int64) Stats { return Stats{Distinct: high - low + 1, Min: low, Max: high} }

// drawn is for columns of n rows drawn from low … high.
func drawn(n, low, high int64) Stats {
	return Stats{Distinct: different(n, high-low+1), Min: low, Max: high}
}

func balances(n int64) Stats { return drawn(n, minBalance, minBalance+numBalances-1) }

func addresses(n int64) Stats {
	return Stats{Distinct: n, AvgBytes: float64(minAddress+maxAddress) / 2}
}

func phones(n int64) Stats {
	const numbers = 25 * 900 * 900 * 9000
	return Stats{
		Distinct: different(n, numbers), AvgBytes: float64(phoneSize),
		MinText: "10-100-100-1000", MaxText: "34-999-999-9999",
	}
}

// words is for comments of the given average length, which rounding the
// shortest and longest moves a little.
func words(average float64) Stats {
	return Stats{AvgBytes: (math.Floor(average*shortest) + math.Floor(average*longest)) / 2}
}

func dictionary(values []string) Stats {
	bytes := 0
	for _, v := range values {
		bytes += len(v)
	}
	return Stats{
		Distinct: int64(len(values)), AvgBytes: float64(bytes) / float64(len(values)),
		MinText: slices.Min(values), MaxText: slices.Max(values),
	}
}

// numbered is for names in n rows that end in a number of 1 … last.
func numbered(prefix string, n, last int64) Stats {
	name := func(i int64) string { return fmt.Sprintf("%s%09d", prefix, i) }
	distinct := different(n, last)
	if n == last {
		distinct = n
	}
	// A tenth digit comes after #1…, which sorts before #999999999.
	return Stats{
		Distinct: distinct, AvgBytes: float64(len(name(last))),
		MinText: name(1), MaxText: name(min(last, 999_999_999)),
	}
}
