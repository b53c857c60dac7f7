package main

import (
	"context"
	"sync/atomic"
	"time"

	"github.com/tuttidb/tutti/coordinator"
	"github.com/tuttidb/tutti/coordinator/cluster"
	"github.com/tuttidb/tutti/coordinator/meta"
	pb "github.com/tuttidb/tutti/proto/tutti/v1"
)

// peersLook is how often the other coordinators are asked how they are.
const peersLook = time.Second

// peers are the coordinators as this one saw them last: whoever wants to show
// them must not wait for one that does not answer.
type peers struct {
	node *meta.Node
	last atomic.Pointer[[]meta.Member]
}

// follow looks at the coordinators until ctx ends.
func (p *peers) follow(ctx context.Context) {
	if p.node.Alone() {
		return
	}
	for {
		_, changed := p.node.Leader()
		members := p.node.Members(ctx)
		p.last.Store(&members)
		select {
		case <-changed:
		case <-time.After(peersLook):
		case <-ctx.Done():
			return
		}
	}
}

// members returns the coordinators, this one included; none if it is alone.
func (p *peers) members() []meta.Member {
	if m := p.last.Load(); m != nil {
		return *m
	}
	return nil
}

// leads marks the coordinator that leads.
const leads = "leads"

// nodes are the cluster's nodes as clients see them: this coordinator first.
func (s *seat) nodes() []coordinator.NodeInfo {
	own := s.p.self(s.id, s.web)
	own.Address = s.address
	if s.local != nil && s.local.Ending() {
		own.State = "draining"
	}
	out := []coordinator.NodeInfo{own}
	for _, m := range s.peers.members() {
		if m.ID == s.id {
			if m.Leader {
				out[0].Reason = leads
			}
			continue
		}
		out = append(out, coordinatorInfo(m))
	}
	return append(out, members(s.registry)...)
}

// coordinatorInfo is another coordinator as clients see it.
func coordinatorInfo(m meta.Member) coordinator.NodeInfo {
	a := m.About
	n := coordinator.NodeInfo{
		ID: m.ID, Address: a.GetAddress(), HTTPAddress: a.GetHttpAddress(), Version: a.GetVersion(), Coordinator: true, State: "active",
		MemoryUsed: a.GetMemoryUsed(), MemoryLimit: a.GetMemoryLimit(), RSS: a.GetRssBytes(), CPU: time.Duration(a.GetCpuNanos()), Threads: int(a.GetThreads()),
	}
	if m.Reachable {
		n.LastSeen = time.Now()
	}
	switch {
	case m.Failure != "":
		n.State, n.Reason = "gone", m.Failure
	case !m.Reachable:
		n.State, n.Reason = "gone", "does not answer"
	case a.GetShuttingDown():
		n.State = "draining"
	case m.Leader:
		n.Reason = leads
	case !m.Voter:
		n.Reason = "catching up"
	}
	return n
}

// about is what this coordinator tells the others of itself.
func (s *seat) about() *pb.MetaAbout {
	select {
	case <-s.wired:
	default:
		return &pb.MetaAbout{Version: version, HttpAddress: s.p.webAddress(s.web), Address: s.address}
	}
	own := s.p.self(s.id, s.web)
	return &pb.MetaAbout{
		Version: version, HttpAddress: own.HTTPAddress, Address: s.address, ShuttingDown: s.local.Ending(),
		MemoryUsed: own.MemoryUsed, MemoryLimit: own.MemoryLimit, RssBytes: own.RSS, CpuNanos: int64(own.CPU), Threads: int32(own.Threads),
	}
}

// members are the workers as clients see them.
func members(r *cluster.Registry) (out []coordinator.NodeInfo) {
	for _, m := range r.Members() {
		n := coordinator.NodeInfo{
			ID: m.Hello.NodeId, Address: m.Hello.Address, HTTPAddress: m.Hello.HttpAddress, Version: m.Hello.Version,
			State: "active", LastSeen: m.LastSeen, Threads: int(m.Hello.Threads), MemoryLimit: m.Hello.MemoryLimit,
			RunningTasks: int(m.Load.RunningTasks), RunningDrivers: int(m.Load.RunningDrivers), MemoryUsed: m.Load.MemoryUsed,
			RSS: m.Load.RssBytes, RetainedBytes: m.Load.RetainedBytes, CPU: time.Duration(m.Load.CpuNanos),
		}
		switch {
		case m.Gone != "":
			n.State, n.Reason = "gone", m.Gone
		case m.Draining:
			n.State = "draining"
		case m.Aside != "":
			n.Reason = m.Aside
		}
		out = append(out, n)
	}
	return out
}
