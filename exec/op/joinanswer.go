package op

import (
	"github.com/tuttidb/tutti/exec/vector"
	"github.com/tuttidb/tutti/planner/plan"
)

// once answers the input batch with one output batch: every row has at most
// one candidate, whose key is known to match.
func (p *Probe) once() (*vector.Batch, error) {
	b := p.batch
	rows, heads := p.walk.rows, p.walk.heads
	if heads == nil { // the only build row, for every row
		if err := p.growZeros(b.N); err != nil {
			return nil, err
		}
		heads = p.zeros.v[:len(rows)]
	}
	if err := p.asm.pass(b, rows, heads); err != nil {
		return nil, err
	}
	sel := rows
	if p.filter != nil && len(rows) > 0 {
		if err := p.loadFilter(); err != nil {
			return nil, err
		}
		var err error
		if sel, err = p.filter.Apply(p.asm.batch(b.N, rows)); err != nil {
			return nil, err
		}
	}
	if p.j.spec.Kind == plan.SemiJoin {
		return p.joined(sel), nil
	}
	p.note(sel)
	if p.j.spec.exists() {
		return p.existence()
	}
	return p.joined(sel), nil
}

// firstMatches answers the batch for a join that only asks whether there is a
// match: the first row of each chain is one, unless two keys share the chain,
// which is so rare that ok is then false and the batch to be begun again.
func (p *Probe) firstMatches() (out *vector.Batch, ok bool, err error) {
	rows := p.walk.rows
	if p.verify(rows, p.walk.heads) < len(rows) {
		return nil, false, nil
	}
	if p.j.spec.Kind == plan.SemiJoin {
		p.asm.passLeft(p.batch)
		return p.joined(rows), true, nil
	}
	p.mark(rows, match)
	out, err = p.existence()
	return out, true, err
}

// loadFilter loads lazy columns that the filter needs for all rows of the
// batch, if rows that it will not see are output as well.
func (p *Probe) loadFilter() error {
	switch p.j.spec.Kind {
	case plan.InnerJoin, plan.RightJoin, plan.SemiJoin:
		return nil
	}
	return p.asm.load(p.batch, p.asm.filterLeft)
}

// note records that the rows of sel have a match, once.
func (p *Probe) note(sel []int32) {
	if p.needsHits() {
		for _, r := range sel {
			p.hits.v[r] = match
		}
	}
	if p.seen != nil {
		for _, r := range sel {
			p.seen.Set(int(p.asm.idx.v[r]))
		}
	}
}

// joined emits the rows of sel beside their match and, in left and full
// joins, the others beside nulls.
func (p *Probe) joined(sel []int32) *vector.Batch {
	b := p.batch
	if p.j.spec.Kind == plan.LeftJoin || p.j.spec.Kind == plan.FullJoin {
		if len(sel) == b.Rows() {
			return p.asm.emit(b.N, b.Sel)
		}
		if len(sel) == 0 {
			p.asm.nullRight(b.N)
		} else {
			p.asm.mask(b.N, sel)
		}
		return p.asm.emit(b.N, b.Sel)
	}
	if len(sel) == 0 {
		return nil
	}
	if len(sel) == b.N {
		sel = nil
	}
	return p.asm.emit(b.N, sel)
}

// pairs answers the input batch with the next batch of pairs, and at the end
// with what is to be said of rows without any.
func (p *Probe) pairs() (*vector.Batch, error) {
	size := p.j.env.rows()
	for p.walk.stage != walkDone {
		out, err := p.somePairs(p.pr.v[:size], p.br.v[:size])
		if out != nil || err != nil {
			return out, err
		}
	}
	p.state = answered
	if p.j.spec.exists() {
		return p.existence()
	}
	return p.withoutMatch(), nil
}

// startPairs makes ready for a batch whose rows may have several candidates.
func (p *Probe) startPairs() error {
	p.state, p.phase = pairing, byKey
	size := p.j.env.rows()
	if err := p.pr.grow(p.j.env.Account, size); err != nil {
		return err
	}
	if err := p.br.grow(p.j.env.Account, size); err != nil {
		return err
	}
	return p.asm.load(p.batch, p.asm.left)
}

// somePairs goes through the next pairs and emits those that are output.
func (p *Probe) somePairs(pr, br []int32) (*vector.Batch, error) {
	var hits []uint8
	if p.j.spec.exists() {
		hits = p.hits.v
	}
	n := p.walk.fill(pr, br, hits)
	if n == 0 {
		p.nextPhase()
		return nil, nil
	}
	if p.walk.stage == walkChains {
		if n = p.verify(pr[:n], br[:n]); n == 0 {
			return nil, nil
		}
	}
	pr, br = pr[:n], br[:n]
	if p.filter == nil && p.j.spec.exists() {
		p.mark(pr, match)
		return nil, nil
	}
	if err := p.asm.pair(p.batch, pr, br); err != nil {
		return nil, err
	}
	return p.filterPairs(pr, br)
}

// filterPairs applies the filter to the assembled pairs, records the matches
// and emits them.
func (p *Probe) filterPairs(pr, br []int32) (*vector.Batch, error) {
	var sel []int32 // nil: all
	if p.filter != nil {
		var err error
		if sel, err = p.filter.Apply(p.asm.batch(len(pr), nil)); err != nil {
			return nil, err
		}
		if sel != nil && len(sel) == 0 {
			return nil, nil
		}
		if len(sel) == len(pr) {
			sel = nil
		}
	}
	p.noteMatches(pr, br, sel)
	if p.j.spec.exists() {
		return nil, nil
	}
	return p.asm.emit(len(pr), sel), nil
}

// noteMatches records the pairs of sel (nil: all).
func (p *Probe) noteMatches(pr, br, sel []int32) {
	what := match
	if p.phase != byKey {
		what = unknown
	}
	if sel == nil {
		if p.needsHits() {
			p.mark(pr, what)
		}
		if p.seen != nil {
			for _, r := range br {
				p.seen.Set(int(r))
			}
		}
		return
	}
	for _, i := range sel {
		if p.needsHits() {
			p.hits.v[pr[i]] = what
		}
		if p.seen != nil {
			p.seen.Set(int(br[i]))
		}
	}
}

func (p *Probe) mark(rows []int32, what uint8) {
	for _, r := range rows {
		p.hits.v[r] = what
	}
}

// nextPhase goes on to the next kind of candidates. Only null-aware joins with
// a filter have more than one: a row without a match is unknown, rather than
// without, if the filter accepts it beside a build row with a null key, or
// beside any build row when its own key is null.
func (p *Probe) nextPhase() {
	p.walk.stage = walkDone
	if !p.j.nullPairs() {
		return
	}
	if p.phase == byKey {
		p.phase = nullBuild
		p.rest = p.rest[:0]
		for _, r := range p.valid {
			if p.hits.v[r] != match {
				p.rest = append(p.rest, r)
			}
		}
		if len(p.rest) > 0 && len(p.j.nullRows) > 0 {
			p.walk.cross(p.rest, p.j.nullRows, len(p.j.nullRows))
			return
		}
	}
	if p.phase == nullBuild {
		p.phase = nullProbe
		if p.nullKeys(); len(p.rest) > 0 {
			p.walk.cross(p.rest, nil, p.j.rows)
		}
	}
}

// nullKeys sets rest to the batch's rows with a null key: those not in valid.
func (p *Probe) nullKeys() {
	p.rest = p.rest[:0]
	k := 0
	for i := range p.batch.Rows() {
		r := int32(p.batch.Row(i))
		if k < len(p.valid) && p.valid[k] == r {
			k++
			continue
		}
		p.rest = append(p.rest, r)
	}
}

// nothing answers a batch that has no candidates at all.
func (p *Probe) nothing() (*vector.Batch, error) {
	if p.j.spec.exists() {
		return p.existence()
	}
	p.asm.passLeft(p.batch)
	return p.joined(nil), nil
}

// withoutMatch emits the rows without a match beside nulls, if the join does.
func (p *Probe) withoutMatch() *vector.Batch {
	if !p.needsHits() {
		return nil
	}
	sel := p.hitsIn(1<<noMatch | 1<<unknown)
	if len(sel) == 0 {
		return nil
	}
	p.asm.passLeft(p.batch)
	p.asm.nullRight(p.batch.N)
	return p.asm.emit(p.batch.N, sel)
}

// hitsIn returns the batch's rows whose verdict is one of set, which has bit
// v set for verdict v.
func (p *Probe) hitsIn(set uint8) []int32 {
	b := p.batch
	if cap(p.sel) < b.N {
		p.sel = make([]int32, max(b.N, vector.DefaultRows))
	}
	sel, n := p.sel[:b.N], 0
	if b.Sel == nil {
		for r, h := range p.hits.v[:b.N] {
			sel[n] = int32(r)
			n += int(set >> h & 1)
		}
		return sel[:n]
	}
	for _, r := range b.Sel {
		sel[n] = r
		n += int(set >> p.hits.v[r] & 1)
	}
	return sel[:n]
}

// existence answers the batch for joins that only ask whether there is a match.
func (p *Probe) existence() (*vector.Batch, error) {
	p.resolve()
	p.asm.passLeft(p.batch)
	var sel []int32
	switch p.j.spec.Kind {
	case plan.MarkJoin:
		return p.asm.marked(p.batch, p.hits.v)
	case plan.SemiJoin:
		sel = p.hitsIn(1 << match)
	case plan.AntiJoin:
		sel = p.hitsIn(1<<noMatch | 1<<unknown)
	default:
		sel = p.hitsIn(1 << noMatch)
	}
	if len(sel) == 0 {
		return nil, nil
	}
	if len(sel) == p.batch.N {
		sel = nil
	}
	return p.asm.emit(p.batch.N, sel), nil
}

// resolve turns "no match" into "unknown" where IN's null rule has it, in
// joins whose filter has not done so: for a null key beside any build row,
// and for any key beside a null one.
func (p *Probe) resolve() {
	j := p.j
	if !j.spec.nullAware() || j.spec.Filter != nil || len(j.spec.LeftKeys) == 0 || j.input == 0 {
		return
	}
	if j.sawNull {
		for i := range p.batch.Rows() {
			if r := p.batch.Row(i); p.hits.v[r] == noMatch {
				p.hits.v[r] = unknown
			}
		}
		return
	}
	for i := range p.batch.Rows() {
		r := p.batch.Row(i)
		for _, c := range j.spec.LeftKeys {
			if isNull(p.batch.Cols[c], r) {
				p.hits.v[r] = unknown
			}
		}
	}
}

// leftover is where the emission of unmatched build rows stands.
type leftover struct {
	todo bool
	at   int
}

// unmatched emits the next batch of build rows that no driver has matched.
// Only the last driver to end does; by then nobody writes seen.
func (p *Probe) unmatched() (*vector.Batch, error) {
	if !p.leftover.todo {
		return nil, nil
	}
	size := p.j.env.rows()
	if err := p.br.grow(p.j.env.Account, size); err != nil {
		return nil, err
	}
	n := 0
	for ; n < size && p.leftover.at < p.j.rows; p.leftover.at++ {
		if !p.j.seen.Get(p.leftover.at) {
			p.br.v[n] = int32(p.leftover.at)
			n++
		}
	}
	if n == 0 {
		p.leftover.todo = false
		return nil, nil
	}
	p.asm.nullLeft(n)
	if err := p.asm.right(n, p.br.v[:n], nil); err != nil {
		return nil, err
	}
	return p.asm.emit(n, nil), nil
}
