package client

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// Retry bounds how requests are tried again. Zero fields take the defaults.
type Retry struct {
	// Base is the wait before the first retry; it doubles with each, with jitter.
	Base time.Duration
	// Max is the longest wait between two tries. A server's Retry-After may
	// ask for more.
	Max time.Duration
	// Budget is how long one request may be tried in all.
	Budget time.Duration
}

func (r Retry) withDefaults() Retry {
	if r.Base <= 0 {
		r.Base = 50 * time.Millisecond
	}
	if r.Max <= 0 {
		r.Max = 5 * time.Second
	}
	if r.Budget <= 0 {
		r.Budget = 2 * time.Minute
	}
	return r
}

// wait returns how long to wait before try n (from 1), given the answer that
// asks for it, or nil.
func (r Retry) wait(n int, resp *http.Response, now time.Time) time.Duration {
	d := min(r.Base<<min(n-1, 16), r.Max)
	d = d/2 + rand.N(d/2+1) // spread: many clients see the same outage
	if resp != nil {
		d = max(d, retryAfter(resp.Header.Get("Retry-After"), now))
	}
	return d
}

// retryAfter reads both forms of the Retry-After header; 0 if it has none.
func retryAfter(v string, now time.Time) time.Duration {
	if s, err := strconv.Atoi(strings.TrimSpace(v)); err == nil && s >= 0 {
		return time.Duration(s) * time.Second
	}
	if t, err := http.ParseTime(v); err == nil {
		return max(t.Sub(now), 0)
	}
	return 0
}

// NewHTTPClient makes an HTTP client fit for the protocol: bounded time to
// connect and to the first byte of an answer, unbounded time for its body.
func NewHTTPClient() *http.Client {
	return &http.Client{Transport: &http.Transport{
		Proxy:                 http.ProxyFromEnvironment,
		DialContext:           (&net.Dialer{Timeout: 10 * time.Second, KeepAlive: 15 * time.Second}).DialContext,
		TLSHandshakeTimeout:   10 * time.Second,
		ResponseHeaderTimeout: time.Minute,
		IdleConnTimeout:       90 * time.Second,
		MaxIdleConnsPerHost:   16,
		ForceAttemptHTTP2:     true,
	}}
}

// request says what to send. repeatable marks requests that may run twice
// without harm; plain leaves out user and session (segments in a store).
type request struct {
	method, url string
	body        string
	header      http.Header
	repeatable  bool
	plain       bool
}

// answer is a whole response; the body is read within the retries.
type answer struct {
	status int
	header http.Header
	body   []byte
}

// retriable lists the statuses of a server that is busy, starting or behind a
// proxy that lost it.
func retriable(status int) bool {
	switch status {
	case http.StatusTooManyRequests, http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout:
		return true
	}
	return false
}

// refused reports whether a status says that the request was not taken at
// all, so that sending it again cannot run it twice.
func refused(status int) bool {
	return status == http.StatusTooManyRequests || status == http.StatusServiceUnavailable
}

// exchange sends r until it gets an answer to keep or the budget ends. An
// answer other than 2xx is an *HTTPError.
func (c *Client) exchange(ctx context.Context, r request) (*answer, error) {
	retry := c.Retry.withDefaults()
	deadline := time.Now().Add(retry.Budget)
	for try := 1; ; try++ {
		ans, resp, err := c.once(ctx, r)
		if err == nil {
			return ans, nil
		}
		if ctx.Err() != nil {
			return nil, context.Cause(ctx)
		}
		if !mayRetry(r, err) {
			return nil, err
		}
		wait := retry.wait(try, resp, time.Now())
		if time.Now().Add(wait).After(deadline) {
			return nil, fmt.Errorf("gave up after %d tries: %w", try, err)
		}
		if err := sleep(ctx, wait); err != nil {
			return nil, err
		}
	}
}

// mayRetry decides by the kind of failure and by what repeating could do.
func mayRetry(r request, err error) bool {
	var he *HTTPError
	if errors.As(err, &he) {
		return refused(he.StatusCode) || (r.repeatable && retriable(he.StatusCode))
	}
	// A server that cannot be reached is news for the user when a statement
	// starts; while one runs, it may be a coordinator changing hands.
	var ce *ConnectError
	if errors.As(err, &ce) && r.method == http.MethodPost {
		return false
	}
	var perm *permanentError
	return r.repeatable && !errors.As(err, &perm)
}

// permanentError marks failures that no retry can mend.
type permanentError struct{ error }

func (e *permanentError) Unwrap() error { return e.error }

// once makes one try. The response is returned for its headers, body closed.
func (c *Client) once(ctx context.Context, r request) (*answer, *http.Response, error) {
	req, err := c.newRequest(ctx, r)
	if err != nil {
		return nil, nil, &permanentError{err}
	}
	resp, err := c.http().Do(req)
	if err != nil {
		if connectFailed(err) {
			err = &ConnectError{URL: c.BaseURL, Err: unwrapURL(err)}
		}
		return nil, nil, err
	}
	defer resp.Body.Close()
	if resp.StatusCode < 200 || resp.StatusCode > 299 {
		return nil, resp, httpError(req, resp)
	}
	body, err := readBody(resp)
	if err != nil {
		return nil, resp, fmt.Errorf("read answer of %s %s: %w", req.Method, req.URL.Redacted(), err)
	}
	if len(body) == 0 && r.method == http.MethodGet {
		return nil, resp, fmt.Errorf("%s %s: %w", req.Method, req.URL.Redacted(), errEmptyBody)
	}
	return &answer{resp.StatusCode, resp.Header, body}, resp, nil
}

// errEmptyBody is a 200 without content, which some proxies give for a
// server that went away.
var errEmptyBody = errors.New("empty answer")

// unwrapURL drops the "Post "http://…":" that net/http puts in front.
func unwrapURL(err error) error {
	var ue *url.Error
	if errors.As(err, &ue) {
		return ue.Err
	}
	return err
}

func readBody(resp *http.Response) ([]byte, error) {
	var buf bytes.Buffer
	if n := resp.ContentLength; n > 0 && n < maxSegment {
		buf.Grow(int(n) + bytes.MinRead)
	}
	_, err := buf.ReadFrom(resp.Body)
	return buf.Bytes(), err
}

// httpError keeps the first line of what the server said.
func httpError(req *http.Request, resp *http.Response) *HTTPError {
	head, _ := io.ReadAll(io.LimitReader(resp.Body, 2048))
	text, _, _ := strings.Cut(strings.TrimSpace(string(head)), "\n")
	return &HTTPError{Method: req.Method, URL: req.URL.Redacted(), StatusCode: resp.StatusCode, Body: strings.TrimSpace(text)}
}

// newRequest makes the HTTP request for r. Credentials go to the server
// itself only: never to another host, never from https down to http.
func (c *Client) newRequest(ctx context.Context, r request) (*http.Request, error) {
	base, err := url.Parse(c.BaseURL)
	if err != nil || base.Host == "" || (base.Scheme != "http" && base.Scheme != "https") {
		return nil, fmt.Errorf("server address %q is not an http or https URL", c.BaseURL)
	}
	ref, err := url.Parse(r.url)
	if err != nil {
		return nil, fmt.Errorf("address from the server: %w", err)
	}
	target := base.ResolveReference(ref)
	req, err := http.NewRequestWithContext(ctx, r.method, target.String(), strings.NewReader(r.body))
	if err != nil {
		return nil, err
	}
	if r.body == "" {
		req.Body, req.GetBody, req.ContentLength = http.NoBody, nil, 0
	}
	for k, v := range r.header {
		req.Header[http.CanonicalHeaderKey(k)] = v
	}
	if r.plain {
		// Segments are compressed by themselves; a second layer only costs.
		req.Header.Set("Accept-Encoding", "identity")
	} else {
		req.Header.Set("User-Agent", c.userAgent())
		if u := c.session().user(); u != "" && req.Header.Get(headerPrefix+"User") == "" {
			req.Header.Set(headerPrefix+"User", u)
		}
	}
	safe := target.Host == base.Host && (target.Scheme == base.Scheme || target.Scheme == "https")
	if c.Auth != nil && safe {
		c.Auth(req)
	}
	return req, nil
}

// sleep waits for d, or returns the cause of the context's end.
func sleep(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-t.C:
		return nil
	}
}
