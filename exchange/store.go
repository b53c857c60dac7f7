package exchange

import (
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"

	"github.com/tuttidb/tutti/exec/mem"
	"github.com/tuttidb/tutti/internal/qerr"
	"github.com/tuttidb/tutti/planner/plan"
)

// StoreConfig says how much a Store may keep, and where.
type StoreConfig struct {
	// Account is charged for frames in memory. The store asks nobody before it
	// fills it up to MemoryLimit, and moves frames to disk when an ancestor of
	// the account runs short.
	Account *mem.Account
	// MemoryLimit and DiskLimit are in bytes.
	MemoryLimit, DiskLimit int64
	// Dir is the directory for files, which belongs to the store alone: what it
	// finds there is removed. "" means that nothing goes to disk.
	Dir string
	Log *slog.Logger
}

// Store holds the outputs of a node's task attempts until they are released.
// It is safe for concurrent use.
type Store struct {
	cfg      StoreConfig
	disk     atomic.Int64
	files    atomic.Int64
	unlisten func()

	mu      sync.Mutex
	outputs map[plan.TaskID]*retained
	closed  bool
}

// Figures are what a Store holds now.
type Figures struct {
	// Outputs counts task attempts, Files those with a file.
	Outputs, Files int
	// MemoryBytes and DiskBytes are the sizes of frames.
	MemoryBytes, DiskBytes int64
}

// LostOutput says that an attempt's output, or the rest of it, cannot be had
// from the node that retained it, and will not be.
type LostOutput struct {
	// Task is the attempt.
	Task plan.TaskID
	// Reason is for people.
	Reason string
	// Err is the cause, if there is one.
	Err error
}

// Error names the attempt and the reason.
func (e *LostOutput) Error() string {
	if e.Err != nil {
		return fmt.Sprintf("output of task %s is lost: %s: %v", e.Task, e.Reason, e.Err)
	}
	return fmt.Sprintf("output of task %s is lost: %s", e.Task, e.Reason)
}

// Unwrap returns the cause.
func (e *LostOutput) Unwrap() error { return e.Err }

// NewStore returns an empty store, removing what an earlier process left in
// its directory.
func NewStore(cfg StoreConfig) (*Store, error) {
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	if cfg.Dir != "" {
		if err := wipe(cfg.Dir); err != nil {
			return nil, fmt.Errorf("prepare directory for retained outputs: %w", err)
		}
	}
	s := &Store{cfg: cfg, outputs: map[plan.TaskID]*retained{}}
	s.unlisten = cfg.Account.Register(s)
	return s, nil
}

// wipe makes dir exist and be empty.
func wipe(dir string) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	left, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	for _, e := range left {
		if err := os.RemoveAll(filepath.Join(dir, e.Name())); err != nil {
			return err
		}
	}
	return nil
}

// add makes room for a new attempt's output.
func (s *Store) add(id plan.TaskID, partitions int) (*retained, error) {
	r := newRetained(s, id, partitions)
	return r, s.put(r)
}

// put takes an output that has no frames yet.
func (s *Store) put(r *retained) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return errors.New("retained outputs: store is closed")
	}
	if s.outputs[r.id] != nil {
		return fmt.Errorf("retained outputs: task %s has one already", r.id)
	}
	s.outputs[r.id] = r
	return nil
}

func (s *Store) find(id plan.TaskID) *retained {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.outputs[id]
}

// alloc returns memory for a frame of n bytes: the store's own if it has room,
// else the producer's, from where the frame goes to disk.
func (s *Store) alloc(n int, producer *mem.Account) (buf *mem.Buf, stays bool, err error) {
	if s.cfg.Account.Used()+int64(n) <= s.cfg.MemoryLimit {
		if buf, err = s.cfg.Account.Alloc(n); err == nil {
			return buf, true, nil
		}
	}
	if s.cfg.Dir == "" {
		return nil, false, qerr.New(qerr.ExceededSpillLimit, "retained output: memory limit of %s reached, and there is no directory for files", DataSize(s.cfg.MemoryLimit))
	}
	buf, err = producer.Alloc(n)
	return buf, false, err
}

// reserve takes n bytes of the disk limit.
func (s *Store) reserve(n int64) error {
	if s.disk.Add(n) <= s.cfg.DiskLimit {
		return nil
	}
	s.disk.Add(-n)
	return qerr.New(qerr.ExceededSpillLimit, "retained output: disk limit of %s reached", DataSize(s.cfg.DiskLimit))
}

// path is the file of an attempt. A query's name may be anything.
func (s *Store) path(id plan.TaskID) string {
	name := url.PathEscape(string(id.Stage.Query))
	return filepath.Join(s.cfg.Dir, fmt.Sprintf("q-%s.%d.%d.%d", name, id.Stage.Fragment, id.Task, id.Attempt))
}

// Reclaim moves frames to disk because an account above the store's is full.
func (s *Store) Reclaim(want int64) int64 {
	if s.cfg.Dir == "" {
		return 0
	}
	freed := int64(0)
	for _, r := range s.all() {
		if freed += r.evict(want - freed); freed >= want {
			break
		}
	}
	return freed
}

func (s *Store) all() []*retained {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := make([]*retained, 0, len(s.outputs))
	for _, r := range s.outputs {
		out = append(out, r)
	}
	return out
}

// Figures returns what the store holds now.
func (s *Store) Figures() Figures {
	s.mu.Lock()
	n := len(s.outputs)
	s.mu.Unlock()
	return Figures{Outputs: n, Files: int(s.files.Load()), MemoryBytes: s.cfg.Account.Used(), DiskBytes: s.disk.Load()}
}

// Release frees one attempt's output. Those who read it get LostOutput.
func (s *Store) Release(id plan.TaskID) {
	s.mu.Lock()
	r := s.outputs[id]
	delete(s.outputs, id)
	s.mu.Unlock()
	if r != nil {
		r.release()
	}
}

// Delivered says that nobody will read the first rows of a streamed output
// again. Frames that have others as well stay.
func (s *Store) Delivered(id plan.TaskID, rows int64) {
	if r := s.find(id); r != nil {
		r.delivered(rows)
	}
}

// Dropped returns how many frames at the beginning of a streamed output are
// gone, and the rows in them; false: the whole output is.
func (s *Store) Dropped(id plan.TaskID) (frames, rows int64, ok bool) {
	r := s.find(id)
	if r == nil {
		return 0, 0, false
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.parts[0].dropped, r.parts[0].droppedRows, r.gone == nil
}

// ReleaseQuery frees all outputs of a query.
func (s *Store) ReleaseQuery(q plan.QueryID) {
	s.releaseAll(func(id plan.TaskID) bool { return id.Stage.Query == q })
}

func (s *Store) releaseAll(which func(plan.TaskID) bool) {
	var gone []*retained
	s.mu.Lock()
	for id, r := range s.outputs {
		if which(id) {
			gone = append(gone, r)
			delete(s.outputs, id)
		}
	}
	s.mu.Unlock()
	for _, r := range gone {
		r.release()
	}
}

// Close releases everything and takes no new outputs.
func (s *Store) Close() {
	s.mu.Lock()
	s.closed = true
	s.mu.Unlock()
	s.releaseAll(func(plan.TaskID) bool { return true })
	s.unlisten()
}

// DataSize prints a number of bytes the way Trino does: 1GB, 953.67MB.
func DataSize(n int64) string {
	units := []string{"B", "kB", "MB", "GB", "TB", "PB"}
	x, u := float64(n), 0
	for x >= 1024 && u < len(units)-1 {
		x /= 1024
		u++
	}
	if x == float64(int64(x)) {
		return fmt.Sprintf("%d%s", int64(x), units[u])
	}
	return fmt.Sprintf("%.2f%s", x, units[u])
}
