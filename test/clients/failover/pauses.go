package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"regexp"
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
	remembered                             string
	parts                                  string
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
	marks := s.sizes()
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
	s.explain(&p, begin, marks)
	if kill {
		if err := s.Start(s.index(lead)); err != nil {
			return p, err
		}
	}
	return p, failed
}

// sizes are those of the coordinators' logs.
func (s *stage) sizes() (all []int64) {
	for _, x := range s.All {
		st, err := os.Stat(x.Log)
		if err != nil {
			all = append(all, 0)
			continue
		}
		all = append(all, st.Size())
	}
	return all
}

var (
	stamped   = regexp.MustCompile(`time=(\S+)`)
	tookParts = regexp.MustCompile(`(barrier|entry|memory|kept)=(\S+)`)
	number    = regexp.MustCompile(`remembered=(\d+)`)
	tookTime  = regexp.MustCompile(`took=(\S+)`)
)

// explain reads from the logs what happened when.
func (s *stage) explain(p *pause, begin time.Time, marks []int64) {
	for i, x := range s.All {
		f, err := os.Open(x.Log)
		if err != nil {
			continue
		}
		_, _ = f.Seek(marks[i], io.SeekStart)
		for lines := bufio.NewScanner(f); lines.Scan(); {
			line := lines.Text()
			m := stamped.FindStringSubmatch(line)
			if m == nil {
				continue
			}
			at, err := time.Parse(time.RFC3339Nano, m[1])
			if err != nil {
				continue
			}
			since := at.Sub(begin)
			switch {
			case strings.Contains(line, "entering leader state"):
				p.elected = since
			case strings.Contains(line, "leads the coordinators"):
				p.elected = since
				if m := tookTime.FindStringSubmatch(line); m != nil {
					p.took, _ = time.ParseDuration(m[1])
					p.elected -= p.took
				}
				if m := number.FindStringSubmatch(line); m != nil {
					p.remembered = m[1]
				}
				for _, m := range tookParts.FindAllStringSubmatch(line, -1) {
					p.parts += m[0] + " "
				}
			case strings.Contains(line, "goes on where the one before was lost"):
				p.ruled = since
			case strings.Contains(line, "run taken over"), strings.Contains(line, "query begins again"):
				p.adopted = max(p.adopted, since)
			}
		}
		_ = f.Close()
	}
}

func report(out io.Writer, all []pause) {
	fmt.Fprintln(out, "| | silence | elected after | took over in | of it | remembered | governs after | run taken over after |\n| --- | --- | --- | --- | --- | --- | --- | --- |")
	r := func(d time.Duration) string { return d.Round(time.Millisecond).String() }
	silences := map[string][]time.Duration{}
	for _, p := range all {
		fmt.Fprintf(out, "| %s | %s | %s | %s | %s | %s | %s | %s |\n", p.what, r(p.silence), r(p.elected), r(p.took), p.parts, p.remembered, r(p.ruled), r(p.adopted))
		silences[p.what] = append(silences[p.what], p.silence)
	}
	for what, list := range silences {
		slices.Sort(list)
		fmt.Fprintf(out, "%s: silence of %s (median), %s (worst) of %d\n", what, r(at(list, 50)), r(list[len(list)-1]), len(list))
	}
}
