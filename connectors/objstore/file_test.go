package objstore_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/tuttidb/tutti/connectors/objstore"
	"github.com/tuttidb/tutti/internal/qerr"
)

func openFolder(t testing.TB) (*objstore.File, string) {
	t.Helper()
	dir := t.TempDir()
	b, err := objstore.NewFile(dir, nil)
	if err != nil {
		t.Fatal(err)
	}
	return b, dir
}

// TestFileTraversal: keys cannot leave the folder.
func TestFileTraversal(t *testing.T) {
	b, dir := openFolder(t)
	outside := filepath.Join(filepath.Dir(dir), "outside")
	if err := os.WriteFile(outside, []byte("secret"), 0o644); err != nil {
		t.Fatal(err)
	}
	for _, key := range []string{"../outside", "a/../../outside", "..", ".", "./x", "a//b", "a/", "a/./b", ".tutti-put-1"} {
		if _, err := b.Stat(t.Context(), key); !errors.Is(err, objstore.ErrInvalid) {
			t.Errorf("Stat(%q): %v", key, err)
		}
		if _, err := b.GetRange(t.Context(), key, "", 0, make([]byte, 1)); !errors.Is(err, objstore.ErrInvalid) {
			t.Errorf("GetRange(%q): %v", key, err)
		}
		if _, err := b.Put(t.Context(), key, strings.NewReader("x"), 1, objstore.PutOptions{}); !errors.Is(err, objstore.ErrInvalid) {
			t.Errorf("Put(%q): %v", key, err)
		}
		if err := b.Delete(t.Context(), key); !errors.Is(err, objstore.ErrInvalid) {
			t.Errorf("Delete(%q): %v", key, err)
		}
	}
	for _, err := range b.List(t.Context(), objstore.ListOptions{Prefix: "../"}) {
		if !errors.Is(err, objstore.ErrInvalid) {
			t.Errorf("List: %v", err)
		}
	}
}

// TestFileOddEntries: links are followed but not in circles; what is no file is
// left out, and so are files being written.
func TestFileOddEntries(t *testing.T) {
	b, dir := openFolder(t)
	put(t, b, "d/a", []byte("a"))
	err := errors.Join(
		os.Symlink("d", filepath.Join(dir, "link")),
		os.Symlink("..", filepath.Join(dir, "d/up")),
		os.Symlink("a", filepath.Join(dir, "d/also")),
		os.Symlink("nowhere", filepath.Join(dir, "d/dangling")),
		os.Symlink("self", filepath.Join(dir, "self")),
		syscall.Mkfifo(filepath.Join(dir, "d/pipe"), 0o644),
		os.WriteFile(filepath.Join(dir, "d/.tutti-put-99"), nil, 0o644),
		os.Mkdir(filepath.Join(dir, "empty"), 0o755),
	)
	if err != nil {
		t.Fatal(err)
	}
	got := listing(t, b, objstore.ListOptions{Prefix: "d/a"})
	if got != "d/a d/also | " {
		t.Errorf("listed %s", got)
	}
	got = listing(t, b, objstore.ListOptions{})
	if !strings.HasPrefix(got, "d/a d/also ") || strings.Contains(got, "dangling") || strings.Contains(got, "pipe") || len(got) > 200 {
		t.Errorf("listed %s", got)
	}
	for _, key := range []string{"d/pipe", "d/dangling", "d/up", "empty"} {
		if _, err := b.GetRange(t.Context(), key, "", 0, make([]byte, 1)); !errors.Is(err, objstore.ErrNotFound) {
			t.Errorf("GetRange(%q): %v", key, err)
		}
	}
}

// TestFileChangedOutside: files that others write are noticed.
func TestFileChangedOutside(t *testing.T) {
	b, dir := openFolder(t)
	path := filepath.Join(dir, "f")
	info := put(t, b, "f", noise(1, 1000))
	changes := map[string]func() error{
		"truncated": func() error { return os.Truncate(path, 500) },
		"longer":    func() error { return os.Truncate(path, 2000) },
		"replaced": func() error {
			return errors.Join(os.WriteFile(path+"2", noise(2, 1000), 0o644), os.Rename(path+"2", path))
		},
	}
	for name, change := range changes {
		if err := change(); err != nil {
			t.Fatal(err)
		}
		_, err := b.GetRange(t.Context(), "f", info.ETag, 0, make([]byte, 10))
		wantErr(t, err, objstore.ErrChanged, qerr.LakeFileChanged, true, "file://"+path)
		info, err = b.Stat(t.Context(), "f")
		if err != nil {
			t.Fatal(name, err)
		}
	}
}

func TestFileErrorTexts(t *testing.T) {
	b, dir := openFolder(t)
	put(t, b, "a/b", []byte("x"))
	_, err := b.Put(t.Context(), "a/b/c", strings.NewReader("x"), 1, objstore.PutOptions{})
	wantErr(t, err, objstore.ErrInvalid, qerr.LakeFilesystemError, false, "file://"+dir+"/a/b/c: a part of the path is a file")
	_, err = b.Put(t.Context(), "a", strings.NewReader("x"), 1, objstore.PutOptions{})
	wantErr(t, err, objstore.ErrUnavailable, qerr.LakeFilesystemError, true, "file://"+dir+"/a: ")
	if got := listing(t, b, objstore.ListOptions{}); got != "a/b | " {
		t.Errorf("left: %s", got)
	}
	notFolder, err := objstore.NewFile(filepath.Join(dir, "a/b"), nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, err := range notFolder.List(t.Context(), objstore.ListOptions{}) {
		wantErr(t, err, objstore.ErrNoBucket, qerr.LakeFilesystemError, false, "/a/b: not a folder")
	}
}
