package objstore

import (
	"context"
	"math/rand/v2"
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/s3"
)

// client is a connection pool with credentials. All buckets of one store can
// share it.
type client struct {
	cfg       Config
	api       *s3.Client
	policy    aws.Retryer
	transport *http.Transport
}

// newClient makes a client. It reads AWS settings from the environment and
// the shared files when cfg leaves something open, but sends nothing.
func newClient(ctx context.Context, cfg Config) (*client, error) {
	if err := cfg.Check(); err != nil {
		return nil, err
	}
	cfg = cfg.withDefaults()
	base, err := awsConfig(ctx, cfg)
	if err != nil {
		return nil, fail(ErrInvalid, "s3", err, "the AWS settings of this node cannot be used: %s", cfg.redact(err.Error()))
	}
	c := &client{cfg: cfg, policy: newPolicy(cfg), transport: newTransport(cfg)}
	c.api = s3.NewFromConfig(base, func(o *s3.Options) {
		if cfg.Endpoint != "" {
			o.BaseEndpoint = aws.String(cfg.Endpoint)
		}
		o.UsePathStyle = cfg.PathStyle || pathStyleHost(cfg.Endpoint)
		o.HTTPClient = &stallClient{rt: c.transport, limit: cfg.StallTimeout}
		// Retries are ours (client.retry): only the reader of a body knows
		// where to go on.
		o.Retryer = aws.NopRetryer{}
		// Bodies are checked by TLS, or the signature's hash; checksums that
		// nobody asked for cost CPU, and some stores cannot do them.
		o.RequestChecksumCalculation = aws.RequestChecksumCalculationWhenRequired
		o.ResponseChecksumValidation = aws.ResponseChecksumValidationWhenRequired
	})
	return c, nil
}

// awsConfig returns credentials and region: those given, else the chain's.
func awsConfig(ctx context.Context, cfg Config) (aws.Config, error) {
	var base aws.Config
	static := cfg.AccessKey != ""
	if !static || cfg.Region == "" && cfg.Endpoint == "" {
		var err error
		if base, err = config.LoadDefaultConfig(ctx); err != nil {
			return base, err
		}
	}
	if static {
		base.Credentials = credentials.NewStaticCredentialsProvider(cfg.AccessKey, cfg.SecretKey, cfg.SessionToken)
	}
	base.Credentials = aws.NewCredentialsCache(markedCredentials{base.Credentials})
	if cfg.Region != "" {
		base.Region = cfg.Region
	}
	if base.Region == "" {
		base.Region = "us-east-1"
	}
	return base, nil
}

// markedCredentials marks the errors of the chain, so that they are not
// mistaken for errors of the store.
type markedCredentials struct{ inner aws.CredentialsProvider }

// credentialsError says that no credentials could be had.
type credentialsError struct{ err error }

func (e *credentialsError) Error() string { return e.err.Error() }
func (e *credentialsError) Unwrap() error { return e.err }

// Retrieve implements aws.CredentialsProvider.
func (m markedCredentials) Retrieve(ctx context.Context) (aws.Credentials, error) {
	c, err := m.inner.Retrieve(ctx)
	if err != nil {
		return c, &credentialsError{err}
	}
	return c, nil
}

// pathStyleHost reports whether an endpoint cannot have bucket names in front
// of its host.
func pathStyleHost(endpoint string) bool {
	u, err := url.Parse(endpoint)
	if err != nil || endpoint == "" {
		return false
	}
	host := u.Hostname()
	return host == "localhost" || net.ParseIP(host) != nil
}

// newTransport makes a connection pool for many parallel requests to one host.
// HTTP/1.1 on purpose: parallel ranges want parallel connections.
func newTransport(cfg Config) *http.Transport {
	d := &net.Dialer{Timeout: cfg.StallTimeout, KeepAlive: 30 * time.Second}
	return &http.Transport{
		Proxy:                 http.ProxyFromEnvironment,
		DialContext:           d.DialContext,
		TLSHandshakeTimeout:   cfg.StallTimeout,
		MaxIdleConns:          cfg.MaxConns,
		MaxIdleConnsPerHost:   cfg.MaxConns,
		MaxConnsPerHost:       cfg.MaxConns,
		IdleConnTimeout:       60 * time.Second,
		ExpectContinueTimeout: time.Second,
		DisableCompression:    true,
		ReadBufferSize:        64 << 10,
		WriteBufferSize:       64 << 10,
	}
}

// redact takes the configured secrets out of a text.
func (c Config) redact(s string) string {
	for _, secret := range []string{c.SecretKey, c.SessionToken, c.AccessKey} {
		if secret != "" {
			s = strings.ReplaceAll(s, secret, "***")
		}
	}
	return s
}

// backoff returns the wait after n failures in a row: first, three times that,
// and so on up to 10 s, of which a random half is taken off so that clients do
// not return in step. With the defaults it adds up to about 6 s, in which a
// store can restart.
func backoff(first time.Duration, n int) time.Duration {
	d := first
	for range n - 1 {
		d = min(d*3, 10*time.Second)
	}
	return d/2 + rand.N(d/2+1)
}

// Opener opens buckets that share one configuration, one pool of connections
// and one set of credentials. It keeps the buckets, so opening one again costs
// nothing. Use one per catalog.
type Opener struct {
	cfg Config

	mu      sync.Mutex
	client  *client
	buckets map[string]Bucket
}

// NewOpener returns an Opener; it reads no settings before the first Open.
func NewOpener(cfg Config) *Opener {
	return &Opener{cfg: cfg, buckets: map[string]Bucket{}}
}

// Open returns the bucket and prefix of a location, as the function Open does.
// The bucket belongs to the Opener and must not be closed.
func (o *Opener) Open(ctx context.Context, loc Location) (b Bucket, prefix string, err error) {
	if loc.Scheme != SchemeS3 {
		return Open(ctx, loc, o.cfg)
	}
	prefix = strings.TrimRight(loc.Path, "/")
	o.mu.Lock()
	defer o.mu.Unlock()
	if b := o.buckets[loc.Bucket]; b != nil {
		return b, prefix, nil
	}
	if o.client == nil {
		if o.client, err = newClient(ctx, o.cfg); err != nil {
			return nil, "", err
		}
	}
	b = &S3{client: o.client, bucket: loc.Bucket}
	o.buckets[loc.Bucket] = b
	return b, prefix, nil
}

// OpenGlob is Open for a location that may be a pattern; see OpenGlob.
func (o *Opener) OpenGlob(ctx context.Context, loc Location) (b Bucket, pattern string, err error) {
	return openGlob(ctx, loc, o.Open)
}

// Close closes the connections that are idle. The buckets must not be in use.
func (o *Opener) Close() error {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.client != nil {
		o.client.transport.CloseIdleConnections()
	}
	clear(o.buckets)
	o.client = nil
	return nil
}
