package cluster

import (
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/tuttidb/tutti/coordinator/query"
	"github.com/tuttidb/tutti/coordinator/schedule"
	"github.com/tuttidb/tutti/internal/clock"
	pb "github.com/tuttidb/tutti/proto/tutti/v1"
)

// unjoined is a registry to which workers are added by hand, on a clock that
// is moved by hand.
func unjoined(names string) (*Registry, *clock.Manual) {
	c := clock.NewManual(time.Unix(1e9, 0))
	r := New(Config{NodeID: "c", Clock: c, Log: slog.New(slog.DiscardHandler)})
	for _, name := range strings.Fields(names) {
		r.add(hello(name))
	}
	return r, c
}

// at is a worker as a run knows it; "": the coordinator.
func at(r *Registry, name string) query.Place {
	if name == "" {
		return query.Place{Address: "c:1"}
	}
	p := place(r, name)
	if p.Node == "" {
		return query.Place{Node: name, Incarnation: name + "#0"}
	}
	p.Incarnation += "~2" // a run has given it up before
	return p
}

func live(r *Registry) string {
	var ids []string
	for _, n := range r.Live() {
		ids = append(ids, n.ID)
	}
	return strings.Join(ids, " ")
}

// TestCuts: of workers that do not reach each other the one that is named most
// is set aside, with the reason, as long as another one is left.
func TestCuts(t *testing.T) {
	for _, c := range []struct {
		name    string
		workers string
		cuts    string // reader-source
		aside   string // the last one's answer
		live    string
		reason  string
	}{
		{"one pair: the one that is not reached", "a b d", "a-b", "b", "a d", "between it and a"},
		{"both ways: as it was first", "a b d", "b-a a-b", "a", "b d", "between it and b"},
		{"two of three", "a b", "b-a", "a", "b", "between it and b"},
		{"most named, though it only reads", "a b d e", "a-b a-d", "a", "b d e", "between it and b, d"},
		{"two pairs apart", "a b d e", "a-b d-e", "e", "a d", ""},
		{"all from all", "a b d", "a-b b-d d-a", "a", "b", ""},
		{"the coordinator from one", "a b", "-b", "b", "a", "between it and c"},
		{"nobody else is there", "a", "-a", "", "a", "between it and c"},
		{"one that has gone", "a b", "a-x", "", "a b", ""},
		{"from itself", "a b", "a-a", "", "a b", ""},
	} {
		r, _ := unjoined(c.workers)
		aside := ""
		for _, cut := range strings.Fields(c.cuts) {
			reader, source, _ := strings.Cut(cut, "-")
			aside = r.Cut(at(r, reader), at(r, source)).Node
		}
		if aside != c.aside || live(r) != c.live {
			t.Errorf("%s: %q is set aside, %q are left; want %q, %q", c.name, aside, live(r), c.aside, c.live)
		}
		for _, m := range r.Members() {
			if m.Hello.NodeId == c.aside && !strings.Contains(m.Aside, c.reason) {
				t.Errorf("%s: because %q", c.name, m.Aside)
			}
		}
	}
}

// TestCutEnds: a cut counts for a while, longer where it turns out to last, and
// not beyond the life of either end.
func TestCutEnds(t *testing.T) {
	r, c := unjoined("a b d")
	for _, lasts := range []time.Duration{cutFor, 2 * cutFor, 4 * cutFor, 8 * cutFor, cutMost, cutMost} {
		r.Cut(at(r, "a"), at(r, "b"))
		c.Advance(lasts - time.Second)
		if got := live(r); got != "a d" {
			t.Errorf("short of %s: %s", lasts, got)
		}
		c.Advance(2 * time.Second)
		if got := live(r); got != "a b d" {
			t.Errorf("after %s: %s", lasts, got)
		}
	}
	c.Advance(2*cutMost + time.Second) // forgotten
	r.Cut(at(r, "d"), at(r, "a"))
	if _, there := r.cuts[pair{lifeOf(at(r, "a")), lifeOf(at(r, "b"))}]; there || len(r.cuts) != 1 {
		t.Errorf("%d cuts are remembered", len(r.cuts))
	}
	r.add(hello("a"))
	if got := live(r); got != "a b d" {
		t.Errorf("a worker that was started again is set aside: %s", got)
	}
}

// TestCutFromDraining: a worker is not set aside where only those that drain are
// left.
func TestCutFromDraining(t *testing.T) {
	r, _ := unjoined("a b")
	r.members["b"].Load = &pb.Heartbeat{Draining: true}
	if got := r.Cut(at(r, "b"), at(r, "a")); got.Node != schedule.CoordinatorNode || live(r) != "a" {
		t.Errorf("%q is set aside, %q are left", got.Node, live(r))
	}
}
