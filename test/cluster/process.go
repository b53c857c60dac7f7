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

// anyPort is where processes listen whose address nobody has to know beforehand.
const anyPort = "127.0.0.1:0"

// Ports that FreeAddress gives, but those that the system takes for outgoing
// connections, one of which could have it before a process listens.
const (
	firstPort = 10_000
	lastPort  = 65_535
)

// outgoing are the first and the last port that the system takes for outgoing
// connections; as Linux has it by default if it does not say.
func outgoing() (first, last int) {
	text, err := os.ReadFile("/proc/sys/net/ipv4/ip_local_port_range")
	if n, scanned := fmt.Sscan(string(text), &first, &last); err != nil || scanned != nil || n != 2 {
		return 32_768, 60_999
	}
	if lastPort-last+first-firstPort < 1000 { // hardly any other: they have to do
		return 0, 0
	}
	return first, last
}

// FreeAddress returns a loopback address that nothing listens on, and that
// nobody else who asks is given while this process lives: until a process
// listens the port is free, so a locked file says whose it is.
func FreeAddress() string {
	locks := filepath.Join(os.TempDir(), "tutti-test-ports")
	_ = os.MkdirAll(locks, 0o777) // if there is no folder, Open says so
	first, last := outgoing()
	for {
		n := firstPort + rand.IntN(lastPort-firstPort)
		if n >= first && n <= last {
			continue
		}
		port := strconv.Itoa(n)
		lock, err := syscall.Open(filepath.Join(locks, port), syscall.O_CREAT|syscall.O_RDWR|syscall.O_CLOEXEC, 0o666)
		if err != nil {
			panic(fmt.Sprintf("no port can be had: %v", err)) // nothing that is tested can go on
		}
		if syscall.Flock(lock, syscall.LOCK_EX|syscall.LOCK_NB) == nil {
			if l, err := net.Listen("tcp", "127.0.0.1:"+port); err == nil {
				_ = l.Close()              // nothing was connected
				return "127.0.0.1:" + port // the lock goes with the process
			}
		}
		_ = syscall.Close(lock) // nothing was written
	}
}

// lastWords is the end of what the process has said.
func (p *Process) lastWords() string {
	const most = 2000
	said, err := os.ReadFile(p.Log)
	if err != nil {
		return err.Error()
	}
	return string(said[max(0, len(said)-most):])
}
