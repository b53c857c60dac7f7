package objstore

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// File is a Bucket over a local folder. Keys are paths below the folder, with
// "/" between the parts. Symbolic links are followed, also out of the folder;
// keys with "." or ".." parts are refused.
//
// The etag of a file is made of its size, time of change and inode number. A
// file that is rewritten in place to the same size within one tick of the
// file system's clock (some milliseconds) is not noticed; Put never does that.
type File struct {
	root    string
	url     string
	metrics *Metrics
}

// tempPrefix begins the names of files that Put is still writing. Listings
// leave them out.
const tempPrefix = ".tutti-put-"

// readChunk is how much is read between two looks at the context.
const readChunk = 4 << 20

// NewFile returns a bucket over the folder root, which need not exist yet: Put
// makes it. metrics may be nil.
func NewFile(root string, metrics *Metrics) (*File, error) {
	abs, err := filepath.Abs(root)
	if err != nil {
		return nil, fail(ErrInvalid, root, err, "cannot be made an absolute path: %v", err)
	}
	url := strings.TrimSuffix("file://"+filepath.ToSlash(abs), "/")
	return &File{root: abs, url: url, metrics: metrics}, nil
}

// URL implements Bucket.
func (f *File) URL() string { return f.url }

// Close implements Bucket.
func (f *File) Close() error { return nil }

// path turns a key into a path below the root.
func (f *File) path(key string) (string, error) {
	if err := checkKey(f.url, key); err != nil {
		return "", err
	}
	for part := range strings.SplitSeq(key, "/") {
		if part == "" || part == "." || part == ".." || strings.HasPrefix(part, tempPrefix) {
			return "", fail(ErrInvalid, nameOf(f.url, key), nil, "the key %q is not a path below the folder", key)
		}
	}
	return filepath.Join(f.root, filepath.FromSlash(key)), nil
}

// GetRange implements Bucket. It opens the file anew on each call: a deleted
// file must not live on in an open descriptor.
func (f *File) GetRange(ctx context.Context, key, etag string, off int64, dst []byte) (n int, err error) {
	defer func(t time.Time) { f.metrics.done(opGet, t, notEOF(err)) }(time.Now())
	f.metrics.sent(false)
	if err := checkRange(f.url, key, off, dst); err != nil || len(dst) == 0 {
		return 0, err
	}
	h, info, err := f.open(key)
	if err != nil {
		if etag != "" && errors.Is(err, ErrNotFound) {
			return 0, errGone(nameOf(f.url, key))
		}
		return 0, err
	}
	defer h.Close()
	if etag != "" && info.ETag != etag {
		return 0, errChanged(nameOf(f.url, key), nil)
	}
	n, err = f.pread(ctx, h, key, off, dst)
	f.metrics.read(n)
	if after, serr := h.Stat(); etag != "" && serr == nil && etagOf(after) != etag {
		return 0, errChanged(nameOf(f.url, key), nil)
	}
	return n, err
}

// open opens the file of a key and describes it.
func (f *File) open(key string) (*os.File, ObjectInfo, error) {
	path, err := f.path(key)
	if err != nil {
		return nil, ObjectInfo{}, err
	}
	// A named pipe would block an ordinary open for ever.
	h, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil, ObjectInfo{}, f.wrap(key, err)
	}
	fi, err := h.Stat()
	if err == nil && fi.Mode().IsRegular() {
		return h, infoOf(key, fi), nil
	}
	h.Close()
	if err != nil {
		return nil, ObjectInfo{}, f.wrap(key, err)
	}
	return nil, ObjectInfo{}, errNotFound(nameOf(f.url, key))
}

// pread reads dst from offset off, in pieces so that a cancel is noticed.
func (f *File) pread(ctx context.Context, h *os.File, key string, off int64, dst []byte) (int, error) {
	n := 0
	for n < len(dst) {
		if ctx.Err() != nil {
			return n, ctxErr(ctx, nameOf(f.url, key))
		}
		k, err := h.ReadAt(dst[n:min(len(dst), n+readChunk)], off+int64(n))
		n += k
		if err == io.EOF && n < len(dst) {
			return n, io.EOF
		}
		if err != nil && err != io.EOF {
			return n, f.wrap(key, err)
		}
	}
	return n, nil
}

// Stat implements Bucket.
func (f *File) Stat(ctx context.Context, key string) (_ ObjectInfo, err error) {
	defer func(t time.Time) { f.metrics.done(opStat, t, err) }(time.Now())
	f.metrics.sent(false)
	if ctx.Err() != nil {
		return ObjectInfo{}, ctxErr(ctx, nameOf(f.url, key))
	}
	path, err := f.path(key)
	if err != nil {
		return ObjectInfo{}, err
	}
	fi, err := os.Stat(path)
	if err != nil {
		return ObjectInfo{}, f.wrap(key, err)
	}
	if !fi.Mode().IsRegular() {
		return ObjectInfo{}, errNotFound(nameOf(f.url, key))
	}
	return infoOf(key, fi), nil
}

// Delete implements Bucket. Folders stay, also when they become empty.
func (f *File) Delete(ctx context.Context, key string) (err error) {
	defer func(t time.Time) { f.metrics.done(opDelete, t, err) }(time.Now())
	f.metrics.sent(false)
	if ctx.Err() != nil {
		return ctxErr(ctx, nameOf(f.url, key))
	}
	path, err := f.path(key)
	if err != nil {
		return err
	}
	if fi, err := os.Lstat(path); err != nil || fi.IsDir() {
		if err == nil || isNotExist(err) {
			return nil
		}
		return f.wrap(key, err)
	}
	if err := os.Remove(path); err != nil && !isNotExist(err) {
		return f.wrap(key, err)
	}
	return nil
}

// Put implements Bucket: it writes a file beside the target, syncs it and
// renames it, so that a crash leaves the old version or the new one.
func (f *File) Put(ctx context.Context, key string, r io.Reader, size int64, opts PutOptions) (_ ObjectInfo, err error) {
	defer func(t time.Time) { f.metrics.done(opPut, t, err) }(time.Now())
	f.metrics.sent(false)
	path, err := f.path(key)
	if err != nil {
		return ObjectInfo{}, err
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		if errors.Is(err, syscall.ENOTDIR) {
			return ObjectInfo{}, fail(ErrInvalid, nameOf(f.url, key), syscall.ENOTDIR, "a part of the path is a file")
		}
		return ObjectInfo{}, f.wrap(key, err)
	}
	tmp, err := os.CreateTemp(filepath.Dir(path), tempPrefix)
	if err != nil {
		return ObjectInfo{}, f.wrap(key, err)
	}
	defer func() { _ = os.Remove(tmp.Name()) }() // after the rename there is nothing to remove
	n, err := f.write(ctx, tmp, key, r, size)
	if cerr := tmp.Close(); err == nil && cerr != nil {
		err = f.wrap(key, cerr)
	}
	if err != nil {
		return ObjectInfo{}, err
	}
	if err := f.publish(tmp.Name(), path, key, opts); err != nil {
		return ObjectInfo{}, err
	}
	f.metrics.wrote(n)
	fi, err := os.Stat(path)
	if err != nil {
		return ObjectInfo{}, f.wrap(key, err)
	}
	return infoOf(key, fi), nil
}

// write copies r into the temporary file and syncs it.
func (f *File) write(ctx context.Context, tmp *os.File, key string, r io.Reader, size int64) (int64, error) {
	name := nameOf(f.url, key)
	src := &ctxReader{ctx: ctx, r: r}
	n, err := io.Copy(tmp, src)
	switch {
	case ctx.Err() != nil:
		return n, ctxErr(ctx, name)
	case src.err != nil:
		return n, fail(ErrInvalid, name, src.err, "the data to store could not be read: %v", src.err)
	case err != nil:
		return n, f.wrap(key, err)
	}
	if err := copySize(name, n, size); err != nil {
		return n, err
	}
	if err := errors.Join(tmp.Chmod(0o644), tmp.Sync()); err != nil {
		return n, f.wrap(key, err)
	}
	return n, nil
}

// publish gives the finished temporary file its name.
func (f *File) publish(tmp, path, key string, opts PutOptions) error {
	move := os.Rename
	if opts.IfAbsent {
		move = os.Link // fails when the name is taken; the deferred Remove drops the other name
	}
	if err := move(tmp, path); err != nil {
		if opts.IfAbsent && errors.Is(err, fs.ErrExist) {
			return errExists(nameOf(f.url, key))
		}
		return f.wrap(key, err)
	}
	dir, err := os.Open(filepath.Dir(path))
	if err != nil {
		return f.wrap(key, err)
	}
	defer dir.Close()
	if err := dir.Sync(); err != nil && !errors.Is(err, syscall.EINVAL) { // some file systems cannot sync folders
		return f.wrap(key, err)
	}
	return nil
}

// wrap turns an error of the operating system into one of ours.
func (f *File) wrap(key string, err error) error {
	name := nameOf(f.url, key)
	var pe *fs.PathError
	var le *os.LinkError
	cause := err
	if errors.As(err, &pe) {
		cause = pe.Err // the path is in name already
	} else if errors.As(err, &le) {
		cause = le.Err
	}
	switch {
	case isNotExist(err):
		return errNotFound(name)
	case errors.Is(err, fs.ErrPermission):
		return fail(ErrAccessDenied, name, cause, "access denied – check the permissions of the file and its folders")
	}
	return fail(ErrUnavailable, name, cause, "%v", cause)
}

// isNotExist also covers a path that goes through a file.
func isNotExist(err error) bool {
	return errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ENOTDIR)
}

// infoOf describes a regular file.
func infoOf(key string, fi fs.FileInfo) ObjectInfo {
	return ObjectInfo{Key: key, Size: fi.Size(), ETag: etagOf(fi), ModTime: fi.ModTime()}
}

// etagOf makes an etag of size, time and inode in hexadecimal.
func etagOf(fi fs.FileInfo) string {
	b := make([]byte, 0, 48)
	b = strconv.AppendInt(b, fi.Size(), 16)
	b = append(b, '-')
	b = strconv.AppendInt(b, fi.ModTime().UnixNano(), 16)
	b = append(b, '-')
	b = strconv.AppendUint(b, inode(fi), 16)
	return string(b)
}

// inode returns the file's number, or 0 where the system has none.
func inode(fi fs.FileInfo) uint64 {
	if st, ok := fi.Sys().(*syscall.Stat_t); ok {
		return st.Ino
	}
	return 0
}

// ctxReader ends a copy when the context ends and keeps r's own error apart
// from those of the writer.
type ctxReader struct {
	ctx context.Context
	r   io.Reader
	err error
}

func (c *ctxReader) Read(p []byte) (int, error) {
	if err := c.ctx.Err(); err != nil {
		return 0, err
	}
	n, err := c.r.Read(p)
	if err != nil && err != io.EOF {
		c.err = err
	}
	return n, err
}
