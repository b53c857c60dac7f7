package meta

import (
	"iter"

	"github.com/cespare/xxhash/v2"
)

// tree is a persistent map in the order of its keys: With and Without return
// a new tree that shares all but one path with the old one, which stays as it
// was. That makes a snapshot of the whole state a copy of a few pointers, and
// rolling back half-applied entries free.
//
// It is a treap (Seidel and Aragon, 1996) whose priorities are hashes of the
// keys, so the same keys make the same tree on every node. The zero tree is
// empty.
type tree[V any] struct {
	root *leaf[V]
}

type leaf[V any] struct {
	key         string
	value       V
	priority    uint64
	size        int
	left, right *leaf[V]
}

// Len returns the number of keys.
func (t tree[V]) Len() int { return t.root.len() }

func (n *leaf[V]) len() int {
	if n == nil {
		return 0
	}
	return n.size
}

// Get returns the value of a key.
func (t tree[V]) Get(key string) (value V, ok bool) {
	for n := t.root; n != nil; {
		switch {
		case key == n.key:
			return n.value, true
		case key < n.key:
			n = n.left
		default:
			n = n.right
		}
	}
	return value, false
}

// Min returns the lowest key and its value.
func (t tree[V]) Min() (key string, value V, ok bool) {
	n := t.root
	if n == nil {
		return "", value, false
	}
	for n.left != nil {
		n = n.left
	}
	return n.key, n.value, true
}

// With returns the tree with key set to value.
func (t tree[V]) With(key string, value V) tree[V] {
	return tree[V]{t.root.with(&leaf[V]{key: key, value: value, priority: xxhash.Sum64String(key), size: 1})}
}

// Without returns the tree without key.
func (t tree[V]) Without(key string) tree[V] {
	if _, ok := t.Get(key); !ok {
		return t
	}
	return tree[V]{t.root.without(key)}
}

// All yields keys and values in the order of the keys.
func (t tree[V]) All() iter.Seq2[string, V] {
	return func(yield func(string, V) bool) { t.root.each(yield) }
}

// Values yields the values in the order of their keys.
func (t tree[V]) Values() iter.Seq[V] {
	return func(yield func(V) bool) {
		t.root.each(func(_ string, v V) bool { return yield(v) })
	}
}

func (n *leaf[V]) each(yield func(string, V) bool) bool {
	return n == nil || n.left.each(yield) && yield(n.key, n.value) && n.right.each(yield)
}

// child returns a copy of n with other children.
func (n *leaf[V]) child(left, right *leaf[V]) *leaf[V] {
	c := *n
	c.left, c.right = left, right
	c.size = left.len() + right.len() + 1
	return &c
}

// above reports whether n belongs above m.
func (n *leaf[V]) above(m *leaf[V]) bool {
	return n.priority > m.priority || n.priority == m.priority && n.key < m.key
}

func (n *leaf[V]) with(add *leaf[V]) *leaf[V] {
	switch {
	case n == nil:
		return add
	case add.key == n.key:
		return add.child(n.left, n.right)
	case add.key < n.key:
		l := n.left.with(add)
		if l.above(n) {
			return l.child(l.left, n.child(l.right, n.right))
		}
		return n.child(l, n.right)
	default:
		r := n.right.with(add)
		if r.above(n) {
			return r.child(n.child(n.left, r.left), r.right)
		}
		return n.child(n.left, r)
	}
}

func (n *leaf[V]) without(key string) *leaf[V] {
	switch {
	case key < n.key:
		return n.child(n.left.without(key), n.right)
	case key > n.key:
		return n.child(n.left, n.right.without(key))
	}
	return merge(n.left, n.right)
}

// merge joins two trees, all keys of the first below those of the second.
func merge[V any](a, b *leaf[V]) *leaf[V] {
	switch {
	case a == nil:
		return b
	case b == nil:
		return a
	case a.above(b):
		return a.child(a.left, merge(a.right, b))
	default:
		return b.child(merge(a, b.left), b.right)
	}
}
