package lake

import (
	"context"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/johannesboyne/gofakes3"
	"github.com/johannesboyne/gofakes3/backend/s3mem"

	"github.com/tuttidb/tutti/connectors"
	"github.com/tuttidb/tutti/connectors/conntest"
	"github.com/tuttidb/tutti/connectors/objstore"
	"github.com/tuttidb/tutti/internal/qerr"
)

// s3Config starts an S3 server with the files of a folder in a bucket.
func s3Config(t testing.TB, dir string) Config {
	t.Helper()
	cfg, handler := s3Handler(t, dir)
	server := httptest.NewServer(handler)
	t.Cleanup(server.Close)
	cfg.S3.Endpoint = server.URL
	return cfg
}

// s3Handler is s3Config without the server: the settings lack the endpoint.
func s3Handler(t testing.TB, dir string) (Config, http.Handler) {
	t.Helper()
	backend := s3mem.New()
	if err := backend.CreateBucket("lake"); err != nil {
		t.Fatal(err)
	}
	err := filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		f, err := os.Open(path)
		if err != nil {
			return err
		}
		defer f.Close()
		fi, err := f.Stat()
		if err != nil {
			return err
		}
		rel, _ := filepath.Rel(dir, path)
		_, err = backend.PutObject("lake", "wh/"+filepath.ToSlash(rel), map[string]string{}, f, fi.Size(), nil)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return Config{Warehouse: "s3://lake/wh/", S3: objstore.Config{
		PathStyle: true, AccessKey: "k", SecretKey: "s", Attempts: 2,
	}}, gofakes3.New(backend).Server()
}

func TestConformanceS3(t *testing.T) {
	cfg := s3Config(t, warehouse(t))
	conntest.Run(t, conntest.Config{
		New:    func(t *testing.T) connectors.Connector { return newLake(t, cfg) },
		Tables: []conntest.Table{{Schema: "web", Name: "events"}, {Schema: "web", Name: "parts"}, {Schema: "web", Name: "single"}},
		Paths:  []string{"s3://lake/wh/web/Events/a.parquet", "s3://lake/wh/web/*/a.parquet", "s3://lake/wh/web/parts"},
	})
}

func TestS3Errors(t *testing.T) {
	cfg := s3Config(t, warehouse(t))
	cfg.AllowPaths = []string{"s3://missing/"}
	l := newLake(t, cfg)
	for path, want := range map[string]string{
		"s3://missing/x/*.parquet":     "missing",
		"s3://lake/wh/none/*.parquet":  "no files match",
		"s3://lake/other/x.parquet":    "Access Denied",
		"s3://lake/wh/web/Events/":     "",
		"s3://lake/wh/web/Events/none": "no files match",
	} {
		_, err := l.TableAt(context.Background(), path)
		if want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("%s: %v, want %q", path, err, want)
		}
		if err != nil && qerr.From(err).Code.Kind == qerr.Internal {
			t.Errorf("%s: %v is an internal error", path, err)
		}
	}
}
