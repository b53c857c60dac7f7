package lake

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/tuttidb/tutti/connectors"
	"github.com/tuttidb/tutti/connectors/lake/parquet"
	"github.com/tuttidb/tutti/connectors/objstore"
	"github.com/tuttidb/tutti/exec/kernel"
	"github.com/tuttidb/tutti/exec/mem"
	"github.com/tuttidb/tutti/exec/vector"
	"github.com/tuttidb/tutti/internal/qerr"
)

// How far a source opens files before their turn: so many files, of so many
// bytes in all. An object store takes tens of milliseconds for a footer and
// again for the first ranges; a local file takes neither.
const (
	aheadFiles      = 16
	aheadFilesLocal = 2
	aheadBytes      = 32 << 20
)

// source reads the files of a split one after the other. While one is decoded,
// the next ones are opened and their first row groups fetched, by goroutines
// that end with the source. What they hold is in the account, and is given up
// before memory is refused to the file that is being read.
type source struct {
	l      *Lake
	scan   *connectors.Scan
	env    *connectors.Env
	handle handle
	bucket objstore.Bucket
	ctx    context.Context // of everything done ahead: ends with Close
	cancel context.CancelFunc

	fetcher *parquet.Fetcher
	files   []splitFile // not begun
	queue   []*opening  // begun, in order
	ahead   int         // how many of them there may be
	cur     *parquet.Reader
	left    int64 // rows that are still wanted; -1: all
	stats   connectors.SourceStats
	done    bool
	failed  error
}

// opening is a file that is being opened. The fields below done are set when
// it is closed.
type opening struct {
	file   splitFile
	ended  context.Context
	cancel context.CancelFunc
	// given says that what was done ahead was given up.
	given  bool
	done   chan struct{}
	reader *parquet.Reader
	err    error
}

// Open implements connectors.Connector. It begins to open the split's files and
// returns at once: errors come with Next.
func (l *Lake) Open(ctx context.Context, scan *connectors.Scan, split connectors.Split, env *connectors.Env) (connectors.Source, error) {
	h, err := decodeHandle(scan.Handle)
	if err != nil {
		return nil, err
	}
	info, err := decodeSplit(split.Payload)
	if err != nil {
		return nil, err
	}
	loc, err := objstore.ParseLocation(h.Root)
	if err != nil {
		return nil, err
	}
	bucket, _, err := l.opener.Open(ctx, loc)
	if err != nil {
		return nil, err
	}
	options, ahead := reading(loc)
	s := &source{
		l: l, scan: scan, env: env, handle: h, bucket: bucket, files: info.Files, left: scan.Limit,
		fetcher: parquet.NewFetcher(env.Account, options), ahead: ahead,
	}
	if s.left >= 0 && scan.Predicate == nil {
		s.ahead = 1 // more files are rarely needed
	}
	s.ctx, s.cancel = context.WithCancel(context.Background())
	s.openAhead()
	return s, nil
}

// reading returns how to read from a store: of a local file, bytes that nobody
// wants cost more than another read; of an object store, the other way round.
func reading(loc objstore.Location) (fetch objstore.FetchOptions, ahead int) {
	if loc.Scheme == objstore.SchemeFile {
		return objstore.FetchOptions{Gap: 16 << 10, Target: 4 << 20, Requests: 2, Ahead: 32 << 20}, aheadFilesLocal
	}
	return objstore.FetchOptions{Requests: aheadFiles}, aheadFiles
}

// openAhead begins to open more files, as far as it is allowed.
func (s *source) openAhead() {
	var bytes int64
	for _, o := range s.queue {
		bytes += o.file.To - o.file.From
	}
	for len(s.files) > 0 {
		next := &s.files[0]
		bytes += next.To - next.From
		if n := len(s.queue); n > 0 && (n >= s.ahead || bytes > aheadBytes) {
			return
		}
		o := &opening{file: *next, done: make(chan struct{})}
		s.queue, s.files = append(s.queue, o), s.files[1:]
		o.ended, o.cancel = context.WithCancel(s.ctx)
		go func() {
			defer close(o.done)
			if o.reader, o.err = s.open(o.ended, &o.file); o.err == nil {
				o.reader.Prefetch()
			}
		}()
	}
}

// open opens a file: its footer and what reads it.
func (s *source) open(ctx context.Context, file *splitFile) (*parquet.Reader, error) {
	f, err := s.l.deps.Footers.Open(ctx, s.bucket, file.object())
	if err != nil {
		return nil, err
	}
	cfg := parquet.Config{
		File: f, Bucket: s.bucket, Object: file.object(), From: file.From, To: file.To,
		Predicate: s.scan.Predicate, Hint: s.scan.Hint, Dynamic: s.scan.Dynamic, Filter: s.env.Dynamic,
		Account: s.env.Account, BatchRows: s.env.BatchRows, Codecs: s.l.deps.Codecs, Session: kernel.Session{},
		Fetcher: s.fetcher, GiveUp: s.giveUp, Context: ctx, Limit: max(s.scan.Limit, 0),
	}
	if cfg.Columns, err = mapColumns(s.scan, &s.handle, file, f); err != nil {
		return nil, err
	}
	return parquet.NewReader(cfg)
}

// Next implements connectors.Source.
func (s *source) Next(ctx context.Context) (*vector.Batch, error) {
	if s.done || s.failed != nil {
		return nil, s.failed
	}
	b, err := s.next(ctx)
	switch {
	case err != nil:
		s.failed = s.explain(err)
		return nil, s.failed
	case b == nil:
		s.done = true
		_ = s.closeAll() // every row has been read
	case s.left >= 0:
		s.left = max(s.left-int64(b.Rows()), 0)
	}
	return b, nil
}

func (s *source) next(ctx context.Context) (*vector.Batch, error) {
	for s.left != 0 {
		if s.cur == nil {
			if more, err := s.turn(ctx); err != nil || !more {
				return nil, err
			}
		}
		b, err := s.cur.Next(ctx)
		if b != nil || err != nil {
			return b, err
		}
		if err := s.endFile(); err != nil {
			return nil, err
		}
	}
	return nil, nil
}

// turn takes the next file, waiting until it is open. It reports whether there
// is one.
func (s *source) turn(ctx context.Context) (bool, error) {
	s.openAhead()
	if len(s.queue) == 0 {
		return false, nil
	}
	o := s.queue[0]
	if err := s.await(ctx, o); err != nil {
		return false, err
	}
	s.queue = s.queue[1:]
	var limit *mem.LimitError
	for o.given && o.reader == nil || errors.As(o.err, &limit) && s.giveUp() {
		o.given = false
		o.reader, o.err = s.open(s.ctx, &o.file)
	}
	if o.err != nil {
		return false, o.err
	}
	s.cur = o.reader
	s.openAhead()
	return true, nil
}

// await waits until a file is open, or ctx ends.
func (s *source) await(ctx context.Context, o *opening) error {
	select {
	case <-o.done:
		return nil
	default:
	}
	defer func(t time.Time) { s.stats.ReadNanos += int64(time.Since(t)) }(time.Now())
	select {
	case <-o.done:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// giveUp gives back the memory of a file that was opened before its turn, the
// last first, and opens none so early any more. It reports whether there was one.
func (s *source) giveUp() bool {
	s.ahead = 0
	for i := len(s.queue) - 1; i >= 0; i-- {
		if o := s.queue[i]; !o.given {
			s.drop(o)
			return true
		}
	}
	return false
}

// drop ends an opening, and gives up what was fetched. If it was not through,
// the file is opened anew in its turn.
func (s *source) drop(o *opening) {
	o.given = true
	select {
	case <-o.done:
	default:
		o.cancel()
		<-o.done
	}
	if o.reader == nil {
		return
	}
	if o.ended.Err() == nil {
		o.reader.DropAhead()
		return
	}
	_ = o.reader.Close() // its requests have ended
	s.add(o.reader.Stats())
	o.reader = nil
}

// endFile closes the current file.
func (s *source) endFile() error {
	r := s.cur
	s.cur = nil
	err := r.Close()
	s.add(r.Stats())
	return err
}

// add adds a closed reader's statistics.
func (s *source) add(st connectors.SourceStats) { s.stats = sum(s.stats, st) }

func sum(a, b connectors.SourceStats) connectors.SourceStats {
	a.PhysicalBytes += b.PhysicalBytes
	a.PhysicalRows += b.PhysicalRows
	a.Groups += b.Groups
	a.GroupsSkipped += b.GroupsSkipped
	a.ReadNanos += b.ReadNanos
	return a
}

// explain puts the table in front of an error about memory, which knows of
// none.
func (s *source) explain(err error) error {
	var limit *mem.LimitError
	if !errors.As(err, &limit) {
		return err
	}
	if s.scan.Schema == "" {
		return fmt.Errorf("memory to read files by path: %w", limit)
	}
	return fmt.Errorf("memory to read %s.%s: %w", s.scan.Schema, s.scan.Table, limit)
}

// Stats implements connectors.Source.
func (s *source) Stats() connectors.SourceStats {
	if s.cur == nil {
		return s.stats
	}
	return sum(s.stats, s.cur.Stats())
}

// Close implements connectors.Source.
func (s *source) Close() error {
	s.done = true
	return s.closeAll()
}

// closeAll ends what is done ahead, waits for it, and closes all readers.
func (s *source) closeAll() (err error) {
	s.cancel()
	s.files = nil
	for _, o := range s.queue {
		<-o.done
		if o.reader != nil {
			err = errors.Join(err, o.reader.Close())
			s.add(o.reader.Stats())
		}
	}
	s.queue = nil
	if s.cur != nil {
		err = errors.Join(err, s.endFile())
	}
	return err
}

// mapColumns finds each of the scan's columns in a file: a field by name, or a
// value that all rows share.
func mapColumns(scan *connectors.Scan, h *handle, file *splitFile, f *parquet.File) ([]parquet.Column, error) {
	fields := make(map[string]*parquet.Field, len(f.Fields))
	for _, fd := range f.Fields {
		fields[strings.ToLower(fd.Name)] = fd
	}
	out := make([]parquet.Column, len(scan.Columns))
	for i, c := range scan.Columns {
		out[i] = parquet.Column{Type: c.Type, Unread: c.FilterOnly}
		if _, hidden := hiddenType(c.Name); hidden {
			out[i].Value = hiddenValue(c.Name, h.Root, file)
			continue
		}
		if k := keyOf(h.Keys, c.Name); k >= 0 && k < len(file.Values) {
			v, err := partitionValue(c.Type, file.Values[k])
			if err != nil {
				return nil, qerr.Wrap(qerr.LakeInvalidPartitionValue, err, "%s", f.Name)
			}
			out[i].Value = v
			continue
		}
		fd := fields[c.Name]
		if fd == nil {
			continue // a file from before the column: nulls
		}
		if t, ok := widest(c.Type, fd.Type); !ok || !t.Equal(c.Type) {
			return nil, qerr.New(qerr.LakeSchemaMismatch, "%s: column %q is %s here, and %s in the table as other files have it", f.Name, c.Name, fd.Type, c.Type)
		}
		out[i].Field = fd
	}
	return out, nil
}

func keyOf(keys []string, name string) int {
	for i, k := range keys {
		if k == name {
			return i
		}
	}
	return -1
}
