package cluster

import (
	"context"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	pb "github.com/tuttidb/tutti/proto/tutti/v1"
)

// sendQueue is how many messages may wait for a worker to read them; one that
// lets more wait hangs.
const sendQueue = 64

// line is the stream of one worker.
type line struct {
	registry *Registry
	hello    *pb.Hello
	out      chan<- *pb.JoinResponse
	// member is set by the first heartbeat: the worker has its catalogs by then,
	// and has seen that this is no coordinator that it has joined already.
	member  *member
	told    *pb.Catalogs // what was sent last; nil: nothing yet
	drained bool         // the order to drain was sent
}

// send writes what waits until ctx ends. An error ends the stream, which its
// reader sees.
func send(ctx context.Context, stream pb.Cluster_JoinServer, out <-chan *pb.JoinResponse) {
	for {
		select {
		case m := <-out:
			if stream.Send(m) != nil {
				return
			}
		case <-ctx.Done():
			return
		}
	}
}

// say queues a message. It does not wait for the worker.
func (l *line) say(m *pb.JoinResponse) error {
	select {
	case l.out <- m:
		return nil
	default:
		return status.Errorf(codes.ResourceExhausted, "worker %s does not read what it is told", l.hello.NodeId)
	}
}

// tell sends what is new: catalogs, and whether the worker is wanted gone.
func (l *line) tell() error {
	r := l.registry
	c := r.cfg.Catalogs()
	if l.told == nil || c.GetGeneration() != l.told.GetGeneration() || c.GetCluster() != l.told.GetCluster() {
		l.told = c
		if err := l.say(&pb.JoinResponse{Message: &pb.JoinResponse_Catalogs{Catalogs: c}}); err != nil {
			return err
		}
	}
	reason, wanted := r.drained(l.hello.NodeId)
	if wanted && !l.drained {
		r.cfg.Log.Info("a worker is told to drain", "worker", l.hello.NodeId, "reason", reason)
		if err := l.say(&pb.JoinResponse{Message: &pb.JoinResponse_Drain{Drain: &pb.DrainOrder{Reason: reason}}}); err != nil {
			return err
		}
	}
	l.drained = wanted
	return nil
}

// follow reads heartbeats until the stream ends or the lease runs out.
func (l *line) follow(ctx context.Context, stream pb.Cluster_JoinServer) error {
	r := l.registry
	beats, failed := make(chan *pb.Heartbeat), make(chan error, 1)
	go receive(ctx, stream, beats, failed)
	lease := time.NewTimer(r.cfg.Lease)
	defer lease.Stop()
	var end, news <-chan struct{}
	for {
		var err error
		select {
		case beat := <-beats:
			if l.member == nil {
				l.member = r.add(l.hello)
				end, news = l.member.end, l.member.news
				r.cfg.Log.Info("worker joined", "worker", l.hello.NodeId, "address", l.hello.Address, "version", l.hello.Version)
				err = l.tell() // what has changed since
			}
			lease.Reset(r.cfg.Lease)
			if err == nil {
				err = l.beat(beat)
			}
		case <-news:
			err = l.tell()
		case err = <-failed:
		case <-lease.C:
			err = status.Errorf(codes.DeadlineExceeded, "no heartbeat for %s", r.cfg.Lease)
		case <-end:
			err = status.Error(codes.AlreadyExists, "a newer process has joined under this node id")
		case <-ctx.Done():
			err = ctx.Err()
		}
		if err != nil {
			return err
		}
	}
}

// receive reads the stream until it or ctx ends.
func receive(ctx context.Context, stream pb.Cluster_JoinServer, beats chan<- *pb.Heartbeat, failed chan<- error) {
	for {
		msg, err := stream.Recv()
		if err != nil {
			failed <- err
			return
		}
		if msg.GetHeartbeat() == nil {
			continue
		}
		select {
		case beats <- msg.GetHeartbeat():
		case <-ctx.Done():
			return
		}
	}
}

// beat takes a worker's load and tells it of queries nobody knows.
func (l *line) beat(beat *pb.Heartbeat) error {
	r := l.registry
	r.mu.Lock()
	turned := l.member.Load.GetDraining() != beat.Draining
	l.member.Load, l.member.LastSeen = beat, r.cfg.Clock.Now()
	r.mu.Unlock()
	if turned {
		r.notify()
	}
	epoch := r.epoch() // before Known: a leadership that ends between is older than what it does not know
	var unknown []string
	for _, q := range beat.Queries {
		if !r.cfg.Known(q) {
			unknown = append(unknown, q)
		}
	}
	if len(unknown) == 0 {
		return nil
	}
	return l.say(&pb.JoinResponse{Message: &pb.JoinResponse_Forget{Forget: &pb.ForgetQueries{Queries: unknown, Epoch: epoch}}})
}

func (r *Registry) epoch() uint64 {
	if r.cfg.Epoch == nil {
		return 0
	}
	return r.cfg.Epoch()
}

func (r *Registry) drained(node string) (reason string, wanted bool) {
	if r.cfg.Drained == nil {
		return "", false
	}
	return r.cfg.Drained(node)
}

// CatalogsChanged sends the catalogs to all workers that do not have this
// generation of them.
func (r *Registry) CatalogsChanged() { r.wakeAll() }

// DrainsChanged tells the workers that are wanted gone to drain.
func (r *Registry) DrainsChanged() {
	r.wakeAll()
	r.notify()
}

func (r *Registry) wakeAll() {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, m := range r.members {
		select {
		case m.news <- struct{}{}:
		default: // it will look anyway
		}
	}
}
