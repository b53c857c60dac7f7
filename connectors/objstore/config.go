package objstore

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/url"
	"strings"
	"time"

	"github.com/tuttidb/tutti/internal/qerr"
)

// Config says how to reach a store. The zero value means: local files, and S3
// on AWS with the ordinary chain of credentials (environment, shared files,
// web identity, container and instance roles). Printing a Config in any way
// shows no secret.
type Config struct {
	// Endpoint is the http:// or https:// address of an S3-compatible store;
	// empty for AWS.
	Endpoint string
	// Region of the bucket. When empty it comes from the environment, else it
	// is us-east-1.
	Region string
	// PathStyle puts the bucket into the path instead of the host name. It is
	// implied by an endpoint that is "localhost" or an IP address.
	PathStyle bool
	// AccessKey and SecretKey (both or none) replace the ordinary chain;
	// SessionToken goes with temporary keys.
	AccessKey, SecretKey, SessionToken string

	// Attempts is how often one request is tried in all; 0 means 5.
	Attempts int
	// Backoff is about the wait before the second try, which triples with each
	// further one up to 10 s; 0 means 200 ms.
	Backoff time.Duration
	// StallTimeout ends an attempt that made next to no progress for so long
	// (under 64 KiB of data); 0 means 10 s.
	StallTimeout time.Duration
	// GiveUp bounds the time without progress over all attempts of a call, waits
	// included; 0 means 55 s.
	GiveUp time.Duration
	// MaxConns bounds the connections to the store; 0 means 128.
	MaxConns int
	// PartSize is the size in bytes from which a Put is sent in several parts,
	// and of the parts; 0 means 16 MiB, and S3 allows no less than 5 MiB.
	PartSize int64

	// Metrics, if not nil, counts what the bucket does.
	Metrics *Metrics
	// Logger, if not nil, gets a debug line for each retry.
	Logger *slog.Logger
}

// withDefaults fills in the numbers left at 0.
func (c Config) withDefaults() Config {
	set := func(p *time.Duration, d time.Duration) {
		if *p <= 0 {
			*p = d
		}
	}
	set(&c.StallTimeout, 10*time.Second)
	set(&c.GiveUp, 55*time.Second)
	set(&c.Backoff, 200*time.Millisecond)
	if c.Attempts <= 0 {
		c.Attempts = 5
	}
	if c.MaxConns <= 0 {
		c.MaxConns = 128
	}
	if c.PartSize <= 0 {
		c.PartSize = 16 << 20
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	return c
}

// Check reports the first setting that cannot work. Its messages name
// settings as they are written in catalog files and hold no secret.
func (c Config) Check() error {
	bad := func(format string, args ...any) error {
		return qerr.New(qerr.InvalidArguments, "s3: "+format, args...)
	}
	if (c.AccessKey == "") != (c.SecretKey == "") {
		return bad("access-key and secret-key must be given together")
	}
	if c.SessionToken != "" && c.AccessKey == "" {
		return bad("session-token needs access-key and secret-key")
	}
	if c.PartSize != 0 && c.PartSize < 5<<20 {
		return bad("the part size must be at least 5 MiB")
	}
	if c.Endpoint == "" {
		return nil
	}
	u, err := url.Parse(c.Endpoint)
	switch {
	case err != nil:
		return bad("endpoint is not a URL")
	case u.User != nil:
		return bad("endpoint must not hold a user or password")
	case u.Scheme != "http" && u.Scheme != "https", u.Host == "":
		return bad("endpoint must be http://HOST:PORT or https://HOST:PORT")
	case u.RawQuery != "" || u.Fragment != "":
		return bad("endpoint must not hold a query")
	}
	return nil
}

// redacted marks a secret that is set.
func redacted(s string) string {
	if s == "" {
		return ""
	}
	return "***"
}

// safe returns the settings that may be shown. An endpoint that Check would
// refuse may hold a password, so it is not among them.
func (c Config) safe() map[string]any {
	endpoint := c.Endpoint
	if strings.Contains(endpoint, "@") {
		endpoint = "***"
	}
	return map[string]any{
		"endpoint": endpoint, "region": c.Region, "path-style": c.PathStyle,
		"access-key": redacted(c.AccessKey), "secret-key": redacted(c.SecretKey), "session-token": redacted(c.SessionToken),
	}
}

// String shows the settings without secrets.
func (c Config) String() string {
	s := c.safe()
	return fmt.Sprintf("{endpoint:%q region:%q path-style:%v access-key:%q secret-key:%q session-token:%q}",
		s["endpoint"], s["region"], s["path-style"], s["access-key"], s["secret-key"], s["session-token"])
}

// GoString is String, for %#v.
func (c Config) GoString() string { return "objstore.Config" + c.String() }

// LogValue shows the settings without secrets in logs.
func (c Config) LogValue() slog.Value { return slog.StringValue(c.String()) }

// MarshalJSON shows the settings without secrets.
func (c Config) MarshalJSON() ([]byte, error) { return json.Marshal(c.safe()) }

// MarshalYAML shows the settings without secrets.
func (c Config) MarshalYAML() (any, error) { return c.safe(), nil }

// Open returns the bucket of a location and the key prefix within it, which
// has no slash at its end. A folder is a bucket of its own, with the prefix "".
// Nothing is asked of an S3 store yet: a bad bucket or key shows at first use.
// The caller closes the bucket.
func Open(ctx context.Context, loc Location, cfg Config) (b Bucket, prefix string, err error) {
	switch loc.Scheme {
	case SchemeFile:
		f, err := NewFile(loc.Path, cfg.Metrics)
		if err != nil {
			return nil, "", err
		}
		return f, "", nil
	case SchemeS3:
		s, err := NewS3(ctx, loc.Bucket, cfg)
		if err != nil {
			return nil, "", err
		}
		return s, strings.TrimRight(loc.Path, "/"), nil
	}
	return nil, "", qerr.NotSupported(qerr.Pos{}, "locations of the kind %q", loc.Scheme)
}

// OpenGlob opens the bucket of a location that may be a pattern, such as
// "data/*.parquet" or "s3://bucket/logs/**", and returns the pattern for Glob.
func OpenGlob(ctx context.Context, loc Location, cfg Config) (b Bucket, pattern string, err error) {
	return openGlob(ctx, loc, func(ctx context.Context, loc Location) (Bucket, string, error) {
		return Open(ctx, loc, cfg)
	})
}

// openGlob opens the folder of a pattern and returns the pattern as seen from
// its bucket.
func openGlob(ctx context.Context, loc Location, open func(context.Context, Location) (Bucket, string, error)) (Bucket, string, error) {
	base, rest := loc.Split()
	b, prefix, err := open(ctx, base)
	if err != nil {
		return nil, "", err
	}
	if rest == "" && prefix != "" {
		prefix += "/"
	}
	return b, Join(prefix, rest), nil
}
