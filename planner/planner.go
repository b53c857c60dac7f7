// Package planner turns a parsed statement into a plan of fragments, phase by
// phase: analyze, build, optimize, fragment. Plan shows them in order.
package planner

import (
	"context"
	"math"
	"time"

	"github.com/tuttidb/tutti/internal/qerr"
	"github.com/tuttidb/tutti/planner/build"
	"github.com/tuttidb/tutti/planner/fragment"
	"github.com/tuttidb/tutti/planner/optimize"
	"github.com/tuttidb/tutti/planner/plan"
	"github.com/tuttidb/tutti/planner/stats"
	"github.com/tuttidb/tutti/sql/analyzer"
	"github.com/tuttidb/tutti/sql/ast"
)

// Planner makes plans. It is immutable and safe for concurrent use.
type Planner struct {
	// Catalog finds tables by name, Connectors opens their catalogs.
	Catalog    analyzer.Catalog
	Connectors optimize.Catalogs
	// Folder computes constants; nil folds nothing.
	Folder optimize.Folder
}

// Options are the session's and the cluster's say in planning.
type Options struct {
	Optimize optimize.Options
	Fragment fragment.Options
	// OneTaskBytes makes a plan one task if all that its scans read is known to
	// be no more than that, as it lies in memory: spreading so little costs more
	// than it gains.
	OneTaskBytes int64
}

// Result is a planned statement.
type Result struct {
	// Plan is what runs.
	Plan *plan.Plan
	// Logical is the optimized plan before it was cut into fragments.
	Logical plan.Node
	// Analysis is how long names and types took, Planning the rest.
	Analysis, Planning time.Duration
}

// Plan makes a plan of a query, or of a statement that writes.
func (p *Planner) Plan(ctx context.Context, stmt ast.Statement, session *analyzer.Session, opts Options) (*Result, error) {
	start := time.Now()
	alloc := &analyzer.Allocator{}
	root, analysis, err := p.build(ctx, stmt, session, alloc, start)
	if err != nil {
		return nil, err
	}
	logical, err := optimize.Optimize(ctx, root, p.Connectors, p.Folder, opts.Optimize)
	if err != nil {
		return nil, err
	}
	if !opts.Fragment.OneTask && opts.OneTaskBytes > 0 {
		opts.Fragment.OneTask = p.small(ctx, logical, float64(opts.OneTaskBytes))
	}
	distributed, err := fragment.Fragment(logical, opts.Fragment)
	if err != nil {
		return nil, err
	}
	return &Result{
		Plan: distributed, Logical: logical, Analysis: analysis, Planning: time.Since(start) - analysis,
	}, nil
}

// rowBytes is what a row counts for at least, however few columns are needed of
// it: it is work all the same.
const rowBytes = 16

// small reports whether a plan's scans are known to read no more than limit
// bytes, and no node is expected to make more of it, as a cross join does.
func (p *Planner) small(ctx context.Context, root plan.Node, limit float64) bool {
	most := 0.0
	plan.Walk(root, func(n plan.Node) bool {
		if est := n.Common().Est; est != nil && !math.IsNaN(est.Rows) {
			most = max(most, est.Rows)
		}
		return true
	})
	if most*rowBytes > limit {
		return false
	}
	bytes, known := stats.New(ctx, p.Connectors).TotalScanBytes(root)
	return known && bytes <= limit
}

// build analyzes the statement and builds its logical plan.
func (p *Planner) build(ctx context.Context, stmt ast.Statement, session *analyzer.Session, alloc *analyzer.Allocator, start time.Time) (plan.Node, time.Duration, error) {
	a := analyzer.New(ctx, p.Catalog, session, alloc)
	var (
		query *analyzer.Query
		write *analyzer.Write
		err   error
	)
	switch stmt := stmt.(type) {
	case *ast.Query:
		query, err = a.Query(stmt)
	case *ast.CreateTableAs:
		write, err = a.CreateTableAs(stmt)
	case *ast.Insert:
		write, err = a.Insert(stmt)
	default:
		err = qerr.NotSupported(stmt.Pos(), "this statement has no plan")
	}
	analysis := time.Since(start)
	if err != nil {
		return nil, analysis, err
	}
	if query != nil {
		root, err := build.Query(query, alloc)
		return root, analysis, err
	}
	root, err := build.Write(write, alloc)
	return root, analysis, err
}
