package kubelet

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// kept is a source of fixed contents.
func kept(_ context.Context, kind, namespace, name string) (map[string][]byte, error) {
	all := map[string]map[string][]byte{
		"secrets lake/keys":      {"KEY": []byte("k"), "TWO": []byte("from")},
		"configmaps lake/config": {"a.yaml": []byte("a: 1\n"), "b.yaml": []byte("b: 2\n")},
	}
	v, there := all[kind+" "+namespace+"/"+name]
	if !there {
		return nil, fmt.Errorf("%s not found", name)
	}
	return v, nil
}

func TestExpand(t *testing.T) {
	env := map[string]string{"A": "1", "B_2": "two", "EMPTY": ""}
	for text, want := range map[string]string{
		"": "", "plain": "plain", "$(A)": "1", "[$(A)]:$(B_2)": "[1]:two", "$(NONE)": "$(NONE)", "$$(A)": "$(A)",
		"$A": "$A", "$(EMPTY)x": "x", "a$": "a$", "$(A": "$(A", "$()": "$()",
	} {
		if got := expand(text, env); got != want {
			t.Errorf("%q gives %q, want %q", text, got, want)
		}
	}
}

func TestEnviron(t *testing.T) {
	for _, c := range []struct{ name, container, variable, want, err string }{
		{"value", `"env": [{"name": "A", "value": "x"}]`, "A", "x", ""},
		{"earlier variable", `"env": [{"name": "A", "value": "x"}, {"name": "B", "value": "$(A)y"}]`, "B", "xy", ""},
		{"name", `"env": [{"name": "A", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}}]`, "A", "p", ""},
		{"namespace", `"env": [{"name": "A", "valueFrom": {"fieldRef": {"fieldPath": "metadata.namespace"}}}]`, "A", "lake", ""},
		{"node", `"env": [{"name": "A", "valueFrom": {"fieldRef": {"fieldPath": "spec.nodeName"}}}]`, "A", "n1", ""},
		{"address", `"env": [{"name": "A", "valueFrom": {"fieldRef": {"fieldPath": "status.podIP"}}}]`, "A", "1.2.3.4", ""},
		{"host name", ``, "HOSTNAME", "p", ""},
		{"all of a secret", `"envFrom": [{"secretRef": {"name": "keys"}}]`, "KEY", "k", ""},
		{"one of a secret", `"env": [{"name": "A", "valueFrom": {"secretKeyRef": {"name": "keys", "key": "KEY"}}}]`, "A", "k", ""},
		{"own value over a secret's", `"envFrom": [{"secretRef": {"name": "keys"}}], "env": [{"name": "TWO", "value": "own"}]`, "TWO", "own", ""},
		{"processors", `"resources": {"limits": {"cpu": "2"}}, "env": [{"name": "A", "valueFrom": {"resourceFieldRef": {"resource": "limits.cpu"}}}]`, "A", "2", ""},
		{"part of one", `"resources": {"limits": {"cpu": "1500m"}}, "env": [{"name": "A", "valueFrom": {"resourceFieldRef": {"resource": "limits.cpu"}}}]`, "A", "2", ""},
		{"no secret", `"envFrom": [{"secretRef": {"name": "none"}}]`, "", "", "none not found"},
		{"no key", `"env": [{"name": "A", "valueFrom": {"secretKeyRef": {"name": "keys", "key": "none"}}}]`, "", "", "has no key none"},
		{"other field", `"env": [{"name": "A", "valueFrom": {"fieldRef": {"fieldPath": "status.hostIP"}}}]`, "", "", "not supported: field status.hostIP"},
		{"no limit", `"env": [{"name": "A", "valueFrom": {"resourceFieldRef": {"resource": "limits.cpu"}}}]`, "", "", "without a limit"},
		{"other quantity", `"resources": {"limits": {"memory": "1Gi"}}, "env": [{"name": "A", "valueFrom": {"resourceFieldRef": {"resource": "limits.memory"}}}]`, "", "", "quantity 1Gi"},
	} {
		t.Run(c.name, func(t *testing.T) {
			container := strings.TrimSuffix(`"name": "c", `+c.container, ", ")
			p := podOf(t, "p", `"containers": [{`+container+`}]`)
			env, err := environ(t.Context(), kept, p, &p.Spec.Containers[0], "1.2.3.4")
			if c.err != "" {
				if err == nil || !strings.Contains(err.Error(), c.err) {
					t.Errorf("got %v, want %q", err, c.err)
				}
				return
			}
			if err != nil || env[c.variable] != c.want {
				t.Errorf("%s is %q (%v), want %q", c.variable, env[c.variable], err, c.want)
			}
		})
	}
}

// shelf is a store of what kept gives, of one disk and of one account.
type shelf struct{ disk string }

func (shelf) Values(ctx context.Context, kind, namespace, name string) (map[string][]byte, error) {
	return kept(ctx, kind, namespace, name)
}

func (s shelf) Disk(_ context.Context, _, claim string) (string, error) {
	if claim != "disk-p" {
		return "", errors.New("claim " + claim + " is not bound")
	}
	return s.disk, nil
}

func (shelf) AccountToken(_ context.Context, p *Pod, seconds int) (string, error) {
	if p.Spec.ServiceAccount == "" {
		return "", errors.New("no account")
	}
	return fmt.Sprintf("token of %s for %d s", p.Spec.ServiceAccount, seconds), nil
}

func TestVolumes(t *testing.T) {
	p := podOf(t, "p", `"containers": [], "securityContext": {"fsGroup": 65532}, "serviceAccountName": "me",
		"volumes": [{"name": "data", "emptyDir": {}}, {"name": "conf", "configMap": {"name": "config"}}, {"name": "keys", "secret": {"secretName": "keys"}},
			{"name": "meta", "persistentVolumeClaim": {"claimName": "disk-p"}},
			{"name": "account", "projected": {"sources": [{"serviceAccountToken": {"path": "token", "expirationSeconds": 60}},
				{"configMap": {"name": "config", "items": [{"key": "b.yaml", "path": "c.yaml"}]}}]}}]`)
	dir, from := t.TempDir(), shelf{disk: t.TempDir()}
	for range 2 { // a restart finds what is there
		out, err := volumes(t.Context(), from, p, dir)
		if err != nil {
			t.Fatal(err)
		}
		if info, err := os.Stat(out["data"]); err != nil || info.Mode().Perm() != 0o777 || info.Mode()&os.ModeSetgid == 0 {
			t.Errorf("data is %v (%v)", info, err)
		}
		if b, err := os.ReadFile(filepath.Join(out["conf"], "b.yaml")); err != nil || string(b) != "b: 2\n" {
			t.Errorf("b.yaml is %q (%v)", b, err)
		}
		if target, err := os.Readlink(filepath.Join(out["conf"], "a.yaml")); err != nil || target != "..data/a.yaml" {
			t.Errorf("a.yaml leads to %q (%v)", target, err)
		}
		if info, err := os.Stat(out["meta"]); out["meta"] != from.disk || err != nil || info.Mode().Perm() != 0o777 {
			t.Errorf("meta is %s, %v (%v)", out["meta"], info, err)
		}
		for file, want := range map[string]string{"keys/KEY": "k", "account/token": "token of me for 60 s", "account/c.yaml": "b: 2\n"} {
			if b, err := os.ReadFile(filepath.Join(dir, file)); err != nil || string(b) != want {
				t.Errorf("%s is %q (%v)", file, b, err)
			}
		}
	}
	for volume, want := range map[string]string{
		`{"name": "v", "hostPath": {"path": "/"}}`:                                                              "not supported: this kind of volume",
		`{"name": "v", "secret": {"secretName": "missing"}}`:                                                    "missing not found",
		`{"name": "v", "persistentVolumeClaim": {"claimName": "x"}}`:                                            "claim x is not bound",
		`{"name": "v", "projected": {"sources": [{"downwardAPI": {}}]}}`:                                        "not supported: this source",
		`{"name": "v", "projected": {"sources": [{"serviceAccountToken": {}}]}}`:                                "no account",
		`{"name": "v", "projected": {"sources": [{"configMap": {"name": "missing"}}]}}`:                         "missing not found",
		`{"name": "v", "projected": {"sources": [{"configMap": {"name": "config", "items": [{"key": "x"}]}}]}}`: "has no key x",
		`{"name": "v", "configMap": {"name": "missing"}}`:                                                       "missing not found",
	} {
		_, err := volumes(t.Context(), shelf{}, podOf(t, "p", `"containers": [], "volumes": [`+volume+`]`), t.TempDir())
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v, want %q", volume, err, want)
		}
	}
}

func TestProbeDefaults(t *testing.T) {
	var p Probe
	if err := json.Unmarshal([]byte(`{"httpGet": {"path": "/x", "port": "http"}, "periodSeconds": 2}`), &p); err != nil {
		t.Fatal(err)
	}
	if p.HTTPGet == nil || p.HTTPGet.Port != "http" || p.PeriodSeconds != 2 || p.FailureThreshold != 3 || p.TimeoutSeconds != 1 || p.SuccessThreshold != 1 {
		t.Errorf("%+v", p)
	}
}

// TestAct asks a real server over real connections.
func TestAct(t *testing.T) {
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/good" {
			w.WriteHeader(http.StatusServiceUnavailable)
		}
	}))
	defer s.Close()
	_, port, err := net.SplitHostPort(s.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	var c Container
	if err := json.Unmarshal([]byte(`{"ports": [{"name": "http", "containerPort": `+port+`}]}`), &c); err != nil {
		t.Fatal(err)
	}
	for text, want := range map[string]string{
		`{"httpGet": {"path": "/good", "port": "http"}}`:       "",
		`{"httpGet": {"path": "/good", "port": ` + port + `}}`: "",
		`{"httpGet": {"path": "/bad", "port": "http"}}`:        "answers 503",
		`{"httpGet": {"path": "/good", "port": "grpc"}}`:       "no port grpc",
		`{"tcpSocket": {"port": "http"}}`:                      "",
		`{"tcpSocket": {"port": 1}}`:                           "refused",
		`{"sleep": {"seconds": 0}}`:                            "",
		`{"exec": {"command": ["x"]}}`:                         "not supported",
		`{"grpc": {"port": 1}}`:                                "not supported",
	} {
		var h Handler
		if err := json.Unmarshal([]byte(text), &h); err != nil {
			t.Fatal(err)
		}
		err := act(t.Context(), &h, &c, "127.0.0.1")
		if (want == "") != (err == nil) || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v, want %q", text, err, want)
		}
	}
}

// TestWatch gives a probe a list of answers and looks at the changes.
func TestWatch(t *testing.T) {
	for _, c := range []struct {
		name, answers    string // + and -
		good             bool
		failure, success int
		want             string
	}{
		{"ready at once", "+", false, 3, 1, "+"},
		{"failures below the threshold", "+--+--+", false, 3, 1, "+"},
		{"failures that reach it", "+---", false, 3, 1, "+-"},
		{"and back", "+---+", false, 3, 1, "+-+"},
		{"several successes", "++-+++", false, 1, 3, "+"},
		{"alive from the start", "+++--+", true, 2, 1, "-+"},
		{"never", "------", false, 3, 1, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			left, got := c.answers, ""
			watch(ctx, &Probe{FailureThreshold: c.failure, SuccessThreshold: c.success, TimeoutSeconds: 1}, c.good, func(context.Context, *Handler) error {
				if left == "" {
					cancel()
					return nil
				}
				answer := left[0]
				left = left[1:]
				if answer == '-' {
					return errors.New("no")
				}
				return nil
			}, func(good bool, _ error) { got += map[bool]string{true: "+", false: "-"}[good] })
			if got != c.want {
				t.Errorf("%s gives %q, want %q", c.answers, got, c.want)
			}
		})
	}
}

func TestStarted(t *testing.T) {
	asked := 0
	after := func(n int) func(context.Context, *Handler) error {
		asked = 0
		return func(context.Context, *Handler) error {
			if asked++; asked > n {
				return nil
			}
			return errors.New("not yet")
		}
	}
	p := &Probe{FailureThreshold: 3, TimeoutSeconds: 1}
	if err := started(t.Context(), p, after(2)); err != nil || asked != 3 {
		t.Errorf("%v after %d", err, asked)
	}
	if err := started(t.Context(), p, after(3)); err == nil || asked != 3 {
		t.Errorf("%v after %d", err, asked)
	}
}

// servicesOf and slicesText are a cluster with a Service, a headless one with
// named Pods, and Kubernetes' own.
func clusterText(t *testing.T, readyB bool) ([]service, []slice) {
	t.Helper()
	var services []service
	var all []slice
	for into, text := range map[any]string{
		&services: `[
			{"metadata": {"name": "tutti", "namespace": "lake"}, "spec": {"clusterIP": "127.0.0.1", "ports": [{"name": "http", "port": 19801}]}},
			{"metadata": {"name": "peers", "namespace": "lake"}, "spec": {"clusterIP": "None", "ports": [{"name": "grpc", "port": 8081}]}},
			{"metadata": {"name": "kubernetes", "namespace": "default"}, "spec": {"clusterIP": "10.96.0.1", "ports": [{"name": "https", "port": 443}]}}]`,
		&all: fmt.Sprintf(`[
			{"metadata": {"namespace": "lake", "labels": {"kubernetes.io/service-name": "tutti"}}, "ports": [{"name": "http", "port": 19802}],
			 "endpoints": [{"addresses": ["127.0.0.1"]}, {"addresses": ["127.0.0.2"], "conditions": {"ready": %t}}]},
			{"metadata": {"namespace": "other", "labels": {"kubernetes.io/service-name": "tutti"}}, "ports": [{"name": "http", "port": 1}],
			 "endpoints": [{"addresses": ["10.9.9.9"]}]},
			{"metadata": {"namespace": "lake", "labels": {"kubernetes.io/service-name": "peers"}}, "ports": [{"name": "grpc", "port": 8081}],
			 "endpoints": [{"addresses": ["10.244.1.2"], "hostname": "c-0", "conditions": {"ready": true}}, {"addresses": ["10.244.1.3"]}]}]`, readyB),
	} {
		if err := json.Unmarshal([]byte(text), into); err != nil {
			t.Fatal(err)
		}
	}
	return services, all
}

func TestTargets(t *testing.T) {
	for ready, want := range map[bool]string{
		false: "map[10.96.0.1:443:[] 127.0.0.1:19801:[127.0.0.1:19802]]",
		true:  "map[10.96.0.1:443:[] 127.0.0.1:19801:[127.0.0.1:19802 127.0.0.2:19802]]",
	} {
		if got := fmt.Sprint(targets(clusterText(t, ready))); got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
}

func TestHostsFile(t *testing.T) {
	want := `127.0.0.1 localhost
10.244.1.2 c-0.peers c-0.peers.lake c-0.peers.lake.svc c-0.peers.lake.svc.cluster.local
10.244.1.2 peers peers.lake peers.lake.svc peers.lake.svc.cluster.local
10.244.1.3 peers peers.lake peers.lake.svc peers.lake.svc.cluster.local
10.96.0.1 kubernetes kubernetes.default kubernetes.default.svc kubernetes.default.svc.cluster.local
127.0.0.1 tutti tutti.lake tutti.lake.svc tutti.lake.svc.cluster.local
`
	if got := string(hostsFile(clusterText(t, true))); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

// TestHostsInPlace checks that a shorter text leaves nothing of a longer one,
// in the same file.
func TestHostsInPlace(t *testing.T) {
	path := filepath.Join(t.TempDir(), "hosts")
	s := NewServices(nil, path, slog.New(slog.DiscardHandler))
	var first os.FileInfo
	for _, text := range []string{"one two three\n", "four\n", "five six\n"} {
		if err := s.write([]byte(text)); err != nil {
			t.Fatal(err)
		}
		b, err := os.ReadFile(path)
		if err != nil || string(b) != text {
			t.Errorf("%q (%v), want %q", b, err, text)
		}
		info, err := os.Stat(path)
		if err != nil {
			t.Fatal(err)
		}
		if first == nil {
			first = info
		}
		if !os.SameFile(first, info) {
			t.Error("the file is another one")
		}
	}
}

// TestForward sends bytes through a Service whose endpoints change.
func TestForward(t *testing.T) {
	s := NewServices(nil, filepath.Join(t.TempDir(), "hosts"), slog.New(slog.DiscardHandler))
	defer s.set(nil)
	const address = "127.0.0.1:19803"
	backends := map[string]string{}
	for _, name := range []string{"one", "two"} {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close()
		backends[name] = l.Addr().String()
		go func() {
			for {
				c, err := l.Accept()
				if err != nil {
					return
				}
				_, _ = io.WriteString(c, name) // the client looks at it
				c.Close()
			}
		}()
	}
	call := func() (string, error) {
		c, err := (&net.Dialer{Timeout: time.Second}).DialContext(t.Context(), "tcp", address)
		if err != nil {
			return "", err
		}
		defer c.Close()
		b, err := io.ReadAll(c)
		return string(b), err
	}
	for _, step := range []struct {
		to   []string
		want string
	}{
		{[]string{backends["one"]}, "one"},
		{[]string{backends["two"]}, "two"},
		{[]string{"127.0.0.1:1", backends["one"]}, "one"}, // the first is dead
		{nil, ""}, // nothing is ready
	} {
		s.set(map[string][]string{address: step.to})
		for range 5 {
			if got, err := call(); err != nil || got != step.want {
				t.Errorf("to %v: %q, %v", step.to, got, err)
			}
		}
	}
	s.set(map[string][]string{})
	if _, err := call(); err == nil {
		t.Error("a Service that is gone still answers")
	}
}

func TestImageDir(t *testing.T) {
	h := Host{Images: "/i"}
	seen := map[string]string{}
	for _, image := range []string{"tutti:v1", "tutti:v2", "registry.example.com:5000/a/tutti:v1", "tutti@sha256:12"} {
		dir := h.ImageDir(image)
		if filepath.Dir(dir) != "/i" || seen[dir] != "" {
			t.Errorf("%s is in %s, as is %q", image, dir, seen[dir])
		}
		seen[dir] = image
	}
}
