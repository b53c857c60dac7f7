package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"
)

// newPartingServer serves h; the client keeps its connections.
func newPartingServer(t *testing.T, h http.HandlerFunc) (*parting, *httptest.Server) {
	t.Helper()
	p := newParting(h)
	s := httptest.NewUnstartedServer(p)
	p.Watch(s.Config)
	s.Start()
	t.Cleanup(s.Close)
	return p, s
}

func fetch(ctx context.Context, c *http.Client, url string) (closes bool, err error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, url, nil) // not sent again by itself
	if err != nil {
		return false, err
	}
	resp, err := c.Do(req)
	if err != nil {
		return false, err
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err == nil && string(b) != "answer" {
		err = fmt.Errorf("got %q", b)
	}
	return resp.Close, err
}

func TestPartingAnswers(t *testing.T) {
	for _, c := range []struct {
		name   string
		answer func(w http.ResponseWriter, wait func())
	}{
		{"written", func(w http.ResponseWriter, wait func()) { wait(); _, _ = io.WriteString(w, "answer") }},
		{"with a status", func(w http.ResponseWriter, wait func()) {
			wait()
			w.WriteHeader(http.StatusAccepted)
			_, _ = io.WriteString(w, "answer")
		}},
		{"after a hint", func(w http.ResponseWriter, wait func()) {
			w.WriteHeader(http.StatusEarlyHints)
			wait()
			_, _ = io.WriteString(w, "answer")
		}},
		{"flushed", func(w http.ResponseWriter, wait func()) {
			wait()
			_, _ = io.WriteString(w, "ans")
			if err := http.NewResponseController(w).Flush(); err != nil {
				panic(err)
			}
			_, _ = io.WriteString(w, "wer")
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			waiting, parted := make(chan struct{}, 1), make(chan struct{})
			hold := false
			p, s := newPartingServer(t, func(w http.ResponseWriter, _ *http.Request) {
				c.answer(w, func() {
					if hold {
						waiting <- struct{}{}
						<-parted
					}
				})
			})
			if closes, err := fetch(t.Context(), s.Client(), s.URL); err != nil || closes {
				t.Fatalf("before: closes %v, %v", closes, err)
			}
			hold = true
			done := make(chan error, 1)
			go func() {
				closes, err := fetch(t.Context(), s.Client(), s.URL)
				if err == nil && !closes {
					err = errors.New("the connection stays")
				}
				done <- err
			}()
			<-waiting // the request came before, its answer comes after
			ctx, cancel := context.WithCancel(t.Context())
			cancel()
			p.Part(ctx)
			close(parted)
			if err := <-done; err != nil {
				t.Error(err)
			}
			p.Part(t.Context()) // the only connection has gone
		})
	}
}

func TestPartingWaits(t *testing.T) {
	p, s := newPartingServer(t, func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "answer") })
	if _, err := fetch(t.Context(), s.Client(), s.URL); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	p.Part(ctx)
	if ctx.Err() == nil {
		t.Error("a connection that may yet ask is waited for")
	}
	if closes, err := fetch(t.Context(), s.Client(), s.URL); err != nil || !closes {
		t.Errorf("closes %v, %v", closes, err)
	}
	p.Part(t.Context())
	newParting(http.NotFoundHandler()).Part(t.Context()) // nobody is there
}

// TestPartingBreaksNothing ends servers under clients that never send a request
// twice: each of them is answered.
func TestPartingBreaksNothing(t *testing.T) {
	for range 5 {
		p, s := newPartingServer(t, func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "answer") })
		var clients sync.WaitGroup
		for range 4 {
			c := &http.Client{Transport: &http.Transport{}}
			defer c.CloseIdleConnections()
			clients.Go(func() {
				for {
					closes, err := fetch(t.Context(), c, s.URL)
					if err != nil {
						t.Error(err)
					}
					if closes || err != nil {
						return // to another server
					}
				}
			})
		}
		time.Sleep(5 * time.Millisecond) // any moment will do
		p.Part(t.Context())
		if err := s.Config.Shutdown(t.Context()); err != nil {
			t.Error(err)
		}
		clients.Wait()
	}
}
