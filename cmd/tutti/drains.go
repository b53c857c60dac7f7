package main

import (
	"context"
	"sync/atomic"
	"time"

	"github.com/tuttidb/tutti/coordinator/meta"
	pb "github.com/tuttidb/tutti/proto/tutti/v1"
)

// drains is which workers are wanted gone, as far as it is known. What a
// process has on its disk when it starts may be old: a worker that is ordered
// to drain does not come back, so nobody is before this process has once heard
// from a leader how far the others are.
type drains struct {
	node    *meta.Node
	current atomic.Bool
}

// wanted reports whether a worker is wanted gone, and why.
func (d *drains) wanted(node string) (reason string, wanted bool) {
	if !d.current.Load() {
		return "", false
	}
	i := d.node.State().Intent(node)
	return i.GetReason(), i.GetKind() == pb.MetaIntentKind_META_INTENT_KIND_DRAIN
}

// follow calls changed when others are wanted gone than before, until ctx ends.
func (d *drains) follow(ctx context.Context, changed func()) {
	version := uint64(0)
	for !d.current.Load() {
		if d.node.WaitLeader(ctx) == nil {
			version = d.node.State().IntentsVersion
			d.current.Store(true)
			changed()
			break
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(100 * time.Millisecond):
		}
	}
	for state := range d.node.Watch(ctx) {
		if state.IntentsVersion != version {
			version = state.IntentsVersion
			changed()
		}
	}
}
