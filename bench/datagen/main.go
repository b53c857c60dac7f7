// Command datagen writes the TPC-H tables as Parquet files, to a folder or an
// S3 bucket: WAREHOUSE/SCHEMA/TABLE/part-N.parquet, the layout that a lake
// catalog reads without further ado. The values are those of the official
// generator; decimals are decimal(15,2) stored as 64-bit integers, compressed
// with Snappy, and no column has nulls, as other generators write them.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/mattn/go-isatty"
	"github.com/spf13/pflag"

	"github.com/tuttidb/tutti/connectors/objstore"
	"github.com/tuttidb/tutti/connectors/tpch/dbgen"
)

// options are the command's flags.
type options struct {
	scale     float64
	warehouse string
	schema    string
	endpoint  string
	jobs      int
	force     bool
}

func main() {
	var o options
	pflag.Float64Var(&o.scale, "sf", 1, "scale factor")
	pflag.StringVar(&o.warehouse, "warehouse", "", "folder or s3://bucket/prefix to write below")
	pflag.StringVar(&o.schema, "schema", "", "schema folder (default: sf and the scale factor)")
	pflag.StringVar(&o.endpoint, "endpoint", "", "S3 endpoint URL; keys come from AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY")
	pflag.IntVar(&o.jobs, "jobs", runtime.NumCPU(), "files written at the same time")
	pflag.BoolVar(&o.force, "force", false, "write again what is there already")
	pflag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, o); err != nil {
		fmt.Fprintln(os.Stderr, "datagen:", err)
		os.Exit(1)
	}
}

// doneMarker is written last: data without it is made again.
const doneMarker = "_done"

func run(ctx context.Context, o options) error {
	if o.warehouse == "" {
		return errors.New("--warehouse is missing")
	}
	if o.schema == "" {
		o.schema = "sf" + strings.ReplaceAll(fmt.Sprint(o.scale), ".", "_")
	}
	loc, err := objstore.ParseLocation(o.warehouse)
	if err != nil {
		return err
	}
	bucket, prefix, err := objstore.Open(ctx, loc, objstore.Config{
		Endpoint: o.endpoint, Region: "us-east-1", PathStyle: o.endpoint != "",
		AccessKey: os.Getenv("AWS_ACCESS_KEY_ID"), SecretKey: os.Getenv("AWS_SECRET_ACCESS_KEY"),
	})
	if err != nil {
		return err
	}
	defer func() { _ = bucket.Close() }() // each object was closed, and checked, by its writer
	base := objstore.Join(prefix, o.schema)
	marker := objstore.Join(base, doneMarker)
	if _, err := bucket.Stat(ctx, marker); err == nil && !o.force {
		fmt.Printf("TPC-H scale factor %g is already in %s/%s\n", o.scale, o.warehouse, o.schema)
		return nil
	}
	gen, err := dbgen.New(o.scale, nil)
	if err != nil {
		return err
	}
	if err := writeAll(ctx, gen, bucket, base, o); err != nil {
		return err
	}
	_, err = bucket.Put(ctx, marker, strings.NewReader("ok\n"), 3, objstore.PutOptions{})
	return err
}

// file is one Parquet file to write: units from to to-1 of a table.
type file struct {
	table    dbgen.Table
	from, to int64
	key      string
}

// filesOf cuts a table into files of about two million rows, four at least
// for the large tables, so that there is something to spread.
func filesOf(gen *dbgen.Generator, t dbgen.Table, base string) (out []file) {
	rows, _ := gen.Rows(t)
	n := rows/2_000_000 + 1
	if rows > 500_000 {
		n = max(n, 4)
	}
	units := gen.Units(t)
	for i := range n {
		out = append(out, file{
			table: t, from: units * i / n, to: units * (i + 1) / n,
			key: objstore.Join(base, t.String(), fmt.Sprintf("part-%03d.parquet", i)),
		})
	}
	return out
}

func writeAll(ctx context.Context, gen *dbgen.Generator, bucket objstore.Bucket, base string, o options) error {
	var files []file
	var total int64
	for _, t := range dbgen.Tables() {
		files = append(files, filesOf(gen, t, base)...)
		rows, _ := gen.Rows(t)
		total += rows
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var written atomic.Int64
	work := make(chan file)
	var wg sync.WaitGroup
	for range max(1, o.jobs) {
		wg.Go(func() {
			for f := range work {
				if err := upload(ctx, gen, bucket, f, &written); err != nil {
					cancel(fmt.Errorf("%s: %w", f.key, err))
				}
			}
		})
	}
	stop := showProgress(&written, total, o.scale)
	for i := len(files) - 1; i >= 0 && ctx.Err() == nil; i-- { // the largest tables come last in the list
		work <- files[i]
	}
	close(work)
	wg.Wait()
	stop()
	return context.Cause(ctx)
}

// upload generates a file and streams it to the bucket.
func upload(ctx context.Context, gen *dbgen.Generator, bucket objstore.Bucket, f file, written *atomic.Int64) error {
	r, w := io.Pipe()
	go func() { w.CloseWithError(writeParquet(ctx, w, gen, f, written)) }()
	_, err := bucket.Put(ctx, f.key, r, -1, objstore.PutOptions{})
	_ = r.CloseWithError(io.ErrClosedPipe) // ends the writer if the store gave up early
	return err
}

// showProgress draws a bar on a terminal, and says nothing until the end
// elsewhere, until the returned func is called.
func showProgress(written *atomic.Int64, total int64, scale float64) (stop func()) {
	done, finished := make(chan struct{}), make(chan struct{})
	start := time.Now()
	line := func() string {
		n := written.Load()
		share := min(1, float64(n)/float64(total))
		bar := strings.Repeat("█", int(share*40)) + strings.Repeat("░", 40-int(share*40))
		return fmt.Sprintf("TPC-H SF %g %s %3.0f%%  %.1f M rows, %s", scale, bar, 100*share, float64(n)/1e6, time.Since(start).Round(time.Second))
	}
	terminal := isatty.IsTerminal(os.Stderr.Fd())
	go func() {
		defer close(finished)
		tick := time.NewTicker(200 * time.Millisecond)
		defer tick.Stop()
		for {
			select {
			case <-done:
				if terminal {
					fmt.Fprint(os.Stderr, "\r")
				}
				fmt.Fprintln(os.Stderr, line())
				return
			case <-tick.C:
				if terminal {
					fmt.Fprint(os.Stderr, "\r"+line())
				}
			}
		}
	}()
	return func() { close(done); <-finished }
}
