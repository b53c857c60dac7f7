package worker

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/tuttidb/tutti/planner/plan"
	pb "github.com/tuttidb/tutti/proto/tutti/v1"
)

func someSplits(from, to int64) (out []*pb.Split) {
	for id := from; id < to; id++ {
		out = append(out, &pb.Split{Id: id, Scan: 1})
	}
	return out
}

// TestTakeBackQueue: what was started or told of at the end is never given back.
func TestTakeBackQueue(t *testing.T) {
	for _, c := range []struct {
		name           string
		take, ask      int
		over           bool
		back, consumed []int64
	}{
		{"none started", 0, 2, false, []int64{2, 3}, []int64{0, 1}},
		{"more than there are", 1, 9, false, []int64{1, 2, 3}, []int64{0}},
		{"all started", 4, 2, false, nil, []int64{0, 1, 2, 3}},
		{"after the end", 1, 2, true, nil, []int64{0, 1, 2, 3}},
		{"a negative number", 1, -3, false, nil, []int64{0, 1, 2, 3}},
	} {
		q := newSplitQueue(1, func() {})
		q.add(someSplits(0, 4), []int32{1})
		for range c.take {
			if s, err := q.Next(t.Context(), 1); s == nil || err != nil {
				t.Fatal(s, err)
			}
		}
		if c.over {
			q.consumed()
		}
		if got := q.takeBack(1, c.ask); !slices.Equal(got, c.back) {
			t.Errorf("%s: got back %v, want %v", c.name, got, c.back)
		}
		got := q.consumed()
		slices.Sort(got)
		if !slices.Equal(got, c.consumed) {
			t.Errorf("%s: consumed %v, want %v", c.name, got, c.consumed)
		}
	}
}

// TestTakeBackRaces: drivers, take-backs and the end at the same time leave
// every split with exactly one of them.
func TestTakeBackRaces(t *testing.T) {
	seed := uint64(time.Now().UnixNano())
	rng := rand.New(rand.NewPCG(seed, 0))
	for range 200 {
		const n = 50
		q := newSplitQueue(2, func() {})
		q.add(someSplits(0, n), []int32{1})
		var wg sync.WaitGroup
		for range 2 {
			some := rng.IntN(n)
			wg.Go(func() {
				for range some {
					if s, _ := q.Next(t.Context(), 1); s == nil {
						return
					}
				}
			})
		}
		var back []int64
		asks := []int{rng.IntN(n), rng.IntN(n), rng.IntN(n)}
		wg.Go(func() {
			for _, k := range asks {
				back = append(back, q.takeBack(1, k)...)
			}
		})
		var end []int64
		wg.Go(func() { end = q.consumed() })
		wg.Wait()
		late := q.takeBack(1, n)
		// What drivers take after the end was told was told as waiting.
		all := append(slices.Clone(back), end...)
		slices.Sort(all)
		if want := someIDs(n); !slices.Equal(all, want) || len(late) > 0 {
			t.Fatalf("seed %d: %d given back, %d at the end, %d after it", seed, len(back), len(end), len(late))
		}
	}
}

func someIDs(n int64) (ids []int64) {
	for i := range n {
		ids = append(ids, i)
	}
	return ids
}

// TestLowWater: the coordinator hears that splits run low while there may be
// more, and not after.
func TestLowWater(t *testing.T) {
	heard := 0
	q := newSplitQueue(2, func() { heard++ })
	q.add(someSplits(0, 4), nil)
	var after []int
	for range 4 {
		_, _ = q.Next(t.Context(), 1)
		after = append(after, heard)
	}
	if !slices.Equal(after, []int{0, 0, 1, 2}) {
		t.Errorf("heard %v", after)
	}
	q.add(someSplits(4, 5), []int32{1})
	if _, _ = q.Next(t.Context(), 1); heard != 2 {
		t.Error("heard of low splits when there are no more")
	}
}

// TestFilterWaits: no scan waits for a filter that was given up, and all wait
// no longer than the session allows, all together.
func TestFilterWaits(t *testing.T) {
	join := &plan.Fragment{Root: &plan.Values{}}
	d := newDynamicFilters(join, 2, time.Hour, func() {})
	d.giveUp([]int32{1})
	d.Wait(t.Context(), 1)
	waiting := make(chan struct{})
	go func() {
		defer close(waiting)
		d.Wait(t.Context(), 2)
	}()
	d.giveUp([]int32{2})
	<-waiting
	d.stop()

	short := newDynamicFilters(join, 2, 30*time.Millisecond, func() {})
	start := time.Now()
	for id := range plan.DynamicID(500) {
		short.Wait(t.Context(), id)
	}
	if took := time.Since(start); took < 30*time.Millisecond || took > 8*time.Second {
		t.Errorf("500 filters were waited for for %s, with 30ms patience", took)
	}
	never := newDynamicFilters(join, 2, 0, func() {})
	never.Wait(t.Context(), 1)
}

// TestPatience: the session's wish counts, else the node's default.
func TestPatience(t *testing.T) {
	m := NewManager(ManagerDeps{})
	for _, c := range []struct {
		nanos int64
		want  time.Duration
	}{{0, defaultPatience}, {5, 5}, {-1, 0}} {
		if got := m.patience(&pb.StartTaskRequest{Settings: &pb.Settings{FilterWaitNanos: c.nanos}}); got != c.want {
			t.Errorf("%d: %s, want %s", c.nanos, got, c.want)
		}
	}
	if got := m.patience(&pb.StartTaskRequest{}); got != defaultPatience {
		t.Error(fmt.Sprint("no settings: ", got))
	}
}
