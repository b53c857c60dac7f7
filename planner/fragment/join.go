package fragment

import "github.com/tuttidb/tutti/planner/plan"

// join brings the two sides together: the right side copied to every task of
// the left, or both hashed on the keys, or everything in one task.
func (b *builder) join(n *plan.Join) placed {
	left, right := b.place(n.Left), b.place(n.Right)
	switch {
	case left.single() && right.single():
		at := left
		if right.at == coordinator {
			at = right
		}
		return at.with(n.WithInputs([]plan.Node{left.node, right.node}))
	case left.single():
		return b.joinIn(left, n, left, b.gather(right))
	case mustGather(n):
		return b.joinIn(placed{at: oneTask}, n, b.gather(left), b.gather(right))
	case replicates(n):
		copied := placed{node: exchange(right.node, plan.Replicate, nil)}
		return b.joinIn(left, n, left, copied).keep(n.Outputs())
	}
	return b.partitioned(n, left, right)
}

func (b *builder) joinIn(at placed, n *plan.Join, left, right placed) placed {
	return at.with(n.WithInputs([]plan.Node{left.node, right.node}))
}

// mustGather reports whether the join needs all of both sides in one place:
// unmatched right rows can be told only where every left row has been seen.
func mustGather(n *plan.Join) bool {
	return len(n.Keys) == 0 && (n.Kind == plan.RightJoin || n.Kind == plan.FullJoin)
}

// replicates reports whether every task gets the whole right side. NOT IN
// needs it to know of any null key at all.
func replicates(n *plan.Join) bool {
	switch {
	case n.Kind == plan.RightJoin || n.Kind == plan.FullJoin:
		return false
	case len(n.Keys) == 0 || n.Kind == plan.NullAwareAntiJoin || n.Kind == plan.MarkJoin && n.NullAware:
		return true
	}
	return n.Dist == plan.Broadcast
}

// partitioned hashes both sides so that matching rows meet. A side that lies
// hashed on some of its keys stays, and the other follows it.
func (b *builder) partitioned(n *plan.Join, left, right placed) placed {
	var leftKeys, rightKeys []plan.Column
	for _, k := range n.Keys {
		leftKeys, rightKeys = append(leftKeys, k.Left), append(rightKeys, k.Right)
	}
	hashLeft, hashRight := leftKeys, rightKeys
	switch {
	case left.at == hashed && subset(left.keys, leftKeys):
		hashLeft, hashRight = left.keys, counterparts(left.keys, leftKeys, rightKeys)
	case right.at == hashed && subset(right.keys, rightKeys):
		hashLeft, hashRight = counterparts(right.keys, rightKeys, leftKeys), right.keys
	}
	left, right = b.rehash(left, hashLeft), b.rehash(right, hashRight)
	out := placed{at: hashed, keys: hashLeft}
	switch n.Kind {
	case plan.RightJoin:
		out.keys = hashRight
	case plan.FullJoin:
		out.at, out.keys = anywhere, nil // unmatched rows have null keys on either side
	}
	return b.joinIn(out, n, left, right).keep(n.Outputs())
}

// rehash hashes p on exactly keys, in order, unless it lies so already.
func (b *builder) rehash(p placed, keys []plan.Column) placed {
	if p.at == hashed && sameColumns(p.keys, keys) {
		return p
	}
	return placed{node: exchange(p.node, plan.Hash, keys), at: hashed, keys: keys}
}

func sameColumns(a, b []plan.Column) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if a[i].ID != b[i].ID {
			return false
		}
	}
	return true
}

// counterparts returns, for each of keys, the column that stands opposite it.
func counterparts(keys, side, other []plan.Column) []plan.Column {
	out := make([]plan.Column, len(keys))
	for i, k := range keys {
		for j, c := range side {
			if c.ID == k.ID {
				out[i] = other[j]
				break
			}
		}
	}
	return out
}
