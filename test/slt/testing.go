package slt

import (
	"context"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"
	"time"
)

// RunCorpus runs every file of the corpus as a subtest and every record in it,
// each file in a session of its own made by open.
func RunCorpus(t *testing.T, files fs.FS, open func() (Executor, error), opts Options) {
	names, err := fs.Glob(files, "*.slt")
	if err != nil || len(names) == 0 {
		t.Fatalf("no corpus files: %v", err)
	}
	for _, name := range names {
		if slices.Contains(opts.Exclude, name) {
			continue
		}
		t.Run(name, func(t *testing.T) {
			exec, err := open()
			if err != nil {
				t.Fatal(err)
			}
			runFile(t, files, name, exec, opts)
		})
	}
}

func runFile(t *testing.T, files fs.FS, name string, exec Executor, opts Options) {
	f, err := files.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	records, err := Parse(name, f)
	if err != nil {
		t.Fatal(err)
	}
	failed := 0
	for i := range records {
		if err := checkOne(t.Context(), exec, &records[i], opts); err != nil {
			failed++
			t.Errorf("%s:%d: %v\n%s", name, records[i].Line, err, records[i].SQL)
		}
	}
	t.Logf("%s: %d of %d records right", name, len(records)-failed, len(records))
}

// checkOne bounds the time of a record, so that a query that hangs is one
// failure and not the end of the run.
func checkOne(ctx context.Context, exec Executor, rec *Record, opts Options) error {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	return Check(ctx, exec, rec, opts)
}

// ServerURL returns the URL of the server to test: the one named by the
// environment variable TUTTI_SLT_SERVER, or a single process built from this
// checkout, which ends with the test.
func ServerURL(t *testing.T) string {
	if url := os.Getenv(ServerVariable); url != "" {
		return url
	}
	dir := t.TempDir()
	binary := filepath.Join(dir, "tutti")
	build := exec.Command("go", "build", "-o", binary, "github.com/tuttidb/tutti/cmd/tutti")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("cannot build the server: %v\n%s", err, out)
	}
	if err := WriteCatalogs(dir); err != nil {
		t.Fatal(err)
	}
	log, err := os.Create(filepath.Join(dir, "server.log"))
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	server, err := StartServer(ctx, log, binary, "server",
		"--http-listen", "%HTTP%", "--grpc-listen", "%GRPC%", "--data-dir", filepath.Join(dir, "data"), "--catalog-dir", dir)
	if err != nil {
		t.Fatal(withLog(err, log.Name()))
	}
	t.Cleanup(func() {
		if err := server.Stop(); err != nil {
			t.Error(withLog(err, log.Name()))
		}
		log.Close()
	})
	return server.URL
}

func withLog(err error, file string) error {
	text, readErr := os.ReadFile(file)
	if readErr != nil {
		return err
	}
	return fmt.Errorf("%w; its log:\n%s", err, text)
}
