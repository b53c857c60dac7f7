package exchange

import (
	"context"
	"errors"
	"fmt"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/tuttidb/tutti/exec/mem"
	"github.com/tuttidb/tutti/planner/plan"
	pb "github.com/tuttidb/tutti/proto/tutti/v1"
)

// streamState says whether a stream's goroutine runs.
type streamState uint8

const (
	idle streamState = iota
	fetching
	ended // all frames are there, or err says why not
)

// stream fetches one producer attempt's partition. Its fields are guarded by
// the reading's mu.
type stream struct {
	r         *reading
	id        plan.TaskID
	address   string
	committed bool
	want      PartitionEnd // by the commit
	skipped   PartitionEnd // read by another reader, and not wanted here

	state  streamState
	eager  bool // runs on an uncommitted attempt's share
	early  bool // began before the commit
	moved  bool // stopped, to go on at another address
	cancel context.CancelFunc
	queue  []*arrived
	got    PartitionEnd // received
	end    PartitionEnd // by the producer
	fed    int          // frames given to operators
	err    error
	gone   bool // dropped: what arrives is not wanted
	forgot bool // lost, and another attempt, or address, is waited for
}

// arrived is a frame in a stream's queue, ready to be decoded.
type arrived struct {
	Frame
	trusted bool
	size    int64
	free    func()
	r       *reading
}

// release gives the frame's memory and credit back.
func (a *arrived) release() {
	a.free()
	a.r.in.credit.give(a.size)
}

func newStream(r *reading, id plan.TaskID, src *pb.Source) *stream {
	s := &stream{r: r, id: id}
	s.skipped = PartitionEnd{Frames: src.SkippedFrames, Rows: src.SkippedRows}
	s.got = s.skipped
	s.name(src)
	return s
}

// name takes what the coordinator says about the attempt. A stream that
// failed before the attempt was committed, or at another address, tries again, as
// does one that waits for word, whatever it is; one that fetches from another address goes on at the new one.
func (s *stream) name(src *pb.Source) {
	if s.gone {
		return
	}
	moved, committed := src.Address != s.address, src.Committed && !s.committed
	s.address = src.Address
	if committed {
		s.committed = true
		s.want = PartitionEnd{Frames: src.Frames, Rows: src.Rows}
		if s.eager {
			s.eager = false
			s.r.eager--
		}
	}
	switch {
	case moved && s.state == fetching:
		s.moved = true
		s.cancel()
	case (moved || committed || s.forgot && src.Committed) && s.state == ended && s.err != nil:
		s.again()
	}
	if committed {
		s.tellRead()
	}
}

// again has a stream that failed fetch what it has not. One that has given away
// what it had, of which nothing was read, begins anew.
func (s *stream) again() {
	s.state, s.err, s.end = idle, nil, PartitionEnd{}
	if s.forgot {
		s.forgot, s.got = false, s.skipped
	}
}

// tellRead tells whoever asked for it that the committed output is all here.
func (s *stream) tellRead() {
	if read := s.r.in.cfg.Read; read != nil && s.committed && s.finished() && !s.gone && s.check() == nil {
		read(s.id)
	}
}

func (s *stream) sameTask(o *stream) bool { return o.id.Stage == s.id.Stage && o.id.Task == s.id.Task }

// finished reports whether everything was received well.
func (s *stream) finished() bool { return s.state == ended && s.err == nil }

// check compares what came with what the producer and the commit say.
func (s *stream) check() error {
	if s.got.Frames != s.end.Frames || s.got.Rows != s.end.Rows {
		return &LostOutput{Task: s.id, Reason: fmt.Sprintf("%d frames with %d rows came of %d with %d", s.got.Frames, s.got.Rows, s.end.Frames, s.end.Rows)}
	}
	if s.got.Frames != s.want.Frames || s.got.Rows != s.want.Rows {
		return &LostOutput{Task: s.id, Reason: fmt.Sprintf("%d frames with %d rows came, %d with %d were committed", s.got.Frames, s.got.Rows, s.want.Frames, s.want.Rows)}
	}
	return nil
}

// start starts the fetching goroutine.
func (s *stream) start() {
	s.state = fetching
	s.early, s.moved = !s.committed, false
	s.r.running++
	if !s.committed {
		s.eager = true
		s.r.eager++
	}
	ctx, cancel := context.WithCancel(s.r.in.ctx)
	s.cancel = cancel
	s.r.in.wg.Go(func() {
		err := s.fetch(ctx)
		cancel()
		s.finish(err)
	})
}

func (s *stream) finish(err error) {
	r := s.r
	r.mu.Lock()
	defer r.mu.Unlock()
	s.state, s.err = ended, err
	if err != nil && !s.gone && (s.moved || s.committed && s.early) {
		// It was told where else to go; or it may have looked before there was an
		// output to see, and the commit says that there is one now.
		s.again()
	}
	r.running--
	if s.eager {
		s.eager = false
		r.eager--
	}
	s.tellRead()
	if r.err == nil {
		if s.err != nil && s.committed && !s.gone && !s.forgo() {
			r.fail(s.err)
		}
		r.start()
	}
	r.changed()
}

// forgo reports whether the stream, which has failed, can wait for another
// attempt to be named, and tells whoever asked for it. The caller holds the
// reading's mu.
func (s *stream) forgo() bool {
	var lost *LostOutput
	if s.forgot {
		return true
	}
	if s.r.in.cfg.Lost == nil || s.fed > 0 || !errors.As(s.err, &lost) {
		return false
	}
	for _, f := range s.queue {
		f.release()
	}
	s.queue, s.forgot = nil, true
	s.r.in.cfg.Lost(s.id, s.err)
	return true
}

// drop gives the stream up. The caller holds the reading's mu.
func (s *stream) drop() {
	s.gone = true
	if s.cancel != nil {
		s.cancel()
	}
	for _, f := range s.queue {
		f.release()
	}
	s.queue = nil
	if s.state == idle {
		s.state = ended
	}
}

// fetch receives all frames. Frames do not change, so after an error of the
// transport it goes on where it was.
func (s *stream) fetch(ctx context.Context) error {
	giveUp := time.Time{}
	for pause := 20 * time.Millisecond; ; pause = min(2*pause, 500*time.Millisecond) {
		before := s.got.Frames
		err := s.attempt(ctx)
		if err == nil || ctx.Err() != nil {
			return err
		}
		if !transient(err) {
			return s.lost(err)
		}
		now := time.Now()
		if giveUp.IsZero() || s.got.Frames > before {
			giveUp = now.Add(s.r.in.cfg.Retry)
		} else if now.After(giveUp) {
			return s.lost(err)
		}
		s.r.in.cfg.Log.Debug("fetch output again", "task", s.id.String(), "error", err)
		if err := sleep(ctx, pause); err != nil {
			return err
		}
	}
}

func sleep(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// transient reports whether the same may work in a moment.
func transient(err error) bool {
	var full *mem.LimitError
	return errors.As(err, &full) || status.Code(err) == codes.Unavailable
}

// lost types the error of a stream that is given up.
func (s *stream) lost(err error) error {
	var lost *LostOutput
	var full *mem.LimitError
	if errors.As(err, &lost) || errors.As(err, &full) {
		return err
	}
	if lost := lostBy(s.id, err); lost != nil {
		return lost
	}
	reason := "its node does not answer"
	if status.Code(err) != codes.Unavailable {
		reason = "its node refuses"
	}
	return &LostOutput{Task: s.id, Reason: reason, Err: err}
}

// attempt fetches until the end or the first error.
func (s *stream) attempt(ctx context.Context) error {
	s.r.mu.Lock()
	address := s.address
	s.r.mu.Unlock()
	if address == "" || address == s.r.in.cfg.Self {
		return s.fetchLocal(ctx)
	}
	return s.fetchFlight(ctx, address)
}

// fetchLocal takes frames from the store of the same process.
func (s *stream) fetchLocal(ctx context.Context) error {
	if s.r.in.cfg.Store == nil {
		return &LostOutput{Task: s.id, Reason: "this node keeps no outputs"}
	}
	rd, err := s.r.in.cfg.Store.Open(s.id, s.r.partition(), s.got.Frames)
	if err != nil {
		return err
	}
	for {
		if err := s.room(ctx); err != nil {
			return err
		}
		h, err := rd.Next(ctx, s.r.account)
		if err != nil {
			return err
		}
		if h == nil {
			s.end = rd.End()
			return nil
		}
		if err := s.arriveLocal(h, rd.Foreign()); err != nil {
			return err
		}
	}
}

// arriveLocal takes a frame of the same process. One that came from another node
// it takes as if it came from there now: checking it may change it, while others
// read it.
func (s *stream) arriveLocal(h *Held, foreign bool) error {
	if !foreign {
		return s.arrive(h.Frame, h.Release, true)
	}
	defer h.Release()
	buf, err := s.r.account.Alloc(len(h.Body))
	if err != nil {
		return err
	}
	copy(buf.B, h.Body)
	return s.arrive(Frame{Header: h.Header, Body: buf.B, Rows: h.Rows}, buf.Release, false)
}

// room waits until the task may receive more. A stream may always have one
// frame, so that none waits for another's to be read.
func (s *stream) room(ctx context.Context) error {
	for {
		full := s.r.in.credit.full()
		s.r.mu.Lock()
		if full != nil && s.r.in.cfg.FeedWhenFull && !s.r.feeding {
			s.r.feeding = true
			s.r.changed()
		}
		queued, news := len(s.queue), s.r.news
		s.r.mu.Unlock()
		if full == nil || queued == 0 {
			return nil
		}
		select {
		case <-full:
		case <-news:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// arrive puts a frame into the queue, which owns it from then on.
func (s *stream) arrive(f Frame, free func(), trusted bool) error {
	rows := int64(f.Rows)
	if !trusted {
		var err error
		if rows, err = rowsOf(f.Header); err != nil {
			free()
			return fmt.Errorf("frame of task %s: %w", s.id, err)
		}
	}
	if !trusted || isCompressed(f.Header) {
		plain, buf, err := decompress(f, s.r.account)
		if err != nil {
			free()
			return err
		}
		if buf != nil {
			free()
			f, free = plain, buf.Release
		}
	}
	a := &arrived{Frame: f, trusted: trusted, size: int64(len(f.Body)), free: free, r: s.r}
	r := s.r
	r.in.bytes.Add(a.size)
	r.in.credit.take(a.size)
	r.mu.Lock()
	defer r.mu.Unlock()
	s.got.Frames++
	s.got.Rows += rows
	if s.gone {
		a.release()
		return context.Canceled
	}
	s.queue = append(s.queue, a)
	r.changed()
	return nil
}

func isCompressed(header []byte) bool {
	var m recordMeta
	return m.unmarshal(header) == nil && m.codec >= 0
}

// fetchFlight receives frames from another node.
func (s *stream) fetchFlight(ctx context.Context, address string) error {
	ctx, cancel := context.WithCancel(ctx) // ends the stream when we stop early
	defer cancel()
	d, err := doGet(ctx, s.r.in.cfg.Conns, s.r.in.cfg.Auth, address,
		&pb.Ticket{Task: TaskToProto(s.id), Partition: int32(s.r.partition()), FromFrame: s.got.Frames})
	if err != nil {
		return err
	}
	for {
		if err := s.room(ctx); err != nil {
			return err
		}
		m := &incoming{account: s.r.account}
		if err := d.receive(m); err != nil {
			return err
		}
		if m.atEnd {
			m.body.Release()
			s.end, err = endOf(m.end)
			return err
		}
		if m.body == nil {
			return fmt.Errorf("frame of task %s without body", s.id)
		}
		if err := s.arrive(Frame{Header: m.header, Body: m.body.B[:m.n]}, m.body.Release, false); err != nil {
			return err
		}
	}
}
