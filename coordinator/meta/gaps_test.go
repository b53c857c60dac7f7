package meta

import (
	"path/filepath"
	"strings"
	"testing"

	"go.etcd.io/bbolt"
)

// TestStoreGaps takes entries and values out of a file behind its back: what is
// missing is noticed wherever it is, but in a file of an older release, which
// left out one entry where a backup was restored.
func TestStoreGaps(t *testing.T) {
	del := func(log bool, keys ...string) func(*bbolt.Tx) error {
		return func(tx *bbolt.Tx) error {
			b := tx.Bucket(stableBucket)
			if log {
				b = tx.Bucket(logBucket)
			}
			for _, k := range keys {
				if err := b.Delete([]byte(k)); err != nil {
					return err
				}
			}
			return nil
		}
	}
	older := func(then func(*bbolt.Tx) error) func(*bbolt.Tx) error {
		return func(tx *bbolt.Tx) error {
			if err := tx.Bucket(stableBucket).SetSequence(0); err != nil {
				return err
			}
			if err := tx.Bucket(logBucket).SetSequence(0); err != nil {
				return err
			}
			return then(tx)
		}
	}
	for _, c := range []struct {
		name   string
		damage func(*bbolt.Tx) error
		want   string // part of the error, "" for none
	}{
		{"nothing", del(true), ""},
		{"one", del(true, indexKey(50)), "log entry 50 is missing"},
		{"some", del(true, indexKey(50), indexKey(51)), "log entry 50 is missing"},
		{"the last", del(true, indexKey(100)), "ends with entry 99, not with 100"},
		{"the first", del(true, indexKey(1)), ""}, // as after a snapshot, which raft asks for
		{"the vote", del(false, "LastVoteTerm"), "1 stable values of 2"},
		{"a bucket", func(tx *bbolt.Tx) error { return tx.DeleteBucket(stableBucket) }, "has lost its log"},
		{"both buckets", func(tx *bbolt.Tx) error {
			if err := tx.DeleteBucket(stableBucket); err != nil {
				return err
			}
			return tx.DeleteBucket(logBucket)
		}, "has lost its log"},
		{"of an older release, nothing", older(del(true)), ""},
		{"of an older release, one", older(del(true, indexKey(50))), ""},
		{"of an older release, two", older(del(true, indexKey(50), indexKey(60))), "log entry 60 is missing"},
		{"of an older release, two in a row", older(del(true, indexKey(50), indexKey(51))), "log entry 50 is missing"},
	} {
		t.Run(c.name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "raft.db")
			s := testStore(t, path)
			for _, key := range []string{"CurrentTerm", "LastVoteTerm", "CurrentTerm"} {
				if err := s.SetUint64([]byte(key), 7); err != nil {
					t.Fatal(err)
				}
			}
			if err := s.StoreLogs(testLogs(1, 100)); err != nil {
				t.Fatal(err)
			}
			if err := s.db.Update(c.damage); err != nil {
				t.Fatal(err)
			}
			s.Close()
			again, err := openStore(path, func(error) {})
			if err == nil {
				again.Close()
			}
			if (err == nil) != (c.want == "") || err != nil && !strings.Contains(err.Error(), c.want) {
				t.Errorf("%v, want %q", err, c.want)
			}
		})
	}
}

// TestStoreOlder: a file of an older release that has no gap is counted from
// then on; one that has a gap when that has been compacted away.
func TestStoreOlder(t *testing.T) {
	path := filepath.Join(t.TempDir(), "raft.db")
	s := testStore(t, path)
	if err := s.StoreLogs(testLogs(1, 100)); err != nil {
		t.Fatal(err)
	}
	err := s.db.Update(func(tx *bbolt.Tx) error {
		if err := tx.Bucket(logBucket).Delete([]byte(indexKey(50))); err != nil {
			return err
		}
		return tx.Bucket(stableBucket).SetSequence(0)
	})
	if err != nil {
		t.Fatal(err)
	}
	is := func() (counts bool) {
		_ = s.db.View(func(tx *bbolt.Tx) error { counts = counted(tx.Bucket(stableBucket)); return nil }) // never fails
		return counts
	}
	for i, step := range []struct {
		do   func() error
		want bool
	}{
		{func() error { return nil }, false},
		{func() error { return s.Set([]byte("k"), nil) }, false},
		{func() error { return s.DeleteRange(1, 60) }, true},
		{func() error { return s.Set([]byte("l"), nil) }, true},
	} {
		if err := step.do(); err != nil {
			t.Fatal(err)
		}
		s.Close()
		s = testStore(t, path)
		if is() != step.want {
			t.Errorf("step %d: counted is %t", i, is())
		}
	}
	if err := holds(s, 61, 100); err != nil {
		t.Error(err)
	}
}

// TestStoreReplaced: entries that do not follow what is there take its place.
func TestStoreReplaced(t *testing.T) {
	path := filepath.Join(t.TempDir(), "raft.db")
	s := testStore(t, path)
	for _, c := range []struct{ from, to, first, last uint64 }{
		{1, 100, 1, 100}, {102, 110, 102, 110}, {111, 111, 102, 111}, {5000, 5001, 5000, 5001},
	} {
		if err := s.StoreLogs(testLogs(c.from, c.to)); err != nil {
			t.Fatal(err)
		}
		s.Close()
		s = testStore(t, path)
		if err := holds(s, c.first, c.last); err != nil {
			t.Error(err)
		}
	}
}
