package main

import (
	"context"
	"fmt"
	"log/slog"
	"math"
	"net"
	"os"
	"runtime"
	"runtime/debug"
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
	// heapFloor is the heap below which no collection starts: with a tiny heap
	// and bulk data outside it the collector would run all the time.
	heapFloor = 128 << 20
	// idleSlabs is how long unused memory is kept before the system gets it back.
	idleSlabs = 30 * time.Second
)

func newProcess(cfg *config.Config) *process {
	runtime.GOMAXPROCS(cfg.Threads)
	// Bulk data lies outside the Go heap; what is in it is small, so it may
	// double up to the floor before it is collected.
	debug.SetGCPercent(400)
	debug.SetMemoryLimit(math.MaxInt64)
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
		return nil, usage(fmt.Errorf("%s: cannot listen on %s: %w", setting, address, err))
	}
	return l, nil
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
