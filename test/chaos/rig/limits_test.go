package rig

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/tuttidb/tutti/test/cluster"
)

// TestDisk: a full disk takes no byte, and all again once it is freed. Without
// the right to mount the error says so.
func TestDisk(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "disk")
	d, err := NewDisk(dir, 1<<20)
	if err != nil {
		if os.Getuid() == 0 || !strings.Contains(err.Error(), "right to mount") {
			t.Errorf("%v", err)
		}
		return
	}
	defer func() {
		if err := d.Close(); err != nil {
			t.Error(err)
		}
	}()
	write := func() error { return os.WriteFile(filepath.Join(dir, "x"), make([]byte, 64<<10), 0o600) }
	if err := write(); err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(os.Remove(filepath.Join(dir, "x")), d.Fill()); err != nil {
		t.Fatal(err)
	}
	if err := write(); !errors.Is(err, syscall.ENOSPC) {
		t.Errorf("a full disk takes a file: %v", err)
	}
	if err := errors.Join(d.Free(), write()); err != nil {
		t.Error(err)
	}
}

// TestShare: a process that would take all of a processor gets its share. Where
// no group can be made the error says so.
func TestShare(t *testing.T) {
	s, err := NewShare(fmt.Sprintf("tutti-rig-test-%d", os.Getpid()), 0.2)
	if err != nil {
		if !strings.Contains(err.Error(), "control group") {
			t.Errorf("%v", err)
		}
		return
	}
	p, err := cluster.Start(t.TempDir(), "busy", nil, "/bin/sh", "-c", "while :; do :; done")
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Add(p); err != nil {
		t.Error(err)
	}
	before := p.CPU()
	time.Sleep(time.Second)
	if used := p.CPU() - before; used > 400*time.Millisecond {
		t.Errorf("a fifth of a processor was %s in a second (%s)", used, s)
	}
	p.Kill()
	if err := s.Close(); err != nil {
		t.Error(err)
	}
}
