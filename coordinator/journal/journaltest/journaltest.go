// Package journaltest stands in for coordinators that remember things for each
// other, in tests of those who rely on it: a Cluster outlives the leaders that
// write to it, fences the old ones, and fails when told to.
package journaltest

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"

	"google.golang.org/protobuf/proto"

	"github.com/tuttidb/tutti/coordinator/meta"
	pb "github.com/tuttidb/tutti/proto/tutti/v1"
)

// Cluster is what a majority remembers. It implements journal.Memory. The zero
// Cluster is empty and in epoch 0. It is safe for concurrent use.
type Cluster struct {
	mu      sync.Mutex
	epoch   uint64
	seq     uint64
	entries map[string]*pb.MetaMemory
	fail    func(what string) error
	log     []meta.Command
	calls   []string
	// Log, where given, is what ApplyAs writes to.
	Log *meta.Node
}

// Lead begins the next epoch: older ones are refused from now on. It returns
// what is remembered.
func (c *Cluster) Lead() (epoch uint64, remembered []*pb.MetaMemory) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.epoch++
	for _, e := range c.entries {
		b, err := proto.Marshal(e)
		if err != nil {
			panic(err) // a test's mistake
		}
		again := &pb.MetaMemory{} // as from the wire: nothing is shared
		if err := proto.Unmarshal(b, again); err != nil {
			panic(err)
		}
		remembered = append(remembered, again)
	}
	slices.SortFunc(remembered, func(a, b *pb.MetaMemory) int { return strings.Compare(a.Key, b.Key) })
	return c.epoch, remembered
}

// Fail makes every call ask f, which is told "remember KEY", "settle KEY",
// "forget" or "apply", whether it fails; nil ends that.
func (c *Cluster) Fail(f func(what string) error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.fail = f
}

// Lose forgets all that is only in memory.
func (c *Cluster) Lose() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.entries = nil
}

// Keys returns the keys of what is remembered, sorted.
func (c *Cluster) Keys() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	var keys []string
	for key := range c.entries {
		keys = append(keys, key)
	}
	slices.Sort(keys)
	return keys
}

// Entry returns what is remembered under a key, nil for nothing.
func (c *Cluster) Entry(key string) *pb.MetaMemory {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.entries[key]
}

// Calls returns what was asked so far, as Fail's function hears it.
func (c *Cluster) Calls() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Clone(c.calls)
}

// Applied returns the commands written to the log so far.
func (c *Cluster) Applied() []meta.Command {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Clone(c.log)
}

// begin checks a call; what it returns holds the lock if err is nil.
func (c *Cluster) begin(ctx context.Context, epoch uint64, what string) error {
	c.mu.Lock()
	fail := c.fail
	c.calls = append(c.calls, what)
	c.mu.Unlock()
	if fail != nil {
		if err := fail(what); err != nil {
			return err
		}
	}
	if ctx.Err() != nil {
		return ctx.Err()
	}
	c.mu.Lock()
	if epoch != c.epoch {
		defer c.mu.Unlock()
		return fmt.Errorf("epoch %d is over, %d has begun: %w", epoch, c.epoch, meta.ErrFenced)
	}
	return nil
}

func (c *Cluster) put(e *pb.MetaMemory) {
	if c.entries == nil {
		c.entries = map[string]*pb.MetaMemory{}
	}
	c.seq++
	e.Seq = c.seq
	c.entries[e.Key] = e
}

// Remember keeps entries.
func (c *Cluster) Remember(ctx context.Context, epoch uint64, entries ...*pb.MetaMemory) error {
	what := "remember"
	for _, e := range entries {
		what += " " + e.Key
	}
	if err := c.begin(ctx, epoch, what); err != nil {
		return err
	}
	defer c.mu.Unlock()
	for _, e := range entries {
		c.put(e)
	}
	return nil
}

// Settle keeps a last page in place of all else.
func (c *Cluster) Settle(ctx context.Context, epoch uint64, page *pb.MetaMemory) error {
	if err := c.begin(ctx, epoch, "settle "+page.Key); err != nil {
		return err
	}
	defer c.mu.Unlock()
	id := page.GetPage().GetQuery()
	delete(c.entries, "query/"+id)
	delete(c.entries, "plan/"+id)
	c.put(page)
	return nil
}

// Forget drops all of some queries.
func (c *Cluster) Forget(ctx context.Context, epoch uint64, queries ...string) error {
	if err := c.begin(ctx, epoch, "forget"); err != nil {
		return err
	}
	defer c.mu.Unlock()
	for _, id := range queries {
		for _, kind := range []string{"query/", "plan/", "page/"} {
			delete(c.entries, kind+id)
		}
	}
	return nil
}

// ApplyAs writes to the log.
func (c *Cluster) ApplyAs(ctx context.Context, epoch uint64, commands ...meta.Command) (uint64, error) {
	if err := c.begin(ctx, epoch, "apply"); err != nil {
		return 0, err
	}
	log := c.Log
	c.mu.Unlock()
	if log != nil {
		if index, err := log.Apply(ctx, commands...); err != nil {
			return index, err
		}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.log = append(c.log, commands...)
	return uint64(len(c.log)), nil
}
