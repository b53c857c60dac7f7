package meta

import (
	"context"
	"errors"
	"strconv"
	"syscall"
	"time"

	"github.com/hashicorp/raft"

	pb "github.com/tuttidb/tutti/proto/tutti/v1"
)

// Raft finds a dead leader by its silence, looks for that at random times only,
// and asks for votes at random times too, so that two who stand at once do not
// do so for ever. That takes one to three times Timing.Election. Here the
// followers agree first, and then one of them stands:
//
//   - A follower takes the leader for lost when it has been silent for too long (longest),
//     or when it ended all its connections and nobody listens at its address any
//     more, or who does was just started: then its process is gone, which takes
//     milliseconds to see. Who refuses may be a firewall: if the leader is heard
//     of afterwards, it was not gone.
//   - It asks the others. If a majority of voters, itself included, takes the
//     leader for lost, the one of them with the newest log stands, by name where
//     several have it: all come to the same answer, so their votes do not split.
//   - To stand is what a leader tells its successor in a planned transfer
//     (TimeoutNow), said by the node to itself: the others vote for it though
//     they have heard of a leader lately.
//
// None of this weakens an election: who wins one needs a majority's votes in a
// new term, and a log that has all that was committed. If nobody stands, or the
// one who does fails, raft's own timers go on as ever.

// office is a leader in its term.
type office struct {
	leader string
	term   uint64
}

// loss is a leader whose process is gone, as a node found at a time.
type loss struct {
	office
	at time.Time
}

// counts reports whether a loss says that nobody leads, since a while. Either the
// leader was not heard of after it: what had come before may be looked at a bit
// later. Or nobody has followed, though time enough was given to the first who
// stood. He may have failed: the last entries may have been on their way to
// another while all agreed on him.
func (l *loss) counts(now office, heard time.Time, since, election time.Duration) bool {
	switch {
	case l == nil:
		return false
	case l.office == now:
		return heard.Sub(l.at) < election/4
	}
	return now.leader == "" && now.term > l.term && since >= election/2 && since < 5*election
}

// longest is how long a leader may be silent: a bit more than after which raft
// itself may give it up.
func (n *Node) longest() time.Duration { return n.cfg.Timing.Election * 5 / 4 }

const (
	// lookTime is how long, after a connection has ended, it is looked whether
	// its other end is gone, every lookPause.
	lookTime, lookPause = 500 * time.Millisecond, 10 * time.Millisecond
	// firstPause and lastPause bound the time between two questions to the others
	// while the leader is lost: it doubles.
	firstPause, lastPause = 15 * time.Millisecond, 250 * time.Millisecond
)

// keepVigil watches over the leader until the node ends.
func (n *Node) keepVigil() {
	tick := time.NewTicker(n.cfg.Timing.Election / 8)
	defer tick.Stop()
	pause, again := firstPause, (<-chan time.Time)(nil)
	for {
		switch {
		case !n.vacant():
			pause, again = firstPause, nil
		case again == nil:
			again = time.After(pause)
			pause = min(2*pause, lastPause)
		}
		select {
		case from := <-n.mux.lost:
			n.suspect(from)
		case <-again:
			again = nil
		case <-tick.C:
			if again != nil {
				continue // its time comes
			}
		case <-n.failed:
			return
		case <-n.ctx.Done():
			return
		}
		if n.vacant() {
			n.succeed()
		}
	}
}

// present returns who leads as far as this node knows.
func (n *Node) present() office {
	_, id := n.raft.LeaderWithID()
	return office{string(id), n.raft.CurrentTerm()}
}

// suspect looks whether a peer that has ended a connection is gone, if it is the
// leader.
func (n *Node) suspect(id string) {
	was := n.present()
	if gone := n.gone.Load(); gone != nil && gone.office == was && n.bereft() {
		return // another of its connections
	}
	for until := time.Now().Add(lookTime); id == was.leader && n.present() == was && time.Now().Before(until); {
		gone, sure := n.look(id)
		if gone {
			n.gone.Store(&loss{was, time.Now()})
			n.cfg.Log.Info("the coordinator that leads is gone", "node", n.cfg.ID, "leader", id, "term", was.term)
		}
		if gone || sure {
			return
		}
		select {
		case <-time.After(lookPause):
		case <-n.failed:
			return
		case <-n.ctx.Done():
			return
		}
	}
}

// look reports whether the process of a peer that led is gone, and if not
// whether that is sure.
func (n *Node) look(id string) (gone, sure bool) {
	ctx, cancel := context.WithTimeout(n.ctx, n.cfg.Timing.Election/4)
	defer cancel()
	c, err := n.mux.dial(ctx, useGRPC, id)
	if err != nil {
		return errors.Is(err, syscall.ECONNREFUSED) && !n.mux.hears(id), false
	}
	_ = c.Close() // it has said all it should
	p, err := n.probe(ctx, id)
	return err == nil && p.Fresh && p.Leader != id, err == nil
}

// bereft reports whether the last leader whose process was found gone still counts
// as lost.
func (n *Node) bereft() bool {
	gone := n.gone.Load()
	return gone != nil && gone.counts(n.present(), n.raft.LastContact(), time.Since(gone.at), n.cfg.Timing.Election)
}

// vacant reports whether this node takes the leader for lost, or has heard of
// none for as long.
func (n *Node) vacant() bool {
	if n.usable() != nil || !n.configured() || n.raft.State() == raft.Leader {
		return false
	}
	if n.bereft() {
		return true
	}
	return time.Since(n.raft.LastContact()) >= n.longest()
}

// stands reports whether this node may take a lost leader's place. One that was
// just started leaves it to others.
func (n *Node) stands() bool {
	return n.raft.State() == raft.Follower && n.seasoned.Load() && n.mayVote() && n.votes()
}

// vacancy notes in an answer what this node has to say about the leader.
func (n *Node) vacancy(p *pb.MetaProbeResponse) {
	p.Vacant = n.mux != nil && n.vacant()
	p.Stands = p.Vacant && n.stands()
	p.LastTerm, _ = strconv.ParseUint(n.raft.Stats()["last_log_term"], 10, 64) // a number
}

// succeed asks the others, and stands for leader if it is this node's turn.
func (n *Node) succeed() {
	if !n.stands() {
		return
	}
	was := n.present()
	ctx, cancel := context.WithTimeout(n.ctx, n.cfg.Timing.Election/4)
	defer cancel()
	peers, need := n.electorate()
	answers := n.ask(ctx, peers, was.leader)
	if !turn(n.health(), answers, need) || n.present() != was || !n.vacant() || !n.stands() {
		return
	}
	n.cfg.Log.Info("stands for leader", "node", n.cfg.ID, "lost", was.leader, "term", was.term)
	n.ballot.stand()
	moved := n.moved.wait()
	select { // one try; raft goes on from there
	case <-moved:
	case <-time.After(n.cfg.Timing.Election / 2):
	case <-n.failed:
	case <-n.ctx.Done():
	}
}

// ask asks peers how they are, but for the one that is lost, and returns the
// answers that came in time.
func (n *Node) ask(ctx context.Context, peers []string, lost string) (answers []*pb.MetaProbeResponse) {
	got, asked := make(chan *pb.MetaProbeResponse, len(peers)), 0
	for _, id := range peers {
		if id == lost {
			continue
		}
		asked++
		go func() {
			p, err := n.probe(ctx, id)
			if err != nil {
				p = nil
			}
			got <- p
		}()
	}
	for range asked {
		if p := <-got; p != nil {
			answers = append(answers, p)
		}
	}
	return answers
}

// turn reports whether a node is the one to stand: a majority, which is itself
// and need others, takes the leader for lost and has no newer log, and of those
// who may stand it is the first.
func turn(own *pb.MetaProbeResponse, others []*pb.MetaProbeResponse, need int) bool {
	for _, p := range others {
		if !p.Vacant || p.Term > own.Term {
			continue
		}
		behind := p.LastTerm < own.LastTerm || p.LastTerm == own.LastTerm && p.LastIndex <= own.LastIndex
		if !behind {
			continue
		}
		need--
		same := p.LastTerm == own.LastTerm && p.LastIndex == own.LastIndex
		if same && p.Stands && p.Id < own.Id {
			return false
		}
	}
	return need <= 0
}

// stand has raft stand for leader at once.
func (b *ballot) stand() {
	b.pass(raft.RPC{
		Command:  &raft.TimeoutNowRequest{RPCHeader: raft.RPCHeader{ProtocolVersion: raft.ProtocolVersionMax}},
		RespChan: make(chan raft.RPCResponse, 1),
	})
}
