package meta

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/hashicorp/raft"

	pb "github.com/tuttidb/tutti/proto/tutti/v1"
)

// watchLeadership follows raft's word on whether this node leads. It never
// misses one and never lets two reigns overlap.
func (n *Node) watchLeadership() {
	end := func() {}
	for {
		select {
		case leads := <-n.notify:
			end()
			end = func() {}
			n.moved.wake()
			if leads {
				end = n.enthrone()
			}
		case <-n.failed:
			end()
			return
		case <-n.ctx.Done():
			end()
			return
		}
	}
}

// enthrone begins a reign and returns how to end it.
func (n *Node) enthrone() (end func()) {
	ctx, cancel := context.WithCancel(n.ctx)
	done := make(chan struct{})
	go func() {
		defer close(done)
		n.reign(ctx, n.raft.CurrentTerm())
	}()
	return func() {
		cancel()
		n.ready.Store(0)
		<-done
	}
}

// reign leads until ctx ends. Who cannot lead hands the office on, and where
// nobody takes it tries again.
func (n *Node) reign(ctx context.Context, epoch uint64) {
	for ctx.Err() == nil {
		err := n.lead(ctx, epoch)
		n.ready.Store(0)
		if ctx.Err() != nil {
			return
		}
		n.cfg.Log.Warn("leading the coordinators failed", "node", n.cfg.ID, "epoch", epoch, "error", err)
		if !n.cfg.alone() && n.raft.CurrentTerm() == epoch { // else it has that office no more
			_ = await(n.raft.LeadershipTransfer(), n.cfg.Timing.Election) // if not, this node tries again
		}
		select {
		case <-ctx.Done():
		case <-time.After(n.cfg.Timing.Election):
		}
	}
}

// lead takes over and leads. It returns when ctx ends, or with the reason why
// it cannot.
func (n *Node) lead(ctx context.Context, epoch uint64) error {
	begin := time.Now()
	n.rising.Store(epoch)
	l, parts, err := n.takeOver(ctx, epoch)
	if err != nil {
		n.rising.Store(0)
		return err
	}
	n.ready.Store(epoch)
	n.rising.Store(0)
	if ctx.Err() != nil { // it ended between: what end has reset stays so
		n.ready.Store(0)
		return ctx.Err()
	}
	n.moved.wake()
	n.cfg.Log.Info("leads the coordinators", "node", n.cfg.ID, "epoch", epoch, "remembered", len(l.Remembered), "took", time.Since(begin).Round(time.Millisecond), parts)
	if n.mux != nil {
		n.wait.Go(func() { n.tend(ctx, epoch) })
	}
	if err := n.cfg.Lead(ctx, l); err != nil {
		return err
	}
	<-ctx.Done()
	return ctx.Err()
}

// takeOver makes sure that this node knows everything that older leaders
// acknowledged, and that they can acknowledge nothing more.
func (n *Node) takeOver(ctx context.Context, epoch uint64) (l Leadership, parts slog.Attr, err error) {
	watch := stopwatch{last: time.Now()}
	if err := n.raft.Barrier(n.cfg.Timing.Apply).Error(); err != nil {
		return l, parts, fmt.Errorf("waiting for older entries: %w", err)
	}
	// Who hears late of having won one term may read the number of the next, which
	// another won, and lead again by now. A new epoch must be nobody else's.
	if term := n.raft.CurrentTerm(); term != epoch {
		return l, parts, fmt.Errorf("epoch %d is over, it is term %d: %w", epoch, term, ErrFenced)
	}
	watch.lap("barrier")
	l = Leadership{Epoch: epoch, HandedOver: n.State().resigned()} // before the next entry
	e := &pb.MetaEntry{Id: newID(), Base: n.State().Index, Commands: []Command{lead(epoch, n.cfg.ID)}}
	if n.State().ClusterID == "" {
		e.Commands = append(e.Commands, foundCluster(cmp.Or(n.home(), newID())))
	}
	// Not through Apply: this must not be done by another leader.
	r := n.applyHere(ctx, e)
	if err := refusal(r.Code, r.Message); err != nil {
		return l, parts, fmt.Errorf("beginning epoch %d: %w", epoch, err)
	}
	watch.lap("entry")
	for {
		l.Remembered, err = n.recollect(ctx, epoch)
		if err == nil || ctx.Err() != nil || errors.Is(err, ErrFenced) {
			watch.lap("memory")
			return l, slog.Group("of_it", watch.laps...), err
		}
		n.cfg.Log.Debug("collecting what the coordinators remember", "node", n.cfg.ID, "error", err)
		select {
		case <-time.After(20 * time.Millisecond):
		case <-ctx.Done():
			return l, parts, ctx.Err()
		}
	}
}

// stopwatch notes how long the steps of something took.
type stopwatch struct {
	last time.Time
	laps []any
}

func (s *stopwatch) lap(name string) {
	now := time.Now()
	s.laps = append(s.laps, slog.Duration(name, now.Sub(s.last).Round(100*time.Microsecond)))
	s.last = now
}

// tend keeps the others in good order while this node leads: who has
// forgotten what must be remembered is told again, and who has caught up gets
// its vote.
func (n *Node) tend(ctx context.Context, epoch uint64) {
	tick := time.NewTicker(n.cfg.Timing.Election / 4)
	defer tick.Stop()
	for target := n.raft.CommitIndex(); ; target = n.raft.CommitIndex() {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
		for _, s := range n.raft.GetConfiguration().Configuration().Servers {
			id := string(s.ID)
			if id == n.cfg.ID || n.cfg.Peers[id] == "" {
				continue
			}
			if err := n.tendOne(ctx, s, epoch, target); err != nil {
				n.cfg.Log.Debug("tending a coordinator", "node", n.cfg.ID, "peer", id, "error", err)
			}
		}
	}
}

func (n *Node) tendOne(ctx context.Context, s raft.Server, epoch, target uint64) error {
	id := string(s.ID)
	p, err := n.probe(ctx, id)
	if err != nil {
		n.memories.missed(id)
		return err
	}
	if n.memories.other(id, p.Incarnation) {
		if err := n.refresh(ctx, id, epoch); err != nil {
			return err
		}
	}
	if isVoter(s) || p.Applied < target || p.Failure != "" || p.Standing != pb.MetaStanding_META_STANDING_MEMBER {
		return nil
	}
	// Everything that a majority remembers it now remembers too (above), and
	// everything a majority has on disk it has applied.
	if err := await(n.raft.AddVoter(s.ID, s.Address, 0, n.cfg.Timing.Call), n.cfg.Timing.Call); err != nil {
		return err
	}
	n.cfg.Log.Info("a coordinator has caught up and votes again", "node", n.cfg.ID, "peer", id)
	return nil
}

// other reports whether a peer needs to be told everything: it is not the
// process that was told before, or it missed something.
func (m *memories) other(id string, incarnation uint64) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	p := m.of(id)
	return p.stale || p.incarnation != incarnation
}

func (n *Node) probe(ctx context.Context, id string) (*pb.MetaProbeResponse, error) {
	c, err := n.client(id)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, n.cfg.Timing.Call)
	defer cancel()
	return c.Probe(ctx, &pb.MetaProbeRequest{})
}

// Transfer makes another coordinator the leader: the named one, or with an
// empty name whoever is most up to date. It may be called on any node.
func (n *Node) Transfer(ctx context.Context, to string) error {
	if n.cfg.alone() {
		return fmt.Errorf("there is no other coordinator: %w", ErrInvalid)
	}
	if to != "" && n.cfg.Peers[to] == "" {
		return fmt.Errorf("coordinator %s: %w", to, ErrNotFound)
	}
	ctx, cancel := n.bounded(ctx)
	defer cancel()
	from := ""
	return n.persist(ctx, func(ctx context.Context, _ bool) (pb.MetaCode, string, error) {
		_, now := n.raft.LeaderWithID()
		if from == "" {
			from = string(now)
		}
		// The move itself ends the call that asked for it: who leads says
		// whether it was done, and asking again would move it back.
		if now != "" && (string(now) == to || to == "" && string(now) != from) {
			return pb.MetaCode_META_CODE_OK, "", nil
		}
		if n.raft.State() == raft.Leader {
			r := n.transferHere(ctx, to)
			return r.Code, r.Message, nil
		}
		c, why := n.leader()
		if why != "" {
			return pb.MetaCode_META_CODE_NOT_LEADER, why, nil
		}
		r, err := c.Transfer(ctx, &pb.MetaTransferRequest{To: to})
		return r.GetCode(), r.GetMessage(), err
	})
}

func (n *Node) transferHere(ctx context.Context, to string) *pb.MetaTransferResponse {
	if n.raft.State() != raft.Leader {
		return &pb.MetaTransferResponse{Code: pb.MetaCode_META_CODE_NOT_LEADER, Message: "this node does not lead"}
	}
	if to == n.cfg.ID {
		return &pb.MetaTransferResponse{Code: pb.MetaCode_META_CODE_OK}
	}
	var f raft.Future
	if to == "" {
		f = n.raft.LeadershipTransfer()
	} else {
		f = n.raft.LeadershipTransferToServer(raft.ServerID(to), raft.ServerAddress(n.cfg.Peers[to]))
	}
	if err := await(f, n.cfg.Timing.Call); err != nil {
		return &pb.MetaTransferResponse{Code: pb.MetaCode_META_CODE_NOT_LEADER, Message: err.Error()}
	}
	return &pb.MetaTransferResponse{Code: pb.MetaCode_META_CODE_OK}
}

// join takes a node with an empty disk in. It may have voted and acknowledged
// before, and has forgotten that: so it loses its vote first, by an entry that
// a majority without it must have, and gets it back in tend.
func (n *Node) join(r *pb.MetaJoinRequest) *pb.MetaJoinResponse {
	if n.ready.Load() == 0 {
		return &pb.MetaJoinResponse{Code: pb.MetaCode_META_CODE_NOT_LEADER, Message: "this node does not lead"}
	}
	id, address := raft.ServerID(r.Id), raft.ServerAddress(n.cfg.Peers[r.Id])
	if address == "" || r.Id == n.cfg.ID {
		return &pb.MetaJoinResponse{Code: pb.MetaCode_META_CODE_INVALID, Message: fmt.Sprintf("coordinator %s is not among the peers of %s", r.Id, n.cfg.ID)}
	}
	for _, s := range n.raft.GetConfiguration().Configuration().Servers {
		if s.ID != id {
			continue
		}
		if !isVoter(s) {
			return &pb.MetaJoinResponse{Code: pb.MetaCode_META_CODE_OK, Index: n.raft.LastIndex()} // at least when it became one
		}
		if err := n.raft.RemoveServer(id, 0, n.cfg.Timing.Call).Error(); err != nil {
			return &pb.MetaJoinResponse{Code: retryCode(err), Message: err.Error()}
		}
	}
	f := n.raft.AddNonvoter(id, address, 0, n.cfg.Timing.Call)
	if err := f.Error(); err != nil {
		return &pb.MetaJoinResponse{Code: retryCode(err), Message: err.Error()}
	}
	n.cfg.Log.Info("a coordinator with an empty disk joins", "node", n.cfg.ID, "peer", r.Id)
	return &pb.MetaJoinResponse{Code: pb.MetaCode_META_CODE_OK, Index: f.Index()}
}
