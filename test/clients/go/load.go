package main

import (
	"bufio"
	"database/sql"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

const (
	// loadClients connect at once and send loadQueries together.
	loadClients = 64
	loadQueries = 16000
	// quick is the limit for the median of SELECT 1, one client alone.
	quick = 5 * time.Millisecond
	// growth is by how many bytes a server may grow from the middle of the load
	// to its end: what history and caches hold is bounded and full by then, up
	// to what comes and goes with the time that pages are kept.
	growth = 128 << 20
)

// checkLoad is many clients with small queries: none may be lost, and the
// server's memory must stay flat. It is for Tutti, whose figures it reads.
func checkLoad(server string) {
	if first, err := figures(server); err != nil || first["process_resident_memory_bytes"] == 0 {
		return
	}
	check("load: the median of SELECT 1 is below 5 ms", func() (err error) {
		for range 3 { // the machine may be busy with other things
			if err = alone(server); err == nil {
				return nil
			}
		}
		return err
	})
	var middle, end map[string]float64
	check(fmt.Sprintf("load: %d queries of %d clients, all answered", loadQueries, loadClients), func() (err error) {
		if err := crowd(server, loadQueries/2); err != nil {
			return err
		}
		if middle, err = figures(server); err != nil {
			return err
		}
		if err := crowd(server, loadQueries/2); err != nil {
			return err
		}
		end, err = figures(server)
		return err
	})
	if end == nil {
		return // the check above has failed
	}
	for _, f := range []struct {
		what string
		of   func(map[string]float64) float64
	}{
		// Where the collector's next run is set is a multiple of what lives.
		{"heap", func(m map[string]float64) float64 { return m["go_memstats_next_gc_bytes"] }},
		{"memory outside of it", outside},
		{"memory of queries", func(m map[string]float64) float64 { return m["tutti_memory_used_bytes"] }},
		{"pages", func(m map[string]float64) float64 { return m["tutti_result_buffered_bytes"] }},
	} {
		check("load: flat "+f.what, func() error {
			if more := f.of(end) - f.of(middle); more > growth {
				return fmt.Errorf("it grew from %.0f by %.0f", f.of(middle), more)
			}
			return nil
		})
	}
	check("load: no goroutine is left", func() error {
		if more := end["go_goroutines"] - middle["go_goroutines"]; more > loadClients {
			return fmt.Errorf("there were %.0f, now %.0f", middle["go_goroutines"], end["go_goroutines"])
		}
		return nil
	})
}

// outside is the memory that the process has beside the Go runtime's.
func outside(m map[string]float64) float64 {
	return m["process_resident_memory_bytes"] - (m["go_memstats_sys_bytes"] - m["go_memstats_heap_released_bytes"])
}

// alone measures one client.
func alone(server string) error {
	db := open(server, "tpch", "tiny")
	defer db.Close()
	var took []time.Duration
	for range 300 {
		from := time.Now()
		if got, err := rows(db, "SELECT 1"); err != nil || len(got) != 1 || got[0] != "1" {
			return fmt.Errorf("%v, %w", got, err)
		}
		took = append(took, time.Since(from))
	}
	slices.Sort(took)
	if median := took[len(took)/2]; median > quick {
		return fmt.Errorf("it is %s", median)
	}
	return nil
}

// crowd runs n small queries from many clients; each has an answer of its own.
func crowd(server string, n int64) error {
	db := open(server, "tpch", "tiny")
	defer db.Close()
	db.SetMaxOpenConns(loadClients)
	db.SetMaxIdleConns(loadClients)
	var wait sync.WaitGroup
	var asked, answered atomic.Int64
	problems := make(chan error, loadClients)
	for range loadClients {
		wait.Go(func() {
			for {
				i := asked.Add(1)
				if i > n {
					return
				}
				if err := small(db, i); err != nil {
					problems <- fmt.Errorf("query %d: %w", i, err)
					return
				}
				answered.Add(1)
			}
		})
	}
	wait.Wait()
	close(problems)
	var all []error
	for err := range problems {
		all = append(all, err)
	}
	if answered.Load() != n {
		all = append(all, fmt.Errorf("%d of %d were answered", answered.Load(), n))
	}
	return errors.Join(all...)
}

// small runs a query whose answer depends on i.
func small(db *sql.DB, i int64) error {
	var want string
	var got []string
	var err error
	switch key := i % 25; i % 6 {
	case 0:
		want = strconv.FormatInt(i, 10)
		got, err = rows(db, "SELECT "+want)
	case 1:
		want = fmt.Sprint(key)
		got, err = rows(db, fmt.Sprintf("SELECT nationkey FROM nation WHERE nationkey = %d", key))
	case 2:
		want = "25|" + strconv.FormatInt(i, 10)
		got, err = rows(db, fmt.Sprintf("SELECT count(*), %d FROM nation", i))
	case 3:
		want = strconv.FormatInt(i+3, 10)
		got, err = rows(db, fmt.Sprintf("SELECT sum(x) + %d FROM (VALUES 1, 2) t (x)", i))
	case 4:
		want = strconv.FormatInt(i, 10)
		got, err = rows(db, "SELECT CAST(? AS bigint)", i)
	case 5:
		_, err = rows(db, fmt.Sprintf("SELECT %d / (SELECT count(*) FROM nation WHERE nationkey < 0)", i))
		if err == nil || !strings.Contains(err.Error(), "Division by zero") {
			return fmt.Errorf("got %w", err)
		}
		return nil
	}
	if err != nil || len(got) != 1 || got[0] != want {
		return fmt.Errorf("got %v, want %s: %w", got, want, err)
	}
	if rand.IntN(100) == 0 {
		time.Sleep(time.Millisecond) // clients do not march in step
	}
	return nil
}

// figures reads the server's metrics that have no labels.
func figures(server string) (map[string]float64, error) {
	resp, err := http.Get(server + "/metrics")
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	out := map[string]float64{}
	for lines := bufio.NewScanner(resp.Body); lines.Scan(); {
		name, value, _ := strings.Cut(lines.Text(), " ")
		if f, err := strconv.ParseFloat(value, 64); err == nil && !strings.Contains(name, "{") {
			out[name] = f
		}
	}
	return out, nil
}
