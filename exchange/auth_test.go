package exchange

import (
	"testing"

	"github.com/tuttidb/tutti/internal/clock"
	"github.com/tuttidb/tutti/planner/plan"
	pb "github.com/tuttidb/tutti/proto/tutti/v1"
)

func TestTickets(t *testing.T) {
	signer, other := NewAuth("secret", clock.System{}), NewAuth("Secret", clock.System{})
	ticket := func() *pb.Ticket { return &pb.Ticket{Task: TaskToProto(taskID(1, 2, 3)), Partition: 4, FromFrame: 5} }
	good, err := signer.Ticket(ticket())
	if err != nil {
		t.Fatal(err)
	}
	if got, err := signer.openTicket(t.Context(), good); err != nil || got.Partition != 4 {
		t.Errorf("good ticket: %v, %v", got, err)
	}
	forged := ticket()
	forged.Mac = signer.mac("ticket")
	unsigned, err := NewAuth("", clock.System{}).Ticket(ticket())
	if err != nil {
		t.Fatal(err)
	}
	for name, b := range map[string][]byte{
		"another secret": mustTicket(t, other, ticket()), "unsigned": unsigned, "empty": nil, "magic alone": []byte(ticketMagic), "not ours": []byte("ticket"),
		"cut": good[:len(good)-1],
	} {
		if _, err := signer.openTicket(t.Context(), b); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
	for i := range good {
		bad := []byte(string(good))
		bad[i] ^= 1
		if got, err := signer.openTicket(t.Context(), bad); err == nil && got.Task.String() != ticket().Task.String() {
			t.Errorf("byte %d changed: accepted as %v", i, got)
		}
	}
}

func mustTicket(t *testing.T, a *Auth, x *pb.Ticket) []byte {
	b, err := a.Ticket(x)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestForgedTicketIsRefused(t *testing.T) {
	a, b := newNode(t, nodeConfig{secret: "one"}), newNode(t, nodeConfig{secret: "two"})
	ends := produce(t, a, taskID(1, 0, 0), 1, 0, 100, None)
	in := b.inputs(0)
	defer in.Close()
	if err := in.Update(&pb.Inputs{Sources: []*pb.Source{sourceOf(a, taskID(1, 0, 0), ends[0])}, Complete: []int32{1}}); err != nil {
		t.Fatal(err)
	}
	if rows, _, err := consume(t.Context(), in, remoteNode(plan.Gather, 1), b.root, 1); err == nil || rows != 0 {
		t.Errorf("%d rows, %v", rows, err)
	}
}
