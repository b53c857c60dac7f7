package meta

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/tuttidb/tutti/internal/qerr"
	pb "github.com/tuttidb/tutti/proto/tutti/v1"
)

// TestLeadersDie kills the leader 20 times (5 where the race detector watches) while clients on all nodes make
// changes. No acknowledged change may be lost, and none may happen twice:
// each is a catalog that only its own entry can create, so a second time would
// be told as ErrExists.
func TestLeadersDie(t *testing.T) {
	t.Parallel()
	g := newGroup(t, "c1", "c2", "c3").openAll()
	g.leader()
	var mu sync.Mutex
	acked := map[string]bool{}
	var made, unknown atomic.Int64
	ctx, stop := context.WithCancel(context.Background())
	var clients sync.WaitGroup
	for _, id := range g.ids {
		clients.Go(func() {
			for i := 0; ctx.Err() == nil; i++ {
				n := g.node(id)
				if n == nil {
					time.Sleep(10 * time.Millisecond)
					continue
				}
				name := fmt.Sprintf("%s-%d", id, i)
				try, cancel := context.WithTimeout(context.Background(), 10*time.Second)
				_, err := n.Apply(try, CreateCatalog(name, name))
				cancel()
				switch {
				case err == nil:
					mu.Lock()
					acked[name] = true
					mu.Unlock()
					made.Add(1)
				case errors.Is(err, ErrExists):
					t.Errorf("%s was applied twice: %v", name, err)
				case errors.Is(err, ErrClosed), errors.Is(err, ErrUnknown), errors.Is(err, ErrNoQuorum):
					unknown.Add(1) // its own node died
				default:
					t.Errorf("%s: %v", name, err)
				}
				time.Sleep(2 * time.Millisecond)
			}
		})
	}
	var gaps []time.Duration
	kills := 20
	if raced {
		kills = 5
	}
	for range kills {
		lead := g.leader()
		rest := g.others(lead)
		g.kill(lead.cfg.ID)
		begin := time.Now()
		apply(t, rest[0], SetSetting("after", "a kill"))
		gaps = append(gaps, time.Since(begin))
		g.open(lead.cfg.ID)
		g.settled()
	}
	stop()
	clients.Wait()
	for _, id := range g.ids {
		s, err := g.node(id).Read(within(t, 10*time.Second))
		if err != nil {
			t.Fatal(err)
		}
		for name := range acked {
			if s.Catalog(name).GetDefinition() != name {
				t.Errorf("%s lost %s", id, name)
			}
		}
	}
	slices.Sort(gaps)
	t.Logf("%d changes acknowledged, %d unknown; from a kill to the next change %s (median), %s (worst)", made.Load(), unknown.Load(), gaps[len(gaps)/2], gaps[len(gaps)-1])
	if gaps[len(gaps)-1] > 10*time.Second || made.Load() < 100 {
		t.Errorf("too slow: %v, %d changes", gaps, made.Load())
	}
}

// TestHandOver moves the leadership on request, and at a node's orderly end.
func TestHandOver(t *testing.T) {
	t.Parallel()
	g := newGroup(t, "c1", "c2", "c3").openAll()
	g.settled()
	var gaps []time.Duration
	for i := range 6 {
		lead := g.leader()
		rest := g.others(lead)
		to := ""
		if i%2 == 0 {
			to = rest[0].cfg.ID
		}
		begin := time.Now()
		if err := rest[1].Transfer(within(t, 10*time.Second), to); err != nil {
			t.Fatal(err)
		}
		apply(t, rest[1], SetSetting("moved", fmt.Sprint(i)))
		gaps = append(gaps, time.Since(begin))
		if now := g.leader(); now == lead || to != "" && now.cfg.ID != to {
			t.Fatalf("%s leads after a transfer from %s to %q", now.cfg.ID, lead.cfg.ID, to)
		}
	}
	if err := g.leader().Transfer(within(t, time.Second), "c9"); !errors.Is(err, ErrNotFound) {
		t.Fatalf("to nobody: %v", err)
	}
	lead := g.leader()
	rest := g.others(lead)
	begin := time.Now()
	closed := make(chan struct{})
	go func() { g.stop(lead.cfg.ID); close(closed) }()
	g.until("the leadership has moved", func() error {
		for _, n := range rest {
			if n.ready.Load() != 0 {
				return nil
			}
		}
		return errors.New("none leads")
	})
	t.Logf("from the request to the next change %v; after an orderly end %s", gaps, time.Since(begin))
	<-closed
	apply(t, rest[0], SetSetting("moved", "on"))
}

// TestPartition cuts the leader off from the others: they go on, it refuses,
// and when the links are mended it has what they decided.
func TestPartition(t *testing.T) {
	t.Parallel()
	g := newGroup(t, "c1", "c2", "c3").openAll()
	g.settled()
	old := g.leader()
	rest := g.others(old)
	epoch := old.ready.Load()
	apply(t, old, SetCatalog("a", "before"))
	g.isolate(old.cfg.ID, true)
	apply(t, rest[0], SetCatalog("a", "after"))

	// The cut-off node neither changes nor tells anything.
	_, err := old.Apply(within(t, 1500*time.Millisecond), SetCatalog("a", "wrong"))
	if !errors.Is(err, ErrNoQuorum) || !qerr.Is(err, qerr.ServerStartingUp) || !strings.Contains(err.Error(), "1 of 3 answer") {
		t.Fatalf("a change on a minority: %v", err)
	}
	if _, err := old.Read(within(t, time.Second)); !errors.Is(err, ErrNoQuorum) {
		t.Fatalf("a reading on a minority: %v", err)
	}
	if got := old.State().Catalog("a").GetDefinition(); got != "before" {
		t.Fatalf("the minority has %q", got)
	}
	if old.ready.Load() != 0 {
		t.Fatal("it still leads")
	}
	g.isolate(old.cfg.ID, false)
	g.until("it has caught up", func() error {
		if got := old.State().Catalog("a").GetDefinition(); got != "after" {
			return fmt.Errorf("it has %q", got)
		}
		return nil
	})
	if _, err := old.ApplyAs(within(t, 10*time.Second), epoch, SetCatalog("a", "late")); !errors.Is(err, ErrFenced) {
		t.Fatalf("on behalf of the old leader: %v", err)
	}
}

// TestNoQuorum loses two of three. The third says so, and is right again when
// one comes back.
func TestNoQuorum(t *testing.T) {
	t.Parallel()
	g := newGroup(t, "c1", "c2", "c3").openAll()
	g.settled()
	apply(t, g.node("c1"), SetCatalog("a", "x"))
	g.kill("c2")
	g.kill("c3")
	n := g.node("c1")
	for what, err := range map[string]error{
		"a change":  func() error { _, err := n.Apply(within(t, 1500*time.Millisecond), SetCatalog("a", "y")); return err }(),
		"a reading": func() error { _, err := n.Read(within(t, 1500*time.Millisecond)); return err }(),
		"a backup":  n.Backup(within(t, time.Second), &bytes.Buffer{}),
	} {
		if !errors.Is(err, ErrNoQuorum) || !strings.Contains(err.Error(), "c2 does not answer") {
			t.Errorf("%s: %v", what, err)
		}
	}
	g.open("c3")
	s, err := n.Read(within(t, 20*time.Second))
	if err != nil || s.Catalog("a") == nil {
		t.Fatalf("with two of three again: %v", err)
	}
	apply(t, n, SetCatalog("b", "z"))
}

// TestOutOfOrder starts a cluster in every order, and its nodes again before
// it is founded.
func TestOutOfOrder(t *testing.T) {
	t.Parallel()
	for _, order := range []string{"c3 c2 c1", "c2 c3 -c2 -c3 c3 c1 c2", "c1 -c1 c1 c3 -c1 c1 c2", "c1 c3"} {
		t.Run(order, func(t *testing.T) {
			g := newGroup(t, "c1", "c2", "c3")
			for step := range strings.FieldsSeq(order) {
				if id, stop := strings.CutPrefix(step, "-"); stop {
					g.kill(id)
				} else {
					g.open(id)
				}
				time.Sleep(30 * time.Millisecond)
			}
			apply(t, g.node("c1"), SetCatalog("a", "x"))
			if g.node("c2") == nil {
				g.open("c2") // late, when there is a cluster: it joins
			}
			g.settled()
			cluster := g.leader().State().ClusterID
			for _, id := range g.ids {
				if s, err := g.node(id).Read(within(t, 10*time.Second)); err != nil || s.Catalog("a") == nil || s.ClusterID != cluster || cluster == "" {
					t.Fatalf("%s: cluster %s, want %s: %v", id, s.ClusterID, cluster, err)
				}
			}
		})
	}
}

// TestFoundsNothingAlone: the lowest name decides, and not without a majority.
func TestFoundsNothingAlone(t *testing.T) {
	t.Parallel()
	for _, ids := range [][]string{{"c1"}, {"c2", "c3"}} {
		g := newGroup(t, "c1", "c2", "c3")
		for _, id := range ids {
			g.open(id)
		}
		time.Sleep(3 * quick.Grace)
		for _, id := range ids {
			if g.node(id).configured() {
				t.Errorf("%v founded a cluster", ids)
			}
		}
	}
}

// TestDiskEmptied removes a node's folder, the founder's too: it finds the
// cluster, joins without a vote, catches up and votes again.
func TestDiskEmptied(t *testing.T) {
	t.Parallel()
	g := newGroup(t, "c1", "c2", "c3").openAll()
	g.settled()
	for i := range 800 { // beyond a snapshot
		if _, err := g.leader().Apply(within(t, 10*time.Second), SetCatalog(fmt.Sprint("c", i%50), fmt.Sprint(i))); err != nil {
			t.Fatal(err)
		}
	}
	cluster := g.leader().State().ClusterID
	for _, id := range []string{"c1", "c3"} {
		g.kill(id)
		if err := os.RemoveAll(g.folder(id)); err != nil {
			t.Fatal(err)
		}
		n := g.open(id)
		if n.mayVote() && n.configured() {
			t.Fatal("it votes with an empty disk")
		}
		g.settled()
		if s := n.State(); s.ClusterID != cluster || s.Catalog("c49").GetDefinition() != "799" {
			t.Fatalf("%s: cluster %s, want %s", id, s.ClusterID, cluster)
		}
		g.until("it has heard that it votes again", func() error {
			if !n.mayVote() {
				return errors.New("it may not vote")
			}
			return nil
		})
	}
	// Its vote counts: with it and one other there is a majority.
	g.kill("c2")
	apply(t, g.node("c1"), SetCatalog("last", "x"))
	// And after a restart it still does.
	g.open("c2")
	g.kill("c3")
	g.open("c3")
	g.settled()
}

// TestEmptiedNeedsTheOthers: one emptied, one down. There is no majority that
// remembers, so nothing may be decided, and no new cluster founded.
func TestEmptiedNeedsTheOthers(t *testing.T) {
	t.Parallel()
	g := newGroup(t, "c1", "c2", "c3").openAll()
	g.settled()
	apply(t, g.node("c2"), SetCatalog("a", "x"))
	g.kill("c1")
	g.kill("c2")
	if err := os.RemoveAll(g.folder("c1")); err != nil {
		t.Fatal(err)
	}
	n := g.open("c1")
	time.Sleep(3 * quick.Grace)
	if n.configured() || g.node("c3").ready.Load() != 0 {
		t.Fatal("an empty disk made a majority")
	}
	if _, err := n.Read(within(t, time.Second)); !errors.Is(err, ErrNoQuorum) {
		t.Fatal(err)
	}
	g.open("c2")
	g.settled()
	if n.State().Catalog("a") == nil {
		t.Fatal("it joined, and has not what was decided")
	}
}

// TestDiskFails fails the disk of the leader, then of a follower: the others
// go on, and the node says which file it was.
func TestDiskFails(t *testing.T) {
	t.Parallel()
	full := errors.New("no space left on device")
	for _, who := range []string{"leader", "follower"} {
		t.Run(who, func(t *testing.T) {
			g := newGroup(t, "c1", "c2", "c3").openAll()
			g.settled()
			sick := g.leader()
			if who == "follower" {
				sick = g.others(sick)[0]
			}
			rest := g.others(sick)
			sick.store.fault = func() error { return full }
			index := apply(t, rest[0], SetCatalog("a", "x"))
			if who == "follower" {
				apply(t, rest[1], SetCatalog("a", "y"))
			}
			select {
			case <-sick.Failed():
			case <-time.After(10 * time.Second):
				t.Fatal("it does not say so")
			}
			var d *DiskError
			if err := sick.Err(); !errors.As(err, &d) || d.Path != filepath.Join(g.folder(sick.cfg.ID), "raft.db") || !errors.Is(err, full) {
				t.Fatal(err)
			}
			if _, err := sick.Apply(within(t, time.Second), Undrain("w")); !errors.Is(err, full) {
				t.Fatalf("a change on it: %v", err)
			}
			if err := rest[1].waitIndex(within(t, 10*time.Second), index); err != nil {
				t.Fatal(err)
			}
			for _, m := range rest[0].Members(context.Background()) {
				if (m.ID == sick.cfg.ID) != strings.Contains(m.Failure, "raft.db") {
					t.Errorf("members: %s", m)
				}
			}
			id := sick.cfg.ID
			g.kill(id)
			g.open(id) // somebody made room
			g.settled()
		})
	}
}

// TestDamagedFile: a node whose file is damaged does not start, says which
// file it is, and comes back when that is gone.
func TestDamagedFile(t *testing.T) {
	t.Parallel()
	g := newGroup(t, "c1", "c2", "c3").openAll()
	g.settled()
	apply(t, g.node("c2"), SetCatalog("a", "x"))
	g.kill("c2")
	file := filepath.Join(g.folder("c2"), "raft.db")
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	for i := 8192; i < min(len(b), 65536); i++ {
		b[i] ^= 0x55
	}
	if err := os.WriteFile(file, b, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := g.try("c2"); err == nil || !strings.Contains(err.Error(), file) {
		t.Fatalf("a damaged file: %v", err)
	}
	apply(t, g.node("c1"), SetCatalog("b", "x"))
	if err := os.RemoveAll(g.folder("c2")); err != nil {
		t.Fatal(err)
	}
	g.open("c2")
	g.settled()
}

// TestBounded makes 100,000 changes and looks what the folder holds.
func TestBounded(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	n, err := Open(Config{ID: "c1", Dir: dir, Log: testLog(), Timing: Timing{SnapshotEvery: 100 * time.Millisecond, SnapshotAfter: 2000, Trailing: 1000}})
	if err != nil {
		t.Fatal(err)
	}
	defer n.Close()
	apply(t, n, SetSetting(settingKeepCount, "100"))
	const clients, each, batch = 50, 40, 50
	var wait sync.WaitGroup
	for c := range clients {
		wait.Go(func() {
			for i := range each {
				var cmds []Command
				for k := range batch / 2 {
					id := fmt.Sprintf("q%d.%d.%d", c, i, k)
					cmds = append(cmds, query(id), EndQuery(id, 3, nil, 0))
				}
				for _, one := range [][]Command{cmds, {SetCatalog(fmt.Sprint("c", i), strings.Repeat("x", 500))}} {
					if _, err := n.Apply(context.Background(), one...); err != nil {
						t.Error(err)
						return
					}
				}
			}
		})
	}
	wait.Wait()
	size := func() (total int64) {
		_ = filepath.Walk(dir, func(_ string, f os.FileInfo, err error) error {
			if err == nil && !f.IsDir() {
				total += f.Size()
			}
			return nil
		})
		return total
	}
	var files int64
	g := &group{t: t}
	g.until("the log is compacted", func() error {
		first, err := n.store.FirstIndex()
		last, _ := n.store.LastIndex()
		if files = size(); err != nil || last-first > 3200 || files > 64<<20 {
			return fmt.Errorf("entries %d to %d, %d MB: %w", first, last, files>>20, err)
		}
		return nil
	})
	all, ended := n.State().Len()
	t.Logf("%d commands: %d MB on disk, %d queries kept", clients*each*(batch+1), files>>20, all)
	if ended > 100+sweep {
		t.Errorf("%d ended queries are kept", ended)
	}
	was := encode(t, n.State())
	n.Close()
	begin := time.Now()
	again := single(t, dir)
	if err := again.WaitLeader(within(t, 10*time.Second)); err != nil {
		t.Fatal(err)
	}
	t.Logf("started again in %s", time.Since(begin).Round(time.Millisecond))
	s := again.State()
	if s.queries.Len() != n.State().queries.Len() || text(s) != text(n.State()) || len(was) == 0 {
		t.Error("started again it has another state")
	}
}

// TestOneBecomesThree starts a single node again with two empty peers.
func TestOneBecomesThree(t *testing.T) {
	t.Parallel()
	g := newGroup(t, "c1", "c2", "c3")
	n, err := Open(Config{ID: "c1", Dir: g.folder("c1"), Timing: quick})
	if err != nil {
		t.Fatal(err)
	}
	apply(t, n, SetCatalog("a", "x"))
	n.Close()
	g.openAll()
	g.settled()
	if g.node("c3").State().Catalog("a") == nil {
		t.Fatal("the new ones have not what the first had")
	}
	for _, id := range g.ids {
		g.stop(id)
	}
	if _, err := Open(Config{ID: "c1", Dir: g.folder("c1"), Timing: quick}); err == nil || !strings.Contains(err.Error(), "cluster of 3 coordinators") {
		t.Fatalf("one of three started alone: %v", err)
	}
}

// TestWatch follows the catalogs on a follower.
func TestWatch(t *testing.T) {
	t.Parallel()
	g := newGroup(t, "c1", "c2", "c3").openAll()
	g.settled()
	lead := g.leader()
	ctx, cancel := context.WithCancel(context.Background())
	states := g.others(lead)[0].Watch(ctx)
	first := <-states
	for i := range 5 {
		apply(t, lead, SetCatalog("a", fmt.Sprint(i)))
		for s := range states {
			if s.CatalogsVersion > first.CatalogsVersion && s.Catalog("a").GetDefinition() == fmt.Sprint(i) {
				break
			}
		}
	}
	cancel()
	g.until("the channel is closed", func() error {
		if _, open := <-states; open {
			return errors.New("open")
		}
		return nil
	})
}

// TestBarred: one that forgot what it voted for is no majority's part, neither
// as a voter nor as a candidate, whatever its log says.
func TestBarred(t *testing.T) {
	t.Parallel()
	g := newGroup(t, "c1", "c2", "c3").openAll()
	g.settled()
	lead := g.leader()
	rest := g.others(lead)
	rest[0].barred.Store(true)
	g.kill(lead.cfg.ID)
	time.Sleep(5 * quick.Election)
	for _, n := range rest {
		if n.ready.Load() != 0 {
			t.Fatalf("%s was elected by one that may not vote", n.cfg.ID)
		}
	}
	rest[0].barred.Store(false)
	g.leader()
}

// TestRestoreFences restores a backup between two tries of one entry: whether
// the first has happened can no longer be told, so the second is refused.
func TestRestoreFences(t *testing.T) {
	n := single(t, t.TempDir())
	var b bytes.Buffer
	if err := n.Backup(within(t, 10*time.Second), &b); err != nil {
		t.Fatal(err)
	}
	e := &pb.MetaEntry{Id: "once", Base: n.State().Index, Commands: []Command{SetCatalog("a", "x")}}
	first := n.applyHere(within(t, time.Second), e)
	if again := n.applyHere(within(t, time.Second), e); first.Code != pb.MetaCode_META_CODE_OK || again.Index != first.Index {
		t.Fatalf("%v, again %v", first, again)
	}
	for range 2 { // a restore may be tried again
		if err := n.Restore(within(t, 10*time.Second), bytes.NewReader(b.Bytes())); err != nil {
			t.Fatal(err)
		}
	}
	if r := n.applyHere(within(t, time.Second), e); r.Code != pb.MetaCode_META_CODE_STALE || n.State().Catalog("a") != nil {
		t.Fatalf("after restoring: %v", r)
	}
	apply(t, n, SetCatalog("b", "x"))
	index := n.State().Index
	if err := n.Close(); err != nil {
		t.Fatal(err)
	}
	again := single(t, n.cfg.Dir)
	if s, err := again.Read(within(t, 10*time.Second)); err != nil || s.Catalog("b") == nil || s.Catalog("a") != nil || s.Index < index {
		t.Fatalf("started again after restoring: %v", err)
	}
}

// TestLeadFails: an error of Lead hands the office on.
func TestLeadFails(t *testing.T) {
	g := newGroup(t, "c1", "c2", "c3")
	var refusals atomic.Int64
	g.edit = func(c *Config) {
		if lead := c.Lead; c.ID == "c1" {
			c.Lead = func(context.Context, Leadership) error { refusals.Add(1); return errors.New("cannot") }
		} else {
			c.Lead = lead
		}
	}
	g.openAll()
	g.leader()
	if err := g.node("c2").Transfer(within(t, 10*time.Second), "c1"); err != nil {
		t.Fatal(err)
	}
	g.until("another leads", func() error {
		if refusals.Load() > 0 && (g.node("c2").ready.Load() != 0 || g.node("c3").ready.Load() != 0) {
			return nil
		}
		return fmt.Errorf("c1 was asked %d times", refusals.Load())
	})
}
