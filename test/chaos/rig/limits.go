package rig

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/tuttidb/tutti/test/cluster"
)

// Share is a control group that bounds the processor time of processes. It
// needs a writable hierarchy of either version of control groups.
type Share struct {
	dir string
	v2  bool
}

// period is the time that a share is of.
const period = 100 * time.Millisecond

// NewShare makes a group that may use so many processors, such as 0.4.
func NewShare(name string, cpus float64) (*Share, error) {
	quota := strconv.Itoa(int(cpus * float64(period.Microseconds())))
	micros := strconv.FormatInt(period.Microseconds(), 10)
	if b, err := os.ReadFile("/sys/fs/cgroup/cgroup.controllers"); err == nil && strings.Contains(string(b), "cpu") {
		s := &Share{dir: filepath.Join("/sys/fs/cgroup", name), v2: true}
		return s, s.make(map[string]string{"cpu.max": quota + " " + micros})
	}
	s := &Share{dir: filepath.Join("/sys/fs/cgroup/cpu", name)}
	return s, s.make(map[string]string{"cpu.cfs_period_us": micros, "cpu.cfs_quota_us": quota})
}

func (s *Share) make(files map[string]string) error {
	if err := os.Mkdir(s.dir, 0o755); err != nil && !errors.Is(err, os.ErrExist) {
		return fmt.Errorf("processor shares need a control group that can be written (root, or a delegated one): %w", err)
	}
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(s.dir, name), []byte(text), 0o644); err != nil {
			return fmt.Errorf("processor shares need a control group that can be written (root, or a delegated one): %w", err)
		}
	}
	return nil
}

// Add puts a process into the group, with all its threads.
func (s *Share) Add(p *cluster.Process) error {
	return os.WriteFile(filepath.Join(s.dir, "cgroup.procs"), []byte(strconv.Itoa(p.Pid())), 0o644)
}

// String says by what the share is held.
func (s *Share) String() string {
	if s.v2 {
		return "cgroup v2 cpu.max"
	}
	return "cgroup v1 cpu.cfs_quota_us"
}

// Close removes the group, whose processes must have ended.
func (s *Share) Close() error { return os.Remove(s.dir) }

// Disk is a small file system of its own, in memory, that can be filled. It
// needs the right to mount.
type Disk struct{ dir string }

// NewDisk mounts a file system of so many bytes at dir.
func NewDisk(dir string, size int64) (*Disk, error) {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, err
	}
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, fmt.Sprintf("size=%d", size)); err != nil {
		return nil, fmt.Errorf("a disk that can be full needs the right to mount one: %w", err)
	}
	return &Disk{dir: dir}, nil
}

// Fill takes all space that is left; Free gives it back.
func (d *Disk) Fill() error {
	f, err := os.Create(d.ballast())
	if err != nil {
		return err
	}
	defer f.Close()
	zeros := make([]byte, 64<<10)
	for len(zeros) > 0 {
		if _, err := f.Write(zeros); errors.Is(err, syscall.ENOSPC) {
			zeros = zeros[:len(zeros)/2]
		} else if err != nil {
			return err
		}
	}
	return nil
}

// Free removes what Fill has written.
func (d *Disk) Free() error { return os.Remove(d.ballast()) }

func (d *Disk) ballast() string { return filepath.Join(d.dir, "ballast") }

// Close unmounts the file system.
func (d *Disk) Close() error { return syscall.Unmount(d.dir, 0) }
