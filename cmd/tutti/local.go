package main

import (
	"bytes"
	"fmt"
	"io"
	"maps"
	"net/http"
	"os"
	"path/filepath"

	"github.com/spf13/pflag"

	"github.com/tuttidb/tutti/client"
	"github.com/tuttidb/tutti/cmd/tutti/config"
	"github.com/tuttidb/tutti/cmd/tutti/shell"
	"github.com/tuttidb/tutti/coordinator"
	"github.com/tuttidb/tutti/coordinator/server"
	"github.com/tuttidb/tutti/internal/clock"
)

// localNode is the name of the one node of tutti sql --local.
const localNode = "local"

// localBackend is an engine inside this process behind the interface that the
// shell has to a server: the same protocol handler, called without a socket.
// The lake catalog may read any path there, because whoever runs the process
// could as well. stop ends the engine.
func localBackend(o shell.Options) (backend shell.Backend, stop func(), err error) {
	dir, err := os.MkdirTemp("", "tutti-local-")
	if err != nil {
		return nil, nil, failure(err)
	}
	p, err := localProcess(dir)
	if err != nil {
		return nil, nil, err
	}
	nodes := func() []coordinator.NodeInfo {
		return []coordinator.NodeInfo{{ID: localNode, Version: version, Coordinator: true, State: "active", Threads: p.cfg.Threads}}
	}
	f, err := newFront(p, localNode, nodes, coordinator.NewCatalogs())
	if err != nil {
		return nil, nil, err
	}
	c := f.begin(f.deps())
	s, err := server.New(server.Config{
		Engine: c, Log: p.log, Clock: clock.System{}, Version: version, NodeID: localNode, Environment: localNode,
	})
	if err != nil {
		return nil, nil, failure(err)
	}
	api := &client.Client{
		BaseURL: "http://" + localNode, HTTP: &http.Client{Transport: handlerTransport{s}}, UserAgent: "tutti-sql",
		Session: client.NewSessionFrom(client.State{
			User: o.User, Source: "tutti-sql", Catalog: orElse(o.Catalog, "lake"), Schema: orElse(o.Schema, "default"),
			TimeZone: o.TimeZone, Properties: maps.Clone(o.Session),
		}),
	}
	return shell.FromClient(api), func() {
		s.Close()
		c.Close()
		_ = os.RemoveAll(dir) // a temporary folder; the system cleans what stays
	}, nil
}

// localProcess is a process with an empty warehouse in dir and no log but
// errors.
func localProcess(dir string) (*process, error) {
	cfg := &config.Config{}
	cfg.Flags(pflag.NewFlagSet(localNode, pflag.ContinueOnError), config.Server) // their defaults
	cfg.DataDir, cfg.HTTPListen, cfg.GRPCListen, cfg.LogLevel = dir, "127.0.0.1:0", "127.0.0.1:0", "error"
	if err := cfg.Check(config.Server); err != nil {
		return nil, usage(err)
	}
	if err := os.MkdirAll(filepath.Join(dir, "lake"), 0o755); err != nil {
		return nil, failure(err)
	}
	p := newProcess(cfg)
	p.builder.singleProcess, p.builder.allowAllPaths = true, true
	return p, nil
}

func orElse(s, otherwise string) string {
	if s != "" {
		return s
	}
	return otherwise
}

// handlerTransport answers requests by calling a handler in this process.
type handlerTransport struct{ handler http.Handler }

// RoundTrip runs the handler to its end and returns what it wrote. The
// protocol's answers are pages of bounded size, so nothing is streamed.
func (t handlerTransport) RoundTrip(req *http.Request) (*http.Response, error) {
	in := req.Clone(req.Context())
	if in.Body == nil {
		in.Body = http.NoBody
	}
	in.RequestURI = in.URL.RequestURI()
	in.Host = in.URL.Host
	in.RemoteAddr = "127.0.0.1:0"
	w := &recorder{header: http.Header{}, status: http.StatusOK}
	t.handler.ServeHTTP(w, in)
	if err := req.Context().Err(); err != nil {
		return nil, fmt.Errorf("call engine: %w", err)
	}
	return &http.Response{
		Status: fmt.Sprintf("%d %s", w.status, http.StatusText(w.status)), StatusCode: w.status,
		Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1, Header: w.header, Request: req,
		Body: io.NopCloser(&w.body), ContentLength: int64(w.body.Len()),
	}, nil
}

// recorder keeps what a handler writes.
type recorder struct {
	header http.Header
	body   bytes.Buffer
	status int
	began  bool
}

// Header returns the answer's headers.
func (r *recorder) Header() http.Header { return r.header }

// WriteHeader takes the answer's status, once.
func (r *recorder) WriteHeader(status int) {
	if !r.began {
		r.began, r.status = true, status
	}
}

// Write takes a part of the answer's body.
func (r *recorder) Write(b []byte) (int, error) {
	r.began = true
	return r.body.Write(b)
}
