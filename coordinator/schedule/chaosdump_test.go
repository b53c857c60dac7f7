package schedule

import (
	"flag"
	"fmt"
	"strings"

	"github.com/tuttidb/tutti/coordinator/query"
)

var dumps = flag.Bool("chaos.dump", false, "print the run when coordinators change, and at its end; with -chaos.seed")

// dump prints a run.
func (c *chaos) dump(what string, r *query.Run) {
	if !*dumps {
		return
	}
	fmt.Println("==", what, "run", r.Number, "epoch", c.epoch, "given", r.Given)
	for _, s := range r.Stages {
		fmt.Printf(" stage %d complete %v spread %d inputs %v\n", s.Fragment.ID, s.Complete, s.Fragment.Spread, s.Fragment.Inputs)
		for _, scan := range s.Scans {
			fmt.Printf("   scan %d listed %v waiting %d handed %v\n", scan.Node, scan.Listed, scan.Waiting(), scan.Handed)
		}
		for _, t := range s.Tasks {
			fmt.Printf("   %s at %v unplaced %v %v committed %v released %v unknown %v awaits %v open %v splits %s told %v complete %v has %v\n",
				t.ID, t.Place, t.Unplaced, t.Status.State, t.Committed, t.Released, t.Unknown, t.Awaits, t.Open, splitNames(t.Splits), t.Told, t.ToldComplete, t.Has)
		}
	}
}

// dumpFound prints what processes say that they have.
func (c *chaos) dumpFound(found []query.Inventory) {
	for _, inv := range found {
		if !*dumps {
			return
		}
		fmt.Println(" at", inv.Place, "next", inv.Next, "ended", inv.Ended)
		for _, a := range inv.Attempts {
			fmt.Printf("   %s of epoch %d %v splits %s told %v complete %v no more %v\n",
				a.Status.Task, a.Epoch, a.Status.State, splitNames(a.Splits), a.Told, a.Complete, a.NoMore)
		}
	}
}

// splitNames lists splits by number and payload.
func splitNames(splits []query.Split) string {
	var names []string
	for _, sp := range splits {
		names = append(names, fmt.Sprintf("%d:%s", sp.ID, sp.Payload))
	}
	return strings.Join(names, " ")
}

// dumpProcs prints what processes have.
func (c *chaos) dumpProcs() {
	for _, p := range c.procs {
		if !*dumps || !p.alive {
			continue
		}
		fmt.Printf(" at %v epoch %d frozen %d slow %d tomb %d\n", p.place, p.epoch, p.frozen, p.slow, p.tomb)
		for _, k := range p.order {
			fmt.Printf("   %s of epoch %d counts %d update %d ended %v failed %v inbox %d started %v waiting %s complete %v\n",
				k.id, k.epoch, k.counts, k.number, k.ended, k.failed, len(k.inbox), k.started, splitNames(k.waiting), k.complete)
			for part, in := range k.inputs {
				fmt.Printf("     %v from %s at %s committed %v has %d whole %v said %v\n", part, in.src.Task, in.src.Address, in.src.Committed, in.has, in.whole, in.said)
			}
		}
	}
}
