package meta

import (
	"bytes"
	"log/slog"
	"strings"
	"testing"
	"time"
)

// TestLogOfTheSilent: that a peer does not answer is said once a minute, what
// else happens each time.
func TestLogOfTheSilent(t *testing.T) {
	var out bytes.Buffer
	l, ok := newLogger(slog.New(slog.NewTextHandler(&out, nil)), false).(logger)
	if !ok {
		t.Fatal("another logger")
	}
	now := time.Unix(0, 0)
	l.told.now = func() time.Time { return now }
	lines := func(say func()) int {
		out.Reset()
		say()
		return strings.Count(out.String(), "\n")
	}
	for _, c := range []struct {
		what string
		say  func()
		want int
	}{
		{"a peer", func() { l.Error("failed to heartbeat to", "peer", "a:1", "error", "x") }, 1},
		{"again", func() { l.With("node", "c1").Error("failed to heartbeat to", "peer", "a:1", "error", "y") }, 0},
		{"another peer", func() { l.Error("failed to heartbeat to", "peer", "b:1", "error", "x") }, 1},
		{"another matter", func() { l.Error("failed to appendEntries to", "peer", "a:1") }, 1},
		{"news", func() { l.Warn("lost leadership"); l.Warn("lost leadership") }, 2},
		{"a detail", func() { l.Info("failed to heartbeat to", "peer", "c:1") }, 0},
		{"which was not said", func() { l.Warn("failed to heartbeat to", "peer", "c:1") }, 1},
		{"later", func() { now = now.Add(tellAgain); l.Error("failed to heartbeat to", "peer", "a:1") }, 1},
	} {
		if got := lines(c.say); got != c.want {
			t.Errorf("%s: %d lines, want %d: %s", c.what, got, c.want, out.String())
		}
	}
}

// TestLogOfElections: that there is no leader is news where there are peers,
// and nothing at the start of one without.
func TestLogOfElections(t *testing.T) {
	for _, alone := range []bool{false, true} {
		var out bytes.Buffer
		l := newLogger(slog.New(slog.NewTextHandler(&out, nil)), alone).With("node", "c1")
		l.Warn("heartbeat timeout reached, starting election", "last-leader-id", "")
		l.Warn("something else")
		if got := strings.Contains(out.String(), "heartbeat"); got == alone || !strings.Contains(out.String(), "something else") {
			t.Errorf("alone %t: %s", alone, out.String())
		}
	}
}
