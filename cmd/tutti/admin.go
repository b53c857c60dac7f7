package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"

	"github.com/tuttidb/tutti/cmd/tutti/config"
	"github.com/tuttidb/tutti/exchange"
	"github.com/tuttidb/tutti/internal/clock"
	pb "github.com/tuttidb/tutti/proto/tutti/v1"
)

// adminOptions are the flags of tutti admin.
type adminOptions struct {
	server, secret string
	timeout        time.Duration
	json           bool
	reason         string
}

// adminChunk is the size of the pieces that a backup is sent in.
const adminChunk = 256 << 10

func adminCommand() *cobra.Command {
	o := &adminOptions{}
	cmd := &cobra.Command{
		Use: "admin", Short: "Look after a cluster: its coordinators, its workers, its state",
		Long: "Asks a coordinator, any of them, at its --grpc-listen. The cluster's internal secret is needed where it has one.",
	}
	f := cmd.PersistentFlags()
	f.StringVar(&o.server, "server", envOr("TUTTI_ADMIN_SERVER", "127.0.0.1:8081"), "HOST:PORT of a coordinator's --grpc-listen")
	f.StringVar(&o.secret, "internal-secret", envOr("TUTTI_INTERNAL_SECRET", ""), "secret that all nodes share; ${ENV:NAME} and ${FILE:path} work")
	f.DurationVar(&o.timeout, "timeout", 30*time.Second, "time that the answer may take")
	f.BoolVar(&o.json, "json", false, "print JSON")
	drain := o.command("drain NODE", "Have a worker take no more tasks and end when nobody needs it; also one that joins under that name later", cobra.ExactArgs(1), o.drain)
	drain.Flags().StringVar(&o.reason, "reason", "", "why, for the others to read")
	cmd.AddCommand(
		o.command("members", "Show the coordinators: who leads, who is there, how far each is", cobra.NoArgs, o.members),
		o.command("transfer-leader [ID]", "Have another coordinator lead: the named one, or whoever is most up to date", cobra.MaximumNArgs(1), o.transfer),
		drain,
		o.command("undrain NODE", "Take a drain back: a worker of that name may join and stay", cobra.ExactArgs(1), o.undrain),
		o.command("backup FILE", "Write the coordinators' state (catalogs, drains, queries) to a file; - is standard output", cobra.ExactArgs(1), o.backup),
		o.command("restore FILE", "Replace the coordinators' state by that of a backup; - is standard input", cobra.ExactArgs(1), o.restore),
	)
	return cmd
}

// adminCall is one thing to ask.
type adminCall func(ctx context.Context, c pb.AdminClient, out io.Writer, args []string) error

func (o *adminOptions) command(use, short string, args cobra.PositionalArgs, call adminCall) *cobra.Command {
	return &cobra.Command{Use: use, Short: short, Args: args, RunE: func(cmd *cobra.Command, args []string) error {
		secret, err := config.Resolve(o.secret, os.LookupEnv)
		if err != nil {
			return usage(fmt.Errorf("internal-secret: %w", err))
		}
		conn, err := grpc.NewClient("passthrough:///"+o.server, exchange.DialOptions(exchange.NewAuth(secret, clock.System{}), insecure.NewCredentials())...)
		if err != nil {
			return usage(fmt.Errorf("server: %w", err))
		}
		defer func() { _ = conn.Close() }() // nothing is lost
		ctx, cancel := context.WithTimeout(cmd.Context(), o.timeout)
		defer cancel()
		return o.explain(call(ctx, pb.NewAdminClient(conn), cmd.OutOrStdout(), args))
	}}
}

// explain makes one line of an error that a person can act on.
func (o *adminOptions) explain(err error) error {
	var exit *exitError
	s, ok := status.FromError(err)
	switch {
	case err == nil || errors.As(err, &exit):
		return err
	case !ok:
		return failure(err)
	case s.Code() == codes.Unimplemented:
		return failure(fmt.Errorf("%s is not a coordinator, or of a release before this one", o.server))
	case s.Code() == codes.DeadlineExceeded:
		return failure(fmt.Errorf("no answer from %s within %s", o.server, o.timeout))
	case s.Code() == codes.Unauthenticated:
		return failure(fmt.Errorf("%s: %s; give it by --internal-secret or TUTTI_INTERNAL_SECRET", o.server, s.Message()))
	}
	return failure(fmt.Errorf("%s: %s", o.server, s.Message()))
}

// print writes an answer: as JSON where that is wanted, else as a person reads it.
func (o *adminOptions) print(out io.Writer, answer proto.Message, human func(io.Writer)) error {
	if !o.json {
		human(out)
		return nil
	}
	b, err := protojson.MarshalOptions{EmitUnpopulated: true}.Marshal(answer)
	if err != nil {
		return err
	}
	var v any // protojson's spaces differ from day to day, on purpose
	if err := json.Unmarshal(b, &v); err != nil {
		return err
	}
	e := json.NewEncoder(out)
	e.SetIndent("", "  ")
	return e.Encode(v)
}

func (o *adminOptions) members(ctx context.Context, c pb.AdminClient, out io.Writer, _ []string) error {
	r, err := c.Members(ctx, &pb.AdminMembersRequest{})
	if err != nil {
		return err
	}
	return o.print(out, r, func(out io.Writer) {
		t := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
		fmt.Fprintln(t, "COORDINATOR\tROLE\tADDRESS\tHTTP\tVERSION\tENTRY\tTERM")
		for _, m := range r.Members {
			fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%s\t%d\t%d\n", m.Id, roleOf(m), orElse(m.Address, "-"), orElse(m.HttpAddress, "-"), orElse(m.Version, "-"), m.Applied, m.Term)
		}
		_ = t.Flush() // out's own errors are its reader's
		for _, d := range r.Drained {
			fmt.Fprintf(out, "drained: %s %s\n", d.Node, d.Reason)
		}
	})
}

// roleOf says in a word how a coordinator is.
func roleOf(m *pb.AdminMember) string {
	switch {
	case m.Failure != "":
		return "failed: " + m.Failure
	case !m.Reachable:
		return "does not answer"
	case m.Leader:
		return "leader"
	case !m.Voter:
		return "catching up"
	}
	return "follower"
}

func (o *adminOptions) transfer(ctx context.Context, c pb.AdminClient, out io.Writer, args []string) error {
	to := ""
	if len(args) > 0 {
		to = args[0]
	}
	r, err := c.TransferLeader(ctx, &pb.AdminTransferLeaderRequest{To: to})
	if err != nil {
		return err
	}
	return o.print(out, r, func(out io.Writer) { fmt.Fprintf(out, "%s leads\n", r.Leader) })
}

func (o *adminOptions) drain(ctx context.Context, c pb.AdminClient, out io.Writer, args []string) error {
	r, err := c.Drain(ctx, &pb.AdminDrainRequest{Node: args[0], Reason: o.reason})
	if err != nil {
		return err
	}
	return o.print(out, r, func(out io.Writer) { fmt.Fprintf(out, "%s is told to drain\n", args[0]) })
}

func (o *adminOptions) undrain(ctx context.Context, c pb.AdminClient, out io.Writer, args []string) error {
	r, err := c.Undrain(ctx, &pb.AdminUndrainRequest{Node: args[0]})
	if err != nil {
		return err
	}
	return o.print(out, r, func(out io.Writer) {
		if r.Found {
			fmt.Fprintf(out, "%s may join again\n", args[0])
			return
		}
		fmt.Fprintf(out, "%s was not drained\n", args[0])
	})
}

// backup writes the state to a file that is there as a whole or not at all.
func (o *adminOptions) backup(ctx context.Context, c pb.AdminClient, out io.Writer, args []string) error {
	stream, err := c.Backup(ctx, &pb.AdminBackupRequest{})
	if err != nil {
		return err
	}
	if args[0] == "-" {
		_, err := receiveBackup(stream, out)
		return err
	}
	f, err := os.CreateTemp(filepath.Dir(args[0]), ".tutti-backup-")
	if err != nil {
		return usage(err)
	}
	defer func() { _ = os.Remove(f.Name()) }() // fails once it has its name
	n, err := receiveBackup(stream, f)
	if err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return err
	}
	if err := os.Rename(f.Name(), args[0]); err != nil {
		return failure(err)
	}
	_, err = fmt.Fprintf(out, "%s: %d bytes\n", args[0], n)
	return err
}

func receiveBackup(stream pb.Admin_BackupClient, to io.Writer) (n int64, err error) {
	for {
		m, err := stream.Recv()
		if errors.Is(err, io.EOF) {
			return n, nil
		}
		if err != nil {
			return n, err
		}
		if _, err := to.Write(m.Chunk); err != nil {
			return n, failure(err)
		}
		n += int64(len(m.Chunk))
	}
}

func (o *adminOptions) restore(ctx context.Context, c pb.AdminClient, out io.Writer, args []string) error {
	from := io.Reader(os.Stdin)
	if args[0] != "-" {
		f, err := os.Open(args[0])
		if err != nil {
			return usage(err)
		}
		defer f.Close()
		from = f
	}
	stream, err := c.Restore(ctx)
	if err != nil {
		return err
	}
	for b := make([]byte, adminChunk); ; {
		n, err := from.Read(b)
		if n > 0 && stream.Send(&pb.AdminRestoreRequest{Chunk: b[:n]}) != nil {
			break // the answer says why
		}
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return failure(err)
		}
	}
	r, err := stream.CloseAndRecv()
	if err != nil {
		return err
	}
	return o.print(out, r, func(out io.Writer) { fmt.Fprintf(out, "restored as entry %d\n", r.Index) })
}
