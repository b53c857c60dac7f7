// Package kernel computes expressions over vectors: it compiles expr trees
// into programs and filters, and has the hashing, comparison, equality and
// sort-key code that operators share. It covers every signature of
// sql/function (a test checks that) and all casts.
//
// # How an expression runs
//
// Compile turns each expression into a tree of nodes. A node's eval takes the
// rows wanted (a selection, or nil for all) and returns a vector that is right
// for those rows. Constant arguments are computed once, at compile time.
// Equal subexpressions share a node and are computed once a batch. A call with
// one dictionary-encoded argument and otherwise constants is computed on the
// dictionary's entries that rows refer to.
//
// Conditions do not make boolean vectors where they can help it: a predicate
// (pred) maps a selection to the rows that pass, and comparisons with
// constants, IN, LIKE and IS NULL have loops that write a selection directly.
// Filter, CASE and AND/OR all use them.
//
// # Errors
//
// Arithmetic loops have no branch for overflow: they collect a flag, and only
// when it is set are the rows looked at one by one, nulls skipped, to find a
// true error and its text. A row that is not selected never raises an error,
// nor does a null one. TRY evaluates its argument whole and, if that fails,
// halves the rows until it has found those that do.
//
// # Memory
//
// Each node owns a slot, whose memory is reused batch after batch and
// accounted to Env.Account; Close gives it back.
package kernel

import (
	"errors"
	"time"

	"github.com/tuttidb/tutti/exec/mem"
	"github.com/tuttidb/tutti/exec/vector"
	"github.com/tuttidb/tutti/sql/expr"
	"github.com/tuttidb/tutti/sql/types"
)

// Session is what functions may know of the query's session.
type Session struct {
	// Zone is the key (types.ZoneByName) of the session's time zone.
	Zone int64
	// Start is the time at which the query began.
	Start time.Time
	// User is the name of the user that runs the query.
	User string
	// Locale is the session's language tag; "" means en-US.
	Locale string
	// Catalog and Schema are the session's defaults, perhaps empty.
	Catalog, Schema string
	// Version is what version() returns.
	Version string
}

// Env is what expressions are compiled against.
type Env struct {
	// Account pays for the memory of slots.
	Account *mem.Account
	Session Session
}

// Program is a list of compiled expressions. It is for one goroutine.
type Program struct {
	compiler *compiler
	exprs    []entry
	out      []*vector.Vector
	run      run
}

// entry is one expression of a program: a plain column, or a node.
type entry struct {
	column int // -1: see node
	node   node
}

// run is one pass over a batch.
type run struct {
	cols []*vector.Vector
	n    int
	// load is the widest selection that this pass looks at: what lazy columns
	// are loaded for, however narrow the selection where they are first needed.
	load []int32
	// seq numbers the passes of a compiler, so that shared nodes know whether
	// what they hold is of this one.
	seq uint64
}

// Compile compiles expressions whose columns' IDs are positions in the input
// batch. The error names what is not supported.
func Compile(env *Env, exprs []expr.Expr) (*Program, error) {
	p := &Program{compiler: newCompiler(env), out: make([]*vector.Vector, len(exprs))}
	sc := newScope(nil)
	for _, e := range exprs {
		if c, ok := e.(*expr.Column); ok {
			p.exprs = append(p.exprs, entry{column: int(c.ID)})
			continue
		}
		n, err := p.compiler.node(e, sc)
		if err != nil {
			p.Close()
			return nil, err
		}
		p.exprs = append(p.exprs, entry{column: -1, node: n})
	}
	return p, nil
}

// Eval computes every expression for the rows of b: one vector an expression,
// of b.N physical rows, right for the rows in b.Sel. The result is borrowed
// until the next Eval or Close; a plain column is b's own vector, lazy if that
// is. An error is a user's (qerr) or a *mem.LimitError.
func (p *Program) Eval(b *vector.Batch) ([]*vector.Vector, error) {
	p.compiler.seq++
	p.run = run{cols: b.Cols, n: b.N, load: b.Sel, seq: p.compiler.seq}
	for i, e := range p.exprs {
		if e.column >= 0 {
			p.out[i] = b.Cols[e.column]
			continue
		}
		v, err := e.node.eval(&p.run, b.Sel)
		if err != nil {
			return nil, err
		}
		p.out[i] = v
	}
	return p.out, nil
}

// Close releases the program's memory. It is idempotent.
func (p *Program) Close() { p.compiler.close() }

// Fold evaluates an expression without columns and volatile functions.
func Fold(env *Env, e expr.Expr) (*expr.Const, error) {
	if c, ok := e.(*expr.Const); ok {
		return c, nil
	}
	p, err := Compile(env, []expr.Expr{e})
	if err != nil {
		return nil, err
	}
	defer p.Close()
	out, err := p.Eval(&vector.Batch{N: 1})
	if err != nil {
		return nil, err
	}
	return &expr.Const{Value: ValueAt(out[0], 0), Typ: e.Type()}, nil
}

// isLimit reports whether err is about memory rather than about data.
func isLimit(err error) bool {
	var limit *mem.LimitError
	return errors.As(err, &limit)
}

// fixed are the values that arithmetic and ordering apply to directly.
type fixed interface {
	uint8 | int8 | int16 | int32 | int64 | float32 | float64
}

// signed are the integers of SQL.
type signed interface{ int8 | int16 | int32 | int64 }

// rows returns how many rows a selection of n physical rows has.
func rows(sel []int32, n int) int {
	if sel != nil {
		return len(sel)
	}
	return n
}

// typeIsBytes reports whether t's values are strings of bytes.
func typeIsBytes(t types.Type) bool { return t.Physical() == types.PhysBytes }
