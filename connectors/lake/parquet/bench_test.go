package parquet

import (
	"context"
	"os"
	"path/filepath"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/tuttidb/tutti/connectors/objstore"
	"github.com/tuttidb/tutti/exec/mem"
	"github.com/tuttidb/tutti/exec/vector"
	"github.com/tuttidb/tutti/sql/types"
)

// BenchmarkColumn reads single columns of a file and adds all values up. The
// file is named by TUTTI_BENCH_PARQUET, such as lineitem at scale factor 1 as
// tpchgen-cli writes it; without one a generated file is read.
func BenchmarkColumn(b *testing.B) {
	tf := benchFile(b)
	for _, f := range tf.file.Fields {
		b.Run(f.Name, func(b *testing.B) { benchColumns(b, tf, f.Name) })
	}
	b.Run("all", func(b *testing.B) { benchColumns(b, tf) })
}

func benchColumns(b *testing.B, tf *benchTarget, names ...string) {
	b.ReportAllocs()
	best := time.Duration(1 << 62)
	for b.Loop() {
		start := cpuTime()
		r, err := NewReader(tf.config(names...))
		if err != nil {
			b.Fatal(err)
		}
		for {
			batch, err := r.Next(context.Background())
			if err != nil {
				b.Fatal(err)
			}
			if batch == nil {
				break
			}
			if err := batch.Load(); err != nil {
				b.Fatal(err)
			}
			for _, v := range batch.Cols {
				benchSink += total(v)
			}
		}
		if err := r.Close(); err != nil {
			b.Fatal(err)
		}
		best = min(best, cpuTime()-start)
	}
	b.ReportMetric(float64(best.Microseconds())/1000, "cpu-ms")
}

// cpuTime is the process's, which other work on the machine disturbs less
// than the clock's.
func cpuTime() time.Duration {
	var u unix.Rusage
	if err := unix.Getrusage(unix.RUSAGE_SELF, &u); err != nil {
		panic(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

var benchSink int64

// total adds up a vector's values, lengths for strings.
func total(v *vector.Vector) (n int64) {
	switch v.Type.Physical() {
	case types.PhysBytes:
		if v.Enc == vector.Dict {
			vals := vector.Values[vector.View](v.Base)
			for _, x := range v.Idx {
				n += int64(vals[x].Len)
			}
			return n
		}
		vals := vector.Values[vector.View](v)
		for i := range vals {
			n += int64(vals[i].Len)
		}
	case types.PhysInt32:
		return totalInts[int32](v)
	case types.PhysInt64:
		return totalInts[int64](v)
	}
	return n
}

func totalInts[T int32 | int64](v *vector.Vector) (n int64) {
	if v.Enc == vector.Dict {
		vals := vector.Values[T](v.Base)
		for _, x := range v.Idx {
			n += int64(vals[x])
		}
		return n
	}
	for _, x := range vector.Values[T](v) {
		n += int64(x)
	}
	return n
}

type benchTarget struct {
	testFile
	bucket objstore.Bucket
}

func (tf *benchTarget) config(names ...string) Config {
	cfg := tf.testFile.config(names...)
	cfg.Bucket = tf.bucket
	cfg.Fetcher = NewFetcher(cfg.Account, objstore.FetchOptions{Gap: 16 << 10, Target: 4 << 20, Requests: 2})
	return cfg
}

func benchFile(b *testing.B) *benchTarget {
	path := os.Getenv("TUTTI_BENCH_PARQUET")
	if path == "" {
		tf := sortedFile(b, 500_000)
		tf.pool.Poison = false
		t := &benchTarget{testFile: *tf}
		t.bucket = tf.b
		return t
	}
	dir, err := objstore.NewFile(filepath.Dir(path), nil)
	if err != nil {
		b.Fatal(err)
	}
	t := &benchTarget{testFile: testFile{t: b, pool: mem.NewPool()}}
	t.root = mem.NewRoot("bench", 0, t.pool)
	t.bucket = dir
	if t.obj, err = dir.Stat(context.Background(), filepath.Base(path)); err != nil {
		b.Fatal(err)
	}
	if t.file, err = Open(context.Background(), dir, t.obj); err != nil {
		b.Fatal(err)
	}
	return t
}
