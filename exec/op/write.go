package op

import (
	"context"
	"errors"
	"fmt"

	"github.com/tuttidb/tutti/connectors"
	"github.com/tuttidb/tutti/exec"
	"github.com/tuttidb/tutti/exec/vector"
	"github.com/tuttidb/tutti/internal/qerr"
	"github.com/tuttidb/tutti/sql/types"
)

// WriteSpec says where a Write puts its rows.
type WriteSpec struct {
	Catalog, Schema, Table string
	// Create makes the table first; nil: it is there.
	Create []connectors.Column
	// Cols are the input's positions that are written, in the table's order.
	Cols []int
}

// Write inserts its input into a table, all or nothing, and puts out one row:
// the number of rows written.
type Write struct {
	catalogs exec.Catalogs
	in       exec.Operator
	spec     WriteSpec
	count    *vector.Builder
	out      vector.Batch
	ended    bool
}

// NewWrite returns the operator, of which a query has one.
func NewWrite(env *Env, in exec.Operator, catalogs exec.Catalogs, spec WriteSpec) *Write {
	return &Write{
		catalogs: catalogs, in: in, spec: spec,
		count: vector.NewBuilder(env.Account, types.Of(types.BigInt)),
	}
}

// Next writes everything and returns the count.
func (w *Write) Next(ctx context.Context) (*vector.Batch, error) {
	if w.ended {
		return nil, nil
	}
	w.ended = true
	// Room for the count is made first: nothing may fail after the commit.
	if _, err := w.count.Extend(1); err != nil {
		return nil, err
	}
	n, err := w.write(ctx)
	if err != nil {
		return nil, fmt.Errorf("write %s.%s.%s: %w", w.spec.Catalog, w.spec.Schema, w.spec.Table, err)
	}
	vector.Fill[int64](w.count)[0] = n
	w.out = vector.Batch{N: 1, Cols: []*vector.Vector{w.count.Vector()}}
	return &w.out, nil
}

func (w *Write) write(ctx context.Context) (int64, error) {
	c, err := w.catalogs.Connector(ctx, w.spec.Catalog)
	if err != nil {
		return 0, err
	}
	to, ok := c.(connectors.Writer)
	if !ok {
		return 0, qerr.NotSupported(qerr.Pos{}, "writing to catalog %s", w.spec.Catalog)
	}
	if w.spec.Create == nil {
		return w.insert(ctx, to)
	}
	if err := to.CreateTable(ctx, w.spec.Schema, w.spec.Table, w.spec.Create); err != nil {
		return 0, err
	}
	n, err := w.insert(ctx, to)
	if err == nil {
		return n, nil
	}
	// The table goes even if ctx has ended, for that is often why it must.
	drop := to.DropTable(context.WithoutCancel(ctx), w.spec.Schema, w.spec.Table)
	return 0, errors.Join(err, drop)
}

func (w *Write) insert(ctx context.Context, to connectors.Writer) (n int64, err error) {
	sink, err := to.Insert(ctx, w.spec.Schema, w.spec.Table)
	if err != nil {
		return 0, err
	}
	defer sink.Abort() // does nothing after Commit
	rows := NewSelect(w.in, w.spec.Cols)
	for {
		b, err := rows.Next(ctx)
		if err != nil {
			return 0, err
		}
		if b == nil {
			return n, sink.Commit(ctx)
		}
		n += int64(b.Rows())
		if err := sink.Append(ctx, b); err != nil {
			return 0, err
		}
	}
}

// Close releases the count and closes the input.
func (w *Write) Close() error {
	w.ended = true
	w.count.Release()
	return w.in.Close()
}
