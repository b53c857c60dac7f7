package mem

import (
	"errors"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
)

// tree is process → query → task, with limits.
func tree(process, query int64) (root, q, task *Account) {
	root = NewRoot("process", process, NewPool())
	q = root.Child("query", query)
	return root, q, q.Child("task", 0)
}

func checkUsed(t *testing.T, what string, a *Account, used, peak int64) {
	t.Helper()
	if a.Used() != used || a.Peak() != peak {
		t.Errorf("%s: %s uses %d, peak %d; want %d, %d", what, a.Name(), a.Used(), a.Peak(), used, peak)
	}
}

func TestGrowClimbsAndShrinkReturns(t *testing.T) {
	root, q, task := tree(0, 0)
	other := root.Child("other", 0)
	for _, step := range []struct {
		on   *Account
		grow int64
	}{{task, 100}, {other, 50}, {task, -30}, {q, 5}, {task, 0}} {
		if err := step.on.Grow(step.grow); err != nil {
			t.Fatal(err)
		}
	}
	checkUsed(t, "after all", task, 70, 100)
	checkUsed(t, "after all", q, 75, 100)
	checkUsed(t, "after all", other, 50, 50)
	checkUsed(t, "after all", root, 125, 150)
	task.Shrink(70)
	q.Shrink(5)
	other.Shrink(50)
	checkUsed(t, "at the end", root, 0, 150)
	checkUsed(t, "at the end", q, 0, 100)
}

func TestLimitsRefuseAtTheirLevelAndTakeNothing(t *testing.T) {
	for name, tc := range map[string]struct {
		process, query int64
		refuses        string
		limit          int64
	}{
		"the query's":     {1000, 100, "query", 100},
		"the process's":   {100, 1000, "process", 100},
		"the lower first": {100, 100, "query", 100},
	} {
		t.Run(name, func(t *testing.T) {
			root, q, task := tree(tc.process, tc.query)
			if err := task.Grow(80); err != nil {
				t.Fatal(err)
			}
			err := task.Grow(21)
			var limit *LimitError
			if !errors.As(err, &limit) {
				t.Fatalf("error %v", err)
			}
			if want := (LimitError{Account: tc.refuses, Limit: tc.limit, Used: 80, Wanted: 21}); *limit != want {
				t.Errorf("refused with %+v, want %+v", *limit, want)
			}
			if want := "memory limit of " + tc.refuses + " reached: 80 bytes in use of 100, 21 more wanted"; limit.Error() != want {
				t.Errorf("text %q", limit.Error())
			}
			for _, a := range []*Account{root, q, task} {
				if a.Used() != 80 {
					t.Errorf("%s uses %d after the refusal", a.Name(), a.Used())
				}
			}
			if err := task.Grow(20); err != nil {
				t.Errorf("up to the limit: %v", err)
			}
		})
	}
}

func TestARefusedQueryLeavesOthersAlone(t *testing.T) {
	root := NewRoot("process", 1000, NewPool())
	small, large := root.Child("small", 10), root.Child("large", 0)
	if err := small.Grow(11); err == nil {
		t.Fatal("not refused")
	}
	if err := large.Grow(1000); err != nil {
		t.Errorf("the process's memory is there for others: %v", err)
	}
	if small.Limit() != 10 || large.Limit() != 0 || root.Limit() != 1000 {
		t.Error("limits are not those given")
	}
}

// giver gives back up to have bytes, in portions of at most most.
type giver struct {
	a          *Account
	have, most int64
	asked      []int64
}

func (g *giver) Reclaim(want int64) int64 {
	g.asked = append(g.asked, want)
	n := min(g.have, g.most)
	g.have -= n
	g.a.Shrink(n)
	return n
}

func TestReclaimersAreAskedBeforeRefusing(t *testing.T) {
	for name, tc := range map[string]struct {
		first, second int64 // what each can give
		grow          int64
		granted       bool
		asked1        int64 // of the first
		asked2        int64 // of the second, 0: not asked
	}{
		"nothing to give":   {0, 0, 30, false, 20, 20},
		"one is enough":     {25, 40, 30, true, 20, 0},
		"both together":     {15, 40, 30, true, 20, 5},
		"not enough":        {5, 5, 30, false, 20, 15},
		"within the limit":  {40, 40, 10, true, 0, 0},
		"more than a limit": {40, 50, 300, false, 290, 250},
	} {
		t.Run(name, func(t *testing.T) {
			_, q, task := tree(0, 100)
			one, two := q.Child("one", 0), q.Child("two", 0)
			g1, g2 := &giver{a: one, have: tc.first, most: 1000}, &giver{a: two, have: tc.second, most: 1000}
			for _, g := range []*giver{g1, g2} {
				if err := g.a.Grow(g.have); err != nil {
					t.Fatal(err)
				}
				defer g.a.Register(g)()
			}
			if err := task.Grow(90 - tc.first - tc.second); err != nil {
				t.Fatal(err)
			}
			err := task.Grow(tc.grow)
			if (err == nil) != tc.granted {
				t.Errorf("growing by %d: %v", tc.grow, err)
			}
			for i, g := range []*giver{g1, g2} {
				want := []int64{tc.asked1, tc.asked2}[i]
				if want == 0 && len(g.asked) > 0 || want > 0 && (len(g.asked) != 1 || g.asked[0] != want) {
					t.Errorf("reclaimer %d was asked for %v, want %d", i+1, g.asked, want)
				}
			}
			if err == nil && q.Used() > 100 {
				t.Errorf("%d bytes in use of 100", q.Used())
			}
		})
	}
}

func TestUnregisteredReclaimersAreNotAsked(t *testing.T) {
	root, q, task := tree(100, 0)
	g, kept := &giver{a: task, have: 50, most: 50}, &giver{a: task, have: 10, most: 10}
	if err := task.Grow(100); err != nil {
		t.Fatal(err)
	}
	unregister := task.Register(g)
	defer q.Register(kept)()
	unregister()
	unregister() // again does nothing
	if err := q.Grow(10); err != nil {
		t.Errorf("what the other gave is enough: %v", err)
	}
	if len(g.asked) != 0 || len(kept.asked) != 1 {
		t.Errorf("asked %v and %v", g.asked, kept.asked)
	}
	if root.Used() != 100 {
		t.Errorf("%d bytes in use", root.Used())
	}
}

// TestReclaimersBelowTheLimitOnly: an account's refusal does not take from
// queries beside it.
func TestReclaimersBelowTheLimitOnly(t *testing.T) {
	root := NewRoot("process", 0, NewPool())
	mine, yours := root.Child("mine", 10), root.Child("yours", 0)
	g := &giver{a: yours, have: 5, most: 5}
	if err := yours.Grow(5); err != nil {
		t.Fatal(err)
	}
	defer yours.Register(g)()
	if err := mine.Grow(11); err == nil || len(g.asked) > 0 {
		t.Errorf("error %v, asked %v", err, g.asked)
	}
}

func TestRefuseRefusesTheRequestItWants(t *testing.T) {
	root, q, task := tree(0, 0)
	n := 0
	q.Refuse = func(int64) bool { n++; return n == 2 }
	for i := range 3 {
		err := task.Grow(10)
		var limit *LimitError
		if (err != nil) != (i == 1) || err != nil && (!errors.As(err, &limit) || limit.Account != "query") {
			t.Errorf("request %d: %v", i+1, err)
		}
	}
	checkUsed(t, "after one refusal of three", task, 20, 20)
	checkUsed(t, "after one refusal of three", root, 20, 20)
}

// TestAccountsUnderConcurrency has drivers grow, shrink and allocate at
// random below a limit that is in the way, with a reclaimer that comes and
// goes; sums are right at the end, and the limit held.
func TestAccountsUnderConcurrency(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	root, q, _ := tree(1<<20, 600<<10)
	var refused, asked atomic.Int64
	defer q.Register(nothing{&asked})()
	var wg sync.WaitGroup
	for d := range 8 {
		wg.Go(func() {
			r := rand.New(rand.NewPCG(seed, uint64(d)))
			a := q.Child("driver", 0)
			var held int64
			var bufs []*Buf
			for range 2000 {
				switch r.IntN(6) {
				case 0, 1:
					n := r.Int64N(100 << 10)
					if a.Grow(n) == nil {
						held += n
					} else {
						refused.Add(1)
					}
				case 2:
					n := r.Int64N(held + 1)
					a.Shrink(n)
					held -= n
				case 3:
					if b, err := a.Alloc(1 + r.IntN(50<<10)); err == nil {
						b.B[0], b.B[len(b.B)-1] = 1, 2
						bufs = append(bufs, b)
					}
				case 4:
					if len(bufs) > 0 {
						bufs[0].Release()
						bufs = bufs[1:]
					}
				case 5:
					a.Register(nothing{&asked})()
				}
				if q.Peak() > q.Limit() {
					t.Errorf("the peak %d is beyond the limit", q.Peak())
					return
				}
			}
			for _, b := range bufs {
				b.Release()
			}
			a.Shrink(held)
			if a.Used() != 0 {
				t.Errorf("driver %d: %d bytes are left", d, a.Used())
			}
		})
	}
	wg.Wait()
	if root.Used() != 0 || q.Used() != 0 || root.pool.Out() != 0 || root.pool.Slabs() != 0 {
		t.Errorf("%d and %d bytes are accounted for, %d out", root.Used(), q.Used(), root.pool.Out())
	}
	if refused.Load() == 0 || asked.Load() < refused.Load() {
		t.Errorf("%d refusals, reclaimers asked %d times", refused.Load(), asked.Load())
	}
}

// nothing has nothing to give.
type nothing struct{ asked *atomic.Int64 }

func (n nothing) Reclaim(int64) int64 {
	n.asked.Add(1)
	return 0
}

// TestWhatIsRefusedIsInNobodysWay has one query ask for more than there is
// while another takes what fits.
func TestWhatIsRefusedIsInNobodysWay(t *testing.T) {
	root := NewRoot("process", 1000, NewPool())
	greedy, modest := root.Child("greedy", 0), root.Child("modest", 0)
	var wg sync.WaitGroup
	var stop atomic.Bool
	wg.Go(func() {
		for !stop.Load() {
			if greedy.Grow(2000) == nil {
				t.Error("2000 bytes of 1000 were granted")
			}
		}
	})
	for i := range 20_000 {
		if err := modest.Grow(100); err != nil {
			t.Errorf("request %d: %v", i, err)
			break
		}
		modest.Shrink(100)
	}
	stop.Store(true)
	wg.Wait()
	checkUsed(t, "at the end", root, 0, 100)
}

func TestBufGrowKeepsItsBytes(t *testing.T) {
	root, q, task := tree(0, 0)
	b, err := task.Alloc(10)
	if err != nil {
		t.Fatal(err)
	}
	copy(b.B, "0123456789")
	for _, tc := range []struct{ n, least int }{{5, 4096}, {10, 4096}, {4096, 4096}, {4097, 8192}, {100_000, 100_000}} {
		if err := b.Grow(tc.n); err != nil {
			t.Fatal(err)
		}
		if len(b.B) != tc.n || b.Cap() < tc.least || string(b.B[:5]) != "01234" {
			t.Errorf("grown to %d: %d bytes of %d, %q", tc.n, len(b.B), b.Cap(), b.B[:5])
		}
		if root.Used() != int64(b.Cap()) || root.pool.Out() != int64(b.Cap()) {
			t.Errorf("grown to %d: %d accounted for, %d out, of %d", tc.n, root.Used(), root.pool.Out(), b.Cap())
		}
	}
	b.Resize(3)
	if string(b.B) != "012" {
		t.Errorf("resized to %q", b.B)
	}
	b.Release()
	b.Release()
	(*Buf)(nil).Release()
	checkUsed(t, "released twice", q, 0, q.Peak())
	if root.pool.Out() != 0 || root.pool.Slabs() != 0 || b.B != nil {
		t.Errorf("%d bytes are out, the buffer is %v", root.pool.Out(), b.B)
	}
}

func TestBufGrowRefusedLeavesTheBuffer(t *testing.T) {
	root, _, task := tree(10<<10, 0)
	b, err := task.Alloc(4096)
	if err != nil {
		t.Fatal(err)
	}
	copy(b.B, "abc")
	if err := b.Grow(9000); err == nil {
		t.Error("growing beyond the limit was granted")
	}
	if len(b.B) != 4096 || string(b.B[:3]) != "abc" || root.Used() != 4096 {
		t.Errorf("after the refusal: %d bytes, %d accounted for", len(b.B), root.Used())
	}
	b.Release()
	if root.Used() != 0 || root.pool.Out() != 0 {
		t.Errorf("%d bytes are accounted for, %d out", root.Used(), root.pool.Out())
	}
}

func TestBufMove(t *testing.T) {
	root := NewRoot("process", 0, NewPool())
	from, to, full := root.Child("from", 0), root.Child("to", 0), root.Child("full", 100)
	b, err := from.Alloc(5000)
	if err != nil {
		t.Fatal(err)
	}
	size := int64(b.Cap())
	if err := b.Move(full); err == nil || from.Used() != size || full.Used() != 0 {
		t.Errorf("to a full account: %v; %d and %d in use", err, from.Used(), full.Used())
	}
	if err := b.Move(to); err != nil || from.Used() != 0 || to.Used() != size || root.Used() != size {
		t.Errorf("moved: %v; %d, %d and %d in use", err, from.Used(), to.Used(), root.Used())
	}
	if err := b.Grow(50_000); err != nil || from.Used() != 0 || to.Used() != int64(b.Cap()) {
		t.Errorf("grown after the move: %v; %d and %d in use", err, from.Used(), to.Used())
	}
	b.Release()
	if root.Used() != 0 || to.Used() != 0 || root.pool.Out() != 0 {
		t.Errorf("released: %d and %d in use", root.Used(), to.Used())
	}
}

func TestAllocRefusedTakesNoSlab(t *testing.T) {
	root, _, task := tree(4095, 0)
	if b, err := task.Alloc(1); err == nil || b != nil {
		t.Errorf("a slab of 4096 was granted of 4095: %v", err)
	}
	if root.Used() != 0 || root.pool.Out() != 0 || root.pool.Held() != 0 {
		t.Errorf("%d in use, %d out, %d held", root.Used(), root.pool.Out(), root.pool.Held())
	}
}
