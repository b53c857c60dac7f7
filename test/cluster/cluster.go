// Package cluster holds the tests that need a whole cluster: a coordinator,
// workers and an object store as processes of their own on loopback, started
// from the binary that users get. They are killed, canceled, given damaged
// files, and must answer right or say clearly why not, and hold nothing
// afterwards.
//
// Everything is found or made: the binaries are built, the object store is
// installed from its module, TPC-H is generated once into a cache folder
// (TUTTI_TEST_CACHE, else tutti-test below the user's cache folder). Long
// forms run with TUTTI_TEST_LONG=1.
package cluster

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// Config says what cluster to start.
type Config struct {
	Binary  string // tutti
	Dir     string // for data, catalogs and logs
	Workers int
	// Catalogs are the catalog files by name.
	Catalogs map[string]string
	// Env are additional environment variables of all processes.
	Env []string
}

// writeCatalogs writes the catalog files.
func (cfg *Config) writeCatalogs() error {
	catalogs := filepath.Join(cfg.Dir, "catalogs")
	if err := os.MkdirAll(catalogs, 0o755); err != nil {
		return err
	}
	for name, text := range cfg.Catalogs {
		if err := os.WriteFile(filepath.Join(catalogs, name+".yaml"), []byte(text), 0o644); err != nil {
			return err
		}
	}
	return nil
}

// Cluster is a coordinator with workers.
type Cluster struct {
	URL         string
	Coordinator *Process
	Workers     []*Process
	cfg         Config
	control     string
}

// StartCluster starts a cluster and waits until all workers have joined.
func StartCluster(ctx context.Context, cfg Config) (*Cluster, error) {
	if err := cfg.writeCatalogs(); err != nil {
		return nil, err
	}
	web, control := FreeAddress(), FreeAddress()
	c := &Cluster{URL: "http://" + web, cfg: cfg, control: control}
	var err error
	c.Coordinator, err = Start(cfg.Dir, "coordinator", cfg.Env, cfg.Binary, "coordinator", "--http-listen", web, "--grpc-listen", control,
		"--data-dir", filepath.Join(cfg.Dir, "coordinator"), "--catalog-dir", filepath.Join(cfg.Dir, "catalogs"), "--node-id", "coordinator", "--memory-limit", "1GB")
	if err != nil {
		return nil, err
	}
	for range cfg.Workers {
		if err := c.AddWorker(); err != nil {
			return nil, errors.Join(err, c.Stop())
		}
	}
	if err := c.settle(ctx); err != nil {
		return nil, errors.Join(err, c.Stop())
	}
	return c, nil
}

// settle waits until all workers have joined, or one of them, or the
// coordinator, has ended instead.
func (c *Cluster) settle(ctx context.Context) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	for _, p := range append([]*Process{c.Coordinator}, c.Workers...) {
		go func() {
			select {
			case <-p.ended:
				cancel(fmt.Errorf("%s has ended instead of starting", p.Name))
			case <-ctx.Done():
			}
		}()
	}
	return c.Await(ctx, c.cfg.Workers)
}

// AddWorker starts another worker; it joins in its own time.
func (c *Cluster) AddWorker() error {
	w, err := c.startWorker(len(c.Workers))
	if err == nil {
		c.Workers = append(c.Workers, w)
	}
	return err
}

// Restart starts a worker again that has ended, under its old name.
func (c *Cluster) Restart(i int) error {
	w, err := c.startWorker(i)
	if err == nil {
		c.Workers[i] = w
	}
	return err
}

func (c *Cluster) startWorker(i int) (*Process, error) {
	name := "worker-" + strconv.Itoa(i+1)
	return Start(c.cfg.Dir, name, c.cfg.Env, c.cfg.Binary, "worker", "--join", c.control, "--grpc-listen", anyPort,
		"--data-dir", filepath.Join(c.cfg.Dir, name), "--node-id", name, "--threads", "1", "--memory-limit", "2GB")
}

// Node is a line of /v1/node, as far as it matters here.
type Node struct {
	NodeID       string `json:"nodeId"`
	State        string `json:"state"`
	Coordinator  bool   `json:"coordinator"`
	RunningTasks int    `json:"runningTasks"`
}

// Nodes lists the cluster's nodes.
func (c *Cluster) Nodes(ctx context.Context) ([]Node, error) {
	var out []Node
	return out, getJSON(ctx, c.URL+"/v1/node", &out)
}

// Await waits until n workers are active.
func (c *Cluster) Await(ctx context.Context, n int) error {
	for {
		nodes, err := c.Nodes(ctx)
		active := 0
		for _, node := range nodes {
			if !node.Coordinator && node.State == "active" {
				active++
			}
		}
		if err == nil && active == n {
			return nil
		}
		if c.Coordinator.Ended() {
			return fmt.Errorf("the coordinator has ended: %s", c.Coordinator.lastWords())
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("%d of %d workers are active: %w\n%s", active, n, errors.Join(err, context.Cause(ctx)), c.lastWords())
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// lastWords are the ends of all logs.
func (c *Cluster) lastWords() string {
	var out strings.Builder
	for _, p := range append([]*Process{c.Coordinator}, c.Workers...) {
		fmt.Fprintf(&out, "== %s (ended: %v)\n%s\n", p.Log, p.Ended(), p.lastWords())
	}
	return out.String()
}

// Stop ends all processes, workers first.
func (c *Cluster) Stop() error {
	var errs []error
	for _, w := range c.Workers {
		if !w.Ended() {
			errs = append(errs, w.Stop())
		}
	}
	return errors.Join(append(errs, c.Coordinator.Stop())...)
}

func getJSON(ctx context.Context, url string, into any) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return err
	}
	req.Header.Set("X-Trino-User", "test")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("%s: %s", url, resp.Status)
	}
	return json.NewDecoder(resp.Body).Decode(into)
}
