package server

import "net/http"

// page serves the web page. It loads nothing from other hosts, and the
// browser is told to see to that.
func (s *Server) page() http.Handler {
	files := http.StripPrefix("/ui/", http.FileServerFS(s.cfg.UI))
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Content-Security-Policy", "default-src 'self'; img-src 'self' data:; style-src 'self' 'unsafe-inline'; frame-ancestors 'none'; base-uri 'none'")
		h.Set("Referrer-Policy", "no-referrer")
		h.Set("Cache-Control", "no-cache")
		files.ServeHTTP(w, r)
	})
}
