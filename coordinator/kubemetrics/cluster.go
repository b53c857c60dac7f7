package kubemetrics

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// accountDir is where a Pod finds what it may talk to Kubernetes with.
const accountDir = "/var/run/secrets/kubernetes.io/serviceaccount"

// InCluster returns how to ask the cluster in which this process is a Pod who
// its front proxies are. The Pod's account needs the Role
// extension-apiserver-authentication-reader in kube-system.
func InCluster() func(context.Context) (map[string]string, error) {
	return inCluster(os.Getenv, accountDir)
}

func inCluster(env func(string) string, dir string) func(context.Context) (map[string]string, error) {
	return func(ctx context.Context) (map[string]string, error) {
		host, port := env("KUBERNETES_SERVICE_HOST"), env("KUBERNETES_SERVICE_PORT")
		if host == "" || port == "" {
			return nil, errors.New("this process is not a Pod: KUBERNETES_SERVICE_HOST is not set")
		}
		client, err := clientOf(filepath.Join(dir, "ca.crt"))
		if err != nil {
			return nil, err
		}
		defer client.CloseIdleConnections()
		token, err := os.ReadFile(filepath.Join(dir, "token")) // read anew: it is replaced before it ends
		if err != nil {
			return nil, err
		}
		url := "https://" + net.JoinHostPort(host, port) + "/api/v1/namespaces/" + trustNamespace + "/configmaps/" + trustName
		return configMap(ctx, client, url, strings.TrimSpace(string(token)))
	}
}

// clientOf trusts the authority in a file and no other.
func clientOf(path string) (*http.Client, error) {
	b, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(b) {
		return nil, fmt.Errorf("%s has no certificate", path)
	}
	return &http.Client{Timeout: 10 * time.Second, Transport: &http.Transport{
		TLSClientConfig: &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12},
	}}, nil
}

// mostBytes bounds what is read of an answer.
const mostBytes = 2 << 20

func configMap(ctx context.Context, client *http.Client, url, token string) (map[string]string, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return nil, err
	}
	req.Header.Set("Authorization", "Bearer "+token)
	req.Header.Set("Accept", "application/json")
	resp, err := client.Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(io.LimitReader(resp.Body, mostBytes))
	if err != nil {
		return nil, err
	}
	var m struct {
		Message string
		Data    map[string]string
	}
	if err := json.Unmarshal(b, &m); err != nil {
		return nil, fmt.Errorf("%s: %s: %w", url, resp.Status, err)
	}
	if resp.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("%s: %s: %s", url, resp.Status, m.Message)
	}
	return m.Data, nil
}
