package meta

import (
	"context"
	"errors"
	"fmt"
	"math/rand"
	"sync"
	"testing"
	"time"

	"github.com/anishathalye/porcupine"
)

// op is what a client asks, for one catalog or setting.
type op struct {
	kind string // read, put, create, drop
	key  string
	to   string
}

// seen is what it was told. Of a change that may have happened or not, unknown
// is set.
type seen struct {
	value   string
	refused bool
	unknown bool
}

// register is the model: a value for each key, empty for none, that changes at
// one moment between the call and its return.
var register = porcupine.Model{
	Partition: func(history []porcupine.Operation) (parts [][]porcupine.Operation) {
		byKey := map[string][]porcupine.Operation{}
		for _, o := range history {
			k := o.Input.(op).key
			byKey[k] = append(byKey[k], o)
		}
		for _, p := range byKey {
			parts = append(parts, p)
		}
		return parts
	},
	Init: func() any { return "" },
	Step: func(state, input, output any) (bool, any) {
		now, in, out := state.(string), input.(op), output.(seen)
		may, next := true, in.to
		switch in.kind {
		case "read":
			return out.value == now, now
		case "create":
			may = now == ""
		case "drop":
			may = now != ""
		}
		switch {
		case out.unknown && !may: // refused, whenever its turn came
			return true, now
		case out.unknown:
			return true, next
		case out.refused:
			return !may, now
		}
		return may, next
	},
	DescribeOperation: func(input, output any) string { return fmt.Sprintf("%+v → %+v", input, output) },
}

// clientLog is what clients saw, in one order of time.
type clientLog struct {
	mu    sync.Mutex
	begin time.Time
	ops   []porcupine.Operation
}

// do carries out an operation at a node and notes what came of it. What may
// still happen has no end; a reading without an answer says nothing.
func (h *clientLog) do(client int, n *Node, o op, stale bool) {
	ctx, cancel := context.WithTimeout(context.Background(), 3*time.Second)
	defer cancel()
	call := time.Since(h.begin)
	var out seen
	var err error
	switch o.kind {
	case "read":
		s := n.State()
		if !stale {
			if s, err = n.Read(ctx); err != nil {
				return
			}
		}
		out.value = s.Catalog(o.key).GetDefinition()
	case "put":
		_, err = n.Apply(ctx, SetCatalog(o.key, o.to))
	case "create": // under a name, and said twice: it happens once
		name := newID()
		if _, err = n.ApplyOnce(ctx, name, CreateCatalog(o.key, o.to)); err == nil {
			_, err = n.ApplyOnce(ctx, name, CreateCatalog(o.key, o.to))
		}
	case "drop":
		_, err = n.Apply(ctx, DropCatalog(o.key))
	}
	back := time.Since(h.begin)
	switch {
	case err == nil:
	case errors.Is(err, ErrExists), errors.Is(err, ErrNotFound):
		out.refused = true
	default:
		out.unknown, back = true, time.Hour
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.ops = append(h.ops, porcupine.Operation{ClientId: client, Input: o, Output: out, Call: int64(call), Return: int64(back)})
}

// enough is how many operations tell something.
const enough = 200

// count is how many operations there are so far.
func (h *clientLog) count() int {
	h.mu.Lock()
	defer h.mu.Unlock()
	return len(h.ops)
}

// play has clients at all nodes read and change a few catalogs while strikes
// are made, and returns what they saw.
func (g *group) play(seed int64, stale bool, strikes func(*rand.Rand, *clientLog)) *clientLog {
	h := &clientLog{begin: time.Now()}
	ctx, stop := context.WithCancel(context.Background())
	var clients sync.WaitGroup
	for c := range 2 * len(g.ids) {
		r := rand.New(rand.NewSource(seed + int64(c)))
		clients.Go(func() {
			for i := 0; ctx.Err() == nil; i++ {
				n := g.node(g.ids[c%len(g.ids)])
				if n == nil {
					time.Sleep(10 * time.Millisecond)
					continue
				}
				kinds := []string{"read", "read", "read", "put", "create", "drop"}
				o := op{kind: kinds[r.Intn(len(kinds))], key: fmt.Sprint("k", r.Intn(4))}
				if o.kind == "put" || o.kind == "create" {
					o.to = fmt.Sprint(c, ".", i)
				}
				h.do(c, n, o, stale)
				time.Sleep(time.Duration(r.Intn(15)) * time.Millisecond)
			}
		})
	}
	strikes(rand.New(rand.NewSource(seed)), h)
	stop()
	clients.Wait()
	return h
}

// TestLinearizable: with the leader killed or cut off again and again, what
// clients of all nodes read and change is as if there were one copy, and each
// change happened once. Readings of a follower's state as it has it, which
// promise less, must be found out: else this test finds nothing.
func TestLinearizable(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name  string
		stale bool
		want  porcupine.CheckResult
	}{{"read", false, porcupine.Ok}, {"planted: read what a follower has", true, porcupine.Illegal}} {
		t.Run(c.name, func(t *testing.T) {
			g := newGroup(t, "c1", "c2", "c3").openAll()
			g.settled()
			seed := time.Now().UnixNano()
			t.Logf("seed %d", seed)
			rounds := 4
			if c.stale {
				rounds = 2
			}
			h := g.play(seed, c.stale, func(r *rand.Rand, h *clientLog) {
				for i := 0; i < rounds || i < 20 && h.count() < enough; i++ { // more on a busy machine
					time.Sleep(time.Duration(100+r.Intn(300)) * time.Millisecond)
					lead := g.leader().ID()
					if i%2 == 0 {
						g.isolate(lead, true)
						time.Sleep(quick.Election * 4)
						g.isolate(lead, false)
					} else {
						g.kill(lead)
						g.leader()
						g.open(lead)
					}
					g.settled()
				}
			})
			unknown := 0
			for _, o := range h.ops {
				if o.Output.(seen).unknown {
					unknown++
				}
			}
			got := porcupine.CheckOperationsTimeout(register, h.ops, time.Minute)
			t.Logf("%d operations, %d of unknown outcome: %s", len(h.ops), unknown, got)
			if got != c.want {
				t.Errorf("%s, want %s", got, c.want)
			}
			if len(h.ops) < enough {
				t.Error("too few operations to tell")
			}
		})
	}
}
