package plan

import "github.com/tuttidb/tutti/connectors"

// ExchangeKind says how an exchange spreads rows over its consumer's tasks.
type ExchangeKind uint8

// The kinds of exchange.
const (
	Gather     ExchangeKind = iota // all rows to one task
	Hash                           // by hash of Keys: equal keys meet in one task
	Replicate                      // every row to every task
	RoundRobin                     // evenly, no matter which
)

// Exchange moves rows between stages. The fragmenter cuts the plan here.
type Exchange struct {
	Base
	In   []Node
	Kind ExchangeKind
	Keys []Column // Hash
	// OrderBy makes a Gather a merge of inputs sorted by these keys.
	OrderBy []SortKey
}

// RemoteSource is the reading end of an exchange: the output of other
// fragments.
type RemoteSource struct {
	Base
	Fragments []FragmentID
	Columns   []Column
	Kind      ExchangeKind
	// OrderBy: each producer's output is sorted by these; merge them.
	OrderBy []SortKey
}

// Spread says what determines a stage's tasks.
type Spread uint8

// The spreads.
const (
	// OneTask stages run once, anywhere.
	OneTask Spread = iota
	// BySplits stages have tasks that share the splits of the fragment's scans.
	BySplits
	// ByPartition stages have one task (or more workers' worth) a partition of
	// their hashed or round-robin inputs.
	ByPartition
	// OnCoordinator stages run once in the coordinator's process.
	OnCoordinator
)

// Partitioning is how a fragment's output is cut for its consumers.
type Partitioning struct {
	Kind ExchangeKind
	Keys []Column // Hash
}

// Fragment is a piece of the plan that runs as one stage.
type Fragment struct {
	ID     FragmentID
	Root   Node
	Spread Spread
	// Output is how the root's rows are partitioned; the root fragment gathers.
	Output Partitioning
	// Inputs are the fragments that RemoteSource nodes within read.
	Inputs []FragmentID
	// Indeterminate: a rerun may send other rows to a partition (design rule 3).
	Indeterminate bool
	// SameFilters: the dynamic filters that joins of the fragment make come out the
	// same in a rerun, though its rows may not.
	SameFilters bool
}

// Plan is a query's fragments, root first (index = FragmentID).
type Plan struct {
	Fragments []*Fragment
	// Names and Columns are the result's columns, in order.
	Names   []string
	Columns []Column
}

// Root returns the fragment whose output is the query's result.
func (p *Plan) Root() *Fragment { return p.Fragments[0] }

// Walk calls visit for n and, while visit returns true, for its inputs.
func Walk(n Node, visit func(Node) bool) {
	if !visit(n) {
		return
	}
	for _, in := range n.Inputs() {
		Walk(in, visit)
	}
}

// Transform rebuilds the tree bottom up: f is given each node with its inputs
// already transformed and returns what stands in its place. Unchanged
// subtrees are shared.
func Transform(n Node, f func(Node) Node) Node {
	in := n.Inputs()
	var changed []Node
	for i, c := range in {
		d := Transform(c, f)
		if d != c && changed == nil {
			changed = append(changed, in...)
		}
		if changed != nil {
			changed[i] = d
		}
	}
	if changed != nil {
		n = n.WithInputs(changed)
	}
	return f(n)
}

// ScanSpec returns what a connector needs to know of a scan; expressions are
// renumbered from column IDs to positions, as connectors.Scan has them.
func (n *Scan) ScanSpec() *connectors.Scan { return scanSpec(n) }
