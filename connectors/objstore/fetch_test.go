package objstore_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/iotest"
	"time"

	"github.com/tuttidb/tutti/connectors/objstore"
	"github.com/tuttidb/tutti/internal/qerr"
)

// spy is a bucket that notes reads and can hold them back.
type spy struct {
	objstore.Bucket
	gate chan struct{} // if not nil, each read takes one from it first

	mu     sync.Mutex
	reads  []objstore.Range
	active int
	most   int
}

func (s *spy) GetRange(ctx context.Context, key, etag string, off int64, dst []byte) (int, error) {
	s.mu.Lock()
	s.reads = append(s.reads, objstore.Range{Off: off, Len: int64(len(dst))})
	s.active++
	s.most = max(s.most, s.active)
	s.mu.Unlock()
	defer func() {
		s.mu.Lock()
		s.active--
		s.mu.Unlock()
	}()
	if s.gate != nil {
		select {
		case <-s.gate:
		case <-ctx.Done():
			return 0, context.Cause(ctx)
		}
	}
	return s.Bucket.GetRange(ctx, key, etag, off, dst)
}

func (s *spy) log() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return fmt.Sprint(s.reads)
}

// counting is a BufferSource that counts what is out, poisons what comes back,
// and can run dry.
type counting struct {
	out, peak, bytes atomic.Int64
	limit            int64
}

func (c *counting) Get(n int) ([]byte, error) {
	if b := c.bytes.Add(int64(n)); c.limit > 0 && b > c.limit {
		c.bytes.Add(-int64(n))
		return nil, qerr.New(qerr.ExceededLocalMemory, "Query exceeded per-node memory limit")
	}
	c.peak.Store(max(c.peak.Load(), c.bytes.Load()))
	c.out.Add(1)
	return make([]byte, n), nil
}

func (c *counting) Put(buf []byte) {
	for i := range buf {
		buf[i] = 0xDB
	}
	c.bytes.Add(-int64(len(buf)))
	c.out.Add(-1)
}

// object stores data in a fresh bucket.
func object(t testing.TB, data []byte) (objstore.Bucket, objstore.ObjectInfo) {
	b := objstore.NewMem("test", nil)
	return b, put(t, b, "k", data)
}

func TestFetchRequests(t *testing.T) {
	data := noise(3, 1000)
	b, obj := object(t, data)
	r := func(off, n int64) objstore.Range { return objstore.Range{Off: off, Len: n} }
	tests := []struct {
		name   string
		ranges []objstore.Range
		want   string // the requests
	}{
		{"neighbors", []objstore.Range{r(0, 10), r(10, 10), r(20, 10)}, "[{0 30}]"},
		{"small gaps", []objstore.Range{r(0, 10), r(20, 10)}, "[{0 30}]"},
		{"large gap", []objstore.Range{r(0, 10), r(21, 10)}, "[{0 10} {21 10}]"},
		{"target", []objstore.Range{r(0, 60), r(60, 40), r(100, 10)}, "[{0 100} {100 10}]"},
		{"backwards", []objstore.Range{r(500, 10), r(0, 10), r(10, 5)}, "[{500 10} {0 15}]"},
		{"overlap", []objstore.Range{r(0, 80), r(40, 80)}, "[{0 60} {60 60}]"},
		{"same twice", []objstore.Range{r(7, 9), r(7, 9)}, "[{7 9}]"},
		{"large", []objstore.Range{r(5, 250)}, "[{5 84} {89 83} {172 83}]"},
		{"empty ones", []objstore.Range{r(0, 0), r(1000, 0), r(3, 4)}, "[{3 4}]"},
		{"none", nil, "[]"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := &spy{Bucket: b}
			mem := &counting{}
			f := objstore.NewFetcher(objstore.FetchOptions{Gap: 10, Target: 100, Requests: 1, Buffers: mem})
			d, err := f.Fetch(t.Context(), s, obj, tt.ranges)
			if err != nil {
				t.Fatal(err)
			}
			for i, r := range tt.ranges {
				got, err := d.Bytes(i)
				if err != nil || !bytes.Equal(got, data[r.Off:r.Off+r.Len]) || !d.Ready(i) {
					t.Errorf("range %d: %d bytes, %v", i, len(got), err)
				}
			}
			if s.log() != tt.want || d.Stats().Requests != int64(len(s.reads)) {
				t.Errorf("requests %s (%+v), want %s", s.log(), d.Stats(), tt.want)
			}
			d.Release()
			if mem.out.Load() != 0 {
				t.Errorf("%d buffers not returned", mem.out.Load())
			}
		})
	}
}

// TestFetchRandom compares random fetches with the data, over a bucket that
// answers out of order, with consumers that free in any order.
func TestFetchRandom(t *testing.T) {
	noLeaks(t)
	seed := rand.Uint64()
	t.Log("seed", seed)
	rnd := rand.New(rand.NewPCG(seed, 1))
	data := noise(seed, 200_000)
	inner, obj := object(t, data)
	b := objstore.NewFaulty(inner, seed, objstore.Fault{Kind: objstore.FaultDelay, Rate: 0.2, Delay: time.Millisecond})
	mem := &counting{}
	f := objstore.NewFetcher(objstore.FetchOptions{Gap: 500, Target: 4000, Requests: 3, Ahead: 20_000, Buffers: mem})
	var wg sync.WaitGroup
	for range 20 {
		ranges := make([]objstore.Range, rnd.IntN(40))
		for i := range ranges {
			off := rnd.Int64N(obj.Size)
			ranges[i] = objstore.Range{Off: off, Len: rnd.Int64N(min(9000, obj.Size-off))}
		}
		order, stop := rnd.Perm(len(ranges)), rnd.IntN(50)
		wg.Go(func() {
			d, err := f.Fetch(t.Context(), b, obj, ranges)
			if err != nil {
				t.Error(err)
				return
			}
			defer d.Release()
			for n, i := range order {
				if n == stop {
					return
				}
				got, err := d.Bytes(i)
				if r := ranges[i]; err != nil || !bytes.Equal(got, data[r.Off:r.Off+r.Len]) {
					t.Errorf("range %+v: %d bytes, %v", r, len(got), err)
				}
				d.Free(i)
			}
		})
	}
	wg.Wait()
	if mem.out.Load() != 0 || mem.bytes.Load() != 0 {
		t.Errorf("%d buffers with %d bytes not returned", mem.out.Load(), mem.bytes.Load())
	}
}

// TestFetchLimits: requests in flight and bytes ahead stay within their bounds,
// except for what a consumer waits for.
func TestFetchLimits(t *testing.T) {
	noLeaks(t)
	b, obj := object(t, noise(1, 100_000))
	s := &spy{Bucket: b, gate: make(chan struct{}, 100)}
	mem := &counting{}
	f := objstore.NewFetcher(objstore.FetchOptions{Gap: -1, Target: 1000, Requests: 2, Ahead: 5000, Buffers: mem})
	var ranges []objstore.Range
	for i := range int64(20) {
		ranges = append(ranges, objstore.Range{Off: i * 1000, Len: 1000})
	}
	d, err := f.Fetch(t.Context(), s, obj, ranges)
	if err != nil {
		t.Fatal(err)
	}
	for range 100 {
		s.gate <- struct{}{}
	}
	for i := range 5 {
		if _, err := d.Bytes(i); err != nil {
			t.Fatal(err)
		}
	}
	if d.Ready(5) || mem.bytes.Load() != 5000 {
		t.Errorf("%d bytes held with nothing freed", mem.bytes.Load())
	}
	if _, err := d.Bytes(19); err != nil { // out of turn, and beyond the limit
		t.Fatal(err)
	}
	for i := range 19 {
		if _, err := d.Bytes(i); err != nil {
			t.Fatal(err)
		}
		d.Free(i)
	}
	if s.most > 2 || mem.peak.Load() > 7000 {
		t.Errorf("at most %d requests in flight, %d bytes held", s.most, mem.peak.Load())
	}
	d.Release()
	if mem.out.Load() != 0 {
		t.Errorf("%d buffers not returned", mem.out.Load())
	}
}

func TestFetchBadRanges(t *testing.T) {
	b, obj := object(t, noise(1, 100))
	f := objstore.NewFetcher(objstore.FetchOptions{})
	for _, r := range []objstore.Range{{-1, 5}, {0, -1}, {0, 101}, {101, 0}, {50, 51}, {1, 1<<63 - 1}, {1<<63 - 1, 1<<63 - 1}} {
		_, err := f.Fetch(t.Context(), b, obj, []objstore.Range{{0, 1}, r})
		if !qerr.Is(err, qerr.LakeBadData) || !strings.Contains(err.Error(), "mem://test/k: a read of") {
			t.Errorf("range %+v: %v", r, err)
		}
	}
}

func TestFetchErrors(t *testing.T) {
	ranges := []objstore.Range{{0, 1000}, {5000, 1000}, {20_000, 30_000}}
	tests := map[string]struct {
		fault objstore.Fault
		limit int64
		code  qerr.Code
		text  string
	}{
		"unavailable": {objstore.Fault{Op: "get", After: 1}, 0, qerr.LakeFilesystemError, "mem://test/k: the object store failed"},
		"changed":     {objstore.Fault{Kind: objstore.FaultChange, After: 2}, 0, qerr.LakeFileChanged, "run the query again"},
		"truncated":   {objstore.Fault{Kind: objstore.FaultTruncate}, 0, qerr.LakeFilesystemError, "cut off"},
		"too short":   {objstore.Fault{Kind: objstore.FaultShort}, 0, qerr.LakeBadData, "before the 100000 bytes it was listed with"},
		"no memory":   {objstore.Fault{Kind: objstore.FaultDelay}, 10_000, qerr.ExceededLocalMemory, "Query exceeded"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			noLeaks(t)
			inner, obj := object(t, noise(1, 100_000))
			mem := &counting{limit: tt.limit}
			f := objstore.NewFetcher(objstore.FetchOptions{Gap: 10, Target: 8000, Requests: 2, Buffers: mem})
			d, err := f.Fetch(t.Context(), objstore.NewFaulty(inner, 1, tt.fault), obj, ranges)
			if err != nil {
				t.Fatal(err)
			}
			failed := 0
			for i := range ranges {
				if _, err := d.Bytes(i); err != nil {
					failed++
					if e := qerr.From(err); e.Code != tt.code || !strings.Contains(err.Error(), tt.text) || strings.Count(err.Error(), "mem://") > 1 {
						t.Errorf("range %d: %s %q", i, e.Code.Name, err)
					}
				}
			}
			if failed == 0 {
				t.Error("nothing failed")
			}
			d.Release()
			if mem.out.Load() != 0 {
				t.Errorf("%d buffers not returned", mem.out.Load())
			}
		})
	}
}

// TestFetchCancel: a cancel, or a Release, ends waiting and reading at once, and
// every buffer comes back.
func TestFetchCancel(t *testing.T) {
	for _, how := range []string{"context", "release"} {
		t.Run(how, func(t *testing.T) {
			noLeaks(t)
			inner, obj := object(t, noise(1, 100_000))
			b := objstore.NewFaulty(inner, 1, objstore.Fault{Kind: objstore.FaultHang, After: 1})
			mem := &counting{}
			f := objstore.NewFetcher(objstore.FetchOptions{Gap: -1, Target: 1000, Requests: 4, Buffers: mem})
			why := errors.New("killed")
			ctx, cancel := context.WithCancelCause(t.Context())
			d, err := f.Fetch(ctx, b, obj, []objstore.Range{{0, 50_000}, {60_000, 1000}})
			if err != nil {
				t.Fatal(err)
			}
			waits := make(chan error)
			go func() {
				_, err := d.Bytes(0)
				waits <- err
			}()
			want := context.Canceled
			if how == "context" {
				want = why
				cancel(why)
			} else {
				d.Release()
			}
			if err := <-waits; !errors.Is(err, want) {
				t.Errorf("Bytes returned %v", err)
			}
			d.Release()
			if mem.out.Load() != 0 {
				t.Errorf("%d buffers not returned", mem.out.Load())
			}
			cancel(nil)
			if _, err := f.Fetch(ctx, b, obj, []objstore.Range{{0, 1}}); err == nil {
				t.Error("a fetch began after its context's end")
			}
			// The limits are free again for others.
			d, err = f.Fetch(t.Context(), inner, obj, []objstore.Range{{0, 50_000}})
			if err != nil {
				t.Fatal(err)
			}
			defer d.Release()
			if _, err := d.Bytes(0); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestBufferPool(t *testing.T) {
	p := objstore.NewBufferPool(1 << 20)
	for _, n := range []int{1, 4096, 4097, 5000, 1 << 16, 1<<16 + 1, 100_000, 1 << 19} {
		a, err := p.Get(n)
		if err != nil || len(a) != n || cap(a) > max(4096, n*5/4+1) {
			t.Fatalf("Get(%d) = %d of %d bytes, %v", n, len(a), cap(a), err)
		}
		p.Put(a)
		b, _ := p.Get(n)
		if &a[0] != &b[0] {
			t.Errorf("the buffer of %d bytes was not used again", n)
		}
	}
	big, _ := p.Get(2 << 20)
	p.Put(big)
	if again, _ := p.Get(2 << 20); &again[0] == &big[0] {
		t.Error("a buffer beyond the limit was kept")
	}
	p.Put(make([]byte, 5001)) // not from here
}

func TestObjectReader(t *testing.T) {
	data := noise(9, 1000)
	b, obj := object(t, data)
	r := objstore.NewObjectReader(t.Context(), b, obj)
	if r.Size() != 1000 {
		t.Errorf("size %d", r.Size())
	}
	if err := iotest.TestReader(r, data); err != nil {
		t.Error(err)
	}
	obj.Size = 2000
	if _, err := objstore.NewObjectReader(t.Context(), b, obj).ReadAt(make([]byte, 10), 995); !qerr.Is(err, qerr.LakeBadData) {
		t.Errorf("an object shorter than listed: %v", err)
	}
	if _, err := objstore.ReadAll(t.Context(), b, obj); !qerr.Is(err, qerr.LakeBadData) {
		t.Errorf("an object shorter than listed: %v", err)
	}
}
