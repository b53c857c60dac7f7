package kubemetrics

import (
	"context"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"slices"
	"sync/atomic"
	"time"
)

// Where a cluster says who its front proxies are: the API server keeps this
// ConfigMap.
const (
	trustNamespace = "kube-system"
	trustName      = "extension-apiserver-authentication"
)

// Follow asks this often whether the authority has changed, and more often
// until it is known.
const (
	followEvery = time.Minute
	followFirst = 2 * time.Second
)

// Proxies are the front proxies that are believed. As long as none is known
// nobody is.
type Proxies struct{ trust atomic.Pointer[trust] }

// trust is an authority, and the names in certificates that it must be for;
// none means any.
type trust struct {
	roots *x509.CertPool
	names []string
}

// ReadProxies trusts the certificates of the authorities in a PEM file, to any name.
func ReadProxies(path string) (*Proxies, error) {
	b, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	t, err := trustOf(map[string]string{"requestheader-client-ca-file": string(b)})
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	p := &Proxies{}
	p.trust.Store(t)
	return p, nil
}

// trustOf reads the authority from the data of the cluster's ConfigMap.
func trustOf(data map[string]string) (*trust, error) {
	t := &trust{roots: x509.NewCertPool()}
	if !t.roots.AppendCertsFromPEM([]byte(data["requestheader-client-ca-file"])) {
		return nil, errors.New("no certificate authority of front proxies (requestheader-client-ca-file)")
	}
	if names := data["requestheader-allowed-names"]; names != "" {
		if err := json.Unmarshal([]byte(names), &t.names); err != nil {
			return nil, fmt.Errorf("requestheader-allowed-names: %w", err)
		}
	}
	return t, nil
}

// Follow keeps the authority that get returns, until ctx ends. If it cannot be
// asked the one that is known stays.
func (p *Proxies) Follow(ctx context.Context, get func(context.Context) (map[string]string, error), log *slog.Logger) {
	for {
		wait := followEvery
		if err := p.refresh(ctx, get); err != nil && ctx.Err() == nil {
			log.Warn("metrics API: who the front proxies are cannot be read", "error", err)
			if p.trust.Load() == nil {
				wait = followFirst
			}
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(wait):
		}
	}
}

func (p *Proxies) refresh(ctx context.Context, get func(context.Context) (map[string]string, error)) error {
	data, err := get(ctx)
	if err != nil {
		return err
	}
	t, err := trustOf(data)
	if err != nil {
		return err
	}
	p.trust.Store(t)
	return nil
}

// Check returns an error unless a request comes from a front proxy, over a
// connection with its certificate.
func (p *Proxies) Check(r *http.Request) error {
	t := p.trust.Load()
	if t == nil {
		return errors.New("it is not known yet who the front proxies are")
	}
	if r.TLS == nil || len(r.TLS.PeerCertificates) == 0 {
		return errors.New("no client certificate: only the Kubernetes API server may ask, as a front proxy")
	}
	own, more := r.TLS.PeerCertificates[0], x509.NewCertPool()
	for _, c := range r.TLS.PeerCertificates[1:] {
		more.AddCert(c)
	}
	if _, err := own.Verify(x509.VerifyOptions{Roots: t.roots, Intermediates: more, KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}}); err != nil {
		return fmt.Errorf("the client certificate is not a front proxy's: %w", err)
	}
	if name := own.Subject.CommonName; len(t.names) > 0 && !slices.Contains(t.names, name) {
		return fmt.Errorf("the client certificate is for %q, not for a front proxy (%q)", name, t.names)
	}
	return nil
}
