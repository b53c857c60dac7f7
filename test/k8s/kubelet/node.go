package kubelet

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"sync"
	"time"
)

// Timing of a node.
const (
	pollEvery  = 200 * time.Millisecond // how often the Pods are looked up
	leaseEvery = 2 * time.Second        // how often the node says that it lives
	leaseTime  = 10                     // seconds that the lease is good for
)

// nodeIP is the address of all nodes: that of the bridge.
const nodeIP = "10.244.0.1"

// Config is what a node is made of.
type Config struct {
	Name   string
	Number int // 1 … 250: the third part of its Pods' addresses
	Zone   string
	Dir    string // for files of Pods
	// Processors and Memory are what the scheduler may give away, such as "8" and "16Gi".
	Processors, Memory string
}

// Node registers a node and runs the Pods that are bound to it.
type Node struct {
	cfg     Config
	api     *API
	runtime Runtime
	log     *slog.Logger

	pods map[string]*pod // by UID
	next int             // last part of the last address given out
	all  sync.WaitGroup
}

// NewNode returns a node; Run starts it.
func NewNode(cfg Config, api *API, runtime Runtime, log *slog.Logger) *Node {
	// A node that was lost and comes back begins with other addresses.
	return &Node{cfg: cfg, api: api, runtime: runtime, log: log.With("node", cfg.Name), pods: map[string]*pod{}, next: os.Getpid() % 250}
}

// Run keeps the node alive until ctx ends, and then stops its Pods at once.
func (n *Node) Run(ctx context.Context) error {
	if err := n.register(ctx); err != nil {
		return fmt.Errorf("registering %s: %w", n.cfg.Name, err)
	}
	go n.renew(ctx)
	tick := time.NewTicker(pollEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			n.close()
			return nil
		case <-tick.C:
			if err := n.sync(ctx); err != nil && ctx.Err() == nil {
				n.log.Warn("looking up the Pods", "error", err)
			}
		}
	}
}

// register makes the Node object, or takes over the one that is there.
func (n *Node) register(ctx context.Context) error {
	node := map[string]any{
		"apiVersion": "v1", "kind": "Node",
		"metadata": map[string]any{"name": n.cfg.Name, "labels": map[string]string{
			"kubernetes.io/hostname": n.cfg.Name, "topology.kubernetes.io/zone": n.cfg.Zone,
			"kubernetes.io/os": "linux", "kubernetes.io/arch": "amd64",
		}},
	}
	err := n.api.Do(ctx, http.MethodPost, "/api/v1/nodes", node, nil)
	if e := (*StatusError)(nil); errors.As(err, &e) && e.Code == http.StatusConflict {
		err = nil
	}
	if err != nil {
		return err
	}
	if err := n.beat(ctx, true); err != nil {
		return err
	}
	return n.sayReady(ctx)
}

// sayReady reports the node's size and that it takes Pods.
func (n *Node) sayReady(ctx context.Context) error {
	now := time.Now()
	size := map[string]string{"cpu": n.cfg.Processors, "memory": n.cfg.Memory, "pods": "50", "ephemeral-storage": "1000Gi"}
	var conditions []Condition
	for kind, status := range map[string]string{"Ready": "True", "MemoryPressure": "False", "DiskPressure": "False", "PIDPressure": "False"} {
		conditions = append(conditions, Condition{Type: kind, Status: status, Reason: "ProcessKubelet", LastHeartbeatTime: &now, LastTransitionTime: &now})
	}
	return n.api.Do(ctx, http.MethodPatch, "/api/v1/nodes/"+n.cfg.Name+"/status", map[string]any{"status": map[string]any{
		"capacity": size, "allocatable": size, "conditions": conditions,
		"addresses": []map[string]string{{"type": "InternalIP", "address": nodeIP}, {"type": "Hostname", "address": n.cfg.Name}},
	}}, nil)
}

// renew says over and over that the node lives.
func (n *Node) renew(ctx context.Context) {
	for {
		if pause(ctx, leaseEvery) != nil {
			return
		}
		if err := errors.Join(n.beat(ctx, false), n.sayReady(ctx)); err != nil && ctx.Err() == nil {
			n.log.Warn("heartbeat", "error", err)
		}
	}
}

// beat renews the node's lease, or makes it.
func (n *Node) beat(ctx context.Context, first bool) error {
	const path = "/apis/coordination.k8s.io/v1/namespaces/kube-node-lease/leases"
	spec := map[string]any{
		"holderIdentity": n.cfg.Name, "leaseDurationSeconds": leaseTime,
		"renewTime": time.Now().UTC().Format("2006-01-02T15:04:05.000000Z"),
	}
	if first {
		err := n.api.Do(ctx, http.MethodPost, path, map[string]any{
			"apiVersion": "coordination.k8s.io/v1", "kind": "Lease", "metadata": map[string]any{"name": n.cfg.Name}, "spec": spec,
		}, nil)
		if e := (*StatusError)(nil); !errors.As(err, &e) || e.Code != http.StatusConflict {
			return err
		}
	}
	return n.api.Do(ctx, http.MethodPatch, path+"/"+n.cfg.Name, map[string]any{"spec": spec}, nil)
}

// sync starts Pods that are new, stops those that are to go, and forgets those
// that are gone.
func (n *Node) sync(ctx context.Context) error {
	list, err := n.api.Pods(ctx, n.cfg.Name)
	if err != nil {
		return err
	}
	there := map[string]bool{}
	for i := range list {
		p := &list[i]
		there[p.Metadata.UID] = true
		w, known := n.pods[p.Metadata.UID]
		switch {
		case p.Metadata.DeletionTimestamp == nil && !known:
			n.start(ctx, p)
		case p.Metadata.DeletionTimestamp != nil && known:
			w.end(graceOf(p))
		case p.Metadata.DeletionTimestamp != nil:
			n.remove(ctx, p) // of a node that was here before
		}
	}
	for uid, w := range maps.Clone(n.pods) {
		if !there[uid] {
			w.end(0) // removed by force
			delete(n.pods, uid)
		}
	}
	return nil
}

func graceOf(p *Pod) time.Duration {
	if s := p.Metadata.DeletionGracePeriodSeconds; s != nil {
		return time.Duration(*s) * time.Second
	}
	return 30 * time.Second
}

// start runs a Pod in the background and removes it when it has ended.
func (n *Node) start(ctx context.Context, p *Pod) {
	n.next = n.next%250 + 1 // addresses come back late, when nobody remembers them
	w := &pod{
		p: p, ip: fmt.Sprintf("10.244.%d.%d", n.cfg.Number, n.next+1), dir: filepath.Join(n.cfg.Dir, p.Metadata.UID),
		api: n.api, runtime: n.runtime, log: n.log, stop: make(chan struct{}),
	}
	n.pods[p.Metadata.UID] = w
	n.log.Info("pod starts", "pod", p.Metadata.Name, "ip", w.ip)
	n.all.Go(func() {
		// A Pod ends by its own rules, not with the node's context.
		w.run(context.WithoutCancel(ctx))
		n.log.Info("pod has ended", "pod", p.Metadata.Name)
		n.remove(context.WithoutCancel(ctx), p)
	})
}

// remove deletes the object of a Pod that has ended. Its log stays.
func (n *Node) remove(ctx context.Context, p *Pod) {
	err := n.api.Remove(ctx, p)
	if e := (*StatusError)(nil); err != nil && !(errors.As(err, &e) && (e.Code == http.StatusNotFound || e.Code == http.StatusConflict)) {
		n.log.Warn("removing a pod", "pod", p.Metadata.Name, "error", err)
	}
	if err := os.RemoveAll(filepath.Join(n.cfg.Dir, p.Metadata.UID, "volumes")); err != nil {
		n.log.Warn("removing volumes", "pod", p.Metadata.Name, "error", err)
	}
}

// close stops all Pods without grace and waits for their processes.
func (n *Node) close() {
	for _, w := range n.pods {
		w.end(0)
	}
	n.all.Wait()
}
