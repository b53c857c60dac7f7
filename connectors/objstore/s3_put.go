package objstore

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
)

const (
	maxParts      = 10_000 // S3's limit
	partsInFlight = 3      // and as many buffers of one part each
)

// putMark is the metadata key under which a Put that cannot simply be repeated
// leaves a random word, by which it knows its own object when an answer was lost.
const putMark = "tutti-put"

// Put implements Bucket: in one request up to Config.PartSize, above it in
// parts, a few at once. A failed Put leaves no object and no parts.
func (s *S3) Put(ctx context.Context, key string, r io.Reader, size int64, opts PutOptions) (ObjectInfo, error) {
	if err := checkKey(s.URL(), key); err != nil {
		return ObjectInfo{}, err
	}
	p := &s3Put{s: s, key: key, name: nameOf(s.URL(), key), src: r, size: size, opts: opts, partSize: s.client.cfg.PartSize}
	if size > p.partSize*maxParts {
		p.partSize = (size/maxParts>>20 + 1) << 20
	}
	first, err := p.fill(make([]byte, firstBuffer(size, p.partSize)))
	if err != nil {
		return ObjectInfo{}, err
	}
	whole := int64(len(first)) < p.partSize || size == p.partSize
	if opts.IfAbsent || !whole {
		p.mark = rand.Text()
	}
	if whole {
		err = p.whole(ctx, first)
	} else {
		err = p.inParts(ctx, first)
	}
	if err != nil {
		return ObjectInfo{}, err
	}
	s.client.cfg.Metrics.wrote(p.total)
	return ObjectInfo{Key: key, Size: p.total, ETag: p.etag, ModTime: time.Now().UTC()}, nil
}

// firstBuffer is the size of the buffer that shows whether one request will do.
func firstBuffer(size, partSize int64) int64 {
	if size >= 0 && size < partSize {
		return size + 1 // one more, to notice data beyond the size promised
	}
	return partSize
}

// s3Put is one Put.
type s3Put struct {
	s         *S3
	key, name string
	src       io.Reader
	size      int64
	opts      PutOptions
	partSize  int64
	mark      string

	total int64 // bytes read from src
	etag  string
}

// fill reads from the source until buf is full or the data ends.
func (p *s3Put) fill(buf []byte) ([]byte, error) {
	n, err := io.ReadFull(p.src, buf)
	p.total += int64(n)
	if err != nil && err != io.EOF && err != io.ErrUnexpectedEOF {
		return nil, fail(ErrInvalid, p.name, err, "the data to store could not be read: %v", err)
	}
	return buf[:n], nil
}

// ifAbsent returns the condition's header.
func (p *s3Put) ifAbsent() *string {
	if p.opts.IfAbsent {
		return aws.String("*")
	}
	return nil
}

// metadata returns what is stored beside the object.
func (p *s3Put) metadata() map[string]string {
	if p.mark == "" {
		return nil
	}
	return map[string]string{putMark: p.mark}
}

// whole stores everything in one request.
func (p *s3Put) whole(ctx context.Context, data []byte) error {
	if err := copySize(p.name, p.total, p.size); err != nil {
		return err
	}
	return p.conditional(ctx, func(ctx context.Context) error {
		out, err := p.s.client.api.PutObject(ctx, &s3.PutObjectInput{
			Bucket: &p.s.bucket, Key: &p.key, Body: bytes.NewReader(data),
			ContentLength: aws.Int64(int64(len(data))), IfNoneMatch: p.ifAbsent(), Metadata: p.metadata(),
		})
		if err == nil {
			p.etag = strings.Trim(aws.ToString(out.ETag), `"`)
		}
		return err
	})
}

// conditional retries the request that makes the object appear. When a repeated
// one finds the key taken or the upload finished, that may be the work of an
// attempt whose answer was lost: the mark tells.
func (p *s3Put) conditional(ctx context.Context, request func(context.Context) error) error {
	attempts := 0
	return p.s.client.retry(ctx, p.s.call(opPut, p.key, ""), func(ctx context.Context) (int, error) {
		attempts++
		err := request(ctx)
		taken := statusOf(err) == http.StatusPreconditionFailed || statusOf(err) == http.StatusNotFound
		if p.mark == "" || attempts == 1 || !taken {
			return 0, err
		}
		out, herr := p.s.client.api.HeadObject(ctx, &s3.HeadObjectInput{Bucket: &p.s.bucket, Key: &p.key})
		if herr != nil || out.Metadata[putMark] != p.mark {
			return 0, err
		}
		p.etag = strings.Trim(aws.ToString(out.ETag), `"`)
		return 0, nil
	})
}

// upload is a Put in parts.
type upload struct {
	*s3Put
	id   string
	free chan []byte // buffers not in use; nil ones are yet to be made

	mu    sync.Mutex
	parts []types.CompletedPart
	err   error // the first failure of a part
}

// inParts stores the data in several requests, the first of whose bodies has
// been read.
func (p *s3Put) inParts(ctx context.Context, first []byte) error {
	u := &upload{s3Put: p, free: make(chan []byte, partsInFlight)}
	for range partsInFlight - 1 {
		u.free <- nil
	}
	err := p.s.client.retry(ctx, p.s.call(opPut, p.key, ""), func(ctx context.Context) (int, error) {
		out, err := p.s.client.api.CreateMultipartUpload(ctx, &s3.CreateMultipartUploadInput{
			Bucket: &p.s.bucket, Key: &p.key, Metadata: p.metadata(),
		})
		if err == nil {
			u.id = aws.ToString(out.UploadId)
		}
		return 0, err
	})
	if err != nil {
		return err
	}
	if err = u.send(ctx, first); err == nil {
		err = u.complete(ctx)
	}
	if err != nil {
		u.abort(ctx)
		return err
	}
	// Not every store completes an upload with the etag it will show later.
	info, err := p.s.Stat(ctx, p.key)
	p.etag = info.ETag
	return err
}

// send reads the source part by part and sends the parts, some at a time. It
// returns when none is under way any more.
func (u *upload) send(ctx context.Context, buf []byte) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var wg sync.WaitGroup
	defer wg.Wait()
	for number := int32(1); len(buf) > 0; number++ {
		if number > maxParts {
			return u.stop(cancel, fail(ErrInvalid, u.name, nil, "the object has more than %d parts of %d bytes; give its size, or set a larger part size", maxParts, u.partSize))
		}
		wg.Add(1)
		go func(number int32, buf []byte) {
			defer wg.Done()
			if err := u.part(ctx, number, buf); err != nil {
				_ = u.stop(cancel, err) // send returns it
			}
			u.free <- buf[:cap(buf)]
		}(number, buf)
		var err error
		if buf, err = u.next(ctx); err != nil {
			return u.stop(cancel, err)
		}
	}
	wg.Wait()
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.err != nil {
		return u.err
	}
	return copySize(u.name, u.total, u.size)
}

// stop notes the first failure, ends the other parts and returns it.
func (u *upload) stop(cancel context.CancelCauseFunc, err error) error {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.err == nil {
		u.err = err
		cancel(err)
	}
	return u.err
}

// next reads the next part into a buffer that is free.
func (u *upload) next(ctx context.Context) ([]byte, error) {
	select {
	case <-ctx.Done():
		return nil, ctxErr(ctx, u.name)
	case buf := <-u.free:
		if buf == nil {
			buf = make([]byte, u.partSize)
		}
		return u.fill(buf)
	}
}

// part sends one part.
func (u *upload) part(ctx context.Context, number int32, buf []byte) error {
	return u.s.client.retry(ctx, u.s.call(opPut, u.key, ""), func(ctx context.Context) (int, error) {
		out, err := u.s.client.api.UploadPart(ctx, &s3.UploadPartInput{
			Bucket: &u.s.bucket, Key: &u.key, UploadId: &u.id, PartNumber: &number,
			Body: bytes.NewReader(buf), ContentLength: aws.Int64(int64(len(buf))),
		})
		if err != nil {
			return 0, err
		}
		u.mu.Lock()
		defer u.mu.Unlock()
		u.parts = append(u.parts, types.CompletedPart{ETag: out.ETag, PartNumber: &number})
		return len(buf), nil
	})
}

// complete makes the object of the parts. The store may take long to do so.
func (u *upload) complete(ctx context.Context) error {
	slices.SortFunc(u.parts, func(a, b types.CompletedPart) int { return int(*a.PartNumber - *b.PartNumber) })
	return u.conditional(withPatience(ctx, 4), func(ctx context.Context) error {
		out, err := u.s.client.api.CompleteMultipartUpload(ctx, &s3.CompleteMultipartUploadInput{
			Bucket: &u.s.bucket, Key: &u.key, UploadId: &u.id, IfNoneMatch: u.ifAbsent(),
			MultipartUpload: &types.CompletedMultipartUpload{Parts: u.parts},
		})
		if err == nil {
			u.etag = strings.Trim(aws.ToString(out.ETag), `"`)
		}
		return err
	})
}

// abort frees the parts, also when the caller has gone. It tries once: what
// stays is removed by the bucket's lifecycle rules.
func (u *upload) abort(ctx context.Context) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
	defer cancel()
	_, err := u.s.client.api.AbortMultipartUpload(ctx, &s3.AbortMultipartUploadInput{Bucket: &u.s.bucket, Key: &u.key, UploadId: &u.id})
	if err != nil && !errors.Is(err, context.Canceled) {
		u.s.client.cfg.Logger.WarnContext(ctx, "object store: parts of a failed upload may be left", "object", u.name, "error", u.s.client.reason(err))
	}
}
