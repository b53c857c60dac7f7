package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/tuttidb/tutti/test/cluster"
)

// samples are the statements of a run.
const samples = 200

// place is where statements are sent.
type place struct {
	name, url string
	medians   []time.Duration // one a run
	all       []time.Duration
}

// compare measures SELECT 1 on one coordinator and on three, in turn.
func (o *options) compare(ctx context.Context, out io.Writer) (err error) {
	one, err := cluster.StartCluster(ctx, cluster.Config{Binary: o.binary, Dir: filepath.Join(o.dir, "one"), Catalogs: o.catalogs(), Workers: workers})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, one.Stop()) }()
	s, err := o.start(ctx, "three")
	if s != nil {
		defer func() { err = errors.Join(err, s.Stop()) }()
	}
	if err != nil {
		return err
	}
	lead, err := s.settled(ctx)
	if err != nil {
		return err
	}
	follower := s.All[(s.index(lead)+1)%len(s.All)]
	places := []*place{{name: "one", url: one.URL}, {name: "three, the leader", url: lead.URL()}, {name: "three, another", url: follower.URL()}}
	for run := range o.cost + 1 {
		for i := range places {
			p := places[(run+i)%len(places)]
			times, err := p.measure(ctx)
			if err != nil {
				return fmt.Errorf("%s: %w", p.name, err)
			}
			if run > 0 { // the first one warms up
				p.add(times)
			}
		}
	}
	fmt.Fprintf(out, "| coordinators | median | of its %d runs | p95 | p99 |\n| --- | --- | --- | --- | --- |\n", o.cost)
	for _, p := range places {
		slices.Sort(p.all)
		slices.Sort(p.medians)
		fmt.Fprintf(out, "| %s | %s | %s to %s | %s | %s |\n", p.name, ms(at(p.all, 50)), ms(p.medians[0]), ms(p.medians[len(p.medians)-1]), ms(at(p.all, 95)), ms(at(p.all, 99)))
	}
	return nil
}

func ms(d time.Duration) string { return fmt.Sprintf("%.2f ms", float64(d)/1e6) }

// at returns a percentile of sorted times.
func at(sorted []time.Duration, percent int) time.Duration {
	return sorted[min(len(sorted)*percent/100, len(sorted)-1)]
}

func (p *place) add(times []time.Duration) {
	p.all = append(p.all, times...)
	slices.Sort(times)
	p.medians = append(p.medians, at(times, 50))
}

// measure runs SELECT 1 again and again, each to its last page.
func (p *place) measure(ctx context.Context) (times []time.Duration, err error) {
	for range samples {
		begin := time.Now()
		if err := selectOne(ctx, p.url); err != nil {
			return nil, err
		}
		times = append(times, time.Since(begin))
	}
	return times, nil
}

// selectOne runs SELECT 1.
func selectOne(ctx context.Context, url string) error { return run(ctx, url, "SELECT 1") }

// run runs a statement that has one row.
func run(ctx context.Context, url, sql string) error {
	method, at, rows := http.MethodPost, url+"/v1/statement", 0
	for at != "" {
		var body io.Reader
		if method == http.MethodPost {
			body = strings.NewReader(sql)
		}
		req, err := http.NewRequestWithContext(ctx, method, at, body)
		if err != nil {
			return err
		}
		req.Header.Set("X-Trino-User", "cost")
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			return err
		}
		var page struct {
			NextURI string          `json:"nextUri"`
			Data    [][]any         `json:"data"`
			Error   json.RawMessage `json:"error"`
		}
		err = json.NewDecoder(resp.Body).Decode(&page)
		_, _ = io.Copy(io.Discard, resp.Body) // so that the connection is used again
		resp.Body.Close()
		if err != nil || page.Error != nil {
			return fmt.Errorf("%s: %w %s", resp.Status, err, page.Error)
		}
		rows += len(page.Data)
		method, at = http.MethodGet, page.NextURI
	}
	if rows != 1 {
		return fmt.Errorf("%d rows", rows)
	}
	return nil
}
