package worker

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/tuttidb/tutti/connectors"
	"github.com/tuttidb/tutti/internal/qerr"
	"github.com/tuttidb/tutti/planner/plan"
	pb "github.com/tuttidb/tutti/proto/tutti/v1"
)

func TestCatalogs(t *testing.T) {
	var made []*numbers
	cs := newTestCatalogs(&made)
	get := func(name string) connectors.Connector {
		c, err := cs.Connector(t.Context(), name)
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	if _, err := cs.Connector(t.Context(), "a"); !qerr.Is(err, qerr.CatalogNotFound) {
		t.Errorf("no catalog: %v", err)
	}
	cs.Set(&pb.Catalogs{Generation: 1, Catalogs: []*pb.CatalogDefinition{{Name: "a"}, {Name: "b"}, {Name: "c", Connector: "broken"}}})
	a, b := get("a"), get("b")
	if _, err := cs.Connector(t.Context(), "c"); err == nil {
		t.Error("broken catalog opened")
	}
	cs.Set(&pb.Catalogs{Generation: 2, Catalogs: []*pb.CatalogDefinition{{Name: "a"}, {Name: "b", Settings: []byte("x: 1")}}})
	if get("a") != a || get("b") == b {
		t.Error("a catalog that did not change was replaced, or one that did was not")
	}
	cs.CloseRetired(time.Now().Add(-time.Hour))
	if b.(*numbers).closed {
		t.Error("closed while older queries may use it")
	}
	cs.CloseRetired(time.Now().Add(time.Hour))
	if !b.(*numbers).closed || a.(*numbers).closed {
		t.Error("retired catalog is open, or one in use closed")
	}
	cs.Close()
	if !a.(*numbers).closed {
		t.Error("open at the end")
	}
}

func definitions(cluster string, generation uint64, defs ...*pb.CatalogDefinition) *pb.Catalogs {
	return &pb.Catalogs{Cluster: cluster, Generation: generation, Catalogs: defs}
}

func def(name, settings string, since, until uint64) *pb.CatalogDefinition {
	return &pb.CatalogDefinition{Name: name, Settings: []byte(settings), Since: since, Until: until}
}

// TestCatalogsAt: a query sees the catalogs of its generation, on workers that
// have seen all changes and on one that joined later and is told of old ones.
func TestCatalogsAt(t *testing.T) {
	static, v2, v5 := def("s", "s", 0, 0), def("a", "v2", 2, 0), def("a", "v5", 5, 0)
	watched, late := newTestCatalogs(new([]*numbers)), newTestCatalogs(new([]*numbers))
	watched.Set(definitions("c", 1, static))
	watched.Set(definitions("c", 2, static, v2))
	watched.Set(definitions("c", 4, static)) // without saying until when
	watched.Set(definitions("c", 5, static, v5))
	late.Set(definitions("c", 5, static, def("a", "v2", 2, 4), v5))
	for name, cs := range map[string]*Catalogs{"watched": watched, "late": late} {
		for generation, want := range []string{"v5", "", "v2", "v2", "", "v5"} {
			k := cs.find("a", uint64(generation))
			if got := string(k.settings()); got != want {
				t.Errorf("%s: generation %d has %q, not %q", name, generation, got, want)
			}
			if k := cs.find("s", uint64(generation)); string(k.settings()) != "s" {
				t.Errorf("%s: generation %d misses the static catalog", name, generation)
			}
		}
	}
}

func (k *catalog) settings() []byte {
	if k == nil {
		return nil
	}
	return k.def.Settings
}

func TestCatalogsSet(t *testing.T) {
	cs := newTestCatalogs(new([]*numbers))
	for _, c := range []struct {
		what    string
		message *pb.Catalogs
		has     string
		at      uint64
	}{
		{"first", definitions("c", 5, def("x", "", 0, 0)), "x", 5},
		{"a coordinator that lags behind", definitions("c", 4, def("old", "", 0, 0)), "x", 5},
		{"one whose disk was emptied", definitions("", 1, def("old", "", 0, 0)), "x", 5},
		{"another coordinator, same generation", definitions("c", 5, def("x", "", 0, 0)), "x", 5},
		{"a change", definitions("c", 6, def("y", "", 6, 0)), "y", 6},
		{"the same definition again", definitions("c", 7, def("y", "", 6, 0), def("x", "", 0, 0)), "x y", 7},
		{"another cluster begins anew", definitions("d", 1, def("z", "", 0, 0)), "z", 1},
		{"and is the one that counts", definitions("d", 2, def("z", "", 0, 0)), "z", 2},
	} {
		cs.Set(c.message)
		var has []string
		for _, name := range []string{"old", "x", "y", "z"} {
			if cs.find(name, 0) != nil {
				has = append(has, name)
			}
		}
		if got := strings.Join(has, " "); got != c.has || cs.Generation() != c.at {
			t.Errorf("%s: has %q in generation %d, not %q in %d", c.what, got, cs.Generation(), c.has, c.at)
		}
	}
}

// TestRetiredDefinitions: a query that began before a catalog was dropped can
// open it even where its connector was closed already.
func TestRetiredDefinitions(t *testing.T) {
	var made []*numbers
	cs := newTestCatalogs(&made)
	cs.Set(definitions("c", 1, def("a", "", 0, 0)))
	open := func() connectors.Connector {
		t.Helper()
		at, err := cs.At(t.Context(), 1)
		if err != nil {
			t.Fatal(err)
		}
		c, err := at.Connector(t.Context(), "a")
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	first := open()
	cs.Set(definitions("c", 2))
	if open() != first {
		t.Error("a running query got another connector")
	}
	cs.CloseRetired(time.Now().Add(time.Minute))
	if !first.(*numbers).closed {
		t.Error("not closed when no query needs it")
	}
	again := open()
	if again == first {
		t.Error("a closed connector was handed out")
	}
	cs.CloseRetired(time.Now().Add(time.Minute))
	if !again.(*numbers).closed {
		t.Error("the second connector stayed open")
	}
	if _, err := cs.Connector(t.Context(), "a"); !qerr.Is(err, qerr.CatalogNotFound) {
		t.Errorf("dropped, but new queries have it: %v", err)
	}
	cs.catalogs[0].retired = time.Now().Add(-2 * keepRetired)
	if cs.CloseRetired(time.Now()); len(cs.catalogs) != 0 {
		t.Error("remembered for ever")
	}
}

// TestTaskBeforeCatalogs: a task may come before the definitions that it was
// planned with. It waits for them, but not for ever, and ends at once when its
// query does.
func TestTaskBeforeCatalogs(t *testing.T) {
	var made []*numbers
	catalogs := newTestCatalogs(&made)
	catalogs.patience = 300 * time.Millisecond
	n := startNode(t, nil, func(d *ManagerDeps) { d.Catalogs = catalogs })
	defer catalogs.Close()
	start := func(q string, generation uint64) *pb.StartTaskRequest {
		req := request(t, q, scanFragment(plan.Gather), 0, 1, 1)
		req.Update.Splits, req.Update.NoMore = []*pb.Split{{Scan: 1, Payload: []byte("0 10")}}, []int32{1}
		req.Catalogs = generation
		if _, err := n.client.StartTask(t.Context(), req); err != nil {
			t.Fatal(err)
		}
		return req
	}
	end := func(q string) {
		if _, err := n.client.EndQuery(t.Context(), &pb.EndQueryRequest{Query: q, Epoch: 1}); err != nil {
			t.Error(err)
		}
	}

	t.Run("never come", func(t *testing.T) {
		w := watch(t.Context(), n, "never")
		st := w.await(t, start("never", 7).Task)
		if f := st.Failure; st.State != pb.TaskState_TASK_STATE_FAILED || f.GetCause() != pb.Failure_CAUSE_NODE || !f.Retryable || f.CountsAgainstWorker {
			t.Errorf("ended as %v", st)
		}
		const want = "The worker has catalogs of generation 0, and waited 300ms in vain for generation 7"
		if st.Failure.GetMessage() != want {
			t.Errorf("says %q", st.Failure.GetMessage())
		}
		end("never")
	})
	t.Run("query ends meanwhile", func(t *testing.T) {
		catalogs.patience = time.Hour
		req := start("ended", 7)
		w := watch(t.Context(), n, "ended")
		<-w.heard
		end("ended")
		if st := w.await(t, req.Task); st.State != pb.TaskState_TASK_STATE_CANCELED {
			t.Errorf("ended as %v", st.State)
		}
	})
	t.Run("come late", func(t *testing.T) {
		catalogs.patience = time.Minute
		w := watch(t.Context(), n, "late")
		req := start("late", 2)
		catalogs.Set(definitions("c", 1))
		w.mu.Lock()
		st := w.last[req.Task.String()]
		w.mu.Unlock()
		if st.GetState() >= pb.TaskState_TASK_STATE_FINISHED {
			t.Errorf("did not wait: %v", st)
		}
		catalogs.Set(definitions("c", 2, def("numbers", "", 2, 0)))
		if st = w.await(t, req.Task); st.State != pb.TaskState_TASK_STATE_FINISHED || st.OutputRows != 10 {
			t.Errorf("ended as %v", st)
		}
		end("late")
	})
}

func TestAtEndsWithItsContext(t *testing.T) {
	cs := newTestCatalogs(new([]*numbers))
	ctx, cancel := context.WithCancelCause(t.Context())
	gone := errors.New("gone")
	cancel(gone)
	if _, err := cs.At(ctx, 1); !errors.Is(err, gone) {
		t.Errorf("error %v", err)
	}
	if _, err := cs.At(ctx, 0); err != nil {
		t.Errorf("whatever there is was waited for: %v", err)
	}
}
