package cluster

import (
	"context"
	"errors"
	"fmt"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/tuttidb/tutti/test/slt"
)

// long says that the long forms of the tests are wanted.
var long = os.Getenv("TUTTI_TEST_LONG") != ""

// world is what the tests share: the binaries, the object stores, and one
// cluster of three workers that tests leave as they found it.
type world struct {
	dir     string
	binary  string
	gateway *Gateway
	faulty  *faultyStore
	proxy   *httptest.Server
	*Cluster
}

// shared is set by TestMain before any test runs.
var shared *world

func TestMain(m *testing.M) {
	w, err := newWorld()
	if err != nil {
		fmt.Fprintln(os.Stderr, "the test cluster does not start:", err)
		_ = w.close(false) // what broke first has been said
		os.Exit(1)
	}
	shared = w
	code := m.Run()
	if err := w.close(code == 0); err != nil {
		fmt.Fprintln(os.Stderr, "the test cluster does not end well:", err)
		code = max(code, 1)
	}
	os.Exit(code)
}

func newWorld() (*world, error) {
	ctx, cancel := context.WithTimeout(context.Background(), 8*time.Minute)
	defer cancel()
	w := &world{}
	cache, err := CacheDir()
	if err != nil {
		return w, err
	}
	if w.dir, err = os.MkdirTemp("", "tutti-cluster-"); err != nil {
		return w, err
	}
	w.binary = os.Getenv("TUTTI_BINARY")
	if w.binary == "" {
		w.binary = filepath.Join(w.dir, "tutti")
		if err := build(ctx, w.binary, "cmd/tutti"); err != nil {
			return w, err
		}
	}
	datagen := filepath.Join(w.dir, "datagen")
	if err := build(ctx, datagen, "bench/datagen"); err != nil {
		return w, err
	}
	program, err := InstallGateway(ctx, cache)
	if err != nil {
		return w, err
	}
	if w.gateway, err = StartGateway(ctx, program, w.dir, filepath.Join(cache, "store")); err != nil {
		return w, err
	}
	for schema, scale := range map[string]float64{"tiny": 0.01, "sf1": 1} {
		if err := w.gateway.Generate(ctx, datagen, "tpch", schema, scale); err != nil {
			return w, err
		}
	}
	if w.faulty, err = newFaultyStore(filepath.Join(w.gateway.Root, "tpch", "tiny")); err != nil {
		return w, err
	}
	w.proxy = httptest.NewServer(w.faulty)
	w.Cluster, err = StartCluster(ctx, w.config(filepath.Join(w.dir, "cluster"), 3))
	return w, err
}

// config is a cluster with all catalogs that the tests use. No name is longer
// than tpchstd: the corpus knows the type of SHOW CATALOGS' column.
func (w *world) config(dir string, workers int) Config {
	s3 := func(warehouse, endpoint string) string {
		return fmt.Sprintf("connector: lake\nwarehouse: %s\ns3:\n  endpoint: %s\n  region: us-east-1\n  path-style: true\n"+
			"  access-key: ${ENV:TEST_ACCESS_KEY}\n  secret-key: ${ENV:TEST_SECRET_KEY}\n", warehouse, endpoint)
	}
	return Config{
		Binary: w.binary, Dir: dir, Workers: workers,
		Env: []string{"TEST_ACCESS_KEY=" + AccessKey, "TEST_SECRET_KEY=" + SecretKey},
		Catalogs: map[string]string{
			"tpch":    "connector: tpch\n",
			"tpchstd": "connector: tpch\ncolumn-naming: standard\ndouble-type-mapping: decimal\n",
			"folder":  "connector: lake\nwarehouse: " + filepath.Join(w.gateway.Root, "tpch") + "\n",
			"s3":      s3("s3://tpch", w.gateway.URL),
			"damaged": "connector: lake\nwarehouse: " + filepath.Join(dir, "damaged") + "\n",
			"missing": s3("s3://nosuchbucket", w.gateway.URL),
			"denied":  s3("s3://forbidden", w.proxy.URL),
			"flaky":   s3("s3://flaky", w.proxy.URL),
		},
	}
}

func build(ctx context.Context, out, pkg string) error {
	cmd := exec.CommandContext(ctx, "go", "build", "-o", out, "github.com/tuttidb/tutti/"+pkg)
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if text, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("build %s: %w\n%s", pkg, err, text)
	}
	return nil
}

// close ends everything. The logs stay if the tests failed.
func (w *world) close(good bool) error {
	var errs []error
	if w.Cluster != nil {
		errs = append(errs, w.Cluster.Stop())
	}
	if w.proxy != nil {
		w.proxy.Close()
	}
	if w.gateway != nil {
		errs = append(errs, w.gateway.Stop())
	}
	if !good {
		fmt.Fprintln(os.Stderr, "logs are in", w.dir)
		return errors.Join(errs...)
	}
	return errors.Join(append(errs, os.RemoveAll(w.dir))...)
}

// session opens a session on a cluster.
func session(t *testing.T, c *Cluster, catalog, schema string) *slt.Session {
	t.Helper()
	s, err := slt.NewSession(c.URL, catalog, schema)
	if err != nil {
		t.Fatal(err)
	}
	return s
}
