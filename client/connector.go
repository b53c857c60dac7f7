package client

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"fmt"
	"net/http"
	"net/url"
	"strings"
)

// DriverName is the name that Register uses.
const DriverName = "tutti"

// PreparedMode says how statements with arguments are sent.
type PreparedMode int

const (
	// PreparedImmediate sends EXECUTE IMMEDIATE '…' USING …: one request, no
	// limit on the statement's size.
	PreparedImmediate PreparedMode = iota
	// PreparedHeader sends EXECUTE name USING … with the statement in the
	// X-Trino-Prepared-Statement header, for servers without EXECUTE IMMEDIATE.
	PreparedHeader
)

// Config is what a database/sql connection is made of.
type Config struct {
	// URL is the server's base URL without user and query.
	URL string
	// Session is what each connection starts with, and returns to when it goes
	// back to the pool.
	Session State
	// Auth, HTTP, Encodings, Retry: see Client. A nil HTTP is NewHTTPClient().
	Auth      func(*http.Request)
	HTTP      *http.Client
	Encodings []string
	Retry     Retry
	Prepared  PreparedMode
}

// ParseDSN reads a data source name of the form
//
//	http[s]://user[:password]@host:port[/path][?key=value&…]
//
// with the keys catalog, schema, path, source, timezone, language, client_info,
// client_tags (comma separated), session (name=value, may be repeated), role
// (catalog=ROLE{name}, may be repeated), token (a bearer token), prepared
// (immediate or header) and encoding (comma separated, or none). Unknown keys
// are errors. A password goes over https only.
func ParseDSN(dsn string) (Config, error) {
	u, err := url.Parse(dsn)
	if err != nil {
		return Config{}, fmt.Errorf("data source name: %w", redactParse(err))
	}
	if (u.Scheme != "http" && u.Scheme != "https") || u.Host == "" {
		return Config{}, fmt.Errorf("data source name %q: want http[s]://user@host:port?catalog=…", u.Redacted())
	}
	cfg := Config{URL: u.Scheme + "://" + u.Host + strings.TrimRight(u.EscapedPath(), "/")}
	cfg.Session.Source = "tutti-go"
	cfg.Session.User = u.User.Username()
	if password, ok := u.User.Password(); ok {
		if u.Scheme != "https" {
			return Config{}, fmt.Errorf("data source name %q: a password needs https", u.Redacted())
		}
		cfg.Auth = BasicAuth(cfg.Session.User, password)
	}
	params, err := url.ParseQuery(u.RawQuery)
	if err != nil {
		return Config{}, fmt.Errorf("data source name: %w", err)
	}
	for key, values := range params {
		for _, v := range values {
			if err := cfg.set(key, v); err != nil {
				return Config{}, fmt.Errorf("data source name: %w", err)
			}
		}
	}
	return cfg, nil
}

// redactParse drops the text that url.Parse quotes: it may hold a password.
func redactParse(err error) error { return unwrapURL(err) }

func (c *Config) set(key, value string) error {
	st := &c.Session
	texts := map[string]*string{
		"catalog": &st.Catalog, "schema": &st.Schema, "path": &st.Path, "source": &st.Source,
		"timezone": &st.TimeZone, "language": &st.Language, "client_info": &st.ClientInfo,
	}
	if p, ok := texts[key]; ok {
		*p = value
		return nil
	}
	switch key {
	case "client_tags":
		st.ClientTags = strings.Split(value, ",")
	case "session":
		return putPair(&st.Properties, key, value)
	case "role":
		return putPair(&st.Roles, key, value)
	case "token":
		c.Auth = BearerAuth(value)
	case "encoding":
		c.Encodings = []string{}
		if value != "none" {
			c.Encodings = strings.Split(value, ",")
		}
	case "prepared":
		switch value {
		case "immediate":
			c.Prepared = PreparedImmediate
		case "header":
			c.Prepared = PreparedHeader
		default:
			return fmt.Errorf("prepared is %q, want immediate or header", value)
		}
	default:
		return fmt.Errorf("unknown key %q", key)
	}
	return nil
}

func putPair(m *map[string]string, key, value string) error {
	name, v, ok := strings.Cut(value, "=")
	if !ok || name == "" {
		return fmt.Errorf("%s is %q, want name=value", key, value)
	}
	if *m == nil {
		*m = map[string]string{}
	}
	(*m)[name] = v
	return nil
}

// Connector makes connections for sql.OpenDB.
type Connector struct{ cfg Config }

// NewConnector makes a connector from a data source name; see ParseDSN.
func NewConnector(dsn string) (*Connector, error) {
	cfg, err := ParseDSN(dsn)
	if err != nil {
		return nil, err
	}
	return NewConnectorFrom(cfg), nil
}

// NewConnectorFrom makes a connector from a config.
func NewConnectorFrom(cfg Config) *Connector {
	if cfg.HTTP == nil {
		cfg.HTTP = NewHTTPClient()
	}
	cfg.Session = cfg.Session.clone()
	return &Connector{cfg: cfg}
}

// Connect makes a connection. The protocol has none of its own, so nothing
// is sent until the first statement.
func (c *Connector) Connect(context.Context) (driver.Conn, error) {
	session := NewSessionFrom(c.cfg.Session)
	return &conn{cfg: &c.cfg, session: session, client: &Client{
		BaseURL: c.cfg.URL, HTTP: c.cfg.HTTP, Session: session, Auth: c.cfg.Auth,
		Encodings: c.cfg.Encodings, Retry: c.cfg.Retry,
	}}, nil
}

// Driver returns the driver of the connector.
func (c *Connector) Driver() driver.Driver { return Driver{} }

// Driver is the database/sql driver.
type Driver struct{}

// Open makes a connection from a data source name.
func (d Driver) Open(dsn string) (driver.Conn, error) {
	c, err := NewConnector(dsn)
	if err != nil {
		return nil, err
	}
	return c.Connect(context.Background())
}

// OpenConnector makes a connector from a data source name.
func (d Driver) OpenConnector(dsn string) (driver.Connector, error) { return NewConnector(dsn) }

// Register makes the driver known to sql.Open as "tutti". Like sql.Register
// it panics when called twice, so only a program's main should call it.
func Register() { sql.Register(DriverName, Driver{}) }
