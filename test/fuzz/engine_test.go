package fuzz

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/tuttidb/tutti/cmd/tutti/engine"
	"github.com/tuttidb/tutti/connectors/lake"
	"github.com/tuttidb/tutti/connectors/memory"
	"github.com/tuttidb/tutti/coordinator"
	"github.com/tuttidb/tutti/exec/mem"
	"github.com/tuttidb/tutti/exec/vector"
	"github.com/tuttidb/tutti/internal/clock"
	"github.com/tuttidb/tutti/internal/qerr"
	"github.com/tuttidb/tutti/sql/types"
)

// timeout is how long a query may take: all of them are small.
const timeout = 60 * time.Second

// tutti is an engine in this process with the tables in two catalogs: lake.f
// holds them as Parquet files, mem.f in memory.
type tutti struct {
	c       *coordinator.Coordinator
	account *mem.Account
	pool    *mem.Pool
	folder  string
	log     *strings.Builder
	// What is in use when no query runs.
	used, out  int64
	mark       uint64 // of the pool's slabs
	goroutines int
}

func start(t testing.TB, tables []*Table) *tutti {
	t.Helper()
	u := &tutti{pool: mem.NewPool(), folder: t.TempDir(), log: &strings.Builder{}}
	u.pool.Poison, u.pool.Trace = true, true
	u.account = mem.NewRoot("process", 0, u.pool)
	log := slog.New(slog.NewTextHandler(u.log, &slog.HandlerOptions{Level: slog.LevelError}))
	files, err := lake.New(t.Context(), lake.Config{Warehouse: u.folder}, lake.Deps{Account: u.account, Log: log})
	if err != nil {
		t.Fatal(err)
	}
	catalogs := coordinator.NewCatalogs()
	if err := errors.Join(catalogs.Add("lake", "lake", files), catalogs.Add("mem", "memory", memory.New(u.account))); err != nil {
		t.Fatal(err)
	}
	u.c = coordinator.New(coordinator.Deps{
		Catalogs: catalogs, Folder: engine.Folder{Account: u.account},
		Local: &engine.Local{Account: u.account, Catalogs: catalogs, Log: log},
		Clock: clock.System{}, Log: log, NodeID: "fuzz", Version: "test",
	})
	t.Cleanup(func() { u.c.Close() })
	u.load(t, tables)
	return u
}

// load fills both catalogs.
func (u *tutti) load(t testing.TB, tables []*Table) {
	t.Helper()
	do := func(sql string) {
		if r := u.run(sql, nil); r.err != nil {
			t.Fatalf("%v\n%.300s", r.err, sql)
		}
	}
	do("CREATE SCHEMA mem.f")
	for _, table := range tables {
		writeTable(t, filepath.Join(u.folder, "f"), table)
		do("CREATE TABLE mem.f." + table.Name + " (" + Columns() + ")")
		for at := 0; at < len(table.Rows); at += 500 {
			do("INSERT INTO mem.f." + table.Name + " VALUES " + Values(table.Rows[at:min(at+500, len(table.Rows))], at))
		}
		do("SELECT count(u), count(s) FROM lake.f." + table.Name)
	}
	u.used, u.out, u.mark = u.account.Used(), u.pool.Out(), u.pool.Mark()
	u.goroutines = runtime.NumGoroutine()
}

// answer is a query's result: its rows as texts, in order.
type answer struct {
	types []types.Type
	rows  []string
	err   error
	left  bool // it left something behind, or did not end
}

// failed says whether the query failed in a way that no query may: with an
// internal error, by running out of time or by leaving something behind.
func (a *answer) failed() bool {
	var e *qerr.Error
	return a.left || a.err != nil && (!errors.As(a.err, &e) || e.Code.Name == "GENERIC_INTERNAL_ERROR" || e.Code.Name == "COMPILER_ERROR")
}

// code returns the error's name, "" without one.
func (a *answer) code() string {
	var e *qerr.Error
	switch {
	case a.left:
		return "LEAK_OR_HANG"
	case errors.As(a.err, &e):
		return e.Code.Name
	case a.err != nil:
		return "UNKNOWN"
	}
	return ""
}

// run runs a query to its end and checks that nothing is left.
func (u *tutti) run(sql string, properties map[string]string) *answer {
	u.log.Reset()
	q := u.c.Submit(coordinator.Request{SQL: sql, Session: coordinator.Session{User: "fuzz", Catalog: "lake", Schema: "f", Properties: properties}})
	ctx, cancel := context.WithTimeout(context.Background(), timeout)
	defer cancel()
	a := &answer{}
	columns, err := q.Columns(ctx)
	for _, c := range columns {
		a.types = append(a.types, c.Type)
	}
	for err == nil {
		var b *vector.Batch
		if b, err = q.Next(ctx); b == nil {
			break
		}
		if err = b.Load(); err == nil {
			a.rows = appendRows(a.rows, b)
		}
	}
	a.err = err
	if errors.Is(err, context.DeadlineExceeded) {
		q.Cancel(qerr.New(qerr.GenericInternal, "too slow"))
	}
	a.settle(u, q)
	return a
}

// settle waits until the query has ended and notes what it left behind.
func (a *answer) settle(u *tutti, q coordinator.Query) {
	select {
	case <-q.Done():
	case <-time.After(timeout):
		a.err, a.left = fmt.Errorf("query does not end: %w", a.err), true
		return
	}
	// A driver whose rows nobody needs any more may fail without failing the
	// query; if it was a panic, that is a finding all the same.
	if u.log.Len() > 0 {
		a.left = true
		a.err = fmt.Errorf("logged (error: %v):\n%s", a.err, strings.ReplaceAll(u.log.String(), `\n`, "\n")) //nolint:errorlint // it is no longer that error, and may be nil
		return
	}
	if u.used > 0 && (u.account.Used() != u.used || u.pool.Out() != u.out) {
		a.left = true
		a.err = fmt.Errorf("leak: %d bytes accounted, %d bytes of slabs out\n%s", u.account.Used()-u.used, u.pool.Out()-u.out, u.pool.Leaks(u.mark))
		u.used, u.out, u.mark = u.account.Used(), u.pool.Out(), u.pool.Mark()
	}
}

// abandon starts a query, takes at most one batch and cancels it.
func (u *tutti) abandon(sql string, properties map[string]string) *answer {
	q := u.c.Submit(coordinator.Request{SQL: sql, Session: coordinator.Session{User: "fuzz", Catalog: "lake", Schema: "f", Properties: properties}})
	ctx, cancel := context.WithTimeout(context.Background(), timeout)
	defer cancel()
	a := &answer{}
	if _, err := q.Columns(ctx); err == nil {
		_, a.err = q.Next(ctx)
	}
	q.Cancel(qerr.New(qerr.UserCanceled, "Query was canceled"))
	a.settle(u, q)
	return a
}

// idle waits for the goroutines of past queries to end.
func (u *tutti) idle() error {
	for range 200 {
		if runtime.NumGoroutine() <= u.goroutines+2 {
			return nil
		}
		time.Sleep(10 * time.Millisecond)
	}
	stacks := make([]byte, 1<<16)
	return fmt.Errorf("%d goroutines, %d before:\n%s", runtime.NumGoroutine(), u.goroutines, stacks[:runtime.Stack(stacks, true)])
}

func appendRows(rows []string, b *vector.Batch) []string {
	var line []byte
	for r := range b.Rows() {
		line = line[:0]
		for c, col := range b.Cols {
			if c > 0 {
				line = append(line, '|')
			}
			line = appendCell(line, col, b.Row(r))
		}
		rows = append(rows, string(line))
	}
	return rows
}

// appendCell writes a value so that equal values have equal texts: doubles
// rounded to what does not depend on the order of additions.
func appendCell(dst []byte, v *vector.Vector, i int) []byte {
	if v.IsNull(i) {
		return append(dst, "NULL"...)
	}
	switch v.Type.Kind {
	case types.Unknown:
		return append(dst, "NULL"...)
	case types.Boolean:
		return strconv.AppendBool(dst, vector.Value[uint8](v, i) != 0)
	case types.TinyInt:
		return strconv.AppendInt(dst, int64(vector.Value[int8](v, i)), 10)
	case types.SmallInt:
		return strconv.AppendInt(dst, int64(vector.Value[int16](v, i)), 10)
	case types.Integer:
		return strconv.AppendInt(dst, int64(vector.Value[int32](v, i)), 10)
	case types.BigInt:
		return strconv.AppendInt(dst, vector.Value[int64](v, i), 10)
	case types.Double:
		return appendDouble(dst, vector.Value[float64](v, i))
	case types.Decimal:
		if v.Type.IsShortDecimal() {
			return types.AppendDecimal(dst, types.MulInt64(vector.Value[int64](v, i), 1), v.Type.S)
		}
		return types.AppendDecimal(dst, vector.Value[types.Int128](v, i), v.Type.S)
	case types.Varchar, types.Char:
		return strconv.AppendQuoteToASCII(dst, string(v.Bytes(i)))
	case types.Date:
		return types.AppendDate(dst, int64(vector.Value[int32](v, i)))
	case types.Timestamp:
		return types.AppendTimestamp(dst, vector.Value[int64](v, i), v.Type)
	}
	return append(append(dst, "?"...), v.Type.String()...)
}

func appendDouble(dst []byte, f float64) []byte {
	if math.Abs(f) < 1e-9 {
		return append(dst, '0') // 0.0 and -0.0 are one value, whichever is met first
	}
	return strconv.AppendFloat(dst, f, 'g', 10, 64)
}

// difference says how two multisets of rows differ, "" if they do not.
func difference(a, b []string) string {
	a, b = slices.Sorted(slices.Values(a)), slices.Sorted(slices.Values(b))
	for i := range min(len(a), len(b)) {
		if a[i] != b[i] {
			return fmt.Sprintf("%d and %d rows; in order, the first difference is row %d:\n  %s\n  %s", len(a), len(b), i, a[i], b[i])
		}
	}
	if len(a) != len(b) {
		return fmt.Sprintf("%d and %d rows", len(a), len(b))
	}
	return ""
}
