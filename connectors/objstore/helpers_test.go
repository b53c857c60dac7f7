package objstore_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"log"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/johannesboyne/gofakes3"
	"github.com/johannesboyne/gofakes3/backend/s3mem"

	"github.com/tuttidb/tutti/connectors/objstore"
)

// fakeS3 is an S3 server in this process, with a place to make it fail.
type fakeS3 struct {
	url string

	mu     sync.Mutex
	hook   func(n int, r *http.Request) answer // n counts from 1 since the hook was set
	n      int
	served int
	paths  []string
}

// answer does something else than the server would. nil means: serve.
type answer func(w http.ResponseWriter, r *http.Request, serve http.Handler)

func newFakeS3(t testing.TB, buckets ...string) *fakeS3 {
	t.Helper()
	backend := s3mem.New()
	for _, b := range buckets {
		if err := backend.CreateBucket(b); err != nil {
			t.Fatal(err)
		}
	}
	f := &fakeS3{}
	inner := gofakes3.New(backend).Server()
	srv := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if a := f.next(r); a != nil {
			a(w, r, inner)
			return
		}
		inner.ServeHTTP(w, r)
	}))
	srv.Config.ErrorLog = log.New(io.Discard, "", 0) // the fake writes some headers twice
	srv.Start()
	t.Cleanup(srv.Close)
	f.url = srv.URL
	return f
}

func (f *fakeS3) next(r *http.Request) answer {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.served++
	f.paths = append(f.paths, r.Method+" "+r.URL.String()+" "+r.Header.Get("Range"))
	if f.hook == nil {
		return nil
	}
	f.n++
	return f.hook(f.n, r)
}

// script sets what happens to the requests that follow: the answers in turn,
// then nothing special.
func (f *fakeS3) script(answers ...answer) {
	f.always(func(n int, _ *http.Request) answer {
		if n <= len(answers) {
			return answers[n-1]
		}
		return nil
	})
}

func (f *fakeS3) always(hook func(n int, r *http.Request) answer) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.hook, f.n, f.served, f.paths = hook, 0, 0, nil
}

// requests returns how many requests came since the last script.
func (f *fakeS3) requests() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.served
}

func (f *fakeS3) requestLog() string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return strings.Join(f.paths, "\n")
}

// status answers with an S3 error document.
func status(code int, name, message string) answer {
	return func(w http.ResponseWriter, r *http.Request, _ http.Handler) {
		io.Copy(io.Discard, r.Body)
		w.Header().Set("Content-Type", "application/xml")
		w.WriteHeader(code)
		if r.Method != http.MethodHead {
			fmt.Fprintf(w, `<?xml version="1.0"?><Error><Code>%s</Code><Message>%s</Message></Error>`, name, message)
		}
	}
}

// reset breaks the connection without an answer.
func reset(w http.ResponseWriter, r *http.Request, _ http.Handler) {
	conn, _, err := w.(http.Hijacker).Hijack()
	if err != nil {
		panic(err)
	}
	conn.(*net.TCPConn).SetLinger(0)
	conn.Close()
}

// sendPart serves the request but sends only so many bytes of the body.
func sendPart(n int, w http.ResponseWriter, r *http.Request, serve http.Handler) {
	rec := newRecorder()
	serve.ServeHTTP(rec, r)
	for k, v := range rec.header {
		w.Header()[k] = v
	}
	w.Header().Set("Content-Length", strconv.Itoa(rec.body.Len()))
	w.WriteHeader(rec.code)
	w.Write(rec.body.Bytes()[:min(n, rec.body.Len())])
	w.(http.Flusher).Flush()
}

// cutAfter sends the right headers and only so many bytes of body.
func cutAfter(n int) answer {
	return func(w http.ResponseWriter, r *http.Request, serve http.Handler) {
		sendPart(n, w, r, serve)
		panic(http.ErrAbortHandler) // closes the connection
	}
}

// hang answers nothing until the client has gone.
func hang(w http.ResponseWriter, r *http.Request, _ http.Handler) {
	io.Copy(io.Discard, r.Body)
	<-r.Context().Done()
}

// hangAfter sends so many bytes of body and then nothing more.
func hangAfter(n int) answer {
	return func(w http.ResponseWriter, r *http.Request, serve http.Handler) {
		sendPart(n, w, r, serve)
		<-r.Context().Done()
	}
}

// recorder keeps an answer.
type recorder struct {
	header http.Header
	code   int
	body   bytes.Buffer
}

func newRecorder() *recorder                    { return &recorder{header: http.Header{}, code: 200} }
func (r *recorder) Header() http.Header         { return r.header }
func (r *recorder) WriteHeader(code int)        { r.code = code }
func (r *recorder) Write(p []byte) (int, error) { return r.body.Write(p) }

// lostAnswer serves the request and then loses the answer.
func lostAnswer(w http.ResponseWriter, r *http.Request, serve http.Handler) {
	serve.ServeHTTP(newRecorder(), r)
	reset(w, r, nil)
}

const (
	testAccess = "AKIATESTACCESSKEY"
	testSecret = "canary/secret+key"
)

// config returns settings for the server, with short waits.
func (f *fakeS3) config() objstore.Config {
	return objstore.Config{
		Endpoint: f.url, Region: "eu-west-3", PathStyle: true, AccessKey: testAccess, SecretKey: testSecret,
		Backoff: time.Millisecond, StallTimeout: 2 * time.Second, PartSize: 5 << 20, Metrics: &objstore.Metrics{},
	}
}

// bucket opens a bucket of the server.
func (f *fakeS3) bucket(t testing.TB, name string, change ...func(*objstore.Config)) *objstore.S3 {
	t.Helper()
	cfg := f.config()
	for _, c := range change {
		c(&cfg)
	}
	b, err := objstore.NewS3(context.Background(), name, cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { b.Close() })
	return b
}

// noLeaks fails the test when it leaves goroutines of this package behind.
func noLeaks(t *testing.T) {
	t.Helper()
	before := ownGoroutines(nil)
	t.Cleanup(func() {
		var left map[string]string
		for deadline := time.Now().Add(5 * time.Second); time.Now().Before(deadline); runtime.Gosched() {
			if left = ownGoroutines(before); len(left) == 0 {
				return
			}
		}
		for _, stack := range left {
			t.Errorf("goroutine left:\n%s", stack)
		}
	})
}

// ownGoroutines returns the stacks of goroutines that the package started, or
// that net/http runs for its connections to a store, without those in except.
func ownGoroutines(except map[string]string) map[string]string {
	buf := make([]byte, 1<<20)
	own := map[string]string{}
	for _, s := range strings.Split(string(buf[:runtime.Stack(buf, true)]), "\n\n")[1:] {
		id, _, _ := strings.Cut(s, " [")
		started := strings.Contains(s, "created by github.com/tuttidb/tutti/connectors/objstore.") ||
			strings.Contains(s, "net/http.(*persistConn)")
		if _, known := except[id]; started && !known {
			own[id] = s
		}
	}
	return own
}

// put stores data, which must succeed.
func put(t testing.TB, b objstore.Bucket, key string, data []byte) objstore.ObjectInfo {
	t.Helper()
	info, err := b.Put(context.Background(), key, bytes.NewReader(data), int64(len(data)), objstore.PutOptions{})
	if err != nil {
		t.Fatal(err)
	}
	return info
}

// noise returns n bytes that are the same for the same seed.
func noise(seed uint64, n int) []byte {
	r := rand.New(rand.NewPCG(seed, 7))
	out := make([]byte, n+8)
	for i := 0; i < n; i += 8 {
		v := r.Uint64()
		for k := range 8 {
			out[i+k] = byte(v >> (8 * k))
		}
	}
	return out[:n]
}

func mustParse(t testing.TB, text string) objstore.Location {
	t.Helper()
	loc, err := objstore.ParseLocation(text)
	if err != nil {
		t.Fatal(err)
	}
	return loc
}
