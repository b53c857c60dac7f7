package kubelet

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"
)

// startNode runs a node over fakes until the test ends.
func startNode(t *testing.T) (*fakeAPI, *fakeRuntime) {
	t.Helper()
	f, api := newFakeAPI(t)
	r := &fakeRuntime{}
	n := NewNode(Config{Name: "n1", Number: 1, Zone: "a", Dir: t.TempDir(), Processors: "2", Memory: "1Gi"}, api, r, slog.New(slog.DiscardHandler))
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- n.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
		if r.boxes != 0 {
			t.Errorf("%d sandboxes are left", r.boxes)
		}
	})
	return f, r
}

// podOf reads a Pod that is bound to n1.
func podOf(t *testing.T, name, spec string) *Pod {
	t.Helper()
	var p Pod
	text := fmt.Sprintf(`{"metadata": {"name": %q, "namespace": "lake", "uid": "uid-%s"}, "spec": {"nodeName": "n1", %s}}`, name, name, spec)
	if err := json.Unmarshal([]byte(text), &p); err != nil {
		t.Fatalf("%v in %s", err, text)
	}
	return &p
}

func (f *fakeAPI) add(p *Pod) { f.change(func() { f.pods[p.Metadata.Name] = p }) }

// delete asks for a Pod's end, as kubectl delete does.
func (f *fakeAPI) delete(name string, grace int) {
	f.change(func() {
		now := time.Now()
		f.pods[name].Metadata.DeletionTimestamp, f.pods[name].Metadata.DeletionGracePeriodSeconds = &now, &grace
	})
}

func (f *fakeAPI) gone(t *testing.T, name string) {
	t.Helper()
	eventually(t, name+" is removed", func() bool {
		f.mu.Lock()
		defer f.mu.Unlock()
		return slices.Contains(f.removed, name)
	})
}

func isReady(s PodStatus) bool {
	return s.Phase == "Running" && len(s.ContainerStatuses) == 1 && s.ContainerStatuses[0].Ready &&
		slices.ContainsFunc(s.Conditions, func(c Condition) bool { return c.Type == "Ready" && c.Status == "True" })
}

const plainContainer = `"containers": [{"name": "c", "image": "i", "command": ["/x"], "args": ["--at=$(POD_IP)"],
	"env": [{"name": "POD_IP", "valueFrom": {"fieldRef": {"fieldPath": "status.podIP"}}}]}]`

func TestPodRunsAndEnds(t *testing.T) {
	f, r := startNode(t)
	f.add(podOf(t, "a", plainContainer))
	s := f.said(t, "a", "a is ready", isReady)
	p := r.process(t, 0)
	if want := []string{"/x", "--at=" + s.PodIP}; !slices.Equal(p.spec.Argv, want) || !strings.HasPrefix(s.PodIP, "10.244.1.") {
		t.Errorf("arguments %q, address %s", p.spec.Argv, s.PodIP)
	}
	f.delete("a", 30)
	f.gone(t, "a")
	if !slices.Equal(p.signals, []syscall.Signal{syscall.SIGTERM}) {
		t.Errorf("signals %v", p.signals)
	}
	last := f.said(t, "a", "a is not ready", func(s PodStatus) bool { return !isReady(s) })
	if code := last.ContainerStatuses[0].State["terminated"].(map[string]any)["exitCode"]; code != 0.0 {
		t.Errorf("exit code %v", code)
	}
}

// TestKilledAfterGrace has a process that does not hear SIGTERM.
func TestKilledAfterGrace(t *testing.T) {
	f, r := startNode(t)
	r.deaf = true
	f.add(podOf(t, "a", plainContainer))
	f.said(t, "a", "a is ready", isReady)
	began := time.Now()
	f.delete("a", 1)
	f.gone(t, "a")
	if p := r.process(t, 0); !slices.Equal(p.signals, []syscall.Signal{syscall.SIGTERM, syscall.SIGKILL}) || time.Since(began) < time.Second {
		t.Errorf("signals %v after %v", p.signals, time.Since(began))
	}
}

// TestPreStop holds the signal back until the hook is done.
func TestPreStop(t *testing.T) {
	f, r := startNode(t)
	f.add(podOf(t, "a", `"containers": [{"name": "c", "command": ["/x"], "lifecycle": {"preStop": {"sleep": {"seconds": 1}}}}]`))
	f.said(t, "a", "a is ready", isReady)
	began := time.Now()
	f.delete("a", 30)
	<-r.process(t, 0).Done()
	if took := time.Since(began); took < time.Second || took > 15*time.Second {
		t.Errorf("ended after %v", took)
	}
}

func TestRestart(t *testing.T) {
	f, r := startNode(t)
	f.add(podOf(t, "a", plainContainer))
	f.said(t, "a", "a is ready", isReady)
	r.process(t, 0).exit(3)
	s := f.said(t, "a", "a runs again", func(s PodStatus) bool { return isReady(s) && s.ContainerStatuses[0].RestartCount == 1 })
	if r.process(t, 1).spec.Env["POD_IP"] != s.PodIP {
		t.Error("the address has changed")
	}
}

// TestWaitsForSecret has a Pod whose Secret comes later.
func TestWaitsForSecret(t *testing.T) {
	f, r := startNode(t)
	f.add(podOf(t, "a", `"containers": [{"name": "c", "command": ["/x"],
		"env": [{"name": "S", "valueFrom": {"secretKeyRef": {"name": "s", "key": "k"}}}]}]`))
	s := f.said(t, "a", "a waits", func(s PodStatus) bool {
		return len(s.ContainerStatuses) == 1 && s.ContainerStatuses[0].State["waiting"] != nil
	})
	if why := fmt.Sprint(s.ContainerStatuses[0].State); s.Phase != "Pending" || !strings.Contains(why, `secrets "s" not found`) || !strings.Contains(why, "CreateContainerConfigError") {
		t.Errorf("%s: %s", s.Phase, why)
	}
	f.change(func() { f.secrets["s"] = map[string][]byte{"k": []byte("swordfish")} })
	f.said(t, "a", "a is ready", isReady)
	if got := r.process(t, 0).spec.Env["S"]; got != "swordfish" {
		t.Errorf("the secret is %q", got)
	}
}

// TestUnsupported has Pods that this node cannot run; they can still be deleted.
func TestUnsupported(t *testing.T) {
	f, r := startNode(t)
	for name, spec := range map[string]string{
		"two":    `"containers": [{"name": "c"}, {"name": "d"}]`,
		"init":   `"initContainers": [{"name": "c"}], "containers": [{"name": "d"}]`,
		"claim":  `"containers": [{"name": "c", "command": ["/x"]}], "volumes": [{"name": "v"}]`,
		"silent": `"containers": [{"name": "c"}]`,
	} {
		f.add(podOf(t, name, spec))
		f.said(t, name, name+" says so", func(s PodStatus) bool { return s.Phase == "Pending" })
		f.delete(name, 30)
		f.gone(t, name)
	}
	if len(r.started) != 0 {
		t.Errorf("%d processes were started", len(r.started))
	}
}

// TestForeignPods leaves alone what belongs to other nodes, and removes what an
// earlier process of this node has left behind.
func TestForeignPods(t *testing.T) {
	f, r := startNode(t)
	other := podOf(t, "other", plainContainer)
	other.Spec.NodeName = "n2"
	f.add(other)
	left := podOf(t, "left", plainContainer)
	now := time.Now()
	left.Metadata.DeletionTimestamp = &now
	f.add(left)
	f.gone(t, "left")
	f.change(func() {
		if len(r.started) != 0 || len(f.status["other"]) != 0 || f.pods["other"] == nil {
			t.Errorf("%d processes, status of the other %v", len(r.started), f.status["other"])
		}
		if !slices.Equal(f.nodes, []string{"n1"}) || f.leases == 0 {
			t.Errorf("nodes %v, %d leases", f.nodes, f.leases)
		}
	})
}

// TestForcedRemoval ends the process of a Pod that was deleted without its node.
func TestForcedRemoval(t *testing.T) {
	f, r := startNode(t)
	f.add(podOf(t, "a", plainContainer))
	f.said(t, "a", "a is ready", isReady)
	f.change(func() { delete(f.pods, "a") })
	<-r.process(t, 0).Done()
}

// TestAddressReplaces: a Pod that is started again, by a node that was lost and
// came back, has its new address instead of the old one, not beside it.
func TestAddressReplaces(t *testing.T) {
	w := &pod{p: podOf(t, "p", `"containers": []`), ip: "10.244.1.9", state: map[string]any{"running": map[string]any{}}}
	b, err := json.Marshal(w.status())
	if err != nil || !strings.Contains(string(b), `"podIPs":[{"$patch":"replace"},{"ip":"10.244.1.9"}]`) {
		t.Errorf("%s (%v)", b, err)
	}
}
