package meta

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"os"
	"runtime/debug"
	"sync"
	"time"

	"github.com/hashicorp/raft"
	"go.etcd.io/bbolt"
	bolterrors "go.etcd.io/bbolt/errors"
)

// store keeps raft's log and its few stable values (term, vote) in one bbolt
// file, each write synced before it returns. Every value carries a checksum.
//
// A disk that fails or a file that turns out damaged ends the store: failed is
// told once, with the file's name, and nothing is written or believed any
// more. Raft cannot live with errors in some places (it panics when a term
// cannot be stored or a log entry cannot be read), so there the calling
// goroutine is parked for good: a coordinator that has lost its disk falls
// silent, which raft's peers know how to handle, and the process lives to tell.
type store struct {
	path   string
	db     *bbolt.DB
	file   *os.File // the database's
	failed func(error)
	// fault is a test's: it may fail a write in place of the disk.
	fault func() error

	mu  sync.Mutex
	err error
}

var (
	logBucket    = []byte("log")
	stableBucket = []byte("stable")
	castagnoli   = crc32.MakeTable(crc32.Castagnoli)

	errChecksum = errors.New("a checksum is wrong")
	errShort    = errors.New("a value is cut off")
	// Raft compares this one by its text.
	errNoKey = errors.New("not found")
)

// openStore opens or makes the file. failed is called at most once, from any
// goroutine, and must not call back.
func openStore(path string, failed func(error)) (s *store, err error) {
	defer func() {
		if err != nil {
			err = diskError(path, "open", err)
		}
	}()
	known, err := checkFile(path)
	if err != nil {
		return nil, err
	}
	if known {
		// bbolt's writer walks a file's pages in a goroutine of its own, where
		// a panic ends the process. So a reader looks at all of it before.
		r := &store{path: path}
		if err := errors.Join(r.open(true), r.close(20*time.Millisecond)); err != nil {
			return nil, err
		}
	}
	s = &store{path: path, failed: failed}
	if err := s.open(false); err != nil {
		_ = s.close(20 * time.Millisecond) // the first error is the one that counts
		return nil, err
	}
	return s, nil
}

// open opens the file and looks at every entry once: what is damaged is found
// now and not by a query.
func (s *store) open(readOnly bool) error {
	err := protect(func() error {
		var err error
		s.db, err = bbolt.Open(s.path, 0o600, &bbolt.Options{
			Timeout:         time.Second,
			ReadOnly:        readOnly,
			NoFreelistSync:  true,
			FreelistType:    bbolt.FreelistMapType,
			InitialMmapSize: 64 << 20, // growing the map stops all readers
			OpenFile: func(name string, flag int, mode os.FileMode) (*os.File, error) {
				var err error
				s.file, err = os.OpenFile(name, flag, mode)
				return s.file, err
			},
		})
		if err != nil || readOnly {
			return err
		}
		return s.db.Update(begin)
	})
	if err == nil && readOnly {
		err = protect(func() error {
			return s.db.View(func(tx *bbolt.Tx) error { return checkPages(s.file, tx) })
		})
	}
	if err == nil {
		err = protect(func() error { return s.db.View(check) })
	}
	if errors.Is(err, bolterrors.ErrTimeout) {
		err = errors.New("another process has it open")
	}
	return err
}

// begin makes the buckets where they are missing, and begins to count (see
// counted) in a file that has no gaps: that of an older release may have one.
func begin(tx *bbolt.Tx) error {
	log, err := tx.CreateBucketIfNotExists(logBucket)
	if err != nil {
		return err
	}
	stable, err := tx.CreateBucketIfNotExists(stableBucket)
	if err != nil || counted(stable) {
		return err
	}
	gaps, keys := 0, uint64(0)
	if err := entries(log, func(missing uint64) error { gaps++; return nil }); err != nil || gaps > 0 {
		return err
	}
	if err := stable.ForEach(func(_, _ []byte) error { keys++; return nil }); err != nil {
		return err
	}
	return errors.Join(stable.SetSequence(keys+1), log.SetSequence(lastOf(log)))
}

// counted reports whether a file says how much it holds, so that entries of
// which nothing is left but the gap are missed: the log's sequence is then the
// number of its last entry, that of the stable values how many there are, plus
// one. Both stand in the page that leads to the buckets, beside their roots.
func counted(stable *bbolt.Bucket) bool { return stable.Sequence() > 0 }

// lastOf returns the log's last entry, 0 for none. It must not be called after
// entries were removed by the same transaction: bbolt's cursor would walk over
// empty pages for ever.
func lastOf(log *bbolt.Bucket) uint64 {
	if k, _ := log.Cursor().Last(); len(k) == 8 {
		return binary.BigEndian.Uint64(k)
	}
	return 0
}

// check reads everything there is.
func check(tx *bbolt.Tx) error {
	log, stable := tx.Bucket(logBucket), tx.Bucket(stableBucket)
	switch {
	case log == nil && stable == nil && tx.ID() <= 1: // it was made, and no more
		return nil
	case log == nil || stable == nil:
		return errors.New("the file is damaged: it has lost its log")
	}
	keys := uint64(0)
	err := stable.ForEach(func(_, v []byte) error {
		keys++
		_, err := unseal(v)
		return err
	})
	if err != nil {
		return err
	}
	tolerated := 1 // what older releases left out when they restored a backup
	if counted(stable) {
		tolerated = 0
		if want := stable.Sequence() - 1; keys != want {
			return fmt.Errorf("%d stable values of %d are there", keys, want)
		}
		if last := lastOf(log); last != log.Sequence() {
			return fmt.Errorf("the log ends with entry %d, not with %d", last, log.Sequence())
		}
	}
	return entries(log, func(missing uint64) error {
		if tolerated--; tolerated < 0 {
			return fmt.Errorf("log entry %d is missing", missing)
		}
		return nil
	})
}

// entries looks at every entry of the log. gap is told of each that is
// missing between others; several in a row are damage in any case.
func entries(b *bbolt.Bucket, gap func(index uint64) error) error {
	want := uint64(0)
	return b.ForEach(func(k, v []byte) error {
		if len(k) != 8 {
			return fmt.Errorf("log entry %d has no number", want)
		}
		index := binary.BigEndian.Uint64(k)
		if want != 0 && index != want {
			if index-want > 1 {
				return fmt.Errorf("log entry %d is missing", want)
			}
			if err := gap(want); err != nil {
				return err
			}
		}
		want = index + 1
		l := &raft.Log{}
		if err := decodeLog(v, l); err != nil || l.Index != index {
			return fmt.Errorf("log entry %d: %w", index, errors.Join(errChecksum, err))
		}
		if b.Get(k) == nil { // the way to it is damaged
			return fmt.Errorf("log entry %d cannot be found", index)
		}
		return nil
	})
}

// checkFile looks whether a file is as long as its own header says. bbolt
// maps files into memory, where reading beyond the end kills the process. It
// reports whether there is a file with anything in it.
func checkFile(path string) (known bool, err error) {
	f, err := os.Open(path)
	if errors.Is(err, os.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil || info.Size() == 0 {
		return false, err
	}
	pages := uint64(0)
	for i := range int64(2) {
		pages = max(pages, metaPages(f, i*int64(os.Getpagesize())))
	}
	if have := uint64(info.Size()) / uint64(os.Getpagesize()); pages == 0 || have < pages {
		return false, fmt.Errorf("the file is damaged: it has %d pages where its header says %d", have, pages)
	}
	return true, nil
}

// metaPages returns how many pages a header of bbolt's says there are, 0 for
// none that is sound. The layout is part of bbolt's file format, version 2:
// a page header of 16 bytes, then magic, version, page size, flags, root
// bucket (16 bytes), freelist, high water mark, transaction, checksum.
func metaPages(f *os.File, at int64) uint64 {
	var b [80]byte
	if _, err := f.ReadAt(b[:], at); err != nil {
		return 0
	}
	h := b[16:]
	if binary.NativeEndian.Uint32(h) != 0xED0CDAED || binary.NativeEndian.Uint32(h[8:]) != uint32(os.Getpagesize()) {
		return 0
	}
	return binary.NativeEndian.Uint64(h[40:])
}

// protect runs f and makes an error of a panic: bbolt's on pages that make no
// sense, the runtime's on memory that is no longer behind the map.
func protect(f func() error) (err error) {
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("the file is damaged: %v", r)
		}
	}()
	return f()
}

func diskError(path, op string, err error) error {
	var e *DiskError
	if errors.As(err, &e) {
		return err
	}
	return &DiskError{Path: path, Op: op, Err: err}
}

// run does one thing with the file, unless that has failed before.
func (s *store) run(op string, f func() error) error {
	s.mu.Lock()
	err := s.err
	s.mu.Unlock()
	if err != nil {
		return err
	}
	err = protect(f)
	if err == nil || errors.Is(err, raft.ErrLogNotFound) || errors.Is(err, errNoKey) || errors.Is(err, bolterrors.ErrDatabaseNotOpen) {
		return err
	}
	return s.fail(diskError(s.path, op, err))
}

func (s *store) fail(err error) error {
	s.mu.Lock()
	first := s.err == nil
	if first {
		s.err = err
	}
	err = s.err
	s.mu.Unlock()
	if first {
		s.failed(err)
	}
	return err
}

// write runs f in a transaction that is on disk when write returns nil.
func (s *store) write(op string, f func(*bbolt.Tx) error) error {
	return s.run(op, func() error {
		if s.fault != nil {
			if err := s.fault(); err != nil {
				return err
			}
		}
		return s.db.Update(f)
	})
}

// park never returns when the store has failed; see store.
func (s *store) park(err error) {
	if d := (*DiskError)(nil); errors.As(err, &d) {
		select {}
	}
}

// Close closes the file. Where the store has failed, a lock may be held for
// good by what failed: then only the file is closed.
func (s *store) Close() error { return s.close(2 * time.Second) }

func (s *store) close(patience time.Duration) error {
	if s.db == nil { // bbolt gave up half-way
		if s.file != nil {
			s.file.Close()
		}
		return nil
	}
	done := make(chan error, 1)
	go func() { done <- protect(s.db.Close) }()
	select {
	case err := <-done:
		if err != nil {
			return diskError(s.path, "close", err)
		}
		return nil
	case <-time.After(patience):
		s.file.Close() // and its lock with it
		return diskError(s.path, "close", errors.New("it is still in use"))
	}
}

// seal puts a checksum in front of a value.
func seal(v []byte) []byte {
	b := binary.BigEndian.AppendUint32(make([]byte, 0, len(v)+4), crc32.Checksum(v, castagnoli))
	return append(b, v...)
}

func unseal(b []byte) ([]byte, error) {
	if len(b) < 4 {
		return nil, errShort
	}
	if crc32.Checksum(b[4:], castagnoli) != binary.BigEndian.Uint32(b) {
		return nil, errChecksum
	}
	return b[4:], nil
}

// encodeLog returns the value of a log entry: its index is the key.
func encodeLog(l *raft.Log) []byte {
	b := make([]byte, 4, 4+1+3*binary.MaxVarintLen64+len(l.Extensions)+len(l.Data))
	b = append(b, byte(l.Type))
	b = binary.AppendUvarint(b, l.Index)
	b = binary.AppendUvarint(b, l.Term)
	at := int64(0)
	if !l.AppendedAt.IsZero() {
		at = l.AppendedAt.UnixNano()
	}
	b = binary.AppendVarint(b, at)
	b = binary.AppendUvarint(b, uint64(len(l.Extensions)))
	b = append(append(b, l.Extensions...), l.Data...)
	binary.BigEndian.PutUint32(b, crc32.Checksum(b[4:], castagnoli))
	return b
}

// decodeLog fills l from a value, copying what it keeps.
func decodeLog(b []byte, l *raft.Log) error {
	b, err := unseal(b)
	if err != nil {
		return err
	}
	if len(b) == 0 {
		return errShort
	}
	kind, b := raft.LogType(b[0]), b[1:]
	var head [2]uint64
	for i := range head {
		v, n := binary.Uvarint(b)
		if n <= 0 {
			return errShort
		}
		head[i], b = v, b[n:]
	}
	at, n := binary.Varint(b)
	if n <= 0 {
		return errShort
	}
	ext, m := binary.Uvarint(b[n:])
	if m <= 0 || ext > uint64(len(b)-n-m) {
		return errShort
	}
	b = append([]byte(nil), b[n+m:]...)
	*l = raft.Log{Type: kind, Index: head[0], Term: head[1], Data: b[ext:]}
	if ext > 0 {
		l.Extensions = b[:ext:ext]
	}
	if at != 0 {
		l.AppendedAt = time.Unix(0, at)
	}
	return nil
}

// FirstIndex returns the oldest entry's index, 0 for an empty log.
func (s *store) FirstIndex() (uint64, error) {
	return s.edge(func(c *bbolt.Cursor) []byte { k, _ := c.First(); return k })
}

// LastIndex returns the newest entry's index, 0 for an empty log.
func (s *store) LastIndex() (uint64, error) {
	return s.edge(func(c *bbolt.Cursor) []byte { k, _ := c.Last(); return k })
}

func (s *store) edge(key func(*bbolt.Cursor) []byte) (index uint64, err error) {
	err = s.run("read", func() error {
		return s.db.View(func(tx *bbolt.Tx) error {
			if k := key(tx.Bucket(logBucket).Cursor()); len(k) == 8 {
				index = binary.BigEndian.Uint64(k)
			}
			return nil
		})
	})
	return index, err
}

// GetLog fills l with an entry, or returns raft.ErrLogNotFound.
func (s *store) GetLog(index uint64, l *raft.Log) error {
	err := s.run("read", func() error {
		return s.db.View(func(tx *bbolt.Tx) error {
			v := tx.Bucket(logBucket).Get([]byte(indexKey(index)))
			if v == nil {
				return raft.ErrLogNotFound
			}
			if err := decodeLog(v, l); err != nil {
				return fmt.Errorf("log entry %d: %w", index, err)
			}
			return nil
		})
	})
	s.park(err)
	return err
}

// StoreLog stores one entry.
func (s *store) StoreLog(l *raft.Log) error { return s.StoreLogs([]*raft.Log{l}) }

// IsMonotonic tells raft that there are no gaps: what a restored backup takes
// the place of is removed.
func (s *store) IsMonotonic() bool { return true }

// StoreLogs stores entries, all or none, with one sync. Where they do not
// follow what is there, raft has a snapshot that takes its place, and died
// before it could remove it.
func (s *store) StoreLogs(logs []*raft.Log) error {
	return s.write("write", func(tx *bbolt.Tx) error {
		b := tx.Bucket(logBucket)
		b.FillPercent = 0.9 // entries are added at the end
		last := lastOf(b)
		if len(logs) > 0 && last != 0 && logs[0].Index > last+1 {
			if err := remove(b, 0, last); err != nil {
				return err
			}
		}
		for _, l := range logs {
			if err := b.Put([]byte(indexKey(l.Index)), encodeLog(l)); err != nil {
				return err
			}
			last = max(last, l.Index)
		}
		return b.SetSequence(last)
	})
}

// DeleteRange removes the entries from low to high, both included: the oldest
// after a snapshot, or the newest where another leader knows better.
func (s *store) DeleteRange(low, high uint64) error {
	return s.write("compact", func(tx *bbolt.Tx) error {
		b := tx.Bucket(logBucket)
		last := lastOf(b)
		if high >= last { // then it ends with the one before low
			c := b.Cursor()
			last = 0
			if k, _ := c.Seek([]byte(indexKey(low))); k != nil {
				if k, _ = c.Prev(); len(k) == 8 {
					last = binary.BigEndian.Uint64(k)
				}
			} else {
				last = lastOf(b)
			}
		}
		return errors.Join(remove(b, low, high), b.SetSequence(last))
	})
}

func remove(b *bbolt.Bucket, low, high uint64) error {
	c := b.Cursor()
	var keys [][]byte // deleting through a cursor may make it skip
	for k, _ := c.Seek([]byte(indexKey(low))); k != nil && binary.BigEndian.Uint64(k) <= high; k, _ = c.Next() {
		keys = append(keys, bytes.Clone(k))
	}
	for _, k := range keys {
		if err := b.Delete(k); err != nil {
			return err
		}
	}
	return nil
}

// Set stores a stable value.
func (s *store) Set(key, value []byte) error {
	err := s.write("write", func(tx *bbolt.Tx) error {
		b := tx.Bucket(stableBucket)
		if counted(b) && b.Get(key) == nil {
			if err := b.SetSequence(b.Sequence() + 1); err != nil {
				return err
			}
		}
		return b.Put(key, seal(value))
	})
	s.park(err)
	return err
}

// Get returns a stable value.
func (s *store) Get(key []byte) (value []byte, err error) {
	err = s.run("read", func() error {
		return s.db.View(func(tx *bbolt.Tx) error {
			v := tx.Bucket(stableBucket).Get(key)
			if v == nil {
				return errNoKey
			}
			v, err := unseal(v)
			value = append([]byte(nil), v...)
			return err
		})
	})
	s.park(err)
	return value, err
}

// SetUint64 stores a stable number.
func (s *store) SetUint64(key []byte, v uint64) error { return s.Set(key, []byte(indexKey(v))) }

// GetUint64 returns a stable number.
func (s *store) GetUint64(key []byte) (uint64, error) {
	v, err := s.Get(key)
	if err != nil || len(v) != 8 {
		return 0, err
	}
	return binary.BigEndian.Uint64(v), nil
}
