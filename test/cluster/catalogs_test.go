package cluster

import (
	"context"
	"fmt"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/tuttidb/tutti/test/slt"
)

// TestCatalogsOfCoordinators: a catalog that is made by way of one of three
// coordinators is there by way of the others at once, and stays when the one
// that made it is lost.
func TestCatalogsOfCoordinators(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
	defer cancel()
	dir := t.TempDir()
	env := shared.config(dir, 0).Env
	var peers, joins []string
	for i := range 3 {
		peers = append(peers, fmt.Sprintf("c%d=%s", i+1, FreeAddress()))
		joins = append(joins, FreeAddress())
	}
	urls, processes := make([]string, 3), make([]*Process, 3)
	for i, peer := range peers {
		name, raft, _ := strings.Cut(peer, "=")
		web := FreeAddress()
		urls[i] = "http://" + web
		var err error
		processes[i], err = Start(dir, name, env, shared.binary, "coordinator", "--node-id", name, "--peers", strings.Join(peers, ","),
			"--raft-listen", raft, "--http-listen", web, "--grpc-listen", joins[i], "--data-dir", filepath.Join(dir, name), "--memory-limit", "512MB")
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(processes[i].Kill)
	}
	w, err := Start(dir, "worker", env, shared.binary, "worker", "--join", strings.Join(joins, ","), "--grpc-listen", anyPort,
		"--data-dir", filepath.Join(dir, "worker"), "--node-id", "worker", "--memory-limit", "1GB")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(w.Kill)
	sessions := make([]*slt.Session, 3)
	for i, u := range urls {
		for !readyz(ctx, u) {
			if ctx.Err() != nil {
				t.Fatalf("coordinator %d is not ready; logs in %s", i+1, dir)
			}
			time.Sleep(20 * time.Millisecond)
		}
		if sessions[i], err = slt.NewSession(u, "", ""); err != nil {
			t.Fatal(err)
		}
		spread(t, sessions[i])
	}
	for i, s := range sessions {
		name := fmt.Sprintf("by%d", i+1)
		rowsOf(ctx, t, s, bucket(name))
		for _, other := range sessions {
			lines(ctx, t, other, name)
		}
	}
	rowsOf(ctx, t, sessions[0], "DROP CATALOG by2")
	refused(ctx, t, sessions[2], "SELECT 1 FROM by2.tiny.region", "CATALOG_NOT_FOUND")

	leader := leaderOf(ctx, t, urls[0])
	processes[leader].Kill()
	next := sessions[(leader+1)%3]
	lines(ctx, t, next, "by1")
	lines(ctx, t, next, "by3")
	rowsOf(ctx, t, next, bucket("by2"))
	lines(ctx, t, sessions[(leader+2)%3], "by2")
}

// readyz reports whether a coordinator takes statements.
func readyz(ctx context.Context, url string) bool {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url+"/readyz", nil)
	if err != nil {
		return false
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return false
	}
	return resp.Body.Close() == nil && resp.StatusCode == http.StatusOK
}

// leaderOf returns which of the coordinators c1, c2 and c3 leads, from 0.
func leaderOf(ctx context.Context, t *testing.T, url string) int {
	t.Helper()
	for ctx.Err() == nil {
		var nodes []struct{ NodeID, Reason string }
		if err := getJSON(ctx, url+"/v1/node", &nodes); err != nil {
			t.Fatal(err)
		}
		for _, n := range nodes {
			if n.Reason == "leads" {
				return int(n.NodeID[1] - '1')
			}
		}
		time.Sleep(50 * time.Millisecond) // it is told once a second
	}
	t.Fatal("no coordinator is said to lead")
	return 0
}
