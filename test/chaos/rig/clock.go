package rig

import (
	"bytes"
	"context"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

// Clock is the wall clock of a process, which can be stepped while it runs. The
// program must be built by BuildStepped, and started with Env.
type Clock struct{ path string }

// clockEnv names the file with the seconds by which a process's clock is off.
const clockEnv = "TUTTI_TEST_CLOCK"

// NewClock makes a clock that is right, kept in a file.
func NewClock(path string) (*Clock, error) {
	c := &Clock{path}
	return c, c.Step(0)
}

// Env is what tells a process of its clock.
func (c *Clock) Env() string { return clockEnv + "=" + c.path }

// Step sets by how much the clock is off, in whole seconds, at once.
func (c *Clock) Step(d time.Duration) error {
	f, err := os.OpenFile(c.path, os.O_CREATE|os.O_WRONLY, 0o644) // the bytes stay where processes have them mapped
	if err != nil {
		return err
	}
	_, err = f.Write(binary.NativeEndian.AppendUint64(nil, uint64(d/time.Second)))
	if e := f.Close(); err == nil {
		err = e
	}
	return err
}

// steppedNow goes into package time of the programs that BuildStepped builds.
// Like a step of the system's clock it changes what time.Now says of the day,
// and not the monotonic reading by which durations and timers go.
const steppedNow = `package time

import (
	"sync/atomic"
	"syscall"
	"unsafe"
)

var clockStep = openClockStep()

func openClockStep() *int64 {
	path, ok := syscall.Getenv("` + clockEnv + `")
	if !ok {
		return new(int64)
	}
	fd, err := syscall.Open(path, syscall.O_RDONLY|syscall.O_CLOEXEC, 0)
	if err != nil {
		panic(path + ": " + err.Error())
	}
	b, err := syscall.Mmap(fd, 0, 8, syscall.PROT_READ, syscall.MAP_SHARED)
	if err != nil {
		panic(path + ": " + err.Error())
	}
	return (*int64)(unsafe.Pointer(&b[0]))
}

func steppedNow() (sec int64, nsec int32, mono int64) {
	sec, nsec, mono = runtimeNow()
	if clockStep != nil {
		sec += atomic.LoadInt64(clockStep)
	}
	return sec, nsec, mono
}
`

// BuildStepped builds a program of this module whose wall clock can be stepped:
// with an overlay of the standard library, so that the program's own code, and
// its dependencies', is what users get. The first time everything is compiled.
func BuildStepped(ctx context.Context, dir, out, pkg string) error {
	root, err := exec.CommandContext(ctx, "go", "env", "GOROOT").Output()
	if err != nil {
		return fmt.Errorf("go env GOROOT: %w", err)
	}
	lib := filepath.Join(strings.TrimSpace(string(root)), "src", "time")
	own, err := os.ReadFile(filepath.Join(lib, "time.go"))
	if err != nil {
		return err
	}
	const begin = "func Now() Time {\n\tsec, nsec, mono := "
	if !bytes.Contains(own, []byte(begin+"runtimeNow()")) {
		return fmt.Errorf("%s/time.go has another Now than expected: clocks cannot be stepped with this version of Go", lib)
	}
	own = bytes.Replace(own, []byte(begin+"runtimeNow()"), []byte(begin+"steppedNow()"), 1)
	replace := map[string]string{}
	for name, text := range map[string][]byte{"time.go": own, "clockstep.go": []byte(steppedNow)} {
		path := filepath.Join(dir, "overlay-"+name)
		if err := os.WriteFile(path, text, 0o644); err != nil {
			return err
		}
		replace[filepath.Join(lib, name)] = path
	}
	overlay, err := json.Marshal(map[string]any{"Replace": replace})
	if err != nil {
		return err
	}
	path := filepath.Join(dir, "overlay.json")
	if err := os.WriteFile(path, overlay, 0o644); err != nil {
		return err
	}
	return Build(ctx, out, pkg, "-overlay", path)
}
