package main

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

type file struct {
	name string
	mode int64
	kind byte
	text string
}

func tarOf(t *testing.T, files ...file) []byte {
	t.Helper()
	var buf bytes.Buffer
	w := tar.NewWriter(&buf)
	for _, f := range files {
		if f.kind == 0 {
			f.kind = tar.TypeReg
		}
		if err := w.WriteHeader(&tar.Header{Name: f.name, Mode: f.mode, Typeflag: f.kind, Size: int64(len(f.text)), Uid: os.Getuid(), Gid: os.Getgid()}); err != nil {
			t.Fatal(err)
		}
		if _, err := io.WriteString(w, f.text); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return buf.Bytes()
}

// imageOf is an image of one layer, in a file.
func imageOf(t *testing.T, files ...file) string {
	t.Helper()
	var layer bytes.Buffer
	z := gzip.NewWriter(&layer)
	if _, err := z.Write(tarOf(t, files...)); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return written(t, tarOf(t, file{name: "blobs/l", text: layer.String()}, file{name: "manifest.json", text: `[{"Layers": ["blobs/l"]}]`}))
}

func written(t *testing.T, b []byte) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "image.tar")
	if err := os.WriteFile(path, b, 0o644); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestUnpack(t *testing.T) {
	image := imageOf(t,
		file{"etc/", 0o755, tar.TypeDir, ""}, file{"etc/passwd", 0o644, 0, "tutti"}, file{"tmp/", 0o1777, tar.TypeDir, ""}, file{"tutti", 0o755, 0, "binary"})
	dir := t.TempDir()
	if err := unpack(image, dir); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]os.FileMode{"etc": os.ModeDir | 0o755, "etc/passwd": 0o644, "tmp": os.ModeDir | os.ModeSticky | 0o777, "tutti": 0o755} {
		if info, err := os.Stat(filepath.Join(dir, name)); err != nil || info.Mode() != want {
			t.Errorf("%s is %v (%v), want %v", name, info, err, want)
		}
	}
	if b, err := os.ReadFile(filepath.Join(dir, "tutti")); err != nil || string(b) != "binary" {
		t.Errorf("the binary is %q (%v)", b, err)
	}
}

func TestUnpackRefuses(t *testing.T) {
	for name, c := range map[string]struct{ image, want string }{
		"a way out":    {imageOf(t, file{"../evil", 0o644, 0, "x"}), "leads out of the image"},
		"absolute":     {imageOf(t, file{"/evil", 0o644, 0, "x"}), "leads out of the image"},
		"a link":       {imageOf(t, file{"l", 0o777, tar.TypeSymlink, ""}), "neither file nor folder"},
		"no image":     {written(t, tarOf(t, file{name: "x", text: "y"})), "is not an image"},
		"not tar":      {written(t, []byte(strings.Repeat("x", 2000))), "image.tar"},
		"no such file": {"/nowhere/image.tar", "no such file"},
	} {
		if err := unpack(c.image, t.TempDir()); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: got %v, want %q", name, err, c.want)
		}
	}
}

func TestKubeconfig(t *testing.T) {
	var c struct {
		Context string `json:"current-context"`
		Users   []struct {
			Name string
			User struct{ Token string }
		}
		Clusters []struct{ Cluster struct{ Server string } }
		Contexts []struct {
			Context struct{ Cluster, User, Namespace string }
		}
	}
	if err := json.Unmarshal([]byte(kubeconfig("https://x", "swordfish")), &c); err != nil {
		t.Fatal(err)
	}
	if c.Users[0].User.Token != "swordfish" || c.Clusters[0].Cluster.Server != "https://x" || c.Contexts[0].Context.User != c.Users[0].Name || c.Contexts[0].Context.Namespace != namespace || c.Context != "test" {
		t.Errorf("%+v", c)
	}
}

func TestWait(t *testing.T) {
	p := &plane{}
	asked := 0
	if err := p.wait(t.Context(), time.Minute, "it", func() error {
		if asked++; asked < 3 {
			return errors.New("not yet")
		}
		return nil
	}); err != nil || asked != 3 {
		t.Errorf("%v after %d", err, asked)
	}
	err := p.wait(t.Context(), 0, "it", func() error { return errors.New("broken") })
	if err == nil || err.Error() != "it: not within 0s: broken" {
		t.Errorf("got %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := p.wait(ctx, time.Minute, "it", func() error { return errors.New("x") }); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}

// TestLoadCounts has a server that answers nothing well: all is counted as failed.
func TestLoadCounts(t *testing.T) {
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusBadRequest) }))
	defer s.Close()
	l := begin(t.Context(), s.URL, 2)
	l.more(t.Context(), 4)
	asked, err := l.end()
	if asked < 4 || err == nil || !strings.Contains(err.Error(), "queries failed") {
		t.Errorf("%d asked, %v", asked, err)
	}
}

// TestMetrics asks as the API server does.
func TestMetrics(t *testing.T) {
	m, err := newMetrics("127.0.0.1:19810", "tutti")
	if err != nil {
		t.Fatal(err)
	}
	defer m.server.Close()
	m.seconds.Store(115)
	for path, want := range map[string]string{
		metricPath: `"name":"tutti_work_waiting_seconds"`,
		metricPath + "/namespaces/lake/tutti_work_waiting_seconds?labelSelector=environment%3Dtutti": `"value":"115"`,
		metricPath + "/namespaces/lake/tutti_work_waiting_seconds?labelSelector=environment%3Dother": `"items":[]`,
		metricPath + "/namespaces/lake/other":                                                        "",
	} {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, m.server.URL+path, nil)
		if err != nil {
			t.Fatal(err)
		}
		resp, err := m.server.Client().Do(req)
		if err != nil {
			t.Fatal(err)
		}
		b, err := io.ReadAll(resp.Body)
		resp.Body.Close()
		if err != nil || !strings.Contains(string(b), want) || (resp.StatusCode == http.StatusNotFound) != (want == "") {
			t.Errorf("%s: %d %s (%v), want %q", path, resp.StatusCode, b, err, want)
		}
	}
}
