package meta

import (
	"errors"
	"testing"
	"time"
)

// TestApplyOnce: a named change is made once, whoever asks again and whenever,
// and ends as it did at first.
func TestApplyOnce(t *testing.T) {
	g := newGroup(t, "c1", "c2", "c3").openAll()
	lead := g.leader()
	other := g.others(lead)[0]
	type change struct {
		name    string
		command Command
	}
	create, again := change{"q1/create", CreateCatalog("a", "first")}, change{"q2/create", CreateCatalog("a", "second")}
	drop := change{"q3/drop", DropCatalog("a")}
	for i, c := range []struct {
		at   *Node
		what change
		err  error
		has  string
	}{
		{lead, create, nil, "first"},
		{lead, again, ErrExists, "first"},
		{other, create, nil, "first"},
		{other, drop, nil, ""},
		{lead, drop, nil, ""},
		{lead, create, nil, ""}, // it was made, and dropped since
		{other, again, ErrExists, ""},
		{lead, change{"", create.command}, ErrInvalid, ""},
	} {
		_, err := c.at.ApplyOnce(within(t, 10*time.Second), c.what.name, c.what.command)
		if !errors.Is(err, c.err) {
			t.Errorf("step %d: %v, want %v", i, err, c.err)
		}
		s, err := c.at.Read(within(t, 10*time.Second))
		if err != nil {
			t.Fatal(err)
		}
		if got := s.Catalog("a").GetDefinition(); got != c.has {
			t.Errorf("step %d: catalog is %q, want %q", i, got, c.has)
		}
	}
}
