package cluster

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"time"
)

// Coordinator is one of several that replace each other.
type Coordinator struct {
	*Process                // nil before the first start
	ID                      string
	HTTP, Control, RaftAddr string
	Dir                     string
}

// URL is where clients reach it.
func (x *Coordinator) URL() string { return "http://" + x.HTTP }

// Coordinators is a cluster with several coordinators. Its URL is a door that
// leads to any of them that is up.
type Coordinators struct {
	URL     string
	All     []*Coordinator
	Workers []*Process
	cfg     Config
	door    *door
	// Flags are additional ones of coordinators.
	Flags []string
}

// NewCoordinators makes n coordinators, none of which is started yet.
func NewCoordinators(cfg Config, n int, flags ...string) (*Coordinators, error) {
	if err := cfg.writeCatalogs(); err != nil {
		return nil, err
	}
	c := &Coordinators{cfg: cfg, Flags: flags}
	for i := range n {
		id := "c" + strconv.Itoa(i+1)
		c.All = append(c.All, &Coordinator{ID: id, HTTP: FreeAddress(), Control: FreeAddress(), RaftAddr: FreeAddress(), Dir: filepath.Join(cfg.Dir, id)})
	}
	var err error
	if c.door, err = openDoor(c); err != nil {
		return nil, err
	}
	c.URL = "http://" + c.door.Addr().String()
	return c, nil
}

func (c *Coordinators) list(of func(*Coordinator) string) string {
	var out []string
	for _, x := range c.All {
		out = append(out, of(x))
	}
	return strings.Join(out, ",")
}

// Start starts a coordinator, again if it has ended.
func (c *Coordinators) Start(i int) error {
	x := c.All[i]
	peers := c.list(func(x *Coordinator) string { return x.ID + "=" + x.RaftAddr })
	args := append([]string{"coordinator", "--node-id", x.ID, "--peers", peers, "--http-listen", x.HTTP, "--grpc-listen", x.Control,
		"--data-dir", x.Dir, "--catalog-dir", filepath.Join(c.cfg.Dir, "catalogs"), "--memory-limit", "1GB"}, c.Flags...)
	p, err := Start(c.cfg.Dir, x.ID, c.cfg.Env, c.cfg.Binary, args...)
	if err == nil {
		c.door.mu.Lock()
		x.Process = p
		c.door.mu.Unlock()
	}
	return err
}

// StartAll starts all coordinators and cfg.Workers workers, and waits until one
// leads that knows all workers.
func (c *Coordinators) StartAll(ctx context.Context) error {
	for i := range c.All {
		if err := c.Start(i); err != nil {
			return err
		}
	}
	for range c.cfg.Workers {
		if err := c.AddWorker(); err != nil {
			return err
		}
	}
	_, err := c.Settled(ctx, c.cfg.Workers)
	return err
}

// AddWorker starts another worker.
func (c *Coordinators) AddWorker() error {
	w, err := c.startWorker(len(c.Workers))
	if err == nil {
		c.Workers = append(c.Workers, w)
	}
	return err
}

func (c *Coordinators) startWorker(i int) (*Process, error) {
	name := "worker-" + strconv.Itoa(i+1)
	return Start(c.cfg.Dir, name, c.cfg.Env, c.cfg.Binary, "worker", "--join", c.list(func(x *Coordinator) string { return x.Control }),
		"--grpc-listen", anyPort, "--data-dir", filepath.Join(c.cfg.Dir, name), "--node-id", name, "--threads", "1", "--memory-limit", "2GB")
}

// up reports whether a coordinator's process is there.
func (c *Coordinators) up(x *Coordinator) bool {
	c.door.mu.Lock()
	defer c.door.mu.Unlock()
	return x.Process != nil && !x.Ended()
}

// metric reads one metric without labels of a coordinator.
func (x *Coordinator) metric(ctx context.Context, name string) (float64, error) {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, x.URL()+"/metrics", nil)
	if err != nil {
		return 0, err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return 0, err
	}
	defer resp.Body.Close()
	for lines := bufio.NewScanner(resp.Body); lines.Scan(); {
		if value, ok := strings.CutPrefix(lines.Text(), name+" "); ok {
			return strconv.ParseFloat(value, 64)
		}
	}
	return 0, fmt.Errorf("%s shows no metric %s", x.ID, name)
}

// Leader returns the coordinator that leads, nil for none.
func (c *Coordinators) Leader(ctx context.Context) *Coordinator {
	for _, x := range c.All {
		if !c.up(x) {
			continue
		}
		if v, err := x.metric(ctx, "tutti_coordinator_leads"); err == nil && v == 1 {
			return x
		}
	}
	return nil
}

// index is a coordinator's place among all.
func (c *Coordinators) index(x *Coordinator) int {
	for i, o := range c.All {
		if o == x {
			return i
		}
	}
	return -1
}

// follower returns a coordinator that is up and is not x.
func (c *Coordinators) follower(x *Coordinator) *Coordinator {
	for _, o := range c.All {
		if o != x && c.up(o) {
			return o
		}
	}
	return nil
}

// Settled waits until one coordinator leads and sees all that are up and n
// workers, and returns it.
func (c *Coordinators) Settled(ctx context.Context, workers int) (*Coordinator, error) {
	for {
		lead := c.Leader(ctx)
		var err error
		if lead == nil {
			err = errors.New("nobody leads")
		} else if err = c.sees(ctx, lead, workers); err == nil {
			return lead, nil
		}
		select {
		case <-ctx.Done():
			return nil, fmt.Errorf("%w; logs in %s", err, c.cfg.Dir)
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// sees returns nil if a coordinator knows all that are up, and n workers.
func (c *Coordinators) sees(ctx context.Context, x *Coordinator, workers int) error {
	var nodes []Node
	if err := getJSON(ctx, x.URL()+"/v1/node", &nodes); err != nil {
		return err
	}
	active, there := 0, 0
	for _, n := range nodes {
		switch {
		case n.State != "active":
		case n.Coordinator:
			there++
		default:
			active++
		}
	}
	up := 0
	for _, o := range c.All {
		if c.up(o) {
			up++
		}
	}
	if active != workers || there != up {
		return fmt.Errorf("%s sees %d workers of %d and %d coordinators of %d", x.ID, active, workers, there, up)
	}
	return nil
}

// Stop ends all processes, workers first.
func (c *Coordinators) Stop() error {
	var errs []error
	for _, w := range c.Workers {
		if !w.Ended() {
			errs = append(errs, w.Stop())
		}
	}
	for _, x := range c.All {
		if c.up(x) {
			errs = append(errs, x.Stop())
		}
	}
	c.door.Close()
	return errors.Join(errs...)
}

// Kill kills a coordinator.
func (c *Coordinators) Kill(x *Coordinator) { x.Process.Kill() }

// Empty takes a coordinator's disk from it.
func (x *Coordinator) Empty() error { return os.RemoveAll(x.Dir) }

// door leads TCP connections to any coordinator that is up, as a load balancer
// does that knows nothing of HTTP.
type door struct {
	net.Listener
	c  *Coordinators
	mu sync.Mutex
}

func openDoor(c *Coordinators) (*door, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	d := &door{Listener: l, c: c}
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			go d.serve(conn)
		}
	}()
	return d, nil
}

// serve connects a client to the first coordinator that takes the connection,
// in any order.
func (d *door) serve(client net.Conn) {
	defer func() { _ = client.Close() }() // what is lost is the client's to notice
	for _, i := range rand.Perm(len(d.c.All)) {
		x := d.c.All[i]
		if !d.c.up(x) {
			continue
		}
		inner, err := (&net.Dialer{Timeout: time.Second}).DialContext(context.Background(), "tcp", x.HTTP)
		if err != nil {
			continue
		}
		go func() {
			_, _ = io.Copy(inner, client)
			_ = inner.Close()
		}()
		_, _ = io.Copy(client, inner)
		_ = inner.Close()
		return
	}
}
