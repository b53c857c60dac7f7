package main

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/tuttidb/tutti/test/slt"
	"github.com/tuttidb/tutti/test/tpch"
)

// spread makes a query of little data run on all workers, as one of much does.
const spread = "SET SESSION one_task_max_scan_size = '0B'"

// ask runs one of TPC-H's queries over a server's generated tables, on all its
// workers, and checks the answer.
func ask(ctx context.Context, server string, q tpch.Query) error {
	answer, err := tpch.Load(tpch.Tiny, q.Name)
	if err != nil {
		return err
	}
	session, err := slt.NewSession(server, "tpchstd", string(tpch.Tiny))
	if err != nil {
		return err
	}
	_, err = session.Query(ctx, spread)
	var got *slt.Result
	if err == nil {
		got, err = session.Query(ctx, q.SQL)
	}
	if err == nil {
		err = answer.Check(got.Rows)
	}
	if err != nil {
		return fmt.Errorf("%s: %w", q.Name, err)
	}
	return nil
}

// load is a number of clients that ask checked queries, without a pause or with one.
type load struct {
	mu      sync.Mutex
	asked   int
	cut     int           // statements that no driver would try again (errCut); they were asked anew
	worst   time.Duration // the longest that a query took
	failed  []error
	all     sync.WaitGroup
	stopped chan struct{}
}

// begin starts clients; each goes through the queries from another one on.
func begin(ctx context.Context, server string, clients int) *load {
	return beginSlowly(ctx, server, clients, 0)
}

// beginSlowly starts clients that pause between their queries.
func beginSlowly(ctx context.Context, server string, clients int, between time.Duration) *load {
	l := &load{stopped: make(chan struct{})}
	queries := tpch.Queries()
	for c := range clients {
		l.all.Go(func() {
			for i := c * len(queries) / clients; ; i++ {
				select {
				case <-l.stopped:
					return
				case <-ctx.Done():
					return
				case <-time.After(between):
				}
				began := time.Now()
				err := ask(ctx, server, queries[i%len(queries)])
				for ; errors.Is(err, errCut); err = ask(ctx, server, queries[i%len(queries)]) {
					l.mu.Lock()
					l.cut++
					l.mu.Unlock()
				}
				if ctx.Err() != nil {
					return
				}
				l.add(time.Since(began), err)
			}
		})
	}
	return l
}

// add counts a query that was answered or has failed.
func (l *load) add(took time.Duration, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.asked++
	l.worst = max(l.worst, took)
	if err != nil {
		l.failed = append(l.failed, err)
	}
}

// count is how many queries have been answered or failed so far.
func (l *load) count() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.asked
}

// end waits for the queries that run, and returns how many there were and why
// some failed.
func (l *load) end() (asked int, err error) {
	close(l.stopped)
	l.all.Wait()
	if len(l.failed) == 0 {
		return l.asked, nil
	}
	return l.asked, fmt.Errorf("%d of %d queries failed: %w", len(l.failed), l.asked, errors.Join(l.failed[:min(3, len(l.failed))]...))
}
