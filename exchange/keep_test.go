package exchange

import (
	"errors"
	"testing"
)

// readFrom reads an output's frames in this process, from one on, until it has
// as many rows, and returns how many it has and where it is.
func readFrom(t *testing.T, n *testNode, r *Reader, want int64) (rows int64) {
	t.Helper()
	for rows < want {
		h, err := r.Next(t.Context(), n.root)
		if err != nil {
			t.Fatal(err)
		}
		if h == nil {
			return rows
		}
		rows += int64(h.Rows)
		h.Release()
	}
	return rows
}

// TestKeepSent: an output that stays until it is delivered can be read again
// from what is delivered on, by another reader; its producer waits for that, not
// for the reader, and memory stays bounded.
func TestKeepSent(t *testing.T) {
	const rows = 4_000_000
	n := newNode(t, nodeConfig{})
	id := taskID(1, 0, 0)
	s := startStreamer(t.Context(), t, n, id, rows, true)
	s.await(t)
	first, err := n.store.Open(id, 0, 0)
	if err != nil {
		t.Fatal(err)
	}
	read, most, dropped := int64(0), int64(0), int64(0)
	for read < rows {
		got := readFrom(t, n, first, 100_000)
		read += got
		most = max(most, n.store.Figures().MemoryBytes)
		// The client has half of what was read, for good.
		n.store.Delivered(id, read-got/2)
		frames, gone, ok := n.store.Dropped(id)
		if !ok || gone > read-got/2 || gone < dropped {
			t.Fatalf("%d rows are dropped of %d delivered, %d before", gone, read-got/2, dropped)
		}
		dropped = gone
		if read == got { // once: another reader goes on where the first one died
			second, err := n.store.Open(id, 0, frames)
			if err != nil {
				t.Fatal(err)
			}
			if again := readFrom(t, n, second, read-gone); again+gone < read {
				t.Errorf("%d rows are there again, %d gone, of %d", again, gone, read)
			}
		}
		if got == 0 {
			break
		}
	}
	if err := <-s.done; err != nil || read != rows {
		t.Errorf("%d rows of %d came, %v", read, rows, err)
	}
	if most > undelivered*3/2 { // slabs are larger than what is in them
		t.Errorf("%d bytes were held", most)
	}
	old, err := n.store.Open(id, 0, 0)
	if err != nil {
		t.Fatal(err)
	}
	var lost *LostOutput
	if _, err := old.Next(t.Context(), n.root); !errors.As(err, &lost) {
		t.Errorf("what is delivered was read again: %v", err)
	}
	n.store.Delivered(id, rows)
	if f := n.store.Figures(); f.MemoryBytes != 0 {
		t.Errorf("%d bytes are held when all is delivered", f.MemoryBytes)
	}
	n.store.Release(id)
	if _, _, ok := n.store.Dropped(id); ok {
		t.Error("a released output is there")
	}
}

// TestDeliveredEarly: what is said of outputs that nobody keeps, or knows, does
// nothing.
func TestDeliveredEarly(t *testing.T) {
	n := newNode(t, nodeConfig{})
	n.store.Delivered(taskID(9, 9, 0), 5)
	id := taskID(1, 0, 0)
	s := startStreamer(t.Context(), t, n, id, 1000)
	if err := <-s.done; err != nil {
		t.Fatal(err)
	}
	n.store.Delivered(id, 1000)
	if _, rows, ok := n.store.Dropped(id); rows != 0 || !ok {
		t.Errorf("%d rows of an output that goes as it is sent are gone", rows)
	}
	n.store.Release(id)
}
