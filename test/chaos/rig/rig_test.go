package rig

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/tuttidb/tutti/test/cluster"
)

// echo is a node that says back what it hears.
func echo(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				_, _ = io.Copy(c, c) // ends with the connection
				c.Close()
			}()
		}
	}()
	return l.Addr().String()
}

// network is one with the node b, and this process as the node a.
func network(t *testing.T) (*Net, string) {
	t.Helper()
	n := NewNet()
	t.Cleanup(n.Close)
	if _, err := n.Door(t.Context(), "a"); err != nil {
		t.Fatal(err)
	}
	door, err := n.Door(t.Context(), "b")
	if err != nil {
		t.Fatal(err)
	}
	n.Place("a", "127.0.0.1:1", os.Getpid())
	n.Place("b", echo(t), 1) // by its process of id 1, which never comes to a door
	return n, door
}

func dial(t *testing.T, address string) net.Conn {
	t.Helper()
	c, err := net.DialTimeout("tcp4", address, time.Second)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

// say sends a word and returns what comes back within a time.
func say(c net.Conn, word string, patience time.Duration) (string, error) {
	if _, err := c.Write([]byte(word)); err != nil {
		return "", err
	}
	return hear(c, len(word), patience)
}

func hear(c net.Conn, n int, patience time.Duration) (string, error) {
	if err := c.SetReadDeadline(time.Now().Add(patience)); err != nil {
		return "", err
	}
	b := make([]byte, n)
	k, err := io.ReadFull(c, b)
	return string(b[:k]), err
}

func mustSay(t *testing.T, c net.Conn, word string) {
	t.Helper()
	if got, err := say(c, word, 5*time.Second); err != nil || got != word {
		t.Fatalf("said %q, heard %q, %v", word, got, err)
	}
}

func TestNetHold(t *testing.T) {
	for _, dir := range [][2]string{{"a", "b"}, {"b", "a"}} {
		n, door := network(t)
		c := dial(t, door)
		mustSay(t, c, "before")
		if n.Links("a", "b") != 1 {
			t.Error("the door does not know who came")
		}
		n.Set(dir[0], dir[1], Rule{Hold: true})
		if got, err := say(c, "held", 100*time.Millisecond); !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("held %v: heard %q, %v", dir, got, err)
		}
		// New connections are held, too.
		late := dial(t, door)
		if got, err := say(late, "late", 100*time.Millisecond); !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("held %v: a new connection heard %q, %v", dir, got, err)
		}
		n.Heal()
		for c, want := range map[net.Conn]string{c: "held", late: "late"} {
			if got, err := hear(c, len(want), 5*time.Second); err != nil || got != want {
				t.Errorf("after the hold: %q, %v, want %q", got, err, want)
			}
		}
	}
}

// TestNetHoldOthers: a rule is for its pair only.
func TestNetHoldOthers(t *testing.T) {
	n, door := network(t)
	n.Both("b", "c", Rule{Hold: true})
	mustSay(t, dial(t, door), "through")
}

func TestNetRefuseAndReset(t *testing.T) {
	n, door := network(t)
	c := dial(t, door)
	mustSay(t, c, "before")
	if n.Reset("b", "a") != 1 {
		t.Error("no connection to reset")
	}
	if got, err := say(c, "after", time.Second); err == nil {
		t.Errorf("heard %q on a connection that was reset", got)
	}
	mustSay(t, dial(t, door), "again")
	n.Set("a", "b", Rule{Refuse: true})
	refused, err := net.DialTimeout("tcp4", door, time.Second)
	if err != nil {
		return // it was faster than the dial
	}
	defer refused.Close()
	if got, err := say(refused, "refused", time.Second); err == nil {
		t.Errorf("heard %q from a node that refuses", got)
	}
}

func TestNetSlow(t *testing.T) {
	n, door := network(t)
	c := dial(t, door)
	mustSay(t, c, "before")
	n.Set("a", "b", Rule{Delay: 60 * time.Millisecond})
	began := time.Now()
	mustSay(t, c, "slow")
	if took := time.Since(began); took < 60*time.Millisecond {
		t.Errorf("slowed by 60 ms, took %s", took)
	}
	n.Set("a", "b", Rule{Rate: 1000})
	began = time.Now()
	mustSay(t, c, strings.Repeat("x", 100))
	if took := time.Since(began); took < 100*time.Millisecond {
		t.Errorf("100 bytes at 1000 a second took %s", took)
	}
}

func TestStoreSpoils(t *testing.T) {
	content := strings.Repeat("0123456789", 20_000)
	behind := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Host != r.Header.Get("X-Host") {
			t.Errorf("host %q became %q", r.Header.Get("X-Host"), r.Host)
		}
		w.Header().Set("Content-Length", strconv.Itoa(len(content)))
		_, _ = io.WriteString(w, content) // the client may have gone
	}))
	defer behind.Close()
	s := NewStore(behind.URL, 1)
	defer s.Close()
	for _, c := range []struct {
		name   string
		spoil  Spoil
		status int // 0: no answer
		whole  bool
		least  time.Duration
	}{
		{name: "well", status: 200, whole: true},
		{name: "500", spoil: Spoil{Share: 1, Status: 500}, status: 500},
		{name: "503", spoil: Spoil{Share: 1, Status: 503}, status: 503},
		{name: "reset", spoil: Spoil{Share: 1, Reset: true}},
		{name: "cut", spoil: Spoil{Share: 1, Cut: true}, status: 200},
		{name: "cut by reset", spoil: Spoil{Share: 1, Cut: true, Reset: true}, status: 200},
		{name: "stalled", spoil: Spoil{Share: 1, Stall: 50 * time.Millisecond}, status: 200, whole: true, least: 50 * time.Millisecond},
		{name: "slow", spoil: Spoil{Share: 1, Rate: 2_000_000}, status: 200, whole: true, least: 100 * time.Millisecond},
		{name: "none of them", spoil: Spoil{Share: 0, Status: 500}, status: 200, whole: true},
	} {
		t.Run(c.name, func(t *testing.T) {
			s.Set(c.spoil)
			began := time.Now()
			req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, s.URL+"/b/k?x=1", nil)
			if err != nil {
				t.Fatal(err)
			}
			req.Header.Set("X-Host", req.URL.Host)
			resp, err := http.DefaultClient.Do(req)
			if c.status == 0 {
				if err == nil {
					resp.Body.Close()
					t.Fatal("an answer")
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			defer resp.Body.Close()
			b, err := io.ReadAll(resp.Body)
			if resp.StatusCode != c.status {
				t.Errorf("status %d, want %d", resp.StatusCode, c.status)
			}
			if whole := err == nil && string(b) == content; whole != c.whole {
				t.Errorf("%d bytes (%v), want all: %v", len(b), err, c.whole)
			}
			if took := time.Since(began); took < c.least {
				t.Errorf("took %s, want at least %s", took, c.least)
			}
		})
	}
	if seen, spoiled := s.Figures(); seen < 9 || spoiled < 7 || spoiled >= seen {
		t.Errorf("%d of %d requests spoiled", spoiled, seen)
	}
}

func TestProcess(t *testing.T) {
	dir := t.TempDir()
	p, err := cluster.Start(dir, "shell", []string{"WORD=hello"}, "/bin/sh", "-c", `trap 'exit 3' TERM; echo $WORD; while :; do sleep 0.01; done`)
	if err != nil {
		t.Fatal(err)
	}
	for deadline := time.Now().Add(5 * time.Second); ; {
		if b, _ := os.ReadFile(p.Log); string(b) == "hello\n" {
			break
		}
		if time.Now().After(deadline) {
			t.Fatal("says nothing")
		}
		time.Sleep(5 * time.Millisecond)
	}
	if err := errors.Join(p.Pause(), p.Resume()); err != nil || p.Ended() {
		t.Error(err)
	}
	if code, err := p.Terminate(5 * time.Second); code != 3 || err != nil {
		t.Errorf("ends with %d, %v", code, err)
	}
	deaf, err := cluster.Start(dir, "deaf", nil, "/bin/sh", "-c", `trap '' TERM; while :; do sleep 0.01; done`)
	if err != nil {
		t.Fatal(err)
	}
	time.Sleep(50 * time.Millisecond) // for the trap; without it the process ends, which the test sees
	if _, err := deaf.Terminate(100 * time.Millisecond); err == nil || !deaf.Ended() {
		t.Errorf("a deaf process: %v", err)
	}
}

func TestCPU(t *testing.T) {
	p, err := cluster.Start(t.TempDir(), "busy", nil, "/bin/sh", "-c", "while :; do :; done")
	if err != nil {
		t.Fatal(err)
	}
	defer p.Kill()
	for deadline := time.Now().Add(10 * time.Second); p.CPU() < 50*time.Millisecond; {
		if time.Now().After(deadline) {
			t.Fatalf("a busy process has used %s", p.CPU())
		}
		time.Sleep(10 * time.Millisecond)
	}
}

func TestDial(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
	defer cancel()
	if err := Dial(ctx, echo(t)); err != nil {
		t.Error(err)
	}
	if err := Dial(ctx, "127.0.0.1:1"); !errors.Is(err, syscall.ECONNREFUSED) {
		t.Error(err)
	}
}
