package server

import (
	"context"
	"encoding/hex"
	"net/http"
)

// A statement whose coordinator was lost before it answered may have begun, or
// not. Whoever forwards statements to coordinators therefore names each with a
// slug of its own making. The name is written down when the statement is
// accepted, before it begins (package journal). So when the statement is sent
// again, to the next leader, that one knows it or it never began. It may also
// be sent again to the same one, and come before its first request, which was
// held up on its way: the name alone says that they are one.

// StatementHeader names a statement: 32 hexadecimal digits that nobody can
// guess. It becomes the slug of the statement's URIs.
const StatementHeader = "X-Tutti-Statement"

// slugOf returns the name of a new statement, and whether others may know it.
func (s *Server) slugOf(r *http.Request) (slug string, named bool) {
	name := r.Header.Get(StatementHeader)
	if b, err := hex.DecodeString(name); !s.cfg.Named || err != nil || len(b) != slugBytes {
		return newSlug(), false
	}
	return name, true
}

// accepted returns the statement of a name, nil if there is none.
func (s *Server) accepted(slug string) *result {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, r := range s.results {
		if r.slug == slug {
			return r
		}
	}
	return nil
}

// claim waits until no other request is about to accept the statement of that
// name: one whose connection broke may be, while it is sent again. It returns
// how to let the next one go on.
func (s *Server) claim(ctx context.Context, slug string) (release func(), err error) {
	for {
		s.mu.Lock()
		other := s.claimed[slug]
		if other == nil {
			mine := make(chan struct{})
			s.claimed[slug] = mine
			s.mu.Unlock()
			return func() { s.unclaim(slug); close(mine) }, nil
		}
		s.mu.Unlock()
		select {
		case <-other:
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-s.ctx.Done():
			return nil, errAbandoned
		}
	}
}

func (s *Server) unclaim(slug string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.claimed, slug)
}
