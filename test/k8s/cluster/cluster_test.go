package main

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"github.com/tuttidb/tutti/test/k8s/netpol"
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

// TestFrontProxy: the certificate is what the API server needs to be believed.
func TestFrontProxy(t *testing.T) {
	f, err := newFrontProxy()
	if err != nil {
		t.Fatal(err)
	}
	pair, err := tls.X509KeyPair([]byte(f.cert), []byte(f.key))
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM([]byte(f.authority))
	if _, err := pair.Leaf.Verify(x509.VerifyOptions{Roots: roots, KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}}); err != nil || pair.Leaf.Subject.CommonName != frontProxyName {
		t.Errorf("%s: %v", pair.Leaf.Subject, err)
	}
}

// tries is a RoundTripper that fails in given ways, and then answers.
type tries struct {
	fail   []error
	torn   bool // the first answer breaks off
	bodies []string
}

func (f *tries) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.Body != nil {
		b, err := io.ReadAll(r.Body)
		if err != nil {
			return nil, err
		}
		f.bodies = append(f.bodies, string(b))
	} else {
		f.bodies = append(f.bodies, "")
	}
	if n := len(f.bodies); n <= len(f.fail) && f.fail[n-1] != nil {
		return nil, f.fail[n-1]
	}
	body := io.Reader(strings.NewReader("answer"))
	if f.torn && len(f.bodies) == 1 {
		body = io.MultiReader(strings.NewReader("ans"), iotest.ErrReader(io.ErrUnexpectedEOF))
	}
	return &http.Response{StatusCode: 200, Body: io.NopCloser(body)}, nil
}

// TestPatient: what may be sent again is, and nothing else.
func TestPatient(t *testing.T) {
	cut, refused := &net.OpError{Op: "read", Err: errors.New("reset")}, &net.OpError{Op: "dial", Err: errors.New("refused")}
	for _, c := range []struct {
		name, method string
		next         tries
		limit        time.Duration
		asked        int
		want         error
	}{
		{"a read is sent again", "GET", tries{fail: []error{cut, refused, cut}}, time.Minute, 4, nil},
		{"so is an end", "DELETE", tries{fail: []error{cut}}, time.Minute, 2, nil},
		{"an answer that breaks off is no answer", "GET", tries{torn: true}, time.Minute, 2, nil},
		{"a new statement that never left is sent again", "POST", tries{fail: []error{refused, refused}}, time.Minute, 3, nil},
		{"one that may have arrived is not", "POST", tries{fail: []error{refused, cut}}, time.Minute, 2, errCut},
		{"nor one whose answer breaks off", "POST", tries{torn: true}, time.Minute, 1, errCut},
		{"not for ever", "GET", tries{fail: []error{cut, cut}}, -1, 1, cut},
	} {
		t.Run(c.name, func(t *testing.T) {
			req, err := http.NewRequestWithContext(t.Context(), c.method, "http://x", strings.NewReader("SELECT 1"))
			if err != nil {
				t.Fatal(err)
			}
			resp, err := (&patient{next: &c.next, limit: c.limit}).RoundTrip(req)
			if !errors.Is(err, c.want) || len(c.next.bodies) != c.asked {
				t.Fatalf("%v after %d tries, want %v after %d", err, len(c.next.bodies), c.want, c.asked)
			}
			for _, b := range c.next.bodies {
				if b != "SELECT 1" {
					t.Errorf("sent %q", c.next.bodies)
				}
			}
			if err == nil {
				if b, err := io.ReadAll(resp.Body); err != nil || string(b) != "answer" {
					t.Errorf("%q (%v)", b, err)
				}
			}
		})
	}
}

// TestSockets reads what a kernel lists: a socket that listens, one that is
// connected, one that waits for its end, over both versions of IP.
func TestSockets(t *testing.T) {
	const text = `  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 00000000:1F90 00000000:0000 0A 00000000:00000000 00:00000000 00000000 65532        0 1 1 0 100 0 0 10 0
   1: 0201F40A:1F91 0302F40A:C350 01 00000000:00000000 00:00000000 00000000 65532        0 2 1 0 20 4 30 10 -1
   2: 0201F40A:1F91 0302F40A:C351 06 00000000:00000000 00:00000000 00000000 65532        0 3 1 0 20 4 30 10 -1
   3: 0000000000000000FFFF00000201F40A:1F91 0000000000000000FFFF0000010000FF:0001 01 0 0 0 0 0
   4: 00000000000000000000000000000000:1F92 00000000000000000000000000000000:0000 0A 0 0 0 0 0
`
	got, err := sockets([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	lines := []string{}
	for _, s := range got {
		lines = append(lines, fmt.Sprintf("{%s %s %t}", s.local, s.remote, s.listens))
	}
	want := "[{0.0.0.0:8080 0.0.0.0:0 true} {10.244.1.2:8081 10.244.2.3:50000 false} {10.244.1.2:8081 255.0.0.1:1 false} {[::]:8082 [::]:0 true}]"
	if fmt.Sprint(lines) != want {
		t.Errorf("\n got %v\nwant %v", lines, want)
	}
	for _, bad := range []string{"h\n 0: 0000000G:1 00000000:0 01", "h\n 0: 00000000:1 000000:0 01", "h\n 0: 00000000:X 00000000:0 0A"} {
		if _, err := sockets([]byte(bad)); err == nil {
			t.Errorf("%q is read", bad)
		}
	}
}

// TestJudge: connections that policies refuse are found, and ports that are
// not declared; what goes out is judged where it comes in.
func TestJudge(t *testing.T) {
	pod := func(name, component string) podEnd {
		return podEnd{name: name, component: component, End: netpol.End{
			Namespace: "lake", Labels: map[string]string{"is": component}, Ports: map[string]int{"grpc": 8081},
		}}
	}
	ends := map[string]podEnd{"10.0.0.1": pod("w-0", "worker"), "10.0.0.2": pod("c-0", "coordinator"), "10.0.0.3": pod("x", "other")}
	p, err := netpol.Parse([]byte(`{"metadata": {"namespace": "lake"}, "spec": {"podSelector": {}, "ingress": [{"from": [{"podSelector": {"matchLabels": {"is": "worker"}}}]}]}}`))
	if err != nil {
		t.Fatal(err)
	}
	at := func(local, remote string) socket {
		return socket{local: netip.MustParseAddrPort(local), remote: netip.MustParseAddrPort(remote), listens: remote == "0.0.0.0:0"}
	}
	for _, c := range []struct {
		name    string
		sockets []socket
		seen    string
		want    string
	}{
		{"as it should be", []socket{at("0.0.0.0:8081", "0.0.0.0:0"), at("10.0.0.2:8081", "10.0.0.1:5000"), at("10.0.0.2:8081", "10.0.0.1:5001")}, "map[worker → coordinator grpc:2]", ""},
		{"its own connections, its node's, those of Pods that are gone", []socket{at("10.0.0.2:5000", "10.0.0.3:1"), at("10.0.0.2:8081", "10.0.0.254:1")}, "map[]", ""},
		{"on itself", []socket{at("127.0.0.1:9", "0.0.0.0:0"), at("127.0.0.1:9", "127.0.0.1:10")}, "map[]", ""},
		{"refused", []socket{at("10.0.0.2:8081", "10.0.0.3:5000")}, "map[other → coordinator grpc:1]", "x is connected to c-0 at grpc: no policy"},
		{"not declared", []socket{at("0.0.0.0:9999", "0.0.0.0:0")}, "map[]", "c-0 listens on port 9999"},
	} {
		seen, err := judge([]netpol.Policy{p}, ends, []connected{{pod: "c-0", sockets: c.sockets}, {pod: "gone", sockets: c.sockets}})
		if fmt.Sprint(seen) != c.seen || (err == nil) != (c.want == "") || err != nil && !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v (%v), want %v (%s)", c.name, seen, err, c.seen, c.want)
		}
	}
}
