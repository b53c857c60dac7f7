package meta

import (
	"bytes"
	"context"
	"errors"
	"testing"
	"time"

	pb "github.com/tuttidb/tutti/proto/tutti/v1"
)

func single(t *testing.T, dir string) *Node {
	t.Helper()
	n, err := Open(Config{ID: "c1", Dir: dir, Timing: quick, Log: testLog()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { n.Close() })
	return n
}

func TestAlone(t *testing.T) {
	for _, c := range []struct{ name, dir string }{{"memory", ""}, {"disk", t.TempDir()}} {
		t.Run(c.name, func(t *testing.T) {
			n := single(t, c.dir)
			index := apply(t, n, CreateCatalog("lake", "connector: lake"))
			if got := n.State().Catalog("lake"); got.GetDefinition() != "connector: lake" || got.Version != index {
				t.Fatalf("catalog %v after entry %d", got, index)
			}
			if _, err := n.Apply(within(t, time.Second), CreateCatalog("lake", "")); !errors.Is(err, ErrExists) {
				t.Fatalf("made twice: %v", err)
			}
			if err := n.Remember(context.Background(), 1, RememberQuery(&pb.MetaQuery{Id: "q"}, time.Second)); err != nil {
				t.Fatal(err)
			}
			m := n.Members(context.Background())
			if len(m) != 1 || !m[0].Leader || !m[0].Voter || !m[0].Reachable {
				t.Fatalf("members %v", m)
			}
			if err := n.Transfer(within(t, time.Second), ""); !errors.Is(err, ErrInvalid) {
				t.Fatalf("transfer to nobody: %v", err)
			}
			if err := n.Close(); err != nil {
				t.Fatal(err)
			}
			if _, err := n.Apply(within(t, time.Second), Undrain("w1")); !errors.Is(err, ErrClosed) {
				t.Fatalf("after the end: %v", err)
			}
			if c.dir == "" {
				return
			}
			again := single(t, c.dir)
			if s, err := again.Read(within(t, 10*time.Second)); err != nil || s.Catalog("lake") == nil {
				t.Fatalf("after a restart: %v", err)
			}
		})
	}
}

func TestThree(t *testing.T) {
	g := newGroup(t, "c1", "c2", "c3").openAll()
	lead := g.leader()
	for i, n := range append(g.others(lead), lead) {
		name := string(rune('a' + i))
		index := apply(t, n, SetCatalog(name, "x"))
		if n.State().Catalog(name) == nil {
			t.Fatalf("%s does not see its own change", n.cfg.ID)
		}
		for _, o := range g.others(n) {
			s, err := o.Read(within(t, 10*time.Second))
			if err != nil || s.Catalog(name) == nil || s.Index < index {
				t.Fatalf("%s does not see %s of %s: %v", o.cfg.ID, name, n.cfg.ID, err)
			}
		}
	}
	var b bytes.Buffer
	if err := g.others(lead)[0].Backup(within(t, 10*time.Second), &b); err != nil {
		t.Fatal(err)
	}
	apply(t, lead, SetCatalog("later", "x"))
	if err := g.others(lead)[1].Restore(within(t, 20*time.Second), &b); err != nil {
		t.Fatal(err)
	}
	for _, id := range g.ids {
		s, err := g.node(id).Read(within(t, 10*time.Second))
		if err != nil || s.Catalog("later") != nil || s.Catalog("a") == nil {
			t.Fatalf("%s after restoring: %v, %v", id, s, err)
		}
	}
	apply(t, lead, SetCatalog("later", "y"))
}
