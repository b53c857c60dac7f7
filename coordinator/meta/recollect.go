package meta

import (
	"context"
	"fmt"
	"sync"

	pb "github.com/tuttidb/tutti/proto/tutti/v1"
)

// A new leader's memory is what a majority of memories hold between them, and a
// majority must hold all that on its behalf before it leads. Most of it all of
// them have: so memories tell each other keys and seqs, and bodies travel only
// where these differ.
//
// Each entry gets a new seq, the stamp of the epoch, which is above those of all
// older epochs and below those of what the leader adds. Without it an entry
// that an older leader told itself only could count, on its return, against
// what its successors acknowledged. A peer stamps what it has itself, when told
// under which seq it has it: a seq names one body of a key.

// memories is what a leader knows of the others' memories.
type memories struct {
	mu   sync.Mutex
	peer map[string]*peerMemory
}

type peerMemory struct {
	incarnation uint64
	stale       bool
	misses      int // how often it could not be told something
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
	p := m.of(id)
	p.stale = true
	p.misses++
}

// told notes that a peer was told something.
func (m *memories) told(id string, incarnation uint64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	p := m.of(id)
	if p.incarnation != incarnation {
		p.stale = true
	}
	p.incarnation = incarnation
}

// misses returns how often a peer could not be told something so far.
func (m *memories) misses(id string) int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.of(id).misses
}

// toldAll notes that a peer was told everything, but for what it has missed
// since its misses were counted.
func (m *memories) toldAll(id string, incarnation uint64, misses int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	p := m.of(id)
	p.incarnation, p.stale = incarnation, p.misses != misses
}

// listOf asks a peer what it has; it refuses older epochs from then on.
func (n *Node) listOf(ctx context.Context, id string, epoch uint64) (*pb.MetaCollectResponse, error) {
	return n.collect(ctx, id, &pb.MetaCollectRequest{Epoch: epoch, List: true})
}

func (n *Node) collect(ctx context.Context, id string, r *pb.MetaCollectRequest) (*pb.MetaCollectResponse, error) {
	c, err := n.client(id)
	if err != nil {
		return nil, err
	}
	answer, err := c.Collect(ctx, r)
	if err != nil {
		return nil, err
	}
	if !answer.Accepted {
		return nil, fmt.Errorf("epoch %d is over, %d has begun: %w", r.Epoch, answer.Epoch, ErrFenced)
	}
	return answer, nil
}

// listed returns the list in an answer; a peer of an older release sends the
// entries themselves.
func listed(a *pb.MetaCollectResponse) (l list) {
	if a.Listed && len(a.Keys) == len(a.Seqs) {
		return list{a.Keys, a.Seqs}
	}
	for _, e := range a.Entries {
		l.keys, l.seqs = append(l.keys, e.Key), append(l.seqs, e.Seq)
	}
	return l
}

// refresh tells a peer everything there is to remember. An entry that is
// being remembered at this moment may miss the list and reach the peer before
// it, so the list adds and does not replace.
func (n *Node) refresh(ctx context.Context, id string, epoch uint64) error {
	ctx, cancel := context.WithTimeout(ctx, n.cfg.Timing.Call)
	defer cancel()
	misses := n.memories.misses(id)
	answer, err := n.listOf(ctx, id, epoch)
	if err != nil {
		return err
	}
	return n.level(ctx, id, epoch, listed(answer), misses)
}

// level tells a peer, which has what the list says, everything else.
func (n *Node) level(ctx context.Context, id string, epoch uint64, there list, misses int) error {
	c, err := n.client(id)
	if err != nil {
		return err
	}
	entries, same := n.memory.missing(there)
	r := &pb.MetaRememberRequest{Epoch: epoch, Entries: entries, Same: same.keys, Seqs: same.seqs, Stamp: firstSeq(epoch)}
	for {
		answer, err := c.Remember(ctx, r)
		if err != nil {
			return err
		}
		if err := accepted(answer, epoch); err != nil {
			return err
		}
		lacks := answer.Lacks
		if !answer.Compared {
			lacks = r.Same // it is of an older release
		}
		if len(lacks) == 0 {
			n.memories.toldAll(id, answer.Incarnation, misses)
			return nil
		}
		// Whole, as the time of what it listed was over meanwhile.
		r = &pb.MetaRememberRequest{Epoch: epoch, Entries: n.memory.some(lacks), Stamp: r.Stamp}
	}
}

// recollect gathers what a majority of memories holds, fences older epochs
// there, and has a majority remember the union on behalf of this epoch.
func (n *Node) recollect(ctx context.Context, epoch uint64) ([]*pb.MetaMemory, error) {
	if n.cfg.alone() {
		return nil, nil
	}
	if later, ok := n.memory.fence(epoch); !ok {
		return nil, fmt.Errorf("epoch %d is over, %d has begun: %w", epoch, later, ErrFenced)
	}
	n.memories.reset()
	u := &union{lists: map[string]list{}}
	err := n.majority(ctx, func(ctx context.Context, id string) error {
		answer, err := n.listOf(ctx, id, epoch)
		if err != nil {
			return err
		}
		l, entries := listed(answer), answer.Entries
		if newer := n.memory.lacks(l); answer.Listed && len(newer) > 0 {
			bodies, err := n.collect(ctx, id, &pb.MetaCollectRequest{Epoch: epoch, Keys: newer})
			if err != nil {
				return err
			}
			entries = bodies.Entries
		}
		u.add(id, l, entries)
		return nil
	})
	if err != nil {
		return nil, err
	}
	entries, lists := u.take()
	newest, ok, err := n.memory.inherit(epoch, entries)
	switch {
	case err != nil:
		return nil, err
	case !ok:
		return nil, fmt.Errorf("epoch %d is over, %d has begun: %w", epoch, newest, ErrFenced)
	}
	n.memory.seal(firstSeq(epoch))
	if n.seq.Load() < firstSeq(epoch) { // it may have led in this epoch before, and failed
		n.seq.Store(firstSeq(epoch))
	}
	all := n.memory.all()
	return all, n.majority(ctx, func(ctx context.Context, id string) error {
		if l, ok := lists[id]; ok {
			return n.level(ctx, id, epoch, l, 0)
		}
		return n.refresh(ctx, id, epoch)
	})
}

// firstSeq is below the numbers of all entries of an epoch and above those of
// older ones: the stamp of what is older. So what an older leader told a
// minority, which it may have on its return, never counts against what newer
// leaders acknowledged.
func firstSeq(epoch uint64) uint64 { return epoch << epochShift }

// epochShift leaves an epoch 10^12 numbers, and a cluster 16 million epochs.
const epochShift = 40

// union is what the memories of a majority hold beside what this node's does.
type union struct {
	mu      sync.Mutex
	entries []*pb.MetaMemory
	lists   map[string]list // what the peers have that are part of it
	taken   bool
}

// add adds what a peer has, and of that what is newer, unless the union has been
// taken: what comes later has not been told to a majority.
func (u *union) add(id string, l list, newer []*pb.MetaMemory) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.taken {
		return
	}
	u.lists[id] = l
	u.entries = append(u.entries, newer...)
}

// take returns the newest entry of each key, and what the peers have.
func (u *union) take() (entries []*pb.MetaMemory, lists map[string]list) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.taken = true
	at := make(map[string]int, len(u.entries))
	for _, e := range u.entries {
		switch i, known := at[e.Key]; {
		case !known:
			at[e.Key] = len(entries)
			entries = append(entries, e)
		case entries[i].Seq < e.Seq:
			entries[i] = e
		}
	}
	return entries, u.lists
}
