package worker

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	"github.com/tuttidb/tutti/exchange"
	"github.com/tuttidb/tutti/exec"
	"github.com/tuttidb/tutti/exec/mem"
	"github.com/tuttidb/tutti/internal/clock"
	"github.com/tuttidb/tutti/internal/qerr"
	"github.com/tuttidb/tutti/planner/plan"
	pb "github.com/tuttidb/tutti/proto/tutti/v1"
)

// runTwoStages runs scan → hash → pass → gather over the nodes and returns
// the root's rows. It plays the coordinator.
func runTwoStages(ctx context.Context, t *testing.T, nodes []*node, q string, numbers int64) (rows, sum int64, err error) {
	n := int32(len(nodes))
	var watchers []*watcher
	for _, x := range nodes {
		watchers = append(watchers, watch(ctx, x, q))
	}
	var ids [3][]*pb.TaskId
	for i, x := range nodes {
		scan, pass := request(t, q, scanFragment(plan.Hash), int32(i), n, n), request(t, q, passFragment(), int32(i), n, 1)
		for k := range int64(4) {
			share := numbers / int64(n) / 4
			from := int64(i)*share*4 + k*share
			scan.Update.Splits = append(scan.Update.Splits, &pb.Split{Id: int64(i)*10 + k, Scan: 1, Payload: fmt.Appendf(nil, "%d %d", from, from+share)})
		}
		scan.Update.NoMore = []int32{1}
		for _, req := range []*pb.StartTaskRequest{pass, scan} {
			if _, err := x.client.StartTask(ctx, req); err != nil {
				return 0, 0, err
			}
			ids[req.Task.Stage] = append(ids[req.Task.Stage], req.Task)
		}
	}
	var scans []*pb.TaskStatus
	for i, id := range ids[2] {
		st := watchers[i].await(t, id)
		if st.State != pb.TaskState_TASK_STATE_FINISHED {
			return 0, 0, fmt.Errorf("scan is %v: %v", st.State, st.Failure)
		}
		if len(st.End.Splits) != 4 || st.DoneSplits != 4 || st.QueuedSplits != 0 {
			t.Errorf("splits of the end: %v, done %d, queued %d", st.End.Splits, st.DoneSplits, st.QueuedSplits)
		}
		scans = append(scans, st)
	}
	root := &pb.Inputs{Complete: []int32{1}}
	for i, id := range ids[1] {
		in := &pb.Inputs{Complete: []int32{2}}
		for k, st := range scans {
			in.Sources = append(in.Sources, sourceOf(nodes[k], st, i))
		}
		if _, err := nodes[i].client.UpdateTask(ctx, &pb.UpdateTaskRequest{Task: id, Epoch: 1, Update: &pb.TaskUpdate{Number: 2, Inputs: in}}); err != nil {
			return 0, 0, err
		}
	}
	for i, id := range ids[1] {
		st := watchers[i].await(t, id)
		if st.State != pb.TaskState_TASK_STATE_FINISHED {
			return 0, 0, fmt.Errorf("pass is %v: %v", st.State, st.Failure)
		}
		root.Sources = append(root.Sources, sourceOf(nodes[i], st, 0))
	}
	return readRoot(ctx, nodes[0], q, root)
}

// readRoot reads as a coordinator does: from a process of its own.
func readRoot(ctx context.Context, n *node, q string, u *pb.Inputs) (rows, sum int64, err error) {
	return readStage(ctx, n, q, 1, u)
}

// readStage reads the output of a stage.
func readStage(ctx context.Context, n *node, q string, stage plan.FragmentID, u *pb.Inputs) (rows, sum int64, err error) {
	pool := mem.NewPool()
	account := mem.NewRoot("coordinator", 0, pool)
	conns := exchange.NewConns(n.auth, insecure.NewCredentials())
	defer conns.Close()
	in := exchange.NewInputs(exchange.InputsConfig{Task: plan.TaskID{Stage: plan.StageID{Query: plan.QueryID(q), Fragment: -1}}, Conns: conns, Auth: n.auth})
	if err := in.Update(u); err != nil {
		return 0, 0, err
	}
	r := passFragment().Root.(*plan.RemoteSource)
	r.Fragments, r.Kind = []plan.FragmentID{stage}, plan.Gather
	op, err := in.Open(r, account)
	if err != nil {
		return 0, 0, err
	}
	rows, sum, err = readAll(ctx, op)
	_ = op.Close()
	in.Close()
	if pool.Out() != 0 || account.Used() != 0 {
		err = errors.Join(err, fmt.Errorf("%d bytes leaked with the reader", pool.Out()))
	}
	return rows, sum, err
}

func endQuery(t testing.TB, n *node, q string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
	defer cancel()
	if _, err := n.client.EndQuery(ctx, &pb.EndQueryRequest{Query: q, Epoch: 1}); err != nil {
		t.Errorf("end query: %v", err)
	}
}

func TestTwoStagesOnTwoWorkers(t *testing.T) {
	nodes := []*node{startNode(t, &numbers{}, nil), startNode(t, &numbers{}, nil)}
	const n = 1_000_000
	rows, sum, err := runTwoStages(t.Context(), t, nodes, "q", n)
	if err != nil || rows != n || sum != n*(n-1)/2 {
		t.Errorf("%d rows with sum %d, %v", rows, sum, err)
	}
	for _, x := range nodes {
		endQuery(t, x, "q")
		x.checkEmpty(t)
	}
}

// TestCancelAtRandomMoments ends queries whenever, and finds nothing left.
func TestCancelAtRandomMoments(t *testing.T) {
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	rnd := rand.New(rand.NewPCG(seed, 0))
	nodes := []*node{startNode(t, &numbers{}, nil), startNode(t, &numbers{}, nil)}
	before := 0
	for round := range 25 {
		if round == 3 {
			before = runtime.NumGoroutine()
		}
		q := fmt.Sprintf("q%d", round)
		ctx, cancel := context.WithCancel(t.Context())
		var wg sync.WaitGroup
		for i, x := range nodes {
			n := int32(len(nodes))
			scan, pass := request(t, q, scanFragment(plan.Hash), int32(i), n, n), request(t, q, passFragment(), int32(i), n, 1)
			scan.Update.Splits = []*pb.Split{{Scan: 1, Payload: fmt.Appendf(nil, "%d %d", i*100_000, (i+1)*100_000)}}
			for k := range nodes {
				pass.Update.Inputs = &pb.Inputs{Sources: []*pb.Source{{Task: &pb.TaskId{Query: q, Stage: 2, Task: int32(k)}, Address: nodes[k].address}}}
			}
			wg.Go(func() {
				_, _ = x.client.StartTask(ctx, scan)
				_, _ = x.client.StartTask(ctx, pass)
			})
		}
		time.Sleep(time.Duration(rnd.IntN(30_000)) * time.Microsecond)
		if round%2 == 0 {
			wg.Wait()
		}
		for _, x := range nodes {
			endQuery(t, x, q)
		}
		wg.Wait()
		cancel()
		for _, x := range nodes { // a start that came after the end
			for _, id := range x.manager.Queries() {
				endQuery(t, x, string(id))
			}
			x.checkEmpty(t)
		}
	}
	deadline := time.Now().Add(3 * time.Second)
	for runtime.NumGoroutine() > before+4 && time.Now().Before(deadline) {
		time.Sleep(10 * time.Millisecond)
	}
	if n := runtime.NumGoroutine(); n > before+4 {
		t.Errorf("%d goroutines, %d before", n, before)
	}
}

func TestStartIsIdempotentAndUpdatesAreOrdered(t *testing.T) {
	n := startNode(t, &numbers{}, nil)
	ctx := t.Context()
	req := request(t, "q", scanFragment(plan.Gather), 0, 1, 1)
	for range 3 {
		if _, err := n.client.StartTask(ctx, req); err != nil {
			t.Fatal(err)
		}
	}
	w := watch(ctx, n, "q")
	update := func(u *pb.TaskUpdate) (*pb.UpdateTaskResponse, error) {
		return n.client.UpdateTask(ctx, &pb.UpdateTaskRequest{Task: req.Task, Epoch: 1, Update: u})
	}
	if _, err := update(&pb.TaskUpdate{Number: 3}); status.Code(err) != codes.FailedPrecondition {
		t.Errorf("update 3 after 1: %v", err)
	}
	first := &pb.TaskUpdate{Number: 2, Splits: []*pb.Split{{Id: 7, Scan: 1, Payload: []byte("0 5000")}}}
	for range 3 {
		if _, err := update(first); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := update(&pb.TaskUpdate{Number: 3, NoMore: []int32{1}}); err != nil {
		t.Fatal(err)
	}
	st := w.await(t, req.Task)
	if st.State != pb.TaskState_TASK_STATE_FINISHED || st.End.Partitions[0].Rows != 5000 || len(st.End.Splits) != 1 || st.End.Splits[0] != 7 {
		t.Errorf("status %v", st)
	}
	if st.OutputRows != 5000 || st.OutputBytes == 0 || st.WallNanos == 0 || len(st.Operators) == 0 {
		t.Errorf("figures %v", st)
	}
	w.mu.Lock()
	states := fmt.Sprint(w.states[req.Task.String()])
	w.mu.Unlock()
	if !strings.HasSuffix(states, "TASK_STATE_FINISHED]") {
		t.Errorf("states %s", states)
	}
	endQuery(t, n, "q")
	if <-w.over; status.Code(w.err) != codes.Unknown && w.err.Error() != "EOF" {
		t.Errorf("watch ends with %v", w.err)
	}
	if _, err := n.client.StartTask(ctx, req); status.Code(err) != codes.FailedPrecondition {
		t.Errorf("start after the query's end: %v", err)
	}
	again := request(t, "q", scanFragment(plan.Gather), 0, 1, 1)
	again.Task.Attempt = 1
	if _, err := n.client.StartTask(ctx, again); err != nil {
		t.Errorf("next attempt after the end of the first: %v", err)
	}
	endQuery(t, n, "q")
}

func TestTakeBack(t *testing.T) {
	gate := make(chan struct{})
	started := make(chan struct{}, 10)
	c := &numbers{onNext: func(ctx context.Context, _ int64) error {
		started <- struct{}{}
		select {
		case <-gate:
		case <-ctx.Done():
		}
		return ctx.Err()
	}}
	n := startNode(t, c, nil)
	req := request(t, "q", scanFragment(plan.Gather), 0, 1, 1)
	for i := range int64(10) {
		req.Update.Splits = append(req.Update.Splits, &pb.Split{Id: i, Scan: 1, Payload: []byte("0 10")})
	}
	if _, err := n.client.StartTask(t.Context(), req); err != nil {
		t.Fatal(err)
	}
	<-started
	<-started // both drivers have theirs
	take := func(number int64) []int64 {
		r, err := n.client.UpdateTask(t.Context(), &pb.UpdateTaskRequest{Task: req.Task, Epoch: 1,
			Update: &pb.TaskUpdate{Number: number, TakeBack: []*pb.TakeBack{{Scan: 1, Count: 3}}}})
		if err != nil {
			t.Fatal(err)
		}
		return r.Returned
	}
	if got, again := take(2), take(2); fmt.Sprint(got) != "[7 8 9]" || fmt.Sprint(again) != fmt.Sprint(got) {
		t.Errorf("taken back %v, said again %v", got, again)
	}
	if got := append(take(3), take(4)...); fmt.Sprint(got) != "[4 5 6 2 3]" {
		t.Errorf("taken back %v", got)
	}
	w := watch(t.Context(), n, "q")
	_, err := n.client.UpdateTask(t.Context(), &pb.UpdateTaskRequest{Task: req.Task, Epoch: 1, Update: &pb.TaskUpdate{Number: 5, NoMore: []int32{1}}})
	if err != nil {
		t.Fatal(err)
	}
	close(gate)
	go func() {
		for range started {
		}
	}()
	if st := w.await(t, req.Task); fmt.Sprint(st.End.Splits) != "[0 1]" || st.End.Partitions[0].Rows != 20 {
		t.Errorf("end %v", st)
	}
	endQuery(t, n, "q")
	close(started)
}

func TestFailures(t *testing.T) {
	upstream := plan.TaskID{Stage: plan.StageID{Query: "q", Fragment: 7}, Task: 1, Attempt: 2}
	for _, c := range []struct {
		name      string
		run       func(ctx context.Context, t *exec.Task) error
		cause     pb.Failure_Cause
		code      string
		text      string
		retryable bool
	}{
		{"user", func(context.Context, *exec.Task) error { return qerr.New(qerr.DivisionByZero, "Division by zero") }, pb.Failure_CAUSE_USER, "DIVISION_BY_ZERO", "Division by zero", false},
		{"query limit", func(_ context.Context, t *exec.Task) error { _, err := t.Account.Alloc(300 << 20); return err },
			pb.Failure_CAUSE_OUT_OF_MEMORY, "EXCEEDED_LOCAL_MEMORY_LIMIT", "Query exceeded per-node memory limit of 256MB [Allocated: 0B, Delta: ", false},
		{"node limit", func(_ context.Context, t *exec.Task) error {
			_, err := mem.NewRoot("process", 1000, mem.NewPool()).Alloc(8000)
			return fmt.Errorf("somewhere: %w", err)
		}, pb.Failure_CAUSE_OUT_OF_MEMORY, "CLUSTER_OUT_OF_MEMORY", "Query killed because the node is out of memory", true},
		{"panic", func(context.Context, *exec.Task) error { panic("oh") }, pb.Failure_CAUSE_INTERNAL, "GENERIC_INTERNAL_ERROR", "internal error: oh", false},
		{"lost", func(context.Context, *exec.Task) error { return &exchange.LostOutput{Task: upstream, Reason: "gone"} }, pb.Failure_CAUSE_LOST_OUTPUT, "PAGE_TRANSPORT_ERROR", "q.7.1.2", true},
		{"storage", func(context.Context, *exec.Task) error { return qerr.New(qerr.LakeFilesystemError, "no").WithRetry() }, pb.Failure_CAUSE_STORAGE, "HIVE_FILESYSTEM_ERROR", "no", true},
		{"disk", func(context.Context, *exec.Task) error { return qerr.New(qerr.ExceededSpillLimit, "full") }, pb.Failure_CAUSE_OUT_OF_MEMORY, "EXCEEDED_SPILL_LIMIT", "full", false},
	} {
		n := startNode(t, &numbers{}, func(d *ManagerDeps) { d.Run = c.run })
		req := request(t, "q", scanFragment(plan.Gather), 0, 1, 1)
		w := watch(t.Context(), n, "q")
		if _, err := n.client.StartTask(t.Context(), req); err != nil {
			t.Fatal(err)
		}
		st := w.await(t, req.Task)
		f := st.Failure
		if st.State != pb.TaskState_TASK_STATE_FAILED || f.Cause != c.cause || f.Name != c.code || f.Retryable != c.retryable || !strings.Contains(f.Message, c.text) {
			t.Errorf("%s: %v", c.name, st)
		}
		if c.name == "lost" && exchange.TaskFromProto(f.Lost) != upstream {
			t.Errorf("lost %v", f.Lost)
		}
		endQuery(t, n, "q")
	}
}

func TestEpochs(t *testing.T) {
	n := startNode(t, &numbers{}, nil)
	req := request(t, "q", scanFragment(plan.Gather), 0, 1, 1)
	req.Epoch = 5
	if _, err := n.client.StartTask(t.Context(), req); err != nil {
		t.Fatal(err)
	}
	req.Epoch = 4
	_, start := n.client.StartTask(t.Context(), req)
	_, update := n.client.UpdateTask(t.Context(), &pb.UpdateTaskRequest{Task: req.Task, Epoch: 4})
	_, release := n.client.ReleaseOutputs(t.Context(), &pb.ReleaseOutputsRequest{Tasks: []*pb.TaskId{req.Task}, Epoch: 4})
	_, end := n.client.EndQuery(t.Context(), &pb.EndQueryRequest{Query: "q", Epoch: 4})
	for what, err := range map[string]error{"start": start, "update": update, "release": release, "end": end} {
		if status.Code(err) != codes.FailedPrecondition {
			t.Errorf("%s of an older epoch: %v", what, err)
		}
	}
	if _, err := n.client.EndQuery(t.Context(), &pb.EndQueryRequest{Query: "q", Epoch: 6}); err != nil {
		t.Error(err)
	}
}

func TestStrangersAreRefused(t *testing.T) {
	n := startNode(t, &numbers{}, nil)
	for name, auth := range map[string]*exchange.Auth{
		"no secret": exchange.NewAuth("", clock.System{}), "another secret": exchange.NewAuth("guess", clock.System{}),
		"an hour ago": exchange.NewAuth("secret", clock.NewManual(time.Now().Add(-time.Hour))),
	} {
		conns := exchange.NewConns(auth, insecure.NewCredentials())
		conn, err := conns.Get(n.address)
		if err != nil {
			t.Fatal(err)
		}
		_, err = pb.NewWorkerClient(conn).EndQuery(t.Context(), &pb.EndQueryRequest{Query: "q"})
		if status.Code(err) != codes.Unauthenticated {
			t.Errorf("%s: %v", name, err)
		}
		stream, err := pb.NewWorkerClient(conn).WatchTasks(t.Context(), &pb.WatchTasksRequest{Query: "q"})
		if err == nil {
			_, err = stream.Recv()
		}
		if status.Code(err) != codes.Unauthenticated {
			t.Errorf("%s: %v", name, err)
		}
		conns.Close()
	}
}

func TestReleaseAndEnough(t *testing.T) {
	n := startNode(t, &numbers{}, nil)
	w := watch(t.Context(), n, "q")
	released, enough := request(t, "q", scanFragment(plan.Gather), 0, 2, 1), request(t, "q", scanFragment(plan.Gather), 1, 2, 1)
	for _, req := range []*pb.StartTaskRequest{released, enough} {
		if _, err := n.client.StartTask(t.Context(), req); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := n.client.ReleaseOutputs(t.Context(), &pb.ReleaseOutputsRequest{Tasks: []*pb.TaskId{released.Task}, Epoch: 1}); err != nil {
		t.Fatal(err)
	}
	if _, err := n.client.UpdateTask(t.Context(), &pb.UpdateTaskRequest{Task: enough.Task, Epoch: 1, Update: &pb.TaskUpdate{Number: 2, Enough: true}}); err != nil {
		t.Fatal(err)
	}
	if st := w.await(t, released.Task); st.State != pb.TaskState_TASK_STATE_ABORTED {
		t.Errorf("released task: %v", st)
	}
	if st := w.await(t, enough.Task); st.State != pb.TaskState_TASK_STATE_CANCELED {
		t.Errorf("task of which there was enough: %v", st)
	}
	endQuery(t, n, "q")
}

// TestLostInput: a task whose input cannot be fetched, and that has used none
// of it, says so and waits; it takes what another attempt has.
func TestLostInput(t *testing.T) {
	a, b := startNode(t, &numbers{}, nil), startNode(t, &numbers{}, nil)
	scan := request(t, "q", scanFragment(plan.Hash), 0, 1, 1)
	scan.Update.Splits, scan.Update.NoMore = []*pb.Split{{Scan: 1, Payload: []byte("0 1000")}}, []int32{1}
	wa, wb := watch(t.Context(), a, "q"), watch(t.Context(), b, "q")
	if _, err := a.client.StartTask(t.Context(), scan); err != nil {
		t.Fatal(err)
	}
	src := sourceOf(a, wa.await(t, scan.Task), 0)
	a.server.Stop()
	pass := request(t, "q", passFragment(), 0, 1, 1)
	pass.Update.Inputs = &pb.Inputs{Sources: []*pb.Source{src}, Complete: []int32{2}}
	if _, err := b.client.StartTask(t.Context(), pass); err != nil {
		t.Fatal(err)
	}
	wb.lost(t, scan.Task)
	scan.Task = proto.Clone(scan.Task).(*pb.TaskId)
	scan.Task.Attempt++
	if _, err := b.client.StartTask(t.Context(), scan); err != nil {
		t.Fatal(err)
	}
	again := sourceOf(b, wb.await(t, scan.Task), 0)
	update := &pb.TaskUpdate{Number: 2, Inputs: &pb.Inputs{Sources: []*pb.Source{again}}}
	if _, err := b.client.UpdateTask(t.Context(), &pb.UpdateTaskRequest{Task: pass.Task, Epoch: 1, Update: update}); err != nil {
		t.Fatal(err)
	}
	if st := wb.await(t, pass.Task); st.State != pb.TaskState_TASK_STATE_FINISHED || st.OutputRows != 1000 {
		t.Errorf("after another attempt: %v", st)
	}
	endQuery(t, b, "q")
}
