package coordinator

import (
	"context"
	"errors"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/tuttidb/tutti/internal/qerr"
)

func (t *ticket) granted() bool {
	select {
	case <-t.turn:
		return true
	default:
		return false
	}
}

func fixed(bytes int64) func() int64 { return func() int64 { return bytes } }

// TestPlacesGoInOrder: so many enter, the next wait in the order in which they
// came, more are refused, and who gives up leaves no hole.
func TestPlacesGoInOrder(t *testing.T) {
	a := newAdmission(Limits{MaxRunning: 2, MaxQueued: 3}, fixed(0))
	var tickets []*ticket
	for range 5 {
		tickets = append(tickets, a.ticket())
	}
	for _, i := range []int{0, 1, 4, 2, 3} { // not in the order of the tickets
		if err := a.line(tickets[i], 0); err != nil {
			t.Fatal(err)
		}
	}
	var full *qerr.Error
	if err := a.line(a.ticket(), 0); !errors.As(err, &full) || full.Code != qerr.QueryQueueFull || !full.Retryable {
		t.Errorf("a fourth waiter got %v, want a retryable QUERY_QUEUE_FULL", err)
	}
	for i, want := range []int{0, 0, 1, 2, 3} {
		if n, _ := a.position(tickets[i]); n != want {
			t.Errorf("query %d is at %d in the queue, want %d", i, n, want)
		}
	}
	gone, cancel := context.WithCancelCause(context.Background())
	cause := errors.New("enough")
	cancel(cause)
	if err := a.await(gone, tickets[3]); !errors.Is(err, cause) {
		t.Errorf("the impatient one got %v", err)
	}
	a.leave(tickets[3])
	for i, next := range []int{2, 4} {
		a.leave(tickets[i])
		if !tickets[next].granted() {
			t.Errorf("query %d does not run when query %d has ended", next, i)
		}
	}
	a.leave(tickets[2])
	a.leave(tickets[4])
	if a.running != 0 || len(a.queue) != 0 {
		t.Errorf("%d places are taken and %d wait after all have left", a.running, len(a.queue))
	}
}

// TestMemoryGoesInOrder: what does not fit waits, nobody overtakes who waits
// for memory, and what is larger than a node runs alone.
func TestMemoryGoesInOrder(t *testing.T) {
	type step struct {
		query int
		bytes int64 // wanted; 0: the query ends
		runs  []int // what holds memory after the step
	}
	for name, steps := range map[string][]step{
		"fits":               {{0, 40, []int{0}}, {1, 60, []int{0, 1}}},
		"waits":              {{0, 40, []int{0}}, {1, 61, []int{0}}, {0, 0, []int{1}}},
		"no overtaking":      {{0, 50, []int{0}}, {1, 80, []int{0}}, {2, 10, []int{0}}, {0, 0, []int{1, 2}}},
		"earlier goes first": {{0, 100, []int{0}}, {2, 60, []int{0}}, {1, 60, []int{0}}, {0, 0, []int{1}}, {1, 0, []int{2}}},
		"too large":          {{0, 10, []int{0}}, {1, 500, []int{0}}, {0, 0, []int{1}}, {2, 1, []int{1}}, {1, 0, []int{2}}},
		"gives up":           {{0, 100, []int{0}}, {1, 100, []int{0}}, {2, 1, []int{0}}, {1, 0, []int{0}}, {0, 0, []int{2}}},
	} {
		a := newAdmission(Limits{MaxRunning: 9, MaxQueued: 9}, fixed(100))
		tickets := []*ticket{a.ticket(), a.ticket(), a.ticket()}
		for _, x := range tickets {
			if err := a.line(x, 0); err != nil || !x.granted() {
				t.Fatalf("%s: no place: %v", name, err)
			}
		}
		for i, s := range steps {
			if s.bytes == 0 {
				a.leave(tickets[s.query])
			} else if err := a.line(tickets[s.query], s.bytes); err != nil {
				t.Fatal(err)
			}
			var runs []int
			for j, x := range tickets {
				if x.holds > 0 {
					runs = append(runs, j)
				}
			}
			if !slices.Equal(runs, s.runs) {
				t.Errorf("%s: after step %d memory is held by %v, want %v", name, i, runs, s.runs)
			}
		}
	}
}

// TestJoiningNodeMakesRoom: with no node known nothing is limited; a smaller
// node limits, a larger one lets queries go on.
func TestJoiningNodeMakesRoom(t *testing.T) {
	capacity := int64(0)
	a := newAdmission(Limits{MaxRunning: 9, MaxQueued: 9}, func() int64 { return capacity })
	var tickets []*ticket
	want := func(n int) *ticket {
		x := a.ticket()
		tickets = append(tickets, x)
		if err := errors.Join(a.line(x, 0), a.line(x, int64(n))); err != nil {
			t.Fatal(err)
		}
		return x
	}
	if !want(1 << 30).granted() {
		t.Error("waits although no limit is known")
	}
	capacity = 100
	x := want(10)
	if _, why := a.position(x); x.granted() || !strings.Contains(why, "waits for 10B of memory, of which running queries hold 1.00GB; number 1") {
		t.Errorf("granted %t, waits as %q", x.granted(), why)
	}
	capacity = 2 << 30
	a.look()
	if !x.granted() {
		t.Error("still waits after a larger node has joined")
	}
	for _, x := range tickets {
		a.leave(x)
	}
	if a.reserved != 0 {
		t.Errorf("%d bytes are reserved after all have left", a.reserved)
	}
}

// TestAdmissionSimulated: whatever comes in whatever order, the limits hold,
// older queries get memory before younger ones, and in the end all have run.
func TestAdmissionSimulated(t *testing.T) {
	for seed := range uint64(200) {
		r := rand.New(rand.NewPCG(seed, 1))
		const running, capacity = 3, 100
		a := newAdmission(Limits{MaxRunning: running, MaxQueued: 1000}, fixed(capacity))
		var live []*ticket
		planned := map[*ticket]bool{}
		arrivals := 60
		for step := 0; arrivals > 0 || len(live) > 0; step++ {
			if step > 100000 {
				t.Fatalf("seed %d: %d queries never end", seed, len(live))
			}
			if arrivals > 0 && r.IntN(2) == 0 {
				arrivals--
				x := a.ticket()
				live = append(live, x)
				_ = a.line(x, 0) // the queue is long enough
				continue
			}
			if len(live) == 0 {
				continue
			}
			i := r.IntN(len(live))
			switch x := live[i]; {
			case x.granted() && !planned[x]:
				planned[x] = true
				_ = a.line(x, 1+r.Int64N(150))
			case x.granted(), r.IntN(20) == 0: // ends, or gives up
				a.leave(x)
				live = slices.Delete(live, i, i+1)
			}
			checkAdmission(t, a, live, running, capacity, seed)
		}
		if a.running != 0 || a.reserved != 0 || len(a.queue) != 0 {
			t.Errorf("seed %d: %d places, %d bytes and %d waiting are left", seed, a.running, a.reserved, len(a.queue))
		}
	}
}

func checkAdmission(t *testing.T, a *admission, live []*ticket, running int, capacity int64, seed uint64) {
	t.Helper()
	var held int64
	places := 0
	for _, x := range live {
		held += x.holds
		if x.placed {
			places++
		}
	}
	switch {
	case places != a.running || held != a.reserved:
		t.Fatalf("seed %d: %d places and %d bytes are held, %d and %d counted", seed, places, held, a.running, a.reserved)
	case places > running || held > capacity:
		t.Fatalf("seed %d: %d places and %d bytes are held, more than allowed", seed, places, held)
	}
	if !slices.IsSortedFunc(a.queue, func(x, y *ticket) int { return int(x.number - y.number) }) {
		t.Fatalf("seed %d: the queue is out of order", seed)
	}
	for _, x := range a.queue {
		if x.wants > 0 && a.reserved == 0 {
			t.Fatalf("seed %d: a query waits for memory while nobody holds any", seed)
		}
		if x.wants == 0 && a.running < running {
			t.Fatalf("seed %d: a query waits for a place while one is free", seed)
		}
	}
}

func TestStatementsThatNeverWait(t *testing.T) {
	for sql, want := range map[string]bool{
		"SELECT 1": true, "  select 1": true, "": true, "-- x\nUSE a.b": true, "EXPLAIN SELECT 1": true, "USER": true,
		"USE tpch.tiny": false, " set session a = 1": false, "CALL system.runtime.kill_query('x')": false, "COMMIT": false, "rollback;": false,
		"SET SESSION a = '" + strings.Repeat("x", maxWaitless) + "'": true,
	} {
		if got := queues(sql); got != want {
			t.Errorf("%.40q queues: %t, want %t", sql, got, want)
		}
	}
}
