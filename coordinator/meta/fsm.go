package meta

import (
	"fmt"
	"io"
	"sync"
	"sync/atomic"

	"github.com/hashicorp/raft"
	"google.golang.org/protobuf/proto"

	pb "github.com/tuttidb/tutti/proto/tutti/v1"
)

// fsm applies the log to the state and publishes each new one. Raft calls it
// from one goroutine.
type fsm struct {
	state atomic.Pointer[State]
	// stopped is told that the log has what this release cannot apply.
	stopped func(error)
	dead    bool

	mu      sync.Mutex
	changed chan struct{} // closed at the next change; nil while nobody waits
}

func newFSM(stopped func(error)) *fsm {
	f := &fsm{stopped: stopped}
	f.state.Store(&State{})
	return f
}

// publish makes s the current state and wakes those who wait for a change.
func (f *fsm) publish(s *State) {
	f.state.Store(s)
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.changed != nil {
		close(f.changed)
		f.changed = nil
	}
}

// next returns a channel that closes when the state changes. Take it before
// looking at the state.
func (f *fsm) next() <-chan struct{} {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.changed == nil {
		f.changed = make(chan struct{})
	}
	return f.changed
}

// Apply applies one entry; raft uses ApplyBatch.
func (f *fsm) Apply(l *raft.Log) any { return f.ApplyBatch([]*raft.Log{l})[0] }

// ApplyBatch applies entries in order, publishes the state after the last, and
// returns for each command what became of it, as a *pb.MetaSeen.
func (f *fsm) ApplyBatch(logs []*raft.Log) []any {
	out := make([]any, len(logs))
	s := f.state.Load()
	for i, l := range logs {
		if l.Type != raft.LogCommand || f.dead {
			continue
		}
		var seen *pb.MetaSeen
		s, seen = f.apply(s, l)
		out[i] = seen
	}
	if s != f.state.Load() {
		f.publish(s)
	}
	return out
}

func (f *fsm) apply(s *State, l *raft.Log) (*State, *pb.MetaSeen) {
	e := &pb.MetaEntry{}
	err := proto.Unmarshal(l.Data, e)
	if err == nil {
		next, seen, failed := s.apply(l.Index, e)
		if failed == nil {
			return next, seen
		}
		err = failed
	}
	f.dead = true
	f.stopped(fmt.Errorf("log entry %d: %w", l.Index, err))
	return s, nil
}

// Snapshot takes no time: a state never changes.
func (f *fsm) Snapshot() (raft.FSMSnapshot, error) { return snapshot{f.state.Load()}, nil }

// Restore replaces the state with a snapshot's.
func (f *fsm) Restore(r io.ReadCloser) error {
	defer r.Close()
	s, err := readState(r)
	if err != nil {
		return err
	}
	f.publish(s)
	return nil
}

type snapshot struct{ *State }

// Persist streams the state into raft's snapshot.
func (s snapshot) Persist(sink raft.SnapshotSink) error {
	if err := s.writeTo(sink); err != nil {
		_ = sink.Cancel() // the first error is the one that counts
		return err
	}
	return sink.Close()
}

// Release has nothing to let go.
func (s snapshot) Release() {}
