package exchange

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"net"
	"strconv"
	"strings"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/peer"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	"github.com/tuttidb/tutti/internal/clock"
	pb "github.com/tuttidb/tutti/proto/tutti/v1"
)

const (
	// authHeader carries the proof that the caller knows the cluster's secret.
	authHeader = "x-tutti-internal"
	// internalPrefix is what the methods of the control plane start with.
	internalPrefix = "/tutti.v1."
	// authSkew is how far apart the clocks of two nodes may be.
	authSkew = 5 * time.Minute
)

// Auth guards what nodes say to each other with a secret that all of them
// share. A call carries the time and a MAC of it and the method's name, never
// the secret; a Flight ticket carries a MAC of itself. Without TLS this keeps
// strangers from calling, not from listening.
//
// Without a secret, only callers on the node's own loopback are believed.
type Auth struct {
	secret []byte
	clock  clock.Clock
}

// NewAuth returns the guard for a secret, which may be empty.
func NewAuth(secret string, c clock.Clock) *Auth { return &Auth{secret: []byte(secret), clock: c} }

func (a *Auth) mac(parts ...string) []byte {
	h := hmac.New(sha256.New, a.secret)
	for _, p := range parts {
		h.Write([]byte(strconv.Itoa(len(p)) + ":" + p)) // never fails
	}
	return h.Sum(nil)
}

// token returns the header's value for a call of method now.
func (a *Auth) token(method string) string {
	now := strconv.FormatInt(a.clock.Now().Unix(), 10)
	return now + "." + hex.EncodeToString(a.mac("call", method, now))
}

var errUnauthenticated = status.Error(codes.Unauthenticated, "internal call without the cluster's secret")

// check returns an error unless the caller knows the secret.
func (a *Auth) check(ctx context.Context, method string) error {
	if len(a.secret) == 0 {
		return checkLoopback(ctx)
	}
	md, _ := metadata.FromIncomingContext(ctx)
	values := md.Get(authHeader)
	if len(values) != 1 {
		return errUnauthenticated
	}
	at, sum, _ := strings.Cut(values[0], ".")
	got, err := hex.DecodeString(sum)
	if err != nil || !hmac.Equal(got, a.mac("call", method, at)) {
		return errUnauthenticated
	}
	seconds, err := strconv.ParseInt(at, 10, 64)
	if err != nil || a.clock.Now().Sub(time.Unix(seconds, 0)).Abs() > authSkew {
		return status.Errorf(codes.Unauthenticated, "internal call signed at another time than now: do the nodes' clocks differ by more than %s?", authSkew)
	}
	return nil
}

func checkLoopback(ctx context.Context) error {
	p, ok := peer.FromContext(ctx)
	if !ok {
		return errUnauthenticated
	}
	switch addr := p.Addr.(type) {
	case *net.TCPAddr:
		if addr.IP.IsLoopback() {
			return nil
		}
	case *net.UnixAddr:
		return nil
	}
	return status.Error(codes.Unauthenticated, "internal call from another host: set an internal secret on all nodes")
}

// UnaryServer and StreamServer refuse calls of the control plane by those who
// do not know the secret. Calls of other services (Flight, whose tickets are
// checked by themselves, and the doors for clients) pass.
func (a *Auth) UnaryServer(ctx context.Context, req any, info *grpc.UnaryServerInfo, next grpc.UnaryHandler) (any, error) {
	if strings.HasPrefix(info.FullMethod, internalPrefix) {
		if err := a.check(ctx, info.FullMethod); err != nil {
			return nil, err
		}
	}
	return next(ctx, req)
}

// StreamServer is UnaryServer for streams.
func (a *Auth) StreamServer(srv any, stream grpc.ServerStream, info *grpc.StreamServerInfo, next grpc.StreamHandler) error {
	if strings.HasPrefix(info.FullMethod, internalPrefix) {
		if err := a.check(stream.Context(), info.FullMethod); err != nil {
			return err
		}
	}
	return next(srv, stream)
}

// UnaryClient signs calls of the control plane.
func (a *Auth) UnaryClient(ctx context.Context, method string, req, reply any, cc *grpc.ClientConn, call grpc.UnaryInvoker, opts ...grpc.CallOption) error {
	return call(a.sign(ctx, method), method, req, reply, cc, opts...)
}

// StreamClient signs streams of the control plane.
func (a *Auth) StreamClient(ctx context.Context, desc *grpc.StreamDesc, cc *grpc.ClientConn, method string, call grpc.Streamer, opts ...grpc.CallOption) (grpc.ClientStream, error) {
	return call(a.sign(ctx, method), desc, cc, method, opts...)
}

func (a *Auth) sign(ctx context.Context, method string) context.Context {
	if len(a.secret) == 0 || !strings.HasPrefix(method, internalPrefix) {
		return ctx
	}
	return metadata.AppendToOutgoingContext(ctx, authHeader, a.token(method))
}

// ticketMagic precedes the tickets of this package, so that a server that
// also answers other Flight requests can tell them apart.
const ticketMagic = "TUTTI\x01"

// IsTicket reports whether a Flight ticket is one of this package's.
func IsTicket(ticket []byte) bool { return strings.HasPrefix(string(ticket), ticketMagic) }

// Ticket returns the bytes of a ticket, signed. t.Mac is set.
func (a *Auth) Ticket(t *pb.Ticket) ([]byte, error) {
	sum, err := a.ticketMAC(t)
	if err != nil {
		return nil, err
	}
	t.Mac = sum
	return proto.MarshalOptions{}.MarshalAppend([]byte(ticketMagic), t)
}

func (a *Auth) ticketMAC(t *pb.Ticket) ([]byte, error) {
	if len(a.secret) == 0 {
		return nil, nil
	}
	// Field by field: a message's encoding is not the same in all releases.
	id := t.GetTask()
	if id == nil {
		return nil, errors.New("ticket without task")
	}
	return a.mac("ticket", id.Query, strconv.Itoa(int(id.Stage)), strconv.Itoa(int(id.Task)), strconv.Itoa(int(id.Attempt)),
		strconv.Itoa(int(t.Partition)), strconv.FormatInt(t.FromFrame, 10)), nil
}

// openTicket reads a ticket that came with a call.
func (a *Auth) openTicket(ctx context.Context, b []byte) (*pb.Ticket, error) {
	if !IsTicket(b) {
		return nil, status.Error(codes.InvalidArgument, "not a ticket of the exchange")
	}
	var t pb.Ticket
	if err := proto.Unmarshal(b[len(ticketMagic):], &t); err != nil || t.Task == nil {
		return nil, status.Error(codes.InvalidArgument, "malformed ticket")
	}
	if len(a.secret) == 0 {
		return &t, checkLoopback(ctx)
	}
	want, err := a.ticketMAC(&t)
	if err != nil || !hmac.Equal(want, t.Mac) {
		return nil, status.Error(codes.Unauthenticated, "ticket was not signed with the cluster's secret")
	}
	return &t, nil
}

// Transport says how nodes connect to each other: TLS credentials, or
// insecure ones.
type Transport = credentials.TransportCredentials
