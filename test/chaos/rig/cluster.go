// Package rig starts clusters that can be broken: a coordinator and workers as
// processes, with a network between them of which every link can be cut, slowed
// or half closed (Net), an object store whose answers can be spoiled (Store),
// and shares of the processor per worker (Share). Nothing of it needs rights
// but Share and Disk, which say so.
package rig

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"time"

	"github.com/tuttidb/tutti/test/cluster"
)

// Config says what cluster to start.
type Config struct {
	Binary  string // tutti
	Dir     string // for data, catalogs and logs
	Workers int
	// Threads of each worker; 0 means 1.
	Threads int
	// Catalogs are the catalog files by name.
	Catalogs map[string]string
	// Env are additional environment variables of all processes.
	Env []string
	// WorkerArgs are additional arguments of a worker, which win over ours.
	WorkerArgs func(name, dir string) []string
	// Clocks gives each process a wall clock of its own; Binary was built by
	// BuildStepped.
	Clocks bool
	// Started, if set, is called with each worker that was started.
	Started func(p *cluster.Process) error
}

// Cluster is a coordinator with workers and the network between them. Its
// methods are for one goroutine, but for Nodes.
type Cluster struct {
	URL         string
	Net         *Net
	Coordinator *cluster.Process
	Workers     []*cluster.Process
	cfg         Config
	control     string            // the coordinator's door
	doors       map[string]string // of workers
	clocks      map[string]*Clock
}

// StartCluster starts a cluster and waits until all workers have joined.
func StartCluster(ctx context.Context, cfg Config) (*Cluster, error) {
	catalogs := filepath.Join(cfg.Dir, "catalogs")
	if err := os.MkdirAll(catalogs, 0o755); err != nil {
		return nil, err
	}
	for name, text := range cfg.Catalogs {
		if err := os.WriteFile(filepath.Join(catalogs, name+".yaml"), []byte(text), 0o644); err != nil {
			return nil, err
		}
	}
	c := &Cluster{Net: NewNet(), cfg: cfg, doors: map[string]string{}, clocks: map[string]*Clock{}}
	if err := c.start(ctx, catalogs); err != nil {
		return nil, errors.Join(err, c.Stop())
	}
	return c, nil
}

func (c *Cluster) start(ctx context.Context, catalogs string) (err error) {
	if c.control, err = c.Net.Door(ctx, "coordinator"); err != nil {
		return err
	}
	web, control := cluster.FreeAddress(), cluster.FreeAddress()
	c.URL = "http://" + web
	env, err := c.env("coordinator")
	if err != nil {
		return err
	}
	c.Coordinator, err = cluster.Start(c.cfg.Dir, "coordinator", env, c.cfg.Binary, "coordinator", "--http-listen", web, "--grpc-listen", control,
		"--advertise", c.control, "--data-dir", filepath.Join(c.cfg.Dir, "coordinator"), "--catalog-dir", catalogs, "--node-id", "coordinator",
		"--memory-limit", "1GB")
	if err != nil {
		return err
	}
	c.Net.Place("coordinator", control, c.Coordinator.Pid())
	for i := range c.cfg.Workers {
		w, err := c.startWorker(ctx, i)
		if err != nil {
			return err
		}
		c.Workers = append(c.Workers, w)
	}
	return c.Await(ctx, c.cfg.Workers)
}

// env is a process's environment; a process that starts has the right time.
func (c *Cluster) env(name string) (env []string, err error) {
	if !c.cfg.Clocks {
		return c.cfg.Env, nil
	}
	if c.clocks[name], err = NewClock(filepath.Join(c.cfg.Dir, name+".clock")); err != nil {
		return nil, err
	}
	return append(slices.Clip(c.cfg.Env), c.clocks[name].Env()), nil
}

// Clock is the clock of a process, nil if processes have the machine's.
func (c *Cluster) Clock(name string) *Clock { return c.clocks[name] }

// Name is the name of a worker.
func Name(i int) string { return "worker-" + strconv.Itoa(i+1) }

// Restart starts a worker again that has ended, under its old name and address.
func (c *Cluster) Restart(ctx context.Context, i int) error {
	w, err := c.startWorker(ctx, i)
	if err == nil {
		c.Workers[i] = w
	}
	return err
}

func (c *Cluster) startWorker(ctx context.Context, i int) (_ *cluster.Process, err error) {
	name := Name(i)
	if c.doors[name] == "" {
		if c.doors[name], err = c.Net.Door(ctx, name); err != nil {
			return nil, err
		}
	}
	listen, dir := cluster.FreeAddress(), filepath.Join(c.cfg.Dir, name)
	args := []string{"worker", "--join", c.control, "--grpc-listen", listen, "--advertise", c.doors[name], "--data-dir", dir,
		"--node-id", name, "--threads", strconv.Itoa(max(c.cfg.Threads, 1)), "--memory-limit", "2GB"}
	if c.cfg.WorkerArgs != nil {
		args = append(args, c.cfg.WorkerArgs(name, dir)...)
	}
	env, err := c.env(name)
	if err != nil {
		return nil, err
	}
	p, err := cluster.Start(c.cfg.Dir, name, env, c.cfg.Binary, args...)
	if err != nil {
		return nil, err
	}
	c.Net.Place(name, listen, p.Pid())
	if c.cfg.Started != nil {
		if err := c.cfg.Started(p); err != nil {
			p.Kill()
			return nil, err
		}
	}
	return p, nil
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
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, c.URL+"/v1/node", nil)
	if err != nil {
		return nil, err
	}
	req.Header.Set("X-Trino-User", "chaos")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("nodes: %s", resp.Status)
	}
	var out []Node
	return out, json.NewDecoder(resp.Body).Decode(&out)
}

// Active counts the workers that are active.
func (c *Cluster) Active(ctx context.Context) (n int, err error) {
	nodes, err := c.Nodes(ctx)
	for _, node := range nodes {
		if !node.Coordinator && node.State == "active" {
			n++
		}
	}
	return n, err
}

// Await waits until n workers are active.
func (c *Cluster) Await(ctx context.Context, n int) error {
	for {
		active, err := c.Active(ctx)
		if err == nil && active == n {
			return nil
		}
		if c.Coordinator.Ended() {
			return fmt.Errorf("the coordinator has ended; see %s", c.Coordinator.Log)
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("%d of %d workers are active (%w); logs in %s", active, n, err, c.cfg.Dir)
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// Figures reads the metrics of all nodes.
func (c *Cluster) Figures(ctx context.Context) (cluster.Figures, error) {
	return (&cluster.Cluster{URL: c.URL}).Figures(ctx)
}

// Settled waits until no node holds more than before, at most for a time.
func (c *Cluster) Settled(ctx context.Context, before cluster.Figures, patience time.Duration) error {
	return (&cluster.Cluster{URL: c.URL}).Settled(ctx, before, patience)
}

// Stop heals the network and ends all processes, workers first.
func (c *Cluster) Stop() error {
	c.Net.Heal()
	var errs []error
	end := func(p *cluster.Process) {
		if p == nil || p.Ended() {
			return
		}
		_ = p.Resume() // one that is stopped hears nothing
		if _, err := p.Terminate(20 * time.Second); err != nil {
			errs = append(errs, err)
		}
	}
	for _, w := range c.Workers {
		end(w)
	}
	end(c.Coordinator)
	c.Net.Close()
	return errors.Join(errs...)
}

// Build builds a program of this module, with additional flags.
func Build(ctx context.Context, out, pkg string, flags ...string) error {
	args := append([]string{"build", "-o", out}, flags...)
	cmd := exec.CommandContext(ctx, "go", append(args, "github.com/tuttidb/tutti/"+pkg)...)
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if text, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("build %s: %w\n%s", pkg, err, text)
	}
	return nil
}
