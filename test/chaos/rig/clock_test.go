package rig

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"
)

// TestClock: the day that a process reads follows the file; a step lands in the
// file as a whole.
func TestClock(t *testing.T) {
	c, err := NewClock(filepath.Join(t.TempDir(), "clock"))
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range []time.Duration{0, time.Hour, -time.Hour, 1500 * time.Millisecond} {
		if err := c.Step(d); err != nil {
			t.Fatal(err)
		}
		if b, err := os.ReadFile(c.path); err != nil || len(b) != 8 {
			t.Fatalf("%v: %v, %v", d, b, err)
		}
	}
	if got := c.Env(); got != clockEnv+"="+c.path {
		t.Error(got)
	}
}

// TestStepped runs the overlay itself, in a program that says the time when it
// is asked and how long it waited for that.
func TestStepped(t *testing.T) {
	if os.Getenv("TUTTI_TEST_LONG") == "" {
		t.Log("compiles the standard library anew: asked for by TUTTI_TEST_LONG=1")
		return
	}
	dir := t.TempDir()
	c, err := NewClock(filepath.Join(dir, "clock"))
	if err != nil {
		t.Fatal(err)
	}
	program := filepath.Join(dir, "tutti")
	if err := BuildStepped(t.Context(), dir, program, "cmd/tutti"); err != nil {
		t.Fatal(err)
	}
	ask := func() time.Time {
		t.Helper()
		cmd := exec.CommandContext(t.Context(), program, "sql", "--local", "--format", "csv", "-e", "SELECT CAST(to_unixtime(current_timestamp) AS bigint)")
		cmd.Env = append(os.Environ(), c.Env())
		out, err := cmd.Output()
		if err != nil {
			t.Fatal(err)
		}
		lines := bytes.Split(bytes.TrimSpace(out), []byte("\n"))
		seconds, err := time.ParseDuration(string(bytes.Trim(lines[len(lines)-1], `"`)) + "s")
		if err != nil {
			t.Fatal(err)
		}
		return time.Unix(0, int64(seconds))
	}
	for _, d := range []time.Duration{0, 5 * time.Hour, -5 * time.Hour} {
		if err := c.Step(d); err != nil {
			t.Fatal(err)
		}
		if off := time.Until(ask()).Round(time.Minute); off != d {
			t.Errorf("%s, want %s", off, d)
		}
	}
}
