package objstore_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"math/bits"
	"slices"
	"testing"
	"time"

	"github.com/tuttidb/tutti/connectors/objstore"
	"github.com/tuttidb/tutti/internal/qerr"
)

func TestFaultyKinds(t *testing.T) {
	data := noise(4, 1000)
	inner, obj := object(t, data)
	own := errors.New("own error")
	read := func(f ...objstore.Fault) (int, []byte, error) {
		dst := make([]byte, 1000)
		n, err := objstore.NewFaulty(inner, 7, f...).GetRange(t.Context(), "k", obj.ETag, 0, dst)
		return n, dst[:n], err
	}
	if n, _, err := read(objstore.Fault{}); n != 0 || !errors.Is(err, objstore.ErrUnavailable) {
		t.Errorf("error: %d, %v", n, err)
	}
	if _, _, err := read(objstore.Fault{Err: own}); !errors.Is(err, own) {
		t.Errorf("own error: %v", err)
	}
	if n, got, err := read(objstore.Fault{Kind: objstore.FaultTruncate}); n == 1000 || !errors.Is(err, objstore.ErrUnavailable) || !bytes.Equal(got, data[:n]) {
		t.Errorf("truncate: %d, %v", n, err)
	}
	if n, got, err := read(objstore.Fault{Kind: objstore.FaultShort}); n == 1000 || !errors.Is(err, io.EOF) || !bytes.Equal(got, data[:n]) {
		t.Errorf("short: %d, %v", n, err)
	}
	if _, _, err := read(objstore.Fault{Kind: objstore.FaultChange}); !qerr.Is(err, qerr.LakeFileChanged) {
		t.Errorf("change: %v", err)
	}
	n, got, err := read(objstore.Fault{Kind: objstore.FaultCorrupt})
	flipped := 0
	for i := range got {
		flipped += bits.OnesCount8(got[i] ^ data[i])
	}
	if n != 1000 || err != nil || flipped != 1 {
		t.Errorf("corrupt: %d, %v, %d bits differ", n, err, flipped)
	}
	if n, got, err := read(objstore.Fault{Kind: objstore.FaultDelay, Delay: time.Millisecond}); n != 1000 || err != nil || !bytes.Equal(got, data) {
		t.Errorf("delay: %d, %v", n, err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
	defer cancel()
	for _, f := range []objstore.Fault{{Kind: objstore.FaultHang}, {Kind: objstore.FaultDelay, Delay: time.Hour}} {
		if _, err := objstore.NewFaulty(inner, 7, f).Stat(ctx, "k"); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("%+v: %v", f, err)
		}
	}
}

func TestFaultyRules(t *testing.T) {
	inner, _ := object(t, []byte("x"))
	put(t, inner, "dir/other", nil)
	f := objstore.NewFaulty(inner, 1, objstore.Fault{Op: "stat", Key: "k*", After: 1, Times: 2})
	var failed []bool
	for range 5 {
		_, err := f.Stat(t.Context(), "k")
		failed = append(failed, err != nil)
		if _, err := f.Stat(t.Context(), "dir/other"); err != nil {
			t.Error("a fault for k* struck dir/other")
		}
		if _, err := f.GetRange(t.Context(), "k", "", 0, make([]byte, 1)); err != nil {
			t.Error("a fault for stat struck get")
		}
	}
	if want := []bool{false, true, true, false, false}; !slices.Equal(failed, want) || f.Struck() != 2 {
		t.Errorf("failed %v, struck %d", failed, f.Struck())
	}
	f.SetFaults(objstore.Fault{})
	pages := 0
	for _, err := range f.List(t.Context(), objstore.ListOptions{}) {
		if pages++; !errors.Is(err, objstore.ErrUnavailable) {
			t.Errorf("List: %v", err)
		}
	}
	putErr := func() error {
		_, err := f.Put(t.Context(), "new", bytes.NewReader(nil), 0, objstore.PutOptions{})
		return err
	}
	if pages != 1 || putErr() == nil || f.Delete(t.Context(), "k") == nil {
		t.Error("a call passed")
	}
	f.SetFaults()
	if _, err := f.Stat(t.Context(), "k"); err != nil {
		t.Errorf("without rules: %v", err)
	}
}

// TestFaultyRate: the share is kept, the same seed does the same, whatever the
// order of calls, and another seed does something else.
func TestFaultyRate(t *testing.T) {
	inner, _ := object(t, noise(1, 1000))
	run := func(seed uint64, backwards bool) (out [1000]bool) {
		f := objstore.NewFaulty(inner, seed, objstore.Fault{Rate: 0.3})
		for i := range out {
			if backwards {
				i = len(out) - 1 - i
			}
			_, err := f.GetRange(t.Context(), "k", "", int64(i), make([]byte, 1))
			out[i] = err != nil
		}
		return out
	}
	a, b, c := run(1, false), run(1, true), run(2, false)
	hits := 0
	for _, failed := range a {
		if failed {
			hits++
		}
	}
	if a != b || a == c || hits < 240 || hits > 360 {
		t.Errorf("%d of 1000 failed; the same: %v, other seed the same: %v", hits, a == b, a == c)
	}
}
