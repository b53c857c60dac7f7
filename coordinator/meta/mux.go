package meta

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hashicorp/raft"
	"google.golang.org/protobuf/proto"

	pb "github.com/tuttidb/tutti/proto/tutti/v1"
)

// mux carries raft's streams, the Meta service and clients' forwarded requests
// over one port. Before either
// speaks, both ends say who they are and prove that they know the secret (by
// a MAC over both ends' nonces, so neither end can be played back), and a
// connection that was meant for another node or another cluster, as happens
// when addresses are reused, is refused. Without a secret only the loopback is
// believed. Without TLS this keeps strangers from calling, not from listening.
type mux struct {
	id    string
	peers map[string]string // id → address
	ids   map[string]string // address → id
	// cluster is the cluster of this node, claim what it says of it when it calls.
	cluster func() string
	claim   func(use string) string
	secret  []byte
	server  *tls.Config
	client  *tls.Config
	log     *slog.Logger

	ln               net.Listener
	raft, grpc, http *door
	// voice is set while raft may be heard, in both directions: not before a
	// node with an empty disk knows where it belongs, nor after its disk failed.
	voice atomic.Bool

	// lost gets the names of peers that ended a connection which they had opened
	// for raft.
	lost chan string

	mu     sync.Mutex
	closed bool
	conns  map[*kept]bool
}

const (
	useRaft = "raft"
	useGRPC = "grpc"
	useHTTP = "http"
	// maxGreeting bounds the messages of a greeting.
	maxGreeting = 4096
	// greetingTime is how long a greeting may take.
	greetingTime = 5 * time.Second
)

// Nobody waits for what is lost when a connection is given up: errors of
// closing one are dropped.

// door is where the connections of one use come in.
type door struct {
	addr  net.Addr
	conns chan net.Conn
	once  sync.Once
	end   chan struct{}
}

func newDoor(addr net.Addr) *door {
	return &door{addr: addr, conns: make(chan net.Conn), end: make(chan struct{})}
}

// Accept waits for a connection.
func (d *door) Accept() (net.Conn, error) {
	select {
	case c := <-d.conns:
		return c, nil
	case <-d.end:
		return nil, net.ErrClosed
	}
}

// Close ends Accept.
func (d *door) Close() error { d.once.Do(func() { close(d.end) }); return nil }

// Addr returns the address that is listened on.
func (d *door) Addr() net.Addr { return d.addr }

// kept is a connection that the mux can close when it falls silent.
type kept struct {
	net.Conn
	mux *mux
	use string
	// from is the peer whose end the mux is told of, empty for none.
	from string
	// cluster is the one that the peer said it is of, empty if it did not know.
	cluster string
	closed  atomic.Bool
}

// Read reads, and tells the mux when the peer ended the connection.
func (k *kept) Read(b []byte) (int, error) {
	n, err := k.Conn.Read(b)
	if err != nil && k.from != "" && !k.closed.Load() {
		k.mux.ended(k.from)
	}
	return n, err
}

// Close closes the connection and forgets it.
func (k *kept) Close() error {
	k.closed.Store(true)
	k.mux.mu.Lock()
	delete(k.mux.conns, k)
	k.mux.mu.Unlock()
	return k.Conn.Close()
}

// listen opens the port and greets whoever calls, until Close.
func (m *mux) listen(address string) error {
	ln, err := net.Listen("tcp", address)
	if err != nil {
		return fmt.Errorf("listen for coordinators: %w", err)
	}
	m.ln, m.conns, m.lost = ln, map[*kept]bool{}, make(chan string, 16)
	m.raft, m.grpc, m.http = newDoor(ln.Addr()), newDoor(ln.Addr()), newDoor(ln.Addr())
	m.ids = map[string]string{}
	for id, a := range m.peers {
		m.ids[a] = id
	}
	go m.accept()
	return nil
}

func (m *mux) accept() {
	for {
		c, err := m.ln.Accept()
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if err != nil { // out of file descriptors: others may close some
			time.Sleep(50 * time.Millisecond)
			continue
		}
		go m.receive(c)
	}
}

// receive greets a caller and passes its connection on.
func (m *mux) receive(c net.Conn) {
	var hello *pb.MetaHello
	err := c.SetDeadline(time.Now().Add(greetingTime))
	remote := c.RemoteAddr()
	if err == nil && m.server != nil {
		c = tls.Server(c, m.server)
	}
	if err == nil {
		hello, err = m.welcome(c, remote)
	}
	if err == nil {
		err = c.SetDeadline(time.Time{})
	}
	if err != nil {
		_ = c.Close()
		if !errors.Is(err, io.EOF) { // a probe of the port
			m.log.Debug("a connection of coordinators was refused", "from", remote.String(), "error", err)
		}
		return
	}
	d, k := m.door(hello.Use), m.keep(c, hello.Use, hello.From, hello.ClusterId)
	select {
	case d.conns <- k:
	case <-d.end:
		_ = k.Close()
	}
}

// door is where connections of a use come in, nil for none.
func (m *mux) door(use string) *door {
	switch use {
	case useRaft:
		return m.raft
	case useGRPC:
		return m.grpc
	case useHTTP:
		return m.http
	}
	return nil
}

// keep registers a connection; it is closed at once where it came too late.
func (m *mux) keep(c net.Conn, use, from, cluster string) net.Conn {
	k := &kept{Conn: c, mux: m, use: use, cluster: cluster}
	if use == useRaft {
		k.from = from
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.closed || use == useRaft && !m.voice.Load() || strangers(cluster, m.cluster()) {
		_ = c.Close()
		return k
	}
	m.conns[k] = true
	return k
}

// ended tells that a peer has ended a connection.
func (m *mux) ended(from string) {
	select {
	case m.lost <- from:
	default: // enough of them have not been looked at yet
	}
}

// hears reports whether there still is a connection that a peer has opened for
// raft.
func (m *mux) hears(id string) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	for k := range m.conns {
		if k.from == id {
			return true
		}
	}
	return false
}

// speak lets raft be heard.
func (m *mux) speak() { m.voice.Store(true) }

// hush ends raft's connections and refuses new ones; the service stays.
func (m *mux) hush() {
	m.voice.Store(false)
	m.drop(func(k *kept) bool { return k.use == useRaft })
}

// part ends what those of other clusters called for before this node knew its
// own.
func (m *mux) part(cluster string) {
	m.drop(func(k *kept) bool { return strangers(k.cluster, cluster) })
}

// Close ends everything.
func (m *mux) Close() error {
	m.mu.Lock()
	m.closed = true
	m.mu.Unlock()
	err := m.ln.Close()
	_ = m.raft.Close()
	_ = m.grpc.Close()
	_ = m.http.Close()
	m.drop(func(*kept) bool { return true })
	return err
}

func (m *mux) drop(which func(*kept) bool) {
	m.mu.Lock()
	var conns []*kept
	for k := range m.conns {
		if which(k) {
			conns = append(conns, k)
		}
	}
	m.mu.Unlock()
	for _, k := range conns {
		_ = k.Close()
	}
}

// mac proves the knowledge of the secret to the other end of one greeting.
func (m *mux) mac(role string, hello *pb.MetaHello, nonce []byte) []byte {
	h := hmac.New(sha256.New, m.secret)
	for _, p := range [][]byte{[]byte(role), []byte(hello.GetUse()), []byte(hello.GetFrom()), []byte(hello.GetTo()), []byte(hello.GetClusterId()), hello.GetNonce(), nonce} {
		h.Write(binary.BigEndian.AppendUint32(nil, uint32(len(p)))) // never fails
		h.Write(p)
	}
	return h.Sum(nil)
}

// welcome is the callee's half of a greeting.
func (m *mux) welcome(c net.Conn, remote net.Addr) (hello *pb.MetaHello, err error) {
	hello = &pb.MetaHello{}
	if err := readGreeting(c, hello); err != nil {
		return nil, err
	}
	if r := m.refuse(hello, remote); r != "" {
		return nil, errors.Join(errors.New(r), writeGreeting(c, &pb.MetaWelcome{Refusal: r}))
	}
	nonce := newNonce()
	if err := writeGreeting(c, &pb.MetaWelcome{Nonce: nonce, Mac: m.mac("callee", hello, nonce)}); err != nil {
		return nil, err
	}
	proof := &pb.MetaProof{}
	if err := readGreeting(c, proof); err != nil {
		return nil, err
	}
	if !hmac.Equal(proof.Mac, m.mac("caller", hello, nonce)) {
		r := "the caller does not know the cluster's secret"
		return nil, errors.Join(errors.New(r), writeGreeting(c, &pb.MetaWelcome{Refusal: r}))
	}
	return hello, writeGreeting(c, &pb.MetaWelcome{})
}

// refuse returns why a caller is not listened to, empty if it is.
func (m *mux) refuse(h *pb.MetaHello, remote net.Addr) string {
	mine := m.cluster()
	switch {
	case m.door(h.Use) == nil:
		return fmt.Sprintf("not supported: %q between coordinators", h.Use)
	case h.To != m.id:
		return fmt.Sprintf("this is coordinator %s, not %s", m.id, h.To)
	case m.peers[h.From] == "" || h.From == m.id:
		return fmt.Sprintf("coordinator %s is not among the peers of %s", h.From, m.id)
	case strangers(h.ClusterId, mine):
		return fmt.Sprintf("coordinator %s belongs to cluster %s, %s to %s", m.id, mine, h.From, h.ClusterId)
	case h.Use == useRaft && !m.voice.Load():
		return fmt.Sprintf("coordinator %s takes no part in the cluster at present", m.id)
	case len(m.secret) == 0 && !loopback(remote):
		return "call from another host: set an internal secret on all nodes"
	}
	return ""
}

// strangers reports whether two nodes are of different clusters, as far as
// they know.
func strangers(a, b string) bool { return a != "" && b != "" && a != b }

func loopback(a net.Addr) bool {
	t, ok := a.(*net.TCPAddr)
	return ok && t.IP.IsLoopback()
}

// dial connects to a peer.
func (m *mux) dial(ctx context.Context, use, id string) (net.Conn, error) {
	address := m.peers[id]
	if address == "" {
		return nil, fmt.Errorf("coordinator %s is not among the peers of %s", id, m.id)
	}
	if use == useRaft && !m.voice.Load() {
		return nil, fmt.Errorf("coordinator %s takes no part in the cluster at present", m.id)
	}
	ctx, cancel := context.WithTimeout(ctx, greetingTime)
	defer cancel()
	c, err := (&net.Dialer{}).DialContext(ctx, "tcp", address)
	if err != nil {
		return nil, err
	}
	stop := context.AfterFunc(ctx, func() { _ = c.Close() })
	defer stop()
	conn := c
	if m.client != nil {
		conf := m.client.Clone()
		if conf.ServerName == "" {
			conf.ServerName, _, _ = net.SplitHostPort(address)
		}
		conn = tls.Client(c, conf)
	}
	if err := m.greet(conn, use, id); err != nil {
		_ = c.Close()
		return nil, fmt.Errorf("coordinator %s at %s: %w", id, address, err)
	}
	return m.keep(conn, use, "", ""), nil
}

// greet is the caller's half of a greeting.
func (m *mux) greet(c net.Conn, use, to string) error {
	hello := &pb.MetaHello{Use: use, From: m.id, To: to, ClusterId: m.claim(use), Nonce: newNonce()}
	if err := writeGreeting(c, hello); err != nil {
		return err
	}
	w := &pb.MetaWelcome{}
	if err := readGreeting(c, w); err != nil {
		return err
	}
	if w.Refusal != "" {
		return errors.New(w.Refusal)
	}
	if !hmac.Equal(w.Mac, m.mac("callee", hello, w.Nonce)) {
		return errors.New("it does not know the cluster's secret")
	}
	if err := writeGreeting(c, &pb.MetaProof{Mac: m.mac("caller", hello, w.Nonce)}); err != nil {
		return err
	}
	last := &pb.MetaWelcome{}
	if err := readGreeting(c, last); err != nil {
		return err
	}
	if last.Refusal != "" {
		return errors.New(last.Refusal)
	}
	return nil
}

func newNonce() []byte {
	b := make([]byte, 16)
	_, _ = rand.Read(b) // never fails
	return b
}

// greetingMagic begins each message of a greeting; its last byte is a version.
const greetingMagic = "TuMe\x01"

func writeGreeting(w io.Writer, m proto.Message) error {
	body, err := proto.Marshal(m)
	if err != nil {
		return err
	}
	b := binary.BigEndian.AppendUint16([]byte(greetingMagic), uint16(len(body)))
	_, err = w.Write(append(b, body...))
	return err
}

func readGreeting(r io.Reader, m proto.Message) error {
	head := make([]byte, len(greetingMagic)+2)
	if _, err := io.ReadFull(r, head); err != nil {
		return err
	}
	n := int(binary.BigEndian.Uint16(head[len(greetingMagic):]))
	if !bytes.HasPrefix(head, []byte(greetingMagic)) || n > maxGreeting {
		return errors.New("not a coordinator's greeting, or one of another release")
	}
	body := make([]byte, n)
	if _, err := io.ReadFull(r, body); err != nil {
		return err
	}
	return proto.Unmarshal(body, m)
}

// layer is the mux as raft sees it.
type layer struct {
	*door
	mux *mux
}

// Dial connects raft to a peer, by the address that ServerAddr gave.
func (l layer) Dial(address raft.ServerAddress, timeout time.Duration) (net.Conn, error) {
	ctx, cancel := context.WithTimeout(context.Background(), timeout)
	defer cancel()
	return l.mux.dial(ctx, useRaft, l.mux.ids[string(address)])
}

// ServerAddr returns where a peer is now: what was configured at the start
// goes before what the log says, so that peers may move.
func (l layer) ServerAddr(id raft.ServerID) (raft.ServerAddress, error) {
	if a := l.mux.peers[string(id)]; a != "" {
		return raft.ServerAddress(a), nil
	}
	return "", fmt.Errorf("coordinator %s is not among the peers of %s", id, l.mux.id)
}
