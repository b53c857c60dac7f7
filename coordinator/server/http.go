package server

import (
	"encoding/json"
	"io"
	"net/http"
	"runtime/debug"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/klauspost/compress/gzip"
)

const (
	// gzipAbove is the size of an answer from which compressing it pays.
	gzipAbove = 2 << 10
	// writeTime is how long a client may take to read one answer.
	writeTime = 5 * time.Minute
)

// gzipWriters are compressors that wait for work: each has tables of some
// hundred KB.
type gzipWriters struct{ pool sync.Pool }

func (g *gzipWriters) get(w io.Writer) *gzip.Writer {
	if z, ok := g.pool.Get().(*gzip.Writer); ok {
		z.Reset(w)
		return z
	}
	z, _ := gzip.NewWriterLevel(w, gzip.BestSpeed) // fails on a wrong level only
	return z
}

// wantsGzip reports whether the client reads gzip.
func wantsGzip(r *http.Request) bool {
	for part := range strings.SplitSeq(r.Header.Get("Accept-Encoding"), ",") {
		name, params, _ := strings.Cut(part, ";")
		if name = strings.TrimSpace(name); name == "gzip" || name == "*" {
			q := strings.TrimPrefix(strings.ReplaceAll(params, " ", ""), "q=")
			return strings.Trim(q, "0.") != "" || q == ""
		}
	}
	return false
}

// send writes a page.
func (s *Server) send(w http.ResponseWriter, r *http.Request, p *page) {
	h := w.Header()
	for name, values := range p.header {
		h[name] = values
	}
	h.Set("Content-Type", "application/json")
	h.Set("Vary", "Accept-Encoding")
	_ = http.NewResponseController(w).SetWriteDeadline(time.Now().Add(writeTime)) // not all writers have deadlines
	size := p.size()
	s.metrics.sent.Add(float64(size))
	if p.packed || size < gzipAbove || !wantsGzip(r) {
		h.Set("Content-Length", strconv.Itoa(size))
		_ = writeAll(w, p.body) // the client has gone; it may ask again
		return
	}
	h.Set("Content-Encoding", "gzip")
	z := s.metrics.gzip.get(w)
	if writeAll(z, p.body) == nil {
		_ = z.Close() // an error here is the client's absence
	}
	z.Reset(io.Discard)
	s.metrics.gzip.pool.Put(z)
}

func writeAll(w io.Writer, parts [][]byte) error {
	for _, b := range parts {
		if _, err := w.Write(b); err != nil {
			return err // the client has gone; it may ask again
		}
	}
	return nil
}

// sendJSON writes a value that no token names.
func (s *Server) sendJSON(w http.ResponseWriter, r *http.Request, v any) {
	body, err := json.Marshal(v)
	if err != nil {
		s.broken(w, r, err)
		return
	}
	s.send(w, r, &page{body: [][]byte{append(body, '\n')}})
}

// broken answers a request that failed by a mistake of ours.
func (s *Server) broken(w http.ResponseWriter, r *http.Request, err error) {
	s.cfg.Log.Error("request failed", "method", r.Method, "path", routeOf(r), "error", err)
	plainError(w, http.StatusInternalServerError, "Internal error; the server's log has the details")
}

func plainError(w http.ResponseWriter, code int, text string) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.WriteHeader(code)
	_, _ = io.WriteString(w, text+"\n") // the status says enough if this fails
}

// routeOf returns the pattern that a request matched, which holds no secrets.
func routeOf(r *http.Request) string {
	if _, path, ok := strings.Cut(r.Pattern, " "); ok {
		return path
	}
	return "other"
}

// guard is what every request passes: common headers, metrics, and that a
// panic ends one request alone and shows its client nothing.
func (s *Server) guard(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		start := time.Now()
		rec := w.(*recorder) // see Handle
		defer func() {
			if p := recover(); p != nil {
				s.cfg.Log.Error("panic in request", "method", r.Method, "path", routeOf(r), "panic", p, "stack", string(debug.Stack()))
				if rec.code == 0 {
					plainError(rec, http.StatusInternalServerError, "Internal error; the server's log has the details")
				}
			}
			s.metrics.request(r, rec.code, time.Since(start))
		}()
		h := w.Header()
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Cache-Control", "no-store")
		next.ServeHTTP(rec, r)
	})
}

// recorder remembers the status of an answer.
type recorder struct {
	http.ResponseWriter
	code int
	// gone says that the server was abandoned: answers that begin after that are
	// dropped.
	gone    *atomic.Bool
	dropped bool
}

// WriteHeader notes the status.
func (r *recorder) WriteHeader(code int) {
	if r.code == 0 {
		r.code, r.dropped = code, r.gone.Load()
	}
	if !r.dropped {
		r.ResponseWriter.WriteHeader(code)
	}
}

// Write notes that the status is 200 unless another was set.
func (r *recorder) Write(b []byte) (int, error) {
	if r.code == 0 {
		r.code, r.dropped = http.StatusOK, r.gone.Load()
	}
	if r.dropped {
		return len(b), nil
	}
	return r.ResponseWriter.Write(b)
}

// Unwrap lets http.ResponseController reach the connection.
func (r *recorder) Unwrap() http.ResponseWriter { return r.ResponseWriter }
