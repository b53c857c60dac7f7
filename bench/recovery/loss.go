package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/tuttidb/tutti/test/chaos"
	"github.com/tuttidb/tutti/test/slt"
	"github.com/tuttidb/tutti/test/tpch"
)

// blow is a way to lose a worker.
type blow struct {
	name  string
	limit time.Duration // within which it is to be noticed
	stop  bool          // it is stopped, not killed
}

var (
	killing = blow{name: "killed", limit: 3 * time.Second}
	hanging = blow{name: "stopped", limit: 10 * time.Second, stop: true}
)

// loss is a query during which a worker was lost.
type loss struct {
	query       string
	undisturbed time.Duration
	took        time.Duration
	noticed     time.Duration // after the blow
	again       int           // tasks
	redone      float64       // share of task seconds
	redoneCPU   float64
}

// fair is the time that the query is allowed: 1.35 times the undisturbed one.
func (l loss) ratio() float64 { return l.took.Seconds() / l.undisturbed.Seconds() }

// beyond is the ratio without the time in which the loss was not known.
func (l loss) beyond() float64 { return (l.took - l.noticed).Seconds() / l.undisturbed.Seconds() }

// study runs queries and loses workers.
type study struct {
	w    *chaos.World
	blow blow
	from string // the catalog
	rng  *rand.Rand
	log  int64 // how far the coordinator's log was read
}

// subject is a query that is studied.
type subject struct {
	tpch.Query
	scale   int
	session *slt.Session
	rows    [][]string
	took    time.Duration // undisturbed, the last time
}

// String names it as -kill-queries does.
func (s *subject) String() string { return fmt.Sprintf("%s:%d", s.Name, s.scale) }

// losses loses workers at half of queries until enough of that counted. Before
// each loss the query runs undisturbed, and that is what its time is compared
// with: processors that others use too are not as fast from one minute to the
// next.
func losses(ctx context.Context, w *chaos.World, o options, b blow) error {
	st := &study{w: w, blow: b, from: o.killFrom, rng: rand.New(rand.NewPCG(o.seed, 5))}
	subjects, err := st.subjects(o.killed)
	if err != nil {
		return err
	}
	var all []loss
	missed := 0
	for i := 0; len(all) < o.kills; i++ {
		if missed > 3*o.kills {
			return errors.New("most blows hit nothing")
		}
		s := subjects[i%len(subjects)]
		if err := st.undisturbed(ctx, s); err != nil {
			return fmt.Errorf("%s: %w", s, err)
		}
		if s.took < o.least {
			return fmt.Errorf("%s takes %.1f s undisturbed: raise its scale factor", s, s.took.Seconds())
		}
		l, hit, err := st.lose(ctx, s)
		if err != nil {
			return fmt.Errorf("%s with a worker %s: %w", s, b.name, err)
		}
		if !hit {
			missed++
			continue
		}
		all = append(all, l)
		fmt.Fprintf(os.Stderr, "%s: %.1f s, then %.2f times that, noticed after %.2f s\n", s, s.took.Seconds(), l.ratio(), l.noticed.Seconds())
	}
	fmt.Print(lossTable(o, b, all, missed))
	return nil
}

// subjects finds queries by what -kill-queries says: a name and a scale factor
// each, such as q01:100.
func (st *study) subjects(text string) (out []*subject, err error) {
	for _, item := range strings.Split(text, ",") {
		name, scale, _ := strings.Cut(item, ":")
		s := &subject{}
		if s.scale, err = strconv.Atoi(scale); err != nil {
			return nil, fmt.Errorf("%q is no query with its scale factor, such as q01:100", item)
		}
		queries, err := named(name)
		if err != nil {
			return nil, err
		}
		s.Query = queries[0]
		if s.session, err = slt.NewSession(st.w.Cluster.URL, st.from, fmt.Sprintf("sf%d", s.scale)); err != nil {
			return nil, err
		}
		out = append(out, s)
	}
	return out, nil
}

// undisturbed measures a query: the second of two runs, as a worker that has
// just started has its tables' texts to make and its heap to find.
func (st *study) undisturbed(ctx context.Context, s *subject) error {
	for range 2 {
		began := time.Now()
		res, err := s.session.Query(ctx, s.SQL)
		if err != nil {
			return err
		}
		s.took = time.Since(began)
		if s.rows != nil && !sameRows(s.rows, res.Rows) {
			return errors.New("two answers that differ")
		}
		s.rows = res.Rows
	}
	return nil
}

// lose runs a query and loses a worker at half of its time; hit reports whether
// the query needed it.
func (st *study) lose(ctx context.Context, s *subject) (l loss, hit bool, err error) {
	if _, err := st.said(); err != nil { // what was said before
		return l, false, err
	}
	c := st.w.Cluster
	victim := st.rng.IntN(len(c.Workers))
	type answer struct {
		res *slt.Result
		err error
	}
	got, began := make(chan answer, 1), time.Now()
	go func() {
		res, err := s.session.Query(ctx, s.SQL)
		got <- answer{res, err}
	}()
	select {
	case <-time.After(s.took / 2):
	case a := <-got:
		return l, false, errors.Join(a.err, errors.New("the query ended before its half"))
	}
	struck := time.Now()
	if st.blow.stop {
		err = c.Workers[victim].Pause()
	} else {
		c.Workers[victim].Kill()
	}
	if err != nil {
		return l, false, err
	}
	a := <-got
	l = loss{query: s.String(), undisturbed: s.took, took: time.Since(began)}
	if a.err == nil && !sameRows(s.rows, a.res.Rows) {
		a.err = errors.New("WRONG ANSWER")
	}
	if a.err != nil {
		return l, false, a.err
	}
	if hit, err = st.account(ctx, &l, s, struck); err != nil {
		return l, hit, err
	}
	return l, hit, st.restore(ctx, victim)
}

// restore brings the worker back.
func (st *study) restore(ctx context.Context, victim int) error {
	c := st.w.Cluster
	if st.blow.stop {
		if err := c.Workers[victim].Resume(); err != nil {
			return err
		}
	} else if err := c.Restart(ctx, victim); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	return c.Await(ctx, len(c.Workers))
}

// account finds out what the coordinator says about the loss.
func (st *study) account(ctx context.Context, l *loss, s *subject, struck time.Time) (hit bool, err error) {
	lines, err := st.said()
	if err != nil {
		return false, err
	}
	for _, line := range lines {
		at, fields := logLine(line)
		if fields["msg"] == "worker lost" && fields["needed"] == "true" {
			hit, l.noticed = true, at.Sub(struck)
			if l.again, err = strconv.Atoi(fields["tasks again"]); err != nil {
				return false, fmt.Errorf("log line %q: %w", line, err)
			}
		}
	}
	if !hit {
		return false, nil
	}
	res, err := s.session.Query(ctx, "SELECT task_id, split_scheduled_time_ms, split_cpu_time_ms FROM system.runtime.tasks WHERE query_id = "+
		"(SELECT max(query_id) FROM system.runtime.queries WHERE query = '"+strings.ReplaceAll(s.SQL, "'", "''")+"')")
	if err != nil {
		return false, err
	}
	l.redone, l.redoneCPU, err = redone(res.Rows)
	return true, err
}

// redone is the share of time of tasks that are not the first attempts, of lines
// with a task's id, its time and its processor time.
func redone(rows [][]string) (wall, cpu float64, err error) {
	var all, again [2]float64
	for _, row := range rows {
		attempt, err := strconv.Atoi(row[0][strings.LastIndexByte(row[0], '.')+1:])
		if err != nil {
			return 0, 0, fmt.Errorf("task %q: %w", row[0], err)
		}
		for i := range all {
			v, err := strconv.ParseFloat(row[i+1], 64)
			if err != nil {
				return 0, 0, fmt.Errorf("time of task %q: %w", row[0], err)
			}
			all[i] += v
			if attempt > 0 {
				again[i] += v
			}
		}
	}
	return again[0] / max(all[0], 1), again[1] / max(all[1], 1), nil
}

// said returns what the coordinator has logged since it was last asked.
func (st *study) said() (lines []string, err error) {
	f, err := os.Open(st.w.Cluster.Coordinator.Log)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	if _, err := f.Seek(st.log, io.SeekStart); err != nil {
		return nil, err
	}
	for r := bufio.NewReader(f); ; {
		line, err := r.ReadString('\n')
		if errors.Is(err, io.EOF) {
			return lines, nil // a half line is read the next time
		}
		if err != nil {
			return nil, err
		}
		st.log += int64(len(line))
		lines = append(lines, strings.TrimSuffix(line, "\n"))
	}
}

// logLine takes a line of slog's text form apart: key=value, either of which is
// quoted if need be.
func logLine(line string) (at time.Time, fields map[string]string) {
	fields = map[string]string{}
	word := func() string {
		if !strings.HasPrefix(line, `"`) {
			i := strings.IndexAny(line, "= ")
			if i < 0 {
				i = len(line)
			}
			w := line[:i]
			line = line[i:]
			return w
		}
		quoted, err := strconv.QuotedPrefix(line)
		if err != nil {
			line = ""
			return ""
		}
		line = line[len(quoted):]
		w, _ := strconv.Unquote(quoted) // QuotedPrefix has checked it
		return w
	}
	for line != "" {
		line = strings.TrimLeft(line, " ")
		key := word()
		if !strings.HasPrefix(line, "=") {
			continue
		}
		line = line[1:]
		fields[key] = word()
	}
	at, _ = time.Parse(time.RFC3339Nano, fields["time"]) // zero for what is no log line
	return at, fields
}

// lossTable has a line for each loss, and the medians.
func lossTable(o options, b blow, all []loss, missed int) string {
	var t strings.Builder
	fmt.Fprintf(&t, "\n## One of %d workers %s at half of a query, TPC-H (%s), %.2f processors a worker\n\n", o.workers, b.name, o.killFrom, o.share)
	t.WriteString("| query | undisturbed (s) | took (s) | ratio | noticed after (s) | ratio without that | tasks again | task seconds redone | cpu seconds redone |\n| --- | --- | --- | --- | --- | --- | --- | --- | --- |\n")
	var ratio, noticed, beyond, wall, cpu, again []float64
	for _, l := range all {
		fmt.Fprintf(&t, "| %s | %.1f | %.1f | %.2f | %.2f | %.2f | %d | %.0f %% | %.0f %% |\n", l.query, l.undisturbed.Seconds(), l.took.Seconds(),
			l.ratio(), l.noticed.Seconds(), l.beyond(), l.again, 100*l.redone, 100*l.redoneCPU)
		ratio, noticed, beyond = append(ratio, l.ratio()), append(noticed, l.noticed.Seconds()), append(beyond, l.beyond())
		wall, cpu, again = append(wall, l.redone), append(cpu, l.redoneCPU), append(again, float64(l.again))
	}
	fmt.Fprintf(&t, "| **median** | | | **%.2f** (%.2f to %.2f) | %.2f (at most %.2f; limit %.0f) | **%.2f** (%.2f to %.2f) | %.0f | %.0f %% | %.0f %% |\n",
		median(ratio), quantile(ratio, 0), quantile(ratio, 1), median(noticed), quantile(noticed, 1), b.limit.Seconds(),
		median(beyond), quantile(beyond, 0), quantile(beyond, 1), median(again), 100*median(wall), 100*median(cpu))
	fmt.Fprintf(&t, "\n%d losses count; %d others hit nothing that was needed.\n", len(all), missed)
	return t.String()
}
