package cluster

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"time"
)

// gatewayModule is the S3 server: files in folders, signatures checked.
const gatewayModule = "github.com/versity/versitygw/cmd/versitygw@v1.8.0"

// The keys of the test's object store.
const (
	AccessKey = "tutti"
	SecretKey = "tutti-secret"
)

// CacheDir is where installed tools and generated data stay between runs.
func CacheDir() (string, error) {
	dir := os.Getenv("TUTTI_TEST_CACHE")
	if dir == "" {
		base, err := os.UserCacheDir()
		if err != nil {
			return "", err
		}
		dir = filepath.Join(base, "tutti-test")
	}
	return dir, os.MkdirAll(dir, 0o755)
}

// InstallGateway returns the S3 server's program, installed if it is not there.
func InstallGateway(ctx context.Context, cache string) (string, error) {
	bin := filepath.Join(cache, "bin")
	program := filepath.Join(bin, "versitygw")
	if _, err := os.Stat(program); err == nil {
		return program, nil
	}
	cmd := exec.CommandContext(ctx, "go", "install", "-trimpath", "-ldflags=-s -w", gatewayModule)
	cmd.Env = append(os.Environ(), "GOBIN="+bin, "CGO_ENABLED=0", "GOFLAGS=-mod=mod")
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("install %s: %w\n%s", gatewayModule, err, out)
	}
	return program, nil
}

// Gateway is a running S3 server. Bucket NAME is the folder Root/NAME.
type Gateway struct {
	*Process
	URL  string
	Root string
}

// StartGateway serves the buckets below root.
func StartGateway(ctx context.Context, program, logs, root string) (*Gateway, error) {
	buckets, meta := filepath.Join(root, "buckets"), filepath.Join(root, "meta")
	if err := errors.Join(os.MkdirAll(buckets, 0o755), os.MkdirAll(meta, 0o755)); err != nil {
		return nil, err
	}
	address := FreeAddress()
	env := []string{"ROOT_ACCESS_KEY=" + AccessKey, "ROOT_SECRET_KEY=" + SecretKey}
	p, err := Start(logs, "versitygw", env, program, "--port", address, "--quiet", "--health", "/healthz", "--keep-alive",
		"posix", "--sidecar", meta, buckets)
	if err != nil {
		return nil, err
	}
	g := &Gateway{Process: p, URL: "http://" + address, Root: buckets}
	for {
		err := answers(ctx, g.URL+"/healthz")
		if err == nil {
			return g, nil
		}
		select {
		case <-ctx.Done():
			return nil, errors.Join(fmt.Errorf("the object store does not answer: %w; see %s", err, p.Log), p.Stop())
		case <-p.ended:
			return nil, fmt.Errorf("the object store ended; see %s", p.Log)
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// Generate writes TPC-H at a scale into a bucket, unless it is there.
func (g *Gateway) Generate(ctx context.Context, datagen, bucket, schema string, scale float64) error {
	if err := os.MkdirAll(filepath.Join(g.Root, bucket), 0o755); err != nil {
		return err
	}
	cmd := exec.CommandContext(ctx, datagen, "--warehouse", "s3://"+bucket, "--endpoint", g.URL, "--schema", schema, "--sf", fmt.Sprint(scale))
	cmd.Env = append(os.Environ(), "AWS_ACCESS_KEY_ID="+AccessKey, "AWS_SECRET_ACCESS_KEY="+SecretKey)
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("generate TPC-H: %w\n%s", err, out)
	}
	return nil
}

// answers returns nil if a server does, whatever it says.
func answers(ctx context.Context, url string) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	return resp.Body.Close()
}
