package lake

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"testing"
	"time"

	"github.com/tuttidb/tutti/connectors/lake/parquet"
	"github.com/tuttidb/tutti/connectors/objstore"
	"github.com/tuttidb/tutti/exec/mem"
)

// manyFiles makes a table of n copies of a small file.
func manyFiles(t testing.TB, dir string, n int) {
	t.Helper()
	one := filepath.Join(dir, "one.parquet")
	events(t, one, 0, 20)
	data, err := os.ReadFile(one)
	if err != nil {
		t.Fatal(err)
	}
	for i := range n {
		put(t, filepath.Join(dir, "s", "t", fmt.Sprintf("day=2024-01-%02d", i%28+1), fmt.Sprintf("%05d.parquet", i)), data)
	}
}

// TestPlanningThousands: planning a table of 5,000 files lists it once a query,
// reads a bounded sample of footers once for all queries, and keeps bounded
// memory; reading it finds every row.
func TestPlanningThousands(t *testing.T) {
	dir := t.TempDir()
	const files = 5000
	manyFiles(t, dir, files)
	m := &objstore.Metrics{}
	l := newLake(t, Config{Warehouse: dir, S3: objstore.Config{Metrics: m}})
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	type cost struct{ gets, lists int64 }
	plan := func() (cost, time.Duration) {
		from, start := m.Snapshot(), time.Now()
		scan := scanOf(t, l, "s", "t", "id", "name", "day")
		st, err := l.Stats(t.Context(), scan)
		if err != nil || st.Rows != 20*files || st.Columns[2].Distinct != 28 {
			t.Fatalf("%+v, %v", st, err)
		}
		if n := len(splitsOf(t, l, scan)); n < 64 || n > 128 {
			t.Fatalf("%d splits", n)
		}
		to := m.Snapshot()
		return cost{to.Gets - from.Gets, to.Lists - from.Lists}, time.Since(start)
	}
	cold, tookCold := plan()
	warm, tookWarm := plan()
	t.Logf("cold: %+v in %v; warm: %+v in %v; footers take %d bytes", cold, tookCold, warm, tookWarm, l.deps.Footers.Used())
	// A page of a listing has up to 1,000 files. Each footer is one read, and so is
	// each column's dictionary of the one file that is looked at.
	if cold.gets > schemaSample+statsSample+10 || cold.lists > files/1000+5 {
		t.Errorf("cold: %+v", cold)
	}
	if warm.gets != 0 || warm.lists > files/1000+5 {
		t.Errorf("warm: %+v", warm)
	}
	for range 10 {
		plan()
	}
	runtime.GC()
	runtime.ReadMemStats(&after)
	if grown := int64(after.HeapAlloc) - int64(before.HeapAlloc); grown > 16<<20 {
		t.Errorf("planning holds %d bytes", grown)
	}
	if n := scanAll(t, l, scanOf(t, l, "s", "t", "id"), mem.NewRoot("test", 0, mem.NewPool())); n != 20*files {
		t.Errorf("%d rows", n)
	}
	// Once read, all footers are in the cache and none is read again.
	from := m.Snapshot().Gets
	scanAll(t, l, scanOf(t, l, "s", "t", "day"), mem.NewRoot("test", 0, mem.NewPool()))
	if n := m.Snapshot().Gets - from; n != 0 {
		t.Errorf("%d reads for what the footers know", n)
	}
	if used := l.deps.Footers.Used(); used > 5<<10*files {
		t.Errorf("the footers of %d files take %d bytes", files, used)
	}
}

// TestFooterCacheBounded: the cache keeps to its limit, the least recently used
// going first, and a file's new version is another entry.
func TestFooterCacheBounded(t *testing.T) {
	dir := t.TempDir()
	smallFiles(t, dir, 50, 5)
	m := &objstore.Metrics{}
	l := newLake(t, Config{Warehouse: dir, S3: objstore.Config{Metrics: m}})
	scan := scanOf(t, l, "s", "t", "$path") // needs footers only
	all := l.deps.Footers.Used()
	account := mem.NewRoot("test", 0, mem.NewPool())
	for _, share := range []int64{1, 2, 10} {
		l.deps.Footers = parquet.NewCache(all / share)
		for range 2 {
			if n := scanAll(t, l, scan, account); n != 250 {
				t.Fatalf("%d rows", n)
			}
			if used := l.deps.Footers.Used(); used > all/share {
				t.Errorf("%d bytes in a cache of %d", used, all/share)
			}
		}
	}
	l.deps.Footers = parquet.NewCache(1 << 30)
	scanAll(t, l, scan, account)
	from := m.Snapshot().Gets
	scanAll(t, l, scan, account)
	if n := m.Snapshot().Gets - from; n != 0 {
		t.Errorf("%d footers were read again", n)
	}
	events(t, filepath.Join(dir, "s", "t", "00003.parquet"), 0, 9)
	if n := scanAll(t, l, scanOf(t, l, "s", "t", "$path"), account); n != 254 {
		t.Errorf("%d rows with the new version of a file", n)
	}
	if n := m.Snapshot().Gets - from; n != 1 {
		t.Errorf("%d footers were read for one new file", n)
	}
}

// TestListingCacheBounded: listings are remembered up to a number of them and
// of files, the newest always.
func TestListingCacheBounded(t *testing.T) {
	listingOf := func(id string, files int) *listing {
		return &listing{id: id, files: make([]file, files)}
	}
	var c listingCache
	for i := range 3 * maxListings {
		c.add(fmt.Sprint("place", i), listingOf(fmt.Sprint(i), 1))
	}
	if len(c.byID) != maxListings || len(c.byPlace) != maxListings || c.files != maxListings {
		t.Errorf("%d listings, %d places, %d files", len(c.byID), len(c.byPlace), c.files)
	}
	for i := range 5 {
		c.add("big", listingOf(fmt.Sprint("big", i), maxListed/2))
		if c.files > maxListed || c.byPlace["big"].id != fmt.Sprint("big", i) {
			t.Errorf("%d files, %s is the newest", c.files, c.byPlace["big"].id)
		}
	}
	c.add("huge", listingOf("huge", 2*maxListed))
	if len(c.byID) != 1 || c.byID["huge"] == nil || len(c.byPlace) != 1 {
		t.Errorf("%d listings beside a huge one", len(c.byID)-1)
	}
	for range 10 { // the same listing made again and again counts once
		c.add("huge", listingOf("huge", 10))
	}
	if len(c.order) != 1 || c.files != 10 {
		t.Errorf("%d entries, %d files", len(c.order), c.files)
	}
}

// stoppedClock tells the time that a test sets.
type stoppedClock struct{ now time.Time }

func (c *stoppedClock) Now() time.Time { return c.now }

// TestStaleness: a listing is used until it is as old as the setting allows,
// and not after; the default is that it is never used again.
func TestStaleness(t *testing.T) {
	for _, tc := range []struct {
		allowed time.Duration
		wait    time.Duration
		fresh   bool
	}{
		{0, 0, true}, {0, time.Hour, true}, {time.Minute, 0, false}, {time.Minute, 59 * time.Second, false},
		{time.Minute, 61 * time.Second, true}, {time.Nanosecond, time.Second, true},
	} {
		dir := t.TempDir()
		events(t, filepath.Join(dir, "s", "t", "a.parquet"), 0, 5)
		l := newLake(t, Config{Warehouse: dir, ListingStaleness: tc.allowed})
		clock := &stoppedClock{now: time.Unix(1_700_000_000, 0)}
		l.deps.Clock = clock
		for _, find := range []string{"table", "path"} {
			rows := func() int {
				tab := table(t, l, "s", "t")
				if find == "path" {
					var err error
					if tab, err = l.TableAt(t.Context(), dir+"/s/t"); err != nil {
						t.Fatal(err)
					}
				}
				got, err := read(t, l, tab, nil, "id")
				if err != nil {
					t.Fatal(err)
				}
				return len(got)
			}
			had := rows()
			events(t, filepath.Join(dir, "s", "t", find+".parquet"), 0, 3)
			clock.now = clock.now.Add(tc.wait)
			if got := rows(); (got == had+3) != tc.fresh {
				t.Errorf("%s, staleness %v: %d rows %v after a file was added to %d", find, tc.allowed, got, tc.wait, had)
			}
			clock.now = clock.now.Add(time.Hour)
		}
	}
}
