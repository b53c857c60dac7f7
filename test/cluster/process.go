package cluster

import (
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// Process is a program that was started and will be ended by its id.
type Process struct {
	Name string
	// Log is the path of its output.
	Log   string
	cmd   *exec.Cmd
	ended chan struct{}
}

// Start runs a program with additional environment; its output is added to
// DIR/NAME.log.
func Start(dir, name string, env []string, program string, args ...string) (*Process, error) {
	path := filepath.Join(dir, name+".log")
	log, err := os.OpenFile(path, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return nil, err
	}
	defer log.Close() // the process has its own descriptor
	p := &Process{Name: name, Log: path, cmd: exec.Command(program, args...), ended: make(chan struct{})}
	p.cmd.Env = append(os.Environ(), env...)
	p.cmd.Stdout, p.cmd.Stderr = log, log
	if err := p.cmd.Start(); err != nil {
		return nil, err
	}
	go func() {
		_ = p.cmd.Wait() // ExitCode says how it ended
		close(p.ended)
	}()
	return p, nil
}

// Pid is the id of the process.
func (p *Process) Pid() int { return p.cmd.Process.Pid }

// Kill ends the process at once, as a machine that loses power.
func (p *Process) Kill() {
	_ = p.cmd.Process.Kill() // fails only when it has ended
	<-p.ended
}

// Pause stops the process, Resume lets it go on.
func (p *Process) Pause() error { return p.cmd.Process.Signal(syscall.SIGSTOP) }

// Resume lets a paused process go on.
func (p *Process) Resume() error { return p.cmd.Process.Signal(syscall.SIGCONT) }

// Terminate asks the process to end, waits, and returns its exit code; one that
// does not end within limit is killed, which is an error.
func (p *Process) Terminate(limit time.Duration) (code int, err error) {
	_ = p.cmd.Process.Signal(syscall.SIGTERM) // fails only when it has ended
	select {
	case <-p.ended:
		return p.cmd.ProcessState.ExitCode(), nil
	case <-time.After(limit):
		p.Kill()
		return -1, fmt.Errorf("%s did not end within %s of SIGTERM; see %s", p.Name, limit, p.Log)
	}
}

// Stop is Terminate with a limit for nodes that have nothing to finish.
func (p *Process) Stop() error {
	_, err := p.Terminate(15 * time.Second)
	return err
}

// Ended reports whether the process has ended.
func (p *Process) Ended() bool {
	select {
	case <-p.ended:
		return true
	default:
		return false
	}
}

// schedClock is the kernel's number of the clock that counts a process's
// processor time, all threads of it, those that have ended too.
const schedClock = 2

// CPU is the processor time that a running process has used, 0 where unknown.
func (p *Process) CPU() time.Duration {
	var t unix.Timespec
	if unix.ClockGettime(int32(^p.Pid())<<3|schedClock, &t) != nil {
		return 0
	}
	return time.Duration(t.Nano())
}

// Ports that FreeAddress gives: below those that systems take for outgoing
// connections, one of which could have it before a process listens.
const (
	firstPort = 10_000
	lastPort  = 32_000
)

// FreeAddress returns a loopback address that nothing listens on.
func FreeAddress() string {
	for {
		address := "127.0.0.1:" + strconv.Itoa(firstPort+rand.IntN(lastPort-firstPort))
		if l, err := net.Listen("tcp", address); err == nil {
			_ = l.Close() // nothing was connected
			return address
		}
	}
}
