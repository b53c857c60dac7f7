// Package fragment makes a plan distributed: it places exchanges where rows
// must meet, splits aggregations, sorts and limits into a partial and a final
// step around them, and cuts the tree at the exchanges into fragments.
//
// It works bottom up. Each node reports how its output is distributed (place):
// all in one task, hashed on some columns, or any which way; a parent that
// needs more asks for an exchange. An exchange is not placed where the rows
// already lie right, which is how a join on the key of an aggregation below
// it costs nothing more. The idea is Trino's AddExchanges and Volcano's
// enforcers (Graefe 1994), without the search.
package fragment

import (
	"slices"

	"github.com/tuttidb/tutti/planner/plan"
	"github.com/tuttidb/tutti/sql/expr"
)

// Options are what the fragmenter needs to know about the cluster.
type Options struct {
	// OneTask makes every scan run in a single task: for queries so small that
	// spreading them costs more than it gains, and for single processes.
	OneTask bool
}

// Fragment cuts a logical plan, whose root is an Output, into fragments.
func Fragment(root plan.Node, opts Options) (*plan.Plan, error) {
	b := &builder{opts: opts, nextColumn: maxColumn(root) + 1, shared: map[int]placed{}}
	placed := b.place(root)
	c := &cutter{oneTask: opts.OneTask, shared: map[int]*plan.RemoteSource{}}
	c.doubts = doubts{columns: map[expr.ColumnID]bool{}, rows: map[plan.FragmentID]bool{}}
	c.fragment(placed.node, plan.Partitioning{Kind: plan.Gather})
	if len(c.shared) > 0 {
		c.fragments = ordered(c.fragments)
	}
	number(c.fragments)
	out := root.(*plan.Output)
	return &plan.Plan{Fragments: c.fragments, Names: out.Names, Columns: out.Cols}, nil
}

// maxColumn returns the largest column ID in the tree, so that new columns
// can be numbered after it.
func maxColumn(root plan.Node) expr.ColumnID {
	var top expr.ColumnID
	plan.Walk(root, func(n plan.Node) bool {
		for _, c := range n.Outputs() {
			top = max(top, c.ID)
		}
		return true
	})
	return top
}

// number gives every node its ID, fragment by fragment, top down.
func number(fragments []*plan.Fragment) {
	next := plan.NodeID(1)
	for _, f := range fragments {
		plan.Walk(f.Root, func(n plan.Node) bool {
			n.Common().ID = next
			next++
			return true
		})
	}
}

// where says in which tasks a node's rows are.
type where uint8

const (
	anywhere    where = iota // spread over tasks, no rule
	oneTask                  // all in one task
	coordinator              // all in one task, in the coordinator's process
	hashed                   // by hash of keys
)

// placed is a node and how its output is distributed.
type placed struct {
	node plan.Node
	at   where
	keys []plan.Column // hashed
}

// single reports whether all rows are in one task.
func (p placed) single() bool { return p.at == oneTask || p.at == coordinator }

// with returns the same distribution for another node.
func (p placed) with(n plan.Node) placed {
	p.node = n
	return p
}

type builder struct {
	opts       Options
	nextColumn expr.ColumnID
	// shared are the classes of Shared nodes that are placed already.
	shared map[int]placed
}

// place distributes the tree below n.
func (b *builder) place(n plan.Node) placed {
	switch n := n.(type) {
	case *plan.Scan:
		return b.scan(n)
	case *plan.Values:
		return placed{node: n, at: oneTask}
	case *plan.Aggregate:
		return b.aggregate(n, b.place(n.Input))
	case *plan.Join:
		return b.join(n)
	case *plan.Union:
		return b.union(n)
	case *plan.Sort:
		return b.sort(n)
	case *plan.TopN:
		return b.topN(n)
	case *plan.Limit:
		return b.limit(n)
	case *plan.RowNumber:
		return b.grouped(n, n.Partition)
	case *plan.MarkDistinct:
		return b.grouped(n, n.Keys)
	case *plan.Shared:
		return b.share(n)
	case *plan.Project:
		in := b.place(n.Input)
		return in.with(n.WithInputs([]plan.Node{in.node})).renamed(n)
	case *plan.SingleRow, *plan.Output, *plan.Write:
		in := b.gather(b.place(n.Inputs()[0]))
		return in.with(n.WithInputs([]plan.Node{in.node}))
	}
	in := b.place(n.Inputs()[0])
	out := in.with(n.WithInputs([]plan.Node{in.node}))
	return out.keep(n.Outputs())
}

// keep drops the hash distribution when a key is not among the outputs:
// nobody above can name it any more.
func (p placed) keep(outputs []plan.Column) placed {
	if p.at != hashed {
		return p
	}
	for _, k := range p.keys {
		if !contains(outputs, k.ID) {
			p.at, p.keys = anywhere, nil
			return p
		}
	}
	return p
}

// renamed is keep for a projection, which may give a key another name.
func (p placed) renamed(n *plan.Project) placed {
	if p.at != hashed {
		return p
	}
	keys := make([]plan.Column, len(p.keys))
	for i, k := range p.keys {
		j := slices.IndexFunc(n.Cols, func(a plan.Assignment) bool { return passes(a, k) && a.Column.ID == k.ID })
		if j < 0 {
			j = slices.IndexFunc(n.Cols, func(a plan.Assignment) bool { return passes(a, k) })
		}
		if j < 0 {
			p.at, p.keys = anywhere, nil
			return p
		}
		keys[i] = n.Cols[j].Column
	}
	p.keys = keys
	return p
}

// passes reports whether an assignment passes a column on.
func passes(a plan.Assignment, from plan.Column) bool {
	c, ok := a.Expr.(*expr.Column)
	return ok && c.ID == from.ID
}

func contains(cols []plan.Column, id expr.ColumnID) bool {
	for _, c := range cols {
		if c.ID == id {
			return true
		}
	}
	return false
}

// subset reports whether all of keys are among cols, and there are any.
func subset(keys, cols []plan.Column) bool {
	for _, k := range keys {
		if !contains(cols, k.ID) {
			return false
		}
	}
	return len(keys) > 0
}

func (b *builder) scan(n *plan.Scan) placed {
	switch {
	case n.Table.Local:
		return placed{node: n, at: coordinator}
	case b.opts.OneTask:
		return placed{node: n, at: oneTask}
	}
	return placed{node: n, at: anywhere}
}

// gather brings all rows to one task.
func (b *builder) gather(p placed) placed {
	if p.single() {
		return p
	}
	return placed{node: exchange(p.node, plan.Gather, nil), at: oneTask}
}

// hash brings rows of equal keys to the same task; rows that lie so already,
// by some of the keys, stay. Without keys it gathers.
func (b *builder) hash(p placed, keys []plan.Column) placed {
	if p.single() || p.at == hashed && subset(p.keys, keys) {
		return p
	}
	if len(keys) == 0 {
		return b.gather(p)
	}
	return placed{node: exchange(p.node, plan.Hash, keys), at: hashed, keys: keys}
}

// exchange puts an exchange over n. A round-robin exchange just below, as a
// union leaves it, is replaced: its rows need not travel twice.
func exchange(n plan.Node, kind plan.ExchangeKind, keys []plan.Column) *plan.Exchange {
	e := &plan.Exchange{In: []plan.Node{n}, Kind: kind, Keys: keys}
	if below, ok := n.(*plan.Exchange); ok && below.Kind == plan.RoundRobin {
		e.In = below.In
	}
	return e
}

// grouped places a node that needs all rows of a group in one task.
func (b *builder) grouped(n plan.Node, keys []plan.Column) placed {
	in := b.hash(b.place(n.Inputs()[0]), keys)
	return in.with(n.WithInputs([]plan.Node{in.node}))
}

func (b *builder) sort(n *plan.Sort) placed {
	in := b.place(n.Input)
	if in.single() {
		return in.with(n.WithInputs([]plan.Node{in.node}))
	}
	part := &plan.Sort{Base: n.Base, Input: in.node, Keys: n.Keys, Step: plan.Partial}
	e := &plan.Exchange{In: []plan.Node{part}, Kind: plan.Gather, OrderBy: n.Keys}
	return placed{node: e, at: oneTask}
}

func (b *builder) topN(n *plan.TopN) placed {
	in := b.place(n.Input)
	if in.single() || n.Step == plan.Partial {
		return in.with(n.WithInputs([]plan.Node{in.node}))
	}
	part := &plan.TopN{Input: in.node, Keys: n.Keys, N: n.N, Step: plan.Partial}
	all := exchange(part, plan.Gather, nil)
	final := &plan.TopN{Base: n.Base, Input: all, Keys: n.Keys, N: n.N, Step: plan.Final}
	return placed{node: final, at: oneTask}
}

func (b *builder) limit(n *plan.Limit) placed {
	in := b.place(n.Input)
	if n.Step == plan.Partial {
		return in.with(n.WithInputs([]plan.Node{in.node})) // another one above has the last word
	}
	if in.single() || n.N < 0 {
		in = b.gather(in)
		return in.with(n.WithInputs([]plan.Node{in.node}))
	}
	part := &plan.Limit{Input: in.node, N: n.N + n.Offset, Step: plan.Partial}
	all := exchange(part, plan.Gather, nil)
	return placed{node: &plan.Limit{Base: n.Base, Input: all, N: n.N, Offset: n.Offset}, at: oneTask}
}

// union reads all its inputs through one exchange, each projected to the
// union's columns; inputs that are all in one task are concatenated there.
func (b *builder) union(n *plan.Union) placed {
	in := make([]plan.Node, len(n.In))
	at := oneTask
	for i, input := range n.In {
		p := b.place(input)
		if !p.single() {
			at = anywhere
		} else if p.at == coordinator && at == oneTask {
			at = coordinator
		}
		in[i] = p.node
	}
	if at != anywhere {
		return placed{node: n.WithInputs(in), at: at}
	}
	for i := range in {
		in[i] = rename(in[i], n.Sources[i], n.Columns)
	}
	return placed{node: &plan.Exchange{In: in, Kind: plan.RoundRobin}, at: anywhere}
}

// rename projects the columns from to the columns to, one for one.
func rename(n plan.Node, from, to []plan.Column) plan.Node {
	p := &plan.Project{Input: n}
	for i, c := range to {
		p.Cols = append(p.Cols, plan.Assignment{Column: c, Expr: from[i].Ref()})
	}
	return p
}
