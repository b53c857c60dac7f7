package objstore

import (
	"bytes"
	"context"
	"errors"
	"io"
	"iter"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

// Mem is a Bucket in memory, for tests.
type Mem struct {
	name    string
	metrics *Metrics

	mu      sync.RWMutex
	objects map[string]memObject
	version uint64
}

// memObject is one stored version; data is never written to again.
type memObject struct {
	info ObjectInfo
	data []byte
}

// NewMem returns an empty bucket that calls itself mem://name. metrics may be nil.
func NewMem(name string, metrics *Metrics) *Mem {
	return &Mem{name: name, metrics: metrics, objects: map[string]memObject{}}
}

// URL implements Bucket.
func (m *Mem) URL() string { return "mem://" + m.name }

// Close implements Bucket. It keeps the objects.
func (m *Mem) Close() error { return nil }

// GetRange implements Bucket.
func (m *Mem) GetRange(ctx context.Context, key, etag string, off int64, dst []byte) (n int, err error) {
	defer func(t time.Time) { m.metrics.done(opGet, t, notEOF(err)) }(time.Now())
	m.metrics.sent(false)
	if err := checkRange(m.URL(), key, off, dst); err != nil || len(dst) == 0 {
		return 0, err
	}
	o, err := m.find(ctx, key)
	switch {
	case err != nil && etag != "" && errors.Is(err, ErrNotFound):
		return 0, errGone(nameOf(m.URL(), key))
	case err != nil:
		return 0, err
	case etag != "" && etag != o.info.ETag:
		return 0, errChanged(nameOf(m.URL(), key), nil)
	}
	if off < int64(len(o.data)) {
		n = copy(dst, o.data[off:])
	}
	m.metrics.read(n)
	if n < len(dst) {
		return n, io.EOF
	}
	return n, nil
}

// find returns the version stored under key.
func (m *Mem) find(ctx context.Context, key string) (memObject, error) {
	if ctx.Err() != nil {
		return memObject{}, ctxErr(ctx, nameOf(m.URL(), key))
	}
	m.mu.RLock()
	defer m.mu.RUnlock()
	o, ok := m.objects[key]
	if !ok {
		return o, errNotFound(nameOf(m.URL(), key))
	}
	return o, nil
}

// Stat implements Bucket.
func (m *Mem) Stat(ctx context.Context, key string) (_ ObjectInfo, err error) {
	defer func(t time.Time) { m.metrics.done(opStat, t, err) }(time.Now())
	m.metrics.sent(false)
	if err := checkKey(m.URL(), key); err != nil {
		return ObjectInfo{}, err
	}
	o, err := m.find(ctx, key)
	return o.info, err
}

// List implements Bucket. It lists the objects there when the loop starts.
func (m *Mem) List(ctx context.Context, opts ListOptions) iter.Seq2[Page, error] {
	return func(yield func(Page, error) bool) {
		p := pager{opts: opts, ctx: ctx, url: m.URL(), metrics: m.metrics, yield: yield, start: time.Now()}
		for _, info := range m.matching(opts) {
			if !p.add(info) {
				return
			}
		}
		p.flush()
	}
}

// matching returns the objects within opts.Prefix, sorted by key.
func (m *Mem) matching(opts ListOptions) []ObjectInfo {
	m.mu.RLock()
	defer m.mu.RUnlock()
	var out []ObjectInfo
	for k, o := range m.objects {
		if strings.HasPrefix(k, opts.Prefix) {
			out = append(out, o.info)
		}
	}
	slices.SortFunc(out, func(a, b ObjectInfo) int { return strings.Compare(a.Key, b.Key) })
	return out
}

// Put implements Bucket.
func (m *Mem) Put(ctx context.Context, key string, r io.Reader, size int64, opts PutOptions) (_ ObjectInfo, err error) {
	defer func(t time.Time) { m.metrics.done(opPut, t, err) }(time.Now())
	m.metrics.sent(false)
	name := nameOf(m.URL(), key)
	if err := checkKey(m.URL(), key); err != nil {
		return ObjectInfo{}, err
	}
	var buf bytes.Buffer
	if _, err := io.Copy(&buf, r); err != nil {
		return ObjectInfo{}, fail(ErrInvalid, name, err, "the data to store could not be read: %v", err)
	}
	if err := copySize(name, int64(buf.Len()), size); err != nil {
		return ObjectInfo{}, err
	}
	if ctx.Err() != nil {
		return ObjectInfo{}, ctxErr(ctx, name)
	}
	return m.store(key, buf.Bytes(), opts)
}

// store makes data the new version under key.
func (m *Mem) store(key string, data []byte, opts PutOptions) (ObjectInfo, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if _, taken := m.objects[key]; taken && opts.IfAbsent {
		return ObjectInfo{}, errExists(nameOf(m.URL(), key))
	}
	m.version++
	info := ObjectInfo{Key: key, Size: int64(len(data)), ETag: "v" + strconv.FormatUint(m.version, 10), ModTime: time.Now()}
	m.objects[key] = memObject{info: info, data: data}
	m.metrics.wrote(info.Size)
	return info, nil
}

// Delete implements Bucket.
func (m *Mem) Delete(ctx context.Context, key string) (err error) {
	defer func(t time.Time) { m.metrics.done(opDelete, t, err) }(time.Now())
	m.metrics.sent(false)
	if err := checkKey(m.URL(), key); err != nil {
		return err
	}
	if ctx.Err() != nil {
		return ctxErr(ctx, nameOf(m.URL(), key))
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.objects, key)
	return nil
}

// notEOF drops io.EOF, which is an answer and no failure.
func notEOF(err error) error {
	if isEnd(err) {
		return nil
	}
	return err
}
