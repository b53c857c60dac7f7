package query

import (
	"testing"

	"github.com/tuttidb/tutti/planner/plan"
)

// TestAdoptCopy: an attempt's own place goes before that of a copy; who was told of
// another place is told again, and what it says of that place does not count.
func TestAdoptCopy(t *testing.T) {
	tell := func(p *past, address string) {
		p.finish("2.1")
		p.tell(1, "1.0")
		p.attempts["1.0"].Addresses = map[plan.TaskID]string{id(2, 1, 0): address, id(2, 0, 0): ""}
		p.attempts["1.0"].Status.Lost = []plan.TaskID{id(2, 1, 0)}
		p.copy("2.1")
		p.places = func(in []Inventory) []Inventory {
			in[0].Place.Address = "a:1"
			return in
		}
	}
	for _, c := range []struct {
		name, address, place, copied string
		lose, moved                  bool
	}{
		{"both are there, and the reader knows the first place", "", "b", "a", false, false},
		{"both are there, and the reader knows the copy", "a:1", "b", "a", false, true},
		{"the reader knows a place that is gone", "", "a", "", true, true},
		{"the reader knows the copy already", "a:1", "a", "", true, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := newPast()
			tell(p, c.address)
			if !c.moved { // what it says of the place where it is counts
				p.attempts["1.0"].Status.Lost = nil
			}
			if c.lose {
				p.at["2.1"] = ""
			}
			r, no := p.adopt()
			if no != nil {
				t.Fatal(no)
			}
			src, reader := r.Task(id(2, 1, 0)), r.Task(id(1, 0, 0))
			if src == nil || reader == nil {
				t.Fatalf("made again: %s", describe(r))
			}
			_, moved := reader.Moved[src.ID]
			if src.Place.Node != c.place || src.Copy.Node != c.copied || !src.Committed || moved != c.moved {
				t.Errorf("on %v, copy on %v, committed %v, told again %v", src.Place, src.Copy, src.Committed, moved)
			}
		})
	}
}

// TestAdoptReleased: an output that was released where it was made is where its copy
// is; of several copies those that are not counted stay for who reads them.
func TestAdoptReleased(t *testing.T) {
	p := newPast()
	p.finish("2.1")
	p.tell(1, "1.0")
	p.copy("2.1")
	p.attempts["2.1"].Released = true
	p.places = func(in []Inventory) []Inventory {
		for _, node := range []string{"c", "d"} {
			in = append(in, Inventory{Place: Place{Node: node}, Attempts: []Attempt{*p.copies[0]}})
		}
		return in
	}
	r, no := p.adopt()
	if no != nil {
		t.Fatal(no)
	}
	x := r.Task(id(2, 1, 0))
	if x == nil || x.Released || x.Place.Node != "a" || x.Copy.Node != "c" || len(x.Left) != 1 || x.Left[0].Node != "d" {
		t.Fatalf("%s: %+v", describe(r), x)
	}
	for _, d := range r.Discards() {
		if d.Place.Node != "b" {
			t.Errorf("%s is freed at %v", d.ID, d.Place)
		}
	}
}
