package meta

import (
	"fmt"
	"maps"
	"math/rand"
	"slices"
	"testing"
)

// TestTree holds the tree to a map, through random changes, and every older
// version to what it was.
func TestTree(t *testing.T) {
	seed := rand.Int63()
	t.Logf("seed %d", seed)
	r := rand.New(rand.NewSource(seed))
	type version struct {
		tree tree[int]
		want map[string]int
	}
	now := version{want: map[string]int{}}
	var kept []version
	for i := range 4000 {
		key := fmt.Sprint("k", r.Intn(300))
		next := version{want: maps.Clone(now.want)}
		if r.Intn(3) > 0 {
			next.tree, next.want[key] = now.tree.With(key, i), i
		} else {
			next.tree = now.tree.Without(key)
			delete(next.want, key)
		}
		if now = next; i%97 == 0 {
			kept = append(kept, now)
		}
	}
	for i, v := range append(kept, now) {
		if v.tree.Len() != len(v.want) {
			t.Fatalf("version %d: %d keys, want %d", i, v.tree.Len(), len(v.want))
		}
		if got := maps.Collect(v.tree.All()); !maps.Equal(got, v.want) {
			t.Fatalf("version %d: %v, want %v", i, got, v.want)
		}
		var keys []string
		for k := range v.tree.All() {
			keys = append(keys, k)
		}
		if !slices.IsSorted(keys) {
			t.Fatalf("version %d is not sorted", i)
		}
		if k, _, ok := v.tree.Min(); ok != (len(keys) > 0) || ok && k != keys[0] {
			t.Fatalf("version %d: lowest %q", i, k)
		}
		for k := range v.want {
			if got, ok := v.tree.Get(k); !ok || got != v.want[k] {
				t.Fatalf("version %d: %s is %d, %v", i, k, got, ok)
			}
		}
	}
}

// TestTreeShape proves that the same keys make the same tree, however they
// came: what is iterated, and how deep it is, is the same on every node.
func TestTreeShape(t *testing.T) {
	var a, b tree[int]
	for i := range 5000 {
		a = a.With(fmt.Sprintf("%05d", i), i)
	}
	for _, i := range rand.Perm(6000) {
		b = b.With(fmt.Sprintf("%05d", i), i)
	}
	for i := 5000; i < 6000; i++ {
		b = b.Without(fmt.Sprintf("%05d", i))
	}
	if !same(a.root, b.root) {
		t.Fatal("two trees of the same keys differ")
	}
	if d := depth(a.root); d > 50 {
		t.Fatalf("5000 sorted keys are %d deep", d)
	}
	if c := a.Without("none"); c != a {
		t.Fatal("removing nothing made another tree")
	}
}

func same(a, b *leaf[int]) bool {
	if a == nil || b == nil {
		return a == b
	}
	return a.key == b.key && a.value == b.value && a.size == b.size && same(a.left, b.left) && same(a.right, b.right)
}

func depth(n *leaf[int]) int {
	if n == nil {
		return 0
	}
	return 1 + max(depth(n.left), depth(n.right))
}

func TestTreeStopsEarly(t *testing.T) {
	var a tree[int]
	for i := range 20 {
		a = a.With(fmt.Sprintf("%02d", i), i)
	}
	n := 0
	for v := range a.Values() {
		if n++; v == 4 {
			break
		}
	}
	if n != 5 {
		t.Fatalf("%d values before the break", n)
	}
}
