package objstore_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/tuttidb/tutti/connectors/objstore"
	"github.com/tuttidb/tutti/internal/qerr"
)

// TestConformance runs the one suite over every kind of bucket.
func TestConformance(t *testing.T) {
	kinds := map[string]func(t *testing.T) objstore.Bucket{
		"mem": func(t *testing.T) objstore.Bucket { return objstore.NewMem("test", nil) },
		"file": func(t *testing.T) objstore.Bucket {
			b, err := objstore.NewFile(filepath.Join(t.TempDir(), "a folder"), nil)
			if err != nil {
				t.Fatal(err)
			}
			return b
		},
		"s3":     func(t *testing.T) objstore.Bucket { return newFakeS3(t, "bucket").bucket(t, "bucket") },
		"faulty": func(t *testing.T) objstore.Bucket { return objstore.NewFaulty(objstore.NewMem("test", nil), 1) },
	}
	for kind, open := range kinds {
		t.Run(kind, func(t *testing.T) { conformance(t, open) })
	}
}

// conformance runs the suite; open returns a bucket with nothing in it.
func conformance(t *testing.T, open func(t *testing.T) objstore.Bucket) {
	tests := map[string]func(t *testing.T, b objstore.Bucket){
		"ranges": conformRanges, "versions": conformVersions, "missing": conformMissing, "bad keys": conformBadKeys,
		"lists": conformLists, "pages": conformPages, "odd keys": conformOddKeys, "puts": conformPuts,
		"if absent": conformIfAbsent, "delete": conformDelete, "canceled": conformCanceled, "glob": conformGlob,
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			noLeaks(t)
			b := open(t)
			put(t, b, "zz/marker", nil) // makes the folder
			test(t, b)
			if err := b.Close(); err != nil {
				t.Error(err)
			}
		})
	}
}

func conformRanges(t *testing.T, b objstore.Bucket) {
	data := noise(1, 100_000)
	info := put(t, b, "dir/data.bin", data)
	if info.Key != "dir/data.bin" || info.Size != int64(len(data)) || info.ETag == "" || time.Since(info.ModTime) > time.Hour {
		t.Errorf("Put returned %+v", info)
	}
	got, err := b.Stat(t.Context(), "dir/data.bin")
	if err != nil || got.Size != info.Size || got.ETag != info.ETag || got.Key != info.Key {
		t.Errorf("Stat = %+v, %v; Put returned %+v", got, err, info)
	}
	tests := []struct {
		off  int64
		n    int
		want int
		err  error
	}{
		{0, 0, 0, nil}, {0, 1, 1, nil}, {0, 100_000, 100_000, nil}, {99_999, 1, 1, nil}, {5, 70_000, 70_000, nil},
		{0, 100_001, 100_000, io.EOF}, {99_990, 20, 10, io.EOF}, {100_000, 1, 0, io.EOF}, {1 << 40, 1, 0, io.EOF},
	}
	for _, etag := range []string{"", info.ETag} {
		for _, tt := range tests {
			dst := make([]byte, tt.n)
			n, err := b.GetRange(t.Context(), "dir/data.bin", etag, tt.off, dst)
			if n != tt.want || !errors.Is(err, tt.err) {
				t.Errorf("GetRange(etag %q, %d, %d bytes) = %d, %v; want %d, %v", etag, tt.off, tt.n, n, err, tt.want, tt.err)
			} else if n > 0 && !bytes.Equal(dst[:n], data[tt.off:tt.off+int64(n)]) {
				t.Errorf("GetRange(etag %q, %d, %d bytes) returned other bytes", etag, tt.off, tt.n)
			}
		}
	}
	if _, err := b.GetRange(t.Context(), "dir/data.bin", "", -1, make([]byte, 1)); !errors.Is(err, objstore.ErrInvalid) {
		t.Errorf("negative offset: %v", err)
	}
	put(t, b, "empty", nil)
	if n, err := b.GetRange(t.Context(), "empty", "", 0, make([]byte, 5)); n != 0 || !errors.Is(err, io.EOF) {
		t.Errorf("read of an empty object = %d, %v", n, err)
	}
}

func conformVersions(t *testing.T, b objstore.Bucket) {
	old := put(t, b, "k", []byte("version one"))
	again := put(t, b, "k", []byte("version two, longer"))
	if old.ETag == again.ETag {
		t.Fatalf("two versions have the etag %q", old.ETag)
	}
	dst := make([]byte, 5)
	for _, off := range []int64{0, 500} {
		_, err := b.GetRange(t.Context(), "k", old.ETag, off, dst)
		wantErr(t, err, objstore.ErrChanged, qerr.LakeFileChanged, true, b.URL()+"/k: the object was changed", "run the query again")
	}
	if n, err := b.GetRange(t.Context(), "k", again.ETag, 0, dst); n != 5 || err != nil {
		t.Errorf("GetRange of the new version = %d, %v", n, err)
	}
	if err := b.Delete(t.Context(), "k"); err != nil {
		t.Fatal(err)
	}
	_, err := b.GetRange(t.Context(), "k", again.ETag, 0, dst)
	wantErr(t, err, objstore.ErrChanged, qerr.LakeFileChanged, true, b.URL()+"/k: the object was deleted", "run the query again")
	if !errors.Is(err, objstore.ErrNotFound) {
		t.Errorf("a deleted version is not ErrNotFound: %v", err)
	}
}

// wantErr checks sort, code, retry hint and text of an error.
func wantErr(t *testing.T, err, kind error, code qerr.Code, retry bool, texts ...string) {
	t.Helper()
	var q *qerr.Error
	if !errors.As(err, &q) {
		t.Errorf("error %v (%T) has no code", err, err)
		return
	}
	if !errors.Is(err, kind) || q.Code != code || q.Retryable != retry {
		t.Errorf("error %q: is %v: %v, code %s, retryable %v; want code %s, retryable %v",
			err, kind, errors.Is(err, kind), q.Code.Name, q.Retryable, code.Name, retry)
	}
	for _, text := range texts {
		if !strings.Contains(err.Error(), text) {
			t.Errorf("error %q does not say %q", err, text)
		}
	}
	if q.Code.Kind != qerr.External {
		t.Errorf("error %q is not EXTERNAL", err)
	}
}

func conformMissing(t *testing.T, b objstore.Bucket) {
	put(t, b, "a/b", []byte("x"))
	for _, key := range []string{"nothing", "a", "a/b/c", "a/c"} {
		_, err := b.Stat(t.Context(), key)
		wantErr(t, err, objstore.ErrNotFound, qerr.LakeFileNotFound, false, b.URL()+"/"+key+": no such object")
		_, err = b.GetRange(t.Context(), key, "", 0, make([]byte, 1))
		wantErr(t, err, objstore.ErrNotFound, qerr.LakeFileNotFound, false, b.URL()+"/"+key+": no such object")
	}
}

func conformBadKeys(t *testing.T, b objstore.Bucket) {
	for _, key := range []string{"", "/abs", "nul\x00", strings.Repeat("k", 1025)} {
		_, err := b.Stat(t.Context(), key)
		if !errors.Is(err, objstore.ErrInvalid) {
			t.Errorf("Stat(%.20q): %v", key, err)
		}
		if _, err := b.Put(t.Context(), key, strings.NewReader(""), 0, objstore.PutOptions{}); !errors.Is(err, objstore.ErrInvalid) {
			t.Errorf("Put(%.20q): %v", key, err)
		}
		if err := b.Delete(t.Context(), key); !errors.Is(err, objstore.ErrInvalid) {
			t.Errorf("Delete(%.20q): %v", key, err)
		}
	}
}

// listing returns keys and folders of a listing in one line.
func listing(t *testing.T, b objstore.Bucket, opts objstore.ListOptions) string {
	t.Helper()
	var keys, folders []string
	for page, err := range b.List(t.Context(), opts) {
		if err != nil {
			t.Fatal(err)
		}
		for _, o := range page.Objects {
			keys = append(keys, o.Key)
			if o.ETag == "" || o.ModTime.IsZero() {
				t.Errorf("listed %+v", o)
			}
		}
		folders = append(folders, page.Prefixes...)
	}
	return strings.Join(keys, " ") + " | " + strings.Join(folders, " ")
}

func conformLists(t *testing.T, b objstore.Bucket) {
	for i, key := range []string{"t/b", "t/a.c", "t/a/x", "t/a/y/z", "t/a0", "t2/q", "s", "t/c/d=1/f", "t/c/d=2/f"} {
		put(t, b, key, noise(uint64(i), i))
	}
	tests := []struct {
		opts objstore.ListOptions
		want string
	}{
		{objstore.ListOptions{}, "s t/a.c t/a/x t/a/y/z t/a0 t/b t/c/d=1/f t/c/d=2/f t2/q zz/marker | "},
		{objstore.ListOptions{Prefix: "t/"}, "t/a.c t/a/x t/a/y/z t/a0 t/b t/c/d=1/f t/c/d=2/f | "},
		{objstore.ListOptions{Prefix: "t"}, "t/a.c t/a/x t/a/y/z t/a0 t/b t/c/d=1/f t/c/d=2/f t2/q | "},
		{objstore.ListOptions{Prefix: "t/a/"}, "t/a/x t/a/y/z | "},
		{objstore.ListOptions{Prefix: "t/c/d="}, "t/c/d=1/f t/c/d=2/f | "},
		{objstore.ListOptions{Prefix: "none/"}, " | "},
		{objstore.ListOptions{Prefix: "t/b/"}, " | "},
		{objstore.ListOptions{Flat: true}, "s | t/ t2/ zz/"},
		{objstore.ListOptions{Prefix: "t", Flat: true}, " | t/ t2/"},
		{objstore.ListOptions{Prefix: "t/", Flat: true}, "t/a.c t/a0 t/b | t/a/ t/c/"},
		{objstore.ListOptions{Prefix: "t/c/d", Flat: true}, " | t/c/d=1/ t/c/d=2/"},
		{objstore.ListOptions{Prefix: "t/", StartAfter: "t/a/x"}, "t/a/y/z t/a0 t/b t/c/d=1/f t/c/d=2/f | "},
		{objstore.ListOptions{StartAfter: "t/c"}, "t/c/d=1/f t/c/d=2/f t2/q zz/marker | "},
	}
	for _, tt := range tests {
		if got := listing(t, b, tt.opts); got != tt.want {
			t.Errorf("List(%+v)\n got %s\nwant %s", tt.opts, got, tt.want)
		}
	}
}

func conformPages(t *testing.T, b objstore.Bucket) {
	var want []string
	for i := range 2_300 {
		key := fmt.Sprintf("p/%04d", i)
		put(t, b, key, nil)
		want = append(want, key)
	}
	var got []string
	pages := 0
	for page, err := range b.List(t.Context(), objstore.ListOptions{Prefix: "p/"}) {
		if err != nil {
			t.Fatal(err)
		}
		if pages++; len(page.Objects) > 1000 {
			t.Errorf("a page of %d", len(page.Objects))
		}
		for _, o := range page.Objects {
			got = append(got, o.Key)
		}
	}
	if !slices.Equal(got, want) || pages < 3 {
		t.Errorf("%d keys in %d pages, want %d", len(got), pages, len(want))
	}
	for page, err := range b.List(t.Context(), objstore.ListOptions{Prefix: "p/"}) {
		if err != nil || len(page.Objects) != 1000 {
			t.Errorf("first page of %d, %v", len(page.Objects), err)
		}
		break
	}
}

// oddKeys are keys that need care in URLs, XML or file names.
var oddKeys = []string{
	"odd/a b+c", "odd/d%2Fe", "odd/d=x%3Ay", "odd/q?x=1&y=2#z", "odd/üñ-日本-🎻", "odd/quote\"'<>", "odd/star*[1]{a}", "odd/~.hidden", "odd/@:,;!$()",
}

func conformOddKeys(t *testing.T, b objstore.Bucket) {
	for i, key := range oddKeys {
		put(t, b, key, noise(uint64(i), 10+i))
	}
	want := slices.Sorted(slices.Values(oddKeys))
	var got []string
	for page, err := range b.List(t.Context(), objstore.ListOptions{Prefix: "odd/"}) {
		if err != nil {
			t.Fatal(err)
		}
		for _, o := range page.Objects {
			got = append(got, o.Key)
			data, err := objstore.ReadAll(t.Context(), b, o)
			if i := slices.Index(oddKeys, o.Key); i >= 0 && (err != nil || !bytes.Equal(data, noise(uint64(i), 10+i))) {
				t.Errorf("%q: read %d bytes, %v", o.Key, len(data), err)
			}
		}
	}
	if !slices.Equal(got, want) {
		t.Errorf("listed\n%q, want\n%q", got, want)
	}
}

// trickle reads a few bytes at a time and hides its length.
type trickle struct{ r io.Reader }

func (t trickle) Read(p []byte) (int, error) { return t.r.Read(p[:min(len(p), 7777)]) }

func conformPuts(t *testing.T, b objstore.Bucket) {
	for _, size := range []int{0, 1, 5<<20 - 1, 5 << 20, 5<<20 + 1, 17 << 20} {
		data := noise(uint64(size), size)
		for _, announced := range []int64{int64(size), -1} {
			info, err := b.Put(t.Context(), "big", trickle{bytes.NewReader(data)}, announced, objstore.PutOptions{})
			if err != nil {
				t.Fatalf("Put of %d bytes (announced %d): %v", size, announced, err)
			}
			stat, err := b.Stat(t.Context(), "big")
			if err != nil || stat.ETag != info.ETag || stat.Size != int64(size) {
				t.Errorf("Put of %d bytes returned %+v, Stat %+v, %v", size, info, stat, err)
			}
			if got, err := objstore.ReadAll(t.Context(), b, info); err != nil || !bytes.Equal(got, data) {
				t.Errorf("%d bytes came back as %d other ones, %v", size, len(got), err)
			}
		}
	}
	for _, wrong := range []int64{3, 99, 6 << 20} {
		if _, err := b.Put(t.Context(), "wrong", strings.NewReader("four"), wrong, objstore.PutOptions{}); !errors.Is(err, objstore.ErrInvalid) {
			t.Errorf("Put of 4 bytes announced as %d: %v", wrong, err)
		}
	}
	broken := io.MultiReader(bytes.NewReader(make([]byte, 11<<20)), failingReader{})
	if _, err := b.Put(t.Context(), "wrong", broken, -1, objstore.PutOptions{}); !errors.Is(err, errSource) {
		t.Errorf("Put of a broken source: %v", err)
	}
	if got := listing(t, b, objstore.ListOptions{Prefix: "wrong"}); got != " | " {
		t.Errorf("failed Puts left %s", got)
	}
}

var errSource = errors.New("the source broke")

type failingReader struct{}

func (failingReader) Read([]byte) (int, error) { return 0, errSource }

func conformIfAbsent(t *testing.T, b objstore.Bucket) {
	var wg sync.WaitGroup
	results := make([]error, 6)
	for i := range results {
		wg.Go(func() {
			_, results[i] = b.Put(t.Context(), "once/k", strings.NewReader(fmt.Sprint("writer ", i)), -1, objstore.PutOptions{IfAbsent: true})
		})
	}
	wg.Wait()
	winner := slices.Index(results, nil)
	if winner < 0 {
		t.Fatalf("nobody won: %v", results)
	}
	for i, err := range results {
		if i != winner {
			wantErr(t, err, objstore.ErrExists, qerr.LakeFilesystemError, false, b.URL()+"/once/k: an object of this name exists")
		}
	}
	info, err := b.Stat(t.Context(), "once/k")
	if err != nil {
		t.Fatal(err)
	}
	if got, err := objstore.ReadAll(t.Context(), b, info); err != nil || string(got) != fmt.Sprint("writer ", winner) {
		t.Errorf("the object holds %q, %v; the winner was %d", got, err, winner)
	}
}

func conformDelete(t *testing.T, b objstore.Bucket) {
	put(t, b, "d/x", []byte("x"))
	put(t, b, "d/y", []byte("y"))
	for range 2 {
		if err := b.Delete(t.Context(), "d/x"); err != nil {
			t.Error(err)
		}
	}
	if err := b.Delete(t.Context(), "d"); err != nil {
		t.Errorf("Delete of a folder's name: %v", err)
	}
	if got := listing(t, b, objstore.ListOptions{Prefix: "d/"}); got != "d/y | " {
		t.Errorf("left: %s", got)
	}
}

func conformCanceled(t *testing.T, b objstore.Bucket) {
	put(t, b, "k", []byte("x"))
	why := errors.New("the query was killed")
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(why)
	_, statErr := b.Stat(ctx, "k")
	_, getErr := b.GetRange(ctx, "k", "", 0, make([]byte, 1))
	_, putErr := b.Put(ctx, "k2", strings.NewReader("x"), 1, objstore.PutOptions{})
	var listErr error
	for _, err := range b.List(ctx, objstore.ListOptions{}) {
		listErr = err
	}
	for name, err := range map[string]error{"Stat": statErr, "GetRange": getErr, "Put": putErr, "List": listErr, "Delete": b.Delete(ctx, "k")} {
		if !errors.Is(err, why) {
			t.Errorf("%s returned %v", name, err)
		}
	}
	if got := listing(t, b, objstore.ListOptions{Prefix: "k"}); got != "k | " {
		t.Errorf("left: %s", got)
	}
}

func conformGlob(t *testing.T, b objstore.Bucket) {
	for _, key := range []string{"g/a.parquet", "g/b.csv", "g/sub/c.parquet", "g/sub/deep/d.parquet", "g/dt=1/e.parquet", "g/dt=2/f.parquet", "g/x*y", "g2/h.parquet"} {
		put(t, b, key, []byte(key))
	}
	tests := map[string]string{
		"g/*.parquet":                   "g/a.parquet",
		"g/**/*.parquet":                "g/a.parquet g/dt=1/e.parquet g/dt=2/f.parquet g/sub/c.parquet g/sub/deep/d.parquet",
		"g/sub/**":                      "g/sub/c.parquet g/sub/deep/d.parquet",
		"g*/*.parquet":                  "g/a.parquet g2/h.parquet",
		"g/dt=[12]/*":                   "g/dt=1/e.parquet g/dt=2/f.parquet",
		"g/{a.parquet,sub/c.parquet,q}": "g/a.parquet g/sub/c.parquet",
		"g/?.csv":                       "g/b.csv",
		"g/b.csv":                       "g/b.csv",
		"g/nothing":                     "",
		"g/sub/":                        "g/sub/c.parquet g/sub/deep/d.parquet",
		`g/x\*y`:                        "g/x*y",
		"**/deep/*":                     "g/sub/deep/d.parquet",
	}
	for pattern, want := range tests {
		var got []string
		for o, err := range objstore.Glob(t.Context(), b, pattern) {
			if err != nil {
				t.Fatal(err)
			}
			got = append(got, o.Key)
		}
		if strings.Join(got, " ") != want {
			t.Errorf("Glob(%q) = %q, want %q", pattern, got, want)
		}
	}
	for _, err := range objstore.Glob(t.Context(), b, "g/[a") {
		if !errors.Is(err, objstore.ErrInvalid) {
			t.Errorf("bad pattern: %v", err)
		}
	}
}
