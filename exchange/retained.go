package exchange

import (
	"context"
	"errors"
	"fmt"
	"os"
	"sync"
	"syscall"

	"github.com/tuttidb/tutti/exec/mem"
	"github.com/tuttidb/tutti/internal/qerr"
	"github.com/tuttidb/tutti/planner/plan"
)

// retained is the output of one attempt: a list of frames for each partition,
// which grows until it is sealed.
type retained struct {
	store *Store
	id    plan.TaskID

	flow   *flow // of an output that is streamed; else nil
	keeps  bool  // what was sent stays until it is delivered
	mu     sync.Mutex
	parts  []partition
	sealed bool // no more frames will come
	// foreign says that the frames come from another node: they are a copy, which
	// is not read before it is sealed, and whose content nobody has checked.
	foreign bool
	gone    error // released or given up: nothing can be read
	file    *os.File
	end     int64 // of the file
	// next and nextFrame are where evict goes on looking for frames in memory.
	next, nextFrame int
}

// partition is a list of frames and who waits for the next one.
type partition struct {
	frames []*frame
	news   chan struct{} // closed and replaced by the next frame or the end
	end    PartitionEnd
	// Of a streamed output: frames taken for the first time so far, those of
	// them that were dropped, and the bytes between the two.
	taken, dropped int64
	kept           int64
	// droppedRows are the rows in the frames that were dropped.
	droppedRows int64
}

// PartitionEnd counts what an attempt put into a partition. Bytes are those
// of frames in memory.
type PartitionEnd struct{ Frames, Rows, Bytes int64 }

// frame is a retained frame. Its fields are guarded by retained.mu.
type frame struct {
	header []byte
	rows   int
	size   int
	buf    *mem.Buf // nil: on disk
	off    int64    // in the file; -1: not there
	refs   int      // readers of buf
	busy   bool     // being written to the file
	gone   bool     // released: free buf when nobody reads it
}

func newRetained(s *Store, id plan.TaskID, partitions int) *retained {
	r := &retained{store: s, id: id, parts: make([]partition, partitions)}
	for i := range r.parts {
		r.parts[i].news = make(chan struct{})
	}
	return r
}

// append adds a frame to a partition and owns buf from then on, also if it
// fails. stays says that the store's account pays for buf.
func (r *retained) append(part int, header []byte, rows int, buf *mem.Buf, stays bool) error {
	f := &frame{header: header, rows: rows, size: len(buf.B), buf: buf, off: -1}
	if !stays {
		off, err := r.write(buf.B)
		buf.Release()
		if err != nil {
			return err
		}
		f.buf, f.off = nil, off
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.gone != nil {
		f.buf.Release()
		if f.off >= 0 {
			r.store.disk.Add(-int64(f.size))
		}
		return r.gone
	}
	p := &r.parts[part]
	p.frames = append(p.frames, f)
	p.end.Frames++
	p.end.Rows += int64(rows)
	p.end.Bytes += int64(f.size)
	p.wake()
	r.flow.add(int64(f.size))
	return nil
}

// sent notes that frame at of a streamed output was taken by its reader, and
// drops those that it surely has. The caller holds mu.
func (r *retained) sent(p *partition, at int64) {
	if r.flow == nil || r.keeps || at < p.taken {
		return
	}
	n := int64(p.frames[at].size)
	p.taken, p.kept = at+1, p.kept+n
	for p.kept-int64(p.frames[p.dropped].size) >= keepSent {
		p.kept -= int64(p.drop().size)
	}
	r.flow.add(-n)
}

// drop frees the first frame that was not dropped. The caller holds the
// output's mu.
func (p *partition) drop() *frame {
	f := p.frames[p.dropped]
	p.dropped++
	p.droppedRows += int64(f.rows)
	f.gone = true
	f.settle()
	return f
}

// delivered drops the frames of a streamed output whose rows, all of them, are
// among the first rows.
func (r *retained) delivered(rows int64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.gone != nil || !r.keeps {
		return
	}
	p, n := &r.parts[0], int64(0)
	for p.dropped < int64(len(p.frames)) && p.droppedRows+int64(p.frames[p.dropped].rows) <= rows {
		n += int64(p.drop().size)
	}
	if n > 0 {
		r.flow.add(-n)
	}
}

// wake wakes who waits for the partition. The caller holds mu.
func (p *partition) wake() {
	close(p.news)
	p.news = make(chan struct{})
}

// write appends a body to the attempt's file and returns where it lies.
func (r *retained) write(b []byte) (int64, error) {
	if err := r.store.reserve(int64(len(b))); err != nil {
		return 0, err
	}
	file, off, err := r.extend(int64(len(b)))
	if err == nil {
		_, err = file.WriteAt(b, off)
	}
	if err != nil {
		// The place in the file stays empty; the attempt is about to fail.
		r.store.disk.Add(-int64(len(b)))
		return 0, diskError(err)
	}
	return off, nil
}

// extend opens the file if need be and takes the next n bytes of it.
func (r *retained) extend(n int64) (*os.File, int64, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.gone != nil {
		return nil, 0, r.gone
	}
	if r.file == nil {
		f, err := os.OpenFile(r.store.path(r.id), os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600)
		if err != nil {
			return nil, 0, err
		}
		r.file = f
		r.store.files.Add(1)
	}
	off := r.end
	r.end += n
	return r.file, off, nil
}

func diskError(err error) error {
	var known *qerr.Error
	var lost *LostOutput
	switch {
	case errors.As(err, &known), errors.As(err, &lost):
		return err
	case errors.Is(err, syscall.ENOSPC), errors.Is(err, syscall.EDQUOT):
		return qerr.Wrap(qerr.OutOfSpillSpace, err, "retained output: disk is full")
	}
	return qerr.Wrap(qerr.OutOfSpillSpace, err, "retained output")
}

// seal says that no more frames will come, and returns the figures.
func (r *retained) seal() ([]PartitionEnd, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.gone != nil {
		return nil, r.gone
	}
	r.sealed = true
	ends := make([]PartitionEnd, len(r.parts))
	for i := range r.parts {
		ends[i] = r.parts[i].end
		r.parts[i].wake()
	}
	return ends, nil
}

// release frees everything and wakes those who wait.
func (r *retained) release() {
	r.mu.Lock()
	if r.gone != nil {
		r.mu.Unlock()
		return
	}
	r.gone = &LostOutput{Task: r.id, Reason: "it was released"}
	r.flow.add(-1 << 60) // whoever waits fails at the next frame
	onDisk := int64(0)
	for i := range r.parts {
		p := &r.parts[i]
		for _, f := range p.frames {
			if f.off >= 0 {
				onDisk += int64(f.size)
			}
			f.gone = true
			f.settle()
		}
		p.frames = nil
		p.wake()
	}
	file := r.file
	r.mu.Unlock()
	r.store.disk.Add(-onDisk)
	if file == nil {
		return
	}
	// Unlinked first: what is read or written at this moment ends by itself.
	if err := errors.Join(os.Remove(file.Name()), file.Close()); err != nil {
		r.store.cfg.Log.Error("remove retained output", "task", r.id.String(), "error", err)
	}
	r.store.files.Add(-1)
}

// settle frees the frame's memory if nobody needs it. The caller holds mu.
func (f *frame) settle() {
	if f.buf != nil && f.refs == 0 && !f.busy && (f.gone || f.off >= 0) {
		f.buf.Release()
		f.buf = nil
	}
}

// evict moves frames that nobody reads to disk until want bytes are free, and
// returns how many it freed.
func (r *retained) evict(want int64) int64 {
	freed := int64(0)
	for freed < want {
		f := r.victim()
		if f == nil {
			break
		}
		n := int64(f.buf.Cap())
		off, err := r.write(f.buf.B)
		r.mu.Lock()
		f.busy = false
		if err == nil && f.gone {
			r.store.disk.Add(-int64(f.size)) // release did not see it
		} else if err == nil {
			f.off = off
		}
		f.settle()
		if f.buf != nil {
			n = 0
		}
		r.mu.Unlock()
		freed += n
		if err != nil {
			r.store.cfg.Log.Warn("move retained output to disk", "task", r.id.String(), "error", err)
			break
		}
	}
	return freed
}

// victim returns a frame in memory and marks it busy; nil: there is none.
func (r *retained) victim() *frame {
	r.mu.Lock()
	defer r.mu.Unlock()
	for range len(r.parts) + 1 { // back to where it began, whose first frames come last
		frames := r.parts[r.next].frames
		for ; r.nextFrame < len(frames); r.nextFrame++ {
			if f := frames[r.nextFrame]; f.buf != nil && f.refs == 0 && !f.busy && f.off < 0 {
				f.busy = true
				return f
			}
		}
		r.next, r.nextFrame = (r.next+1)%len(r.parts), 0
	}
	return nil
}

// Reader reads the frames of one partition of an attempt in order.
type Reader struct {
	r    *retained
	part int
	at   int64
}

// Open returns a reader of a partition from a frame on.
func (s *Store) Open(id plan.TaskID, part int, from int64) (*Reader, error) {
	r := s.find(id)
	if r == nil {
		return nil, &LostOutput{Task: id, Reason: "the node does not have it"}
	}
	if part < 0 || part >= len(r.parts) || from < 0 {
		return nil, fmt.Errorf("task %s has %d partitions: frame %d of partition %d", id, len(r.parts), from, part)
	}
	if r.isPending() {
		return nil, &LostOutput{Task: id, Reason: "the node does not have all of it yet"}
	}
	return &Reader{r: r, part: part, at: from}, nil
}

// isPending reports whether the output is a copy that is being made.
func (r *retained) isPending() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.foreign && !r.sealed && r.gone == nil
}

// Foreign says that the frames come from another node: they are to be checked, in
// memory of the reader's own, before they are used.
func (r *Reader) Foreign() bool { return r.r.foreign }

// Held is a frame that somebody uses. Release must be called once.
type Held struct {
	Frame
	free func()
}

// Release says that the frame's bytes are not used any more.
func (h *Held) Release() {
	if h.free != nil {
		h.free()
		h.free = nil
	}
}

// Next returns the next frame, waiting for it while the attempt runs, or nil
// at the end. A frame on disk is read into memory that account pays for.
func (r *Reader) Next(ctx context.Context, account *mem.Account) (*Held, error) {
	for {
		f, news, err := r.take()
		if err != nil {
			return nil, err
		}
		if f != nil {
			return r.hold(f, account)
		}
		if news == nil {
			return nil, nil
		}
		select {
		case <-news:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

// take returns the next frame with a reference to its memory; or what to wait
// for; or neither at the end.
func (r *Reader) take() (*frame, <-chan struct{}, error) {
	o := r.r
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.gone != nil {
		return nil, nil, o.gone
	}
	p := &o.parts[r.part]
	if r.at < p.dropped {
		return nil, nil, &LostOutput{Task: o.id, Reason: "it was dropped when it had been sent"}
	}
	if r.at < int64(len(p.frames)) {
		f := p.frames[r.at]
		o.sent(p, r.at)
		r.at++
		if f.buf != nil {
			f.refs++
		}
		return f, nil, nil
	}
	if !o.sealed {
		return nil, p.news, nil
	}
	if r.at > int64(len(p.frames)) {
		return nil, nil, fmt.Errorf("task %s: frame %d of partition %d, which has %d", o.id, r.at, r.part, len(p.frames))
	}
	return nil, nil, nil
}

// hold makes a frame that take returned ready for use.
func (r *Reader) hold(f *frame, account *mem.Account) (*Held, error) {
	o := r.r
	h := &Held{Frame: Frame{Header: f.header, Rows: f.rows}}
	o.mu.Lock()
	if f.buf != nil && f.refs > 0 {
		h.Body = f.buf.B
		o.mu.Unlock()
		h.free = func() {
			o.mu.Lock()
			defer o.mu.Unlock()
			f.refs--
			f.settle()
		}
		return h, nil
	}
	file, off := o.file, f.off
	o.mu.Unlock()
	buf, err := account.Alloc(f.size)
	if err != nil {
		return nil, err
	}
	if _, err := file.ReadAt(buf.B, off); err != nil {
		buf.Release()
		return nil, &LostOutput{Task: o.id, Reason: "its file cannot be read", Err: err}
	}
	h.Body, h.free = buf.B, buf.Release
	return h, nil
}

// End returns the partition's figures; it is called after the last frame.
func (r *Reader) End() PartitionEnd {
	r.r.mu.Lock()
	defer r.r.mu.Unlock()
	return r.r.parts[r.part].end
}
