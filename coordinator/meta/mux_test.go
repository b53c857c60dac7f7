package meta

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"math/big"
	"net"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	pb "github.com/tuttidb/tutti/proto/tutti/v1"
)

// end is one mux of a test, with what the others should call it.
type end struct {
	*mux
	cluster string
}

func newEnd(t *testing.T, id string, peers map[string]string, edit func(*end)) *end {
	t.Helper()
	e := &end{mux: &mux{id: id, peers: peers, secret: []byte("secret"), log: testLog()}, cluster: "I"}
	e.mux.cluster = func() string { return e.cluster }
	e.mux.claim = func(string) string { return e.cluster }
	e.speak()
	if edit != nil {
		edit(e)
	}
	if err := e.listen("127.0.0.1:0"); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { e.mux.Close() })
	return e
}

// TestGreeting lets a call to b, as different as its table says.
func TestGreeting(t *testing.T) {
	for _, c := range []struct {
		name   string
		use    string
		caller func(*end)
		callee func(*end)
		want   string // in the caller's error; empty for a connection
	}{
		{"raft", useRaft, nil, nil, ""},
		{"the service", useGRPC, nil, nil, ""},
		{"clients' requests", useHTTP, nil, nil, ""},
		{"requests where raft is silent", useHTTP, nil, func(e *end) { e.hush() }, ""},
		{"another use", "telnet", nil, nil, `not supported: "telnet"`},
		{"another secret", useRaft, func(e *end) { e.secret = []byte("Secret") }, nil, "it does not know the cluster's secret"},
		{"no secret", useRaft, func(e *end) { e.secret = nil }, nil, "it does not know the cluster's secret"},
		{"no secret at all, on the loopback", useRaft, func(e *end) { e.secret = nil }, func(e *end) { e.secret = nil }, ""},
		{"another cluster", useRaft, func(e *end) { e.cluster = "J" }, nil, "coordinator b belongs to cluster I, a to J"},
		{"no cluster yet", useRaft, func(e *end) { e.cluster = "" }, nil, ""},
		{"a cluster, to one without", useGRPC, nil, func(e *end) { e.cluster = "" }, ""},
		{"a stranger", useRaft, func(e *end) { e.id = "x" }, nil, "coordinator x is not among the peers of b"},
		{"its own name", useRaft, func(e *end) { e.id = "b" }, nil, "coordinator b is not among the peers of b"},
		{"somebody else's address", useRaft, nil, func(e *end) { e.id = "c" }, "this is coordinator c, not b"},
		{"raft where it is silent", useRaft, nil, func(e *end) { e.hush() }, "coordinator b takes no part in the cluster at present"},
		{"the service where raft is silent", useGRPC, nil, func(e *end) { e.hush() }, ""},
		{"raft from one who is silent", useRaft, func(e *end) { e.hush() }, nil, "coordinator a takes no part in the cluster at present"},
	} {
		t.Run(c.name, func(t *testing.T) {
			peers := map[string]string{"a": "127.0.0.1:1", "b": "", "c": "127.0.0.1:2"}
			b := newEnd(t, "b", peers, c.callee)
			peers["b"] = b.ln.Addr().String()
			a := newEnd(t, "a", peers, c.caller)
			conn, err := a.dial(within(t, 5*time.Second), c.use, "b")
			if c.want != "" {
				if err == nil || !strings.Contains(err.Error(), c.want) {
					t.Fatalf("%v, want %q", err, c.want)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			talk(t, conn, b.door(c.use))
			// Falling silent ends raft's connections and leaves the others.
			b.hush()
			_ = conn.SetReadDeadline(time.Now().Add(200 * time.Millisecond))
			_, err = conn.Read(make([]byte, 1))
			var late net.Error
			if alive := errors.As(err, &late) && late.Timeout(); alive != (c.use != useRaft) {
				t.Fatalf("after hush: %v", err)
			}
		})
	}
}

// talk sends a word from one end to the other.
func talk(t *testing.T, conn net.Conn, d *door) {
	t.Helper()
	got := make(chan string, 1)
	go func() {
		in, err := d.Accept()
		if err != nil {
			got <- err.Error()
			return
		}
		b := make([]byte, 5)
		if _, err := in.Read(b); err != nil {
			got <- err.Error()
		}
		got <- string(b)
	}()
	if _, err := conn.Write([]byte("hello")); err != nil {
		t.Fatal(err)
	}
	if word := <-got; word != "hello" {
		t.Fatalf("it got %q", word)
	}
}

// TestImpostor answers without knowing the secret, by playing back.
func TestImpostor(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	go func() {
		for {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			hello := &pb.MetaHello{}
			if readGreeting(c, hello) == nil {
				_ = writeGreeting(c, &pb.MetaWelcome{Nonce: hello.Nonce, Mac: bytes.Repeat([]byte{1}, 32)})
			}
		}
	}()
	a := newEnd(t, "a", map[string]string{"a": "127.0.0.1:1", "b": ln.Addr().String()}, nil)
	if _, err := a.dial(within(t, 5*time.Second), useRaft, "b"); err == nil || !strings.Contains(err.Error(), "does not know the cluster's secret") {
		t.Fatal(err)
	}
	if _, err := a.dial(within(t, 5*time.Second), useRaft, "z"); err == nil {
		t.Fatal("a peer that is none")
	}
}

// TestSilentCaller connects and says nothing, and then garbage: others are
// served meanwhile.
func TestSilentCaller(t *testing.T) {
	peers := map[string]string{"a": "127.0.0.1:1", "b": ""}
	b := newEnd(t, "b", peers, nil)
	peers["b"] = b.ln.Addr().String()
	for _, say := range []string{"", "GET / HTTP/1.1\r\n\r\n", greetingMagic + "\xff\xff", greetingMagic + "\x00\x02\xff\xff"} {
		c, err := net.Dial("tcp", peers["b"])
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		if _, err := c.Write([]byte(say)); err != nil {
			t.Fatal(err)
		}
	}
	a := newEnd(t, "a", peers, nil)
	conn, err := a.dial(within(t, 5*time.Second), useGRPC, "b")
	if err != nil {
		t.Fatal(err)
	}
	talk(t, conn, b.grpc)
}

func selfSigned(t *testing.T) (server, client *tls.Config) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "coordinators"}, NotAfter: time.Now().Add(time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, IsCA: true, BasicConstraintsValid: true}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AddCert(cert)
	return &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}}}, &tls.Config{RootCAs: roots}
}

// TestTLS runs a group whose connections are encrypted, with a secret.
func TestTLS(t *testing.T) {
	g := newGroup(t, "c1", "c2", "c3")
	server, client := selfSigned(t)
	g.edit = func(c *Config) { c.ServerTLS, c.ClientTLS, c.Secret = server, client, "secret" }
	g.openAll()
	apply(t, g.node("c2"), SetCatalog("a", "x"))
	c, err := net.Dial("tcp", g.node("c1").Addr())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	_ = writeGreeting(c, &pb.MetaHello{Use: useRaft, From: "c2", To: "c1"})
	_ = c.SetReadDeadline(time.Now().Add(3 * time.Second))
	if err := readGreeting(c, &pb.MetaWelcome{}); err == nil {
		t.Fatal("a greeting in the clear was answered")
	}
}

func FuzzGreeting(f *testing.F) {
	var b bytes.Buffer
	_ = writeGreeting(&b, &pb.MetaHello{Use: useRaft, From: "a", To: "b", ClusterId: "I", Nonce: newNonce()})
	f.Add(b.Bytes())
	f.Add([]byte(greetingMagic))
	f.Fuzz(func(t *testing.T, b []byte) {
		h := &pb.MetaHello{}
		if readGreeting(bytes.NewReader(b), h) != nil {
			return
		}
		var out bytes.Buffer
		if err := writeGreeting(&out, h); err != nil {
			t.Fatal(err)
		}
		again := &pb.MetaHello{}
		if err := readGreeting(&out, again); err != nil || !proto.Equal(h, again) {
			t.Fatalf("%v came back as %v: %v", h, again, err)
		}
	})
}

func TestConfig(t *testing.T) {
	three := map[string]string{"c1": "h:1", "c2": "h:2", "c3": "h:3"}
	for _, c := range []struct {
		cfg Config
		err string
	}{
		{Config{}, "a coordinator needs an id"},
		{Config{ID: "c1"}, ""},
		{Config{ID: "c1", Peers: map[string]string{"c1": "h:1"}}, ""},
		{Config{ID: "c1", Peers: map[string]string{"c2": "h:1"}}, "c1 is not among its peers c2"},
		{Config{ID: "c4", Peers: three, Dir: "d", Listen: "h:1"}, "c4 is not among its peers c1, c2, c3"},
		{Config{ID: "c1", Peers: three, Listen: "h:1"}, "needs a folder"},
		{Config{ID: "c1", Peers: three, Dir: "d"}, "needs an address"},
		{Config{ID: "c1", Peers: three, Dir: "d", Listen: "h:1"}, ""},
		{Config{ID: "c1", Peers: map[string]string{"c1": "h:1", "c2": "h:2"}, Dir: "d", Listen: "h:1"}, "name 1, 3 or 5"},
	} {
		err := c.cfg.check()
		if c.err == "" && err != nil || c.err != "" && (err == nil || !strings.Contains(err.Error(), c.err)) {
			t.Errorf("%+v: %v, want %q", c.cfg, err, c.err)
		}
	}
	if d := (Timing{}).withDefaults(); d.Lease >= d.Election || d.Lease == 0 {
		t.Errorf("defaults %+v", d)
	}
}

// TestInvalid is refused before anything is sent.
func TestInvalid(t *testing.T) {
	n := single(t, "")
	ctx := context.Background()
	for name, c := range map[string]Command{"nothing": nil, "empty": {}, "too large": SetCatalog("a", strings.Repeat("x", maxEntry+1))} {
		if _, err := n.Apply(ctx, c); !errors.Is(err, ErrInvalid) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if err := n.Restore(ctx, strings.NewReader("not a backup")); !errors.Is(err, errDamaged) {
		t.Errorf("restoring nonsense: %v", err)
	}
}
