package main

import (
	"bytes"
	"context"
	"errors"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"google.golang.org/grpc"

	"github.com/tuttidb/tutti/coordinator/meta"
	"github.com/tuttidb/tutti/exchange"
	"github.com/tuttidb/tutti/internal/clock"
	pb "github.com/tuttidb/tutti/proto/tutti/v1"
)

// adminDoor serves a coordinator's gRPC door, guarded by a secret.
func adminDoor(t *testing.T, secret string) (address string) {
	t.Helper()
	n, err := meta.Open(meta.Config{ID: "c1", About: func() *pb.MetaAbout { return &pb.MetaAbout{HttpAddress: "h:8080", Version: "v"} }})
	if err != nil {
		t.Fatal(err)
	}
	if err := n.WaitLeader(t.Context()); err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := newControlServer(exchange.NewAuth(secret, clock.System{}))
	meta.RegisterAdmin(s, n)
	go func() { _ = s.Serve(l) }() // ends with Stop
	t.Cleanup(func() { s.Stop(); _ = n.Close() })
	return l.Addr().String()
}

// runAdmin is tutti admin with arguments.
func runAdmin(t *testing.T, args ...string) (string, error) {
	t.Helper()
	var out bytes.Buffer
	root := rootCommand()
	root.SetOut(&out)
	root.SetErr(&out)
	root.SetArgs(append([]string{"admin"}, args...))
	err := root.ExecuteContext(t.Context())
	return out.String(), err
}

func TestAdminCommands(t *testing.T) {
	address, file := adminDoor(t, "s"), filepath.Join(t.TempDir(), "backup")
	if err := os.WriteFile(file+".bad", []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		args []string
		want string // in the output, or in the error after "!"
	}{
		{[]string{"members"}, "c1           leader  -        h:8080  v"},
		{[]string{"members", "--json"}, `"leader": true`},
		{[]string{"drain", "w1", "--reason", "old disk"}, "w1 is told to drain\n"},
		{[]string{"members"}, "drained: w1 old disk\n"},
		{[]string{"backup", file}, file + ": "},
		{[]string{"backup", "-"}, "TuttiMeta"},
		{[]string{"undrain", "w1"}, "w1 may join again\n"},
		{[]string{"undrain", "w1"}, "w1 was not drained\n"},
		{[]string{"undrain", "w1", "--json"}, `"found": false`},
		{[]string{"restore", file}, "restored as entry "},
		{[]string{"members"}, "drained: w1 old disk\n"},
		{[]string{"restore", file + ".bad"}, "!damaged snapshot or backup"},
		{[]string{"restore", file + ".none"}, "!no such file"},
		{[]string{"backup", "/nosuch/file"}, "!no such file"},
		{[]string{"transfer-leader"}, "!there is no other coordinator"},
		{[]string{"members", "--internal-secret", ""}, "!give it by --internal-secret"},
		{[]string{"members", "--internal-secret", "other"}, "!internal call without the cluster's secret"},
		{[]string{"members", "--internal-secret", "${ENV:TUTTI_NOT_THERE}"}, "!environment variable TUTTI_NOT_THERE is not set"},
		{[]string{"members", "--server", "127.0.0.1:1"}, "!connection refused"},
		{[]string{"drain"}, "!accepts 1 arg(s), received 0"},
	} {
		args := append([]string{"--server", address, "--internal-secret", "s"}, c.args...)
		out, err := runAdmin(t, args...)
		if want, bad := strings.CutPrefix(c.want, "!"); bad {
			if err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "rpc error") {
				t.Errorf("%v: %v, want %q", c.args, err, want)
			}
			continue
		}
		if err != nil || !strings.Contains(out, strings.TrimSuffix(c.want, "TuttiMeta")) {
			t.Errorf("%v: %v, %q, want %q", c.args, err, out, c.want)
		}
	}
	if left, _ := filepath.Glob(filepath.Join(filepath.Dir(file), ".tutti-backup-*")); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
}

// TestAdminElsewhere: a door that is no coordinator's says so.
func TestAdminElsewhere(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := grpc.NewServer()
	go func() { _ = s.Serve(l) }() // ends with Stop
	defer s.Stop()
	if _, err := runAdmin(t, "members", "--server", l.Addr().String()); err == nil || !strings.Contains(err.Error(), "is not a coordinator") {
		t.Error(err)
	}
	mute, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer mute.Close()
	_, err = runAdmin(t, "members", "--server", mute.Addr().String(), "--timeout", "50ms")
	var exit *exitError
	if !errors.As(err, &exit) || exit.code != exitFailure || errors.Is(err, context.DeadlineExceeded) || !strings.Contains(err.Error(), "no answer from") {
		t.Error(err)
	}
}

func TestRoleOf(t *testing.T) {
	for want, m := range map[string]*pb.AdminMember{
		"leader":          {Leader: true, Reachable: true, Voter: true},
		"follower":        {Reachable: true, Voter: true},
		"catching up":     {Reachable: true},
		"does not answer": {Leader: true},
		"failed: disk":    {Reachable: true, Failure: "disk"},
	} {
		if got := roleOf(m); got != want {
			t.Errorf("%v: %s", m, got)
		}
	}
}
