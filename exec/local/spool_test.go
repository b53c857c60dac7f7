package local

import (
	"context"
	"errors"
	"math/rand/v2"
	"testing"

	"github.com/tuttidb/tutti/exec"
	"github.com/tuttidb/tutti/exec/op"
	"github.com/tuttidb/tutti/exec/op/optest"
	"github.com/tuttidb/tutti/sql/types"
)

func spoolTable(n int) optest.Table {
	return optest.Random(rand.New(rand.NewPCG(21, 22)), []types.Type{bigint, text}, n, 50, 10)
}

// TestSpoolGivesEachReaderAllRows has three producers and two readers, one of
// two drivers, in every form.
func TestSpoolGivesEachReaderAllRows(t *testing.T) {
	tab := spoolTable(20_000)
	for _, form := range []optest.Form{{BatchRows: 700, Decoys: true}, {BatchRows: 5000}} {
		account := optest.NewAccount(t)
		s := newSpool(account, tab.Types, 3)
		one, two := s.reader(1), s.reader(2)
		var f optest.Fleet
		for range 3 {
			f.Start(optest.NewSource(account, tab, form), s.sink())
		}
		var want optest.Rows
		for range 3 {
			want = append(want, tab.Rows...)
		}
		for _, ops := range [][]exec.Operator{{one.source()}, {two.source(), two.source()}} {
			rows, err := optest.DrainAll(ops)
			if err != nil {
				t.Fatal(err)
			}
			optest.Same(t, want, rows)
		}
		if err := f.Wait(); err != nil {
			t.Fatal(err)
		}
	}
}

// TestSpoolReleasesWhatNobodyReads closes one reader at once and another
// half-way; producers then stop.
func TestSpoolReleasesWhatNobodyReads(t *testing.T) {
	account := optest.NewAccount(t)
	tab := spoolTable(100_000)
	s := newSpool(account, tab.Types, 1)
	lazy, half := s.reader(1).source(), s.reader(1).source()
	if err := lazy.Close(); err != nil {
		t.Fatal(err)
	}
	src := optest.NewSource(account, tab, optest.Form{BatchRows: 1000})
	var f optest.Fleet
	f.Start(src, s.sink())
	if b, err := half.Next(context.Background()); b == nil || err != nil {
		t.Fatal(b, err)
	}
	if err := half.Close(); err != nil {
		t.Fatal(err)
	}
	if err := f.Wait(); err != nil {
		t.Fatal(err)
	}
	if s.wanted() {
		t.Error("the spool still thinks that somebody reads")
	}
}

func TestSpoolReadersWaitNoLongerThanTheirContext(t *testing.T) {
	s := newSpool(optest.NewAccount(t), []types.Type{bigint}, 1)
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := s.reader(1).source().Next(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}

func TestSpoolCountsRowsWithoutColumns(t *testing.T) {
	account := optest.NewAccount(t)
	s := newSpool(account, nil, 1)
	r := s.reader(1).source()
	src := op.NewSelect(optest.NewSource(account, spoolTable(1234), optest.Form{BatchRows: 100, Decoys: true}), nil)
	if err := optest.Drive(context.Background(), src, s.sink()); err != nil {
		t.Fatal(err)
	}
	rows, err := optest.Drain(r)
	if err != nil || len(rows) != 1234 {
		t.Errorf("%d rows, %v", len(rows), err)
	}
}
