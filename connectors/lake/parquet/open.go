package parquet

import (
	"bytes"
	"container/list"
	"context"
	"errors"
	"io"
	"sync"

	"github.com/tuttidb/tutti/connectors/objstore"
	"github.com/tuttidb/tutti/internal/qerr"
)

// File is a file's footer: what is in it and where. It is immutable and
// shared.
type File struct {
	// Name is the file's full name, for messages.
	Name string
	// Size is the file's length in bytes.
	Size int64
	// Rows is the number of rows.
	Rows int64
	// CreatedBy names the program that wrote the file.
	CreatedBy string
	// Fields are the top-level columns, and Leaves the columns of values.
	Fields []*Field
	Leaves []*Leaf
	// Groups are the row groups.
	Groups []Group

	// tail is what the footer's read brought along of page indexes and bloom
	// filters, which often lie right before the footer; it begins at tailAt.
	tail   []byte
	tailAt int64
	footer int64 // bytes of the footer

	dicts dictCounts
}

const (
	// firstRead is how much of a file's end is read at once: enough for most
	// footers and their page indexes.
	firstRead = 64 << 10
	// maxFooter bounds a footer's size. The largest in practice, of tables with
	// ten thousand columns, have a few tens of MiB.
	maxFooter = 256 << 20
)

// Open reads the footer of one version of a file. Errors name the file.
func Open(ctx context.Context, b objstore.Bucket, obj objstore.ObjectInfo) (*File, error) {
	name := b.URL() + "/" + obj.Key
	at := max(obj.Size-firstRead, 0)
	tail, err := readEnd(ctx, b, obj, at)
	if err != nil {
		return nil, err
	}
	n, err := footerLen(tail, obj.Size)
	if err != nil {
		return nil, named(name, err)
	}
	if n > maxFooter {
		return nil, named(name, corrupt("a footer of %d bytes", n))
	}
	if need := n + tailLen; need > int64(len(tail)) {
		at = obj.Size - need
		if tail, err = readEnd(ctx, b, obj, at); err != nil {
			return nil, err
		}
	}
	end := int64(len(tail)) - tailLen
	// A copy: what is parsed aliases it, and the rest must not live on with it.
	f, err := parseFooter(bytes.Clone(tail[end-n:end]), obj.Size)
	if err != nil {
		return nil, named(name, err)
	}
	f.Name, f.footer = name, n
	f.keepIndexes(tail[:end-n], at)
	return f, nil
}

// keepIndexes keeps what lies of page indexes and bloom filters in the part of
// the file that begins at offset at.
func (f *File) keepIndexes(part []byte, at int64) {
	lo, hi := at+int64(len(part)), at
	for i := range f.Groups {
		for k := range f.Groups[i].Chunks {
			c := &f.Groups[i].Chunks[k]
			for _, s := range []span{c.columnIndex, c.offsetIndex, c.bloom} {
				if s.off < at || s.off == 0 {
					continue
				}
				lo, hi = min(lo, s.off), max(hi, s.off+max(s.len, minBloom))
			}
		}
	}
	if hi = min(hi, at+int64(len(part))); lo < hi {
		f.tail, f.tailAt = bytes.Clone(part[lo-at:hi-at]), lo
	}
}

// minBloom is what is read of a bloom filter whose length the footer leaves out.
const minBloom = 64

// readEnd reads an object from offset at to its end.
func readEnd(ctx context.Context, b objstore.Bucket, obj objstore.ObjectInfo, at int64) ([]byte, error) {
	buf := make([]byte, obj.Size-at)
	n, err := b.GetRange(ctx, obj.Key, obj.ETag, at, buf)
	if errors.Is(err, io.EOF) && n < len(buf) {
		return nil, qerr.New(qerr.LakeBadData, "%s/%s: the file ends at %d, before the %d bytes it was listed with", b.URL(), obj.Key, at+int64(n), obj.Size)
	}
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, err
	}
	return buf, nil
}

// bytes is the footer's rough size in memory.
func (f *File) bytes() int64 {
	n := 1<<10 + int64(len(f.Name)) + int64(len(f.tail)) + f.footer + int64(len(f.Leaves))*400
	for i := range f.Groups {
		n += int64(len(f.Groups[i].Chunks))*240 + 64
	}
	return n
}

// footerKey names one version of a file.
type footerKey struct {
	url, key, etag string
	size           int64
}

// Cache keeps the footers of recently opened files, up to a number of bytes.
// One serves a whole process. It is safe for concurrent use, and a file that
// several ask for at once is read once.
type Cache struct {
	limit int64

	mu      sync.Mutex
	used    int64
	entries map[footerKey]*list.Element
	recent  list.List // of *cacheEntry, most recently used first
	loading map[footerKey]chan struct{}
}

type cacheEntry struct {
	key  footerKey
	file *File
	size int64
}

// NewCache returns an empty cache for limit bytes of footers.
func NewCache(limit int64) *Cache {
	return &Cache{limit: limit, entries: map[footerKey]*list.Element{}, loading: map[footerKey]chan struct{}{}}
}

// Open is the function Open through the cache. Objects without an etag are
// not kept.
func (c *Cache) Open(ctx context.Context, b objstore.Bucket, obj objstore.ObjectInfo) (*File, error) {
	if obj.ETag == "" {
		return Open(ctx, b, obj)
	}
	key := footerKey{b.URL(), obj.Key, obj.ETag, obj.Size}
	for {
		f, wait := c.look(key)
		if f != nil {
			return f, nil
		}
		if wait == nil {
			break
		}
		select {
		case <-wait: // look again: whoever was reading may have failed
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		}
	}
	f, err := Open(ctx, b, obj)
	c.store(key, f)
	return f, err
}

// look returns the cached footer, or the channel that closes when the one who
// reads it is done, or neither: then the caller reads it, and must call store.
func (c *Cache) look(key footerKey) (*File, chan struct{}) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if e := c.entries[key]; e != nil {
		c.recent.MoveToFront(e)
		return e.Value.(*cacheEntry).file, nil
	}
	if wait := c.loading[key]; wait != nil {
		return nil, wait
	}
	c.loading[key] = make(chan struct{})
	return nil, nil
}

// store ends the reading of key; f is nil if it failed.
func (c *Cache) store(key footerKey, f *File) {
	c.mu.Lock()
	defer c.mu.Unlock()
	close(c.loading[key])
	delete(c.loading, key)
	if f == nil {
		return
	}
	e := &cacheEntry{key: key, file: f, size: f.bytes()}
	c.entries[key] = c.recent.PushFront(e)
	c.used += e.size
	// The newest stays, however large: somebody is about to use it.
	for c.used > c.limit && c.recent.Len() > 1 {
		last := c.recent.Back()
		old := last.Value.(*cacheEntry)
		c.recent.Remove(last)
		delete(c.entries, old.key)
		c.used -= old.size
	}
}

// Used returns the bytes of the footers that are kept now, roughly.
func (c *Cache) Used() int64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.used
}
