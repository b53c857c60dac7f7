package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"runtime"
	"runtime/debug"
	"syscall"
	"time"

	"gopkg.in/yaml.v3"

	"github.com/tuttidb/tutti/cmd/tutti/config"
	"github.com/tuttidb/tutti/exec/mem"
)

// process is what every long-running subcommand has.
type process struct {
	cfg     *config.Config
	log     *slog.Logger
	pool    *mem.Pool
	account *mem.Account
	builder *builder
}

const (
	// idleSlabs is how long unused memory is kept before the system gets it back.
	idleSlabs = 30 * time.Second
	// heapGrowth is by how many percent the Go heap may grow before it is
	// collected. Bulk data lies outside it, so it is small and its growth cheap.
	heapGrowth = 400
	// heapLeast is the least that the Go heap is given: plans, syntax trees,
	// footers and pages of results take that much on any node.
	heapLeast = 256 << 20
)

// heapBudget is the memory for the Go heap beside limit bytes of slabs for
// queries. As the default limit is 70% of the machine's memory, both together
// leave an eighth of it to the system.
func heapBudget(limit int64) int64 { return max(heapLeast, limit/4) }

func newProcess(cfg *config.Config) *process {
	runtime.GOMAXPROCS(cfg.Threads)
	debug.SetGCPercent(heapGrowth)
	if os.Getenv("GOMEMLIMIT") == "" { // who sets it knows better
		debug.SetMemoryLimit(heapBudget(int64(cfg.MemoryLimit)))
	}
	p := &process{cfg: cfg, log: newLogger(cfg), pool: mem.NewPool()}
	p.account = mem.NewRoot("node", int64(cfg.MemoryLimit), p.pool)
	p.builder = newBuilder(p.account, p.log)
	return p
}

func newLogger(cfg *config.Config) *slog.Logger {
	var level slog.Level
	if err := level.UnmarshalText([]byte(cfg.LogLevel)); err != nil {
		level = slog.LevelInfo
	}
	opts := &slog.HandlerOptions{Level: level}
	if cfg.LogFormat == "json" {
		return slog.New(slog.NewJSONHandler(os.Stderr, opts))
	}
	return slog.New(slog.NewTextHandler(os.Stderr, opts))
}

// housekeep gives unused memory back now and then, until ctx ends.
func (p *process) housekeep(ctx context.Context) {
	tick := time.NewTicker(idleSlabs)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			p.pool.Trim(idleSlabs)
			p.builder.text.Sweep()
			debug.FreeOSMemory()
		}
	}
}

// listen opens a port; that it is taken is the user's to know in one line.
func listen(setting, address string) (net.Listener, error) {
	l, err := net.Listen("tcp", address)
	if err != nil {
		var system syscall.Errno // its words are enough; the rest repeats the address
		if errors.As(err, &system) {
			err = system
		}
		return nil, usage(fmt.Errorf("%s: cannot listen on %s: %w", setting, address, err))
	}
	return l, nil
}

// prepareDir makes the folder for this node's files and makes sure that it can
// be written to, before anything is started that needs it.
func prepareDir(cfg *config.Config) error {
	err := os.MkdirAll(cfg.DataDir, 0o755)
	if err == nil {
		var f *os.File
		if f, err = os.CreateTemp(cfg.DataDir, ".write-test-"); err == nil {
			err = errors.Join(f.Close(), os.Remove(f.Name()))
		}
	}
	if err != nil {
		return usage(fmt.Errorf("data-dir: cannot write to %s: %w", cfg.DataDir, err))
	}
	return nil
}

// nodeID is the configured name, or the host's with the port.
func nodeID(cfg *config.Config, address net.Addr) string {
	if cfg.NodeID != "" {
		return cfg.NodeID
	}
	host, err := os.Hostname()
	if err != nil {
		host = "node"
	}
	_, port, _ := net.SplitHostPort(address.String())
	return host + "-" + port
}

// yamlString quotes a text for a YAML file.
func yamlString(s string) string {
	b, err := yaml.Marshal(s)
	if err != nil {
		return s
	}
	return string(b)
}
