package analyzer

import "testing"

func TestNearest(t *testing.T) {
	for _, c := range []struct {
		name  string
		offer []string
		want  string
	}{
		{"nmae", []string{"comment", "name", "names"}, "name"},
		{"custkey", []string{"orderkey", "cust_key"}, "cust_key"},
		{"id", []string{"xy"}, ""},
		{"a", []string{"b"}, ""},
		{"lineitm", []string{"lineitem", "orders"}, "lineitem"},
		{"x", nil, ""},
		{"zebra", []string{"antelope"}, ""},
	} {
		n := nearest(c.name)
		for _, o := range c.offer {
			n.offer(o)
		}
		if n.best != c.want {
			t.Errorf("%s among %v: %q, want %q", c.name, c.offer, n.best, c.want)
		}
	}
}

func TestEditDistance(t *testing.T) {
	for _, c := range []struct {
		a, b string
		want int
	}{{"", "", 0}, {"", "ab", 2}, {"ab", "ba", 1}, {"kitten", "sitting", 3}, {"abc", "abc", 0}, {"ca", "abc", 3}} {
		if got := editDistance(c.a, c.b); got != c.want {
			t.Errorf("%s to %s: %d, want %d", c.a, c.b, got, c.want)
		}
		if got := editDistance(c.b, c.a); got != c.want {
			t.Errorf("%s to %s: %d, want %d", c.b, c.a, got, c.want)
		}
	}
}
