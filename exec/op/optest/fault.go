package optest

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"runtime"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/tuttidb/tutti/exec"
	"github.com/tuttidb/tutti/exec/mem"
	"github.com/tuttidb/tutti/exec/vector"
)

// Job is a set of operators that run side by side, as those of a task do.
type Job struct {
	// Drivers move rows into sinks, one goroutine each.
	Drivers []exec.Driver
	// Tops are the operators whose rows are the answer, one goroutine each.
	Tops []exec.Operator
	// Guarded says that a panic of an input is an error of the job.
	Guarded bool
	// Loose says that which rows the answer has is left to chance, not how many.
	Loose bool
}

// Made returns o, or if it could not be made an operator that fails with err,
// as the job it is part of then does. ins are what o was to be made over.
func Made[T exec.Operator](o T, err error, ins ...exec.Operator) exec.Operator {
	if err == nil {
		return o
	}
	return &unmade{err: err, ins: ins}
}

// unmade stands for an operator that could not be made.
type unmade struct {
	err error
	ins []exec.Operator
}

func (u *unmade) Next(context.Context) (*vector.Batch, error) { return nil, u.err }

// Close closes the inputs, as whoever could not make the operator does.
func (u *unmade) Close() error {
	var err error
	for _, in := range u.ins {
		err = errors.Join(err, in.Close())
	}
	return err
}

// Patience is how long a job that was broken off may take to end.
const Patience = 5 * time.Second

// ErrInput is what an input fails with when Faults makes it.
var ErrInput = errors.New("the input fails")

// Faults runs the job that build makes over and over, each time breaking it
// off in another way: memory is refused once, at the n-th request, for every
// n, and from then on; an input fails at its n-th batch; the context ends
// there; the tops are closed after n batches; nothing is started at all. It
// fails the test if anything is then still out or accounted for, if the job
// does not end, or if it reports success with other rows than an undisturbed
// run gives. At most that many runs of each kind are made; beyond, n is drawn.
func Faults(t *testing.T, tables []Table, most int, build func(c *Case) Job) {
	t.Helper()
	FaultsIn(t, FaultForms(), tables, most, build)
}

// FaultsIn is Faults over inputs of the given forms.
func FaultsIn(t *testing.T, forms []Form, tables []Table, most int, build func(c *Case) Job) {
	t.Helper()
	seed := rand.Uint64()
	for _, f := range forms {
		t.Run(f.Name, func(t *testing.T) {
			t.Logf("seed %d", seed)
			x := &faults{t: t, tables: tables, form: f, build: build, rng: rand.New(rand.NewPCG(seed, 1)), most: most}
			x.all()
		})
	}
}

// FaultForms are batches lent by reference in each of the ways that differ in
// who owns what.
func FaultForms() []Form {
	return []Form{
		{Name: "flat selected", BatchRows: 13, Decoys: true},
		{Name: "sparse dict", BatchRows: 40, Encoding: vector.Dict, Sparse: true},
		{Name: "lazy", BatchRows: 25, Decoys: true, Encoding: vector.Lazy},
	}
}

// faults is one table of runs.
type faults struct {
	t      testing.TB
	tables []Table
	form   Form
	build  func(c *Case) Job
	rng    *rand.Rand
	most   int
	wait   time.Duration // 0: Patience

	want  []string // an undisturbed run's rows, sorted
	loose bool
}

// fault says how a run is broken off; numbers count from 1, 0 is never.
type fault struct {
	refuse, fail, cancel int
	panics               int
	onward               bool // refuse that request and all later ones
	stop                 int  // close the tops after stop-1 batches
	unstarted            bool
}

func (f fault) String() string { return fmt.Sprintf("%+v", struct{ fault }{f}.fault.plain()) }

// plain is a fault without its String.
type plain fault

func (f fault) plain() plain { return plain(f) }

func (x *faults) all() {
	x.t.Helper()
	clean := x.run(fault{})
	if clean.err != nil {
		x.t.Fatalf("undisturbed: %v", clean.err)
	}
	x.want, x.loose = sorted(clean.rows), clean.loose
	x.t.Logf("%d requests of memory, %d batches in, %d out", clean.requests, clean.pulls, clean.batches)
	x.check(fault{unstarted: true})
	for _, n := range x.numbers(clean.requests) {
		x.check(fault{refuse: n})
		x.check(fault{refuse: n, onward: true})
	}
	for _, n := range x.numbers(clean.pulls) {
		x.check(fault{fail: n})
		x.check(fault{cancel: n})
		if clean.guarded {
			x.check(fault{panics: n})
		}
	}
	for _, n := range x.numbers(clean.batches + 1) {
		x.check(fault{stop: n})
	}
}

func (x *faults) patience() time.Duration {
	if x.wait > 0 {
		return x.wait
	}
	return Patience
}

// numbers returns 1 to n, or the first few of them and some of the rest.
func (x *faults) numbers(n int) (out []int) {
	if n <= x.most {
		for i := range n {
			out = append(out, i+1)
		}
		return out
	}
	for i := range x.most / 2 {
		out = append(out, i+1)
	}
	for range x.most - x.most/2 {
		out = append(out, x.most/2+1+x.rng.IntN(n-x.most/2))
	}
	return out
}

// check runs with a fault and looks at what is left.
func (x *faults) check(f fault) {
	x.t.Helper()
	r := x.run(f)
	if r.err != nil {
		var limit *mem.LimitError
		if f.panics == 0 && !errors.As(r.err, &limit) && !errors.Is(r.err, ErrInput) && !errors.Is(r.err, context.Canceled) {
			x.t.Errorf("%v: unexpected error %v", f, r.err)
		}
		return
	}
	if f.unstarted || f.stop > 0 {
		return
	}
	got := sorted(r.rows)
	if x.loose && len(got) == len(x.want) {
		return
	}
	if !slices.Equal(got, x.want) {
		x.t.Errorf("%v: no error, and %d rows that are not the %d of an undisturbed run", f, len(got), len(x.want))
	}
}

func sorted(rows Rows) []string {
	s := rows.Strings()
	slices.Sort(s)
	return s
}

// faultRun is one run: what it is told to do, and what it counted.
type faultRun struct {
	fault
	ctx    context.Context
	cancel context.CancelCauseFunc

	mu       sync.Mutex
	rows     Rows
	err      error
	batches  int
	requests int
	pulls    int
	loose    bool
	guarded  bool
}

func (x *faults) run(f fault) *faultRun {
	x.t.Helper()
	r := &faultRun{fault: f}
	r.ctx, r.cancel = context.WithCancelCause(context.Background())
	defer r.cancel(nil)
	pool := mem.NewPool()
	pool.Poison, pool.Trace = true, true
	root := mem.NewRoot("test", 0, pool)
	account := root.Child("operators", 0)
	account.Refuse = r.refuses
	c := &Case{T: x.t, Account: account, Form: x.form, tables: x.tables, feed: root, Pulled: r.pulled}
	for _, t := range x.tables {
		c.Inputs = append(c.Inputs, c.source(t))
	}
	job := x.build(c)
	r.loose, r.guarded = job.Loose, job.Guarded
	done := make(chan struct{})
	go func() {
		defer close(done)
		r.work(job)
	}()
	select {
	case <-done:
	case <-time.After(x.patience()):
		x.t.Fatalf("%v: no end after %v\n%s", f, x.patience(), Goroutines())
	}
	for _, in := range c.Inputs {
		_ = in.Close() // those that build did not use
	}
	if pool.Out() != 0 || root.Used() != 0 {
		x.t.Fatalf("%v: %d bytes are out, %d accounted for, after error %v\n%s", f, pool.Out(), root.Used(), r.err, pool.Leaks(0))
	}
	pool.Trim(0) // thousands of runs, each with a pool
	return r
}

// Goroutines returns the stacks of all goroutines.
func Goroutines() string {
	buf := make([]byte, 1<<20)
	return string(buf[:runtime.Stack(buf, true)])
}

func (r *faultRun) refuses(int64) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.requests++
	return r.refuse > 0 && (r.requests == r.refuse || r.onward && r.requests > r.refuse)
}

// pulled is called before each batch of an input.
func (r *faultRun) pulled() error {
	r.mu.Lock()
	r.pulls++
	n := r.pulls
	r.mu.Unlock()
	if n == r.fail {
		return ErrInput
	}
	if n == r.panics {
		panic(ErrInput.Error())
	}
	if n == r.fault.cancel {
		r.cancel(context.Canceled)
	}
	return nil
}

// work runs the job as a task's drivers are run: the first error ends the
// context, and each driver closes what it has.
func (r *faultRun) work(j Job) {
	var wg sync.WaitGroup
	for _, d := range j.Drivers {
		wg.Go(func() {
			if !r.unstarted {
				r.report(drive(r.ctx, d.Source, d.Sink))
			}
			r.report(errors.Join(d.Source.Close(), d.Sink.Close(), d.Source.Close(), d.Sink.Close()))
		})
	}
	for _, o := range j.Tops {
		wg.Go(func() {
			if !r.unstarted {
				r.report(r.drain(o))
			}
			r.report(errors.Join(o.Close(), o.Close()))
		})
	}
	wg.Wait()
}

func (r *faultRun) report(err error) {
	if err == nil {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.err == nil {
		r.err = err
	}
	if r.refuse > 0 && !r.onward {
		time.AfterFunc(linger, func() { r.cancel(err) })
		return
	}
	r.cancel(err)
}

// linger is how long the siblings of a driver that was refused memory once go
// on before they hear of it, looking at what it has left behind.
const linger = time.Millisecond

// drain pulls o's rows until the end or until enough batches were seen.
func (r *faultRun) drain(o exec.Operator) error {
	for !r.enough() {
		b, err := o.Next(r.ctx)
		if b == nil || err != nil {
			return err
		}
		rows, err := ReadBatch(b)
		if err != nil {
			return err
		}
		r.mu.Lock()
		r.batches++
		r.rows = append(r.rows, rows...)
		r.mu.Unlock()
	}
	return nil
}

func (r *faultRun) enough() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.stop > 0 && r.batches >= r.stop-1
}
