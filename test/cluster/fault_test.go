package cluster

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/johannesboyne/gofakes3"
	"github.com/johannesboyne/gofakes3/backend/s3mem"

	"github.com/tuttidb/tutti/test/slt"
)

// faultyStore is an S3 server in the test's process that holds one table,
// nation, and answers as it is told to.
type faultyStore struct {
	inner http.Handler
	mu    sync.Mutex
	// fail is how many of the next requests for objects fail with status.
	fail, status int
}

func newFaultyStore(tiny string) (*faultyStore, error) {
	backend := s3mem.New()
	for _, bucket := range []string{"flaky", "forbidden"} {
		if err := backend.CreateBucket(bucket); err != nil {
			return nil, err
		}
		b, err := os.ReadFile(filepath.Join(tiny, "nation", "part-000.parquet"))
		if err != nil {
			return nil, err
		}
		if _, err := backend.PutObject(bucket, "tiny/nation/part-000.parquet", nil, bytes.NewReader(b), int64(len(b)), nil); err != nil {
			return nil, err
		}
	}
	return &faultyStore{inner: gofakes3.New(backend).Server()}, nil
}

// breakNext makes the next n requests for objects fail with a status.
func (f *faultyStore) breakNext(n, status int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.fail, f.status = n, status
}

// ServeHTTP answers, or fails as it was told.
func (f *faultyStore) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if status, code := f.verdict(r); status != 0 {
		w.Header().Set("Content-Type", "application/xml")
		w.WriteHeader(status)
		fmt.Fprintf(w, "<Error><Code>%s</Code><Message>as the test asked</Message></Error>", code)
		return
	}
	f.inner.ServeHTTP(w, r)
}

func (f *faultyStore) verdict(r *http.Request) (status int, code string) {
	if strings.HasPrefix(r.URL.Path, "/forbidden/") && r.Method == http.MethodGet && strings.HasSuffix(r.URL.Path, ".parquet") {
		return http.StatusForbidden, "AccessDenied"
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.fail == 0 || !strings.HasSuffix(r.URL.Path, ".parquet") {
		return 0, ""
	}
	f.fail--
	return f.status, "InternalError"
}

// TestStoreFaults: what is wrong with a store or a file is said clearly, what
// passes is tried again, and the cluster lives on.
func TestStoreFaults(t *testing.T) {
	damaged := filepath.Join(shared.dir, "cluster", "damaged", "s")
	writeDamaged(t, damaged, filepath.Join(shared.gateway.Root, "tpch", "tiny", "nation", "part-000.parquet"))
	for _, c := range []struct {
		name, sql string
		want      []string // parts of the error; none: must succeed
	}{
		{"missing bucket", "SELECT * FROM missing.s.t", []string{"nosuchbucket"}},
		{"forbidden", "SELECT * FROM denied.tiny.nation", []string{"forbidden", "tiny/nation/part-000.parquet", "denied"}},
		{"truncated file", "SELECT * FROM damaged.s.truncated", []string{"truncated/t.parquet"}},
		{"flipped bytes", "SELECT sum(length(n_comment)) FROM damaged.s.flipped", []string{"flipped/t.parquet"}},
		{"not a Parquet file", "SELECT * FROM damaged.s.text", []string{"text/t.parquet"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := session(t, shared.Cluster, "tpch", "tiny").Query(t.Context(), c.sql)
			var failure *slt.Failure
			if !errors.As(err, &failure) {
				t.Fatalf("want a failure, got %v", err)
			}
			if failure.Name == "GENERIC_INTERNAL_ERROR" {
				t.Errorf("an internal error: %v", failure)
			}
			for _, part := range c.want {
				if !strings.Contains(strings.ToLower(failure.Message), strings.ToLower(part)) {
					t.Errorf("%v: does not say %q", failure, part)
				}
			}
		})
	}
	for _, status := range []int{http.StatusInternalServerError, http.StatusServiceUnavailable} {
		t.Run(fmt.Sprint("retried ", status), func(t *testing.T) {
			shared.faulty.breakNext(2, status)
			res, err := session(t, shared.Cluster, "flaky", "tiny").Query(t.Context(), "SELECT count(*), sum(length(n_comment)) FROM nation")
			if err != nil || res.Rows[0][0] != "25" {
				t.Fatalf("%v, %v", res, err)
			}
		})
	}
	if err := shared.Await(t.Context(), 3); err != nil {
		t.Error("a worker did not survive:", err)
	}
}

// writeDamaged makes tables of a file that was cut, one with flipped bytes in
// its pages, and one that is something else.
func writeDamaged(t *testing.T, dir, good string) {
	t.Helper()
	f, err := os.Open(good)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	b, err := io.ReadAll(f)
	if err != nil {
		t.Fatal(err)
	}
	flipped := bytes.Clone(b)
	for i := 4; i < len(flipped)/2; i++ {
		flipped[i] ^= 0x55
	}
	for name, content := range map[string][]byte{"truncated": b[:len(b)/2], "flipped": flipped, "text": []byte("a,b\n1,2\n")} {
		table := filepath.Join(dir, name)
		if err := os.MkdirAll(table, 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(table, "t.parquet"), content, 0o644); err != nil {
			t.Fatal(err)
		}
	}
}
