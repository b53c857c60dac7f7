package main

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"
)

// event is something done to the cluster.
type event struct {
	begin, end time.Time
	what       string // the coordinator that it was done to
}

// phase is events of one kind.
type phase struct {
	name       string
	begin, end time.Time
	events     []event
	asked      int // leaderships that had to end
	spurious   int // leaderships that ended without
}

// slack is what clocks of processes may differ in what they say of a moment.
const slack = 250 * time.Millisecond

// explained reports whether an event fell into the time of a query.
func (ph *phase) explained(a answer) bool {
	return slices.ContainsFunc(ph.events, func(e event) bool {
		return !a.begin.After(e.end.Add(slack)) && !a.end.Before(e.begin.Add(-slack))
	})
}

// of returns the answers that ended in a phase. What ended between two counts
// for the one before.
func of(phases []*phase, i int, all []answer) []answer {
	var out []answer
	for _, a := range all {
		if !a.end.Before(phases[i].begin) && (i+1 == len(phases) || a.end.Before(phases[i+1].begin)) {
			out = append(out, a)
		}
	}
	return out
}

// next returns for each event how long after it began the first query was
// answered that was asked later than that.
func next(events []event, answers []answer) (out []time.Duration) {
	for _, e := range events {
		best := time.Duration(-1)
		for _, a := range answers {
			if took := a.end.Sub(e.begin); a.outcome == "ok" && !a.begin.Before(e.begin) && (best < 0 || took < best) {
				best = took
			}
		}
		if best >= 0 {
			out = append(out, best)
		}
	}
	return out
}

// gaps returns for each event the longest time without an answer around it:
// from its begin to half a second after its end.
func gaps(events []event, answers []answer) (out []time.Duration) {
	var ends []time.Time
	for _, a := range answers {
		if a.outcome == "ok" {
			ends = append(ends, a.end)
		}
	}
	slices.SortFunc(ends, time.Time.Compare)
	for _, e := range events {
		worst := time.Duration(0)
		for i := 1; i < len(ends); i++ {
			if ends[i].After(e.begin) && ends[i-1].Before(e.end.Add(500*time.Millisecond)) {
				worst = max(worst, ends[i].Sub(ends[i-1]))
			}
		}
		out = append(out, worst)
	}
	return out
}

// spread is the median and the worst of times.
func spread(times []time.Duration) string {
	if len(times) == 0 {
		return "-"
	}
	sorted := slices.Clone(times)
	slices.Sort(sorted)
	return fmt.Sprintf("%s, %s", figure(sorted[len(sorted)/2]), figure(sorted[len(sorted)-1]))
}

func figure(d time.Duration) string {
	if d < time.Second {
		return fmt.Sprintf("%d ms", d.Milliseconds())
	}
	return fmt.Sprintf("%.1f s", d.Seconds())
}

// tally counts outcomes. lone are cuts with nothing that explains them.
type tally struct{ ok, wrong, failed, cut, lone int }

func (ph *phase) count(answers []answer) (t tally) {
	for _, a := range answers {
		switch a.outcome {
		case "ok":
			t.ok++
		case "wrong":
			t.wrong++
		case "error":
			t.failed++
		case "cut":
			t.cut++
			if !ph.explained(a) {
				t.lone++
			}
		}
	}
	return t
}

func (t tally) String() string {
	s := fmt.Sprint(t.ok)
	for _, c := range []struct {
		n    int
		what string
	}{{t.wrong, "**wrong**"}, {t.failed, "**failed**"}, {t.cut, "cut"}} {
		if c.n > 0 {
			s += fmt.Sprintf(", %d %s", c.n, c.what)
		}
	}
	return s
}

// report prints what happened as two tables and says what must not happen.
func (p *play) report(out io.Writer) error {
	var bad []error
	var failures []string
	fmt.Fprint(out, "| client |")
	for _, ph := range p.phases {
		fmt.Fprintf(out, " %s |", ph.name)
	}
	fmt.Fprint(out, "\n| --- |")
	for range p.phases {
		fmt.Fprint(out, " --- |")
	}
	fmt.Fprintln(out)
	for _, l := range p.loads {
		fmt.Fprintf(out, "| %s |", l.name)
		for i, ph := range p.phases {
			answers := of(p.phases, i, l.taken())
			t := ph.count(answers)
			fmt.Fprintf(out, " %s |", t)
			if t.wrong+t.failed+t.lone > 0 || t.ok == 0 {
				bad = append(bad, fmt.Errorf("%s, %s: %s, %d cuts that nothing explains", l.name, ph.name, t, t.lone))
			}
			failures = append(failures, ph.failures(answers)...)
		}
		fmt.Fprintln(out)
	}
	fmt.Fprint(out, "\n| | times | next answer: median, worst | longest silence: median, worst | leaderships that nothing ended |\n| --- | --- | --- | --- | --- |\n")
	probes := p.probes()
	for _, ph := range p.phases {
		fmt.Fprintf(out, "| %s | %d | %s | %s | %d |\n", ph.name, len(ph.events), spread(next(ph.events, probes)), spread(gaps(ph.events, probes)), ph.spurious)
	}
	fmt.Println(strings.Join(failures, "\n"))
	return errors.Join(bad...)
}

// probes are the answers of the client that asks small queries.
func (p *play) probes() []answer {
	for _, l := range p.loads {
		if l.name == prober {
			return l.taken()
		}
	}
	return nil
}

// failures says of each failure how long before its end the last event was.
func (ph *phase) failures(answers []answer) (out []string) {
	for _, a := range answers {
		if a.outcome == "ok" {
			continue
		}
		last := "before any event"
		for _, e := range ph.events {
			if d := a.end.Sub(e.begin); d > -slack {
				last = figure(d) + " after the last event"
			}
		}
		out = append(out, fmt.Sprintf("%s: %s %s %s after %s, %s: %.300s", ph.name, a.client, a.query, a.outcome, figure(a.end.Sub(a.begin)), last, a.detail))
	}
	return out
}
