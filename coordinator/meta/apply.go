package meta

import (
	"context"
	crand "crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/hashicorp/raft"
	"google.golang.org/protobuf/proto"

	pb "github.com/tuttidb/tutti/proto/tutti/v1"
)

// maxEntry bounds one entry of the log. What is larger belongs into files.
const maxEntry = 4 << 20

// Apply makes a change, on whichever node it is called: it is sent to the
// leader, again and again over elections until ctx ends, and happens once.
// When it returns, the change is on a majority of disks and in this node's
// State. It returns the index of the entry; an error with an index that is not
// 0 says that the change was made, and that this node's State has not got so
// far in time. After ErrUnknown, the change may still happen.
func (n *Node) Apply(ctx context.Context, commands ...Command) (index uint64, err error) {
	return n.ApplyAs(ctx, 0, commands...)
}

// ApplyAs is Apply for a leader: unless epoch is still the newest when the
// change's turn comes, it fails with ErrFenced.
func (n *Node) ApplyAs(ctx context.Context, epoch uint64, commands ...Command) (index uint64, err error) {
	return n.apply(ctx, &pb.MetaEntry{Id: newID(), Epoch: epoch, Commands: commands})
}

// ApplyOnce is Apply under a name that the caller gives the change: asked for
// again under that name, on any node and within tens of thousands of changes,
// it is not made again, and ends as it ended the first time. The name must be
// one that nothing else has.
func (n *Node) ApplyOnce(ctx context.Context, name string, commands ...Command) (index uint64, err error) {
	if name == "" {
		return 0, fmt.Errorf("a change without a name: %w", ErrInvalid)
	}
	return n.apply(ctx, &pb.MetaEntry{Id: name, Commands: commands})
}

func (n *Node) apply(ctx context.Context, e *pb.MetaEntry) (index uint64, err error) {
	e.Base = n.State().Index
	if size := proto.Size(e); size > maxEntry {
		return 0, fmt.Errorf("a change of %d bytes, at most %d fit: %w", size, maxEntry, ErrInvalid)
	}
	for _, c := range e.Commands {
		if c.GetKind() == nil {
			return 0, fmt.Errorf("a command without content: %w", ErrInvalid)
		}
	}
	ctx, cancel := n.bounded(ctx)
	defer cancel()
	var result *pb.MetaApplyResponse
	err = n.persist(ctx, func(ctx context.Context, first bool) (pb.MetaCode, string, error) {
		r, err := n.propose(ctx, e)
		if err != nil {
			return pb.MetaCode_META_CODE_UNKNOWN, "", err
		}
		if r.Code == pb.MetaCode_META_CODE_STALE && first {
			e.Base = r.Index // never proposed before: it may be as new as that
			return pb.MetaCode_META_CODE_NOT_LEADER, r.Message, nil
		}
		result = r
		return r.Code, r.Message, nil
	})
	if err != nil {
		return 0, err
	}
	return result.Index, n.waitIndex(ctx, result.Index) // made, see above
}

// bounded gives a context without deadline the default one.
func (n *Node) bounded(ctx context.Context) (context.Context, context.CancelFunc) {
	if _, ok := ctx.Deadline(); ok {
		return context.WithCancel(ctx)
	}
	return context.WithTimeout(ctx, n.cfg.Timing.Apply)
}

func newID() string {
	var b [16]byte
	_, _ = crand.Read(b[:]) // never fails
	return hex.EncodeToString(b[:])
}

// persist tries until there is an answer that stands. try is told whether all
// tries before it are known to have changed nothing.
func (n *Node) persist(ctx context.Context, try func(ctx context.Context, first bool) (pb.MetaCode, string, error)) error {
	first, last := true, error(nil)
	for pause := 2 * time.Millisecond; ; pause = min(2*pause, 50*time.Millisecond) {
		moved := n.moved.wait()
		if err := n.usable(); err != nil {
			return err
		}
		code, message, err := n.attempt(ctx, first, moved, try)
		switch {
		case err != nil:
			last, first = err, false
		case code == pb.MetaCode_META_CODE_UNKNOWN:
			last, first = errors.New(message), false
		case code != pb.MetaCode_META_CODE_NOT_LEADER:
			return refusal(code, message)
		default:
			last = errors.New(message)
		}
		select {
		case <-moved:
		case <-time.After(pause):
		case <-ctx.Done():
			return n.gaveUp(ctx, first, last)
		case <-n.failed:
		case <-n.ctx.Done():
		}
	}
}

// usable returns why nothing can be asked of this node any more.
func (n *Node) usable() error {
	if err := n.Err(); err != nil {
		return err
	}
	if n.ctx.Err() != nil {
		return ErrClosed
	}
	return nil
}

// attempt is one try. It is given up when the leadership moves: the one asked
// may be cut off and never answer.
func (n *Node) attempt(ctx context.Context, first bool, moved <-chan struct{}, try func(context.Context, bool) (pb.MetaCode, string, error)) (pb.MetaCode, string, error) {
	ctx, cancel := context.WithTimeout(ctx, n.cfg.Timing.Call)
	defer cancel()
	done := make(chan struct{})
	defer close(done)
	go func() {
		select {
		case <-moved:
			cancel()
		case <-n.ctx.Done():
			cancel()
		case <-done:
		}
	}()
	return try(ctx, first)
}

// gaveUp says why time ran out. It looks at the others for it, shortly.
func (n *Node) gaveUp(ctx context.Context, first bool, last error) error {
	outcome := "nothing was changed"
	if !first {
		outcome = "whether it was changed is not known"
	}
	short, cancel := context.WithTimeout(n.ctx, 300*time.Millisecond)
	defer cancel()
	members, up := n.survey(short), 0
	var seen []string
	for _, m := range members {
		state := "does not answer"
		if m.Reachable {
			state = "up"
			up++
		}
		if m.Failure != "" {
			state = m.Failure
		}
		seen = append(seen, m.ID+" "+state)
	}
	var err error
	if _, leader := n.raft.LeaderWithID(); leader == "" || up <= len(members)/2 {
		err = noQuorum(fmt.Sprintf("%d of %d answer (%s); %s", up, len(members), strings.Join(seen, ", "), outcome))
	} else {
		err = fmt.Errorf("the coordinators did not agree in time (%s): %w", outcome, context.Cause(ctx))
	}
	if !first {
		err = errors.Join(err, ErrUnknown)
	}
	if last != nil && last.Error() != "" {
		n.cfg.Log.Debug("gave up on the coordinators", "node", n.cfg.ID, "last", last)
	}
	return err
}

// propose asks the leader to apply an entry: this node or another.
func (n *Node) propose(ctx context.Context, e *pb.MetaEntry) (*pb.MetaApplyResponse, error) {
	if n.raft.State() == raft.Leader {
		return n.applyHere(ctx, e), nil
	}
	c, r := n.leader()
	if r != "" {
		return &pb.MetaApplyResponse{Code: pb.MetaCode_META_CODE_NOT_LEADER, Message: r}, nil
	}
	return c.Apply(ctx, &pb.MetaApplyRequest{Entry: e})
}

// leader returns the service of the leader, or why not.
func (n *Node) leader() (pb.MetaClient, string) {
	_, id := n.raft.LeaderWithID()
	if id == "" {
		return nil, "there is no leader"
	}
	c, err := n.client(string(id))
	if err != nil {
		return nil, err.Error()
	}
	return c, ""
}

// applyHere proposes an entry to this node's raft and waits for its turn.
func (n *Node) applyHere(ctx context.Context, e *pb.MetaEntry) *pb.MetaApplyResponse {
	e.AtMs = n.cfg.Clock.Now().UnixMilli()
	b, err := proto.Marshal(e)
	if err != nil {
		return &pb.MetaApplyResponse{Code: pb.MetaCode_META_CODE_INVALID, Message: err.Error()}
	}
	f := n.raft.Apply(b, n.cfg.Timing.Call)
	done := make(chan error, 1)
	go func() { done <- f.Error() }()
	select {
	case err = <-done:
	case <-ctx.Done():
		err = ctx.Err()
	}
	if err != nil {
		return &pb.MetaApplyResponse{Code: retryCode(err), Message: err.Error()}
	}
	seen, ok := f.Response().(*pb.MetaSeen)
	if !ok { // the log has stopped here, see fsm
		return &pb.MetaApplyResponse{Code: pb.MetaCode_META_CODE_UNKNOWN, Message: "the entry was not applied here"}
	}
	return &pb.MetaApplyResponse{Code: seen.Code, Message: seen.Message, Index: seen.Index}
}

// retryCode tells raft's errors that leave no trace from those that may.
func retryCode(err error) pb.MetaCode {
	switch {
	case errors.Is(err, raft.ErrNotLeader), errors.Is(err, raft.ErrLeadershipTransferInProgress), errors.Is(err, raft.ErrEnqueueTimeout):
		return pb.MetaCode_META_CODE_NOT_LEADER
	}
	return pb.MetaCode_META_CODE_UNKNOWN
}

// waitIndex waits until this node's State includes an entry.
func (n *Node) waitIndex(ctx context.Context, index uint64) error {
	return n.waitState(ctx, func(s *State) bool { return s.Index >= index })
}

func (n *Node) waitState(ctx context.Context, good func(*State) bool) error {
	for {
		next := n.fsm.next()
		if good(n.State()) {
			return nil
		}
		select {
		case <-next:
		case <-ctx.Done():
			return fmt.Errorf("waiting for coordinator %s to catch up: %w", n.cfg.ID, ctx.Err())
		case <-n.failed:
			return n.Err()
		case <-n.ctx.Done():
			return ErrClosed
		}
	}
}

// Read returns a state that includes everything that was acknowledged to
// anybody before Read was called, or an error: never an old answer.
func (n *Node) Read(ctx context.Context) (*State, error) {
	ctx, cancel := n.bounded(ctx)
	defer cancel()
	var index uint64
	err := n.persist(ctx, func(ctx context.Context, _ bool) (pb.MetaCode, string, error) {
		r := &pb.MetaIndexResponse{}
		if n.raft.State() == raft.Leader {
			r = n.indexHere()
		} else if c, why := n.leader(); why != "" {
			r.Code, r.Message = pb.MetaCode_META_CODE_NOT_LEADER, why
		} else {
			var err error
			if r, err = c.Index(ctx, &pb.MetaIndexRequest{}); err != nil {
				return pb.MetaCode_META_CODE_NOT_LEADER, err.Error(), nil // reading changes nothing
			}
		}
		index = r.Index
		return r.Code, r.Message, nil
	})
	if err != nil {
		return nil, err
	}
	if err := n.waitIndex(ctx, index); err != nil {
		return nil, err
	}
	return n.State(), nil
}

// indexHere confirms that this node leads, and returns what it has applied.
// It has applied all that was acknowledged: by older leaders, since it has
// taken over, and by itself, since it acknowledges what it has applied.
func (n *Node) indexHere() *pb.MetaIndexResponse {
	epoch := n.ready.Load()
	index := n.State().Index
	if epoch == 0 {
		return &pb.MetaIndexResponse{Code: pb.MetaCode_META_CODE_NOT_LEADER, Message: "a new leader is taking over"}
	}
	if err := await(n.raft.VerifyLeader(), n.cfg.Timing.Call); err != nil {
		return &pb.MetaIndexResponse{Code: pb.MetaCode_META_CODE_NOT_LEADER, Message: err.Error()}
	}
	if n.ready.Load() != epoch {
		return &pb.MetaIndexResponse{Code: pb.MetaCode_META_CODE_NOT_LEADER, Message: "the leadership has moved"}
	}
	return &pb.MetaIndexResponse{Code: pb.MetaCode_META_CODE_OK, Index: index}
}

// Watch returns a channel of states: the present one at once, then the newest
// whenever it has changed. A slow reader misses those between. The channel is
// closed when ctx ends or the node does.
func (n *Node) Watch(ctx context.Context) <-chan *State {
	out := make(chan *State)
	go func() {
		defer close(out)
		for last := (*State)(nil); ; {
			next := n.fsm.next()
			for s := n.State(); s != last; s = n.State() {
				select {
				case out <- s:
					last = s
				case <-ctx.Done():
					return
				case <-n.ctx.Done():
					return
				}
			}
			select {
			case <-next:
			case <-ctx.Done():
				return
			case <-n.ctx.Done():
				return
			}
		}
	}()
	return out
}

// WaitLeader waits until there is a leader that has taken over, as far as
// this node knows.
func (n *Node) WaitLeader(ctx context.Context) error {
	_, err := n.Read(ctx)
	return err
}
