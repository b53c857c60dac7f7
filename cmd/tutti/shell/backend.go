package shell

import (
	"context"
	"fmt"
	"maps"
	"net/url"

	"github.com/tuttidb/tutti/client"
)

// Backend runs statements one at a time. What a statement changes in the
// session (USE, SET SESSION) holds for those after it.
type Backend interface {
	// Execute starts a statement, given without its closing semicolon. The
	// caller closes the result. Failures may come from here or from the result.
	Execute(ctx context.Context, sql string) (Result, error)
	// Namespace is the current catalog and schema, either may be empty.
	Namespace() (catalog, schema string)
	// Close frees the backend.
	Close() error
}

// Result is a running statement. *client.Query is one.
type Result interface {
	// Next waits for news and returns the rows that came with it, perhaps none;
	// io.EOF after the last. Values have the form that client.Query.Next
	// describes. When ctx ends, the statement is canceled. Rows belong to the
	// caller.
	Next(ctx context.Context) ([][]any, error)
	// Columns is nil until known, and for statements without a result.
	Columns() []client.Column
	// Stats is how the statement stood at the last news.
	Stats() client.Stats
	// Update says what kind of change the statement made (empty for queries)
	// and how many rows it changed, if counted.
	Update() (kind string, rows int64, counted bool)
	// Warnings are remarks on the statement so far.
	Warnings() []client.Warning
	// Close cancels the statement if it runs still.
	Close() error
}

var _ Result = (*client.Query)(nil)

// server is the backend that a client makes.
type server struct{ client *client.Client }

// Dial makes a backend for the server that o names. Nothing is sent yet. A
// server without a scheme is taken as http, without a port as 8080.
func Dial(o Options) (Backend, error) {
	base, err := serverURL(o.Server)
	if err != nil {
		return nil, err
	}
	if o.Password != "" && base.Scheme != "https" {
		return nil, fmt.Errorf("server %s: a password needs https", base)
	}
	c := &client.Client{
		BaseURL: base.String(), HTTP: client.NewHTTPClient(), UserAgent: "tutti-sql",
		Session: client.NewSessionFrom(client.State{
			User: o.User, Source: "tutti-sql", Catalog: o.Catalog, Schema: o.Schema, TimeZone: o.TimeZone,
			Properties: maps.Clone(o.Session),
		}),
	}
	switch {
	case o.Token != "":
		c.Auth = client.BearerAuth(o.Token)
	case o.Password != "":
		c.Auth = client.BasicAuth(o.User, o.Password)
	}
	return FromClient(c), nil
}

// FromClient makes a backend of a client, whose session it uses. A client
// whose HTTP transport calls a handler in the same process makes a backend
// that needs no server.
func FromClient(c *client.Client) Backend { return &server{c} }

func serverURL(s string) (*url.URL, error) {
	if s == "" {
		s = DefaultServer
	}
	u, err := url.Parse(s)
	if err != nil || u.Host == "" { // host:port parses as scheme:opaque
		u, err = url.Parse("http://" + s)
	}
	if err != nil || u.Host == "" || (u.Scheme != "http" && u.Scheme != "https") {
		return nil, fmt.Errorf("server %q: want http://host:port", s)
	}
	if u.Port() == "" && u.Scheme == "http" {
		u.Host += ":8080"
	}
	return &url.URL{Scheme: u.Scheme, Host: u.Host, Path: u.Path}, nil
}

// Execute sends the statement.
func (s *server) Execute(ctx context.Context, sql string) (Result, error) {
	q, err := s.client.Execute(ctx, sql)
	if err != nil {
		return nil, err // a nil *Query in a Result would not be nil
	}
	return q, nil
}

// Namespace is the session's.
func (s *server) Namespace() (catalog, schema string) {
	st := s.client.Session.State()
	return st.Catalog, st.Schema
}

// Close drops idle connections.
func (s *server) Close() error {
	if s.client.HTTP != nil {
		s.client.HTTP.CloseIdleConnections()
	}
	return nil
}
