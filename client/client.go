package client

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"
)

// Client sends statements to one server. Its fields are set before first use
// and not changed after it; then it is safe for concurrent use, though
// statements of one session that depend on each other's session changes must
// run one after the other.
type Client struct {
	// BaseURL is the server's address, such as http://localhost:8080. A path
	// in it is kept, for servers behind a prefix.
	BaseURL string
	// HTTP is the transport; nil is http.DefaultClient. NewHTTPClient gives a
	// better one.
	HTTP *http.Client
	// Session is what statements run with; nil runs them without a user.
	Session *Session
	// Auth, if set, adds credentials to each request to the server.
	Auth func(*http.Request)
	// UserAgent is sent as such; empty is "tutti-go".
	UserAgent string
	// Encodings are the segment encodings to offer, best first. Nil offers all
	// that the package reads, an empty list none (rows come as plain JSON).
	Encodings []string
	// Retry bounds repeated tries.
	Retry Retry
	// Heartbeat is how long a query may lie unread before the client tells the
	// server that it is still wanted. Zero is 30 s; negative is never.
	Heartbeat time.Duration
}

// BasicAuth returns an Auth for user and password.
func BasicAuth(user, password string) func(*http.Request) {
	return func(r *http.Request) { r.SetBasicAuth(user, password) }
}

// BearerAuth returns an Auth for a token, such as a JWT.
func BearerAuth(token string) func(*http.Request) {
	return func(r *http.Request) { r.Header.Set("Authorization", "Bearer "+token) }
}

func (c *Client) http() *http.Client {
	if c.HTTP != nil {
		return c.HTTP
	}
	return http.DefaultClient
}

func (c *Client) session() *Session {
	if c.Session != nil {
		return c.Session
	}
	return new(Session)
}

func (c *Client) userAgent() string {
	if c.UserAgent != "" {
		return c.UserAgent
	}
	return "tutti-go"
}

func (c *Client) endpoint(path string) string {
	return strings.TrimRight(c.BaseURL, "/") + path
}

// Execute sends one SQL statement (without a closing semicolon) and returns
// its query once the server has taken it. Failures of the query itself come
// from the first Next. The caller owns the query and must Close it.
//
// ctx bounds the sending alone; each Next has its own.
func (c *Client) Execute(ctx context.Context, sql string) (*Query, error) {
	st := c.session().State()
	return c.execute(ctx, sql, &st)
}

// execute runs sql with st, which may differ from the session by what belongs
// to this one statement.
func (c *Client) execute(ctx context.Context, sql string, st *State) (*Query, error) {
	h := http.Header{"Content-Type": {"text/plain; charset=utf-8"}}
	st.headers(h)
	encodings := c.Encodings
	if encodings == nil {
		encodings = []string{EncodingZstd, EncodingLZ4, EncodingJSON}
	}
	if len(encodings) > 0 {
		h.Set(headerPrefix+"Query-Data-Encoding", strings.Join(encodings, ","))
	}
	ans, err := c.exchange(ctx, request{
		method: http.MethodPost, url: c.endpoint("/v1/statement"), body: sql, header: h, repeatable: readOnly(sql),
	})
	if err != nil {
		return nil, fmt.Errorf("send statement: %w", err)
	}
	q := &Query{client: c, unpack: unpacker{client: c}}
	res, err := parseResults(ans.body)
	if err != nil {
		return nil, fmt.Errorf("send statement to %s: %w", c.BaseURL, err)
	}
	c.session().apply(ans.header)
	q.first = res
	q.take(res)
	q.armHeartbeat()
	return q, nil
}

// readOnly reports whether a statement surely changes nothing, by its first
// word: then it may be sent again after a failure that leaves open whether
// the server took it.
func readOnly(sql string) bool {
	switch strings.ToUpper(firstWord(sql)) {
	case "SELECT", "WITH", "VALUES", "TABLE", "SHOW", "DESCRIBE", "DESC":
		return true
	}
	return false
}

// firstWord returns the first word of sql behind comments and parentheses.
func firstWord(sql string) string {
	for {
		sql = strings.TrimLeft(sql, " \t\r\n(;")
		switch {
		case strings.HasPrefix(sql, "--"):
			_, sql, _ = strings.Cut(sql, "\n")
		case strings.HasPrefix(sql, "/*"):
			_, sql, _ = strings.Cut(sql, "*/")
		default:
			end := strings.IndexFunc(sql, func(r rune) bool {
				return (r|0x20 < 'a' || r|0x20 > 'z') && r != '_'
			})
			if end < 0 {
				return sql
			}
			return sql[:end]
		}
	}
}

// Info is what a server says of itself.
type Info struct {
	NodeVersion struct {
		Version string `json:"version"`
	} `json:"nodeVersion"`
	Environment string `json:"environment"`
	Coordinator bool   `json:"coordinator"`
	// Starting is true while the server does not take queries yet.
	Starting bool   `json:"starting"`
	Uptime   string `json:"uptime"`
}

// Info asks for the server's version and state.
func (c *Client) Info(ctx context.Context) (*Info, error) {
	ans, err := c.exchange(ctx, request{method: http.MethodGet, url: c.endpoint("/v1/info")})
	if err != nil {
		return nil, err
	}
	info := new(Info)
	if err := json.Unmarshal(ans.body, info); err != nil {
		return nil, fmt.Errorf("read server info: %w", err)
	}
	return info, nil
}

// Ping checks that the server takes statements from this user. Servers too
// old for the check are asked for their info instead.
func (c *Client) Ping(ctx context.Context) error {
	_, err := c.exchange(ctx, request{method: http.MethodHead, url: c.endpoint("/v1/statement")})
	var he *HTTPError
	if errors.As(err, &he) && (he.StatusCode == http.StatusMethodNotAllowed || he.StatusCode == http.StatusNotFound) {
		info, err := c.Info(ctx)
		if err == nil && info.Starting {
			err = errors.New("server is starting")
		}
		return err
	}
	return err
}
