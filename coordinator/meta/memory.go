package meta

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/tuttidb/tutti/internal/clock"
	pb "github.com/tuttidb/tutti/proto/tutti/v1"
)

// memoryLimit bounds what a node remembers for others, in bytes.
const memoryLimit = 64 << 20

// errMemoryFull says that too much is remembered already.
var errMemoryFull = fmt.Errorf("the coordinators' memory of running queries is full (%d MB): too many are starting at once", memoryLimit>>20)

// memory is one node's share of the memory journal: entries that live for
// seconds and die with the process. Only the newest leader may add to it: who
// has told of an epoch to a collector refuses all older ones, so whatever an
// older leader could still have acknowledged by a majority is in what any
// newer leader collected from one.
type memory struct {
	clock clock.Clock

	mu      sync.Mutex
	epoch   uint64
	bytes   int
	entries map[string]remembered
}

type remembered struct {
	entry *pb.MetaMemory
	until time.Time
}

// newMemory starts empty, fenced at the term that was on disk: a process that
// forgot everything must not acknowledge to leaders it may have refused.
func newMemory(c clock.Clock, epoch uint64) *memory {
	return &memory{clock: c, epoch: epoch, entries: map[string]remembered{}}
}

// put adds entries and removes keys on behalf of epoch. It reports the newest
// epoch, and false if refused.
func (m *memory) put(epoch uint64, entries []*pb.MetaMemory, forget []string) (uint64, bool, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if epoch < m.epoch {
		return m.epoch, false, nil
	}
	m.epoch = epoch
	m.expire()
	if m.bytes+m.growth(entries, forget) > memoryLimit {
		return m.epoch, false, errMemoryFull // with nothing forgotten either
	}
	for _, key := range forget {
		m.drop(key)
	}
	now := m.clock.Now()
	for _, e := range entries {
		if old, ok := m.entries[e.Key]; ok && old.entry.Seq > e.Seq {
			continue
		}
		m.drop(e.Key)
		m.entries[e.Key] = remembered{e, now.Add(time.Duration(e.TtlMs) * time.Millisecond)}
		m.bytes += proto.Size(e)
	}
	return m.epoch, true, nil
}

// growth is how many bytes more there would be.
func (m *memory) growth(entries []*pb.MetaMemory, forget []string) (size int) {
	gone := make(map[string]bool, len(entries)+len(forget))
	leave := func(key string) {
		if old, ok := m.entries[key]; ok && !gone[key] {
			gone[key] = true
			size -= proto.Size(old.entry)
		}
	}
	for _, key := range forget {
		leave(key)
	}
	for _, e := range entries {
		leave(e.Key)
		size += proto.Size(e)
	}
	return size
}

func (m *memory) drop(key string) {
	if old, ok := m.entries[key]; ok {
		delete(m.entries, key)
		m.bytes -= proto.Size(old.entry)
	}
}

func (m *memory) expire() {
	now := m.clock.Now()
	for key, e := range m.entries {
		if now.After(e.until) {
			m.drop(key)
		}
	}
}

// collect returns all entries with the time they have left, and refuses older
// epochs from now on.
func (m *memory) collect(epoch uint64) (entries []*pb.MetaMemory, newest uint64, ok bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if epoch < m.epoch {
		return nil, m.epoch, false
	}
	m.epoch = epoch
	return m.live(), epoch, true
}

func (m *memory) live() []*pb.MetaMemory {
	m.expire()
	now := m.clock.Now()
	var all []*pb.MetaMemory
	for _, e := range m.entries {
		left := max(1, e.until.Sub(now).Milliseconds())
		all = append(all, &pb.MetaMemory{Key: e.entry.Key, Body: e.entry.Body, TtlMs: left, Seq: e.entry.Seq})
	}
	slices.SortFunc(all, byKey)
	return all
}

func byKey(a, b *pb.MetaMemory) int { return strings.Compare(a.Key, b.Key) }

// all is collect for the leader itself.
func (m *memory) all() []*pb.MetaMemory {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.live()
}

// RememberQuery returns the memory of an accepted query: its id, slug, text
// and session, kept for ttl.
func RememberQuery(q *pb.MetaQuery, ttl time.Duration) *pb.MetaMemory {
	return &pb.MetaMemory{Key: queryMemory(q.Id), Body: &pb.MetaMemory_Accepted{Accepted: q}, TtlMs: ttl.Milliseconds()}
}

// RememberPlan returns the memory of a query's plan.
func RememberPlan(p *pb.MetaPlan, ttl time.Duration) *pb.MetaMemory {
	return &pb.MetaMemory{Key: planMemory(p.Query), Body: &pb.MetaMemory_Plan{Plan: p}, TtlMs: ttl.Milliseconds()}
}

// RememberPage returns the memory of the page that a query's client was shown
// last; it takes the place of the one before.
func RememberPage(p *pb.MetaPage, ttl time.Duration) *pb.MetaMemory {
	return &pb.MetaMemory{Key: pageMemory(p.Query), Body: &pb.MetaMemory_Page{Page: p}, TtlMs: ttl.Milliseconds()}
}

func queryMemory(id string) string { return "query/" + id }
func planMemory(id string) string  { return "plan/" + id }
func pageMemory(id string) string  { return "page/" + id }

// Remember returns when a majority of coordinators has the entries in memory,
// which takes one round trip and no disk: should this node die, the next
// leader gets them (Leadership.Remembered). Only the leader of epoch may. On
// an error it is not known who remembers what. The entries are the node's from
// then on: do not write to them. Of entries with the same key
// the last counts. A cluster of one has nobody to tell, and returns at once.
func (n *Node) Remember(ctx context.Context, epoch uint64, entries ...*pb.MetaMemory) error {
	return n.remember(ctx, &pb.MetaRememberRequest{Epoch: epoch, Entries: entries})
}

// Forget removes what was remembered of queries, once they are in the journal
// or done with. It is a courtesy: what a node is not told it forgets when the
// time is over.
func (n *Node) Forget(ctx context.Context, epoch uint64, queries ...string) error {
	var keys []string
	for _, id := range queries {
		keys = append(keys, queryMemory(id), planMemory(id), pageMemory(id))
	}
	return n.remember(ctx, &pb.MetaRememberRequest{Epoch: epoch, Forget: keys})
}

// Settle remembers the last page of a query in place of all else that is
// remembered of it, in one step and under Remember's terms. A peer that hears
// of things in another order may keep the rest until its time is over: the page
// is what counts.
func (n *Node) Settle(ctx context.Context, epoch uint64, page *pb.MetaMemory) error {
	id := page.GetPage().GetQuery()
	return n.remember(ctx, &pb.MetaRememberRequest{
		Epoch: epoch, Entries: []*pb.MetaMemory{page}, Forget: []string{queryMemory(id), planMemory(id)},
	})
}

// vote is one peer's answer.
type vote struct {
	id  string
	err error
}

func (n *Node) remember(ctx context.Context, r *pb.MetaRememberRequest) error {
	if n.cfg.alone() {
		return nil
	}
	if n.ready.Load() != r.Epoch && n.rising.Load() != r.Epoch {
		return fmt.Errorf("epoch %d: %w", r.Epoch, ErrFenced)
	}
	for _, e := range r.Entries {
		e.Seq = n.seq.Add(1)
	}
	newest, ok, err := n.memory.put(r.Epoch, r.Entries, r.Forget)
	if err != nil {
		return err
	}
	if !ok {
		return fmt.Errorf("epoch %d is over, %d has begun: %w", r.Epoch, newest, ErrFenced)
	}
	return n.majority(ctx, func(ctx context.Context, id string) error { return n.tell(ctx, id, r) })
}

// majority calls all voters but this one at once, and returns when enough of
// them agreed to make a majority with this one, or cannot any more. Calls go
// on after it returns, for the sake of the others.
func (n *Node) majority(ctx context.Context, call func(ctx context.Context, id string) error) error {
	peers, need := n.electorate()
	votes := make(chan vote, len(peers))
	for _, id := range peers {
		go func() {
			ctx, cancel := context.WithTimeout(n.ctx, n.cfg.Timing.Call)
			defer cancel()
			votes <- vote{id, call(ctx, id)}
		}()
	}
	var errs []error
	for range peers {
		if need == 0 {
			return nil
		}
		select {
		case v := <-votes:
			if v.err != nil {
				errs = append(errs, fmt.Errorf("%s: %w", v.id, v.err))
			} else {
				need--
			}
		case <-ctx.Done():
			return errors.Join(append(errs, ctx.Err())...)
		}
	}
	if need == 0 {
		return nil
	}
	if err := errors.Join(errs...); errors.Is(err, ErrFenced) {
		return err
	}
	return fmt.Errorf("%w: a majority does not answer: %w", ErrNoQuorum, errors.Join(errs...))
}

// electorate returns the voters beside this node, and how many of them make a
// majority with it.
func (n *Node) electorate() (peers []string, need int) {
	voters := 0
	for _, s := range n.raft.GetConfiguration().Configuration().Servers {
		if !isVoter(s) {
			continue
		}
		voters++
		if string(s.ID) != n.cfg.ID {
			peers = append(peers, string(s.ID))
		}
	}
	return peers, voters / 2
}

// tell makes one peer remember. A peer that could not be told, or that is not
// the process it was, is told everything later (see tend).
func (n *Node) tell(ctx context.Context, id string, r *pb.MetaRememberRequest) error {
	c, err := n.client(id)
	if err != nil {
		return err
	}
	answer, err := c.Remember(ctx, r)
	if err != nil {
		n.memories.missed(id)
		return err
	}
	if !answer.Accepted {
		if answer.Message != "" {
			return errors.New(answer.Message)
		}
		return fmt.Errorf("epoch %d is over, %d has begun: %w", r.Epoch, answer.Epoch, ErrFenced)
	}
	n.memories.told(id, answer.Incarnation, false)
	return nil
}

// memories is what a leader knows of the others' memories.
type memories struct {
	mu   sync.Mutex
	peer map[string]*peerMemory
}

type peerMemory struct {
	incarnation uint64
	stale       bool
}

// reset forgets it all: every peer must be told everything.
func (m *memories) reset() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.peer = map[string]*peerMemory{}
}

func (m *memories) of(id string) *peerMemory {
	if m.peer == nil {
		m.peer = map[string]*peerMemory{}
	}
	if m.peer[id] == nil {
		m.peer[id] = &peerMemory{stale: true}
	}
	return m.peer[id]
}

func (m *memories) missed(id string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.of(id).stale = true
}

func (m *memories) told(id string, incarnation uint64, all bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	p := m.of(id)
	if all {
		p.stale = false
	} else if p.incarnation != incarnation {
		p.stale = true
	}
	p.incarnation = incarnation
}

// refresh tells a peer everything there is to remember. An entry that is
// being remembered at this moment may miss the list and reach the peer before
// it, so the list adds and does not replace.
func (n *Node) refresh(ctx context.Context, id string, epoch uint64) error {
	ctx, cancel := context.WithTimeout(ctx, n.cfg.Timing.Call)
	defer cancel()
	c, err := n.client(id)
	if err != nil {
		return err
	}
	answer, err := c.Remember(ctx, &pb.MetaRememberRequest{Epoch: epoch, Entries: n.memory.all()})
	if err != nil {
		return err
	}
	if !answer.Accepted {
		return fmt.Errorf("refused: epoch %d %s", answer.Epoch, answer.Message)
	}
	n.memories.told(id, answer.Incarnation, true)
	return nil
}

// recollect gathers what a majority of memories holds, fences older epochs
// there, and has a majority remember the union on behalf of this epoch.
func (n *Node) recollect(ctx context.Context, epoch uint64) ([]*pb.MetaMemory, error) {
	if n.cfg.alone() {
		return nil, nil
	}
	own, later, ok := n.memory.collect(epoch)
	if !ok {
		return nil, fmt.Errorf("epoch %d is over, %d has begun: %w", epoch, later, ErrFenced)
	}
	n.memories.reset()
	u := &union{entries: map[string]*pb.MetaMemory{}}
	u.add(own)
	err := n.majority(ctx, func(ctx context.Context, id string) error {
		c, err := n.client(id)
		if err != nil {
			return err
		}
		answer, err := c.Collect(ctx, &pb.MetaCollectRequest{Epoch: epoch})
		if err != nil {
			return err
		}
		if !answer.Accepted {
			return fmt.Errorf("epoch %d is over, %d has begun: %w", epoch, answer.Epoch, ErrFenced)
		}
		u.add(answer.Entries)
		return nil
	})
	if err != nil {
		return nil, err
	}
	all, newest := u.take()
	n.seq.Store(max(newest, firstSeq(epoch)))
	return all, n.remember(ctx, &pb.MetaRememberRequest{Epoch: epoch, Entries: all})
}

// firstSeq is below the numbers of all entries of an epoch and above those of
// older ones. So what an older leader told a minority, which it may have on its
// return, never counts against what newer leaders acknowledged.
func firstSeq(epoch uint64) uint64 { return epoch << epochShift }

// epochShift leaves an epoch 10^12 numbers, and a cluster 16 million epochs.
const epochShift = 40

// union is what several memories hold between them.
type union struct {
	mu      sync.Mutex
	entries map[string]*pb.MetaMemory
}

func (u *union) add(entries []*pb.MetaMemory) {
	u.mu.Lock()
	defer u.mu.Unlock()
	for _, e := range entries {
		if old := u.entries[e.Key]; old == nil || old.Seq < e.Seq {
			u.entries[e.Key] = e
		}
	}
}

// take returns copies of the entries by key, and the highest seq.
func (u *union) take() (all []*pb.MetaMemory, seq uint64) {
	u.mu.Lock()
	defer u.mu.Unlock()
	for _, e := range u.entries {
		all = append(all, &pb.MetaMemory{Key: e.Key, Body: e.Body, TtlMs: e.TtlMs})
		seq = max(seq, e.Seq)
	}
	slices.SortFunc(all, byKey)
	return all, seq
}
