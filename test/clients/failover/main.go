// Command failover kills, replaces and restarts coordinators under clients that
// know nothing of it. It starts three coordinators and their workers as
// processes, one TCP address before them that leads each connection to any
// coordinator that is up, and programs that drive the published clients of
// Trino; failover.sh makes the programs and calls it.
//
// Such a program is called with the server's URL and a folder. It reads
// queries.tsv there (name, 1 if the order of rows is fixed, statement), runs all
// once to learn their answers and says "ready". Then it runs them again and
// again until there is a file "stop", and prints a line for each: name, begin
// and end in milliseconds, outcome and what went wrong, with tabs between. An
// outcome is ok, wrong (other rows than at first), error (the server said so)
// or cut (the connection broke, and the client does not try again by itself).
// Its last line is "done".
package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/spf13/pflag"
)

// options are the command's flags.
type options struct {
	binary, dir, lake, tpch string
	port                    int
	clients                 []string
	kills, moves, upgrades  int
	every, moveEvery        time.Duration
	cost, pauses            int
	table                   string
}

func main() {
	var o options
	pflag.StringVar(&o.binary, "binary", "bin/tutti", "the program to test")
	pflag.StringVar(&o.dir, "dir", "", "folder for data and logs")
	pflag.StringVar(&o.lake, "lake", "", "folder with TPC-H in schema sf1")
	pflag.StringVar(&o.tpch, "tpch", "test/tpch", "folder with TPC-H's queries")
	pflag.IntVar(&o.port, "port", 20800, "the first of twenty free ports")
	pflag.StringArrayVar(&o.clients, "client", nil, "NAME=COMMAND of a load")
	pflag.IntVar(&o.kills, "kills", 20, "how often the leader is killed")
	pflag.DurationVar(&o.every, "every", 8*time.Second, "time between kills")
	pflag.IntVar(&o.moves, "moves", 12, "how often the leadership is handed over")
	pflag.DurationVar(&o.moveEvery, "move-every", 5*time.Second, "time between handovers")
	pflag.IntVar(&o.upgrades, "upgrades", 2, "how often all coordinators are restarted in turn")
	pflag.IntVar(&o.cost, "cost", 0, "runs of a comparison of three coordinators with one, instead of all that")
	pflag.IntVar(&o.pauses, "pauses", 0, "handovers, and kills, of which to say where the time goes, instead of all that")
	pflag.StringVar(&o.table, "table", "", "file for what is found, as Markdown")
	pflag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := o.run(ctx); err != nil {
		fmt.Fprintln(os.Stderr, "failover:", err)
		os.Exit(1)
	}
}

func (o *options) run(ctx context.Context) error {
	out := io.Writer(os.Stdout)
	if o.table != "" {
		f, err := os.Create(o.table)
		if err != nil {
			return err
		}
		defer f.Close()
		out = io.MultiWriter(os.Stdout, f)
	}
	if o.cost > 0 {
		return o.compare(ctx, out)
	}
	if o.pauses > 0 {
		return o.measurePauses(ctx, out)
	}
	return o.failover(ctx, out)
}
