package rig

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"time"
)

// Spoil says what becomes of requests to the object store. The zero Spoil
// lets all of them pass.
type Spoil struct {
	// Share of the requests that are spoiled, 0 to 1.
	Share float64
	// Status, if set, is the answer.
	Status int
	// Cut ends the body half way, with Reset by a reset connection instead of an
	// early end. Reset alone hangs up without an answer.
	Cut, Reset bool
	// Stall waits before it answers at all, at most until the client gives up.
	Stall time.Duration
	// Rate in bytes per second of the body; 0: no limit.
	Rate int
}

// Store stands in front of an object store and spoils what it says. It is safe
// for concurrent use.
type Store struct {
	*httptest.Server
	behind string
	client *http.Client

	mu      sync.Mutex
	rng     *rand.Rand
	spoil   Spoil
	seen    int
	spoiled int
}

// NewStore stands in front of the store at a URL. The random numbers come from
// a seed.
func NewStore(behind string, seed uint64) *Store {
	s := &Store{
		behind: strings.TrimSuffix(behind, "/"), rng: rand.New(rand.NewPCG(seed, 2)),
		client: &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 64, DisableCompression: true},
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }},
	}
	s.Server = httptest.NewServer(s)
	return s
}

// Set sets what becomes of requests from now on.
func (s *Store) Set(spoil Spoil) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.spoil = spoil
}

// Figures are the number of requests, and of those spoiled.
func (s *Store) Figures() (seen, spoiled int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.seen, s.spoiled
}

func (s *Store) draw() (Spoil, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.seen++
	if s.rng.Float64() >= s.spoil.Share {
		return Spoil{}, false
	}
	s.spoiled++
	return s.spoil, true
}

// ServeHTTP passes a request on, or spoils it.
func (s *Store) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	spoil, spoiled := s.draw()
	if spoil.Stall > 0 {
		select {
		case <-time.After(spoil.Stall):
		case <-r.Context().Done():
			return
		}
	}
	switch {
	case spoil.Status != 0:
		w.Header().Set("Content-Type", "application/xml")
		w.WriteHeader(spoil.Status)
		fmt.Fprintf(w, "<Error><Code>%s</Code><Message>as the test asked</Message></Error>", codes[spoil.Status])
	case spoiled && spoil.Reset && !spoil.Cut:
		reset(w)
	default:
		s.forward(w, r, spoil)
	}
}

// codes are the store's names of errors.
var codes = map[int]string{http.StatusInternalServerError: "InternalError", http.StatusServiceUnavailable: "SlowDown"}

func (s *Store) forward(w http.ResponseWriter, r *http.Request, spoil Spoil) {
	resp, err := s.ask(r)
	if err != nil {
		if r.Context().Err() == nil {
			reset(w)
		}
		return
	}
	defer resp.Body.Close()
	for name, values := range resp.Header {
		w.Header()[name] = values
	}
	if resp.ContentLength >= 0 {
		w.Header().Set("Content-Length", fmt.Sprint(resp.ContentLength))
	}
	w.WriteHeader(resp.StatusCode)
	limit := int64(-1)
	if spoil.Cut && resp.ContentLength > 1 && r.Method == http.MethodGet {
		limit = resp.ContentLength / 2
	}
	if err := s.copy(w, resp.Body, limit, spoil.Rate); err != nil || limit >= 0 {
		if spoil.Reset {
			reset(w)
		}
		panic(http.ErrAbortHandler) // ends the connection early, as net/http asks for
	}
}

// ask sends a request on as it came: its signature covers the host.
func (s *Store) ask(r *http.Request) (*http.Response, error) {
	out, err := http.NewRequestWithContext(r.Context(), r.Method, s.behind+r.URL.RequestURI(), r.Body)
	if err != nil {
		return nil, err
	}
	out.Host, out.Header, out.ContentLength = r.Host, r.Header.Clone(), r.ContentLength
	if r.ContentLength == 0 {
		out.Body = http.NoBody
	}
	return s.client.Do(out)
}

func (s *Store) copy(w http.ResponseWriter, body io.Reader, limit int64, rate int) error {
	buf := make([]byte, 64<<10)
	for moved := int64(0); limit < 0 || moved < limit; {
		part := buf
		if limit >= 0 {
			part = buf[:min(int64(len(buf)), limit-moved)]
		}
		n, err := body.Read(part)
		if rate > 0 {
			time.Sleep(time.Duration(n) * time.Second / time.Duration(rate))
		}
		if _, werr := w.Write(part[:n]); werr != nil {
			return werr
		}
		moved += int64(n)
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
	}
	if f, ok := w.(http.Flusher); ok {
		f.Flush()
	}
	return nil
}

// reset hangs up on a client.
func reset(w http.ResponseWriter) {
	h, ok := w.(http.Hijacker)
	if !ok {
		return
	}
	conn, _, err := h.Hijack()
	if err == nil {
		hangUp(conn)
	}
}

// Dial reports whether anything listens at an address.
func Dial(ctx context.Context, address string) error {
	conn, err := (&net.Dialer{Timeout: time.Second}).DialContext(ctx, "tcp", address)
	if err != nil {
		return err
	}
	return conn.Close()
}
