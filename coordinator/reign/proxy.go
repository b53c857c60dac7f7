package reign

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httputil"
	"strings"
	"sync"
	"time"
)

const (
	// wholeBody is how much of an answer is read before its first byte goes
	// out: any page of a result. The rest, of other answers, flows.
	wholeBody = 8 << 20
	// maxIdle is how many connections to the leader wait for requests.
	maxIdle = 64
	// copyBuffer is the size of buffers that answers flow through.
	copyBuffer = 32 << 10
)

// proxies are the ways to the other coordinators, one each.
type proxies struct {
	router *Router
	mu     sync.Mutex
	byID   map[string]*proxy
}

// of returns the way to a coordinator.
func (p *proxies) of(id string) *proxy {
	p.mu.Lock()
	defer p.mu.Unlock()
	x := p.byID[id]
	if x == nil {
		x = newProxy(p.router.ctx, p.router.cfg, id)
		p.byID[id] = x
	}
	return x
}

// keepOnly cuts the ways to all but one.
func (p *proxies) keepOnly(id string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for other, x := range p.byID {
		if other != id {
			x.cut()
			delete(p.byID, other)
		}
	}
}

// proxy forwards requests to one coordinator while it leads.
type proxy struct {
	id        string
	ctx       context.Context // ends when it does not lead any more
	cancel    context.CancelFunc
	transport *http.Transport
	reverse   *httputil.ReverseProxy
}

func newProxy(ctx context.Context, cfg Config, id string) *proxy {
	p := &proxy{id: id}
	p.ctx, p.cancel = context.WithCancel(ctx)
	p.transport = &http.Transport{
		DialContext:         func(ctx context.Context, _, _ string) (net.Conn, error) { return cfg.Node.DialHTTP(ctx, id) },
		MaxIdleConnsPerHost: maxIdle, IdleConnTimeout: time.Minute, DisableCompression: true, // as the client wants it
		ResponseHeaderTimeout: cfg.Answer, MaxResponseHeaderBytes: 4 << 20, ReadBufferSize: copyBuffer, WriteBufferSize: copyBuffer,
	}
	p.reverse = &httputil.ReverseProxy{
		Rewrite: func(out *httputil.ProxyRequest) { rewrite(out, cfg.NameHeader) }, Transport: p.transport, FlushInterval: -1, BufferPool: &buffers{},
		ModifyResponse: whole, ErrorHandler: func(_ http.ResponseWriter, r *http.Request, err error) { leg(r).err = err },
		ErrorLog: log.New(io.Discard, "", 0), // ErrorHandler has all
	}
	return p
}

func (p *proxy) cut() {
	p.cancel()
	p.transport.CloseIdleConnections()
}

// rewrite addresses the request to the leader and says where it came from. The
// host stays the client's, and the name of a statement the router's, whatever
// headers the client wants left out on the way (Connection).
func rewrite(p *httputil.ProxyRequest, nameHeader string) {
	if name := p.In.Header.Get(nameHeader); name != "" {
		p.Out.Header.Set(nameHeader, name)
	}
	p.Out.URL.Scheme, p.Out.URL.Host, p.Out.Host = "http", "leader", p.In.Host
	p.Out.Header.Del("Expect") // the body is here
	for _, name := range []string{"Forwarded", "X-Forwarded-For", "X-Forwarded-Host", "X-Forwarded-Proto"} {
		if v := p.In.Header.Values(name); len(v) > 0 {
			p.Out.Header[name] = v // a proxy before this one has said it
		}
	}
	if p.In.Header.Get("X-Forwarded-For") == "" {
		if host, _, err := net.SplitHostPort(p.In.RemoteAddr); err == nil {
			p.Out.Header.Set("X-Forwarded-For", host)
		}
	}
	if p.In.TLS != nil && p.In.Header.Get("X-Forwarded-Proto") == "" {
		p.Out.Header.Set("X-Forwarded-Proto", "https")
	}
}

// flight is one try of a request.
type flight struct{ err error }

type flightKey struct{}

func leg(r *http.Request) *flight {
	f, _ := r.Context().Value(flightKey{}).(*flight)
	return f
}

// errElsewhere says that a coordinator has done nothing with a request.
var errElsewhere = errors.New("it does not lead")

// forward brings a request to the coordinator and its answer back. After an
// error nothing has been written, but the coordinator may have carried the
// request out.
func (p *proxy) forward(w http.ResponseWriter, r *http.Request) error {
	f := &flight{}
	ctx, cancel := context.WithCancel(context.WithValue(r.Context(), flightKey{}, f))
	defer cancel()
	stop := context.AfterFunc(p.ctx, cancel)
	defer stop()
	p.reverse.ServeHTTP(w, r.WithContext(ctx))
	if f.err != nil {
		return fmt.Errorf("coordinator %s: %w", p.id, f.err)
	}
	return nil
}

// whole reads an answer, so that what goes wrong with it does so before its
// client has any of it.
func whole(r *http.Response) error {
	if r.Header.Get(notLeading) != "" {
		return errElsewhere
	}
	if r.Body == nil || r.ContentLength == 0 || r.Request.Method == http.MethodHead {
		return nil
	}
	var b bytes.Buffer
	if n := r.ContentLength; n > 0 {
		b.Grow(int(min(n, wholeBody)) + bytes.MinRead)
	}
	_, err := io.CopyN(&b, r.Body, wholeBody)
	switch {
	case errors.Is(err, io.EOF):
		if err := r.Body.Close(); err != nil {
			return err
		}
		r.Body = io.NopCloser(&b)
		return nil
	case err != nil:
		return err
	}
	r.Body = struct {
		io.Reader
		io.Closer
	}{io.MultiReader(&b, r.Body), r.Body}
	return nil
}

// buffers lends the buffers that answers flow through.
type buffers struct{ pool sync.Pool }

// Get lends a buffer.
func (b *buffers) Get() []byte {
	if p, ok := b.pool.Get().(*[]byte); ok {
		return *p
	}
	return make([]byte, copyBuffer)
}

// Put takes it back.
func (b *buffers) Put(p []byte) { b.pool.Put(&p) }

// LocalPath reports whether a request is about the process that gets it: its
// health, its state, its metrics, its web page's files.
func LocalPath(r *http.Request) bool {
	switch path := strings.TrimSuffix(r.URL.Path, "/"); path {
	case "", "/healthz", "/readyz", "/metrics", "/v1/info", "/v1/info/state", "/v1/info/coordinator", "/v1/status", "/ui":
		return true
	default:
		return strings.HasPrefix(path, "/ui/")
	}
}
