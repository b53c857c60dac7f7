package client

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"strings"
)

// preparedName is the name that header-prepared statements travel under. They
// last for one request, so one name serves all.
const preparedName = "_tutti_go"

// conn is one database/sql connection: a session.
type conn struct {
	cfg     *Config
	client  *Client
	session *Session
	closed  bool
}

var (
	_ driver.QueryerContext     = (*conn)(nil)
	_ driver.ExecerContext      = (*conn)(nil)
	_ driver.ConnPrepareContext = (*conn)(nil)
	_ driver.ConnBeginTx        = (*conn)(nil)
	_ driver.Pinger             = (*conn)(nil)
	_ driver.SessionResetter    = (*conn)(nil)
	_ driver.Validator          = (*conn)(nil)
	_ driver.NamedValueChecker  = (*conn)(nil)
)

// Ping checks that the server takes statements.
func (c *conn) Ping(ctx context.Context) error { return c.client.Ping(ctx) }

// Close ends the session; the server holds nothing of it but a transaction.
func (c *conn) Close() error {
	c.closed = true
	return nil
}

// IsValid reports whether the pool may use the connection again. One that was
// closed, or given back within a transaction, may not.
func (c *conn) IsValid() bool { return !c.closed && c.session.State().TransactionID == "" }

// ResetSession puts the session back to what the data source name says, so
// that USE and SET SESSION by one user of the pool do not reach the next.
func (c *conn) ResetSession(context.Context) error {
	if !c.IsValid() {
		return driver.ErrBadConn
	}
	c.session.Update(func(st *State) { *st = c.cfg.Session.clone() })
	return nil
}

// CheckNamedValue accepts every argument that Literal can write.
func (c *conn) CheckNamedValue(nv *driver.NamedValue) error {
	if nv.Name != "" {
		return fmt.Errorf("not supported: named argument %q (use ?)", nv.Name)
	}
	text, err := Literal(nv.Value)
	if err != nil {
		return err
	}
	nv.Value = literal(text)
	return nil
}

// literal is an argument already turned into SQL text.
type literal string

// Prepare prepares a statement; see PrepareContext.
func (c *conn) Prepare(query string) (driver.Stmt, error) {
	return &stmt{conn: c, query: query}, nil
}

// PrepareContext keeps the statement's text. Nothing is sent: errors in it
// come with its first use.
func (c *conn) PrepareContext(_ context.Context, query string) (driver.Stmt, error) {
	return c.Prepare(query)
}

// Begin starts a transaction with the server's defaults.
func (c *conn) Begin() (driver.Tx, error) {
	return c.BeginTx(context.Background(), driver.TxOptions{})
}

// BeginTx starts a transaction.
func (c *conn) BeginTx(ctx context.Context, opts driver.TxOptions) (driver.Tx, error) {
	levels := map[sql.IsolationLevel]string{
		sql.LevelDefault: "", sql.LevelReadUncommitted: "READ UNCOMMITTED", sql.LevelReadCommitted: "READ COMMITTED",
		sql.LevelRepeatableRead: "REPEATABLE READ", sql.LevelSerializable: "SERIALIZABLE",
	}
	level, ok := levels[sql.IsolationLevel(opts.Isolation)]
	if !ok {
		return nil, fmt.Errorf("not supported: isolation level %s", sql.IsolationLevel(opts.Isolation))
	}
	var modes []string
	if level != "" {
		modes = append(modes, "ISOLATION LEVEL "+level)
	}
	if opts.ReadOnly {
		modes = append(modes, "READ ONLY")
	}
	if _, err := c.ExecContext(ctx, strings.TrimSpace("START TRANSACTION "+strings.Join(modes, ", ")), nil); err != nil {
		return nil, err
	}
	if c.session.State().TransactionID == "" {
		return nil, errors.New("server started no transaction")
	}
	return &tx{c}, nil
}

type tx struct{ conn *conn }

// Commit ends the transaction and keeps its changes.
func (t *tx) Commit() error { return t.end("COMMIT") }

// Rollback ends the transaction and drops its changes.
func (t *tx) Rollback() error { return t.end("ROLLBACK") }

func (t *tx) end(how string) error {
	_, err := t.conn.ExecContext(context.Background(), how, nil)
	// Whatever became of it, the transaction must not leak into what follows.
	t.conn.session.Update(func(st *State) { st.TransactionID = "" })
	return err
}

// start sends a statement with its arguments.
func (c *conn) start(ctx context.Context, query string, args []driver.NamedValue) (*Query, error) {
	st := c.session.State()
	if len(args) > 0 {
		texts := make([]string, len(args))
		for i, a := range args {
			text, ok := a.Value.(literal)
			if !ok { // database/sql calls CheckNamedValue first; others may not
				s, err := Literal(a.Value)
				if err != nil {
					return nil, err
				}
				text = literal(s)
			}
			texts[i] = string(text)
		}
		using := " USING " + strings.Join(texts, ", ")
		if c.cfg.Prepared == PreparedHeader {
			if st.Prepared == nil {
				st.Prepared = map[string]string{}
			}
			st.Prepared[preparedName] = query
			query = "EXECUTE " + preparedName + using
		} else {
			query = "EXECUTE IMMEDIATE " + quote(query) + using
		}
	}
	return c.client.execute(ctx, query, &st)
}

// QueryContext runs a statement and returns once its columns are known, or it
// has ended without any.
func (c *conn) QueryContext(ctx context.Context, query string, args []driver.NamedValue) (driver.Rows, error) {
	q, err := c.start(ctx, query, args)
	if err != nil {
		return nil, err
	}
	r := &rows{ctx: ctx, q: q}
	for r.err == nil && len(r.page) == 0 && q.Columns() == nil {
		r.page, r.err = q.Next(ctx)
	}
	if r.err != nil && !errors.Is(r.err, io.EOF) {
		return nil, r.err
	}
	r.describe()
	return r, nil
}

// ExecContext runs a statement to its end and drops its rows.
func (c *conn) ExecContext(ctx context.Context, query string, args []driver.NamedValue) (driver.Result, error) {
	q, err := c.start(ctx, query, args)
	if err != nil {
		return nil, err
	}
	for err == nil {
		_, err = q.Next(ctx)
	}
	if !errors.Is(err, io.EOF) {
		return nil, err
	}
	_, n, counted := q.Update()
	return result{n, counted}, nil
}

type result struct {
	rows    int64
	counted bool
}

// LastInsertId is not supported: tables have no such ids.
func (r result) LastInsertId() (int64, error) { return 0, errors.New("not supported: LastInsertId") }

// RowsAffected returns the number of rows a statement changed; it is an error
// for statements that do not count.
func (r result) RowsAffected() (int64, error) {
	if !r.counted {
		return 0, errors.New("the statement reports no number of rows")
	}
	return r.rows, nil
}

// stmt is a statement to run with arguments.
type stmt struct {
	conn  *conn
	query string
}

var (
	_ driver.StmtQueryContext  = (*stmt)(nil)
	_ driver.StmtExecContext   = (*stmt)(nil)
	_ driver.NamedValueChecker = (*stmt)(nil)
)

// Close does nothing: the server keeps no prepared statements.
func (s *stmt) Close() error { return nil }

// NumInput is -1: the server counts the arguments.
func (s *stmt) NumInput() int { return -1 }

// CheckNamedValue accepts what the connection does.
func (s *stmt) CheckNamedValue(nv *driver.NamedValue) error { return s.conn.CheckNamedValue(nv) }

// Exec runs the statement without a context.
func (s *stmt) Exec(args []driver.Value) (driver.Result, error) {
	return s.ExecContext(context.Background(), named(args))
}

// Query runs the statement without a context.
func (s *stmt) Query(args []driver.Value) (driver.Rows, error) {
	return s.QueryContext(context.Background(), named(args))
}

// ExecContext runs the statement to its end.
func (s *stmt) ExecContext(ctx context.Context, args []driver.NamedValue) (driver.Result, error) {
	return s.conn.ExecContext(ctx, s.query, args)
}

// QueryContext runs the statement for its rows.
func (s *stmt) QueryContext(ctx context.Context, args []driver.NamedValue) (driver.Rows, error) {
	return s.conn.QueryContext(ctx, s.query, args)
}

func named(args []driver.Value) []driver.NamedValue {
	out := make([]driver.NamedValue, len(args))
	for i, a := range args {
		out[i] = driver.NamedValue{Ordinal: i + 1, Value: a}
	}
	return out
}
