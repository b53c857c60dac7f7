// Package optimize rewrites a logical plan into one that gives the same rows
// with less work. Each rule is a function over the whole tree in a file of
// its own; rules.go lists them in the order in which they run. Rules only
// see the plan, what connectors say about their tables (planner/stats), and
// a Folder that computes constant expressions, which is passed in because a
// coordinator has no kernels.
package optimize

import (
	"context"
	"fmt"

	"github.com/tuttidb/tutti/connectors"
	"github.com/tuttidb/tutti/planner/plan"
	"github.com/tuttidb/tutti/planner/stats"
	"github.com/tuttidb/tutti/sql/expr"
	"github.com/tuttidb/tutti/sql/types"
)

// Folder computes expressions without columns.
type Folder interface {
	// Fold returns the value of e, or an error that evaluating it raises.
	Fold(e expr.Expr) (*expr.Const, error)
}

// Catalogs gives access to the connectors that the plan's scans name.
type Catalogs interface {
	// Connector returns the connector of a catalog.
	Connector(ctx context.Context, catalog string) (connectors.Connector, error)
}

// Options switch parts of the optimizer, from session properties.
type Options struct {
	// ReorderJoins, DynamicFilters: off when false.
	ReorderJoins, DynamicFilters bool
	// Broadcast forces a distribution: "AUTOMATIC", "BROADCAST", "PARTITIONED".
	Distribution string
	// Tasks is the number of tasks that a spread stage will have: what a
	// broadcast costs grows with it.
	Tasks int
	// BroadcastLimit is the size in bytes above which no side is broadcast.
	BroadcastLimit float64
	// ShareRows is the number of rows that equal subplans must read to be
	// computed once; 0: a default.
	ShareRows float64
	// EagerRows is the number of rows that a join's side must have to be grouped
	// before the join; 0: a default.
	EagerRows float64
}

// Optimizer is what the rules share while they work on one query.
type Optimizer struct {
	ctx      context.Context
	catalogs Catalogs
	folder   Folder
	opts     Options
	next     expr.ColumnID
	stats    *stats.Estimator
}

// Rule is one rewriting of the whole plan.
type Rule struct {
	Name  string
	Apply func(*Optimizer, plan.Node) (plan.Node, error)
}

// Optimize applies the rules in order. folder may be nil: nothing is folded.
func Optimize(ctx context.Context, root plan.Node, catalogs Catalogs, folder Folder, opts Options) (plan.Node, error) {
	o := &Optimizer{ctx: ctx, catalogs: catalogs, folder: folder, opts: opts, stats: stats.New(ctx, catalogs)}
	plan.Walk(root, func(n plan.Node) bool {
		for _, c := range n.Outputs() {
			o.next = max(o.next, c.ID+1)
		}
		return true
	})
	for _, r := range rules() {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		next, err := r.Apply(o, root)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", r.Name, err)
		}
		root = next
	}
	return root, nil
}

// newColumn returns a column with a fresh ID.
func (o *Optimizer) newColumn(name string, t types.Type) plan.Column {
	c := plan.Column{ID: o.next, Name: name, Type: t}
	o.next++
	return c
}
