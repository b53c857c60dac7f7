package worker

import (
	"context"
	"encoding/binary"
	"fmt"
	"math/bits"
	"sync"
	"time"

	"github.com/tuttidb/tutti/connectors"
	"github.com/tuttidb/tutti/planner/plan"
	"github.com/tuttidb/tutti/planner/plancodec"
	pb "github.com/tuttidb/tutti/proto/tutti/v1"
)

// dynamicFilters connects a task's builds and scans: an exec.DynamicFilters.
// What the task builds goes to the coordinator, in its status; what is
// complete comes from there, or, where this task alone sees the whole build
// side, from the task itself.
type dynamicFilters struct {
	// local are the filters that this task's part of is the whole.
	local map[plan.DynamicID]bool
	// patience is how long the task's scans wait for filters, from the first
	// wait on and for all filters together.
	patience time.Duration
	// changed is called when there is a new part to report.
	changed func()

	mu       sync.Mutex
	parts    []*pb.DynamicFilter
	complete map[plan.DynamicID]*connectors.DynamicFilter
	news     chan struct{} // closed and replaced when a filter is complete or given up
	givenUp  map[plan.DynamicID]bool
	waiting  *time.Timer   // runs from the first wait on
	tired    chan struct{} // closed when patience is over
}

func newDynamicFilters(f *plan.Fragment, partitions int, patience time.Duration, changed func()) *dynamicFilters {
	d := &dynamicFilters{
		local: map[plan.DynamicID]bool{}, patience: patience, changed: changed,
		complete: map[plan.DynamicID]*connectors.DynamicFilter{}, news: make(chan struct{}),
		givenUp: map[plan.DynamicID]bool{}, tired: make(chan struct{}),
	}
	plan.Walk(f.Root, func(n plan.Node) bool {
		if j, ok := n.(*plan.Join); ok && (partitions == 1 || wholeSide(j.Right)) {
			for _, x := range j.Dynamic {
				d.local[x.Filter] = true
			}
		}
		return true
	})
	return d
}

// wholeSide reports whether a task reads all rows of n: what it reads is sent
// to every task of its stage.
func wholeSide(n plan.Node) bool {
	whole := true
	plan.Walk(n, func(n plan.Node) bool {
		switch n := n.(type) {
		case *plan.Scan:
			whole = false
		case *plan.RemoteSource:
			whole = whole && n.Kind == plan.Replicate
		}
		return whole
	})
	return whole
}

// Publish takes this task's part of a filter.
func (d *dynamicFilters) Publish(id plan.DynamicID, f *connectors.DynamicFilter) {
	msg, err := filterToProto(id, f)
	if err == nil {
		d.mu.Lock()
		d.parts = append(d.parts, msg)
		d.mu.Unlock()
	}
	// A filter that cannot be encoded helps this task at least.
	if d.local[id] {
		d.set(id, f)
	}
	d.changed()
}

func (d *dynamicFilters) set(id plan.DynamicID, f *connectors.DynamicFilter) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.complete[id] != nil {
		return
	}
	d.complete[id] = f
	d.wake()
}

// wake wakes the scans that wait. The caller holds mu.
func (d *dynamicFilters) wake() {
	close(d.news)
	d.news = make(chan struct{})
}

// giveUp says that filters will not come, or too late.
func (d *dynamicFilters) giveUp(ids []int32) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, id := range ids {
		d.givenUp[plan.DynamicID(id)] = true
	}
	if len(ids) > 0 {
		d.wake()
	}
}

// stop ends the clock of the waits.
func (d *dynamicFilters) stop() {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.waiting != nil {
		d.waiting.Stop()
	}
}

// update takes complete filters from the coordinator.
func (d *dynamicFilters) update(fs []*pb.DynamicFilter) error {
	for _, m := range fs {
		f, err := filterFromProto(m)
		if err != nil {
			return fmt.Errorf("dynamic filter %d: %w", m.Id, err)
		}
		d.set(plan.DynamicID(m.Id), f)
	}
	return nil
}

// published returns the parts that this task has built.
func (d *dynamicFilters) published() []*pb.DynamicFilter {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.parts[:len(d.parts):len(d.parts)]
}

// Get returns the filter if it is complete.
func (d *dynamicFilters) Get(id plan.DynamicID) *connectors.DynamicFilter {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.complete[id]
}

// Wait waits for a filter until it is complete or given up or patience is
// over. All drivers wait at the same time; once they have waited in vain,
// nobody waits again.
func (d *dynamicFilters) Wait(ctx context.Context, id plan.DynamicID) {
	if d.patience <= 0 {
		return
	}
	for {
		d.mu.Lock()
		done, news := d.complete[id] != nil || d.givenUp[id], d.news
		if !done && d.waiting == nil {
			d.waiting = time.AfterFunc(d.patience, func() { close(d.tired) })
		}
		d.mu.Unlock()
		if done {
			return
		}
		select {
		case <-news:
		case <-d.tired:
			return
		case <-ctx.Done():
			return
		}
	}
}

func filterToProto(id plan.DynamicID, f *connectors.DynamicFilter) (*pb.DynamicFilter, error) {
	m := &pb.DynamicFilter{Id: int32(id), Empty: f.Empty}
	var err error
	if f.Min != nil {
		if m.Min, err = plancodec.EncodeDatum(f.Min); err != nil {
			return nil, err
		}
	}
	if f.Max != nil {
		if m.Max, err = plancodec.EncodeDatum(f.Max); err != nil {
			return nil, err
		}
	}
	for _, v := range f.Values {
		d, err := plancodec.EncodeDatum(v)
		if err != nil {
			return nil, err
		}
		m.Values = append(m.Values, d)
	}
	for _, w := range f.Bits {
		m.Bits = binary.LittleEndian.AppendUint64(m.Bits, w)
	}
	m.Bloom = make([]byte, 0, 8*len(f.Bloom))
	for _, w := range f.Bloom {
		m.Bloom = binary.LittleEndian.AppendUint64(m.Bloom, w)
	}
	return m, nil
}

func filterFromProto(m *pb.DynamicFilter) (*connectors.DynamicFilter, error) {
	f := &connectors.DynamicFilter{Empty: m.Empty}
	var err error
	if m.Min != nil {
		if f.Min, err = plancodec.DecodeDatum(m.Min); err != nil {
			return nil, err
		}
	}
	if m.Max != nil {
		if f.Max, err = plancodec.DecodeDatum(m.Max); err != nil {
			return nil, err
		}
	}
	for _, d := range m.Values {
		v, err := plancodec.DecodeDatum(d)
		if err != nil {
			return nil, err
		}
		f.Values = append(f.Values, v)
	}
	if err := bitsFromProto(f, m.Bits); err != nil {
		return nil, err
	}
	// A bloom filter is a power of two of blocks of 32 bytes.
	if n := len(m.Bloom); n%32 != 0 || bits.OnesCount(uint(n)) > 1 {
		return nil, fmt.Errorf("bloom filter of %d bytes", n)
	}
	for b := m.Bloom; len(b) > 0; b = b[8:] {
		f.Bloom = append(f.Bloom, binary.LittleEndian.Uint64(b))
	}
	return f, nil
}

// bitsFromProto reads the bits of a filter with bounds, of which there must be
// one for each value between them.
func bitsFromProto(f *connectors.DynamicFilter, b []byte) error {
	if len(b) == 0 {
		return nil
	}
	lo, ok := f.Min.(int64)
	hi, ok2 := f.Max.(int64)
	if !ok || !ok2 || lo > hi || len(b)%8 != 0 || uint64(hi-lo)/64 != uint64(len(b)/8-1) {
		return fmt.Errorf("%d bytes of bits for values from %v to %v", len(b), f.Min, f.Max)
	}
	for ; len(b) > 0; b = b[8:] {
		f.Bits = append(f.Bits, binary.LittleEndian.Uint64(b))
	}
	return nil
}
