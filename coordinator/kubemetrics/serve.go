package kubemetrics

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"math/big"
	"net/http"
	"os"
	"sync"
	"time"

	"github.com/tuttidb/tutti/internal/clock"
)

// Server returns an HTTP server for h that answers over TLS, with the
// certificate and key in two files, which may be replaced while it runs, or if
// both are "" with a certificate of its own making, which only a client that
// checks none accepts (insecureSkipTLSVerify in an APIService). Serve it with
// ServeTLS(l, "", "").
func Server(h http.Handler, certFile, keyFile string, c clock.Clock) (*http.Server, error) {
	var get func(*tls.ClientHelloInfo) (*tls.Certificate, error)
	if certFile != "" || keyFile != "" {
		files := &certificateFiles{cert: certFile, key: keyFile, clock: c}
		if _, err := files.get(nil); err != nil {
			return nil, err
		}
		get = files.get
	} else {
		own, err := selfMade(c.Now())
		if err != nil {
			return nil, err
		}
		get = func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return own, nil }
	}
	return &http.Server{
		Handler: h, ReadHeaderTimeout: 10 * time.Second, ReadTimeout: 20 * time.Second, WriteTimeout: 30 * time.Second, IdleTimeout: 2 * time.Minute,
		MaxHeaderBytes: 64 << 10,
		TLSConfig: &tls.Config{
			GetCertificate: get, MinVersion: tls.VersionTLS12,
			ClientAuth: tls.RequestClientCert, // Proxies checks it: the authority may change
		},
	}, nil
}

// lookAgain is how long certificates from files are used before the files are
// looked at again.
const lookAgain = 10 * time.Second

// certificateFiles is a certificate that is read again when its file changes.
type certificateFiles struct {
	cert, key string
	clock     clock.Clock

	mu      sync.Mutex
	now     *tls.Certificate
	looked  time.Time
	changed time.Time
}

func (f *certificateFiles) get(*tls.ClientHelloInfo) (*tls.Certificate, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	now := f.clock.Now()
	if f.now != nil && now.Sub(f.looked) < lookAgain {
		return f.now, nil
	}
	f.looked = now
	info, err := os.Stat(f.cert)
	if err == nil && f.now != nil && info.ModTime().Equal(f.changed) {
		return f.now, nil
	}
	var pair tls.Certificate
	if err == nil {
		pair, err = tls.LoadX509KeyPair(f.cert, f.key)
	}
	switch {
	case err == nil:
		f.now, f.changed = &pair, info.ModTime()
	case f.now == nil:
		return nil, err
	}
	return f.now, nil // the old one, while the files are being replaced
}

// selfMade makes a certificate that is good for as long as a process lives.
func selfMade(now time.Time) (*tls.Certificate, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	number, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 120))
	if err != nil {
		return nil, err
	}
	template := &x509.Certificate{
		SerialNumber: number, Subject: pkix.Name{CommonName: "tutti metrics API"}, DNSNames: []string{"tutti-metrics"},
		NotBefore: now.Add(-time.Hour), NotAfter: now.AddDate(10, 0, 0),
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		return nil, err
	}
	return &tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, nil
}
