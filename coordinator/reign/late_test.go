package reign

import (
	"net"
	"sync/atomic"
	"testing"
	"time"
)

// lateNode says once, when told to, that somebody leads who does not any more.
type lateNode struct {
	*testNode
	late atomic.Bool
}

func (n *lateNode) Leader() (string, <-chan struct{}) {
	id, changed := n.testNode.Leader()
	if n.late.CompareAndSwap(true, false) {
		return "silent", changed
	}
	return id, changed
}

// TestLateToTheOld: a request that sets out for a leader just when another has
// followed does not wait for the old one, which may never answer: the ways to it
// have been cut already.
func TestLateToTheOld(t *testing.T) {
	c := newCluster(t)
	silent, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer silent.Close()
	c.inner["silent"] = silent.Addr().String()
	c.add("c2", nil).rule(says("two"))
	node := &lateNode{}
	n := c.add("c1", func(cfg *Config) {
		node.testNode = cfg.Node.(*testNode)
		cfg.Node = node
	})
	if r := n.ask("GET", "/v1/a", ""); r.text != `two: GET /v1/a ""` {
		t.Fatal(r)
	}
	begin := time.Now()
	node.late.Store(true)
	if r := n.ask("GET", "/v1/b", ""); r.text != `two: GET /v1/b ""` || time.Since(begin) > 3*time.Second {
		t.Errorf("after %s: %v", time.Since(begin), r)
	}
	n.router.proxies.mu.Lock()
	defer n.router.proxies.mu.Unlock()
	if node.late.Load() || len(n.router.proxies.byID) != 1 {
		t.Errorf("ways to %d coordinators are kept", len(n.router.proxies.byID))
	}
}
