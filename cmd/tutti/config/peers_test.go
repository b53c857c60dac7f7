package config

import (
	"bytes"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/spf13/pflag"
)

// coordinatorWith loads a coordinator's settings as a process would.
func coordinatorWith(t *testing.T, env map[string]string, args ...string) (*Config, *pflag.FlagSet, error) {
	t.Helper()
	c, fs := &Config{}, pflag.NewFlagSet("coordinator", pflag.ContinueOnError)
	c.Flags(fs, Coordinator)
	if err := fs.Parse(args); err != nil {
		return c, fs, err
	}
	if err := Load(fs, func(name string) (string, bool) { v, ok := env[name]; return v, ok }); err != nil {
		return c, fs, err
	}
	return c, fs, c.Check(Coordinator)
}

const three = "c1=127.0.0.1:1,c2=127.0.0.1:2,c3=127.0.0.1:3"

func TestPeers(t *testing.T) {
	for _, c := range []struct {
		name string
		args []string
		want string // of the error; empty for none
	}{
		{"alone", nil, ""},
		{"alone by name", []string{"--peers", "c1=127.0.0.1:1", "--node-id", "c1"}, ""},
		{"three", []string{"--peers", three, "--node-id", "c2"}, ""},
		{"three far away", []string{"--peers", "c1=a:1,c2=b:1,c3=c:1", "--node-id", "c1", "--internal-secret", "s", "--raft-listen", "0.0.0.0:1"}, ""},
		{"a port for nobody", []string{"--raft-listen", "127.0.0.1:1"}, "raft-listen: a coordinator alone needs no port"},
		{"no name", []string{"--peers", three}, "peers: say by --node-id which of c1, c2, c3"},
		{"a stranger", []string{"--peers", three, "--node-id", "c4"}, "node-id: c4 is not among the peers c1, c2, c3"},
		{"a misspelling", []string{"--peers", "north=127.0.0.1:1,south=127.0.0.1:2,west=127.0.0.1:3", "--node-id", "nort"}, `did you mean "north"?`},
		{"two", []string{"--peers", "c1=127.0.0.1:1,c2=127.0.0.1:2", "--node-id", "c1"}, "peers: 2 coordinators survive no more losses than 1"},
		{"twice", []string{"--peers", "c1=127.0.0.1:1,c1=127.0.0.1:2,c3=127.0.0.1:3", "--node-id", "c1"}, "peers: c1 is named twice"},
		{"one address", []string{"--peers", "c1=127.0.0.1:1,c2=127.0.0.1:1,c3=127.0.0.1:3", "--node-id", "c1"}, "peers: 127.0.0.1:1 is the address of two"},
		{"no address", []string{"--peers", "c1,c2,c3", "--node-id", "c1"}, `peers: "c1" is not ID=HOST:PORT`},
		{"no port", []string{"--peers", "c1=a,c2=b:2,c3=c:3", "--node-id", "c1"}, `peers: "c1=a" is not ID=HOST:PORT`},
		{"no host", []string{"--peers", "c1=:1,c2=b:2,c3=c:3", "--node-id", "c1"}, `peers: "c1=:1" is not ID=HOST:PORT`},
		{"no secret", []string{"--peers", "c1=127.0.0.1:1,c2=b:1,c3=127.0.0.1:3", "--node-id", "c1"}, "peers: b:1 is on another machine; set --internal-secret"},
		{"listens to all", []string{"--peers", three, "--node-id", "c1", "--raft-listen", ":1"}, "raft-listen: :1 can be reached from other machines; set --internal-secret"},
		{"nonsense", []string{"--peers", three, "--node-id", "c1", "--raft-listen", "x"}, `raft-listen: "x" is not HOST:PORT`},
		{"impatient", []string{"--leader-wait", "0s"}, "leader-wait: 0s is not a time to wait"},
		{"hasty", []string{"--election-timeout", "1ms"}, "election-timeout: 1ms is less than 50ms"},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, _, err := coordinatorWith(t, nil, c.args...)
			if c.want == "" && err != nil || c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)) {
				t.Errorf("%v, want %q", err, c.want)
			}
		})
	}
}

// TestPeersFrom reads the same from flags, the environment and a file.
func TestPeersFrom(t *testing.T) {
	file := filepath.Join(t.TempDir(), "c.yaml")
	text := "node-id: c1\npeers:\n  - c1=127.0.0.1:1\n  - c2=127.0.0.1:2\n  - c3=127.0.0.1:3\nelection-timeout: 2s\n"
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, from := range map[string]struct {
		env  map[string]string
		args []string
	}{
		"flags":       {nil, []string{"--node-id", "c1", "--peers", three, "--election-timeout", "2s"}},
		"environment": {map[string]string{"TUTTI_NODE_ID": "c1", "TUTTI_PEERS": three, "TUTTI_ELECTION_TIMEOUT": "2s"}, nil},
		"file":        {nil, []string{"--config", file}},
	} {
		c, fs, err := coordinatorWith(t, from.env, from.args...)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		want := map[string]string{"c1": "127.0.0.1:1", "c2": "127.0.0.1:2", "c3": "127.0.0.1:3"}
		if !maps.Equal(c.PeerMap(), want) || c.RaftListen != "127.0.0.1:1" || c.ElectionTimeout != 2*time.Second {
			t.Errorf("%s: %v, listens on %s, %s", name, c.PeerMap(), c.RaftListen, c.ElectionTimeout)
		}
		var out bytes.Buffer
		if err := Print(&out, fs); err != nil || !strings.Contains(out.String(), "peers: [c1=127.0.0.1:1,c2=127.0.0.1:2,c3=127.0.0.1:3]") {
			t.Errorf("%s: it prints %v\n%s", name, err, out.String())
		}
	}
	if c, _, err := coordinatorWith(t, nil, "--node-id", "x", "--peers", "x=127.0.0.1:1"); err != nil || c.PeerMap() != nil || c.RaftListen != "" {
		t.Errorf("alone: %v, %v, %q", err, c.PeerMap(), c.RaftListen)
	}
}
