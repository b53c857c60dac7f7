package worker

import (
	"context"
	"errors"
	"math/rand/v2"
	"net"
	"slices"
	"sync"
	"time"

	pb "github.com/tuttidb/tutti/proto/tutti/v1"
)

// A worker is joined to every coordinator, so that any of them can lead from
// one moment to the next. The addresses are those it was given; a name stands
// for all addresses it has, and is looked up again and again, since
// coordinators come, go and move.

const (
	// lookAgain is how often names are looked up, hurry how often while no
	// address is known.
	lookAgain, hurry = 3 * time.Second, 200 * time.Millisecond
	// lookSoon is how often they are looked up when a coordinator was lost or an
	// address is new, for as long as search: the lost one may come back under
	// another address, and be the one that leads.
	lookSoon, search = 500 * time.Millisecond, 30 * time.Second
	// minBackoff and maxBackoff bound the pause before joining again.
	minBackoff, maxBackoff = 100 * time.Millisecond, time.Second
	// aliasPause is how long an address is left alone that led to a coordinator
	// which is joined already under another.
	aliasPause = 3 * time.Second
)

// errAlias says that an address leads to a coordinator that is joined already.
var errAlias = errors.New("this coordinator is joined already under another address")

// joinAll keeps the worker joined to all coordinators until ctx ends.
func (w *Worker) joinAll(ctx context.Context, wg *sync.WaitGroup) {
	known, active := map[string][]string{}, map[string]bool{} // name → addresses; addresses that are tended
	left := make(chan string)
	until := time.Time{} // when searching ends
	for ctx.Err() == nil {
		addresses := w.lookup(ctx, known)
		w.want(addresses)
		for _, a := range addresses {
			if !active[a] {
				active[a] = true
				until = time.Now().Add(search)
				wg.Go(func() { w.keepJoined(ctx, a, left) })
			}
		}
		again := time.NewTimer(lookAgain)
		switch {
		case len(addresses) == 0:
			again.Reset(hurry)
		case time.Now().Before(until):
			again.Reset(lookSoon)
		}
		select {
		case <-again.C:
		case a := <-left:
			delete(active, a)
		case <-w.lost:
			until = time.Now().Add(search)
		case <-ctx.Done():
		}
		again.Stop()
	}
}

// lookup returns the addresses of all coordinators. Of a name that cannot be
// looked up they are what they were, noted in known.
func (w *Worker) lookup(ctx context.Context, known map[string][]string) (all []string) {
	for _, name := range w.d.Join {
		host, port, err := net.SplitHostPort(name)
		if err != nil || net.ParseIP(host) != nil {
			all = append(all, name)
			continue
		}
		look := w.d.Lookup
		if look == nil {
			look = net.DefaultResolver.LookupHost
		}
		short, cancel := context.WithTimeout(ctx, lookAgain)
		ips, err := look(short, host)
		cancel()
		if err != nil {
			if known[name] == nil && ctx.Err() == nil {
				w.d.Log.Warn("look up a coordinator", "name", name, "error", err)
			}
			all = append(all, known[name]...)
			continue
		}
		known[name] = make([]string, 0, len(ips))
		for _, ip := range ips {
			known[name] = append(known[name], net.JoinHostPort(ip, port))
		}
		all = append(all, known[name]...)
	}
	slices.Sort(all)
	return slices.Compact(all)
}

// want notes which addresses are to be kept joined.
func (w *Worker) want(addresses []string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.wanted = map[string]bool{}
	for _, a := range addresses {
		w.wanted[a] = true
	}
}

func (w *Worker) isWanted(address string) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.wanted[address]
}

// keepJoined keeps the worker joined at one address until ctx ends, or until
// the stream there has ended and no name stands for the address any more.
func (w *Worker) keepJoined(ctx context.Context, address string, left chan<- string) {
	pause, quiet := minBackoff, false
	for {
		joined, err := w.join(ctx, address)
		if joined {
			select {
			case w.lost <- struct{}{}:
			default: // it is known
			}
		}
		switch {
		case ctx.Err() != nil:
			return
		case !w.isWanted(address):
			w.d.Log.Info("a coordinator's address is no longer one", "address", address)
			w.d.Conns.Forget(address)
			select {
			case left <- address:
			case <-ctx.Done():
			}
			return
		case errors.Is(err, errAlias):
			w.sleep(ctx, aliasPause/2+rand.N(aliasPause))
			continue
		case joined:
			pause, quiet = minBackoff, false
		}
		if !quiet { // said once, until it was joined again
			w.d.Log.Warn("not joined to a coordinator", "address", address, "error", err)
			quiet = true
		}
		w.sleep(ctx, pause/2+rand.N(pause))
		pause = min(2*pause, maxBackoff)
	}
}

func (w *Worker) sleep(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-ctx.Done():
	}
}

// join joins the coordinator at an address and stays until the stream ends.
// joined says that it took the worker.
func (w *Worker) join(ctx context.Context, address string) (joined bool, err error) {
	conn, err := w.d.Conns.Get(address)
	if err != nil {
		return false, err
	}
	conn.ResetConnectBackoff() // the pauses are keepJoined's
	ctx, cancel := context.WithCancel(ctx)
	var wg sync.WaitGroup
	defer wg.Wait()
	defer cancel()
	stream, err := pb.NewClusterClient(conn).Join(ctx)
	if err != nil {
		return false, err
	}
	if err := stream.Send(&pb.JoinRequest{Message: &pb.JoinRequest_Hello{Hello: w.d.Hello}}); err != nil {
		_, err = stream.Recv() // has the reason
		return false, err
	}
	beating := false
	for {
		msg, err := stream.Recv()
		if err != nil {
			return joined, err
		}
		w.heard()
		if welcome := msg.GetWelcome(); welcome != nil && !joined {
			id, ok := w.enter(address, welcome)
			if !ok {
				return false, errAlias
			}
			defer w.leave(id)
			joined = true
		}
		if c := msg.GetCatalogs(); c != nil {
			w.belong(c.GetCluster())
			w.d.Catalogs.Set(c)
			if joined && !beating { // the first heartbeat says that the worker can begin
				beating = true
				wg.Go(func() { w.beat(ctx, stream, cancel) })
			}
		}
		if f := msg.GetForget(); f != nil {
			wg.Go(func() { w.forget(ctx, f) })
		}
		if d := msg.GetDrain(); d != nil {
			w.ordered(address, d)
		}
	}
}

// belong notes which cluster the coordinators are. One that was founded anew,
// since all disks were lost, counts its epochs from the beginning.
func (w *Worker) belong(cluster string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if cluster == "" || cluster == w.family {
		return
	}
	if w.family != "" {
		w.d.Log.Warn("the coordinators are another cluster now", "cluster", cluster, "before", w.family)
		w.manager.renew()
	}
	w.family = cluster
}

// enter notes that a coordinator has taken the worker, unless it has already
// under another address: the second stream of one worker would end the first.
func (w *Worker) enter(address string, m *pb.Welcome) (id string, ok bool) {
	if id = m.CoordinatorId; id == "" {
		id = address
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.joined[id] != "" {
		return id, false
	}
	w.joined[id] = address
	switch {
	case m.OrphanNanos > 0:
		w.lease = time.Duration(m.OrphanNanos)
	case m.LeaseNanos > 0:
		w.lease = time.Duration(m.LeaseNanos)
	}
	w.d.Log.Info("joined coordinator", "address", address, "cluster", m.Cluster, "coordinator", id)
	return id, true
}

func (w *Worker) leave(id string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	delete(w.joined, id)
}

// ordered obeys the order to drain.
func (w *Worker) ordered(address string, d *pb.DrainOrder) {
	if w.d.Stop == nil {
		w.d.Log.Warn("not supported: an order to drain", "address", address, "reason", d.Reason)
		return
	}
	w.stop.Do(func() {
		w.d.Log.Info("the cluster wants this worker drained", "address", address, "reason", d.Reason)
		w.d.Stop()
	})
}

// beat sends heartbeats until the stream ends.
func (w *Worker) beat(ctx context.Context, stream pb.Cluster_JoinClient, cancel context.CancelFunc) {
	defer cancel()
	tick := time.NewTicker(beat)
	defer tick.Stop()
	drain := w.drain
	for {
		if err := stream.Send(&pb.JoinRequest{Message: &pb.JoinRequest_Heartbeat{Heartbeat: w.heartbeat()}}); err != nil {
			return // Recv has the reason
		}
		w.heard()
		w.d.Catalogs.CloseRetired(w.manager.Oldest())
		select {
		case <-tick.C:
		case <-drain:
			drain = nil // said at once, and once
		case <-ctx.Done():
			return
		}
	}
}
