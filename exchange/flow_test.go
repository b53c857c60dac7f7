package exchange

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"time"

	"github.com/tuttidb/tutti/exec"
	"github.com/tuttidb/tutti/planner/plan"
	pb "github.com/tuttidb/tutti/proto/tutti/v1"
)

// streamer writes rows to a streamed output until ctx ends or all are written.
type streamer struct {
	o     *Output
	waits atomic.Int64 // changes told
	done  chan error
}

func startStreamer(ctx context.Context, t *testing.T, n *testNode, id plan.TaskID, rows int64, keep ...bool) *streamer {
	t.Helper()
	account := n.root.Child("task", 0)
	s := &streamer{done: make(chan error, 1)}
	var err error
	s.o, err = n.store.NewOutput(OutputConfig{
		Task: id, Types: rowTypes, Partitions: 1, Account: account, Stream: true, Waits: func(bool) { s.waits.Add(1) },
		KeepSent: len(keep) > 0,
	})
	if err != nil {
		t.Fatal(err)
	}
	go func() {
		w := newWriter(account)
		err := s.write(ctx, t, w, rows)
		w.release()
		s.o.Close()
		s.done <- err
	}()
	return s
}

func (s *streamer) write(ctx context.Context, t *testing.T, w *writer, rows int64) error {
	for at := int64(0); at < rows; at += 1000 {
		if err := s.o.Write(ctx, 0, w.batch(t, at, 1000)); err != nil {
			return err
		}
	}
	_, err := s.o.Finish(ctx)
	return err
}

// await waits until the producer waits.
func (s *streamer) await(t *testing.T) {
	t.Helper()
	for deadline := time.Now().Add(20 * time.Second); s.waits.Load()%2 == 0; time.Sleep(time.Millisecond) {
		select {
		case err := <-s.done:
			t.Fatalf("the producer ended (%v) without waiting", err)
		default:
		}
		if time.Now().After(deadline) {
			t.Fatal("the producer never waits")
		}
	}
}

// TestStreamedOutput: a producer that is ahead of its reader waits, what was
// sent is dropped, and all rows arrive before the commit and in order, over
// the network and in the same process.
func TestStreamedOutput(t *testing.T) {
	const rows = 2_000_000
	a, b := newNode(t, nodeConfig{}), newNode(t, nodeConfig{})
	for i, reader := range []*testNode{a, b} {
		id := taskID(1, int32(i), 0)
		s := startStreamer(t.Context(), t, a, id, rows)
		s.await(t)
		if held := a.store.Figures().MemoryBytes; held > 2*unsentLimit {
			t.Errorf("%d bytes are held for a reader that has not come", held)
		}
		in := NewInputs(InputsConfig{
			Task: taskID(0, 0, 0), Store: reader.store, Self: reader.address, Conns: reader.conns, Auth: reader.auth, Ahead: 4 << 20, FeedWhenFull: true,
		})
		if err := in.Update(&pb.Inputs{Sources: []*pb.Source{{Task: TaskToProto(id), Address: a.address}}, Complete: []int32{1}}); err != nil {
			t.Fatal(err)
		}
		op, err := in.Open(remoteNode(plan.Gather, 1), reader.root)
		if err != nil {
			t.Fatal(err)
		}
		got := make(chan int64, 1)
		go func() {
			n, _, err := sum(t.Context(), op)
			if err != nil {
				t.Error(err)
			}
			got <- n
		}()
		if err := <-s.done; err != nil {
			t.Fatal(err)
		}
		if held := a.store.Figures().MemoryBytes; held > 2*unsentLimit+keepSent {
			t.Errorf("%d bytes are held after the end", held)
		}
		select {
		case n := <-got:
			t.Fatalf("the reader ended with %d rows before the commit", n)
		default:
		}
		end := a.store.find(id).parts[0].end
		if err := in.Update(&pb.Inputs{Sources: []*pb.Source{sourceOf(a, id, end)}}); err != nil {
			t.Fatal(err)
		}
		if n := <-got; n != rows {
			t.Errorf("%d rows of %d", n, rows)
		}
		_ = op.Close()
		in.Close()
		if _, _, err := (&Reader{r: a.store.find(id)}).take(); !errors.As(err, new(*LostOutput)) {
			t.Errorf("the first frame, long sent, is there: %v", err)
		}
		a.store.Release(id)
	}
}

// TestStreamedOutputIsGivenUp: a producer that waits ends with its task, and
// when its output is released.
func TestStreamedOutputIsGivenUp(t *testing.T) {
	a := newNode(t, nodeConfig{})
	ctx, cancel := context.WithCancel(t.Context())
	s := startStreamer(ctx, t, a, taskID(1, 0, 0), 2_000_000)
	s.await(t)
	cancel()
	if err := <-s.done; !errors.Is(err, context.Canceled) {
		t.Errorf("canceled: %v", err)
	}
	s.o.Abort()
	s = startStreamer(t.Context(), t, a, taskID(1, 1, 0), 2_000_000)
	s.await(t)
	a.store.Release(taskID(1, 1, 0))
	if err := <-s.done; !errors.As(err, new(*LostOutput)) {
		t.Errorf("released: %v", err)
	}
}

// TestFailedInputs: operators fail with the error that their owner names,
// those opened later too.
func TestFailedInputs(t *testing.T) {
	a := newNode(t, nodeConfig{})
	in := a.inputs(0)
	defer in.Close()
	op, err := in.Open(remoteNode(plan.Gather, 1), a.root)
	if err != nil {
		t.Fatal(err)
	}
	defer op.Close()
	cause := errors.New("the worker is gone")
	go in.Fail(cause)
	if _, err := op.Next(t.Context()); !errors.Is(err, cause) {
		t.Errorf("open operator: %v", err)
	}
	other := remoteNode(plan.Gather, 2)
	other.ID = 10
	if _, err := in.Open(other, a.root); !errors.Is(err, cause) {
		t.Errorf("later operator: %v", err)
	}
}

// TestReadIsTold: once an output is committed and here as a whole, in
// whichever order, its reader's owner hears of it, once.
func TestReadIsTold(t *testing.T) {
	a := newNode(t, nodeConfig{})
	id := taskID(1, 0, 0)
	ends := produce(t, a, id, 1, 0, 1000, None)
	for _, early := range []bool{false, true} {
		told := make(chan plan.TaskID, 4)
		in := NewInputs(InputsConfig{Task: taskID(0, 0, 0), Store: a.store, Self: a.address, Conns: a.conns, Auth: a.auth, Read: func(id plan.TaskID) { told <- id }})
		op, err := in.Open(remoteNode(plan.Gather, 1), a.root)
		if err != nil {
			t.Fatal(err)
		}
		if early {
			awaitFetched(t, in, op, id, a)
			if len(told) > 0 {
				t.Error("told before the commit")
			}
		}
		if err := in.Update(&pb.Inputs{Sources: []*pb.Source{sourceOf(a, id, ends[0])}, Complete: []int32{1}}); err != nil {
			t.Fatal(err)
		}
		if rows, _, err := sum(t.Context(), op); rows != 1000 || err != nil {
			t.Errorf("%d rows, %v", rows, err)
		}
		if got := <-told; got != id || len(told) > 0 {
			t.Errorf("early %v: told of %s and %d more", early, got, len(told))
		}
		_ = op.Close()
		in.Close()
	}
}

// awaitFetched waits until an uncommitted output was received.
func awaitFetched(t *testing.T, in *Inputs, op exec.Operator, id plan.TaskID, n *testNode) {
	t.Helper()
	if err := in.Update(&pb.Inputs{Sources: []*pb.Source{{Task: TaskToProto(id), Address: n.address}}}); err != nil {
		t.Fatal(err)
	}
	r := op.(*source).r
	for deadline := time.Now().Add(10 * time.Second); time.Now().Before(deadline); time.Sleep(time.Millisecond) {
		r.mu.Lock()
		over := len(r.streams) == 1 && r.streams[0].finished()
		r.mu.Unlock()
		if over {
			return
		}
	}
	t.Fatal("the output was not fetched")
}
