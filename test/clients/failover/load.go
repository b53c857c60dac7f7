package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"
)

// answer is what became of one query of a client.
type answer struct {
	client, query string
	begin, end    time.Time
	outcome       string // ok, wrong, error or cut
	detail        string
}

// parseAnswer reads a line that a client's program has printed.
func parseAnswer(client, line string) (answer, error) {
	f := strings.SplitN(line, "\t", 5)
	if len(f) < 4 {
		return answer{}, fmt.Errorf("%s says %q", client, line)
	}
	begin, err := strconv.ParseInt(f[1], 10, 64)
	end, err2 := strconv.ParseInt(f[2], 10, 64)
	a := answer{client: client, query: f[0], begin: time.UnixMilli(begin), end: time.UnixMilli(end), outcome: f[3]}
	if len(f) == 5 {
		a.detail = f[4]
	}
	switch a.outcome {
	case "ok", "wrong", "error", "cut":
		return a, errors.Join(err, err2)
	}
	return a, fmt.Errorf("%s says %q", client, line)
}

// load is a client's program that runs.
type load struct {
	name, dir string
	cmd       *exec.Cmd
	log       *os.File
	ready     chan struct{} // closed when it knows the answers
	ended     chan struct{}
	err       error // after ended
	mu        sync.Mutex
	answers   []answer
}

// startLoad starts "NAME=COMMAND" with a URL and a folder of its own.
func startLoad(dir, spec, url, queries string) (*load, error) {
	name, command, ok := strings.Cut(spec, "=")
	if !ok {
		return nil, fmt.Errorf("client %q is not NAME=COMMAND", spec)
	}
	l := &load{name: name, dir: filepath.Join(dir, "client-"+name), ready: make(chan struct{}), ended: make(chan struct{})}
	if err := os.MkdirAll(l.dir, 0o755); err != nil {
		return nil, err
	}
	if err := os.WriteFile(filepath.Join(l.dir, "queries.tsv"), []byte(queries), 0o644); err != nil {
		return nil, err
	}
	var err error
	if l.log, err = os.Create(filepath.Join(l.dir, "log")); err != nil {
		return nil, err
	}
	l.cmd = exec.Command("bash", "-c", command+` "$@"`, name, url, l.dir)
	l.cmd.Stderr = l.log
	l.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // so that all it starts can be ended
	stdout, err := l.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := l.cmd.Start(); err != nil {
		return nil, err
	}
	go l.read(stdout)
	return l, nil
}

// read takes what the program prints until it ends.
func (l *load) read(stdout io.Reader) {
	defer close(l.ended)
	defer l.log.Close()
	done := false
	for lines := bufio.NewScanner(stdout); lines.Scan(); {
		fmt.Fprintln(l.log, lines.Text())
		switch lines.Text() {
		case "ready":
			close(l.ready)
		case "done":
			done = true
		default:
			a, err := parseAnswer(l.name, lines.Text())
			l.err = errors.Join(l.err, err)
			l.mu.Lock()
			l.answers = append(l.answers, a)
			l.mu.Unlock()
		}
	}
	l.err = errors.Join(l.err, l.cmd.Wait())
	if !done {
		l.err = errors.Join(l.err, fmt.Errorf("%s ended early; see %s", l.name, l.log.Name()))
	}
}

// await waits until the program knows the answers.
func (l *load) await(ctx context.Context) error {
	select {
	case <-l.ready:
		return nil
	case <-l.ended:
		return fmt.Errorf("%s: %w", l.name, l.err)
	case <-ctx.Done():
		return fmt.Errorf("%s: %w", l.name, ctx.Err())
	}
}

// stop lets the program finish its query; after a minute it is ended.
func (l *load) stop() error {
	if err := os.WriteFile(filepath.Join(l.dir, "stop"), nil, 0o644); err != nil {
		return err
	}
	select {
	case <-l.ended:
		return l.err
	case <-time.After(time.Minute):
		l.kill()
		<-l.ended
		return fmt.Errorf("%s hangs; see %s", l.name, l.log.Name())
	}
}

// kill ends the program and all that it has started.
func (l *load) kill() { _ = syscall.Kill(-l.cmd.Process.Pid, syscall.SIGKILL) } // fails only when it has ended

// taken returns the answers so far.
func (l *load) taken() []answer {
	l.mu.Lock()
	defer l.mu.Unlock()
	return append([]answer(nil), l.answers...)
}
