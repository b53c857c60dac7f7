package worker

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	"github.com/tuttidb/tutti/exchange"
	"github.com/tuttidb/tutti/planner/plan"
	pb "github.com/tuttidb/tutti/proto/tutti/v1"
)

// scanned runs a scan of numbers on a node and returns its end.
func scanned(t *testing.T, n *node, q string, attempt, outputs int32, numbers int64) *pb.TaskStatus {
	t.Helper()
	kind := plan.Hash
	if outputs == 1 {
		kind = plan.Gather
	}
	req := request(t, q, scanFragment(kind), 0, 1, outputs)
	req.Task.Attempt = attempt
	req.Update.Splits = []*pb.Split{{Id: 1, Scan: 1, Payload: fmt.Appendf(nil, "0 %d", numbers)}}
	req.Update.NoMore = []int32{1}
	w := watch(t.Context(), n, q)
	if _, err := n.client.StartTask(t.Context(), req); err != nil {
		t.Fatal(err)
	}
	st := w.await(t, req.Task)
	if st.State != pb.TaskState_TASK_STATE_FINISHED {
		t.Fatalf("scan is %v: %v", st.State, st.Failure)
	}
	return st
}

// copyRequest asks for a copy of what a task has put out.
func copyRequest(from *node, st *pb.TaskStatus, epoch uint64) *pb.CopyOutputRequest {
	return &pb.CopyOutputRequest{Task: st.Task, Epoch: epoch, Address: from.address, Partitions: st.End.Partitions}
}

// copyTo has a node copy an output.
func copyTo(t *testing.T, to *node, req *pb.CopyOutputRequest) {
	t.Helper()
	if _, err := to.client.CopyOutput(t.Context(), req); err != nil {
		t.Fatal(err)
	}
}

// has reports whether a node serves an output.
func (n *node) has(id *pb.TaskId) bool {
	_, _, ok := n.store.Dropped(exchange.TaskFromProto(id))
	return ok
}

func cause(err error) pb.Failure_Cause {
	for _, d := range status.Convert(err).Details() {
		if f, ok := d.(*pb.Failure); ok {
			return f.Cause
		}
	}
	return pb.Failure_CAUSE_UNSPECIFIED
}

// TestCopyOutput: a copy is read when the output itself is gone, and goes with its
// query.
func TestCopyOutput(t *testing.T) {
	a, b := startNode(t, &numbers{}, nil), startNode(t, &numbers{}, nil)
	const n = 100_000
	st := scanned(t, a, "q", 0, 1, n)
	for range 2 {
		copyTo(t, b, copyRequest(a, st, 1))
	}
	endQuery(t, a, "q")
	rows, sum, err := readStage(t.Context(), b, "q", 2, &pb.Inputs{Sources: []*pb.Source{sourceOf(b, st, 0)}, Complete: []int32{2}})
	if rows != n || sum != n*(n-1)/2 || err != nil {
		t.Errorf("%d rows with sum %d, %v", rows, sum, err)
	}
	if qs := b.manager.Queries(); len(qs) != 1 || qs[0] != "q" {
		t.Errorf("queries of who has a copy only: %v", qs)
	}
	endQuery(t, b, "q")
	b.checkEmpty(t)
	for name, x := range map[string]*node{"had a copy": b, "ran it": a} {
		if _, err := x.client.CopyOutput(t.Context(), copyRequest(a, st, 1)); status.Code(err) != codes.FailedPrecondition {
			t.Errorf("who %s copies after the query's end: %v", name, err)
		}
		x.checkEmpty(t)
	}
}

// TestCopyOutputRefused: what a worker answers that does not copy, and that it
// keeps nothing.
func TestCopyOutputRefused(t *testing.T) {
	a := startNode(t, &numbers{}, nil)
	st := scanned(t, a, "q", 0, 1, 1000)
	for _, c := range []struct {
		name   string
		before func(n *node)
		change func(*pb.CopyOutputRequest)
		code   codes.Code
		cause  pb.Failure_Cause
	}{
		{"nameless", nil, func(r *pb.CopyOutputRequest) { r.Task = nil }, codes.InvalidArgument, 0},
		{"of no query", nil, func(r *pb.CopyOutputRequest) { r.Task = &pb.TaskId{} }, codes.InvalidArgument, 0},
		{"an older epoch's", func(n *node) { _, _ = n.client.AdoptQuery(t.Context(), &pb.AdoptQueryRequest{Query: "x", Epoch: 9}) }, nil, codes.FailedPrecondition, pb.Failure_CAUSE_DEPOSED},
		{"of a query that has ended", func(n *node) { endQuery(t, n, "q") }, nil, codes.FailedPrecondition, 0},
		{"by a node that is drained", func(n *node) { n.manager.Drain() }, nil, codes.Unavailable, pb.Failure_CAUSE_NODE},
		{"by a node that ends", func(n *node) { n.manager.Close(t.Context()) }, nil, codes.Unavailable, pb.Failure_CAUSE_NODE},
		{"of nothing", nil, func(r *pb.CopyOutputRequest) { r.Task = &pb.TaskId{Query: "q", Stage: 7} }, codes.Aborted, pb.Failure_CAUSE_LOST_OUTPUT},
		{"of another size", nil, func(r *pb.CopyOutputRequest) { r.Partitions = []*pb.PartitionEnd{{Frames: 1, Rows: 1}} }, codes.Aborted, 0},
		{"from nowhere", nil, func(r *pb.CopyOutputRequest) { r.Address = "127.0.0.1:1" }, codes.Aborted, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := startNode(t, &numbers{}, nil)
			if c.before != nil {
				c.before(b)
			}
			req := copyRequest(a, st, 1)
			if c.change != nil {
				c.change(req)
			}
			_, err := b.client.CopyOutput(t.Context(), req)
			if status.Code(err) != c.code || cause(err) != c.cause {
				t.Errorf("%v, by %v", err, cause(err))
			}
			if f := b.store.Figures(); f != (exchange.Figures{}) {
				t.Errorf("left: %+v", f)
			}
		})
	}
}

// TestReleaseOfACopy: a copy is released by its name, though no attempt has it
// here, and can be made again.
func TestReleaseOfACopy(t *testing.T) {
	a, b := startNode(t, &numbers{}, nil), startNode(t, &numbers{}, nil)
	st := scanned(t, a, "q", 0, 1, 1000)
	for range 2 {
		copyTo(t, b, copyRequest(a, st, 1))
		if !b.has(st.Task) {
			t.Fatal("it is not there")
		}
		if _, err := b.client.ReleaseOutputs(t.Context(), &pb.ReleaseOutputsRequest{Epoch: 1, Tasks: []*pb.TaskId{st.Task}}); err != nil {
			t.Fatal(err)
		}
		if f := b.store.Figures(); f != (exchange.Figures{}) {
			t.Errorf("left: %+v", f)
		}
	}
}

// TestOwnOutputIsNotCopied: who has made an output has it, or does not take it
// back.
func TestOwnOutputIsNotCopied(t *testing.T) {
	a, b := startNode(t, &numbers{}, nil), startNode(t, &numbers{}, nil)
	st := scanned(t, a, "q", 0, 1, 1000)
	copyTo(t, b, copyRequest(a, st, 1))
	copyTo(t, a, copyRequest(b, st, 1))
	if _, err := a.client.CopyOutput(t.Context(), copyRequest(b, st, 2)); cause(err) != pb.Failure_CAUSE_NODE {
		t.Errorf("for another coordinator: %v", err)
	}
	if !a.has(st.Task) {
		t.Fatal("its own output is gone")
	}
	if _, err := a.client.ReleaseOutputs(t.Context(), &pb.ReleaseOutputsRequest{Epoch: 2, Tasks: []*pb.TaskId{st.Task}}); err != nil {
		t.Fatal(err)
	}
	a.adopt(t, 2)
	if _, err := a.client.UpdateTask(t.Context(), &pb.UpdateTaskRequest{Task: st.Task, Epoch: 2}); err != nil {
		t.Fatal(err)
	}
	if _, err := a.client.CopyOutput(t.Context(), copyRequest(b, st, 2)); cause(err) != pb.Failure_CAUSE_LOST_OUTPUT {
		t.Errorf("after its release: %v", err)
	}
}

// adopt has a node tell the coordinator of an epoch what it has.
func (n *node) adopt(t *testing.T, epoch uint64) *pb.AdoptQueryResponse {
	t.Helper()
	resp, err := n.client.AdoptQuery(t.Context(), &pb.AdoptQueryRequest{Query: "q", Epoch: epoch})
	if err != nil {
		t.Fatal(err)
	}
	return resp
}

// TestCopyOfAnOlderCoordinator: its name counts as known, and makes room: for
// another output of that name, be it copied or made here.
func TestCopyOfAnOlderCoordinator(t *testing.T) {
	a, b, c := startNode(t, &numbers{}, nil), startNode(t, &numbers{}, nil), startNode(t, &numbers{}, nil)
	old := scanned(t, a, "q", 4, 1, 1000)
	copyTo(t, b, copyRequest(a, old, 1))
	if resp := b.adopt(t, 2); resp.NextAttempt != 5 || len(resp.Copies) != 1 || !b.has(old.Task) {
		t.Fatalf("adopted %v", resp)
	}
	other := scanned(t, c, "q", 4, 1, 2000)
	c.adopt(t, 3)
	copyTo(t, b, copyRequest(c, other, 3))
	rows, _, err := readStage(t.Context(), b, "q", 2, &pb.Inputs{Sources: []*pb.Source{sourceOf(b, other, 0)}, Complete: []int32{2}})
	if rows != 2000 || err != nil {
		t.Errorf("%d rows, %v", rows, err)
	}
	req := request(t, "q", scanFragment(plan.Gather), 0, 1, 1)
	req.Task.Attempt, req.Epoch = 4, 4
	if _, err := b.client.StartTask(t.Context(), req); err != nil {
		t.Errorf("an attempt of that name: %v", err)
	}
}

// TestAdoptedCopy: who has a copy says of its attempt, to a coordinator that goes on,
// what the attempt's own worker would, which may be gone; and of a copy of the copy.
func TestAdoptedCopy(t *testing.T) {
	a, b, c := startNode(t, &numbers{}, nil), startNode(t, &numbers{}, nil), startNode(t, &numbers{}, nil)
	st := scanned(t, a, "q", 0, 2, 1000)
	copyTo(t, b, copyRequest(a, st, 1))
	want := a.adopt(t, 1).Tasks[0]
	endQuery(t, a, "q")
	copyTo(t, c, copyRequest(b, st, 1))
	same := func(n *node, epoch, counts uint64) {
		t.Helper()
		resp := n.adopt(t, epoch)
		if len(resp.Tasks) != 0 || len(resp.Copies) != 1 {
			t.Fatalf("adopted %v", resp)
		}
		got := resp.Copies[0]
		want.Epoch, want.Status.Version = counts, got.Status.Version // which moves on
		if !proto.Equal(got, want) {
			t.Errorf("adopted\n%v, want\n%v", got, want)
		}
	}
	same(b, 2, 1)
	same(b, 3, 1) // the second has not said that it counts
	count := func(n *node, epoch uint64) error {
		_, err := n.client.UpdateTask(t.Context(), &pb.UpdateTaskRequest{Task: st.Task, Epoch: epoch})
		return err
	}
	if err := count(b, 3); err != nil {
		t.Error(err)
	}
	same(b, 4, 3)
	same(c, 4, 1)
	if err := count(b, 3); cause(err) != pb.Failure_CAUSE_DEPOSED {
		t.Errorf("an old coordinator counts it: %v", err)
	}
	if _, err := c.client.CopyOutput(t.Context(), &pb.CopyOutputRequest{Task: st.Task, Epoch: 3, Address: b.address, Partitions: st.End.Partitions}); cause(err) != pb.Failure_CAUSE_DEPOSED {
		t.Errorf("an old coordinator has it copied: %v", err)
	}
	if _, err := b.client.UpdateTask(t.Context(), &pb.UpdateTaskRequest{Task: st.Task, Epoch: 4, Update: &pb.TaskUpdate{Number: 2}}); status.Code(err) != codes.NotFound {
		t.Errorf("an update: %v", err)
	}
	if _, err := b.client.ReleaseOutputs(t.Context(), &pb.ReleaseOutputsRequest{Epoch: 4, Tasks: []*pb.TaskId{st.Task}}); err != nil {
		t.Fatal(err)
	}
	if resp := b.adopt(t, 5); len(resp.Copies) != 0 || resp.NextAttempt != 1 {
		t.Errorf("after its release: %v", resp)
	}
}

// TestRejectedCopy: what a coordinator has adopted and does not count is not taken for
// the copy that it wants.
func TestRejectedCopy(t *testing.T) {
	a, b, c := startNode(t, &numbers{}, nil), startNode(t, &numbers{}, nil), startNode(t, &numbers{}, nil)
	copyTo(t, b, copyRequest(a, scanned(t, a, "q", 0, 1, 1000), 1))
	other := scanned(t, c, "q", 0, 1, 2000)
	b.adopt(t, 2)
	c.adopt(t, 2)
	copyTo(t, b, copyRequest(c, other, 2))
	rows, _, err := readStage(t.Context(), b, "q", 2, &pb.Inputs{Sources: []*pb.Source{sourceOf(b, other, 0)}, Complete: []int32{2}})
	if rows != 2000 || err != nil {
		t.Errorf("%d rows, %v", rows, err)
	}
	if _, err := c.client.CopyOutput(t.Context(), copyRequest(b, other, 2)); cause(err) != pb.Failure_CAUSE_NODE {
		t.Errorf("its own output, which is not counted: %v", err)
	}
}

// TestToldAgain: a task that has lost an input tries again when it is told where that
// is, be it where it was thought to be.
func TestToldAgain(t *testing.T) {
	a, b, c := startNode(t, &numbers{}, nil), startNode(t, &numbers{}, nil), startNode(t, &numbers{}, nil)
	st := scanned(t, a, "q", 0, 1, 1000)
	w := watch(t.Context(), c, "q")
	pass := request(t, "q", passFragment(), 0, 1, 1)
	pass.Update.Inputs = &pb.Inputs{Sources: []*pb.Source{sourceOf(b, st, 0)}, Complete: []int32{2}}
	if _, err := c.client.StartTask(t.Context(), pass); err != nil {
		t.Fatal(err)
	}
	w.lost(t, st.Task)
	copyTo(t, b, copyRequest(a, st, 1))
	again := &pb.TaskUpdate{Number: 2, Inputs: &pb.Inputs{Sources: []*pb.Source{sourceOf(b, st, 0)}}}
	if _, err := c.client.UpdateTask(t.Context(), &pb.UpdateTaskRequest{Task: pass.Task, Epoch: 1, Update: again}); err != nil {
		t.Fatal(err)
	}
	if resp := c.adopt(t, 1); len(resp.Tasks) != 1 || len(resp.Tasks[0].Status.LostInputs) != 0 {
		t.Errorf("the loss is told again: %v", resp)
	}
	if end := w.await(t, pass.Task); end.State != pb.TaskState_TASK_STATE_FINISHED {
		t.Fatalf("task is %v: %v", end.State, end.Failure)
	}
}

// TestDescribeTask: what is not there, does not finish or is another coordinator's
// is not described.
func TestDescribeTask(t *testing.T) {
	a, req, let := gated(t)
	describe := func(epoch uint64, id *pb.TaskId) codes.Code {
		ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
		defer cancel()
		_, err := a.client.DescribeTask(ctx, &pb.DescribeTaskRequest{Task: id, Epoch: epoch})
		return status.Code(err)
	}
	if code := describe(1, req.Task); code != codes.DeadlineExceeded {
		t.Errorf("running: %v", code)
	}
	if code := describe(1, &pb.TaskId{Query: "q", Stage: 9}); code != codes.NotFound {
		t.Errorf("unknown: %v", code)
	}
	let()
	if _, err := a.client.DescribeTask(t.Context(), &pb.DescribeTaskRequest{Task: req.Task, Epoch: 1}); err != nil {
		t.Errorf("finished: %v", err)
	}
	if code := describe(2, req.Task); code != codes.FailedPrecondition {
		t.Errorf("to a coordinator that has not adopted it: %v", code)
	}
}

// gated is a node with a scan of 5000 numbers that has not begun to read them.
func gated(t *testing.T) (n *node, req *pb.CopyOutputRequest, let func()) {
	t.Helper()
	gate := make(chan struct{})
	let = sync.OnceFunc(func() { close(gate) })
	n = startNode(t, &numbers{onNext: func(ctx context.Context, _ int64) error {
		select {
		case <-gate:
		case <-ctx.Done():
		}
		return ctx.Err()
	}}, nil)
	start := request(t, "q", scanFragment(plan.Gather), 0, 1, 1)
	start.Update.Splits = []*pb.Split{{Id: 1, Scan: 1, Payload: []byte("0 5000")}}
	start.Update.NoMore = []int32{1}
	if _, err := n.client.StartTask(t.Context(), start); err != nil {
		t.Fatal(err)
	}
	return n, &pb.CopyOutputRequest{Task: start.Task, Epoch: 1, Address: n.address, Partitions: []*pb.PartitionEnd{{Frames: 1, Rows: 5000}}}, let
}

// awaitOutputs waits until a node has so many outputs.
func (n *node) awaitOutputs(t *testing.T, want int) {
	t.Helper()
	for deadline := time.Now().Add(5 * time.Second); n.store.Figures().Outputs != want; time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("the node has %d outputs, %d are waited for", n.store.Figures().Outputs, want)
		}
	}
}

// TestCopyUnderWay: a copy that is being made ends with its query, its release, its
// caller and its node, and leaves nothing.
func TestCopyUnderWay(t *testing.T) {
	for name, stop := range map[string]func(n *node, id *pb.TaskId, cancel func()){
		"the query ends": func(n *node, _ *pb.TaskId, _ func()) { endQuery(t, n, "q") },
		"it is released": func(n *node, id *pb.TaskId, _ func()) {
			_, _ = n.client.ReleaseOutputs(t.Context(), &pb.ReleaseOutputsRequest{Epoch: 1, Tasks: []*pb.TaskId{id}})
		},
		"the caller goes":         func(_ *node, _ *pb.TaskId, cancel func()) { cancel() },
		"the node ends":           func(n *node, _ *pb.TaskId, _ func()) { n.manager.Close(t.Context()) },
		"no coordinator is heard": func(n *node, _ *pb.TaskId, _ func()) { n.manager.endAll(t.Context(), errQueryEnded) },
	} {
		t.Run(name, func(t *testing.T) {
			a, req, let := gated(t)
			b := startNode(t, &numbers{}, nil)
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			done := make(chan error, 1)
			go func() {
				_, err := b.client.CopyOutput(ctx, req)
				done <- err
			}()
			b.awaitOutputs(t, 1)
			stop(b, req.Task, cancel)
			if err := <-done; err == nil {
				t.Error("it was copied")
			}
			b.awaitOutputs(t, 0) // before it could be whole after all: that the caller has gone is heard later
			let()
			endQuery(t, a, "q")
		})
	}
}

// TestTwoCopiesAtOnce: who comes second waits for the first, and takes over from
// one that is given up.
func TestTwoCopiesAtOnce(t *testing.T) {
	for _, giveUp := range []bool{false, true} {
		t.Run(fmt.Sprintf("the first is given up: %v", giveUp), func(t *testing.T) {
			a, req, let := gated(t)
			b := startNode(t, &numbers{}, nil)
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			first, second := make(chan error, 1), make(chan error, 2)
			go func() { _, err := b.client.CopyOutput(ctx, req); first <- err }()
			b.awaitOutputs(t, 1)
			for range 2 {
				go func() { _, err := b.client.CopyOutput(t.Context(), req); second <- err }()
			}
			if giveUp {
				cancel()
				if err := <-first; status.Code(err) != codes.Canceled {
					t.Errorf("the first: %v", err)
				}
			}
			let()
			if !giveUp {
				if err := <-first; err != nil {
					t.Errorf("the first: %v", err)
				}
			}
			for range 2 {
				if err := <-second; err != nil {
					t.Errorf("the second: %v", err)
				}
			}
			if f := b.store.Figures(); f.Outputs != 1 {
				t.Errorf("figures %+v", f)
			}
			endQuery(t, a, "q")
		})
	}
}

// TestNewerCoordinatorWaitsForNoOlderCopy: what an older one wanted is given up.
func TestNewerCoordinatorWaitsForNoOlderCopy(t *testing.T) {
	a, req, let := gated(t)
	defer let()
	b, c := startNode(t, &numbers{}, nil), startNode(t, &numbers{}, nil)
	old := make(chan error, 1)
	go func() { _, err := b.client.CopyOutput(t.Context(), req); old <- err }()
	b.awaitOutputs(t, 1)
	st := scanned(t, c, "q", 0, 1, 2000)
	c.adopt(t, 2)
	copyTo(t, b, copyRequest(c, st, 2))
	if err := <-old; status.Code(err) != codes.Aborted {
		t.Errorf("the old one: %v", err)
	}
	if err := b.store.Whole(exchange.TaskFromProto(st.Task), []exchange.PartitionEnd{{Frames: 1, Rows: 2000}}); err != nil {
		t.Error(err)
	}
	endQuery(t, a, "q")
}

// TestDrainWaitsForCopies: a worker that is being drained stays for who reads the
// copies it has.
func TestDrainWaitsForCopies(t *testing.T) {
	a, b := startNode(t, &numbers{}, nil), startNode(t, &numbers{}, nil)
	st := scanned(t, a, "q", 0, 1, 1000)
	copyTo(t, b, copyRequest(a, st, 1))
	w := &Worker{manager: b.manager, drain: make(chan struct{})}
	done := make(chan error, 1)
	go func() { done <- w.Drain(t.Context()) }()
	<-w.drain
	rows, _, err := readStage(t.Context(), b, "q", 2, &pb.Inputs{Sources: []*pb.Source{sourceOf(b, st, 0)}, Complete: []int32{2}})
	if rows != 1000 || err != nil {
		t.Errorf("%d rows, %v", rows, err)
	}
	select {
	case err := <-done:
		t.Errorf("drained with a copy: %v", err)
	default:
	}
	copyTo(t, b, copyRequest(a, st, 1)) // it has it
	if _, err := b.client.ReleaseOutputs(t.Context(), &pb.ReleaseOutputsRequest{Epoch: 1, Tasks: []*pb.TaskId{st.Task}}); err != nil {
		t.Fatal(err)
	}
	if err := <-done; err != nil {
		t.Error(err)
	}
}

// TestTaskReadsTheCopy: a task whose input is lost with its worker says so, and
// goes on with the copy when it is told of it.
func TestTaskReadsTheCopy(t *testing.T) {
	a, b, c := startNode(t, &numbers{}, nil), startNode(t, &numbers{}, nil), startNode(t, &numbers{}, nil)
	const n = 100_000
	st := scanned(t, a, "q", 0, 2, n)
	copyTo(t, b, copyRequest(a, st, 1))
	endQuery(t, a, "q")
	var rows, sum int64
	for part, reader := range []*node{b, c} { // where the copy is, and elsewhere
		w := watch(t.Context(), reader, "q")
		pass := request(t, "q", passFragment(), int32(part), 2, 1)
		pass.Update.Inputs = &pb.Inputs{Sources: []*pb.Source{sourceOf(a, st, part)}, Complete: []int32{2}}
		if _, err := reader.client.StartTask(t.Context(), pass); err != nil {
			t.Fatal(err)
		}
		w.lost(t, st.Task)
		moved := &pb.TaskUpdate{Number: 2, Inputs: &pb.Inputs{Sources: []*pb.Source{sourceOf(b, st, part)}}}
		if _, err := reader.client.UpdateTask(t.Context(), &pb.UpdateTaskRequest{Task: pass.Task, Epoch: 1, Update: moved}); err != nil {
			t.Fatal(err)
		}
		if resp := reader.adopt(t, 1); len(resp.Tasks) != 1 || len(resp.Tasks[0].Status.LostInputs) != 0 {
			t.Errorf("the loss is told again: %v", resp)
		}
		end := w.await(t, pass.Task)
		if end.State != pb.TaskState_TASK_STATE_FINISHED {
			t.Fatalf("task is %v: %v", end.State, end.Failure)
		}
		r, s, err := readRoot(t.Context(), reader, "q", &pb.Inputs{Sources: []*pb.Source{sourceOf(reader, end, 0)}, Complete: []int32{1}})
		if err != nil {
			t.Fatal(err)
		}
		rows, sum = rows+r, sum+s
	}
	if rows != n || sum != n*(n-1)/2 {
		t.Errorf("%d rows with sum %d", rows, sum)
	}
}
