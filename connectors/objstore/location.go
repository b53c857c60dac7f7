package objstore

import (
	"os"
	"path"
	"path/filepath"
	"strings"

	"github.com/tuttidb/tutti/internal/qerr"
)

// The schemes of locations.
const (
	SchemeS3   = "s3"
	SchemeFile = "file"
)

// Location is a parsed place of data: a bucket and a path in it, or a path in
// the local file system. The path may be a glob pattern.
type Location struct {
	// Scheme is SchemeS3 or SchemeFile.
	Scheme string
	// Bucket is the name of the S3 bucket; empty for files.
	Bucket string
	// Path is the key or prefix (S3, without the slash after the bucket) or the
	// path of a file or folder, as given.
	Path string
}

// ParseLocation reads s3://bucket/path (s3a: and s3n: mean the same),
// file:///path, or a plain path, absolute or relative to the working folder.
// Nothing in it is percent-decoded, as keys may well hold a "%".
func ParseLocation(text string) (Location, error) {
	scheme, rest, found := strings.Cut(text, "://")
	if !found || !isScheme(scheme) {
		if after, ok := strings.CutPrefix(text, "file:/"); ok {
			return fileLocation("/"+after, text)
		}
		return fileLocation(text, text)
	}
	switch strings.ToLower(scheme) {
	case "s3", "s3a", "s3n":
		return s3Location(rest)
	case SchemeFile:
		if !strings.HasPrefix(rest, "/") {
			return Location{}, badLocation("%q names a host; a file is written with three slashes, as file:///path", text)
		}
		return fileLocation(rest, text)
	}
	return Location{}, qerr.NotSupported(qerr.Pos{}, "locations that begin with %s:// (use s3://bucket/path, file:///path or a path)", scheme)
}

// isScheme tells "gs" from a path that happens to hold "://".
func isScheme(s string) bool {
	for i, r := range s {
		letter := r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z'
		if !letter && (i == 0 || !strings.ContainsRune("0123456789+-.", r)) {
			return false
		}
	}
	return s != ""
}

func badLocation(format string, args ...any) error {
	return qerr.New(qerr.InvalidArguments, "location "+format, args...)
}

// s3Location parses what follows "s3://". It echoes nothing when the text
// looks as if it held credentials.
func s3Location(rest string) (Location, error) {
	bucket, key, _ := strings.Cut(rest, "/")
	if strings.ContainsAny(bucket, "@:") {
		return Location{}, badLocation("s3://... must hold a bucket and a path only; keys and the endpoint belong in the catalog's settings")
	}
	if bucket == "" {
		return Location{}, badLocation("s3://... names no bucket")
	}
	for _, r := range bucket {
		ok := r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("._-", r)
		if !ok {
			return Location{}, badLocation("has a bucket name with the character %q, which buckets cannot have", r)
		}
	}
	return Location{Scheme: SchemeS3, Bucket: bucket, Path: key}, nil
}

func fileLocation(p, text string) (Location, error) {
	if p == "" {
		return Location{}, badLocation("is empty")
	}
	if strings.IndexByte(p, 0) >= 0 {
		return Location{}, badLocation("%q holds a zero byte", text)
	}
	return Location{Scheme: SchemeFile, Path: p}, nil
}

// String returns the location as text that ParseLocation reads.
func (l Location) String() string {
	switch {
	case l.Scheme == SchemeS3 && l.Path == "":
		return "s3://" + l.Bucket
	case l.Scheme == SchemeS3:
		return "s3://" + l.Bucket + "/" + l.Path
	case path.IsAbs(l.Path):
		return "file://" + l.Path
	}
	return l.Path
}

// Append returns the location of something below l.
func (l Location) Append(parts ...string) Location {
	l.Path = Join(append([]string{l.Path}, parts...)...)
	return l
}

// Contains reports whether other is l or lies below it. Both are taken as
// folders without glob patterns; ".." parts and relative paths are resolved,
// symbolic links are not.
func (l Location) Contains(other Location) bool {
	if l.Scheme != other.Scheme || l.Bucket != other.Bucket {
		return false
	}
	a, b := l.clean(), other.clean()
	return a == "" || a == b || strings.HasPrefix(b, strings.TrimSuffix(a, "/")+"/")
}

// clean returns the path in a form that can be compared.
func (l Location) clean() string {
	if l.Scheme == SchemeS3 {
		return strings.TrimRight(l.Path, "/") // keys know no ".."
	}
	if abs, err := filepath.Abs(l.Path); err == nil {
		return filepath.ToSlash(abs)
	}
	return path.Clean(l.Path)
}

// Split cuts l into a folder and a glob pattern below it, at the last "/"
// before the first wildcard. A location without wildcards that ends in "/", or
// is an existing local folder, has no pattern; any other one is a folder and
// the name of one object.
func (l Location) Split() (base Location, pattern string) {
	if l.Scheme == SchemeFile && !HasMeta(l.Path) {
		if fi, err := os.Stat(l.Path); err == nil && fi.IsDir() {
			return l, ""
		}
	}
	i := strings.LastIndexByte(l.Path[:literalLen(l.Path)], '/') + 1
	base, pattern = l, l.Path[i:]
	base.Path = l.Path[:i]
	if base.Path == "" && l.Scheme == SchemeFile {
		base.Path = "."
	}
	return base, pattern
}
