package meta

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand"
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/raft"
	"google.golang.org/protobuf/proto"

	pb "github.com/tuttidb/tutti/proto/tutti/v1"
)

// history applies entries one after the other, as a log would.
type history struct {
	t     *testing.T
	state *State
	index uint64
	now   time.Time
}

func newHistory(t *testing.T) *history {
	return &history{t: t, state: &State{}, now: time.UnixMilli(1_000_000)}
}

func (h *history) entry(e *pb.MetaEntry) *pb.MetaSeen {
	h.t.Helper()
	h.index++
	e.AtMs = h.now.UnixMilli()
	s, seen, err := h.state.apply(h.index, e)
	if err != nil {
		h.t.Fatal(err)
	}
	h.state = s
	return seen
}

// do applies commands as one new entry.
func (h *history) do(c ...Command) *pb.MetaSeen {
	h.t.Helper()
	return h.entry(&pb.MetaEntry{Id: fmt.Sprint("e", h.index), Base: h.index, Commands: c})
}

func (h *history) ok(c ...Command) {
	h.t.Helper()
	if s := h.do(c...); s.Code != pb.MetaCode_META_CODE_OK {
		h.t.Fatalf("%v: %s %s", c, s.Code, s.Message)
	}
}

func text(s *State) string {
	var b strings.Builder
	for c := range s.Catalogs() {
		fmt.Fprintf(&b, "catalog %s=%s@%d ", c.Name, c.Definition, c.Version)
	}
	for i := range s.Intents() {
		fmt.Fprintf(&b, "intent %s:%s ", i.Node, i.Reason)
	}
	for k, v := range s.Settings() {
		fmt.Fprintf(&b, "setting %s=%s ", k, v)
	}
	for q := range s.Queries() {
		fmt.Fprintf(&b, "query %s %s plan=%s manifest=%s error=%s", q.Id, strings.TrimPrefix(q.State.String(), "META_QUERY_STATE_"), q.Plan, q.Manifest, q.MetaQuery.Error)
		for p := range q.Placements() {
			fmt.Fprintf(&b, " p%d.%d.%d@%s", p.Stage, p.Task, p.Attempt, p.Node)
		}
		for c := range q.Commits() {
			fmt.Fprintf(&b, " c%d.%d.%d@%s", c.Stage, c.Task, c.Attempt, c.Node)
		}
		b.WriteByte(' ')
	}
	return strings.TrimSpace(b.String())
}

func query(id string) Command { return AcceptQuery(&pb.MetaQuery{Id: id, Sql: "select 1"}) }

func place(stage, task, attempt int32, node string) *pb.MetaPlacement {
	return &pb.MetaPlacement{Stage: stage, Task: task, Attempt: attempt, Node: node}
}

func commit(stage, task, attempt int32, node string) *pb.MetaCommit {
	return &pb.MetaCommit{Stage: stage, Task: task, Attempt: attempt, Node: node}
}

// TestCommands is each command's effect on a fresh state, one entry each.
func TestCommands(t *testing.T) {
	const finished, failed = pb.MetaQueryState_META_QUERY_STATE_FINISHED, pb.MetaQueryState_META_QUERY_STATE_FAILED
	for _, c := range []struct {
		name    string
		entries [][]Command
		code    string // of the last
		want    string
	}{
		{"set a catalog", [][]Command{{SetCatalog("a", "x")}}, "OK", "catalog a=x@1"},
		{"replace it", [][]Command{{SetCatalog("a", "x")}, {SetCatalog("a", "y")}}, "OK", "catalog a=y@2"},
		{"create it twice", [][]Command{{CreateCatalog("a", "x")}, {CreateCatalog("a", "y")}}, "EXISTS", "catalog a=x@1"},
		{"replace what was seen", [][]Command{{SetCatalog("a", "x")}, {ReplaceCatalog("a", "y", 1)}}, "OK", "catalog a=y@2"},
		{"replace what changed", [][]Command{{SetCatalog("a", "x")}, {SetCatalog("a", "y")}, {ReplaceCatalog("a", "z", 1)}}, "CONFLICT", "catalog a=y@2"},
		{"a catalog without name", [][]Command{{SetCatalog("", "x")}}, "INVALID", ""},
		{"drop a catalog", [][]Command{{SetCatalog("a", "x")}, {DropCatalog("a")}}, "OK", ""},
		{"drop none", [][]Command{{DropCatalog("a")}}, "NOT_FOUND", ""},
		{"drain", [][]Command{{Drain("w1", "upgrade", "ann")}}, "OK", "intent w1:upgrade"},
		{"undrain", [][]Command{{Drain("w1", "upgrade", "ann")}, {Undrain("w1")}}, "OK", ""},
		{"undrain nobody", [][]Command{{Undrain("w1")}}, "OK", ""},
		{"drain nobody", [][]Command{{Drain("", "upgrade", "ann")}}, "INVALID", ""},
		{"a setting", [][]Command{{SetSetting("a", "1")}, {SetSetting("b", "2")}, {DropSetting("a")}}, "OK", "setting b=2"},
		{"a bad setting", [][]Command{{SetSetting(settingKeepCount, "many")}}, "INVALID", ""},
		{"a bad age", [][]Command{{SetSetting(settingKeepAge, "-1s")}}, "INVALID", ""},
		{"accept", [][]Command{{query("q")}}, "OK", "query q ACCEPTED plan= manifest= error="},
		{"accept twice", [][]Command{{query("q")}, {query("q")}}, "EXISTS", "query q ACCEPTED plan= manifest= error="},
		{"accept no id", [][]Command{{query("")}}, "INVALID", ""},
		{"plan", [][]Command{{query("q")}, {PlanQuery("q", []byte("P"))}}, "OK", "query q PLANNED plan=P manifest= error="},
		{"plan nothing", [][]Command{{PlanQuery("q", nil)}}, "NOT_FOUND", ""},
		{"place", [][]Command{{query("q")}, {PlaceTasks("q", place(0, 1, 0, "a"), place(0, 0, 0, "b"))}, {PlaceTasks("q", place(0, 1, 1, "c"), place(0, 0, -1, "d"))}},
			"OK", "query q ACCEPTED plan= manifest= error= p0.0.0@b p0.1.1@c"},
		{"place a task with no number", [][]Command{{query("q")}, {PlaceTasks("q", place(0, -1, 0, "a"))}}, "INVALID", "query q ACCEPTED plan= manifest= error="},
		{"commit: the first of an attempt, the highest of a task", [][]Command{{query("q")},
			{CommitTasks("q", commit(1, 0, 0, "a"), commit(1, 0, 0, "b"), commit(1, 1, 2, "c"))}, {CommitTasks("q", commit(1, 1, 1, "d"), commit(1, 0, 1, "e"))}},
			"OK", "query q ACCEPTED plan= manifest= error= c1.0.1@e c1.1.2@c"},
		{"manifest", [][]Command{{query("q")}, {PutManifest("q", []byte("M"), 5)}}, "OK", "query q ACCEPTED plan= manifest=M error="},
		{"manifest of nothing", [][]Command{{PutManifest("q", nil, 0)}}, "NOT_FOUND", ""},
		{"end", [][]Command{{query("q"), PlanQuery("q", []byte("P")), CommitTasks("q", commit(0, 0, 0, "a")), PutManifest("q", []byte("M"), 0)}, {EndQuery("q", finished, nil, 0)}},
			"OK", "query q FINISHED plan= manifest=M error="},
		{"end twice: the first counts", [][]Command{{query("q")}, {EndQuery("q", failed, []byte("E"), 0)}, {EndQuery("q", finished, nil, 0)}}, "OK", "query q FAILED plan= manifest= error=E"},
		{"end as running", [][]Command{{query("q")}, {EndQuery("q", pb.MetaQueryState_META_QUERY_STATE_PLANNED, nil, 0)}}, "INVALID", "query q ACCEPTED plan= manifest= error="},
		{"end nothing", [][]Command{{EndQuery("q", finished, nil, 0)}}, "NOT_FOUND", ""},
		{"commit after the end", [][]Command{{query("q")}, {EndQuery("q", finished, nil, 0)}, {CommitTasks("q", commit(0, 0, 0, "a"))}}, "CONFLICT", "query q FINISHED plan= manifest= error="},
		{"forget", [][]Command{{query("q"), query("r")}, {EndQuery("q", finished, nil, 0)}, {ForgetQueries("q", "none")}}, "OK", "query r ACCEPTED plan= manifest= error="},
		{"forget what runs", [][]Command{{query("q")}, {ForgetQueries("q")}}, "CONFLICT", "query q ACCEPTED plan= manifest= error="},
		{"all or nothing", [][]Command{{SetCatalog("a", "x"), Drain("w", "r", "b"), query("q"), DropCatalog("none")}}, "NOT_FOUND", ""},
		{"found twice the same", [][]Command{{foundCluster("I")}, {foundCluster("I")}}, "OK", ""},
		{"found another", [][]Command{{foundCluster("I")}, {foundCluster("J")}}, "EXISTS", ""},
		{"an older epoch", [][]Command{{lead(5, "c1")}, {lead(4, "c2")}}, "FENCED", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			h := newHistory(t)
			var last *pb.MetaSeen
			for _, e := range c.entries {
				last = h.do(e...)
			}
			if got := strings.TrimPrefix(last.Code.String(), "META_CODE_"); got != c.code || text(h.state) != c.want {
				t.Errorf("%s (%s), state %q; want %s, %q", got, last.Message, text(h.state), c.code, c.want)
			}
			if all, ended := h.state.Len(); ended > all {
				t.Errorf("%d of %d queries ended", ended, all)
			}
			roundTrip(t, h.state)
		})
	}
}

// roundTrip proves that a state's snapshot is the state again.
func roundTrip(t *testing.T, s *State) {
	t.Helper()
	b := encode(t, s)
	back, err := readState(bytes.NewReader(b))
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(encode(t, back), b) || text(back) != text(s) || back.ended.Len() != s.ended.Len() {
		t.Fatalf("%s came back as %s", text(s), text(back))
	}
}

func encode(t *testing.T, s *State) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := s.writeTo(&b); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func TestEpochs(t *testing.T) {
	h := newHistory(t)
	h.ok(lead(3, "c1"))
	as := func(id string, epoch uint64) pb.MetaCode {
		return h.entry(&pb.MetaEntry{Id: id, Epoch: epoch, Base: h.index, Commands: []Command{SetSetting(id, "x")}}).Code
	}
	if c := as("now", 3); c != pb.MetaCode_META_CODE_OK {
		t.Fatal(c)
	}
	h.ok(lead(4, "c2"))
	if c := as("late", 3); c != pb.MetaCode_META_CODE_FENCED {
		t.Fatal(c)
	}
	if c := as("anybody", 0); c != pb.MetaCode_META_CODE_OK {
		t.Fatal(c)
	}
	if got := text(h.state); got != "setting anybody=x setting now=x" || h.state.Leader != "c2" || h.state.Epoch != 4 {
		t.Fatal(got)
	}
}

// TestOnce proposes entries again: at once, a generation later, and so late
// that nobody can know.
func TestOnce(t *testing.T) {
	h := newHistory(t)
	e := func(i int, base uint64) *pb.MetaEntry {
		return &pb.MetaEntry{Id: fmt.Sprint("x", i), Base: base, Commands: []Command{CreateCatalog(fmt.Sprint("c", i), "")}}
	}
	bases := map[int]uint64{}
	for i := range 3 * generation {
		bases[i] = h.index
		if s := h.entry(e(i, h.index)); s.Code != pb.MetaCode_META_CODE_OK {
			t.Fatalf("entry %d: %s", i, s.Message)
		}
	}
	for i := range bases {
		seen := h.entry(e(i, bases[i]))
		switch {
		case seen.Code == pb.MetaCode_META_CODE_OK && seen.Index == bases[i]+1: // its own outcome
		case seen.Code == pb.MetaCode_META_CODE_STALE && bases[i]+generation < uint64(3*generation):
		default:
			t.Fatalf("entry %d again: %v", i, seen)
		}
	}
	if n := h.state.catalogs.Len(); n != 3*generation {
		t.Fatalf("%d catalogs", n)
	}
	if n := h.state.seen.Len() + h.state.before.Len(); n > 2*generation {
		t.Fatalf("%d ids are kept", n)
	}
	// A refused entry is remembered too.
	no := &pb.MetaEntry{Id: "no", Base: h.index, Commands: []Command{DropCatalog("none")}}
	first := h.entry(no)
	h.ok(SetCatalog("none", ""))
	if again := h.entry(no); again.Code != pb.MetaCode_META_CODE_NOT_FOUND || again.Index != first.Index || h.state.Catalog("none") == nil {
		t.Fatalf("a refused entry again: %v", again)
	}
	// After a restored backup, what was proposed before it is refused.
	before := h.index
	h.ok(restored())
	if s := h.entry(e(-1, before)); s.Code != pb.MetaCode_META_CODE_STALE {
		t.Fatalf("from before the backup: %v", s)
	}
}

func TestRetention(t *testing.T) {
	const finished = pb.MetaQueryState_META_QUERY_STATE_FINISHED
	h := newHistory(t)
	h.ok(SetSetting(settingKeepCount, "10"), SetSetting(settingKeepAge, "1h"))
	for i := range 30 {
		id := fmt.Sprintf("q%02d", i)
		h.ok(query(id))
		h.ok(EndQuery(id, finished, nil, 0))
	}
	h.ok(query("running"))
	if all, ended := h.state.Len(); all != 11 || ended != 10 || h.state.Query("q20") == nil || h.state.Query("q19") != nil {
		t.Fatalf("%d queries, %d ended", all, ended)
	}
	h.ok(query("kept"))
	h.ok(EndQuery("kept", finished, nil, h.now.Add(3*time.Hour).UnixMilli()))
	h.now = h.now.Add(2 * time.Hour)
	h.ok(Undrain("w"))
	if all, ended := h.state.Len(); all != 2 || ended != 1 || h.state.Query("kept") == nil {
		t.Fatalf("after 2 h: %d queries, %d ended", all, ended)
	}
	h.now = h.now.Add(-90 * time.Minute) // another leader's clock is behind
	h.ok(Undrain("w"))
	if h.state.Time.UnixMilli() != time.UnixMilli(1_000_000).Add(2*time.Hour).UnixMilli() {
		t.Fatalf("log time ran backwards to %v", h.state.Time)
	}
	h.now = h.now.Add(3 * time.Hour)
	h.ok(Undrain("w"))
	if all, _ := h.state.Len(); all != 1 || h.state.Query("running") == nil {
		t.Fatalf("after 3 h: %d queries", all)
	}
}

// TestRetentionBounded ends many queries in one entry: none removes them all
// at once, and a few do.
func TestRetentionBounded(t *testing.T) {
	h := newHistory(t)
	var c []Command
	for i := range 300 {
		id := fmt.Sprintf("q%03d", i)
		c = append(c, query(id), EndQuery(id, pb.MetaQueryState_META_QUERY_STATE_FAILED, nil, 0))
	}
	h.ok(c...)
	h.ok(SetSetting(settingKeepCount, "0"))
	if _, ended := h.state.Len(); ended != 300-sweep {
		t.Fatalf("%d after one entry", ended)
	}
	for range 5 {
		h.ok(Undrain("w"))
	}
	if all, _ := h.state.Len(); all != 0 {
		t.Fatalf("%d left", all)
	}
}

// randomEntry makes an entry of random commands over few names, so that many
// meet and many are refused.
func randomEntry(r *rand.Rand, index uint64) *pb.MetaEntry {
	name := func(kind string) string { return fmt.Sprint(kind, r.Intn(8)) }
	makers := []func() Command{
		func() Command { return SetCatalog(name("c"), fmt.Sprint(r.Int())) },
		func() Command { return CreateCatalog(name("c"), "x") },
		func() Command { return ReplaceCatalog(name("c"), "y", index-uint64(r.Intn(20))) },
		func() Command { return DropCatalog(name("c")) },
		func() Command { return Drain(name("w"), "why", "who") },
		func() Command { return Undrain(name("w")) },
		func() Command { return SetSetting(name("s"), "v") },
		func() Command { return DropSetting(name("s")) },
		func() Command { return SetSetting(settingKeepCount, fmt.Sprint(r.Intn(4))) },
		func() Command { return query(name("q")) },
		func() Command { return PlanQuery(name("q"), []byte("plan")) },
		func() Command { return PlaceTasks(name("q"), place(r.Int31n(3), r.Int31n(5), r.Int31n(4), "w")) },
		func() Command { return CommitTasks(name("q"), commit(r.Int31n(3), r.Int31n(5), r.Int31n(4), "w")) },
		func() Command { return PutManifest(name("q"), []byte("m"), r.Int63n(100)) },
		func() Command { return EndQuery(name("q"), pb.MetaQueryState_META_QUERY_STATE_FINISHED, nil, 0) },
		func() Command { return ForgetQueries(name("q")) },
		func() Command { return lead(uint64(r.Intn(50)), "c") },
	}
	e := &pb.MetaEntry{Id: fmt.Sprint(r.Intn(5000)), Base: index, AtMs: r.Int63n(1 << 40), Epoch: uint64(max(0, r.Intn(60)-40))}
	for range 1 + r.Intn(3) {
		e.Commands = append(e.Commands, makers[r.Intn(len(makers))]())
	}
	return e
}

// TestDeterminism applies one random log on three nodes: in one go, entry by
// entry with a snapshot and restore in between, and in batches. All end with
// the same bytes.
func TestDeterminism(t *testing.T) {
	seed := time.Now().UnixNano()
	t.Logf("seed %d", seed)
	r := rand.New(rand.NewSource(seed))
	var logs []*raft.Log
	for i := uint64(1); i <= 3000; i++ {
		b, err := proto.Marshal(randomEntry(r, i-1))
		if err != nil {
			t.Fatal(err)
		}
		logs = append(logs, &raft.Log{Index: i, Type: raft.LogCommand, Data: b})
	}
	stopped := func(err error) { t.Error(err) }
	a, b, c := newFSM(stopped), newFSM(stopped), newFSM(stopped)
	a.ApplyBatch(logs)
	for i, l := range logs {
		b.Apply(l)
		if i%251 == 0 {
			fresh := newFSM(stopped)
			if err := fresh.Restore(readCloser{bytes.NewReader(encode(t, b.state.Load()))}); err != nil {
				t.Fatal(err)
			}
			b = fresh
		}
	}
	for len(logs) > 0 {
		n := min(len(logs), 1+r.Intn(40))
		c.ApplyBatch(logs[:n])
		logs = logs[n:]
	}
	want := encode(t, a.state.Load())
	for name, f := range map[string]*fsm{"with snapshots": b, "in batches": c} {
		if !bytes.Equal(encode(t, f.state.Load()), want) {
			t.Errorf("%s it is another state:\n%s\n%s", name, text(f.state.Load()), text(a.state.Load()))
		}
	}
	if a.state.Load().queries.Len() == 0 || a.state.Load().catalogs.Len() == 0 {
		t.Error("the random log does nothing")
	}
}

type readCloser struct{ *bytes.Reader }

func (readCloser) Close() error { return nil }

// TestImmutable keeps old states while the log goes on.
func TestImmutable(t *testing.T) {
	r := rand.New(rand.NewSource(7))
	f := newFSM(func(err error) { t.Error(err) })
	var kept []*State
	var was [][]byte
	for i := uint64(1); i <= 400; i++ {
		b, _ := proto.Marshal(randomEntry(r, i-1))
		f.Apply(&raft.Log{Index: i, Type: raft.LogCommand, Data: b})
		kept, was = append(kept, f.state.Load()), append(was, encode(t, f.state.Load()))
	}
	for i, s := range kept {
		if !bytes.Equal(encode(t, s), was[i]) {
			t.Fatalf("the state of entry %d has changed since", i+1)
		}
	}
}

// TestNewerCommand stops at what this release does not know, and stays there.
func TestNewerCommand(t *testing.T) {
	for name, data := range map[string][]byte{
		"unknown": func() []byte { b, _ := proto.Marshal(&pb.MetaEntry{Id: "x", Commands: []Command{{}}}); return b }(),
		"garbage": {0xff, 0xff, 0xff},
	} {
		t.Run(name, func(t *testing.T) {
			var stopped error
			f := newFSM(func(err error) { stopped = err })
			good, _ := proto.Marshal(&pb.MetaEntry{Id: "a", Commands: []Command{SetCatalog("a", "")}})
			late, _ := proto.Marshal(&pb.MetaEntry{Id: "b", Base: 2, Commands: []Command{SetCatalog("b", "")}})
			out := f.ApplyBatch([]*raft.Log{{Index: 1, Data: good}, {Index: 2, Data: data}, {Index: 3, Data: late}, {Index: 4, Type: raft.LogConfiguration}})
			if stopped == nil || !strings.Contains(stopped.Error(), "log entry 2") {
				t.Fatalf("not stopped: %v", stopped)
			}
			if name == "unknown" && !errors.Is(stopped, errUnknownCommand) {
				t.Fatal(stopped)
			}
			if s := f.state.Load(); s.Index != 1 || s.Catalog("b") != nil || len(out) != 4 {
				t.Fatalf("went on to entry %d", s.Index)
			}
		})
	}
}

// TestDamagedBackup flips, cuts and adds: every reader of it must notice.
func TestDamagedBackup(t *testing.T) {
	t.Parallel()
	h := newHistory(t)
	r := rand.New(rand.NewSource(3))
	for range 60 {
		h.index++
		s, _, err := h.state.apply(h.index, randomEntry(r, h.index-1))
		if err != nil {
			t.Fatal(err)
		}
		h.state = s
	}
	whole := encode(t, h.state)
	for i := range whole {
		b := bytes.Clone(whole)
		b[i] ^= 1 << r.Intn(8)
		if _, err := readState(bytes.NewReader(b)); err == nil {
			t.Fatalf("byte %d changed unnoticed", i)
		}
		if _, err := readState(bytes.NewReader(whole[:i])); err == nil {
			t.Fatalf("cut off at %d unnoticed", i)
		}
	}
	if _, err := readState(bytes.NewReader(append(bytes.Clone(whole), 0))); err == nil {
		t.Fatal("a byte added unnoticed")
	}
	b := bytes.Clone(whole)
	b[len(snapshotMagic)+3] = snapshotVersion + 1
	if _, err := readState(bytes.NewReader(b)); err == nil || !strings.Contains(err.Error(), "not supported: version 2") {
		t.Fatalf("a newer version: %v", err)
	}
}

func FuzzReadState(f *testing.F) {
	h := &history{t: nil, state: &State{}}
	r := rand.New(rand.NewSource(1))
	for range 40 {
		h.index++
		h.state, _, _ = h.state.apply(h.index, randomEntry(r, h.index-1))
		var b bytes.Buffer
		if err := h.state.writeTo(&b); err != nil {
			f.Fatal(err)
		}
		f.Add(b.Bytes())
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		s, err := readState(bytes.NewReader(b))
		if err != nil {
			return
		}
		again, err := readState(bytes.NewReader(encode(t, s)))
		if err != nil || text(again) != text(s) {
			t.Fatalf("%s came back as %s: %v", text(s), text(again), err)
		}
	})
}

func FuzzApply(f *testing.F) {
	r := rand.New(rand.NewSource(2))
	for i := range uint64(30) {
		b, err := proto.Marshal(randomEntry(r, i))
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	base := &State{}
	for i := uint64(1); i < 50; i++ {
		base, _, _ = base.apply(i, randomEntry(r, i-1))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		e := &pb.MetaEntry{}
		if proto.Unmarshal(b, e) != nil {
			return
		}
		before := encode(t, base)
		s, seen, err := base.apply(50, e)
		if err == nil {
			if seen == nil || s.Index != 50 {
				t.Fatalf("no outcome: %v", seen)
			}
			roundTrip(t, s)
		}
		if !bytes.Equal(encode(t, base), before) {
			t.Fatal("the old state has changed")
		}
	})
}
