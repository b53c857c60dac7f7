// Package connectors is the contract between the engine and what it reads:
// a Connector serves one catalog.
//
// The core is small: list, describe, cut into splits, read a split. What only
// some connectors can do is an optional interface found by type assertion
// (Statistician, Enforcer, PathResolver, Writer), in the way of database/sql/driver,
// and the suite in connectors/conntest covers every one a connector has.
//
// A coordinator calls Schemas, Tables, Table, Splits and the optional
// planning interfaces; workers call Open only, with what the coordinator's
// instance encoded: a table's Handle and a split's Payload are bytes that only
// the connector reads, and it versions them itself. Both sides build their
// instance from the same catalog definition.
//
// Implementations are safe for concurrent use. Every error that can reach a
// user carries a qerr code and names the thing (table, file, bucket).
package connectors

import (
	"context"
	"log/slog"
	"math"

	"github.com/tuttidb/tutti/exec/mem"
	"github.com/tuttidb/tutti/exec/vector"
	"github.com/tuttidb/tutti/sql/expr"
	"github.com/tuttidb/tutti/sql/types"
)

// Connector serves one catalog.
type Connector interface {
	// Schemas lists the catalog's schemas, sorted.
	Schemas(ctx context.Context) ([]string, error)
	// Tables lists the tables of a schema, sorted; none if there is no such schema.
	Tables(ctx context.Context, schema string) ([]string, error)
	// Table describes a table, or returns nil and no error if there is none.
	// Names arrive in lower case unless the user quoted them; a connector
	// whose names have upper case matches them without regard to case.
	Table(ctx context.Context, schema, table string) (*Table, error)
	// Splits cuts a scan into splits. The caller closes the source.
	Splits(ctx context.Context, scan *Scan) (SplitSource, error)
	// Open reads one split. The caller closes the source.
	Open(ctx context.Context, scan *Scan, split Split, env *Env) (Source, error)
	// Close frees what the connector holds; no call follows.
	Close() error
}

// Table is a table as one query sees it. It is immutable.
type Table struct {
	Schema, Name string
	Columns      []Column
	// Handle is the connector's own description, stable for the query: what
	// snapshot or files, how to read them.
	Handle []byte
	// Local tables exist only in the coordinator's process (system tables,
	// the memory connector): queries on them run there.
	Local bool
	// Comment is the table's comment, or "".
	Comment string
	// View says that the table is listed as VIEW rather than TABLE.
	View bool
}

// Column is a column of a table.
type Column struct {
	Name    string
	Type    types.Type
	Comment string
	// Extra is what DESCRIBE prints beside the type ("partition key").
	Extra string
	// Hidden columns are found by name but not by *.
	Hidden bool
	// NotNull says that the column holds no nulls.
	NotNull bool
}

// Scan says what to read of a table.
type Scan struct {
	Schema, Table string
	// Handle is the Table's Handle.
	Handle []byte
	// Columns are the columns to return, in order: indices into Table.Columns
	// with their names and types repeated for connectors that want no look-up.
	Columns []ScanColumn
	// Predicate is a boolean expression whose expr.ColumnIDs are indices into
	// Columns; nil: all rows. The connector took it over (see Enforcer): no row
	// for which it is not true may be returned.
	Predicate expr.Expr
	// Hint is a predicate that the engine applies itself; a connector may use
	// it to skip data. nil: none.
	Hint expr.Expr
	// Limit is the number of rows after which the reader will stop; -1: all.
	// A hint: more may be returned.
	Limit int64
	// Dynamic are filters that arrive while the query runs, by column.
	Dynamic []DynamicUse
}

// ScanColumn is a column that a scan returns.
type ScanColumn struct {
	Ordinal int // index into Table.Columns
	Name    string
	Type    types.Type
	// FilterOnly columns are needed by Predicate alone: the source enforces it
	// and may return them unread (as a constant null vector).
	FilterOnly bool
}

// DynamicUse ties a dynamic filter to a column of a scan.
type DynamicUse struct {
	ID     int32 // the filter's number in the plan
	Column int   // index into Scan.Columns
}

// Split is a unit of scan work: a file, or a range of one.
type Split struct {
	// Payload is the connector's own description.
	Payload []byte
	// Affinity is what placement hashes, so that the same data goes to the same
	// worker's cache: usually the file's location. "" means anywhere.
	Affinity string
	// Bytes and Rows are estimates of the work, 0 if unknown.
	Bytes, Rows int64
}

// SplitSource hands out a scan's splits.
type SplitSource interface {
	// Next returns up to max splits; none and no error means that there are no
	// more. It may block on the object store's listing.
	Next(ctx context.Context, max int) ([]Split, error)
	// Close stops the listing. It is idempotent.
	Close() error
}

// Source reads one split. It is used by one goroutine.
type Source interface {
	// Next returns the next batch, or nil and no error at the end. The batch
	// has scan.Columns' columns in order; it is borrowed until the next call
	// of Next or Close.
	Next(ctx context.Context) (*vector.Batch, error)
	// Stats returns what was read so far.
	Stats() SourceStats
	// Close ends the read. It is idempotent and legal at any time.
	Close() error
}

// SourceStats counts what a source did.
type SourceStats struct {
	// PhysicalBytes were fetched from storage or its cache, compressed.
	PhysicalBytes int64
	// PhysicalRows were decoded or tested, before any filter.
	PhysicalRows int64
	// Groups and GroupsSkipped count row groups (or their like) looked at and
	// those of them that statistics made unnecessary to read.
	Groups, GroupsSkipped int64
	// ReadNanos is time spent waiting for storage.
	ReadNanos int64
}

// Env is what a source gets from the task that reads it.
type Env struct {
	// Account is charged for all bulk memory of the source.
	Account *mem.Account
	// BatchRows is the number of rows to aim at, at most vector.MaxRows.
	BatchRows int
	// Dynamic returns a dynamic filter once it is complete, nil before. It
	// never blocks; sources ask again between row groups.
	Dynamic func(id int32) *DynamicFilter
	// Log is for what no user needs to see.
	Log *slog.Logger
}

// Statistician is a Connector that knows something about its tables' data.
type Statistician interface {
	// Stats estimates what the scan's table holds (before Predicate, unless
	// whole partitions or files are known to be skipped by it).
	Stats(ctx context.Context, scan *Scan) (*TableStats, error)
}

// TableStats are estimates; NaN means unknown.
type TableStats struct {
	Rows float64
	// Columns has one entry for each of Scan.Columns.
	Columns []ColumnStats
}

// UnknownStats returns stats of n columns that say nothing.
func UnknownStats(n int) *TableStats {
	nan := math.NaN()
	s := &TableStats{Rows: nan, Columns: make([]ColumnStats, n)}
	for i := range s.Columns {
		s.Columns[i] = ColumnStats{Distinct: nan, NullFraction: nan, Min: nan, Max: nan, Bytes: nan}
	}
	return s
}

// ColumnStats are estimates about a column; NaN means unknown. Min and Max
// are numbers for numeric types, days for dates, units for timestamps.
type ColumnStats struct {
	Distinct     float64
	NullFraction float64
	Min, Max     float64
	// Bytes is the average size of a value in memory.
	Bytes float64
}

// Enforcer is a Connector that can apply predicates itself.
type Enforcer interface {
	// Enforce returns those of the scan's conjuncts (over indices into
	// scan.Columns) that the connector will not apply; rows that fail any other
	// conjunct are not returned by the sources.
	Enforce(ctx context.Context, scan *Scan, conjuncts []expr.Expr) (rest []expr.Expr, err error)
}

// PathResolver is a Connector that reads files by path, as in
// SELECT … FROM 's3://bucket/path/*.parquet'.
type PathResolver interface {
	// TableAt describes the files that a path or pattern names.
	TableAt(ctx context.Context, path string) (*Table, error)
}

// Writer is a Connector whose tables can be made and filled.
type Writer interface {
	// CreateTable makes an empty table.
	CreateTable(ctx context.Context, schema, table string, columns []Column) error
	// DropTable removes a table; NOT_FOUND errors if there is none.
	DropTable(ctx context.Context, schema, table string) error
	// Insert returns a sink for rows of the table's columns in order.
	Insert(ctx context.Context, schema, table string) (RowSink, error)
}

// SchemaWriter is a Connector whose schemas can be made and dropped.
type SchemaWriter interface {
	// CreateSchema makes a schema; SCHEMA_ALREADY_EXISTS if there is one.
	CreateSchema(ctx context.Context, schema string) error
	// DropSchema removes a schema without tables; SCHEMA_NOT_EMPTY if there are
	// some, SCHEMA_NOT_FOUND if there is none.
	DropSchema(ctx context.Context, schema string) error
}

// RowSink takes the rows of one INSERT. Nothing is visible before Commit.
type RowSink interface {
	// Append copies the batch's rows. It is safe for concurrent use.
	Append(ctx context.Context, b *vector.Batch) error
	// Commit makes the rows visible, all at once.
	Commit(ctx context.Context) error
	// Abort discards them. It is legal after Commit and then does nothing.
	Abort()
}
