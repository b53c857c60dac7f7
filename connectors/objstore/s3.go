package objstore

import (
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
)

// S3 is a Bucket of Amazon S3 or a store that speaks its protocol.
//
// Listings come in key order, as S3 has it for all but its "directory buckets".
type S3 struct {
	client *client
	bucket string
	owned  bool // the client is this bucket's alone
}

// NewS3 returns a bucket with connections of its own. Nothing is sent yet.
func NewS3(ctx context.Context, bucket string, cfg Config) (*S3, error) {
	c, err := newClient(ctx, cfg)
	if err != nil {
		return nil, err
	}
	return &S3{client: c, bucket: bucket, owned: true}, nil
}

// URL implements Bucket.
func (s *S3) URL() string { return "s3://" + s.bucket }

// Close implements Bucket.
func (s *S3) Close() error {
	if s.owned {
		s.client.transport.CloseIdleConnections()
	}
	return nil
}

// call describes a call on key for the retry loop.
func (s *S3) call(o op, key, etag string) call {
	return call{op: o, name: nameOf(s.URL(), key), url: s.URL(), etag: etag}
}

// GetRange implements Bucket. An answer that breaks off is not asked for again
// from its beginning: the next attempt goes on where it ended, on the same
// version of the object.
func (s *S3) GetRange(ctx context.Context, key, etag string, off int64, dst []byte) (int, error) {
	if err := checkRange(s.URL(), key, off, dst); err != nil || len(dst) == 0 {
		return 0, err
	}
	r := &rangeRead{s: s, key: key, etag: etag, off: off, dst: dst}
	err := s.client.retry(ctx, s.call(opGet, key, etag), r.attempt)
	return r.n, err
}

// rangeRead is the state of one GetRange.
type rangeRead struct {
	s         *S3
	key, etag string
	off       int64
	dst       []byte
	n         int // bytes read so far
}

// attempt asks for what is missing and returns how many bytes came.
func (r *rangeRead) attempt(ctx context.Context) (int, error) {
	from := r.off + int64(r.n)
	last := r.off + int64(len(r.dst)) - 1
	out, err := r.s.client.api.GetObject(ctx, &s3.GetObjectInput{
		Bucket:  &r.s.bucket,
		Key:     &r.key,
		Range:   aws.String("bytes=" + strconv.FormatInt(from, 10) + "-" + strconv.FormatInt(last, 10)),
		IfMatch: ifMatch(r.etag),
	})
	if statusOf(err) == http.StatusRequestedRangeNotSatisfiable {
		return 0, r.pastEnd(ctx)
	}
	if err != nil {
		return 0, err
	}
	defer out.Body.Close()
	a, err := r.answer(out, from)
	if err != nil {
		return 0, err
	}
	if err := r.checkVersion(versionOf(out.ETag, a.size, out.LastModified)); err != nil {
		return 0, err
	}
	return r.read(out.Body, a)
}

// pastEnd handles "range not satisfiable": the object ends before. A store that
// looks at the range before it looks at If-Match says so of a newer version
// too, so a version asked for is checked.
func (r *rangeRead) pastEnd(ctx context.Context) error {
	if r.etag == "" {
		return io.EOF
	}
	out, err := r.s.client.api.HeadObject(ctx, &s3.HeadObjectInput{Bucket: &r.s.bucket, Key: &r.key})
	if err != nil {
		return err
	}
	if err := r.checkVersion(versionOf(out.ETag, aws.ToInt64(out.ContentLength), out.LastModified)); err != nil {
		return err
	}
	return io.EOF
}

// checkVersion compares the etag of an answer; not every store honors If-Match.
// Without a version to ask for, the first answer's is what later ones must be.
func (r *rangeRead) checkVersion(got string) error {
	if r.etag == "" {
		r.etag = got
	}
	if got != r.etag {
		return errChanged(nameOf(r.s.URL(), r.key), nil)
	}
	return nil
}

// answerRange says what a body holds.
type answerRange struct {
	want int   // bytes to read from the body
	end  bool  // the object ends after them
	size int64 // of the object; -1 when the answer does not say
}

// answer works out what the answer holds, which need not be what was asked for.
func (r *rangeRead) answer(out *s3.GetObjectOutput, from int64) (answerRange, error) {
	missing := int64(len(r.dst) - r.n)
	if out.ContentRange == nil {
		if from > 0 {
			return answerRange{}, fail(ErrInvalid, nameOf(r.s.URL(), r.key), nil, "the store does not support range requests")
		}
		size := aws.ToInt64(out.ContentLength)
		return answerRange{want: int(min(size, missing)), end: size < missing, size: size}, nil
	}
	first, last, total, err := parseContentRange(*out.ContentRange)
	if err != nil || first != from || last-first >= missing {
		return answerRange{}, fail(ErrInvalid, nameOf(r.s.URL(), r.key), nil,
			"the store answered with the range %q instead of %d bytes at %d", *out.ContentRange, missing, from)
	}
	return answerRange{want: int(last - first + 1), end: total == last+1 && last-first+1 < missing, size: total}, nil
}

// read copies the body into what is left of dst.
func (r *rangeRead) read(body io.Reader, a answerRange) (int, error) {
	n, err := io.ReadFull(body, r.dst[r.n:r.n+a.want])
	r.n += n
	r.s.client.cfg.Metrics.read(n)
	switch {
	case n < a.want && (err == io.EOF || err == io.ErrUnexpectedEOF):
		return n, &cutError{n, a.want}
	case n < a.want:
		return n, &bodyError{err}
	case r.n == len(r.dst):
		return n, nil
	case a.end:
		return n, io.EOF
	}
	return n, &cutError{r.n, len(r.dst)} // a shorter range than asked for: go on
}

// bodyError is a connection that broke within a body. It asks for a retry.
type bodyError struct{ err error }

func (e *bodyError) Error() string        { return e.err.Error() }
func (e *bodyError) Unwrap() error        { return e.err }
func (e *bodyError) RetryableError() bool { return true }

// parseContentRange reads "bytes first-last/total"; total is -1 for "*".
func parseContentRange(s string) (first, last, total int64, err error) {
	spec, size, ok := strings.Cut(strings.TrimPrefix(s, "bytes "), "/")
	a, b, ok2 := strings.Cut(spec, "-")
	if !ok || !ok2 {
		return 0, 0, 0, fmt.Errorf("content range %q is not valid", s)
	}
	first, err1 := strconv.ParseInt(a, 10, 64)
	last, err2 := strconv.ParseInt(b, 10, 64)
	total = -1
	var err3 error
	if size != "*" {
		total, err3 = strconv.ParseInt(size, 10, 64)
	}
	if err := errors.Join(err1, err2, err3); err != nil || first < 0 || last < first {
		return 0, 0, 0, fmt.Errorf("content range %q is not valid", s)
	}
	return first, last, total, nil
}

// weakMark begins the etags that are made here.
const weakMark = "~"

// versionOf returns the etag without its quotes. Some stores have none for
// objects that did not come through them (versitygw, for files put into its
// folder); size and time, to the second, take its place.
func versionOf(etag *string, size int64, mod *time.Time) string {
	if tag := strings.Trim(aws.ToString(etag), `"`); tag != "" {
		return tag
	}
	return weakMark + strconv.FormatInt(size, 16) + "-" + strconv.FormatInt(aws.ToTime(mod).Unix(), 16)
}

// ifMatch returns the header that asks for a version, or nil if there is none
// to ask for.
func ifMatch(etag string) *string {
	if etag == "" || strings.HasPrefix(etag, weakMark) {
		return nil
	}
	return aws.String(`"` + etag + `"`)
}

// Stat implements Bucket.
func (s *S3) Stat(ctx context.Context, key string) (info ObjectInfo, err error) {
	if err := checkKey(s.URL(), key); err != nil {
		return info, err
	}
	err = s.client.retry(ctx, s.call(opStat, key, ""), func(ctx context.Context) (int, error) {
		out, err := s.client.api.HeadObject(ctx, &s3.HeadObjectInput{Bucket: &s.bucket, Key: &key})
		if statusOf(err) == http.StatusNotFound {
			return 0, s.whatIsMissing(ctx, err)
		}
		if err != nil {
			return 0, err
		}
		info = ObjectInfo{Key: key, Size: aws.ToInt64(out.ContentLength), ETag: versionOf(out.ETag, aws.ToInt64(out.ContentLength), out.LastModified), ModTime: aws.ToTime(out.LastModified)}
		return 0, nil
	})
	return info, err
}

// whatIsMissing finds out what a 404 means that came to a HEAD request, which
// has no body to say so: the object, the bucket or the user.
func (s *S3) whatIsMissing(ctx context.Context, err error) error {
	_, lerr := s.client.api.ListObjectsV2(ctx, &s3.ListObjectsV2Input{Bucket: &s.bucket, MaxKeys: aws.Int32(1)})
	if statusOf(lerr) == http.StatusNotFound {
		return s.client.explainStatus(s.call(opList, "", ""), lerr)
	}
	return err
}

// Delete implements Bucket.
func (s *S3) Delete(ctx context.Context, key string) error {
	if err := checkKey(s.URL(), key); err != nil {
		return err
	}
	err := s.client.retry(ctx, s.call(opDelete, key, ""), func(ctx context.Context) (int, error) {
		_, err := s.client.api.DeleteObject(ctx, &s3.DeleteObjectInput{Bucket: &s.bucket, Key: &key})
		return 0, err
	})
	if errors.Is(err, ErrNotFound) {
		return nil
	}
	return err
}

// List implements Bucket.
func (s *S3) List(ctx context.Context, opts ListOptions) iter.Seq2[Page, error] {
	return func(yield func(Page, error) bool) {
		in := &s3.ListObjectsV2Input{
			Bucket: &s.bucket,
			Prefix: aws.String(opts.Prefix),
			// XML cannot hold every character of a key.
			EncodingType: types.EncodingTypeUrl,
		}
		if opts.Flat {
			in.Delimiter = aws.String("/")
		}
		if opts.StartAfter != "" {
			in.StartAfter = aws.String(opts.StartAfter)
		}
		seen := map[string]bool{}
		for {
			out, err := s.listPage(ctx, in)
			if err != nil {
				yield(Page{}, err)
				return
			}
			page, err := s.page(out)
			if more := yield(page, err); !more || err != nil || !aws.ToBool(out.IsTruncated) {
				return
			}
			token := aws.ToString(out.NextContinuationToken)
			if token == "" || seen[token] {
				yield(Page{}, fail(ErrUnavailable, nameOf(s.URL(), opts.Prefix), nil, "the store's listing goes round in circles (continuation token %q)", token))
				return
			}
			seen[token] = true
			in.ContinuationToken = &token
		}
	}
}

var errNotAListing = errors.New("the answer is not a listing")

// listPage asks for one page.
func (s *S3) listPage(ctx context.Context, in *s3.ListObjectsV2Input) (out *s3.ListObjectsV2Output, err error) {
	err = s.client.retry(ctx, s.call(opList, aws.ToString(in.Prefix), ""), func(ctx context.Context) (int, error) {
		out, err = s.client.api.ListObjectsV2(ctx, in)
		if err == nil && out.Name == nil {
			// The SDK takes any XML for an empty listing. An error document
			// sent with status 200 must not make a table look empty.
			return 0, &bodyError{errNotAListing}
		}
		return 0, err
	})
	return out, err
}

// page translates a page, decoding keys if the store encoded them.
func (s *S3) page(out *s3.ListObjectsV2Output) (Page, error) {
	decode := func(k *string) (string, error) { return aws.ToString(k), nil }
	if out.EncodingType == types.EncodingTypeUrl {
		decode = func(k *string) (string, error) { return url.QueryUnescape(aws.ToString(k)) }
	}
	page := Page{Objects: make([]ObjectInfo, 0, len(out.Contents))}
	for _, o := range out.Contents {
		key, err := decode(o.Key)
		if err != nil {
			return Page{}, fail(ErrUnavailable, s.URL(), err, "the store listed a key that cannot be decoded: %v", err)
		}
		page.Objects = append(page.Objects, ObjectInfo{
			Key: key, Size: aws.ToInt64(o.Size), ETag: versionOf(o.ETag, aws.ToInt64(o.Size), o.LastModified), ModTime: aws.ToTime(o.LastModified).UTC(),
		})
	}
	for _, p := range out.CommonPrefixes {
		prefix, err := decode(p.Prefix)
		if err != nil {
			return Page{}, fail(ErrUnavailable, s.URL(), err, "the store listed a prefix that cannot be decoded: %v", err)
		}
		page.Prefixes = append(page.Prefixes, prefix)
	}
	return page, nil
}
