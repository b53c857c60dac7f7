package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"time"
)

const (
	// fillers are the clients that fill the coordinators' memory before
	// anything is measured and go on while it is, fillTime for how long.
	fillers  = 3
	fillTime = 15 * time.Second
	// rest is the time between two measurements.
	rest = 3 * time.Second
	// long takes workers so long that it spans a change of the leader.
	long = "SELECT count(*), max(o.c) FROM (SELECT orderkey, count(*) AS c FROM tpch.sf1.lineitem GROUP BY orderkey) o JOIN tpch.sf1.orders p ON o.orderkey = p.orderkey"
)

// pause is what a change of the leader cost the clients of one coordinator.
type pause struct {
	what string
	// silence is the longest time without an answer, all else times since the
	// change was asked for.
	silence, elected, took, ruled, adopted time.Duration
	// remembered is how many entries the next leader began with, parts what it
	// took over in what time.
	remembered, parts string
}

// measurePauses hands the leadership over, and kills the leader, n times each,
// while clients ask for SELECT 1 and a query runs, and says where the time goes.
func (o *options) measurePauses(ctx context.Context, out io.Writer) (err error) {
	s, err := o.start(ctx, "pauses")
	if s != nil {
		defer func() { err = errors.Join(err, s.Stop()) }()
	}
	if err != nil {
		return err
	}
	load, stop := context.WithCancel(ctx)
	defer stop()
	var loads sync.WaitGroup
	defer loads.Wait()
	defer stop()
	for range fillers {
		loads.Go(func() {
			for load.Err() == nil {
				if selectOne(load, s.URL) != nil {
					_ = until(load, time.Now().Add(20*time.Millisecond)) // its coordinator was killed
				}
			}
		})
	}
	loads.Go(func() {
		for load.Err() == nil {
			_ = run(load, s.URL, long) // measured by what coordinators say of it
		}
	})
	if err := until(ctx, time.Now().Add(fillTime)); err != nil {
		return err
	}
	var all []pause
	for i := range 2 * o.pauses {
		p, err := s.pause(ctx, o.binary, i >= o.pauses)
		if err != nil {
			return err
		}
		all = append(all, p)
		if err := until(ctx, time.Now().Add(rest)); err != nil {
			return err
		}
	}
	report(out, all)
	return nil
}

// pause measures one change of the leader.
func (s *stage) pause(ctx context.Context, binary string, kill bool) (p pause, err error) {
	lead, err := s.settled(ctx)
	if err != nil {
		return p, err
	}
	asked := s.All[(s.index(lead)+1)%len(s.All)]
	marks, err := s.sizes()
	if err != nil {
		return p, err
	}
	watch, stop := context.WithCancel(ctx)
	defer stop()
	var mu sync.Mutex
	answers := []time.Time{time.Now()}
	var failed error
	var probing sync.WaitGroup
	for range 2 { // one of them waits in a POST or a GET at any moment
		probing.Go(func() {
			for watch.Err() == nil {
				err := selectOne(watch, asked.URL())
				mu.Lock()
				if err == nil {
					answers = append(answers, time.Now())
				} else if watch.Err() == nil {
					failed = errors.Join(failed, err)
				}
				mu.Unlock()
			}
		})
	}
	if err := until(ctx, time.Now().Add(500*time.Millisecond)); err != nil {
		return p, err
	}
	begin := time.Now()
	if kill {
		p.what = "kill"
		s.Kill(lead)
	} else {
		p.what = "hand over"
		text, err := exec.CommandContext(ctx, binary, "admin", "--server", asked.Control, "transfer-leader").CombinedOutput()
		if err != nil {
			return p, fmt.Errorf("%w: %s", err, text)
		}
	}
	if err := until(ctx, begin.Add(4*time.Second)); err != nil {
		return p, err
	}
	stop()
	probing.Wait()
	for i := range answers[1:] {
		p.silence = max(p.silence, answers[i+1].Sub(answers[i]))
	}
	if err := s.explain(&p, begin, marks); err != nil {
		return p, err
	}
	if kill {
		if err := s.Start(s.index(lead)); err != nil {
			return p, err
		}
	}
	return p, failed
}

// sizes are those of the coordinators' logs.
func (s *stage) sizes() (all []int64, err error) {
	for _, x := range s.All {
		st, err := os.Stat(x.Log)
		if err != nil {
			return nil, err
		}
		all = append(all, st.Size())
	}
	return all, nil
}

// explain reads from the coordinators' logs what happened when.
func (s *stage) explain(p *pause, begin time.Time, marks []int64) error {
	for i, x := range s.All {
		f, err := os.Open(x.Log)
		if err != nil {
			return err
		}
		if _, err := f.Seek(marks[i], io.SeekStart); err != nil {
			return errors.Join(err, f.Close())
		}
		lines := bufio.NewScanner(f)
		for lines.Scan() {
			p.note(lines.Text(), begin)
		}
		if err := errors.Join(lines.Err(), f.Close()); err != nil {
			return err
		}
	}
	return nil
}

// note takes what a line of a log says.
func (p *pause) note(line string, begin time.Time) {
	at, err := time.Parse(time.RFC3339Nano, attribute(line, "time"))
	if err != nil {
		return
	}
	since := at.Sub(begin)
	switch {
	case strings.Contains(line, "leads the coordinators"):
		p.took, _ = time.ParseDuration(attribute(line, "took")) // zero shows
		p.elected = since - p.took
		p.remembered = attribute(line, "remembered")
		p.parts = ""
		for _, name := range []string{"barrier", "entry", "memory"} {
			p.parts += " " + name + " " + attribute(line, "of_it."+name)
		}
	case strings.Contains(line, "goes on where the one before was lost"):
		p.ruled = since
	case strings.Contains(line, "run taken over"), strings.Contains(line, "query begins again"):
		p.adopted = max(p.adopted, since)
	}
}

// attribute returns the value of a name in a line of a log, empty for none.
func attribute(line, name string) string {
	_, rest, ok := strings.Cut(" "+line, " "+name+"=")
	if !ok {
		return ""
	}
	value, _, _ := strings.Cut(rest, " ")
	return value
}

// report shows what was measured, and the silences of each kind.
func report(out io.Writer, all []pause) {
	fmt.Fprintln(out, "| | silence | elected after | took over in | of it | remembered | governs after | run taken over after |\n| --- | --- | --- | --- | --- | --- | --- | --- |")
	round := func(d time.Duration) time.Duration { return d.Round(time.Millisecond) }
	silences := map[string][]time.Duration{}
	for _, p := range all {
		fmt.Fprintf(out, "| %s | %s | %s | %s |%s | %s | %s | %s |\n",
			p.what, round(p.silence), round(p.elected), round(p.took), p.parts, p.remembered, round(p.ruled), round(p.adopted))
		silences[p.what] = append(silences[p.what], p.silence)
	}
	for _, what := range slices.Sorted(maps.Keys(silences)) {
		list := silences[what]
		slices.Sort(list)
		fmt.Fprintf(out, "%s: silence of %s (median), %s (worst) of %d\n", what, round(at(list, 50)), round(list[len(list)-1]), len(list))
	}
}
