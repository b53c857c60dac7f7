package cluster

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/tuttidb/tutti/coordinator/query"
	"github.com/tuttidb/tutti/coordinator/schedule"
)

const (
	// cutFor is how long two workers that did not reach each other are not used
	// both; it doubles, up to cutMost, where they do not when they are again.
	cutFor  = 30 * time.Second
	cutMost = 8 * time.Minute
)

// pair is two workers in one of their lives each, in order; the coordinator
// counts as one without a life.
type pair [2]string

// cut is what is known of a pair of which one could not reach the other.
type cut struct {
	at     time.Time // last
	lasts  time.Duration
	source string // whom the other could not reach, the first time
}

// Cut notes that a reader of a task's output cannot fetch it from the worker
// that has it, though both are there. For a while tasks are not placed on both.
// It returns which of the two is set aside; the zero Place if neither is, since
// one has gone, or there is no other worker.
func (r *Registry) Cut(reader, source query.Place) (aside query.Place) {
	r.mu.Lock()
	r.note(reader, source)
	off := r.cutOff()
	r.mu.Unlock()
	r.notify()
	used := r.Live()
	for _, at := range [2]query.Place{source, reader} {
		life := lifeOf(at)
		if off[life] != "" && !slices.ContainsFunc(used, func(n schedule.Node) bool { return n.Incarnation == life }) {
			return at
		}
	}
	return query.Place{}
}

// lifeOf is a worker's life, whatever a run has added to it.
func lifeOf(at query.Place) string {
	if at.Node == schedule.CoordinatorNode {
		return ""
	}
	life, _, _ := strings.Cut(at.Incarnation, "~")
	return life
}

// note remembers a cut, and forgets those that are long over. The caller holds
// mu.
func (r *Registry) note(reader, source query.Place) {
	now := r.cfg.Clock.Now()
	for k, c := range r.cuts {
		if now.Sub(c.at) > 2*cutMost {
			delete(r.cuts, k)
		}
	}
	k := pair{lifeOf(reader), lifeOf(source)}
	slices.Sort(k[:])
	c := r.cuts[k]
	switch {
	case c == nil:
		c = &cut{lasts: cutFor, source: lifeOf(source)}
		r.cuts[k] = c
		r.cfg.Log.Warn("no way between two nodes", "reader", cmp.Or(reader.Node, r.cfg.NodeID), "source", source.Node)
	case now.Sub(c.at) > c.lasts: // used both again, in vain
		c.lasts = min(2*c.lasts, cutMost)
	}
	c.at = now
}

// cutOff says, by life, which workers are set aside because others do not reach
// them, or the reverse, and why: of those that are there the one that is named
// in most pairs, and so on until no pair is left. The caller holds mu.
func (r *Registry) cutOff() map[string]string {
	if len(r.cuts) == 0 {
		return nil
	}
	names := map[string]string{"": r.cfg.NodeID}
	for id, m := range r.members {
		if m.Gone == "" {
			names[m.Life] = id
		}
	}
	left := map[pair]*cut{}
	now := r.cfg.Clock.Now()
	for k, c := range r.cuts {
		if names[k[0]] != "" && names[k[1]] != "" && k[0] != k[1] && now.Sub(c.at) <= c.lasts {
			left[k] = c
		}
	}
	out := map[string]string{}
	for len(left) > 0 {
		worst := mostNamed(left, names)
		var others []string
		for k := range left {
			if i := slices.Index(k[:], worst); i >= 0 {
				others = append(others, names[k[1-i]])
				delete(left, k)
			}
		}
		slices.Sort(others)
		out[worst] = fmt.Sprintf("set aside: rows could not be fetched between it and %s", strings.Join(others, ", "))
	}
	return out
}

// mostNamed is the worker that occurs in most pairs; of several the one that
// others could not reach, for it may be hung or dying, or the first by name.
func mostNamed(pairs map[pair]*cut, names map[string]string) (most string) {
	n, source := map[string]int{}, map[string]int{}
	for k, c := range pairs {
		for _, life := range k {
			if life != "" { // the coordinator is needed
				n[life]++
			}
		}
		source[c.source]++
	}
	for life := range n {
		if most == "" || cmp.Or(cmp.Compare(n[life], n[most]), cmp.Compare(source[life], source[most]), cmp.Compare(names[most], names[life])) > 0 {
			most = life
		}
	}
	return most
}
