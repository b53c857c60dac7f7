package meta

import (
	"bytes"
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
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

// TestApplyTakes measures what a change costs on three nodes and their disks:
// one at a time, and 16 at once, which share syncs.
func TestApplyTakes(t *testing.T) {
	g := newGroup(t, "c1", "c2", "c3").openAll()
	g.settled()
	lead := g.leader()
	for _, clients := range []int{1, 16} {
		const each = 40
		took := make(chan time.Duration, clients*each)
		begin := time.Now()
		var wait sync.WaitGroup
		for range clients {
			wait.Go(func() {
				for range each {
					at := time.Now()
					if _, err := lead.Apply(context.Background(), SetSetting("a", strings.Repeat("x", 500))); err != nil {
						t.Error(err)
					}
					took <- time.Since(at)
				}
			})
		}
		wait.Wait()
		all := time.Since(begin)
		close(took)
		sorted := slices.Sorted(func(yield func(time.Duration) bool) {
			for d := range took {
				if !yield(d) {
					return
				}
			}
		})
		t.Logf("%d at once: %s (median), %s (p99), %.0f changes a second", clients, sorted[len(sorted)/2], sorted[len(sorted)*99/100], float64(len(sorted))/all.Seconds())
	}
}
