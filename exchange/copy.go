package exchange

import (
	"context"
	"errors"
	"fmt"

	"github.com/tuttidb/tutti/exec/mem"
	"github.com/tuttidb/tutti/planner/plan"
	pb "github.com/tuttidb/tutti/proto/tutti/v1"
)

// CopyConfig says which output is copied, and from where.
type CopyConfig struct {
	// Task is the attempt, which has ended.
	Task plan.TaskID
	// Address is that of a node which retains its output.
	Address string
	// Ends are what was committed, for each partition. Their bytes are not
	// looked at.
	Ends []PartitionEnd
	// Account pays for a frame on its way to disk, when the store's memory is
	// full.
	Account *mem.Account
	Conns   *Conns
	Auth    *Auth
}

// Copy retains the output that another node retains, under the same name and
// frame by frame as it is there: a spare for readers, who may go on in it
// wherever they were. Nobody can read it before all of it has come, and is what
// was committed; if that fails, nothing is kept. If the store has such an output
// there is nothing to do; while it is still being made, by a task or by another
// Copy, Copy fails. Release frees the copy, also one that is being made.
func (s *Store) Copy(ctx context.Context, cfg CopyConfig) error {
	if err := cfg.check(); err != nil {
		return err
	}
	if s.find(cfg.Task) != nil {
		return s.Whole(cfg.Task, cfg.Ends)
	}
	r := newRetained(s, cfg.Task, len(cfg.Ends))
	r.foreign = true
	if err := s.put(r); err != nil {
		return err
	}
	if err := r.fill(ctx, &cfg); err != nil {
		s.discard(r)
		if lost := lostBy(cfg.Task, err); lost != nil {
			err = lost
		}
		return fmt.Errorf("copy output of task %s from %s: %w", cfg.Task, cfg.Address, err)
	}
	return nil
}

func (cfg *CopyConfig) check() error {
	if len(cfg.Ends) == 0 {
		return fmt.Errorf("copy of task %s without partitions", cfg.Task)
	}
	for p, e := range cfg.Ends {
		if e.Frames < 0 || e.Rows < 0 {
			return fmt.Errorf("copy of task %s: partition %d with %d frames and %d rows", cfg.Task, p, e.Frames, e.Rows)
		}
	}
	return nil
}

// Whole returns an error unless the store has an attempt's output that has ended,
// was not streamed, and is what was committed.
func (s *Store) Whole(id plan.TaskID, committed []PartitionEnd) error {
	r := s.find(id)
	if r == nil {
		return &LostOutput{Task: id, Reason: "the node does not have it"}
	}
	return r.isWhole(committed)
}

// isWhole returns an error unless the output has ended, all of it is there and it
// has what was committed.
func (r *retained) isWhole(want []PartitionEnd) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	switch {
	case r.gone != nil:
		return r.gone
	case !r.sealed:
		return fmt.Errorf("retained outputs: that of task %s is still being made", r.id)
	case r.flow != nil:
		return fmt.Errorf("retained outputs: that of task %s is streamed", r.id)
	case len(want) != len(r.parts):
		return fmt.Errorf("retained outputs: that of task %s has %d partitions, not %d", r.id, len(r.parts), len(want))
	}
	for i := range r.parts {
		if err := same(i, r.parts[i].end, want[i]); err != nil {
			return err
		}
	}
	return nil
}

// same returns an error unless a partition is what was committed.
func same(part int, got, want PartitionEnd) error {
	if got.Frames != want.Frames || got.Rows != want.Rows {
		return fmt.Errorf("partition %d has %d frames with %d rows, %d with %d were committed", part, got.Frames, got.Rows, want.Frames, want.Rows)
	}
	return nil
}

// fill fetches all partitions, and seals the output.
func (r *retained) fill(ctx context.Context, cfg *CopyConfig) error {
	for part, want := range cfg.Ends {
		if want.Frames == 0 { // most, of a task that found little
			if err := same(part, PartitionEnd{}, want); err != nil {
				return err
			}
			continue
		}
		if err := r.fillPart(ctx, cfg, part, want); err != nil {
			return err
		}
	}
	if err := ctx.Err(); err != nil {
		return err // who released it before it was here has canceled first
	}
	_, err := r.seal()
	return err
}

// fillPart fetches a partition.
func (r *retained) fillPart(ctx context.Context, cfg *CopyConfig, part int, want PartitionEnd) error {
	ctx, cancel := context.WithCancel(ctx) // ends the stream when we stop early
	defer cancel()
	d, err := doGet(ctx, cfg.Conns, cfg.Auth, cfg.Address, &pb.Ticket{Task: TaskToProto(r.id), Partition: int32(part)})
	if err != nil {
		return err
	}
	for got := (PartitionEnd{}); ; {
		m, stays := &incoming{}, false
		m.alloc = func(n int) (buf *mem.Buf, err error) {
			buf, stays, err = r.store.alloc(n, cfg.Account)
			return buf, err
		}
		if err := d.receive(m); err != nil {
			return err
		}
		if m.atEnd {
			m.body.Release()
			if got, err = endOf(m.end); err != nil {
				return err
			}
			return errors.Join(same(part, got, want), same(part, r.figures(part), want))
		}
		if got.Frames++; got.Frames > want.Frames {
			m.body.Release()
			return fmt.Errorf("partition %d has more than the %d frames that were committed", part, want.Frames)
		}
		if err := r.take(part, m, stays); err != nil {
			return err
		}
	}
}

// figures returns what has come of a partition.
func (r *retained) figures(part int) PartitionEnd {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.parts[part].end
}

// take retains a frame that came from another node, as it is: its readers look
// at its content.
func (r *retained) take(part int, m *incoming, stays bool) error {
	if m.body == nil {
		return errors.New("frame without body")
	}
	rows, err := rowsOf(m.header)
	if err != nil {
		m.body.Release()
		return err
	}
	return r.append(part, m.header, int(rows), m.body, stays)
}

// rowsOf returns the rows that a frame from another node says it has.
func rowsOf(header []byte) (int64, error) {
	var m recordMeta
	if err := m.unmarshal(header); err != nil {
		return 0, err
	}
	if m.rows < 0 || m.rows > maxFrameRows {
		return 0, fmt.Errorf("malformed frame: %d rows", m.rows)
	}
	return m.rows, nil
}

// discard frees an output, unless another one has taken its place already.
func (s *Store) discard(r *retained) {
	s.mu.Lock()
	if s.outputs[r.id] == r {
		delete(s.outputs, r.id)
	}
	s.mu.Unlock()
	r.release()
}
