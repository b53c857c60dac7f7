package exchange

import (
	"os"
	"testing"

	"github.com/tuttidb/tutti/exec/mem"
	"github.com/tuttidb/tutti/internal/qerr"
	"github.com/tuttidb/tutti/planner/plan"
	pb "github.com/tuttidb/tutti/proto/tutti/v1"
)

func TestFramesOnDisk(t *testing.T) {
	n := newNode(t, nodeConfig{memory: 300_000, disk: 1 << 30, dir: t.TempDir()})
	other := newNode(t, nodeConfig{})
	ends := produce(t, n, taskID(1, 0, 0), 2, 0, 100_000, None)
	if f := n.store.Figures(); f.Files != 1 || f.DiskBytes == 0 || f.MemoryBytes > 300_000 {
		t.Errorf("figures %+v", f)
	}
	for _, reader := range []*testNode{n, other} {
		for p := range 2 {
			in := reader.inputs(p)
			if err := in.Update(&pb.Inputs{Sources: []*pb.Source{sourceOf(n, taskID(1, 0, 0), ends[p])}, Complete: []int32{1}}); err != nil {
				t.Fatal(err)
			}
			rows, _, err := consume(t.Context(), in, remoteNode(plan.Hash, 1), reader.root, 2)
			in.Close()
			if rows != 50_000 || err != nil {
				t.Errorf("%d rows, %v", rows, err)
			}
		}
	}
	n.store.ReleaseQuery("q")
	if f := n.store.Figures(); f != (Figures{}) {
		t.Errorf("figures after release %+v", f)
	}
}

func TestProcessShortOfMemoryMovesFramesToDisk(t *testing.T) {
	pool := mem.NewPool()
	root := mem.NewRoot("process", 24<<20, pool)
	s, err := NewStore(StoreConfig{Account: root.Child("retained", 0), MemoryLimit: 1 << 30, DiskLimit: 1 << 30, Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	n := &testNode{pool: pool, root: root, store: s}
	ends := produce(t, n, taskID(1, 0, 0), 1, 0, 100_000, None)
	big, err := root.Alloc(20 << 20)
	if err != nil {
		t.Fatalf("retained outputs did not make room: %v", err)
	}
	if f := s.Figures(); f.DiskBytes == 0 {
		t.Errorf("figures %+v", f)
	}
	big.Release()
	in := n.inputs(0)
	if err := in.Update(&pb.Inputs{Sources: []*pb.Source{sourceOf(n, taskID(1, 0, 0), ends[0])}, Complete: []int32{1}}); err != nil {
		t.Fatal(err)
	}
	if rows, _, err := consume(t.Context(), in, remoteNode(plan.Gather, 1), root, 2); rows != 100_000 || err != nil {
		t.Errorf("%d rows, %v", rows, err)
	}
	in.Close()
	s.Close()
	if pool.Out() != 0 || root.Used() != 0 {
		t.Errorf("%d bytes leaked, %d accounted", pool.Out(), root.Used())
	}
}

func TestDiskLimit(t *testing.T) {
	for name, cfg := range map[string]nodeConfig{
		"disk limit of 1000kB":    {memory: 1, disk: 1000 << 10, dir: t.TempDir()},
		"there is no directory":   {memory: 1},
		"memory limit of 1000000": {memory: 1000000},
	} {
		n := newNode(t, cfg)
		o, err := n.store.NewOutput(OutputConfig{Task: taskID(1, 0, 0), Types: rowTypes, Partitions: 1, Account: n.root})
		if err != nil {
			t.Fatal(err)
		}
		w := newWriter(n.root)
		for from := int64(0); err == nil && from < 1_000_000; from += 1000 {
			err = writeRows(t, o, w, from, 1000, 1)
		}
		w.release()
		o.Abort()
		if !qerr.Is(err, qerr.ExceededSpillLimit) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestLeftoversAreWiped(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(dir+"/q-old.1.2.3", []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	newNode(t, nodeConfig{dir: dir})
	if left, _ := os.ReadDir(dir); len(left) != 0 {
		t.Errorf("left: %v", left)
	}
}
