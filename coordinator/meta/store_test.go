package meta

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/raft"
)

func testStore(t *testing.T, path string) *store {
	t.Helper()
	s, err := openStore(path, func(err error) { t.Logf("store failed: %v", err) })
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

func testLogs(from, to uint64) (logs []*raft.Log) {
	for i := from; i <= to; i++ {
		l := &raft.Log{Index: i, Term: i / 10, Type: raft.LogType(i % 4), Data: bytes.Repeat([]byte{byte(i)}, int(i%100))}
		if i%3 == 0 {
			l.Extensions, l.AppendedAt = []byte("ext"), time.Unix(0, int64(i)*1e9)
		}
		logs = append(logs, l)
	}
	return logs
}

func equalLogs(a, b *raft.Log) bool {
	return a.Index == b.Index && a.Term == b.Term && a.Type == b.Type && bytes.Equal(a.Data, b.Data) && bytes.Equal(a.Extensions, b.Extensions) && a.AppendedAt.Equal(b.AppendedAt)
}

// holds looks whether the log is exactly the entries from first to last.
func holds(s *store, first, last uint64) error {
	f, err := s.FirstIndex()
	if err != nil || f != first {
		return fmt.Errorf("first is %d, not %d: %w", f, first, err)
	}
	l, err := s.LastIndex()
	if err != nil || l != last {
		return fmt.Errorf("last is %d, not %d: %w", l, last, err)
	}
	if first == 0 {
		return nil
	}
	for _, want := range testLogs(first, last) {
		got := &raft.Log{}
		if err := s.GetLog(want.Index, got); err != nil || !equalLogs(got, want) {
			return fmt.Errorf("entry %d is %+v, not %+v: %w", want.Index, got, want, err)
		}
	}
	for _, none := range []uint64{first - 1, last + 1} {
		if err := s.GetLog(none, &raft.Log{}); !errors.Is(err, raft.ErrLogNotFound) {
			return fmt.Errorf("entry %d: %w", none, err)
		}
	}
	return nil
}

// TestStoreLog holds the store to what raft asks of a LogStore, across closes.
func TestStoreLog(t *testing.T) {
	path := filepath.Join(t.TempDir(), "raft.db")
	s := testStore(t, path)
	for i, step := range []struct {
		do          func() error
		first, last uint64
	}{
		{func() error { return nil }, 0, 0},
		{func() error { return s.StoreLogs(testLogs(1, 500)) }, 1, 500},
		{func() error { return s.StoreLog(testLogs(501, 501)[0]) }, 1, 501},
		{func() error { return s.StoreLogs(nil) }, 1, 501},
		{func() error { return s.DeleteRange(1, 250) }, 251, 501},   // after a snapshot
		{func() error { return s.DeleteRange(400, 501) }, 251, 399}, // another leader knows better
		{func() error { return s.StoreLogs(testLogs(400, 410)) }, 251, 410},
		{func() error { return s.StoreLogs(testLogs(405, 420)) }, 251, 420}, // over what is there
		{func() error { return s.DeleteRange(300, 299) }, 251, 420},
		{func() error { return s.DeleteRange(1, 300) }, 301, 420},
		{func() error { return s.DeleteRange(0, 1000) }, 0, 0},
		{func() error { return s.StoreLogs(testLogs(7000, 9000)) }, 7000, 9000}, // a snapshot was installed
		{func() error { return s.DeleteRange(7000, 8999) }, 9000, 9000},
	} {
		if err := step.do(); err != nil {
			t.Fatalf("step %d: %v", i, err)
		}
		if err := holds(s, step.first, step.last); err != nil {
			t.Fatalf("step %d: %v", i, err)
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		s = testStore(t, path)
		if err := holds(s, step.first, step.last); err != nil {
			t.Fatalf("step %d, opened again: %v", i, err)
		}
	}
}

func TestStoreStable(t *testing.T) {
	path := filepath.Join(t.TempDir(), "raft.db")
	s := testStore(t, path)
	if _, err := s.Get([]byte("none")); err == nil || err.Error() != "not found" {
		t.Fatalf("raft wants the words \"not found\": %v", err)
	}
	if v, err := s.GetUint64([]byte("none")); v != 0 || err == nil || err.Error() != "not found" {
		t.Fatalf("%d, %v", v, err)
	}
	for _, v := range [][]byte{[]byte("x"), {}, bytes.Repeat([]byte("y"), 5000)} {
		if err := s.Set([]byte("k"), v); err != nil {
			t.Fatal(err)
		}
		if got, err := s.Get([]byte("k")); err != nil || !bytes.Equal(got, v) {
			t.Fatalf("%q, %v", got, err)
		}
	}
	if err := s.SetUint64([]byte("term"), 1<<60); err != nil {
		t.Fatal(err)
	}
	s.Close()
	if v, err := testStore(t, path).GetUint64([]byte("term")); v != 1<<60 || err != nil {
		t.Fatalf("%d, %v", v, err)
	}
}

func TestStoreInUse(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "raft.db")
	testStore(t, path)
	_, err := openStore(path, func(error) {})
	if err == nil || !strings.Contains(err.Error(), "another process has it open") || !strings.Contains(err.Error(), path) {
		t.Fatal(err)
	}
}

// TestStoreFullDisk fails a write: the entry is refused, the store ends, and
// says so once, with the file's name.
func TestStoreFullDisk(t *testing.T) {
	path := filepath.Join(t.TempDir(), "raft.db")
	var told []error
	s, err := openStore(path, func(err error) { told = append(told, err) })
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if err := s.StoreLogs(testLogs(1, 5)); err != nil {
		t.Fatal(err)
	}
	full := errors.New("no space left on device")
	s.fault = func() error { return full }
	for range 2 {
		err = s.StoreLogs(testLogs(6, 6))
		var d *DiskError
		if !errors.As(err, &d) || d.Path != path || !errors.Is(err, full) {
			t.Fatal(err)
		}
		s.fault = nil // it may have space again: what raft was told stays
	}
	if len(told) != 1 {
		t.Fatalf("told %d times", len(told))
	}
	// Where raft cannot live with an error, the caller never hears of it.
	back := make(chan error, 1)
	go func() { back <- s.SetUint64([]byte("CurrentTerm"), 9) }()
	select {
	case err := <-back:
		t.Fatalf("a term on a failed disk: %v", err)
	case <-time.After(50 * time.Millisecond):
	}
}

// damage writes a store with entries 1 to n and returns the file.
func damage(t *testing.T, n uint64) (path string, whole []byte) {
	t.Helper()
	path = filepath.Join(t.TempDir(), "raft.db")
	s := testStore(t, path)
	for i := uint64(1); i <= n; i += 50 {
		if err := s.StoreLogs(testLogs(i, min(i+49, n))); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.SetUint64([]byte("CurrentTerm"), 3); err != nil {
		t.Fatal(err)
	}
	s.Close()
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	// bbolt makes files larger than what it uses: the rest proves nothing.
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	used := int(max(metaPages(f, 0), metaPages(f, int64(os.Getpagesize())))) * os.Getpagesize()
	if used == 0 || used > len(whole) {
		t.Fatalf("%d bytes used of %d", used, len(whole))
	}
	return path, whole[:used]
}

// intact opens a file that something was done to: it is either what it was,
// or an error that names it. It must not crash, and not lie.
func intact(t *testing.T, path string, want func(*store) error) (opened bool) {
	t.Helper()
	s, err := openStore(path, func(error) {})
	if err != nil {
		if !strings.Contains(err.Error(), path) {
			t.Fatalf("an error that does not name the file: %v", err)
		}
		return false
	}
	defer s.Close()
	if err := want(s); err != nil {
		t.Fatalf("opened, but %v", err)
	}
	return true
}

func TestStoreTruncated(t *testing.T) {
	path, whole := damage(t, 400)
	r := rand.New(rand.NewSource(time.Now().UnixNano()))
	cuts := []int{1, 100, 4095, 4096, 8192, 8193, 12288, 16384, len(whole) / 2, len(whole) - 1, len(whole) - 4096}
	for range 60 {
		cuts = append(cuts, 1+r.Intn(len(whole)-1))
	}
	for _, n := range cuts {
		if err := os.WriteFile(path, whole[:n], 0o600); err != nil {
			t.Fatal(err)
		}
		// What is cut off may be unused pages at the end: then all is there.
		intact(t, path, func(s *store) error { return holds(s, 1, 400) })
	}
	if err := os.WriteFile(path, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if !intact(t, path, func(s *store) error { return holds(s, 0, 0) }) {
		t.Fatal("an empty file is a new one")
	}
}

func TestStoreDamaged(t *testing.T) {
	path, whole := damage(t, 400)
	seed := time.Now().UnixNano()
	t.Logf("seed %d", seed)
	r := rand.New(rand.NewSource(seed))
	refused := 0
	for range 120 {
		b := bytes.Clone(whole)
		at := r.Intn(len(b) - 512)
		n := 1 << r.Intn(9)
		for i := range n {
			b[at+i] ^= byte(1 + r.Intn(255))
		}
		if err := os.WriteFile(path, b, 0o600); err != nil {
			t.Fatal(err)
		}
		// A lost header page falls back to the transaction before: what it
		// shows is then whole, but may end earlier.
		ok := intact(t, path, func(s *store) error {
			last, err := s.LastIndex()
			if err != nil {
				return err
			}
			if last < 351 {
				return fmt.Errorf("only %d entries", last)
			}
			return holds(s, 1, last)
		})
		if !ok {
			refused++
		}
	}
	if refused == 0 {
		t.Error("no damage was noticed")
	}
	t.Logf("%d of 120 damaged files were refused, the rest was damaged where nothing was", refused)
}

// TestStorePages damages what the header of every page says of its number,
// kind, elements and length, which would have bbolt walk for ever, end the
// process or lose the last entries of a page; and what its first element says
// of itself.
func TestStorePages(t *testing.T) {
	path, whole := damage(t, 400)
	size := os.Getpagesize()
	for page := 2; page < len(whole)/size; page++ {
		for _, at := range []int{0, 8, 10, 12, 15, 16, 24} {
			for _, value := range []byte{1, 2, 3, 0x7F, 0xFF} {
				b := bytes.Clone(whole)
				b[page*size+at] ^= value
				if err := os.WriteFile(path, b, 0o600); err != nil {
					t.Fatal(err)
				}
				intact(t, path, func(s *store) error { return holds(s, 1, 400) })
			}
		}
	}
}

func FuzzDecodeLog(f *testing.F) {
	for _, l := range testLogs(1, 12) {
		f.Add(encodeLog(l))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		l := &raft.Log{}
		if decodeLog(b, l) == nil {
			again := &raft.Log{}
			if err := decodeLog(encodeLog(l), again); err != nil || !equalLogs(l, again) {
				t.Fatalf("%+v came back as %+v: %v", l, again, err)
			}
		}
		// And with a checksum that is right, so that what is behind it is read.
		if len(b) > 4 {
			if err := decodeLog(seal(b), l); err == nil && uint64(len(l.Data)) > uint64(len(b)) {
				t.Fatal("more data than there was")
			}
		}
	})
}
