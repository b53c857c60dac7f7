package op

import (
	"context"
	"time"

	"github.com/tuttidb/tutti/exec"
	"github.com/tuttidb/tutti/exec/kernel"
	"github.com/tuttidb/tutti/exec/vector"
	"github.com/tuttidb/tutti/planner/plan"
	"github.com/tuttidb/tutti/sql/types"
)

// Probe is one driver's probe side of a join.
//
// For each input batch it finds candidates: probe rows beside the first build
// row of their chain. Where no row has a second candidate (unique keys, or a
// single build row), one output batch answers the input batch: the left
// columns pass as they are and the selection narrows (once). Otherwise
// candidates are spelled out in pairs, a batch of them at a time (pairs), the
// filter keeps some, and outer rows without any follow at the end.
type Probe struct {
	waited
	j      *Join
	in     exec.Operator
	filter *kernel.Filter
	asm    assembly
	seen   vector.Bitmap // build rows that this driver has matched (outer joins)

	ready, ended, closed bool
	batch                *vector.Batch // being answered; nil: pull the next
	state                answerState
	phase                phase
	walk                 walk
	rest                 []int32 // rows of the later phases

	hashes       slab[uint64]
	fetched      slab[uint64]
	valid        []int32 // the batch's rows without null keys
	found, heads slab[int32]
	pr, br       slab[int32] // a batch of pairs
	zeros        slab[int32]
	hits         slab[uint8] // by physical row: noMatch, unknown or match
	keys         []keyColumn
	vecs         []*vector.Vector
	sel          []int32
	leftover     leftover
}

// What is known of a probe row.
const (
	noMatch uint8 = iota
	unknown       // SQL's null
	match
)

// Probe returns the probe operator of one driver, over its left input.
func (j *Join) Probe(in exec.Operator) (*Probe, error) {
	p := &Probe{j: j, in: in}
	p.asm.init(j)
	if j.spec.Filter == nil {
		return p, nil
	}
	f, err := kernel.CompileFilter(j.env.kernel(), p.asm.filterExpr())
	if err != nil {
		return nil, err
	}
	p.filter = f
	return p, nil
}

// Next returns the next batch of joined rows.
func (p *Probe) Next(ctx context.Context) (*vector.Batch, error) {
	if !p.ready {
		if err := p.begin(ctx); err != nil {
			return nil, err
		}
	}
	for !p.ended {
		// One batch may have answers without end, all of them filtered out.
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		if p.batch == nil {
			b, err := p.in.Next(ctx)
			if err != nil {
				return nil, err
			}
			if b == nil {
				p.ended = true
				p.leave()
				break
			}
			if err := p.take(b); err != nil {
				return nil, err
			}
		}
		out, err := p.answer()
		if out != nil || err != nil {
			return out, err
		}
		p.batch = nil
	}
	return p.unmatched()
}

// begin waits for the build side.
func (p *Probe) begin(ctx context.Context) error {
	start := time.Now()
	err := p.j.wait(ctx)
	p.since(start)
	if err != nil {
		return err
	}
	p.ready = true
	p.asm.attach()
	if p.j.barren() {
		p.ended = true
		return p.in.Close() // whoever fills it may stop
	}
	if p.j.spec.outer() {
		p.seen = vector.NewBitmap(p.j.rows).ClearAll()
	}
	return nil
}

// take starts on an input batch.
func (p *Probe) take(b *vector.Batch) error {
	p.batch, p.state, p.walk = b, fresh, walk{}
	a := p.j.env.Account
	for _, s := range []*slab[int32]{&p.found, &p.heads} {
		if err := s.grow(a, b.N+1); err != nil {
			return err
		}
	}
	for _, c := range p.j.spec.LeftKeys {
		if err := b.Cols[c].Load(b.Sel); err != nil {
			return err
		}
	}
	if p.needsHits() {
		if err := p.hits.grow(a, b.N); err != nil {
			return err
		}
		clear(p.hits.v[:b.N])
	}
	if p.j.rows == 0 {
		return nil
	}
	if len(p.j.spec.LeftKeys) == 0 {
		p.valid = selection(p.valid, b)
		p.walk.cross(p.valid, nil, p.j.rows)
		return nil
	}
	return p.lookUp(b)
}

// needsHits reports whether it matters which probe rows have no match.
func (p *Probe) needsHits() bool {
	return p.j.spec.exists() || p.j.spec.Kind == plan.LeftJoin || p.j.spec.Kind == plan.FullJoin
}

// selection returns b's rows as a list, in dst's memory.
func selection(dst []int32, b *vector.Batch) []int32 {
	if b.Sel != nil {
		return append(dst[:0], b.Sel...)
	}
	if cap(dst) < b.N {
		dst = make([]int32, 0, max(b.N, vector.DefaultRows))
	}
	dst = dst[:b.N]
	for i := range dst {
		dst[i] = int32(i)
	}
	return dst
}

// lookUp finds each row's chain of candidates.
func (p *Probe) lookUp(b *vector.Batch) error {
	p.valid = selection(p.valid, b)
	p.vecs, p.keys = p.vecs[:0], p.keys[:0]
	if err := p.growZeros(b.N); err != nil {
		return err
	}
	for _, c := range p.j.spec.LeftKeys {
		v := b.Cols[c]
		if mayHaveNulls(v) {
			p.valid = notNull(p.valid, v, p.valid, b.N)
		}
		p.vecs = append(p.vecs, v)
		p.keys = append(p.keys, keyColumnOf(v, p.zeros.v))
	}
	n := 0
	switch x := &p.j.index; {
	case len(p.valid) == 0:
	case x.dense:
		n = p.lookUpDense(x)
	default:
		if err := p.hashes.grow(p.j.env.Account, b.N); err != nil {
			return err
		}
		if err := p.fetched.grow(p.j.env.Account, b.N); err != nil {
			return err
		}
		kernel.Hash(p.vecs, p.valid, b.N, p.hashes.v)
		n = x.probeHashed(p.hashes.v, p.fetched.v, p.valid, p.found.v, p.heads.v)
	}
	found, heads := p.found.v[:n], p.heads.v[:n]
	if p.j.index.unique() {
		n = p.verify(found, heads)
		found, heads = found[:n], heads[:n]
	}
	p.walk.chains(found, heads, p.j.index.next.v)
	return nil
}

func (p *Probe) growZeros(n int) error {
	had := len(p.zeros.v)
	if err := p.zeros.grow(p.j.env.Account, n); err != nil {
		return err
	}
	if len(p.zeros.v) != had {
		clear(p.zeros.v)
	}
	return nil
}

func (p *Probe) lookUpDense(x *joinIndex) int {
	k := p.keys[0]
	found, heads := p.found.v, p.heads.v
	switch k.base.Type.Physical() {
	case types.PhysInt8:
		return probeDense(x, vector.Values[int8](k.base), k.idx, p.valid, found, heads)
	case types.PhysInt16:
		return probeDense(x, vector.Values[int16](k.base), k.idx, p.valid, found, heads)
	case types.PhysInt32:
		return probeDense(x, vector.Values[int32](k.base), k.idx, p.valid, found, heads)
	}
	return probeDense(x, vector.Values[int64](k.base), k.idx, p.valid, found, heads)
}

// verify keeps the pairs whose keys are equal, and returns how many.
func (p *Probe) verify(pr, br []int32) int {
	n := len(pr)
	if p.j.index.dense {
		return n
	}
	for i, k := range p.keys {
		right := &p.j.cols[p.j.slot[p.j.spec.RightKeys[i]]].base
		n = keepEqual(k, right, pr[:n], br[:n], &p.sel)
	}
	return n
}

// What has been done for the input batch.
type answerState uint8

const (
	fresh answerState = iota
	pairing
	answered
)

// phase says which candidates pairs are made of; see nextPhase.
type phase uint8

const (
	byKey     phase = iota
	nullBuild       // rows without a match beside build rows with null keys
	nullProbe       // rows with null keys beside all build rows
)

// answer returns the next output batch for the input batch, nil when it is
// done with.
func (p *Probe) answer() (*vector.Batch, error) {
	switch p.state {
	case answered:
		return nil, nil
	case pairing:
		return p.pairs()
	}
	p.state = answered
	if p.walk.stage == walkDone {
		return p.nothing()
	}
	if p.walk.single() && !p.j.nullPairs() {
		return p.once()
	}
	if p.filter == nil && p.j.spec.exists() && p.walk.stage == walkChains {
		if out, ok, err := p.firstMatches(); ok || err != nil {
			return out, err
		}
		if err := p.lookUp(p.batch); err != nil {
			return nil, err
		}
	}
	if err := p.startPairs(); err != nil {
		return nil, err
	}
	return p.pairs()
}

// leave adds what this driver matched to what all did.
func (p *Probe) leave() {
	j := p.j
	j.mu.Lock()
	defer j.mu.Unlock()
	j.probes--
	if !j.spec.outer() || j.rows == 0 {
		return
	}
	for i, w := range p.seen {
		j.seen[i] |= w
	}
	if j.probes == 0 {
		p.leftover = leftover{todo: true}
	}
}

// Close releases the scratch space and, with the last driver, the table.
func (p *Probe) Close() error {
	p.ended = true
	if p.closed {
		return nil
	}
	p.closed = true
	if p.filter != nil {
		p.filter.Close()
	}
	p.asm.release()
	p.hashes.release()
	p.fetched.release()
	for _, s := range []*slab[int32]{&p.found, &p.heads, &p.pr, &p.br, &p.zeros} {
		s.release()
	}
	p.hits.release()
	err := p.in.Close()
	p.j.wanted.Add(-1)
	p.j.unref()
	return err
}
