package exchange

import (
	"context"
	"errors"
	"io"
	"net"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"google.golang.org/grpc/connectivity"

	"github.com/tuttidb/tutti/planner/plan"
	pb "github.com/tuttidb/tutti/proto/tutti/v1"
)

// silentProxy stands in front of an address. While it is mute, bytes to the
// node or from it go nowhere, and nobody is told.
type silentProxy struct {
	address string
	muteTo  atomic.Bool
	muteOff atomic.Bool  // from the node
	limit   atomic.Int64 // bytes from the node until it falls mute; 0: none
	dials   atomic.Int64
}

func newSilentProxy(t *testing.T, target string) *silentProxy {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := &silentProxy{address: l.Addr().String()}
	var wg sync.WaitGroup
	done := make(chan struct{})
	wg.Go(func() {
		for {
			a, err := l.Accept()
			if err != nil {
				return
			}
			p.dials.Add(1)
			b, err := net.Dial("tcp", target)
			if err != nil {
				t.Error(err)
				a.Close()
				continue
			}
			wg.Go(func() { p.pump(a, b, &p.muteTo, nil, done) })
			wg.Go(func() { p.pump(b, a, &p.muteOff, &p.limit, done) })
			wg.Go(func() { <-done; a.Close(); b.Close() })
		}
	})
	t.Cleanup(func() { l.Close(); close(done); wg.Wait() })
	return p
}

func (p *silentProxy) pump(from, to net.Conn, mute *atomic.Bool, limit *atomic.Int64, done chan struct{}) {
	buf := make([]byte, 16<<10)
	for {
		n, err := from.Read(buf)
		if limit != nil && limit.Load() > 0 && limit.Add(-int64(n)) <= 0 {
			mute.Store(true)
		}
		for mute.Load() {
			select {
			case <-done:
				return
			case <-time.After(5 * time.Millisecond):
			}
		}
		if _, e := to.Write(buf[:n]); e != nil || errors.Is(err, io.EOF) || err != nil {
			to.Close()
			from.Close()
			return
		}
	}
}

// readThrough reads an output of node a from node b through a proxy.
func readThrough(t *testing.T, p *silentProxy, a, b *testNode, id plan.TaskID, end PartitionEnd) (rows int64, took time.Duration, err error) {
	t.Helper()
	in := b.inputs(0)
	defer in.Close()
	src := sourceOf(a, id, end)
	src.Address = p.address
	if err := in.Update(&pb.Inputs{Sources: []*pb.Source{src}, Complete: []int32{1}}); err != nil {
		t.Fatal(err)
	}
	began := time.Now()
	rows, _, err = consume(t.Context(), in, remoteNode(plan.Gather, 1), b.root, 1)
	return rows, time.Since(began), err
}

// TestSilentPeer: bytes that are lost on the way to a node or back are noticed,
// in the middle of an output too, long before gRPC does; where the way is free
// again, reading goes on where it was.
func TestSilentPeer(t *testing.T) {
	for _, c := range []struct {
		name            string
		to, off, middle bool
		heals           bool
	}{
		{name: "free"},
		{name: "nothing arrives", to: true},
		{name: "nothing comes back", off: true},
		{name: "silent in the middle", middle: true},
		{name: "silent for a while", middle: true, heals: true},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			a, b := newNode(t, nodeConfig{}), newNode(t, nodeConfig{})
			b.conns.quiet, b.conns.patience = 50*time.Millisecond, time.Second // enough for a busy machine
			id := taskID(1, 0, 0)
			ends := produce(t, a, id, 1, 0, 300_000, None)
			p := newSilentProxy(t, a.address)
			// The connection is there when the way is cut.
			if _, _, err := readThrough(t, p, a, b, id, ends[0]); err != nil {
				t.Fatal(err)
			}
			p.muteTo.Store(c.to)
			p.muteOff.Store(c.off)
			if c.middle {
				p.limit.Store(2 << 20)
			}
			if c.heals {
				defer p.healOnDial()()
			}
			rows, took, err := readThrough(t, p, a, b, id, ends[0])
			var lost *LostOutput
			cut := c.to || c.off || c.middle && !c.heals
			if cut && (!errors.As(err, &lost) || lost.Task != id) {
				t.Errorf("%d rows, %v", rows, err)
			}
			if !cut && (err != nil || rows != 300_000) {
				t.Errorf("%d rows, %v", rows, err)
			}
			if took > 15*time.Second {
				t.Errorf("noticed after %s", took)
			}
			if p.dials.Load() == 1 && (cut || c.heals) {
				t.Error("nobody hung up on the silent node")
			}
		})
	}
}

// healOnDial lets bytes pass again when somebody has hung up and dials anew. It
// returns what ends the waiting for that.
func (p *silentProxy) healOnDial() (stop func()) {
	before, done := p.dials.Load(), make(chan struct{})
	go func() {
		for p.dials.Load() == before {
			select {
			case <-done:
				return
			case <-time.After(5 * time.Millisecond):
			}
		}
		p.muteOff.Store(false)
	}()
	return func() { close(done) }
}

// TestQuietProducer: a node that is there but has nothing to send is not hung up
// on, however long that lasts.
func TestQuietProducer(t *testing.T) {
	a, b := newNode(t, nodeConfig{}), newNode(t, nodeConfig{})
	b.conns.quiet, b.conns.patience = 10*time.Millisecond, time.Second
	id := taskID(1, 0, 0)
	o, err := a.store.NewOutput(OutputConfig{Task: id, Types: rowTypes, Partitions: 1, Account: a.root})
	if err != nil {
		t.Fatal(err)
	}
	p := newSilentProxy(t, a.address)
	in := b.inputs(0)
	defer in.Close()
	src := &pb.Source{Task: TaskToProto(id), Address: p.address}
	if err := in.Update(&pb.Inputs{Sources: []*pb.Source{src}, Complete: []int32{1}}); err != nil {
		t.Fatal(err)
	}
	op, err := in.Open(remoteNode(plan.Gather, 1), b.root)
	if err != nil {
		t.Fatal(err)
	}
	peer, err := b.conns.neighbor(p.address)
	if err != nil {
		t.Fatal(err)
	}
	for deadline := time.Now().Add(10 * time.Second); peer.pulse.heard.Load() < 20; { // each question has an answer
		if time.Now().After(deadline) {
			t.Fatalf("the node was heard %d times", peer.pulse.heard.Load())
		}
		time.Sleep(5 * time.Millisecond)
	}
	w := newWriter(a.root)
	if err := writeRows(t, o, w, 0, 1000, 1); err != nil {
		t.Fatal(err)
	}
	w.release()
	ends, err := o.Finish(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	src = sourceOf(a, id, ends[0])
	src.Address = p.address
	if err := in.Update(&pb.Inputs{Sources: []*pb.Source{src}}); err != nil {
		t.Fatal(err)
	}
	rows, _, err := sum(t.Context(), op)
	if rows != 1000 || err != nil || p.dials.Load() != 1 {
		t.Errorf("%d rows, %v, over %d connections", rows, err, p.dials.Load())
	}
	_ = op.Close()
}

// TestKeep: a connection at which nobody waits for rows is kept while the node
// answers, whatever time of day it is, and closed when it does not.
func TestKeep(t *testing.T) {
	a, b := newNode(t, nodeConfig{}), newNode(t, nodeConfig{})
	b.conns.keepQuiet, b.conns.keepPatience = 20*time.Millisecond, time.Second
	p := newSilentProxy(t, a.address)
	n, err := b.conns.neighbor(p.address)
	if err != nil {
		t.Fatal(err)
	}
	n.Connect()
	ready := func(want bool) {
		t.Helper()
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		defer cancel()
		for s := n.GetState(); (s == connectivity.Ready) != want; s = n.GetState() {
			if !n.WaitForStateChange(ctx, s) {
				t.Fatalf("%s", s)
			}
		}
	}
	ready(true)
	for before := n.pulse.heard.Load(); n.pulse.heard.Load() < before+5; { // questions and answers
		time.Sleep(5 * time.Millisecond)
	}
	if p.dials.Load() != 1 {
		t.Errorf("%d connections", p.dials.Load())
	}
	p.muteOff.Store(true)
	ready(false)
}
