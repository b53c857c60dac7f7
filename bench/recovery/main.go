// Command recovery measures what recovery costs, on a cluster that it starts:
//
//   - cost: TPC-H with retry_policy TASK against NONE while nothing fails, in
//     interleaved pairs: the ratios of wall and processor time.
//   - kill: how much longer a query takes of which one of four workers is killed
//     half way, how soon the loss is noticed, and how much of its work is done
//     again. Each worker has a share of a processor, so that the others are not
//     simply given the dead one's.
//   - hang: the same with a worker that is stopped instead.
//
// It prints Markdown tables. The shares need root, or a delegated control group.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"runtime"
	"strings"
	"syscall"
	"time"

	"github.com/tuttidb/tutti/test/chaos"
	"github.com/tuttidb/tutti/test/chaos/rig"
	"github.com/tuttidb/tutti/test/cluster"
	"github.com/tuttidb/tutti/test/tpch"
)

// options are the command's.
type options struct {
	modes   string
	seed    uint64
	scale   int
	pairs   int
	queries string
	workers int

	share    float64
	kills    int
	killFrom string
	killed   string
	least    time.Duration
}

func main() {
	var o options
	flag.StringVar(&o.modes, "mode", "cost,kill", "what to measure: cost, kill, hang")
	flag.Uint64Var(&o.seed, "seed", 1, "of the order of pairs and of the workers that are killed")
	flag.IntVar(&o.workers, "workers", 4, "workers, of one thread each")
	flag.IntVar(&o.scale, "sf", 1, "cost: scale factor")
	flag.IntVar(&o.pairs, "pairs", 10, "cost: pairs a query")
	flag.StringVar(&o.queries, "queries", "", "cost: such as q01,q05; empty: all 22")
	flag.Float64Var(&o.share, "share", 0.4, "kill: processors a worker")
	flag.IntVar(&o.kills, "kills", 10, "kill: kills that count")
	flag.StringVar(&o.killFrom, "kill-catalog", "standard", "kill: the catalog of generated rows")
	flag.StringVar(&o.killed, "kill-queries", "q01:100,q03:60,q04:40,q06:220,q12:100,q14:180,q19:180", "kill: queries and their scale factors, in turn")
	flag.DurationVar(&o.least, "kill-least", 10*time.Second, "kill: what queries take at least, undisturbed")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, o); err != nil {
		fmt.Fprintln(os.Stderr, "recovery:", err)
		os.Exit(1)
	}
}

// run measures in one mode after the other, each on a cluster of its own.
func run(ctx context.Context, o options) error {
	fmt.Printf("%s, %d processors, load average %s; `bench/recovery %s`\n", time.Now().UTC().Format("2006-01-02 15:04 UTC"),
		runtime.NumCPU(), loadAverage(), strings.Join(os.Args[1:], " "))
	for _, mode := range strings.Split(o.modes, ",") {
		measure := map[string]func(context.Context, *chaos.World, options) error{
			"cost": cost,
			"kill": func(ctx context.Context, w *chaos.World, o options) error { return losses(ctx, w, o, killing) },
			"hang": func(ctx context.Context, w *chaos.World, o options) error { return losses(ctx, w, o, hanging) },
		}[mode]
		if measure == nil {
			return fmt.Errorf("no mode %q", mode)
		}
		if err := within(ctx, o, mode, measure); err != nil {
			return fmt.Errorf("%s: %w", mode, err)
		}
	}
	return nil
}

// within starts a cluster for a mode and ends it.
func within(ctx context.Context, o options, mode string, measure func(context.Context, *chaos.World, options) error) (err error) {
	cfg := chaos.WorldConfig{Workers: o.workers, Seed: o.seed}
	if cfg.Dir, err = os.MkdirTemp("", "tutti-recovery-"); err != nil {
		return err
	}
	if mode == "cost" && o.scale != 1 {
		cfg.Scale = o.scale
	}
	if mode != "cost" {
		shares := map[string]*rig.Share{}
		defer func() {
			for _, s := range shares {
				_ = s.Close() // an empty group that stays does no harm
			}
		}()
		cfg.Started = func(p *cluster.Process) error {
			s, err := rig.NewShare(fmt.Sprintf("tutti-recovery-%d-%s", os.Getpid(), p.Name), o.share)
			if err != nil {
				return err
			}
			if shares[p.Name] == nil {
				shares[p.Name] = s
				if len(shares) == 1 {
					fmt.Printf("\nEach worker is held to %.2f processors by %s.\n", o.share, s)
				}
			}
			return s.Add(p)
		}
	}
	w, err := chaos.NewWorld(ctx, cfg)
	if err == nil {
		err = measure(ctx, w, o)
	}
	if e := w.Close(err == nil); err == nil {
		err = e
	}
	return err
}

// named picks TPC-H queries by name.
func named(names string) (out []tpch.Query, err error) {
	for _, q := range tpch.Queries() {
		if names == "" || strings.Contains(names, q.Name) {
			out = append(out, q)
		}
	}
	if len(out) == 0 {
		return nil, fmt.Errorf("no queries %q", names)
	}
	return out, nil
}

func loadAverage() string {
	b, err := os.ReadFile("/proc/loadavg")
	if err != nil {
		return "unknown"
	}
	return strings.Join(strings.Fields(string(b))[:1], " ")
}
