package main

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/tuttidb/tutti/test/cluster"
)

const (
	workers = 3
	// modest is the niceness of workers: coordinators go first.
	modest = "10"
)

// stage is the cluster that clients play on.
type stage struct {
	*cluster.Coordinators
}

func (o *options) catalogs() map[string]string {
	all := map[string]string{"tpch": "connector: tpch\n"}
	if o.lake != "" {
		all["lake"] = "connector: lake\nwarehouse: " + o.lake + "\n"
	}
	return all
}

// start makes the cluster. Addresses are fixed: those of a coordinator that is
// down must not become a client's meanwhile.
func (o *options) start(ctx context.Context, name string) (*stage, error) {
	cfg := cluster.Config{Binary: o.binary, Dir: filepath.Join(o.dir, name), Catalogs: o.catalogs()}
	c, err := cluster.NewCoordinators(cfg, 3)
	if err != nil {
		return nil, err
	}
	s := &stage{c}
	address := func(i int) string { return "127.0.0.1:" + strconv.Itoa(o.port+i) }
	var joins []string
	for i, x := range c.All {
		x.HTTP, x.Control, x.RaftAddr = address(3*i), address(3*i+1), address(3*i+2)
		joins = append(joins, x.Control)
	}
	if err := c.StartAll(ctx); err != nil {
		return s, err
	}
	for i := range workers {
		id := "worker-" + strconv.Itoa(i+1)
		w, err := cluster.Start(cfg.Dir, id, nil, "nice", "-n", modest, o.binary, "worker", "--node-id", id, "--join", strings.Join(joins, ","),
			"--grpc-listen", address(9+i), "--data-dir", filepath.Join(cfg.Dir, id), "--threads", "1", "--memory-limit", "2GB")
		if err != nil {
			return s, err
		}
		c.Workers = append(c.Workers, w)
	}
	_, err = s.settled(ctx)
	return s, err
}

// Stop ends everything. Workers are not drained: they would wait for clients
// that have left without a word.
func (s *stage) Stop() error {
	for _, w := range s.Workers {
		w.Kill()
	}
	return s.Coordinators.Stop()
}

// settled waits until one leads that knows all.
func (s *stage) settled(ctx context.Context) (*cluster.Coordinator, error) {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	return s.Settled(ctx, workers)
}

func (s *stage) index(x *cluster.Coordinator) int {
	for i, o := range s.All {
		if o == x {
			return i
		}
	}
	return -1
}

// said counts the lines of all coordinators' logs with a text.
func (s *stage) said(text string) (n int, err error) {
	for _, x := range s.All {
		b, err := os.ReadFile(x.Log)
		if err != nil {
			return 0, err
		}
		n += bytes.Count(b, []byte(text))
	}
	return n, nil
}

// leaderships counts how often anyone has begun to lead.
func (s *stage) leaderships() (int, error) { return s.said("leads the coordinators") }

// queries are what the clients ask, as the lines of queries.tsv: small ones,
// some of TPC-H that take seconds, and two results of 100,000 rows.
func (o *options) queries() (string, error) {
	var b strings.Builder
	line := func(name string, ordered int, sql string) { fmt.Fprintf(&b, "%s\t%d\t%s\n", name, ordered, flat(sql)) }
	b.WriteString(small)
	line("rows", 0, "SELECT * FROM lineitem WHERE l_orderkey < 100000")
	for _, q := range []string{"q03", "q09", "q13", "q18"} {
		sql, err := os.ReadFile(filepath.Join(o.tpch, q+".sql"))
		if err != nil {
			return "", err
		}
		line(q, 1, string(sql))
	}
	line("sorted", 1, "SELECT o_orderkey, o_totalprice, o_comment FROM orders WHERE o_orderkey < 400000 ORDER BY o_totalprice, o_orderkey")
	return b.String(), nil
}

// flat puts a statement on one line, without its comments.
func flat(sql string) string {
	var words []string
	for line := range strings.Lines(sql) {
		text, _, _ := strings.Cut(line, "--")
		words = append(words, strings.Fields(text)...)
	}
	return strings.Join(words, " ")
}

// one is the line of queries.tsv that needs nothing but a leader, small are
// those that are answered at once.
const (
	one   = "one\t1\tSELECT 1\n"
	small = one +
		"nation\t1\tSELECT n_name FROM nation WHERE n_nationkey = 18\n" +
		"count\t1\tSELECT count(*), max(r_name) FROM region\n"
)
