// Package objstore is the one door to object stores and files.
//
// # Buckets
//
// A Bucket is a flat space of keys, as S3 has it; a local folder is made to
// look the same. Readers take an object in two steps: List or Stat gives an
// ObjectInfo with the object's size and etag, and GetRange reads ranges of
// exactly that version. A range of a version that is gone is not an answer, it
// is ErrChanged: a query never mixes two versions of a file.
//
//	b, prefix, err := objstore.Open(ctx, loc, cfg)  // s3://bucket/prefix, file:///dir, dir
//	for obj, err := range objstore.Glob(ctx, b, objstore.Join(prefix, "**/*.parquet")) {
//		n, err := b.GetRange(ctx, obj.Key, obj.ETag, obj.Size-8, tail[:8])
//	}
//
// # Many ranges
//
// Column chunks are read through a Fetcher: it merges neighboring ranges into
// requests of a few MiB, keeps a bounded number of them in flight and a bounded
// number of bytes ahead of the consumer, and reads into buffers of the caller.
//
// # Errors
//
// Every error a Bucket returns is a *qerr.Error that names bucket and key, says
// what to do and holds no secret; errors.Is finds its sort (ErrNotFound,
// ErrChanged and so on). Two are left as they are: the end of the caller's
// context, and io.EOF of GetRange. Faults that a retry may mend are retried in
// here; what comes out has been tried enough, and its Retryable field says
// whether the whole query is worth another run.
package objstore

import (
	"context"
	"io"
	"iter"
	"strings"
	"time"
)

// Bucket is a store of objects under keys. Keys are UTF-8, split by "/" only in
// the eye of the reader, and never begin with "/". All methods may be called
// from many goroutines at once.
type Bucket interface {
	// URL returns the bucket's name for messages and for telling buckets
	// apart, such as "s3://name" or "file:///folder", without a final "/".
	URL() string

	// GetRange fills dst with the bytes of the object from offset off on and
	// returns how many it read. With an etag, only that version is read:
	// anything else is ErrChanged. Fewer than len(dst) bytes come with an
	// error always: io.EOF when the object ends before, else the cause.
	// An empty dst reads nothing and succeeds.
	GetRange(ctx context.Context, key, etag string, off int64, dst []byte) (int, error)

	// Stat returns size, etag and time of an object, or ErrNotFound.
	Stat(ctx context.Context, key string) (ObjectInfo, error)

	// List yields the objects whose keys begin with opts.Prefix, page by page
	// and in ascending order of keys. The first error is the last item. Nothing
	// is requested before the loop starts, and breaking out of it ends it.
	List(ctx context.Context, opts ListOptions) iter.Seq2[Page, error]

	// Put stores what r holds as one object, replacing an older one whole:
	// readers see the old or the new version and never a part. size is the
	// number of bytes in r, or -1 when unknown.
	Put(ctx context.Context, key string, r io.Reader, size int64, opts PutOptions) (ObjectInfo, error)

	// Delete removes an object. Removing one that is not there succeeds.
	Delete(ctx context.Context, key string) error

	// Close frees connections. No other method may be called afterwards.
	Close() error
}

// ObjectInfo describes one version of an object.
type ObjectInfo struct {
	Key string
	// Size is the object's length in bytes.
	Size int64
	// ETag names this version; it is opaque and only compared for equality.
	ETag string
	// ModTime is when the version was written, by the store's clock.
	ModTime time.Time
}

// ListOptions say what List yields.
type ListOptions struct {
	// Prefix is what keys must begin with; it need not end at a "/".
	Prefix string
	// Flat stops at the next "/" after Prefix: what lies deeper appears once, as
	// an entry of Page.Prefixes. Otherwise listings are recursive.
	Flat bool
	// StartAfter leaves out keys up to and including this one.
	StartAfter string
}

// Page is a part of a listing: at most 1,000 entries, and possibly none.
type Page struct {
	Objects []ObjectInfo
	// Prefixes are the "folders" of a flat listing, each ending in "/".
	Prefixes []string
}

// PutOptions are the conditions of a Put.
type PutOptions struct {
	// IfAbsent makes Put fail with ErrExists when the key is taken; of several
	// concurrent calls one wins.
	IfAbsent bool
}

// pageSize is the largest number of entries in a Page; S3's own limit.
const pageSize = 1000

// Join puts key parts together with one "/" between them, leaving out empty
// parts. It does not resolve "..": stores hold such keys as they are.
func Join(parts ...string) string {
	var sb strings.Builder
	for _, p := range parts {
		if p == "" {
			continue
		}
		if s := sb.String(); s != "" && !strings.HasSuffix(s, "/") {
			sb.WriteByte('/')
		}
		if sb.Len() > 0 {
			p = strings.TrimPrefix(p, "/")
		}
		sb.WriteString(p)
	}
	return sb.String()
}
