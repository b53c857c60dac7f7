package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"time"
)

// errCut is a new statement whose connection was cut before it was answered:
// the one thing that no client may try again by itself, since the statement
// may be running. What must not happen is that any other request fails.
var errCut = errors.New("the connection was cut before the new statement was answered")

// patient sends requests as the drivers of Trino's clients do: what reads is
// tried again for a while when its connection fails, a new statement only if it
// never left.
type patient struct {
	next  http.RoundTripper
	limit time.Duration // for trying again
}

// tryAgain is the wait before another try.
const tryAgain = 50 * time.Millisecond

// RoundTrip sends a request until it is answered.
func (p *patient) RoundTrip(r *http.Request) (*http.Response, error) {
	for deadline := time.Now().Add(p.limit); ; {
		resp, err := p.once(r)
		switch {
		case err == nil || r.Context().Err() != nil:
			return resp, err
		case r.Method == http.MethodPost && !neverLeft(err):
			return nil, fmt.Errorf("%w: %w", errCut, err)
		case time.Now().After(deadline):
			return nil, fmt.Errorf("tried again for %s: %w", p.limit, err)
		}
		if r.GetBody != nil {
			if r.Body, err = r.GetBody(); err != nil {
				return nil, err
			}
		}
		select {
		case <-r.Context().Done():
			return nil, context.Cause(r.Context())
		case <-time.After(tryAgain):
		}
	}
}

// once sends a request and reads all of its answer.
func (p *patient) once(r *http.Request) (*http.Response, error) {
	resp, err := p.next.RoundTrip(r)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		return nil, err
	}
	resp.Body = io.NopCloser(bytes.NewReader(b))
	return resp, nil
}

// neverLeft reports whether a request failed before any of it was sent.
func neverLeft(err error) bool {
	op := (*net.OpError)(nil)
	return errors.As(err, &op) && op.Op == "dial"
}
