// Package cluster is what a coordinator knows of its workers and how it talks
// to them: the Registry of those that have joined and still send heartbeats,
// and the Client that carries the scheduler's actions to them over gRPC.
package cluster

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/tuttidb/tutti/coordinator/query"
	"github.com/tuttidb/tutti/coordinator/schedule"
	"github.com/tuttidb/tutti/internal/clock"
	pb "github.com/tuttidb/tutti/proto/tutti/v1"
)

// Protocol is the version of the control plane that this build speaks, Oldest
// the oldest one it still understands: neighboring releases mix.
const (
	Protocol = 1
	Oldest   = 1
)

// Config is what a Registry needs.
type Config struct {
	// Name is the cluster's name, NodeID the coordinator's.
	Name, NodeID string
	// Lease is how long a worker may be silent before it counts as gone. Orphan
	// is how long a worker keeps tasks without any coordinator; 0: the lease.
	Lease, Orphan time.Duration
	// Catalogs returns the definitions to send to workers.
	Catalogs func() *pb.Catalogs
	// Known reports whether a query is none that workers should end: a
	// coordinator that leads, and has taken over, knows all there are; one that
	// does not lead must take all for known.
	Known func(query string) bool
	// Epoch is the leadership of this coordinator, 0 while it has none; nil: 0.
	Epoch func() uint64
	// Drained says whether a worker is wanted gone, and why; nil: none is.
	Drained func(node string) (reason string, wanted bool)
	// Left, if set, is told of addresses at which there is no worker any more.
	Left  func(address string)
	Clock clock.Clock
	Log   *slog.Logger
}

// Member is a worker as the registry knows it.
type Member struct {
	Hello *pb.Hello
	// Load is the last heartbeat; never nil.
	Load     *pb.Heartbeat
	Joined   time.Time
	LastSeen time.Time
	// Gone says why a worker that has left is no longer used; "" while it is.
	Gone string
	// Life differs each time that a worker joins, as the same process or not:
	// what it was given before counts no more.
	Life string
	// Aside says why a worker that has joined gets no tasks for a while; "" if
	// it does.
	Aside string
	// Draining is whether it takes no more tasks: by its own word, or since it
	// is wanted gone.
	Draining bool
}

// Registry keeps the workers that have joined. It serves the Cluster service
// and is safe for concurrent use. Workers join every coordinator: one that does
// not lead takes joins and heartbeats, so that it knows all workers when its
// turn comes, and gives them catalogs and orders to drain, which are the
// same from all; but it ends no queries.
type Registry struct {
	pb.UnimplementedClusterServer
	cfg Config

	mu      sync.Mutex
	members map[string]*member
	joins   int
	flaps   map[string][]time.Time // when workers were lost lately
	lost    int64                  // workers, so far
	cuts    map[pair]*cut          // who could not reach whom lately
	changed chan struct{}          // closed and replaced at each change
}

// member is a joined worker and its stream.
type member struct {
	Member
	end  chan struct{} // closed when the worker is gone
	news chan struct{} // there may be catalogs or orders to send
	once sync.Once
}

// New returns a registry without workers.
func New(cfg Config) *Registry {
	return &Registry{cfg: cfg, members: map[string]*member{}, flaps: map[string][]time.Time{}, cuts: map[pair]*cut{}, changed: make(chan struct{})}
}

// Register adds the Cluster service to a gRPC server.
func (r *Registry) Register(s grpc.ServiceRegistrar) { pb.RegisterClusterServer(s, r) }

// Join serves one worker's stream; see control.proto.
func (r *Registry) Join(stream pb.Cluster_JoinServer) error {
	first, err := stream.Recv()
	if err != nil {
		return err
	}
	hello := first.GetHello()
	if hello == nil || hello.NodeId == "" || hello.Address == "" {
		return status.Error(codes.InvalidArgument, "a worker's first message is its hello, with node id and address")
	}
	if hello.Protocol < Oldest || hello.Oldest > Protocol {
		return status.Errorf(codes.FailedPrecondition, "worker %s speaks protocol %d (oldest %d), this coordinator %d (oldest %d): upgrade one of them",
			hello.NodeId, hello.Protocol, hello.Oldest, Protocol, Oldest)
	}
	ctx, cancel := context.WithCancel(stream.Context())
	defer cancel()
	out := make(chan *pb.JoinResponse, sendQueue)
	l := &line{registry: r, hello: hello, out: out}
	go send(ctx, stream, out) // ends with ctx, or with the stream
	if err := l.say(&pb.JoinResponse{Message: &pb.JoinResponse_Welcome{Welcome: &pb.Welcome{
		Cluster: r.cfg.Name, CoordinatorId: r.cfg.NodeID, LeaseNanos: int64(r.cfg.Lease), OrphanNanos: int64(r.cfg.Orphan),
	}}}); err != nil {
		return err
	}
	if err := l.tell(); err != nil {
		return err
	}
	err = l.follow(ctx, stream)
	if l.member != nil {
		r.remove(l.member, reason(err))
	}
	return err
}

func reason(err error) string {
	if err == nil || errors.Is(err, io.EOF) {
		return "left"
	}
	return "connection lost: " + status.Convert(err).Message()
}

// add makes a worker a member, in place of any earlier process of its name.
func (r *Registry) add(hello *pb.Hello) *member {
	now := r.cfg.Clock.Now()
	m := &member{Member: Member{Hello: hello, Load: &pb.Heartbeat{}, Joined: now, LastSeen: now}, end: make(chan struct{}), news: make(chan struct{}, 1)}
	r.mu.Lock()
	old := r.members[hello.NodeId]
	r.members[hello.NodeId] = m
	r.joins++
	m.Life = hello.Incarnation + "#" + strconv.Itoa(r.joins)
	r.mu.Unlock()
	if old != nil {
		old.leave()
	}
	r.notify()
	return m
}

func (m *member) leave() { m.once.Do(func() { close(m.end) }) }

// remove notes that a worker is gone. It stays listed, as gone, until a
// worker of its name joins again.
func (r *Registry) remove(m *member, why string) {
	r.mu.Lock()
	m.Gone = why
	if !m.Load.GetDraining() {
		r.flapped(m.Hello.NodeId)
	}
	deserted := r.deserts(m)
	r.mu.Unlock()
	m.leave()
	r.notify()
	if deserted && r.cfg.Left != nil {
		r.cfg.Left(m.Hello.Address)
	}
	r.cfg.Log.Info("worker gone", "worker", m.Hello.NodeId, "reason", why)
}

// deserts reports whether nobody is left at a gone worker's address. What it
// leaves to a newer process of its name is for that one to desert, which may
// have gone before the end of the old one was seen. The caller holds mu.
func (r *Registry) deserts(m *member) bool {
	address := m.Hello.Address
	if heir := r.members[m.Hello.NodeId]; heir != m && heir.Hello.Address == address {
		return false
	}
	return !slices.ContainsFunc(slices.Collect(maps.Values(r.members)), func(o *member) bool {
		return o.Gone == "" && o.Hello.Address == address
	})
}

const (
	// flapLimit is how many times a worker may be lost within flapWindow; one
	// that is lost more often gets no tasks until it has stayed as long.
	flapLimit  = 3
	flapWindow = time.Minute
)

// flapped notes that a worker was lost. The caller holds mu.
func (r *Registry) flapped(node string) {
	r.lost++
	now := r.cfg.Clock.Now()
	r.flaps[node] = append(slices.DeleteFunc(r.flaps[node], func(at time.Time) bool { return now.Sub(at) > flapWindow }), now)
}

// LostWorkers is how many workers were lost so far, without having been drained.
func (r *Registry) LostWorkers() int64 {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.lost
}

// aside says why a worker gets no tasks; "" if it does. The caller holds mu.
func (r *Registry) aside(node string) string {
	n, now := 0, r.cfg.Clock.Now()
	for _, at := range r.flaps[node] {
		if now.Sub(at) <= flapWindow {
			n++
		}
	}
	if n < flapLimit {
		return ""
	}
	return fmt.Sprintf("set aside: it was lost %d times within %s", n, flapWindow)
}

func (r *Registry) notify() {
	r.mu.Lock()
	defer r.mu.Unlock()
	close(r.changed)
	r.changed = make(chan struct{})
}

// Changed returns a channel that is closed when workers come, go or drain.
func (r *Registry) Changed() <-chan struct{} {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.changed
}

// Members returns all workers, gone ones included, by node id.
func (r *Registry) Members() []Member {
	r.mu.Lock()
	defer r.mu.Unlock()
	out := make([]Member, 0, len(r.members))
	cutOff := r.cutOff()
	for _, m := range r.members {
		one := m.Member
		one.Aside = cmp.Or(r.aside(m.Hello.NodeId), cutOff[m.Life])
		_, wanted := r.drained(m.Hello.NodeId)
		one.Draining = m.Load.GetDraining() || wanted
		out = append(out, one)
	}
	slices.SortFunc(out, func(a, b Member) int { return cmp.Compare(a.Hello.NodeId, b.Hello.NodeId) })
	return out
}

// Nodes returns the workers that are there as the scheduler knows them, those
// that are being drained included; those set aside only if there is no other.
func (r *Registry) Nodes() (out []schedule.Member) {
	var aside []schedule.Member
	for _, m := range r.Members() {
		n := schedule.Member{Draining: m.Draining, Node: schedule.Node{
			ID: m.Hello.NodeId, Address: m.Hello.Address, Threads: int(m.Hello.Threads), Incarnation: m.Life,
		}}
		switch {
		case m.Gone != "":
		case m.Aside != "":
			aside = append(aside, n)
		default:
			out = append(out, n)
		}
	}
	if !slices.ContainsFunc(out, func(m schedule.Member) bool { return !m.Draining }) {
		out = append(out, aside...)
	}
	return out
}

// Live returns the workers that can take tasks.
func (r *Registry) Live() []schedule.Node {
	var out []schedule.Node
	for _, m := range r.Nodes() {
		if !m.Draining {
			out = append(out, m.Node)
		}
	}
	return out
}

// Lost returns a channel that is closed when a place is lost; nil if it is
// already.
func (r *Registry) Lost(at query.Place) <-chan struct{} {
	r.mu.Lock()
	defer r.mu.Unlock()
	m := r.members[at.Node]
	if life, _, _ := strings.Cut(at.Incarnation, "~"); m == nil || m.Gone != "" || m.Life != life {
		return nil
	}
	return m.end
}
