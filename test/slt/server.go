package slt

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"time"
)

// ServerVariable names the environment variable with the URL of a running
// server to test; without it, a server is built and started.
const ServerVariable = "TUTTI_SLT_SERVER"

// catalogs are the catalog files that the corpus needs.
var catalogs = map[string]string{
	"tpch":    "connector: tpch\n",
	"tpchstd": "connector: tpch\ncolumn-naming: standard\ndouble-type-mapping: decimal\n",
	"memory":  "connector: memory\n",
}

// WriteCatalogs writes the catalog files that the corpus needs into a folder.
func WriteCatalogs(dir string) error {
	for name, text := range catalogs {
		if err := os.WriteFile(filepath.Join(dir, name+".yaml"), []byte(text), 0o644); err != nil {
			return err
		}
	}
	return nil
}

// Server is a server process started for a test.
type Server struct {
	URL     string
	command *exec.Cmd
	ended   chan error
}

// StartServer runs a program, given as its path and arguments, that serves
// HTTP on the free loopback address which is put in place of "%HTTP%" in the
// arguments ("%GRPC%" is a second one), and waits until it answers /v1/info.
// The program's output goes to log.
func StartServer(ctx context.Context, log *os.File, program string, args ...string) (*Server, error) {
	address := map[string]string{}
	for _, name := range []string{"%HTTP%", "%GRPC%"} {
		free, err := freeAddress()
		if err != nil {
			return nil, err
		}
		address[name] = free
	}
	for i, arg := range args {
		if a, ok := address[arg]; ok {
			args[i] = a
		}
	}
	s := &Server{URL: "http://" + address["%HTTP%"], command: exec.Command(program, args...), ended: make(chan error, 1)}
	s.command.Stdout, s.command.Stderr = log, log
	if err := s.command.Start(); err != nil {
		return nil, err
	}
	go func() { s.ended <- s.command.Wait() }()
	if err := s.await(ctx); err != nil {
		_ = s.Stop() // the first error is the one that tells
		return nil, err
	}
	return s, nil
}

// await polls the server until it answers.
func (s *Server) await(ctx context.Context) error {
	for {
		if s.answers(ctx) {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("the server does not answer: %w", ctx.Err())
		case err := <-s.ended:
			s.ended <- err
			return fmt.Errorf("the server ended: %w", errors.Join(err, errors.New("see its log")))
		case <-time.After(20 * time.Millisecond):
		}
	}
}

func (s *Server) answers(ctx context.Context) bool {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, s.URL+"/v1/info", nil)
	if err != nil {
		return false
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return false
	}
	resp.Body.Close()
	return resp.StatusCode == http.StatusOK
}

// Stop ends the server: politely, and after ten seconds by force, which is an
// error.
func (s *Server) Stop() error {
	_ = s.command.Process.Signal(syscall.SIGTERM) // fails only when it has ended
	select {
	case <-s.ended:
		return nil
	case <-time.After(10 * time.Second):
		_ = s.command.Process.Kill()
		<-s.ended
		return errors.New("the server did not end within 10 s of SIGTERM")
	}
}

// freeAddress returns a loopback address that nothing listens on.
func freeAddress() (string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	defer l.Close()
	return l.Addr().String(), nil
}
