package main

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/tuttidb/tutti/test/k8s/kubelet"
)

// Addresses within the namespace.
const (
	podGateway   = "10.244.0.1" // see kubelet.Bridge
	serviceRange = "10.96.0.0/16"
	apiURL       = "https://" + podGateway + ":6443"
	etcdURL      = "http://127.0.0.1:2379"
)

// plane is a control plane and its nodes.
type plane struct {
	o          options
	dir        string
	token      string
	kubeconfig string
	hosts      string
	images     string
	api        *kubelet.API
	log        *slog.Logger
	running    []*exec.Cmd          // in the order of their start
	machines   map[string]*exec.Cmd // the nodes among them, by name
	unfollow   context.CancelFunc   // ends the Services
}

// newPlane prepares keys and files below dir.
func newPlane(o options, dir string) (*plane, error) {
	p := &plane{
		o: o, dir: dir, token: rand.Text(), kubeconfig: filepath.Join(dir, "kubeconfig"),
		hosts: filepath.Join(dir, "hosts"), images: filepath.Join(dir, "images"),
		machines: map[string]*exec.Cmd{}, unfollow: func() {},
		log: slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelWarn})),
	}
	p.api = kubelet.NewAPI(apiURL, p.token)
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		return nil, err
	}
	pair := pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(key)})
	front, err := newFrontProxy()
	if err != nil {
		return nil, err
	}
	for path, text := range map[string]string{
		filepath.Join(dir, "front-ca.crt"): front.authority,
		filepath.Join(dir, "front.crt"):    front.cert,
		filepath.Join(dir, "front.key"):    front.key,
		filepath.Join(dir, "tokens.csv"):   p.token + ",admin,admin,system:masters\n",
		filepath.Join(dir, "sa.key"):       string(pair),
		p.kubeconfig:                       kubeconfig(apiURL, p.token),
		p.hosts:                            "127.0.0.1 localhost\n",
	} {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			return nil, err
		}
	}
	return p, errors.Join(os.Chmod(p.hosts, 0o644), os.MkdirAll(p.images, 0o755))
}

// kubeconfig is what helm, kubectl and the control plane's parts read. JSON is
// YAML.
func kubeconfig(url, token string) string {
	named := func(key string, v any) []map[string]any { return []map[string]any{{"name": "test", key: v}} }
	b, err := json.Marshal(map[string]any{
		"apiVersion": "v1", "kind": "Config", "current-context": "test",
		"clusters": named("cluster", map[string]any{"server": url, "insecure-skip-tls-verify": true}),
		"users":    named("user", map[string]any{"token": token}),
		"contexts": named("context", map[string]any{"cluster": "test", "user": "test", "namespace": namespace}),
	})
	if err != nil {
		panic(err) // maps of texts
	}
	return string(b)
}

// start starts a process whose output goes to a file, and which ends with us.
func (p *plane) start(name, path string, args ...string) (*exec.Cmd, error) {
	out, err := os.OpenFile(filepath.Join(p.dir, name+".log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return nil, err
	}
	defer out.Close()
	cmd := exec.Command(path, args...)
	cmd.Stdout, cmd.Stderr, cmd.Dir = out, out, p.dir
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	p.running = append(p.running, cmd)
	return cmd, nil
}

// up starts the control plane and the nodes.
func (p *plane) up(ctx context.Context, nodes int) error {
	bin := func(name string) string { return filepath.Join(p.o.Bin, name) }
	file := func(name string) string { return filepath.Join(p.dir, name) }
	if _, err := p.start("etcd", bin("etcd"), "--data-dir="+file("etcd"), "--listen-client-urls="+etcdURL,
		"--advertise-client-urls="+etcdURL, "--listen-peer-urls=http://127.0.0.1:2380", "--unsafe-no-fsync"); err != nil {
		return err
	}
	if _, err := p.start("kube-apiserver", bin("kube-apiserver"), "--etcd-servers="+etcdURL, "--service-cluster-ip-range="+serviceRange,
		"--cert-dir="+file("certs"), "--secure-port=6443", "--advertise-address="+podGateway, "--token-auth-file="+file("tokens.csv"),
		"--authorization-mode=RBAC", "--service-account-issuer=https://kubernetes.default.svc", "--service-account-signing-key-file="+file("sa.key"),
		"--service-account-key-file="+file("sa.key"), "--requestheader-client-ca-file="+file("front-ca.crt"),
		"--requestheader-allowed-names="+frontProxyName, "--requestheader-username-headers=X-Remote-User", "--requestheader-group-headers=X-Remote-Group",
		"--requestheader-extra-headers-prefix=X-Remote-Extra-", "--proxy-client-cert-file="+file("front.crt"), "--proxy-client-key-file="+file("front.key"),
		"--enable-aggregator-routing=true"); err != nil {
		return err
	}
	if err := p.wait(ctx, 2*time.Minute, "the API server", func() error { return p.api.Do(ctx, "GET", "/readyz", nil, nil) }); err != nil {
		return err
	}
	if _, err := p.start("kube-controller-manager", bin("kube-controller-manager"), "--kubeconfig="+p.kubeconfig, "--leader-elect=false",
		"--service-account-private-key-file="+file("sa.key"), "--cert-dir="+file("kcm-certs"), "--root-ca-file="+file("certs/apiserver.crt"), "--node-monitor-period=1s",
		"--node-monitor-grace-period=20s", "--horizontal-pod-autoscaler-sync-period=2s"); err != nil {
		return err
	}
	if _, err := p.start("kube-scheduler", bin("kube-scheduler"), "--kubeconfig="+p.kubeconfig, "--leader-elect=false",
		"--cert-dir="+file("scheduler-certs")); err != nil {
		return err
	}
	for i := 1; i <= nodes; i++ {
		if err := p.node(i); err != nil {
			return err
		}
	}
	ctx, p.unfollow = context.WithCancel(ctx)
	go kubelet.NewServices(p.api, p.hosts, p.log).Run(ctx)
	disks := kubelet.NewDisks(p.api, file("disks"), p.log)
	go disks.Run(ctx)
	return disks.Class(ctx)
}

// node starts the process of node i; zones take turns.
func (p *plane) node(i int) error {
	self, err := os.Executable()
	if err != nil {
		return err
	}
	name := fmt.Sprintf("node-%d", i)
	spec, err := json.Marshal(nodeSpec{
		Config: kubelet.Config{
			Name: name, Number: i, Zone: fmt.Sprintf("zone-%c", 'a'+(i-1)%2), Dir: filepath.Join(p.dir, "pods", name), Processors: "16", Memory: "64Gi",
		},
		URL: apiURL, Token: p.token, Images: p.images, Hosts: p.hosts,
	})
	if err != nil {
		return err
	}
	p.machines[name], err = p.start(name, self, nodeCommand, string(spec))
	return err
}

// lose kills a node and with it all its Pods, as if the machine were gone.
func (p *plane) lose(name string) error {
	cmd := p.machines[name]
	if err := cmd.Process.Kill(); err != nil {
		return err
	}
	_ = cmd.Wait() // it was killed
	p.running = slices.DeleteFunc(p.running, func(c *exec.Cmd) bool { return c == cmd })
	return nil
}

// down ends everything, the nodes first so that Pods end well.
func (p *plane) down() {
	p.unfollow()
	for i := len(p.running) - 1; i >= 0; i-- {
		cmd := p.running[i]
		_ = cmd.Process.Signal(syscall.SIGTERM) // it may have ended
		ended := make(chan struct{})
		go func() {
			_ = cmd.Wait() // how it ended is of no interest
			close(ended)
		}()
		select {
		case <-ended:
		case <-time.After(10 * time.Second):
			_ = cmd.Process.Kill() // as above
			<-ended
		}
	}
}

// wait asks until there is no error, and says the last one when time is over.
func (p *plane) wait(ctx context.Context, limit time.Duration, what string, ask func() error) error {
	deadline := time.Now().Add(limit)
	for {
		err := ask()
		if err == nil {
			return nil
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("%s: not within %v: %w", what, limit, err)
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(100 * time.Millisecond):
		}
	}
}

// tool runs helm, kubectl or kustomize; input may be empty.
func (p *plane) tool(ctx context.Context, input, path string, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, path, args...)
	cmd.Env = append(os.Environ(), "KUBECONFIG="+p.kubeconfig)
	cmd.Stdin = strings.NewReader(input)
	var out, errs strings.Builder
	cmd.Stdout, cmd.Stderr = &out, &errs
	if err := cmd.Run(); err != nil {
		return "", fmt.Errorf("%s %s: %w: %s", filepath.Base(path), strings.Join(args, " "), err, strings.TrimSpace(errs.String()))
	}
	return out.String(), nil
}

func (p *plane) kubectl(ctx context.Context, args ...string) (string, error) {
	return p.tool(ctx, "", filepath.Join(p.o.Bin, "kubectl"), args...)
}

func (p *plane) helm(ctx context.Context, args ...string) (string, error) {
	return p.tool(ctx, "", p.o.Helm, args...)
}
