package schedule

import (
	"cmp"
	"slices"
	"time"

	"github.com/tuttidb/tutti/coordinator/query"
)

// A task may take far longer than it should though its node lives: a disk that
// fails slowly, a processor that others have, a memory that swaps. Splits that it
// has not started go to others (steal); what it has started, and a partition's
// task as a whole, can only be done twice. So it gets a twin elsewhere, and
// whichever ends first counts (query.Twins has the rules that make this right).
//
// A twin costs what the task costs, and gains only if the task's node is what is
// slow. An attempt gets one if
//
//   - all that it reads has been there for at least twinFactor times as long as it
//     should take, and for at least Recovery.TwinAfter longer than that;
//   - how long it should take is known: at least half of the stage's tasks have
//     ended, and it is what they took, by the median, or by the median for each
//     byte of input times its own input, whichever is more. So a task that has more
//     to do than others is not behind, and where all are slow none is;
//   - a node has nothing to do in the stage, where those of its tasks have ended
//     that it had: there is room, and memory, for another;
//   - no more than one in twinShare of the stage's tasks have one, and it has had
//     none;
//   - somebody waits for it: not if the client reads slower than rows come.
//
// What costs a task more than its bytes show, such as a key that a join meets very
// often, is taken for slowness, and doubled in vain. The only task of its stage has
// nothing to be compared with, and gets none. Nor do those of a node from which
// others fetch slowly: what they wait for has ended already. Spark
// (speculation.quantile, .multiplier) speculates by like rules; that a task which
// has more to do is not slow is from Ananthanarayanan et al., Reining in the
// Outliers in Map-Reduce Clusters using Mantri, 2010.
const (
	twinFactor = 2
	twinShare  = 4
)

// startTwins begins the twins that pay, the attempt that is farthest behind
// first, and gives up those that cannot end.
func startTwins(r *query.Run, nodes []Node) (out []Action) {
	r.DropStarved()
	if r.Recovery.TwinAfter <= 0 || r.OutputWaits() || len(nodes) < 2 {
		return nil
	}
	for _, s := range r.Stages {
		late := behind(r, s)
		room := max(len(s.Tasks)/twinShare, 1) - twinsOf(s)
		for _, t := range late[:min(max(room, 0), len(late))] {
			n, ok := twinNode(r, s, t, nodes)
			if !ok {
				continue
			}
			tw := r.AddTwin(t, n.Place())
			a := startAction(r, s, tw, t.Partition, t.Partitions)
			a.Stream = false // nobody reads it before it is accepted
			a.Twin, a.Update.Splits, a.Update.NoMore = true, tw.Splits, scansOf(s)
			out = append(out, a)
		}
	}
	return out
}

// behind returns the attempts of a stage that have run for so long that another
// one would probably end before them, the latest first.
func behind(r *query.Run, s *query.Stage) (late []*query.Task) {
	if len(s.Tasks) < 2 || s.Done() {
		return nil
	}
	ready, ok := inputsAt(r, s)
	if !ok {
		return nil
	}
	var p *pace
	over := map[*query.Task]time.Duration{}
	for _, t := range s.Tasks {
		ran := r.Now - max(t.Since, ready)
		if ran < r.Recovery.TwinAfter || !r.MayTwin(t) {
			continue
		}
		if p == nil {
			p = paceOf(r, s, ready)
		}
		usual, ok := p.expect(workOf(r, s, t))
		if ok && ran >= twinFactor*usual && ran-usual >= r.Recovery.TwinAfter {
			late = append(late, t)
			over[t] = ran - usual
		}
	}
	slices.SortStableFunc(late, func(a, b *query.Task) int { return cmp.Compare(over[b], over[a]) })
	return late
}

// pace is how fast the tasks of a stage were that have ended.
type pace struct {
	known   bool          // enough have
	took    time.Duration // by the median
	perByte float64       // of input, in nanoseconds, by the median
}

// paceOf finds the pace of a stage whose inputs were ready at a time.
func paceOf(r *query.Run, s *query.Stage, ready time.Duration) *pace {
	var took []time.Duration
	var perByte []float64
	for _, t := range s.Tasks {
		if d, ok := t.Took(ready); ok {
			took = append(took, d)
			perByte = append(perByte, float64(d)/float64(workOf(r, s, t)))
		}
	}
	if 2*len(took) < len(s.Tasks) {
		return &pace{}
	}
	return &pace{known: true, took: median(took), perByte: median(perByte)}
}

// expect is how long a task with so many bytes of input should take.
func (p *pace) expect(work int64) (time.Duration, bool) {
	return max(p.took, time.Duration(p.perByte*float64(work))), p.known
}

// median is the upper one of an even number; there is at least one.
func median[T cmp.Ordered](all []T) T {
	slices.Sort(all)
	return all[len(all)/2]
}

// workOf is how many bytes a task reads: of its splits, and of its partition of
// what other stages gave. At least 1.
func workOf(r *query.Run, s *query.Stage, t *query.Task) int64 {
	n := int64(1)
	for _, sp := range t.Splits {
		n += sizeOf(sp)
	}
	for _, in := range s.Fragment.Inputs {
		for _, src := range r.Stages[in].Tasks {
			if end := src.Status.End; end != nil && len(end.Partitions) > 0 {
				n += end.Partitions[min(partitionOf(s, t), len(end.Partitions)-1)].Bytes
			}
		}
	}
	return n
}

// twinsOf counts the twins that run in a stage.
func twinsOf(s *query.Stage) (n int) {
	for _, t := range s.Tasks {
		if t.Twin != nil {
			n++
		}
	}
	return n
}

// twinNode chooses the node for a twin: another one than the attempt's, that has
// nothing to do in the stage, and of these where the least runs.
func twinNode(r *query.Run, s *query.Stage, t *query.Task, nodes []Node) (Node, bool) {
	free := slices.DeleteFunc(slices.Clone(nodes), func(n Node) bool {
		return n.ID == t.Node || !idle(s, n) || slices.ContainsFunc(s.Tasks, func(o *query.Task) bool {
			return o.Twin != nil && o.Twin.Place == n.Place()
		})
	})
	if len(free) == 0 {
		return Node{}, false
	}
	return quietest(s, t, free, load(r)), true
}
