package main

import (
	"context"
	"testing"
	"time"

	"github.com/tuttidb/tutti/coordinator/meta"
)

// TestDrains: what the disk says of drains counts when it is known to be the
// newest, and from then on at once.
func TestDrains(t *testing.T) {
	node, err := meta.Open(meta.Config{ID: "c1", Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	defer node.Close()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	if _, err := node.Apply(ctx, meta.Drain("w1", "old", "test")); err != nil {
		t.Fatal(err)
	}
	d := &drains{node: node}
	if _, wanted := d.wanted("w1"); wanted {
		t.Error("a worker is ordered to drain by what may be old")
	}
	changes := make(chan struct{}, 10)
	go d.follow(ctx, func() { changes <- struct{}{} })
	next := func(node, reason string, want bool) {
		t.Helper()
		select {
		case <-changes:
		case <-ctx.Done():
			t.Fatal("nobody is told")
		}
		if why, wanted := d.wanted(node); wanted != want || why != reason {
			t.Errorf("%s: %t %q", node, wanted, why)
		}
	}
	next("w1", "old", true)
	if _, err := node.Apply(ctx, meta.Drain("w2", "new", "test")); err != nil {
		t.Fatal(err)
	}
	next("w2", "new", true)
	if _, err := node.Apply(ctx, meta.Undrain("w1")); err != nil {
		t.Fatal(err)
	}
	next("w1", "", false)
}
