package objstore_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/tuttidb/tutti/connectors/objstore"
	"github.com/tuttidb/tutti/internal/qerr"
)

// withServed lets the server answer and then changes what it said.
func withServed(change func(h http.Header, code int, body []byte) (int, []byte)) answer {
	return func(w http.ResponseWriter, r *http.Request, serve http.Handler) {
		rec := newRecorder()
		serve.ServeHTTP(rec, r)
		code, body := change(rec.header, rec.code, rec.body.Bytes())
		for k, v := range rec.header {
			w.Header()[k] = v
		}
		if r.Method != http.MethodHead {
			w.Header().Set("Content-Length", fmt.Sprint(len(body)))
		}
		w.WriteHeader(code)
		w.Write(body)
	}
}

// TestS3Recovers: faults that pass are not seen by the caller, and what was
// received before them is not asked for again.
func TestS3Recovers(t *testing.T) {
	const size = 1 << 20
	data := noise(5, size)
	wrongRange := withServed(func(h http.Header, code int, body []byte) (int, []byte) {
		return code, body[:100_000] // Content-Length contradicts Content-Range
	})
	shorter := withServed(func(h http.Header, code int, body []byte) (int, []byte) {
		h.Set("Content-Range", fmt.Sprintf("bytes 0-%d/%d", 99_999, size))
		return code, body[:100_000]
	})
	tests := map[string]struct {
		answers  []answer
		requests int
		lastAsk  string // Range header of the last request
	}{
		"500":                  {[]answer{status(500, "InternalError", "oops")}, 2, ""},
		"503 four times":       {[]answer{status(503, "SlowDown", "x"), status(503, "SlowDown", "x"), status(503, "SlowDown", "x"), status(503, "SlowDown", "x")}, 5, ""},
		"429":                  {[]answer{status(429, "TooManyRequests", "x")}, 2, ""},
		"reset":                {[]answer{reset, reset}, 3, ""},
		"cut at once":          {[]answer{cutAfter(0)}, 2, "bytes=0-1048575"},
		"cut in the body":      {[]answer{cutAfter(300_000), cutAfter(200_000)}, 3, "bytes=500000-1048575"},
		"stalled":              {[]answer{hang}, 2, ""},
		"stalled in the body":  {[]answer{hangAfter(700_000)}, 2, "bytes=700000-1048575"},
		"wrong length":         {[]answer{wrongRange}, 2, "bytes=100000-1048575"},
		"shorter range":        {[]answer{shorter}, 2, "bytes=100000-1048575"},
		"many cuts with gains": {[]answer{cutAfter(100_000), cutAfter(100_000), cutAfter(100_000), cutAfter(100_000), cutAfter(100_000), cutAfter(100_000), cutAfter(100_000)}, 8, "bytes=700000-1048575"},
		"html from a proxy 502": {[]answer{func(w http.ResponseWriter, _ *http.Request, _ http.Handler) {
			w.WriteHeader(502)
			io.WriteString(w, "<html>Bad gateway")
		}}, 2, ""},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			noLeaks(t)
			srv := newFakeS3(t, "bucket")
			m := &objstore.Metrics{}
			b := srv.bucket(t, "bucket", func(c *objstore.Config) { c.StallTimeout, c.Metrics = 300*time.Millisecond, m })
			info := put(t, b, "k", data)
			before := m.Snapshot()
			srv.script(tt.answers...)
			dst := make([]byte, size)
			n, err := b.GetRange(t.Context(), "k", info.ETag, 0, dst)
			if n != size || err != nil || !bytes.Equal(dst, data) {
				t.Errorf("GetRange = %d, %v", n, err)
			}
			log := srv.requestLog()
			if srv.requests() != tt.requests || !strings.HasSuffix(log, tt.lastAsk) {
				t.Errorf("%d requests, want %d ending in %q:\n%s", srv.requests(), tt.requests, tt.lastAsk, log)
			}
			after := m.Snapshot()
			retries := after.Retries - before.Retries
			if name == "reset" && retries == 1 {
				retries = 2 // net/http repeats a request itself when a kept connection turns out dead
			}
			if retries != int64(tt.requests-1) || after.BytesRead != size || after.Gets != 1 {
				t.Errorf("counted %+v, want %d retries", after, tt.requests-1)
			}
		})
	}
}

// TestS3RecoversOtherCalls: so it is for listings, writes and the rest.
func TestS3RecoversOtherCalls(t *testing.T) {
	notXML := func(w http.ResponseWriter, _ *http.Request, _ http.Handler) {
		io.WriteString(w, "<html><body>Welcome</body>")
	}
	faults := map[string]answer{
		"500": status(500, "InternalError", "oops"), "503": status(503, "SlowDown", "x"), "reset": reset,
		"cut": cutAfter(40), "stalled": hang, "error with 200": status(200, "InternalError", "oops"), "no XML": notXML,
	}
	for name, fault := range faults {
		t.Run(name, func(t *testing.T) {
			noLeaks(t)
			srv := newFakeS3(t, "bucket")
			b := srv.bucket(t, "bucket", func(c *objstore.Config) { c.StallTimeout = 300 * time.Millisecond })
			put(t, b, "dir/a", []byte("a"))
			srv.script(fault)
			if got := listing(t, b, objstore.ListOptions{}); got != "dir/a | " {
				t.Errorf("listed %s", got)
			}
			if strings.Contains(name, "200") || strings.Contains(name, "XML") || name == "cut" {
				return // HEAD and PUT answers have no body
			}
			srv.script(fault)
			if _, err := b.Stat(t.Context(), "dir/a"); err != nil {
				t.Error(err)
			}
			srv.script(fault)
			put(t, b, "dir/b", noise(1, 1000))
			srv.script(nil, fault, fault, nil, fault, fault, fault) // in the middle of a Put in parts
			data := noise(2, 12<<20)
			info := put(t, b, "dir/c", data)
			if got, err := objstore.ReadAll(t.Context(), b, info); err != nil || !bytes.Equal(got, data) {
				t.Errorf("read back %d bytes, %v", len(got), err)
			}
			srv.script(fault)
			if err := b.Delete(t.Context(), "dir/a"); err != nil {
				t.Error(err)
			}
		})
	}
}

// TestS3PutAnswerLost: a Put that took place but whose answer was lost is a
// success, also when it was conditional.
func TestS3PutAnswerLost(t *testing.T) {
	srv := newFakeS3(t, "bucket")
	b := srv.bucket(t, "bucket")
	for i, size := range []int{10, 11 << 20} {
		key := fmt.Sprint("k", i)
		lost := false
		srv.always(func(_ int, r *http.Request) answer {
			final := r.Method == "PUT" && !strings.Contains(r.URL.RawQuery, "uploadId") || r.Method == "POST" && strings.Contains(r.URL.RawQuery, "uploadId")
			if !final || lost {
				return nil
			}
			lost = true
			return lostAnswer
		})
		data := noise(uint64(i), size)
		info, err := b.Put(t.Context(), key, bytes.NewReader(data), int64(size), objstore.PutOptions{IfAbsent: true})
		if err != nil || !lost {
			t.Fatalf("Put of %d bytes: %v (answer lost: %v)", size, err, lost)
		}
		if got, err := objstore.ReadAll(t.Context(), b, info); err != nil || !bytes.Equal(got, data) {
			t.Errorf("read back %d bytes, %v", len(got), err)
		}
	}
}

// TestS3ErrorTexts: errors that no retry mends come at once, say what and where,
// and hold no secret.
func TestS3ErrorTexts(t *testing.T) {
	away := func(w http.ResponseWriter, _ *http.Request, _ http.Handler) {
		w.Header().Set("X-Amz-Bucket-Region", "eu-north-1")
		w.WriteHeader(301)
	}
	noRange := func(w http.ResponseWriter, _ *http.Request, _ http.Handler) { io.WriteString(w, "whole object") }
	otherRange := withServed(func(h http.Header, _ int, body []byte) (int, []byte) {
		h.Set("Content-Range", "bytes 0-3/5")
		return 206, body
	})
	noMatch := withServed(func(h http.Header, code int, body []byte) (int, []byte) {
		h.Set("Etag", `"another"`)
		return code, body
	})
	tests := map[string]struct {
		answer answer
		kind   error
		code   qerr.Code
		retry  bool
		text   string
	}{
		"403":          {status(403, "AccessDenied", "Access Denied"), objstore.ErrAccessDenied, qerr.LakeFilesystemError, false, "s3://bucket/dir/k: access denied (403) – check the access key, and that its policy and the bucket's allow this"},
		"401":          {status(401, "Unauthorized", ""), objstore.ErrAccessDenied, qerr.LakeFilesystemError, false, "s3://bucket/dir/k: access denied (401 Unauthorized) – check the access key"},
		"unknown key":  {status(403, "InvalidAccessKeyId", "no "+testAccess), objstore.ErrAccessDenied, qerr.LakeFilesystemError, false, "access denied (403 InvalidAccessKeyId) – the store does not know the access key"},
		"unknown user": {status(404, "XAdminUserNotFound", "x"), objstore.ErrAccessDenied, qerr.LakeFilesystemError, false, "access denied (404 XAdminUserNotFound) – the store does not know the access key"},
		"other 404":    {status(404, "NoSuchUpload", "x"), objstore.ErrInvalid, qerr.LakeFilesystemError, false, "refused the request (404 NoSuchUpload: x)"},
		"bare 404":     {func(w http.ResponseWriter, _ *http.Request, _ http.Handler) { w.WriteHeader(404) }, objstore.ErrNotFound, qerr.LakeFileNotFound, false, "no such object (404)"},
		"bad secret":   {status(403, "SignatureDoesNotMatch", "x"), objstore.ErrAccessDenied, qerr.LakeFilesystemError, false, "the secret key does not belong to the access key"},
		"expired":      {status(400, "ExpiredToken", "x"), objstore.ErrAccessDenied, qerr.LakeFilesystemError, false, "the temporary credentials have expired"},
		"no bucket":    {status(404, "NoSuchBucket", "x"), objstore.ErrNoBucket, qerr.LakeFilesystemError, false, "s3://bucket: no such bucket (404) – check its name and the endpoint http://127.0.0.1:"},
		"no object":    {status(404, "NoSuchKey", "x"), objstore.ErrNotFound, qerr.LakeFileNotFound, false, "s3://bucket/dir/k: no such object (404)"},
		"elsewhere":    {away, objstore.ErrInvalid, qerr.LakeFilesystemError, false, "the bucket is in region eu-north-1 (301) – set region to it"},
		"307":          {status(307, "TemporaryRedirect", "x"), objstore.ErrInvalid, qerr.LakeFilesystemError, false, "the store says that the bucket is elsewhere (307)"},
		"400":          {status(400, "InvalidArgument", "no, "+testSecret), objstore.ErrInvalid, qerr.LakeFilesystemError, false, "the object store refused the request (400 InvalidArgument: no, ***)"},
		"501":          {status(501, "NotImplemented", "x"), objstore.ErrInvalid, qerr.LakeFilesystemError, false, "refused the request (501 NotImplemented: x)"},
		"412":          {status(412, "PreconditionFailed", "x"), objstore.ErrChanged, qerr.LakeFileChanged, true, "s3://bucket/dir/k: the object was changed while the query was reading it; run the query again"},
		"no If-Match":  {noMatch, objstore.ErrChanged, qerr.LakeFileChanged, true, "run the query again"},
		"no ranges":    {noRange, objstore.ErrInvalid, qerr.LakeFilesystemError, false, "the store does not support range requests"},
		"other ranges": {otherRange, objstore.ErrInvalid, qerr.LakeFilesystemError, false, `the store answered with the range "bytes 0-3/5" instead of 4 bytes at 1`},
	}
	srv := newFakeS3(t, "bucket")
	b := srv.bucket(t, "bucket")
	info := put(t, b, "dir/k", []byte("hello"))
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			srv.always(func(int, *http.Request) answer { return tt.answer })
			etag := ""
			if name == "no If-Match" {
				etag = info.ETag
			}
			_, err := b.GetRange(t.Context(), "dir/k", etag, 1, make([]byte, 4))
			wantErr(t, err, tt.kind, tt.code, tt.retry, "s3://bucket", tt.text)
			if srv.requests() != 1 {
				t.Errorf("%d requests", srv.requests())
			}
			if strings.Contains(err.Error(), testSecret) || strings.Contains(err.Error(), testAccess) {
				t.Errorf("a secret shows: %v", err)
			}
		})
	}
}

func TestS3MissingBucket(t *testing.T) {
	srv := newFakeS3(t)
	b := srv.bucket(t, "nowhere")
	const text = "s3://nowhere: no such bucket (404) – check its name"
	_, err := b.Stat(t.Context(), "k")
	wantErr(t, err, objstore.ErrNoBucket, qerr.LakeFilesystemError, false, text)
	_, err = b.GetRange(t.Context(), "k", "", 0, make([]byte, 1))
	wantErr(t, err, objstore.ErrNoBucket, qerr.LakeFilesystemError, false, text)
	_, err = b.Put(t.Context(), "k", strings.NewReader("x"), 1, objstore.PutOptions{})
	wantErr(t, err, objstore.ErrNoBucket, qerr.LakeFilesystemError, false, text)
	for _, err := range b.List(t.Context(), objstore.ListOptions{Prefix: "p/"}) {
		wantErr(t, err, objstore.ErrNoBucket, qerr.LakeFilesystemError, false, text)
	}
}

// TestS3Down: a store that never answers properly gives an error in bounded time.
func TestS3Down(t *testing.T) {
	closed, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	closed.Close()
	srv := newFakeS3(t, "bucket")
	info := put(t, srv.bucket(t, "bucket"), "k", noise(1, 1<<20))
	tests := map[string]struct {
		answer   answer
		endpoint string
		text     string
		attempts int
	}{
		"refused":  {nil, "http://" + closed.Addr().String(), "connection refused", 0},
		"500":      {status(500, "InternalError", "oops"), srv.url, "failed in 5 attempts over", 5},
		"503":      {status(503, "SlowDown", "Reduce your request rate"), srv.url, "(503 SlowDown: Reduce your request rate); check the endpoint " + srv.url, 5},
		"stalled":  {hang, srv.url, "no answer for 200ms", 5},
		"reset":    {reset, srv.url, "s3://bucket/k: the object store failed in 5 attempts", 5},
		"cut":      {cutAfter(10), srv.url, "the answer was cut off", 5},
		"trickles": {hangAfter(1000), srv.url, "no answer for 200ms", 5},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			noLeaks(t)
			srv.always(func(int, *http.Request) answer { return tt.answer })
			b := srv.bucket(t, "bucket", func(c *objstore.Config) { c.Endpoint, c.StallTimeout = tt.endpoint, 200*time.Millisecond })
			_, err := b.GetRange(t.Context(), "k", info.ETag, 0, make([]byte, 1<<20))
			wantErr(t, err, objstore.ErrUnavailable, qerr.LakeFilesystemError, true, "s3://bucket/k: ", tt.text)
			if srv.requests() != tt.attempts {
				t.Errorf("%d requests, want %d", srv.requests(), tt.attempts)
			}
			if err := b.Close(); err != nil {
				t.Error(err)
			}
		})
	}
}

// TestS3GivesUp: the bound on time holds before the number of attempts does.
func TestS3GivesUp(t *testing.T) {
	srv := newFakeS3(t, "bucket")
	srv.always(func(int, *http.Request) answer { return hang })
	b := srv.bucket(t, "bucket", func(c *objstore.Config) {
		c.Attempts, c.StallTimeout, c.GiveUp = 1000, 100*time.Millisecond, 500*time.Millisecond
	})
	start := time.Now()
	_, err := b.Stat(t.Context(), "k")
	wantErr(t, err, objstore.ErrUnavailable, qerr.LakeFilesystemError, true, "no answer for 100ms")
	if n := srv.requests(); n < 2 || n > 5 || time.Since(start) > 5*time.Second {
		t.Errorf("%d requests in %v", n, time.Since(start))
	}
}

// TestS3Cancel: a cancel ends a call at once, whatever it is waiting for.
func TestS3Cancel(t *testing.T) {
	tests := map[string]struct {
		answer  answer
		backoff time.Duration
	}{
		"no answer": {hang, time.Millisecond}, "in the body": {hangAfter(1000), time.Millisecond}, "between attempts": {reset, time.Hour},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			noLeaks(t)
			srv := newFakeS3(t, "bucket")
			b := srv.bucket(t, "bucket", func(c *objstore.Config) { c.StallTimeout, c.GiveUp, c.Backoff = time.Hour, 100*time.Hour, tt.backoff })
			put(t, b, "k", noise(1, 1<<20))
			asked := make(chan bool, 10)
			srv.always(func(int, *http.Request) answer {
				return func(w http.ResponseWriter, r *http.Request, h http.Handler) {
					asked <- true
					tt.answer(w, r, h)
				}
			})
			ctx, cancel := context.WithCancel(t.Context())
			go func() {
				<-asked
				cancel()
			}()
			_, err := b.GetRange(ctx, "k", "", 0, make([]byte, 1<<20))
			if !errors.Is(err, context.Canceled) || qerr.From(err).Code != qerr.UserCanceled {
				t.Errorf("GetRange returned %v", err)
			}
			b.Close()
		})
	}
}

// TestS3ChangedWhileResuming: bytes of two versions are never mixed, even when
// no version was asked for.
func TestS3ChangedWhileResuming(t *testing.T) {
	srv := newFakeS3(t, "bucket")
	b := srv.bucket(t, "bucket")
	put(t, b, "k", noise(1, 1<<20))
	srv.script(cutAfter(1000), func(w http.ResponseWriter, r *http.Request, serve http.Handler) {
		put(t, srv.bucket(t, "bucket"), "k", noise(2, 1<<20))
		serve.ServeHTTP(w, r)
	})
	_, err := b.GetRange(t.Context(), "k", "", 0, make([]byte, 1<<20))
	wantErr(t, err, objstore.ErrChanged, qerr.LakeFileChanged, true, "run the query again")
}

// TestS3NoETags: size and time stand in for the etags that a store does not have.
func TestS3NoETags(t *testing.T) {
	srv := newFakeS3(t, "bucket")
	b := srv.bucket(t, "bucket")
	put(t, b, "k", noise(1, 1000))
	size := 1000
	srv.always(func(int, *http.Request) answer {
		return withServed(func(h http.Header, code int, body []byte) (int, []byte) {
			h.Del("Etag")
			if h.Get("Content-Range") != "" {
				h.Set("Content-Range", fmt.Sprintf("bytes 0-99/%d", size))
			}
			return code, bytes.ReplaceAll(body, []byte("<ETag>"), []byte("<NoTag>"))
		})
	})
	info, err := b.Stat(t.Context(), "k")
	if err != nil || !strings.HasPrefix(info.ETag, "~") {
		t.Fatalf("Stat = %+v, %v", info, err)
	}
	dst := make([]byte, 100)
	if n, err := b.GetRange(t.Context(), "k", info.ETag, 0, dst); n != 100 || err != nil {
		t.Errorf("GetRange = %d, %v", n, err)
	}
	size = 1001
	_, err = b.GetRange(t.Context(), "k", info.ETag, 0, dst)
	wantErr(t, err, objstore.ErrChanged, qerr.LakeFileChanged, true, "run the query again")
}

// TestS3ListLoop: a store that repeats itself does not keep a query for ever.
func TestS3ListLoop(t *testing.T) {
	srv := newFakeS3(t, "bucket")
	srv.always(func(int, *http.Request) answer {
		return func(w http.ResponseWriter, _ *http.Request, _ http.Handler) {
			io.WriteString(w, `<ListBucketResult><Name>bucket</Name><IsTruncated>true</IsTruncated><NextContinuationToken>again</NextContinuationToken>
				<Contents><Key>k</Key><Size>1</Size><ETag>"e"</ETag></Contents></ListBucketResult>`)
		}
	})
	var last error
	pages := 0
	for _, err := range srv.bucket(t, "bucket").List(t.Context(), objstore.ListOptions{}) {
		pages++
		last = err
	}
	wantErr(t, last, objstore.ErrUnavailable, qerr.LakeFilesystemError, true, "round in circles")
	if pages != 3 {
		t.Errorf("%d pages", pages)
	}
}

// TestS3EncodedListing: keys that a store sends URL-encoded are decoded.
func TestS3EncodedListing(t *testing.T) {
	srv := newFakeS3(t, "bucket")
	srv.always(func(_ int, r *http.Request) answer {
		return func(w http.ResponseWriter, r *http.Request, _ http.Handler) {
			if r.URL.Query().Get("encoding-type") != "url" {
				t.Errorf("asked %s", r.URL)
			}
			io.WriteString(w, `<ListBucketResult><Name>bucket</Name><EncodingType>url</EncodingType>
				<Contents><Key>a+b%2Bc/line%0Abreak%25</Key><Size>1</Size><ETag>"e"</ETag><LastModified>2026-01-02T03:04:05Z</LastModified></Contents>
				<CommonPrefixes><Prefix>p+q/</Prefix></CommonPrefixes></ListBucketResult>`)
		}
	})
	if got := listing(t, srv.bucket(t, "bucket"), objstore.ListOptions{}); got != "a b+c/line\nbreak% | p q/" {
		t.Errorf("listed %q", got)
	}
}

// TestS3Credentials: without keys, the ordinary chain decides.
func TestS3Credentials(t *testing.T) {
	t.Setenv("AWS_EC2_METADATA_DISABLED", "true")
	t.Setenv("AWS_CONFIG_FILE", t.TempDir()+"/none")
	t.Setenv("AWS_SHARED_CREDENTIALS_FILE", t.TempDir()+"/none")
	for _, v := range []string{"AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_PROFILE", "AWS_WEB_IDENTITY_TOKEN_FILE", "AWS_CONTAINER_CREDENTIALS_FULL_URI", "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI"} {
		t.Setenv(v, "")
	}
	srv := newFakeS3(t, "bucket")
	chain := func(c *objstore.Config) { c.AccessKey, c.SecretKey = "", "" }
	_, err := srv.bucket(t, "bucket", chain).Stat(t.Context(), "k")
	wantErr(t, err, objstore.ErrAccessDenied, qerr.LakeFilesystemError, false, "s3://bucket/k: no usable AWS credentials – set access-key and secret-key")
	t.Setenv("AWS_ACCESS_KEY_ID", "AKIAFROMENV")
	t.Setenv("AWS_SECRET_ACCESS_KEY", "secret")
	srv.always(func(_ int, r *http.Request) answer {
		if auth := r.Header.Get("Authorization"); !strings.Contains(auth, "AKIAFROMENV/") || !strings.Contains(auth, "/eu-west-3/s3/") {
			t.Errorf("signed with %s", auth)
		}
		return nil
	})
	put(t, srv.bucket(t, "bucket", chain), "k", []byte("x"))
}

// TestOpener: buckets of one Opener share what they can.
func TestOpener(t *testing.T) {
	noLeaks(t)
	srv := newFakeS3(t, "one", "two")
	o := objstore.NewOpener(srv.config())
	one, prefix, err := o.Open(t.Context(), mustParse(t, "s3://one/some/where/"))
	if err != nil || prefix != "some/where" || one.URL() != "s3://one" {
		t.Fatalf("Open = %v, %q, %v", one, prefix, err)
	}
	put(t, one, "some/where/a.parquet", []byte("a"))
	two, pattern, err := o.OpenGlob(t.Context(), mustParse(t, "s3://two/x/*.parquet"))
	if err != nil || pattern != "x/*.parquet" || two.URL() != "s3://two" {
		t.Fatalf("OpenGlob = %v, %q, %v", two, pattern, err)
	}
	if again, _, _ := o.Open(t.Context(), mustParse(t, "s3a://one")); again != one {
		t.Error("a bucket was opened twice")
	}
	if err := o.Close(); err != nil {
		t.Error(err)
	}
	bad := objstore.NewOpener(objstore.Config{Endpoint: "store.example.com"})
	if _, _, err := bad.Open(t.Context(), mustParse(t, "s3://one")); !qerr.Is(err, qerr.InvalidArguments) {
		t.Errorf("bad settings: %v", err)
	}
}

// TestS3BrokenIsNoEnd: a store that hangs up instead of answering is not an
// object that ends there.
func TestS3BrokenIsNoEnd(t *testing.T) {
	srv := newFakeS3(t, "bucket")
	b := srv.bucket(t, "bucket")
	info := put(t, b, "k", noise(1, 1000))
	srv.always(func(int, *http.Request) answer {
		return func(http.ResponseWriter, *http.Request, http.Handler) { panic(http.ErrAbortHandler) }
	})
	n, err := b.GetRange(t.Context(), "k", info.ETag, 0, make([]byte, 1000))
	if n != 0 || errors.Is(err, io.EOF) {
		t.Errorf("GetRange = %d, %v, which is the end of an object", n, err)
	}
	wantErr(t, err, objstore.ErrUnavailable, qerr.LakeFilesystemError, true, "s3://bucket/k: the object store failed")
}
