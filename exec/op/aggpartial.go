package op

import (
	"context"

	"github.com/tuttidb/tutti/exec"
	"github.com/tuttidb/tutti/exec/mem"
	"github.com/tuttidb/tutti/exec/vector"
)

// PartialAggregation is the Partial step as an operator that does not hold up
// its rows: each driver groups what it can keep close at hand and puts out the
// states whenever its table has grown too large. Where grouping turns out not
// to reduce, it stops grouping and gives each row as a group of its own, keys
// as they came. The Final step makes the same of either.
type PartialAggregation struct {
	env     *Env
	in      exec.Operator
	account *mem.Account
	t       *aggTable
	out     *aggOutput
	passing bool
	ended   bool
	closed  bool
	singles singles
}

const (
	// partialBytes is the size at which a table is put out: beyond the second-
	// level cache grouping costs more than it saves the exchange.
	partialBytes = 16 << 20
	// partialTrial is how many rows are grouped before asking whether it helps,
	// partialKeep the share of groups among them from which it does not.
	partialTrial = 100_000
	partialKeep  = 0.8
)

// NewPartialAggregation returns one driver's operator. spec.Step is Partial.
func NewPartialAggregation(env *Env, in exec.Operator, spec *AggSpec) (*PartialAggregation, error) {
	p := &PartialAggregation{env: env, in: in, account: env.Account.Child("partial aggregation", 0), out: newAggOutput(env, spec)}
	t, err := newAggTable(p.account, spec)
	if err != nil {
		return nil, err
	}
	p.t, p.passing = t, spec.PassThrough && t.keys != nil
	return p, nil
}

// Next returns the next states.
func (p *PartialAggregation) Next(ctx context.Context) (*vector.Batch, error) {
	for {
		if b, err := p.out.next(); b != nil || err != nil {
			return b, err
		}
		if p.ended {
			return nil, nil
		}
		if p.passing {
			return p.pass(ctx)
		}
		if err := p.fill(ctx); err != nil {
			return nil, err
		}
	}
}

// fill groups input until the table has to be put out.
func (p *PartialAggregation) fill(ctx context.Context) error {
	if err := p.renew(); err != nil {
		return err
	}
	for {
		b, err := p.in.Next(ctx)
		if err != nil {
			return err
		}
		if b == nil {
			p.ended = true
			break
		}
		if err := p.t.add(b); err != nil {
			return err
		}
		if p.futile() {
			p.passing = true
			break
		}
		if p.account.Used() > partialBytes {
			break
		}
	}
	p.out.start(p.t)
	return nil
}

// renew empties the table, and gives its memory back if that is what it was
// put out for.
func (p *PartialAggregation) renew() error {
	if p.account.Used() <= partialBytes/2 {
		p.t.reset()
		return nil
	}
	p.t.release()
	t, err := newAggTable(p.account, p.t.spec)
	if err != nil {
		return err
	}
	p.t = t
	return nil
}

// futile reports whether grouping does not reduce.
func (p *PartialAggregation) futile() bool {
	return p.t.keys != nil && p.t.rows >= partialTrial && float64(p.t.n) > partialKeep*float64(p.t.rows)
}

// pass gives each row of the next batch as a group of its own.
func (p *PartialAggregation) pass(ctx context.Context) (*vector.Batch, error) {
	b, err := p.in.Next(ctx)
	if err != nil {
		return nil, err
	}
	if b == nil {
		p.ended = true
		return nil, nil
	}
	p.t.keys.release() // no longer wanted; does nothing the next time
	return p.singles.states(p.t, b, p.out)
}

// Close releases the table and closes the input.
func (p *PartialAggregation) Close() error {
	if !p.closed {
		p.closed, p.ended = true, true
		p.out.release()
		p.t.release()
	}
	return p.in.Close()
}

// singles makes each row a group: physical row i is group i, so that the key
// columns pass through under the batch's selection.
type singles struct {
	ids  []uint32
	list []uint32
	out  vector.Batch
}

// states returns the state of each row of b, in out's columns.
func (s *singles) states(t *aggTable, b *vector.Batch, out *aggOutput) (*vector.Batch, error) {
	for _, c := range t.columns {
		if err := b.Cols[c].Load(b.Sel); err != nil {
			return nil, err
		}
	}
	for _, acc := range t.accs {
		acc.reset()
	}
	t.n = b.N
	s.ids, s.list = s.ids[:0], s.list[:0]
	for i := range b.N {
		s.list = append(s.list, uint32(i))
	}
	for i := range b.Rows() {
		s.ids = append(s.ids, uint32(b.Row(i)))
	}
	if err := t.update(b, s.ids); err != nil {
		return nil, err
	}
	return s.batch(t, b, out)
}

func (s *singles) batch(t *aggTable, b *vector.Batch, out *aggOutput) (*vector.Batch, error) {
	s.out = vector.Batch{N: b.N, Sel: b.Sel, Cols: s.out.Cols[:0]}
	for _, k := range t.spec.Keys {
		s.out.Cols = append(s.out.Cols, b.Cols[k])
	}
	cols := out.builders()[len(t.spec.Keys):]
	for i, acc := range t.accs {
		states := cols[:len(t.spec.Aggs[i].Fn.State)]
		if err := acc.state(s.list, states); err != nil {
			return nil, err
		}
		for _, c := range states {
			s.out.Cols = append(s.out.Cols, c.Vector())
		}
		cols = cols[len(states):]
	}
	return &s.out, nil
}
