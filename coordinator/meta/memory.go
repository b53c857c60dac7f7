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

const (
	// memoryLimit bounds what a node remembers for others, in bytes.
	memoryLimit = 64 << 20
	// heritage bounds it when a new leader gathers what a majority remembers.
	// Memories that are full need not be full of the same: what the last leader
	// acknowledged must have room in one, and with its last calls, some of which
	// came to one peer only, that can be more than the limit. Until it is less
	// nothing new is remembered.
	heritage = 2 * memoryLimit
)

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
	swept   time.Time // when what had expired was last dropped
}

// remembered is an entry. What is not the entry's maker's stands beside it: a
// message may be on its way to a peer while it is stamped here.
type remembered struct {
	entry *pb.MetaMemory
	until time.Time
	size  int
	// seq is the entry's, was what it had before this node, leading, stamped it:
	// see stamp. A peer whose entry has either has the same body.
	seq, was uint64
}

// sweepEvery is how often a memory that is written to drops what has expired.
// Nobody is ever told of it.
const sweepEvery = time.Second

// newMemory starts empty, fenced at the term that was on disk: a process that
// forgot everything must not acknowledge to leaders it may have refused.
func newMemory(c clock.Clock, epoch uint64) *memory {
	return &memory{clock: c, epoch: epoch, entries: map[string]remembered{}, swept: c.Now()}
}

// put adds entries and removes keys on behalf of epoch. It reports the newest
// epoch, and false if refused.
func (m *memory) put(epoch uint64, entries []*pb.MetaMemory, forget []string) (uint64, bool, error) {
	return m.change(epoch, entries, forget, memoryLimit)
}

// inherit is put for what was remembered on behalf of older epochs.
func (m *memory) inherit(epoch uint64, entries []*pb.MetaMemory) (uint64, bool, error) {
	return m.change(epoch, entries, nil, heritage)
}

// change is put within a limit.
func (m *memory) change(epoch uint64, entries []*pb.MetaMemory, forget []string, limit int) (uint64, bool, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if epoch < m.epoch {
		return m.epoch, false, nil
	}
	m.epoch = epoch
	sizes := make([]int, len(entries))
	for i, e := range entries {
		sizes[i] = proto.Size(e)
	}
	if !m.room(entries, sizes, forget, limit) {
		return m.epoch, false, errMemoryFull // with nothing forgotten either
	}
	for _, key := range forget {
		m.drop(key)
	}
	now := m.clock.Now()
	for i, e := range entries {
		if old, ok := m.entries[e.Key]; ok && old.seq > e.Seq {
			continue
		}
		m.drop(e.Key)
		m.entries[e.Key] = remembered{entry: e, until: now.Add(time.Duration(e.TtlMs) * time.Millisecond), size: sizes[i], seq: e.Seq}
		m.bytes += sizes[i]
	}
	return m.epoch, true, nil
}

// room makes room for entries, and reports whether there is enough.
func (m *memory) room(entries []*pb.MetaMemory, sizes []int, forget []string, limit int) bool {
	if now := m.clock.Now(); now.Sub(m.swept) >= sweepEvery {
		m.expire()
	}
	fits := func() bool {
		growth := m.growth(entries, sizes, forget)
		return m.bytes+growth <= limit || growth <= 0 // less is always more
	}
	if fits() {
		return true
	}
	m.expire()
	return fits()
}

// growth is how many bytes more there would be.
func (m *memory) growth(entries []*pb.MetaMemory, sizes []int, forget []string) (size int) {
	gone := make(map[string]bool, len(entries)+len(forget))
	leave := func(key string) {
		if old, ok := m.entries[key]; ok && !gone[key] {
			gone[key] = true
			size -= old.size
		}
	}
	for _, key := range forget {
		leave(key)
	}
	for i, e := range entries {
		leave(e.Key)
		size += sizes[i]
	}
	return size
}

func (m *memory) drop(key string) {
	if old, ok := m.entries[key]; ok {
		delete(m.entries, key)
		m.bytes -= old.size
	}
}

func (m *memory) expire() {
	m.swept = m.clock.Now()
	for key, e := range m.entries {
		if m.swept.After(e.until) {
			m.drop(key)
		}
	}
}

// fence refuses older epochs from now on. It reports the newest epoch, and
// false if this one is older itself.
func (m *memory) fence(epoch uint64) (newest uint64, ok bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if epoch < m.epoch {
		return m.epoch, false
	}
	m.epoch = epoch
	return epoch, true
}

// all returns all entries with the time they have left, by key.
func (m *memory) all() []*pb.MetaMemory {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.expire()
	all := make([]*pb.MetaMemory, 0, len(m.entries))
	for _, e := range m.entries {
		all = append(all, e.left(m.swept))
	}
	slices.SortFunc(all, byKey)
	return all
}

// some returns those of the entries that there are.
func (m *memory) some(keys []string) (some []*pb.MetaMemory) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.expire()
	for _, key := range keys {
		if e, ok := m.entries[key]; ok {
			some = append(some, e.left(m.swept))
		}
	}
	return some
}

// left is the entry with the time it has left.
func (e remembered) left(now time.Time) *pb.MetaMemory {
	return &pb.MetaMemory{Key: e.entry.Key, Body: e.entry.Body, TtlMs: max(1, e.until.Sub(now).Milliseconds()), Seq: e.seq}
}

func byKey(a, b *pb.MetaMemory) int { return strings.Compare(a.Key, b.Key) }

// list returns the keys and seqs of all entries.
func (m *memory) list() (l list) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.expire()
	l.keys, l.seqs = make([]string, 0, len(m.entries)), make([]uint64, 0, len(m.entries))
	for key, e := range m.entries {
		l.keys, l.seqs = append(l.keys, key), append(l.seqs, e.seq)
	}
	return l
}

// list says what a memory has, without its bodies: an entry's key and seq
// stand at the same place of both.
type list struct {
	keys []string
	seqs []uint64
}

// stamp gives the entries of a list a new seq, on behalf of epoch, where they
// are as they were listed, and returns the keys of those that are not. An older
// epoch can do nothing: all are.
func (m *memory) stamp(epoch uint64, l list, seq uint64) (lacks []string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if epoch < m.epoch {
		return l.keys
	}
	for i, key := range l.keys {
		e, ok := m.entries[key]
		switch {
		case ok && e.seq == l.seqs[i]:
			e.was, e.seq = e.seq, seq
			m.entries[key] = e
		case !ok || e.seq < seq:
			lacks = append(lacks, key)
		}
	}
	return lacks
}

// seal gives all older entries a new seq.
func (m *memory) seal(seq uint64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for key, e := range m.entries {
		if e.seq < seq {
			e.was, e.seq = e.seq, seq
			m.entries[key] = e
		}
	}
}

// lacks returns the keys of which a list has newer entries.
func (m *memory) lacks(l list) (keys []string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for i, key := range l.keys {
		if e, ok := m.entries[key]; !ok || e.seq < l.seqs[i] {
			keys = append(keys, key)
		}
	}
	return keys
}

// missing compares the memory, the leader's, with a peer's list: entries are
// those that the peer lacks or has an older one of, same those that it has
// under the seq that they had before they were stamped.
func (m *memory) missing(there list) (entries []*pb.MetaMemory, same list) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.expire()
	same.keys, same.seqs = make([]string, 0, len(there.keys)), make([]uint64, 0, len(there.keys))
	known := 0 // of the entries here
	for i, key := range there.keys {
		e, ok := m.entries[key]
		if !ok {
			continue
		}
		known++
		switch seq := there.seqs[i]; {
		case seq >= e.seq:
		case e.was != 0 && seq == e.was:
			same.keys, same.seqs = append(same.keys, key), append(same.seqs, seq)
		default:
			entries = append(entries, e.left(m.swept))
		}
	}
	if known == len(m.entries) {
		return entries, same
	}
	has := make(map[string]bool, len(there.keys))
	for _, key := range there.keys {
		has[key] = true
	}
	for key, e := range m.entries {
		if !has[key] {
			entries = append(entries, e.left(m.swept))
		}
	}
	return entries, same
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
	if err := accepted(answer, r.Epoch); err != nil {
		return err
	}
	n.memories.told(id, answer.Incarnation)
	return nil
}

// accepted returns why a peer does not remember, nil if it does.
func accepted(answer *pb.MetaRememberResponse, epoch uint64) error {
	switch {
	case answer.Accepted:
		return nil
	case answer.Message != "":
		return errors.New(answer.Message)
	}
	return fmt.Errorf("epoch %d is over, %d has begun: %w", epoch, answer.Epoch, ErrFenced)
}
