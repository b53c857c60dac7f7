package kubemetrics

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"encoding/pem"
	"errors"
	"io"
	"log/slog"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/tuttidb/tutti/internal/clock"
)

// authority is a certificate authority of a test.
type authority struct {
	t    *testing.T
	key  *ecdsa.PrivateKey
	cert *x509.Certificate
}

func newAuthority(t *testing.T, name string) *authority {
	t.Helper()
	a := &authority{t: t}
	a.key, a.cert = a.make(&x509.Certificate{
		Subject: pkix.Name{CommonName: name}, IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}, nil, nil)
	return a
}

func (a *authority) make(template, parent *x509.Certificate, signer *ecdsa.PrivateKey) (*ecdsa.PrivateKey, *x509.Certificate) {
	a.t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		a.t.Fatal(err)
	}
	if parent == nil {
		parent, signer = template, key
	}
	template.SerialNumber = big.NewInt(time.Now().UnixNano())
	if template.NotAfter.IsZero() {
		template.NotBefore, template.NotAfter = time.Now().Add(-time.Hour), time.Now().Add(time.Hour)
	}
	der, err := x509.CreateCertificate(rand.Reader, template, parent, &key.PublicKey, signer)
	if err != nil {
		a.t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		a.t.Fatal(err)
	}
	return key, cert
}

// pem is the authority's certificate.
func (a *authority) pem() string {
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: a.cert.Raw}))
}

// issue signs a certificate for a name and a use, changed by edit.
func (a *authority) issue(name string, use x509.ExtKeyUsage, edit func(*x509.Certificate)) *tls.Certificate {
	template := &x509.Certificate{Subject: pkix.Name{CommonName: name}, ExtKeyUsage: []x509.ExtKeyUsage{use}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}}
	if edit != nil {
		edit(template)
	}
	key, cert := a.make(template, a.cert, a.key)
	return &tls.Certificate{Certificate: [][]byte{cert.Raw}, PrivateKey: key}
}

// write puts a certificate and its key into two files.
func write(t *testing.T, c *tls.Certificate, dir string) (certFile, keyFile string) {
	t.Helper()
	key, err := x509.MarshalPKCS8PrivateKey(c.PrivateKey)
	if err != nil {
		t.Fatal(err)
	}
	certFile, keyFile = filepath.Join(dir, "tls.crt"), filepath.Join(dir, "tls.key")
	for path, block := range map[string]*pem.Block{certFile: {Type: "CERTIFICATE", Bytes: c.Certificate[0]}, keyFile: {Type: "PRIVATE KEY", Bytes: key}} {
		if err := os.WriteFile(path, pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return certFile, keyFile
}

// serve serves h over TLS on a free port and returns its URL.
func serve(t *testing.T, h http.Handler, certFile, keyFile string, c clock.Clock) string {
	t.Helper()
	s, err := Server(h, certFile, keyFile, c)
	if err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelError)
	go func() { _ = s.ServeTLS(l, "", "") }()
	t.Cleanup(func() { s.Close() })
	return "https://" + l.Addr().String()
}

// get asks with a client certificate, or without.
func get(t *testing.T, address string, roots *x509.CertPool, own *tls.Certificate) (int, string, *x509.Certificate) {
	t.Helper()
	conf := &tls.Config{RootCAs: roots, InsecureSkipVerify: roots == nil}
	if own != nil {
		conf.Certificates = []tls.Certificate{*own}
	}
	client := &http.Client{Transport: &http.Transport{TLSClientConfig: conf}, Timeout: 10 * time.Second}
	defer client.CloseIdleConnections()
	resp, err := client.Get(address)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(b), resp.TLS.PeerCertificates[0]
}

// TestFrontProxies asks over TLS with certificates of all kinds.
func TestFrontProxies(t *testing.T) {
	good, other := newAuthority(t, "front-proxy-ca"), newAuthority(t, "front-proxy-ca")
	names, err := json.Marshal([]string{"front-proxy-client", "second"})
	if err != nil {
		t.Fatal(err)
	}
	p := &Proxies{}
	if err := p.refresh(t.Context(), func(context.Context) (map[string]string, error) {
		return map[string]string{"requestheader-client-ca-file": good.pem(), "requestheader-allowed-names": string(names)}, nil
	}); err != nil {
		t.Fatal(err)
	}
	address := serve(t, testAPI(p, twoMetrics), "", "", clock.System{})
	expired := func(c *x509.Certificate) {
		c.NotBefore, c.NotAfter = time.Now().Add(-time.Hour), time.Now().Add(-time.Minute)
	}
	for _, c := range []struct {
		name   string
		cert   *tls.Certificate
		status int
		want   string
	}{
		{"a front proxy", good.issue("front-proxy-client", x509.ExtKeyUsageClientAuth, nil), 200, `"value":"12346m"`},
		{"another one", good.issue("second", x509.ExtKeyUsageClientAuth, nil), 200, ``},
		{"no certificate", nil, 401, "no client certificate"},
		{"another name", good.issue("kubelet", x509.ExtKeyUsageClientAuth, nil), 401, `is for \"kubelet\"`},
		{"a server's certificate", good.issue("front-proxy-client", x509.ExtKeyUsageServerAuth, nil), 401, "not a front proxy's"},
		{"another authority of the same name", other.issue("front-proxy-client", x509.ExtKeyUsageClientAuth, nil), 401, "not a front proxy's"},
		{"an expired one", good.issue("front-proxy-client", x509.ExtKeyUsageClientAuth, expired), 401, "expired"},
	} {
		if status, text, _ := get(t, address+root+"/v1beta1/namespaces/lake/work", nil, c.cert); status != c.status || !strings.Contains(text, c.want) {
			t.Errorf("%s: %d %s, want %d with %q", c.name, status, text, c.status, c.want)
		}
	}
	if status, _, _ := get(t, address+"/healthz", nil, nil); status != 200 {
		t.Errorf("a probe gets %d", status)
	}
}

// TestHeadersAreNotEnough: who says that he is a front proxy, or whom, is not
// believed; nor is anyone without TLS.
func TestHeadersAreNotEnough(t *testing.T) {
	p := &Proxies{}
	p.trust.Store(&trust{roots: x509.NewCertPool()})
	r := httptest.NewRequest("GET", root, nil)
	r.Header.Set("X-Remote-User", "system:masters")
	if err := p.Check(r); err == nil {
		t.Error("believed")
	}
}

func TestReadProxies(t *testing.T) {
	a := newAuthority(t, "ca")
	path := filepath.Join(t.TempDir(), "ca.pem")
	if _, err := ReadProxies(path); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("got %v", err)
	}
	if err := os.WriteFile(path, []byte("nothing"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := ReadProxies(path); err == nil || !strings.Contains(err.Error(), "no certificate authority") {
		t.Errorf("got %v", err)
	}
	if err := os.WriteFile(path, []byte(a.pem()), 0o600); err != nil {
		t.Fatal(err)
	}
	p, err := ReadProxies(path)
	if err != nil {
		t.Fatal(err)
	}
	address := serve(t, testAPI(p, twoMetrics), "", "", clock.System{})
	if status, text, _ := get(t, address+root, nil, a.issue("anyone", x509.ExtKeyUsageClientAuth, nil)); status != 200 {
		t.Errorf("%d %s", status, text)
	}
}

// TestFollow: a new authority is taken over; what cannot be read changes nothing.
func TestFollow(t *testing.T) {
	a := newAuthority(t, "ca")
	answers := make(chan map[string]string, 1)
	ctx, cancel := context.WithCancel(t.Context())
	p, done := &Proxies{}, make(chan struct{})
	var log bytes.Buffer
	go func() {
		defer close(done)
		p.Follow(ctx, func(ctx context.Context) (map[string]string, error) {
			select {
			case m := <-answers:
				return m, nil
			case <-ctx.Done():
				return nil, ctx.Err()
			}
		}, slog.New(slog.NewTextHandler(&log, nil)))
	}()
	answers <- map[string]string{} // then it asks again, soon
	answers <- map[string]string{"requestheader-client-ca-file": a.pem()}
	for p.trust.Load() == nil {
		if ctx.Err() != nil {
			t.Fatal("not taken over")
		}
		time.Sleep(time.Millisecond)
	}
	before := p.trust.Load()
	for name, data := range map[string]map[string]string{
		"no authority": {}, "names that are none": {"requestheader-client-ca-file": a.pem(), "requestheader-allowed-names": "x"},
	} {
		if err := p.refresh(ctx, func(context.Context) (map[string]string, error) { return data, nil }); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
	if err := p.refresh(ctx, func(context.Context) (map[string]string, error) { return nil, errors.New("no") }); err == nil || p.trust.Load() != before {
		t.Errorf("got %v", err)
	}
	cancel()
	<-done
	if !strings.Contains(log.String(), "no certificate authority") {
		t.Errorf("the log says %q", log.String())
	}
}

// TestInCluster asks a server as a Pod asks the API server.
func TestInCluster(t *testing.T) {
	a, dir := newAuthority(t, "cluster"), t.TempDir()
	certFile, keyFile := write(t, a.issue("kube-apiserver", x509.ExtKeyUsageServerAuth, nil), dir)
	var status int
	var body string
	var asked []string
	address := serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked = append(asked, r.Method+" "+r.URL.Path+" "+r.Header.Get("Authorization"))
		w.WriteHeader(status)
		_, _ = io.WriteString(w, body)
	}), certFile, keyFile, clock.System{})
	u, err := url.Parse(address)
	if err != nil {
		t.Fatal(err)
	}
	env := map[string]string{"KUBERNETES_SERVICE_HOST": u.Hostname(), "KUBERNETES_SERVICE_PORT": u.Port()}
	read := inCluster(func(k string) string { return env[k] }, dir)
	if _, err := read(t.Context()); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("without an account: %v", err)
	}
	if err := errors.Join(os.WriteFile(filepath.Join(dir, "ca.crt"), []byte(a.pem()), 0o600), os.WriteFile(filepath.Join(dir, "token"), []byte("swordfish\n"), 0o600)); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		status     int
		body, want string
	}{
		{200, `{"kind": "ConfigMap", "data": {"requestheader-allowed-names": "[]"}}`, ""},
		{403, `{"kind": "Status", "message": "configmaps is forbidden"}`, "configmaps is forbidden"},
		{502, `<html>`, "502 Bad Gateway"},
	} {
		status, body = c.status, c.body
		data, err := read(t.Context())
		if c.want == "" && (err != nil || data["requestheader-allowed-names"] != "[]") {
			t.Errorf("%v (%v)", data, err)
		}
		if c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), "swordfish")) {
			t.Errorf("got %v, want %q", err, c.want)
		}
	}
	if want := "GET /api/v1/namespaces/kube-system/configmaps/extension-apiserver-authentication Bearer swordfish"; len(asked) != 3 || asked[0] != want {
		t.Errorf("asked %q", asked)
	}
	// Another server does not get the token.
	if err := os.WriteFile(filepath.Join(dir, "ca.crt"), []byte(newAuthority(t, "other").pem()), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := read(t.Context()); err == nil || len(asked) != 3 {
		t.Errorf("a stranger was asked: %v", err)
	}
	delete(env, "KUBERNETES_SERVICE_HOST")
	if _, err := read(t.Context()); err == nil || !strings.Contains(err.Error(), "not a Pod") {
		t.Errorf("got %v", err)
	}
}

// TestServerFiles: certificates of files are used, and read again.
func TestServerFiles(t *testing.T) {
	a, dir, c := newAuthority(t, "ca"), t.TempDir(), clock.NewManual(time.Now())
	certFile, keyFile := write(t, a.issue("first", x509.ExtKeyUsageServerAuth, nil), dir)
	address := serve(t, testAPI(nil, twoMetrics), certFile, keyFile, c)
	roots := x509.NewCertPool()
	roots.AddCert(a.cert)
	name := func() string {
		_, _, cert := get(t, address+"/healthz", roots, nil)
		return cert.Subject.CommonName
	}
	if n := name(); n != "first" {
		t.Errorf("got %s", n)
	}
	write(t, a.issue("second", x509.ExtKeyUsageServerAuth, nil), dir)
	if err := os.Chtimes(certFile, time.Time{}, time.Now().Add(time.Hour)); err != nil {
		t.Fatal(err)
	}
	if n := name(); n != "first" {
		t.Errorf("looked again too soon: %s", n)
	}
	c.Advance(lookAgain)
	if n := name(); n != "second" {
		t.Errorf("got %s", n)
	}
	// Files that are being replaced leave the certificate as it is.
	if err := os.Remove(certFile); err != nil {
		t.Fatal(err)
	}
	c.Advance(lookAgain)
	if n := name(); n != "second" {
		t.Errorf("got %s", n)
	}
	if _, err := Server(nil, certFile, keyFile, c); err == nil {
		t.Error("a missing certificate is no error at the start")
	}
	if _, err := Server(nil, "", keyFile, c); err == nil {
		t.Error("a key without certificate is no error")
	}
}
