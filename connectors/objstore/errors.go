package objstore

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"unicode"

	"github.com/tuttidb/tutti/internal/qerr"
)

// The sorts of error that callers tell apart with errors.Is.
var (
	// ErrNotFound: there is no object under the key.
	ErrNotFound = errors.New("no such object")
	// ErrNoBucket: there is no such bucket, or no such folder.
	ErrNoBucket = errors.New("no such bucket")
	// ErrAccessDenied: credentials are missing, wrong, expired or not enough.
	ErrAccessDenied = errors.New("access denied")
	// ErrChanged: the version asked for has been replaced or deleted. The query
	// may succeed when run again, on the new version.
	ErrChanged = errors.New("object changed")
	// ErrExists: Put with IfAbsent found the key taken.
	ErrExists = errors.New("object exists")
	// ErrUnavailable: the store did not answer properly however often it was asked.
	ErrUnavailable = errors.New("object store unavailable")
	// ErrInvalid: the request makes no sense (a bad key, a range outside the object).
	ErrInvalid = errors.New("invalid request")
)

// storeError is the cause inside the *qerr.Error that buckets return. Its text
// is the whole message; kind and err are there for errors.Is and errors.As.
type storeError struct {
	kind error
	text string
	err  error
}

func (e *storeError) Error() string { return e.text }

func (e *storeError) Unwrap() []error {
	if e.err == nil {
		return []error{e.kind}
	}
	return []error{e.kind, e.err}
}

// fail makes an error "name: text" of the given kind. name comes from nameOf,
// cause may be nil.
func fail(kind error, name string, cause error, format string, args ...any) *qerr.Error {
	e := &storeError{kind: kind, text: fmt.Sprintf(format, args...), err: cause}
	if errors.Is(cause, io.EOF) {
		e.err = nil // a broken connection must not look like an object's end
	}
	out := qerr.Wrap(codeOf(kind), e, "%s", name)
	if errors.Is(kind, ErrChanged) || errors.Is(kind, ErrUnavailable) {
		return out.WithRetry()
	}
	return out
}

// codeOf returns the error code that users see for a kind of error.
func codeOf(kind error) qerr.Code {
	switch {
	case errors.Is(kind, ErrNotFound):
		return qerr.LakeFileNotFound
	case errors.Is(kind, ErrChanged):
		return qerr.LakeFileChanged
	}
	return qerr.LakeFilesystemError
}

// errChanged is the error for a version that was replaced.
func errChanged(name string, cause error) *qerr.Error {
	return fail(ErrChanged, name, cause, "the object was changed while the query was reading it; run the query again")
}

// errGone is the error for a version that was deleted after it was listed. It
// is ErrChanged and ErrNotFound at once.
func errGone(name string) *qerr.Error {
	return fail(ErrChanged, name, ErrNotFound, "the object was deleted while the query was reading it; run the query again")
}

// errNotFound is the error for a key without an object.
func errNotFound(name string) *qerr.Error {
	return fail(ErrNotFound, name, nil, "no such object (404)")
}

// ctxErr returns the reason why ctx ended, wrapped with the object's name.
func ctxErr(ctx context.Context, name string) error {
	return fmt.Errorf("%s: %w", name, context.Cause(ctx))
}

// nameOf returns "s3://bucket/key" for messages; characters that would garble
// a terminal or a log line are escaped.
func nameOf(url, key string) string {
	if key == "" {
		return url
	}
	for _, r := range key {
		if !unicode.IsPrint(r) || r == unicode.ReplacementChar {
			q := strconv.Quote(key)
			key = q[1 : len(q)-1]
			break
		}
	}
	return url + "/" + key
}

// checkKey refuses keys that no bucket of ours can hold.
func checkKey(url, key string) error {
	switch {
	case key == "":
		return fail(ErrInvalid, url, nil, "the key of an object must not be empty")
	case strings.HasPrefix(key, "/"):
		return fail(ErrInvalid, nameOf(url, key), nil, "a key must not begin with a slash")
	case len(key) > 1024:
		return fail(ErrInvalid, nameOf(url, key[:64]+"..."), nil, "a key must not be longer than 1024 bytes")
	case strings.IndexByte(key, 0) >= 0:
		return fail(ErrInvalid, nameOf(url, key), nil, "a key must not hold a zero byte")
	}
	return nil
}

// checkRange refuses offsets that make no sense.
func checkRange(url, key string, off int64, dst []byte) error {
	if off < 0 || off+int64(len(dst)) < off {
		return fail(ErrInvalid, nameOf(url, key), nil, "range of %d bytes at offset %d is not valid", len(dst), off)
	}
	return checkKey(url, key)
}

// copySize checks that a Put read as many bytes as it was promised.
func copySize(name string, got, want int64) error {
	if want >= 0 && got != want {
		return fail(ErrInvalid, name, io.ErrUnexpectedEOF, "the data to store has %d bytes instead of %d", got, want)
	}
	return nil
}

// errExists is the error of a conditional Put that came second.
func errExists(name string) *qerr.Error {
	return fail(ErrExists, name, nil, "an object of this name exists already")
}
