package dbgen

import "testing"

func benchmarkScan(b *testing.B, table Table, columns ...int) {
	g, err := New(1, NewText())
	if err != nil {
		b.Fatal(err)
	}
	g.text.Prefill(0)
	batch := NewBatch(4096)
	var s *Scanner
	rows := 0
	for b.Loop() {
		if s == nil || !s.Next(batch) {
			if s, err = g.Scan(table, columns, 0, g.Units(table)); err != nil {
				b.Fatal(err)
			}
			s.Next(batch)
		}
		rows += batch.Rows
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(rows), "ns/row")
	b.ReportMetric(float64(rows)/b.Elapsed().Seconds()/1e6, "Mrows/s")
}

func BenchmarkAllColumns(b *testing.B) {
	for _, t := range Tables()[2:] {
		b.Run(t.String(), func(b *testing.B) {
			b.ReportAllocs()
			benchmarkScan(b, t, all(t)...)
		})
	}
}

func BenchmarkLineItem(b *testing.B) {
	for _, c := range []struct {
		name    string
		columns []int
	}{
		{"count", nil},
		{"without-comment", all(LineItem)[:LComment]},
		{"comment", []int{LComment}},
		{"q6", []int{LShipDate, LDiscount, LQuantity, LExtendedPrice}},
		{"keys", []int{LOrderKey, LPartKey, LSuppKey}},
		{"flag", []int{LReturnFlag}},
	} {
		b.Run(c.name, func(b *testing.B) { benchmarkScan(b, LineItem, c.columns...) })
	}
}

func BenchmarkText(b *testing.B) {
	b.Run("block", func(b *testing.B) {
		t := NewText()
		i := 0
		for b.Loop() {
			t.lexicon.block(i % numBlocks)
			i++
		}
		b.SetBytes(blockSize)
	})
	b.Run("whole", func(b *testing.B) {
		for b.Loop() {
			t := NewText()
			t.Prefill(0)
			b.ReportMetric(float64(t.Resident())/1e6, "MB")
		}
	})
}
