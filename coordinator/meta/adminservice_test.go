package meta

import (
	"bytes"
	"context"
	"net"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"
	"google.golang.org/grpc/test/bufconn"

	pb "github.com/tuttidb/tutti/proto/tutti/v1"
)

// admin is a client of a node's Admin service.
func admin(t *testing.T, n *Node) pb.AdminClient {
	t.Helper()
	l, s := bufconn.Listen(1<<16), grpc.NewServer()
	RegisterAdmin(s, n)
	go func() { _ = s.Serve(l) }() // ends with Stop
	t.Cleanup(s.Stop)
	conn, err := grpc.NewClient("passthrough:x", grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithContextDialer(func(context.Context, string) (net.Conn, error) { return l.Dial() }))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	return pb.NewAdminClient(conn)
}

// save reads a backup.
func save(t *testing.T, c pb.AdminClient) []byte {
	t.Helper()
	s, err := c.Backup(within(t, 20*time.Second), &pb.AdminBackupRequest{})
	if err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	for {
		m, err := s.Recv()
		if err != nil {
			if b.Len() == 0 {
				t.Fatal(err)
			}
			return b.Bytes()
		}
		b.Write(m.Chunk)
	}
}

func load(t *testing.T, c pb.AdminClient, b []byte) error {
	t.Helper()
	s, err := c.Restore(within(t, 20*time.Second))
	if err != nil {
		t.Fatal(err)
	}
	for len(b) > 0 {
		piece := b[:min(len(b), 1000)]
		if s.Send(&pb.AdminRestoreRequest{Chunk: piece}) != nil {
			break // the answer says why
		}
		b = b[len(piece):]
	}
	_, err = s.CloseAndRecv()
	return err
}

// TestAdmin asks a follower for all that operators can ask.
func TestAdmin(t *testing.T) {
	t.Parallel()
	g := newGroup(t, "c1", "c2", "c3").openAll()
	g.settled()
	lead := g.leader()
	n := g.others(lead)[0]
	c := admin(t, n)
	if _, err := c.Drain(within(t, 10*time.Second), &pb.AdminDrainRequest{Node: "w1", Reason: "old disk"}); err != nil {
		t.Fatal(err)
	}
	m, err := c.Members(within(t, 10*time.Second), &pb.AdminMembersRequest{})
	if err != nil || len(m.Members) != 3 || len(m.Drained) != 1 || m.Drained[0].Reason != "old disk" {
		t.Fatalf("%v, %v", m, err)
	}
	for _, x := range m.Members {
		if x.Leader != (x.Id == lead.ID()) || !x.Voter || !x.Reachable || x.Address == "" || x.Applied == 0 {
			t.Errorf("%v", x)
		}
	}
	backup := save(t, c)
	for i, want := range []bool{true, false} {
		if r, err := c.Undrain(within(t, 10*time.Second), &pb.AdminUndrainRequest{Node: "w1"}); err != nil || r.Found != want {
			t.Errorf("undrain %d: %v, %v", i, r, err)
		}
	}
	if err := load(t, c, backup); err != nil {
		t.Fatal(err)
	}
	if s, err := lead.Read(within(t, 10*time.Second)); err != nil || s.Intent("w1").GetReason() != "old disk" {
		t.Errorf("after restoring: %v", err)
	}
	backup[len(backup)/2] ^= 1
	if err := load(t, c, backup); status.Code(err) != codes.InvalidArgument {
		t.Errorf("a damaged backup: %v", err)
	}
	if err := load(t, c, []byte("hello")); status.Code(err) != codes.InvalidArgument {
		t.Errorf("no backup: %v", err)
	}
	if r, err := c.TransferLeader(within(t, 20*time.Second), &pb.AdminTransferLeaderRequest{To: n.ID()}); err != nil || r.Leader != n.ID() {
		t.Errorf("%v, %v", r, err)
	}
	if r, err := c.TransferLeader(within(t, 20*time.Second), &pb.AdminTransferLeaderRequest{}); err != nil || r.Leader == n.ID() || r.Leader == "" {
		t.Errorf("%v, %v", r, err)
	}
	if _, err := c.TransferLeader(within(t, 10*time.Second), &pb.AdminTransferLeaderRequest{To: "c9"}); status.Code(err) != codes.NotFound {
		t.Error(err)
	}
	if _, err := c.Drain(within(t, 10*time.Second), &pb.AdminDrainRequest{}); status.Code(err) != codes.InvalidArgument {
		t.Error(err)
	}
	for _, o := range g.others(n) {
		g.kill(o.ID())
	}
	if _, err := c.Drain(within(t, 3*time.Second), &pb.AdminDrainRequest{Node: "w2"}); status.Code(err) != codes.Unavailable && status.Code(err) != codes.DeadlineExceeded {
		t.Errorf("without a majority: %v", err)
	}
	if m, err := c.Members(within(t, 10*time.Second), &pb.AdminMembersRequest{}); err != nil || len(m.Members) != 3 {
		t.Errorf("members without a majority: %v, %v", m, err)
	}
}
