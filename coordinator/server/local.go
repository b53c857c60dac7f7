package server

import "net/http"

// Local answers what is about one coordinator's process and no other: whether
// it lives, is ready, what state it is in, its metrics, the web page's files,
// and the order to shut down. It needs no engine, and so lives as long as the
// process, while Servers come and go with leaderships.
type Local struct{ server *Server }

// NewLocal returns the handler. Of cfg it uses all but Engine, Journal,
// Registerer and Limits.
func NewLocal(cfg Config) (*Local, error) {
	cfg.Registerer, cfg.Limits = nil, cfg.Limits.orDefault()
	s := &Server{cfg: cfg, started: cfg.Clock.Now()}
	var err error
	if s.metrics, err = newMetrics(s); err != nil {
		return nil, err
	}
	mux := http.NewServeMux()
	s.mountLocal(mux)
	s.handler = s.guard(mux)
	return &Local{s}, nil
}

// mountLocal adds the routes that need no engine.
func (s *Server) mountLocal(mux *http.ServeMux) {
	mux.HandleFunc("GET /v1/info", s.info)
	mux.HandleFunc("GET /v1/info/coordinator", ok)
	mux.HandleFunc("GET /v1/info/state", s.state)
	mux.HandleFunc("PUT /v1/info/state", s.setState)
	mux.HandleFunc("GET /v1/status", s.status)
	mux.HandleFunc("GET /healthz", ok)
	mux.HandleFunc("GET /readyz", s.ready)
	s.metrics.mount(mux, s.cfg.Gatherer)
	if s.cfg.UI != nil {
		mux.Handle("GET /ui/", s.page())
		mux.Handle("GET /{$}", http.RedirectHandler("/ui/", http.StatusFound))
		mux.Handle("GET /ui", http.RedirectHandler("/ui/", http.StatusMovedPermanently))
	}
}

// ServeHTTP answers one request.
func (l *Local) ServeHTTP(w http.ResponseWriter, r *http.Request) { l.server.ServeHTTP(w, r) }

// End says from now on that the process is shutting down.
func (l *Local) End() { l.server.ending.Store(true) }

// Ending reports whether it was said.
func (l *Local) Ending() bool { return l.server.ending.Load() }
