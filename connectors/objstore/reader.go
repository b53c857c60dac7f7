package objstore

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/tuttidb/tutti/internal/qerr"
)

// ObjectReader makes one version of an object an io.ReaderAt, io.Reader and
// io.Seeker, for libraries that want those (to open a Parquet file, say). Each
// ReadAt is one request; bulk data is for a Fetcher. ReadAt may be called from
// many goroutines, Read and Seek from one.
type ObjectReader struct {
	ctx context.Context // the interfaces it serves have no other way in
	b   Bucket
	obj ObjectInfo
	pos int64
}

// NewObjectReader returns a reader that lives as long as ctx.
func NewObjectReader(ctx context.Context, b Bucket, obj ObjectInfo) *ObjectReader {
	return &ObjectReader{ctx: ctx, b: b, obj: obj}
}

// Size returns the object's length in bytes.
func (r *ObjectReader) Size() int64 { return r.obj.Size }

// ReadAt implements io.ReaderAt.
func (r *ObjectReader) ReadAt(p []byte, off int64) (int, error) {
	if off < 0 {
		return 0, fail(ErrInvalid, nameOf(r.b.URL(), r.obj.Key), nil, "read at the negative offset %d", off)
	}
	if off >= r.obj.Size {
		return 0, io.EOF
	}
	want := min(int64(len(p)), r.obj.Size-off)
	n, err := r.b.GetRange(r.ctx, r.obj.Key, r.obj.ETag, off, p[:want])
	if errors.Is(err, io.EOF) {
		return n, errTooShort(r.b, r.obj, off+int64(n))
	}
	if err == nil && n < len(p) {
		err = io.EOF
	}
	return n, err
}

// errTooShort is the error for an object that is not as long as it was listed.
func errTooShort(b Bucket, obj ObjectInfo, end int64) error {
	return qerr.New(qerr.LakeBadData, "%s: the object ends at %d, before the %d bytes it was listed with", nameOf(b.URL(), obj.Key), end, obj.Size)
}

// Read implements io.Reader.
func (r *ObjectReader) Read(p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	n, err := r.ReadAt(p, r.pos)
	r.pos += int64(n)
	if n > 0 && errors.Is(err, io.EOF) {
		err = nil
	}
	return n, err
}

// Seek implements io.Seeker.
func (r *ObjectReader) Seek(offset int64, whence int) (int64, error) {
	switch whence {
	case io.SeekCurrent:
		offset += r.pos
	case io.SeekEnd:
		offset += r.obj.Size
	}
	if offset < 0 || whence < io.SeekStart || whence > io.SeekEnd {
		return 0, fmt.Errorf("%s: seek to %d is not possible", nameOf(r.b.URL(), r.obj.Key), offset)
	}
	r.pos = offset
	return offset, nil
}

// ReadAll returns the whole of one version of an object; for small objects.
func ReadAll(ctx context.Context, b Bucket, obj ObjectInfo) ([]byte, error) {
	buf := make([]byte, obj.Size)
	n, err := b.GetRange(ctx, obj.Key, obj.ETag, 0, buf)
	if errors.Is(err, io.EOF) {
		err = errTooShort(b, obj, int64(n))
	}
	return buf[:n], err
}
