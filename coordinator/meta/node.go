package meta

import (
	"context"
	crand "crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"net"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hashicorp/raft"
	"google.golang.org/grpc"
	"google.golang.org/grpc/backoff"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/keepalive"

	pb "github.com/tuttidb/tutti/proto/tutti/v1"
)

// Node is one coordinator's part of the replicated state. All methods are
// safe for concurrent use.
type Node struct {
	cfg         Config
	incarnation uint64
	fsm         *fsm
	raft        *raft.Raft
	store       *store // nil when all is in memory
	stable      raft.StableStore
	mux         *mux // nil when alone, as are the next three
	ballot      *ballot
	barred      atomic.Bool // see ballot
	seasoned    atomic.Bool // see deference
	gone        atomic.Pointer[loss]
	server      *grpc.Server
	clients     map[string]pb.MetaClient
	conns       []*grpc.ClientConn

	// promised is the id of the cluster before the State has it, see home.
	promised atomic.Pointer[string]

	memory   *memory
	memories memories
	seq      atomic.Uint64

	// ready is the epoch in which this node leads and has taken over, rising
	// the one in which it is about to; 0 for none.
	ready, rising atomic.Uint64
	notify        chan bool
	moved         signal // a leader came or went

	ctx    context.Context // ends with Close
	cancel context.CancelFunc
	wait   sync.WaitGroup

	failMu  sync.Mutex
	err     error
	failed  chan struct{}
	running atomic.Pointer[raft.Raft] // raft, for those it calls before it is
	closed  sync.Once
}

// signal wakes all who wait for something to move.
type signal struct {
	mu sync.Mutex
	ch chan struct{}
}

func (s *signal) wait() <-chan struct{} {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ch == nil {
		s.ch = make(chan struct{})
	}
	return s.ch
}

func (s *signal) wake() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ch != nil {
		close(s.ch)
		s.ch = nil
	}
}

// maxMessage bounds messages between coordinators: a memory as a whole, twice.
const maxMessage = 2*memoryLimit + 1<<20

// Open starts a node. It returns as soon as the node runs, which may be long
// before there is a leader: see WaitLeader. The errors are about cfg, the
// address and the disk.
func Open(cfg Config) (*Node, error) {
	if err := cfg.check(); err != nil {
		return nil, err
	}
	n := &Node{cfg: cfg, notify: make(chan bool, 64), failed: make(chan struct{})}
	n.ctx, n.cancel = context.WithCancel(context.Background())
	n.fsm = newFSM(func(err error) { n.fail(err) })
	if err := n.open(); err != nil {
		n.shut()
		return nil, err
	}
	n.wait.Go(n.watchLeadership)
	n.wait.Go(n.remain)
	if n.mux != nil {
		n.wait.Go(func() { n.seek(); n.regain() })
		n.wait.Go(n.keepVigil)
	}
	return n, nil
}

func (n *Node) open() error {
	var seed [8]byte
	_, _ = crand.Read(seed[:]) // never fails
	n.incarnation = binary.BigEndian.Uint64(seed[:]) | 1
	logs, stable, snaps, err := n.openDisk()
	if err != nil {
		return err
	}
	n.stable = stable
	n.recall()
	term, err := stable.GetUint64([]byte("CurrentTerm")) // raft's own key
	if err != nil && !strings.Contains(err.Error(), "not found") {
		return err
	}
	n.memory = newMemory(n.cfg.Clock, term)
	if v, err := stable.Get(joinKey); err == nil && len(v) == 8 {
		n.barred.Store(true)
	}
	cache, err := raft.NewLogCache(1024, logs)
	if err != nil {
		return err
	}
	trans, err := n.transport()
	if err != nil {
		return err
	}
	known, err := raft.HasExistingState(cache, stable, snaps)
	if err != nil {
		return err
	}
	conf := n.raftConfig()
	n.patience(conf, known)
	if !known && n.cfg.alone() {
		only := raft.Configuration{Servers: []raft.Server{{ID: conf.LocalID, Address: trans.LocalAddr()}}}
		if err := raft.BootstrapCluster(conf, cache, stable, snaps, trans, only); err != nil {
			return err
		}
	}
	if n.raft, err = raft.NewRaft(conf, n.fsm, cache, stable, snaps, trans); err != nil {
		return fmt.Errorf("state of the coordinators in %s: %w", n.cfg.Dir, err)
	}
	n.running.Store(n.raft)
	if err := n.Err(); err != nil {
		return err
	}
	return n.begin()
}

// begin lets the node be heard, where it may be.
func (n *Node) begin() error {
	if n.cfg.alone() {
		switch s := n.raft.GetConfiguration().Configuration().Servers; {
		case len(s) > 1:
			return fmt.Errorf("the state in %s is that of a cluster of %d coordinators (%s): name its peers", n.cfg.Dir, len(s), serverNames(s))
		case len(s) == 1 && string(s[0].ID) != n.cfg.ID:
			return fmt.Errorf("the state in %s is that of coordinator %s, not of %s: start it under its own name", n.cfg.Dir, s[0].ID, n.cfg.ID)
		}
		return nil
	}
	n.raft.RegisterObserver(raft.NewObserver(nil, false, func(o *raft.Observation) bool {
		if _, ok := o.Data.(raft.LeaderObservation); ok {
			n.moved.wake()
		}
		return false
	}))
	n.ballot.start()
	n.wait.Go(n.deferToOthers)
	if n.configured() {
		n.mux.speak()
	}
	n.server = grpc.NewServer(grpc.MaxRecvMsgSize(maxMessage), grpc.MaxSendMsgSize(maxMessage),
		grpc.KeepaliveEnforcementPolicy(keepalive.EnforcementPolicy{MinTime: time.Second, PermitWithoutStream: true}), // of releases before
		grpc.KeepaliveParams(keepalive.ServerParameters{Time: math.MaxInt64}))                                         // see line
	pb.RegisterMetaServer(n.server, n.cfg.serve(n))
	n.wait.Go(func() { _ = n.server.Serve(n.mux.grpc) }) // ends with the door
	return nil
}

func serverNames(servers []raft.Server) string {
	var ids []string
	for _, s := range servers {
		ids = append(ids, string(s.ID))
	}
	return strings.Join(ids, ", ")
}

// openDisk opens what raft keeps, or memory in its place.
func (n *Node) openDisk() (raft.LogStore, raft.StableStore, raft.SnapshotStore, error) {
	if n.cfg.Dir == "" {
		m := raft.NewInmemStore()
		return m, m, raft.NewInmemSnapshotStore(), nil
	}
	if err := os.MkdirAll(n.cfg.Dir, 0o700); err != nil {
		return nil, nil, nil, diskError(n.cfg.Dir, "make", err)
	}
	var err error
	if n.store, err = openStore(n.cfg.logFile(), func(err error) { n.fail(err) }); err != nil {
		return nil, nil, nil, err
	}
	snaps, err := raft.NewFileSnapshotStoreWithLogger(n.cfg.Dir, 2, newLogger(n.cfg.Log, n.cfg.alone()))
	if err != nil {
		return nil, nil, nil, diskError(n.cfg.Dir, "open snapshots", err)
	}
	return n.store, n.store, snaps, nil
}

func (n *Node) transport() (raft.Transport, error) {
	if n.cfg.alone() {
		_, t := raft.NewInmemTransport(raft.ServerAddress(n.cfg.ID))
		return t, nil
	}
	n.mux = &mux{id: n.cfg.ID, peers: n.cfg.Peers, secret: []byte(n.cfg.Secret), server: n.cfg.ServerTLS, client: n.cfg.ClientTLS,
		log: n.cfg.Log, cluster: n.home, claim: n.claim}
	if err := n.mux.listen(n.cfg.Listen); err != nil {
		n.mux = nil
		return nil, err
	}
	if err := n.connect(); err != nil {
		return nil, err
	}
	l := layer{n.mux.raft, n.mux}
	t := raft.NewNetworkTransportWithConfig(&raft.NetworkTransportConfig{
		ServerAddressProvider: l, Stream: l, MaxPool: 3, Timeout: n.cfg.Timing.Call * 5, Logger: newLogger(n.cfg.Log, n.cfg.alone()),
	})
	n.ballot = &ballot{NetworkTransport: t, node: n, out: make(chan raft.RPC)}
	return n.ballot, nil
}

// connect prepares the service's connections to the others.
func (n *Node) connect() error {
	n.clients = map[string]pb.MetaClient{}
	for _, id := range n.cfg.others() {
		l := &line{patience: n.cfg.Timing.Call / 2}
		c, err := grpc.NewClient("passthrough:///"+id,
			grpc.WithTransportCredentials(insecure.NewCredentials()), // the mux has TLS
			grpc.WithContextDialer(func(ctx context.Context, _ string) (net.Conn, error) { return l.made(n.mux.dial(ctx, useGRPC, id)) }),
			grpc.WithUnaryInterceptor(l.watch),
			grpc.WithConnectParams(grpc.ConnectParams{
				Backoff:           backoff.Config{BaseDelay: 50 * time.Millisecond, Multiplier: 1.6, Jitter: 0.2, MaxDelay: 500 * time.Millisecond},
				MinConnectTimeout: n.cfg.Timing.Call,
			}),
			grpc.WithDefaultCallOptions(grpc.MaxCallRecvMsgSize(maxMessage), grpc.MaxCallSendMsgSize(maxMessage)))
		if err != nil {
			return err
		}
		n.conns = append(n.conns, c)
		n.clients[id] = pb.NewMetaClient(c)
	}
	return nil
}

func (n *Node) client(id string) (pb.MetaClient, error) {
	if c := n.clients[id]; c != nil {
		return c, nil
	}
	return nil, fmt.Errorf("coordinator %s is not among the peers of %s", id, n.cfg.ID)
}

func (n *Node) raftConfig() *raft.Config {
	t := n.cfg.Timing
	c := raft.DefaultConfig()
	c.LocalID = raft.ServerID(n.cfg.ID)
	c.HeartbeatTimeout, c.ElectionTimeout, c.LeaderLeaseTimeout = t.Election, t.Election, t.Lease
	c.CommitTimeout = 25 * time.Millisecond
	if n.cfg.alone() {
		c.HeartbeatTimeout, c.ElectionTimeout, c.LeaderLeaseTimeout = 20*time.Millisecond, 20*time.Millisecond, 20*time.Millisecond
	}
	c.BatchApplyCh, c.MaxAppendEntries = true, 256
	c.SnapshotInterval, c.SnapshotThreshold, c.TrailingLogs = t.SnapshotEvery, t.SnapshotAfter, t.Trailing
	c.ShutdownOnRemove = false // who is removed may be taken in again
	c.NotifyCh = n.notify
	c.Logger = newLogger(n.cfg.Log, n.cfg.alone())
	c.NoLegacyTelemetry = true
	return c
}

// configured reports whether this node knows a cluster.
func (n *Node) configured() bool {
	return len(n.raft.GetConfiguration().Configuration().Servers) > 0
}

// fail takes the node out of the cluster for good. Raft's goroutines call it:
// it does not wait for them.
func (n *Node) fail(err error) {
	n.failMu.Lock()
	defer n.failMu.Unlock()
	if n.err != nil {
		return
	}
	n.err = err
	close(n.failed)
	n.cfg.Log.Error("this coordinator takes no further part in the cluster", "node", n.cfg.ID, "error", err)
	if n.mux != nil {
		n.mux.hush()
	}
	if r := n.running.Load(); r != nil {
		go r.Shutdown() // a future nobody waits for: raft may be parked
	}
}

// Failed is closed when the node's disk failed or its log is of a newer
// release. The process should tell Err and exit; the others go on.
func (n *Node) Failed() <-chan struct{} { return n.failed }

// Err returns why the node failed, nil while it has not.
func (n *Node) Err() error {
	n.failMu.Lock()
	defer n.failMu.Unlock()
	return n.err
}

// Addr returns the address that the node listens on; empty when alone.
func (n *Node) Addr() string {
	if n.mux == nil {
		return ""
	}
	return n.mux.ln.Addr().String()
}

// State returns the state as this node has it: at most a moment old while it
// hears from the leader, older when cut off. It costs nothing.
func (n *Node) State() *State { return n.fsm.state.Load() }

// Close hands leadership on, where this node has it, and ends the node.
// It returns the disk's error, if any.
func (n *Node) Close() error {
	n.closed.Do(func() {
		if n.raft.State() == raft.Leader && !n.cfg.alone() && n.Err() == nil {
			_ = await(n.raft.LeadershipTransfer(), n.cfg.Timing.Election) // else the others elect one
		}
		n.shut()
	})
	return n.Err()
}

// await waits for a future no longer than d.
func await(f raft.Future, d time.Duration) error {
	done := make(chan error, 1)
	go func() { done <- f.Error() }()
	select {
	case err := <-done:
		return err
	case <-time.After(d):
		return context.DeadlineExceeded
	}
}

// shut ends what has been begun, however far that was.
func (n *Node) shut() {
	n.cancel()
	if n.mux != nil {
		_ = n.mux.Close() // it has nothing to lose
	}
	for _, c := range n.conns {
		_ = c.Close() // nothing is lost that anybody waits for
	}
	if n.server != nil {
		n.server.Stop()
	}
	if n.ballot != nil {
		_ = n.ballot.Close()
	}
	if n.raft != nil {
		// A raft without a disk may be parked, see store.
		if err := await(n.raft.Shutdown(), 5*time.Second); err != nil && n.Err() == nil {
			n.cfg.Log.Warn("raft did not end in time", "node", n.cfg.ID, "error", err)
		}
	}
	n.settle()
	if n.store != nil {
		if err := n.store.Close(); err != nil && n.Err() == nil {
			n.failMu.Lock()
			n.err = errors.Join(n.err, err)
			n.failMu.Unlock()
		}
	}
}

// settle waits for the node's goroutines; where the disk failed some may wait
// for raft, which is parked.
func (n *Node) settle() {
	done := make(chan struct{})
	go func() { n.wait.Wait(); close(done) }()
	if n.Err() == nil {
		<-done
		return
	}
	select {
	case <-done:
	case <-time.After(2 * time.Second):
	}
}
