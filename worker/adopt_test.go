package worker

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	"github.com/tuttidb/tutti/planner/plan"
	pb "github.com/tuttidb/tutti/proto/tutti/v1"
)

// isDeposed reports whether a worker says that another coordinator leads.
func isDeposed(err error) bool {
	for _, d := range status.Convert(err).Details() {
		if f, ok := d.(*pb.Failure); ok && f.Cause == pb.Failure_CAUSE_DEPOSED {
			return status.Code(err) == codes.FailedPrecondition
		}
	}
	return false
}

// held starts a scan task that has read one of its splits and waits in the next.
func held(t *testing.T) (n *node, req *pb.StartTaskRequest) {
	t.Helper()
	hold := make(chan struct{})
	reading := make(chan struct{}, 8)
	n = startNode(t, &numbers{onNext: func(ctx context.Context, at int64) error {
		if at < 100 {
			return nil
		}
		select {
		case reading <- struct{}{}:
		default: // nobody waits for another one
		}
		select {
		case <-hold:
		case <-ctx.Done():
		}
		return ctx.Err()
	}}, nil)
	t.Cleanup(func() { close(hold) })
	req = request(t, "q", scanFragment(plan.Gather), 0, 1, 1)
	req.Settings.Drivers = 1
	for i := range int64(4) {
		req.Update.Splits = append(req.Update.Splits, &pb.Split{Id: 10 + i, Scan: 1, Payload: fmt.Appendf(nil, "%d %d", 100*i, 100*i+10), Affinity: "f", Bytes: 5})
	}
	if _, err := n.client.StartTask(t.Context(), req); err != nil {
		t.Fatal(err)
	}
	<-reading
	return n, req
}

// TestAdoptQuery: a worker says what an attempt was told, in sum, and that of an
// older coordinator counts no more.
func TestAdoptQuery(t *testing.T) {
	n, req := held(t)
	ctx := t.Context()
	src := &pb.Source{Task: &pb.TaskId{Query: "q", Stage: 5}, Address: n.address}
	done := &pb.Source{Task: src.Task, Address: n.address, Committed: true, Frames: 3, Rows: 4}
	for i, u := range []*pb.TaskUpdate{
		{Inputs: &pb.Inputs{Sources: []*pb.Source{src}}, NoFilters: []int32{7}},
		{TakeBack: []*pb.TakeBack{{Scan: 1, Count: 1}}},
		{Inputs: &pb.Inputs{Sources: []*pb.Source{done}, Complete: []int32{5}}, NoMore: []int32{1}},
	} {
		u.Number = int64(i + 2)
		if _, err := n.client.UpdateTask(ctx, &pb.UpdateTaskRequest{Task: req.Task, Epoch: 1, Update: u}); err != nil {
			t.Fatal(err)
		}
	}
	old := watch(ctx, n, "q")
	<-old.heard
	resp, err := n.client.AdoptQuery(ctx, &pb.AdoptQueryRequest{Query: "q", Epoch: 2})
	if err != nil || len(resp.Tasks) != 1 || resp.NextAttempt != 1 || resp.Ended {
		t.Fatalf("adopted %v, %v", resp, err)
	}
	a := resp.Tasks[0]
	var splits []int64
	for _, s := range a.Told.Splits {
		splits = append(splits, s.Id)
		if string(s.Payload) != fmt.Sprintf("%d %d", 100*(s.Id-10), 100*(s.Id-10)+10) || s.Affinity != "f" || s.Bytes != 5 || s.Scan != 1 {
			t.Errorf("split %v", s)
		}
	}
	if !slices.Equal(splits, []int64{10, 11, 12}) || a.Told.Number != 4 || !slices.Equal(a.Told.NoMore, []int32{1}) || !slices.Equal(a.Filters, []int32{7}) {
		t.Errorf("told %v, filters %v", a.Told, a.Filters)
	}
	if in := a.Told.Inputs; len(in.Sources) != 1 || !in.Sources[0].Committed || !slices.Equal(in.Complete, []int32{5}) {
		t.Errorf("inputs %v", a.Told.Inputs)
	}
	if a.Epoch != 1 || a.Chosen || a.Released || a.OutputPartitions != 1 || a.Partitions != 1 || a.Status.State != pb.TaskState_TASK_STATE_RUNNING {
		t.Errorf("task %v", a)
	}
	t.Run("older words", func(t *testing.T) { refusesOlder(t, n, req) })
	<-old.over
	if !isDeposed(old.err) {
		t.Errorf("the old coordinator's watch ended with %v", old.err)
	}
	if _, err := n.client.UpdateTask(ctx, &pb.UpdateTaskRequest{Task: req.Task, Epoch: 2}); err != nil {
		t.Fatal(err)
	}
	again, err := n.client.AdoptQuery(ctx, &pb.AdoptQueryRequest{Query: "q", Epoch: 3})
	if err != nil || len(again.Tasks) != 1 || again.Tasks[0].Epoch != 2 || again.Tasks[0].Told.Number != 4 {
		t.Fatalf("adopted again %v, %v", again, err)
	}
}

// refusesOlder says everything that a coordinator can in an older epoch.
func refusesOlder(t *testing.T, n *node, req *pb.StartTaskRequest) {
	ctx := t.Context()
	other := request(t, "q", scanFragment(plan.Gather), 1, 2, 1)
	for name, call := range map[string]func() error{
		"start":       func() error { _, err := n.client.StartTask(ctx, other); return err },
		"start again": func() error { _, err := n.client.StartTask(ctx, req); return err },
		"update": func() error {
			_, err := n.client.UpdateTask(ctx, &pb.UpdateTaskRequest{Task: req.Task, Epoch: 1, Update: &pb.TaskUpdate{Number: 5, NoMore: []int32{1}}})
			return err
		},
		"release": func() error {
			_, err := n.client.ReleaseOutputs(ctx, &pb.ReleaseOutputsRequest{Epoch: 1, Tasks: []*pb.TaskId{req.Task}})
			return err
		},
		"delivered": func() error {
			_, err := n.client.ReleaseOutputs(ctx, &pb.ReleaseOutputsRequest{Epoch: 1, Delivered: []*pb.DeliveredRows{{Task: req.Task, Rows: 9}}})
			return err
		},
		"end": func() error { _, err := n.client.EndQuery(ctx, &pb.EndQueryRequest{Query: "q", Epoch: 1}); return err },
		"adopt": func() error {
			_, err := n.client.AdoptQuery(ctx, &pb.AdoptQueryRequest{Query: "q", Epoch: 1})
			return err
		},
		"watch": func() error {
			stream, err := n.client.WatchTasks(ctx, &pb.WatchTasksRequest{Query: "q", Epoch: 1})
			if err == nil {
				_, err = stream.Recv()
			}
			return err
		},
	} {
		if err := call(); !isDeposed(err) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if n.manager.Queries()[0] != "q" {
		t.Error("the query has ended")
	}
}

// TestWatchAnew: a coordinator that takes over hears of all that was reported
// before, once.
func TestWatchAnew(t *testing.T) {
	n := startNode(t, &numbers{}, nil)
	req := request(t, "q", scanFragment(plan.Gather), 0, 1, 1)
	req.Update.Splits = []*pb.Split{{Id: 1, Scan: 1, Payload: []byte("0 10")}}
	req.Update.NoMore = []int32{1}
	w := watch(t.Context(), n, "q")
	if _, err := n.client.StartTask(t.Context(), req); err != nil {
		t.Fatal(err)
	}
	if st := w.await(t, req.Task); st.State != pb.TaskState_TASK_STATE_FINISHED {
		t.Fatal(st)
	}
	resp, err := n.client.AdoptQuery(t.Context(), &pb.AdoptQueryRequest{Query: "q", Epoch: 2})
	if err != nil || len(resp.Tasks) != 1 || resp.Tasks[0].Status.End == nil {
		t.Fatalf("adopted %v, %v", resp, err)
	}
	stream, err := n.client.WatchTasks(t.Context(), &pb.WatchTasksRequest{Query: "q", Epoch: 2})
	if err != nil {
		t.Fatal(err)
	}
	msg, err := stream.Recv()
	if err != nil || len(msg.Tasks) != 1 || msg.Tasks[0].End == nil || msg.Tasks[0].Version <= resp.Tasks[0].Status.Version {
		t.Errorf("told anew %v, %v; adopted as version %d", msg, err, resp.Tasks[0].Status.Version)
	}
}

// TestAdoptEnded: a worker at which a query was ended says so, and which numbers
// are used up; another run is welcome.
func TestAdoptEnded(t *testing.T) {
	n, req := held(t)
	endQuery(t, n, "q")
	adopt := func(epoch uint64) *pb.AdoptQueryResponse {
		resp, err := n.client.AdoptQuery(t.Context(), &pb.AdoptQueryRequest{Query: "q", Epoch: epoch})
		if err != nil {
			t.Fatal(err)
		}
		return resp
	}
	if r := adopt(2); !r.Ended || r.NextAttempt != 1 || len(r.Tasks) != 0 {
		t.Errorf("ended: %v", r)
	}
	if r, err := n.client.AdoptQuery(t.Context(), &pb.AdoptQueryRequest{Query: "unheard of", Epoch: 2}); err != nil || r.Ended || r.NextAttempt != 0 {
		t.Errorf("unknown: %v, %v", r, err)
	}
	req.Epoch = 2
	if _, err := n.client.StartTask(t.Context(), req); err == nil {
		t.Error("an ended attempt was started")
	}
	req.Task.Attempt = 5
	if _, err := n.client.StartTask(t.Context(), req); err != nil {
		t.Error(err)
	}
	if r := adopt(3); r.Ended || r.NextAttempt != 6 || len(r.Tasks) != 1 {
		t.Errorf("with another run: %v", r)
	}
}

// TestStrangeAttempt: an attempt of another coordinator's is not taken for one's
// own because it has the same number.
func TestStrangeAttempt(t *testing.T) {
	n, req := held(t)
	req.Epoch = 2
	_, err := n.client.StartTask(t.Context(), req)
	if status.Code(err) != codes.Unavailable || isDeposed(err) {
		t.Errorf("started: %v", err)
	}
	if _, err := n.client.AdoptQuery(t.Context(), &pb.AdoptQueryRequest{Query: "q", Epoch: 2}); err != nil {
		t.Fatal(err)
	}
	if _, err := n.client.StartTask(t.Context(), req); status.Code(err) != codes.Unavailable || isDeposed(err) {
		t.Errorf("started after the answer to who asked was lost: %v", err)
	}
}

// TestStrangersWord: who watches hears of the attempts that it began or took
// over, not of those of a coordinator before it that it never asked about.
func TestStrangersWord(t *testing.T) {
	n, req := held(t)
	stream, err := n.client.WatchTasks(t.Context(), &pb.WatchTasksRequest{Query: "q", Epoch: 2})
	if err != nil {
		t.Fatal(err)
	}
	own := proto.CloneOf(req)
	own.Epoch, own.Task.Attempt = 2, req.Task.Attempt+1
	if _, err := n.client.StartTask(t.Context(), own); err != nil {
		t.Fatal(err)
	}
	msg, err := stream.Recv()
	if err != nil || len(msg.Tasks) != 1 || msg.Tasks[0].Task.Attempt != own.Task.Attempt {
		t.Errorf("heard %v, %v", msg, err)
	}
	if _, err := n.client.AdoptQuery(t.Context(), &pb.AdoptQueryRequest{Query: "q", Epoch: 2}); err != nil {
		t.Fatal(err)
	}
	for !slices.ContainsFunc(msg.GetTasks(), func(st *pb.TaskStatus) bool { return st.Task.Attempt == req.Task.Attempt }) {
		if msg, err = stream.Recv(); err != nil {
			t.Fatalf("taken over, and not heard of: %v", err)
		}
	}
}

// TestAdoptAgain: an attempt is of the last coordinator that is known to count
// it, whoever else has asked for it: the answer may have been lost, or the
// attempt was strange to who asked.
func TestAdoptAgain(t *testing.T) {
	n, req := held(t)
	for _, c := range []struct {
		epoch, want uint64
		counts      bool
	}{{2, 1, false}, {2, 1, true}, {5, 2, false}, {6, 2, true}, {7, 6, false}} {
		resp, err := n.client.AdoptQuery(t.Context(), &pb.AdoptQueryRequest{Query: "q", Epoch: c.epoch})
		if err != nil || len(resp.Tasks) != 1 || resp.Tasks[0].Epoch != c.want {
			t.Errorf("epoch %d: %v, %v", c.epoch, resp, err)
		}
		if c.counts {
			if _, err := n.client.UpdateTask(t.Context(), &pb.UpdateTaskRequest{Task: req.Task, Epoch: c.epoch}); err != nil {
				t.Error(err)
			}
		}
	}
}

// TestChosen: what is delivered of a result is gone, and known to be.
func TestChosen(t *testing.T) {
	n := startNode(t, &numbers{}, nil)
	req := request(t, "q", scanFragment(plan.Gather), 0, 1, 1)
	req.StreamOutput, req.KeepSent = true, true
	req.Settings.Drivers = 1
	req.Update.Splits = []*pb.Split{{Id: 1, Scan: 1, Payload: []byte("0 300000")}}
	req.Update.NoMore = []int32{1}
	w := watch(t.Context(), n, "q")
	if _, err := n.client.StartTask(t.Context(), req); err != nil {
		t.Fatal(err)
	}
	w.await(t, req.Task)
	deliver := func(rows int64) *pb.AdoptedTask {
		t.Helper()
		_, err := n.client.ReleaseOutputs(t.Context(), &pb.ReleaseOutputsRequest{Epoch: 1, Delivered: []*pb.DeliveredRows{{Task: req.Task, Rows: rows}}})
		if err != nil {
			t.Fatal(err)
		}
		resp, err := n.client.AdoptQuery(t.Context(), &pb.AdoptQueryRequest{Query: "q", Epoch: 1})
		if err != nil || len(resp.Tasks) != 1 {
			t.Fatalf("%v, %v", resp, err)
		}
		return resp.Tasks[0]
	}
	if a := deliver(0); !a.Chosen || a.ChosenEpoch != 1 || a.DroppedRows != 0 || a.Released {
		t.Errorf("nothing delivered: %v", a)
	}
	a := deliver(200_000)
	if a.DroppedRows <= 0 || a.DroppedRows > 200_000 || a.DroppedFrames <= 0 || a.Released {
		t.Errorf("some delivered: %d rows in %d frames are gone", a.DroppedRows, a.DroppedFrames)
	}
	src := sourceOf(n, a.Status, 0)
	src.SkippedFrames, src.SkippedRows = a.DroppedFrames, a.DroppedRows
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	rows, _, err := readStage(ctx, n, "q", 2, &pb.Inputs{Sources: []*pb.Source{src}, Complete: []int32{2}})
	if err != nil || rows != 300_000-a.DroppedRows {
		t.Errorf("the rest has %d rows of %d: %v", rows, 300_000-a.DroppedRows, err)
	}
}

// TestReadInTwoPlaces: an output that two nodes of a task's plan read is needed
// until both have it; else it could go, or not be made again, while one waits.
func TestReadInTwoPlaces(t *testing.T) {
	twice := &plan.RemoteSource{Fragments: []plan.FragmentID{1}}
	f := &plan.Fragment{Root: &plan.Union{In: []plan.Node{twice, &plan.RemoteSource{Fragments: []plan.FragmentID{1, 2}}}}}
	a := &attempt{readers: readersOf(f), reads: map[plan.TaskID]int{}, q: newQuery("q", time.Now())}
	for i, c := range []struct {
		stage plan.FragmentID
		want  int // outputs known to be here
	}{{1, 0}, {2, 1}, {1, 2}} {
		a.read(plan.TaskID{Stage: plan.StageID{Query: "q", Fragment: c.stage}})
		if read, _, _ := a.inputsSince(0, 0); len(read) != c.want {
			t.Errorf("after %d reads: %v", i+1, read)
		}
	}
}
