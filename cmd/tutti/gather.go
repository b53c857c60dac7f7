package main

import (
	"context"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/tuttidb/tutti/coordinator/meta"
)

// The leader writes down which workers there are, so that one that takes over,
// and was started just now, knows for whom to wait.

const (
	// workersSetting is the name of the setting where their names stand.
	workersSetting = "workers.joined"
	// recordPause is the least time between two records, keepRecorded how long
	// a new leader takes those for there that the record says are.
	recordPause, keepRecorded = time.Second, 15 * time.Second
)

// workersBefore returns the workers that the leader before had.
func workersBefore(s *meta.State) []string {
	v, _ := s.Setting(workersSetting)
	return strings.FieldsFunc(v, func(r rune) bool { return r == '\n' })
}

// recorded is what to write down: who is there, and for a while after the
// beginning of a leadership those that were before.
func recorded(before, live []string, since time.Duration) []string {
	all := map[string]bool{}
	for _, node := range live {
		all[node] = true
	}
	if since < keepRecorded {
		for _, node := range before {
			all[node] = true
		}
	}
	return slices.Sorted(maps.Keys(all))
}

// recordWorkers keeps the record until ctx, the leadership's, ends.
func (s *seat) recordWorkers(ctx context.Context, epoch uint64) {
	begin, before := time.Now(), workersBefore(s.node.State())
	for {
		changed := s.registry.Changed()
		var live []string
		for _, n := range s.registry.Nodes() {
			live = append(live, n.ID)
		}
		now := recorded(before, live, time.Since(begin))
		if !slices.Equal(now, workersBefore(s.node.State())) {
			if _, err := s.node.ApplyAs(ctx, epoch, meta.SetSetting(workersSetting, strings.Join(now, "\n"))); err != nil && ctx.Err() == nil {
				s.p.log.Debug("write down the workers", "error", err)
			}
		}
		pause := time.NewTimer(recordPause)
		select {
		case <-pause.C:
		case <-ctx.Done():
			pause.Stop()
			return
		}
		late := time.NewTimer(keepRecorded)
		select {
		case <-changed:
		case <-late.C:
		case <-ctx.Done():
		}
		late.Stop()
		if ctx.Err() != nil {
			return
		}
	}
}
