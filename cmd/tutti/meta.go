package main

import (
	"context"
	"path/filepath"

	"github.com/tuttidb/tutti/coordinator/meta"
	"github.com/tuttidb/tutti/internal/clock"
	pb "github.com/tuttidb/tutti/proto/tutti/v1"
)

// aloneID is the name of a coordinator without peers that was given none: the
// host's and the port's, which other nodes see, may differ at the next start.
const aloneID = "alone"

// openMeta opens what coordinators know together, under the data folder. Of a
// process without peers it is a cluster of one. lead is called whenever this
// process leads, about what it tells the others of itself; both may be nil.
// What keeps it from starting is the user's to mend.
func openMeta(p *process, lead func(context.Context, meta.Leadership) error, about func() *pb.MetaAbout) (*meta.Node, error) {
	id := p.cfg.NodeID
	if id == "" {
		id = aloneID
	}
	n, err := meta.Open(meta.Config{
		ID: id, Listen: p.cfg.RaftListen, Peers: p.cfg.PeerMap(), Dir: filepath.Join(p.cfg.DataDir, "meta"), Secret: p.cfg.InternalSecret,
		Lead: lead, About: about, Log: p.log, Clock: clock.System{}, Timing: meta.Timing{Election: p.cfg.ElectionTimeout},
	})
	if err != nil {
		return nil, usage(err)
	}
	return n, nil
}
