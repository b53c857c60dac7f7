// Package config is how a tutti process is told what to do. Every setting is
// a flag, an environment variable and a key of a YAML file, all under one
// name: --http-listen, TUTTI_HTTP_LISTEN, http-listen. A flag wins over the
// environment, that over the file, and that over the default.
package config

import (
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/pflag"
	"gopkg.in/yaml.v3"
)

// Role is what a process is. Settings that a role has no use for are refused.
type Role uint8

// The roles.
const (
	Server Role = 1 << iota // coordinator and worker in one process
	Coordinator
	Worker
)

// Config are the settings of a process.
type Config struct {
	File string

	HTTPListen string
	GRPCListen string
	Advertise  string
	DataDir    string
	CatalogDir string
	// Catalogs is dynamic where statements may make and drop catalogs, else static.
	Catalogs       string
	NodeID         string
	Environment    string
	Join           []string
	InternalSecret string
	LogFormat      string
	LogLevel       string

	MemoryLimit      Size
	QueryMemoryLimit Size
	RetainedMemory   Size
	RetainedDisk     Size
	Threads          int

	MaxRunning     int
	MaxQueued      int
	ReservedMemory Size
	ClientTimeout  time.Duration
	WorkerWait     time.Duration
	DrainTimeout   time.Duration

	RaftListen      string
	Peers           []string
	ElectionTimeout time.Duration
	LeaderWait      time.Duration

	MetricsAPIListen, MetricsAPIClientCA, MetricsAPICert, MetricsAPIKey string
}

// Flags registers the settings of a role.
func (c *Config) Flags(fs *pflag.FlagSet, role Role) {
	fs.StringVar(&c.File, "config", "", "YAML file with settings under the names of these flags")
	fs.StringVar(&c.GRPCListen, "grpc-listen", "127.0.0.1:8081", "address for node-to-node control and Arrow Flight")
	if role == Worker {
		fs.StringVar(&c.HTTPListen, "http-listen", "127.0.0.1:0", "address for health, metrics and the order to shut down; port 0: any that is free")
		fs.DurationVar(&c.DrainTimeout, "drain-timeout", 2*time.Minute, "time that a worker which is asked to stop goes on for its tasks and those who read their outputs")
	} else {
		fs.StringVar(&c.HTTPListen, "http-listen", "127.0.0.1:8080", "address for clients, the web page and metrics")
	}
	fs.StringVar(&c.Advertise, "advertise", "", "HOST:PORT under which other nodes reach --grpc-listen (default: the address itself)")
	fs.StringVar(&c.DataDir, "data-dir", "tutti-data", "folder for this node's files")
	fs.StringVar(&c.NodeID, "node-id", "", "name of this node (default: host name and port)")
	fs.StringVar(&c.InternalSecret, "internal-secret", "", "secret that all nodes share; needed to listen beyond loopback; ${ENV:NAME} and ${FILE:path} work")
	fs.StringVar(&c.LogFormat, "log-format", "text", "text or json")
	fs.StringVar(&c.LogLevel, "log-level", "info", "debug, info, warn or error")
	fs.Var(&c.MemoryLimit, "memory-limit", "memory for queries on this node, such as 4GB (default: 70% of the machine's)")
	fs.Var(&c.QueryMemoryLimit, "query-memory-limit", "memory of one query on this node (default: all of it)")
	fs.IntVar(&c.Threads, "threads", runtime.GOMAXPROCS(0), "threads for query work") // the control group's share, if it has one
	if role != Coordinator {
		fs.Var(&c.RetainedMemory, "retained-memory", "memory for task outputs before they go to disk (default: a quarter of --memory-limit)")
		fs.Var(&c.RetainedDisk, "retained-disk", "disk for task outputs under --data-dir (default 64GB)")
	}
	if role == Worker {
		fs.StringSliceVar(&c.Join, "join", nil, "HOST:PORT of a coordinator's --grpc-listen; all that several, and the names' addresses, lead to are joined")
		return
	}
	fs.StringVar(&c.CatalogDir, "catalog-dir", "", "folder with one NAME.yaml for each catalog (default: catalogs under --data-dir)")
	fs.StringVar(&c.Catalogs, "catalog-management", dynamic, "dynamic: statements make and drop catalogs; static: none can, there are those of files")
	fs.StringVar(&c.Environment, "environment", "tutti", "name of the cluster, shown to clients")
	fs.IntVar(&c.MaxRunning, "max-running-queries", 100, "queries that run at once; more wait")
	fs.IntVar(&c.MaxQueued, "max-queued-queries", 1000, "queries that wait; more are refused")
	fs.Var(&c.ReservedMemory, "query-reserved-memory", "memory of each node that must be free before a query runs (default: what its plan is expected to need)")
	fs.DurationVar(&c.ClientTimeout, "client-timeout", 5*time.Minute, "time after which a query whose client is silent is abandoned")
	if role == Coordinator {
		fs.StringSliceVar(&c.Peers, "peers", nil, "all coordinators, this one included, as ID=HOST:PORT of their --raft-listen, the same list on each: 3 or 5 (default: this one alone)")
		fs.StringVar(&c.RaftListen, "raft-listen", "", "address for the other coordinators (default: this one's of --peers)")
		fs.DurationVar(&c.ElectionTimeout, "election-timeout", 800*time.Millisecond, "silence of the leading coordinator after which another takes its place; less finds a dead one sooner, and may find a slow one dead")
		fs.DurationVar(&c.LeaderWait, "leader-wait", 15*time.Second, "time that a statement waits while no coordinator leads; requests for results wait twice as long")
		c.metricsFlags(fs)
		fs.DurationVar(&c.WorkerWait, "worker-wait", time.Minute, "time a query waits for a worker when there is none")
	}
}

// Load fills in what the command line does not set: from the environment,
// then from the file. The errors name the setting, and the file and line.
func Load(fs *pflag.FlagSet, environ func(string) (string, bool)) error {
	if v, ok := environ("TUTTI_CONFIG"); ok && !fs.Changed("config") {
		if err := fs.Set("config", v); err != nil {
			return err
		}
	}
	var bad error
	fromEnv := map[string]bool{}
	fs.VisitAll(func(f *pflag.Flag) {
		name := "TUTTI_" + strings.ToUpper(strings.ReplaceAll(f.Name, "-", "_"))
		v, ok := environ(name)
		if !ok || f.Changed || f.Name == "config" {
			return
		}
		fromEnv[f.Name] = true
		if err := f.Value.Set(v); err != nil && bad == nil {
			bad = fmt.Errorf("%s=%q: %w", name, v, err)
		}
	})
	if bad != nil {
		return bad
	}
	file, err := fs.GetString("config")
	if err != nil || file == "" {
		return err
	}
	return loadFile(fs, file, fromEnv)
}

// loadFile applies a YAML file's settings.
func loadFile(fs *pflag.FlagSet, path string, fromEnv map[string]bool) error {
	f, err := os.Open(path)
	if err != nil {
		return fmt.Errorf("configuration file: %w", err)
	}
	defer f.Close()
	var doc yaml.Node
	if err := yaml.NewDecoder(f).Decode(&doc); err != nil && !errors.Is(err, io.EOF) {
		return fmt.Errorf("%s: %w", path, err)
	}
	if len(doc.Content) == 0 {
		return nil
	}
	root := doc.Content[0]
	if root.Kind != yaml.MappingNode {
		return fmt.Errorf("%s:%d: settings must be written as name: value", path, root.Line)
	}
	for i := 0; i+1 < len(root.Content); i += 2 {
		key, value := root.Content[i], root.Content[i+1]
		flag := fs.Lookup(key.Value)
		if flag == nil || key.Value == "config" {
			return fmt.Errorf("%s:%d: unknown setting %q%s", path, key.Line, key.Value, Suggest(key.Value, names(fs)))
		}
		if flag.Changed || fromEnv[flag.Name] {
			continue
		}
		text, err := scalar(value)
		if err == nil {
			err = flag.Value.Set(text)
		}
		if err != nil {
			return fmt.Errorf("%s:%d: %s: %w", path, value.Line, key.Value, err)
		}
	}
	return nil
}

// scalar returns a value as a flag takes it; lists are joined by commas.
func scalar(n *yaml.Node) (string, error) {
	switch n.Kind {
	case yaml.ScalarNode:
		return n.Value, nil
	case yaml.SequenceNode:
		parts := make([]string, len(n.Content))
		for i, c := range n.Content {
			parts[i] = c.Value
		}
		return strings.Join(parts, ","), nil
	}
	return "", errors.New("must be a value or a list of values")
}

func names(fs *pflag.FlagSet) (out []string) {
	fs.VisitAll(func(f *pflag.Flag) { out = append(out, f.Name) })
	return out
}

// Check completes the settings and reports those that cannot be.
func (c *Config) Check(role Role) error {
	var err error
	if c.InternalSecret, err = Resolve(c.InternalSecret, os.LookupEnv); err != nil {
		return fmt.Errorf("internal-secret: %w", err)
	}
	if c.LogFormat != "text" && c.LogFormat != "json" {
		return fmt.Errorf("log-format: %q is neither text nor json", c.LogFormat)
	}
	if !slices.Contains(logLevels, strings.ToLower(c.LogLevel)) {
		return fmt.Errorf("log-level: %q is none of %s%s", c.LogLevel, strings.Join(logLevels, ", "), Suggest(strings.ToLower(c.LogLevel), logLevels))
	}
	if c.MemoryLimit != 0 && c.MemoryLimit < leastMemory {
		return fmt.Errorf("memory-limit: %s is less than %s", c.MemoryLimit, Size(leastMemory))
	}
	if c.Threads < 1 {
		return fmt.Errorf("threads: %d is less than 1", c.Threads)
	}
	if role != Worker {
		if err := c.checkQueue(); err != nil {
			return err
		}
	}
	if role == Worker && len(c.Join) == 0 {
		return errors.New("join: a worker needs --join HOST:PORT of a coordinator")
	}
	for _, address := range c.Join {
		if _, err := hostOf(address); err != nil {
			return fmt.Errorf("join: %w", err)
		}
	}
	if role == Coordinator {
		if err := errors.Join(c.checkPeers(), c.checkMetricsAPI()); err != nil {
			return err
		}
	}
	for _, listen := range [][2]string{{"http-listen", c.HTTPListen}, {"grpc-listen", c.GRPCListen}, {"raft-listen", c.RaftListen}} {
		name, address := listen[0], listen[1]
		if name == "raft-listen" && address == "" {
			continue
		}
		host, err := hostOf(address)
		if err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		if guarded(role, name) && !loopback(host) && c.InternalSecret == "" {
			return fmt.Errorf("%s: %s can be reached from other machines; set --internal-secret on all nodes, or listen on 127.0.0.1", name, address)
		}
	}
	if c.MemoryLimit == 0 {
		c.MemoryLimit = Size(machineMemory() * 7 / 10).wholeMB()
	}
	if c.RetainedMemory == 0 {
		c.RetainedMemory = (c.MemoryLimit / 4).wholeMB()
	}
	if c.RetainedDisk == 0 {
		c.RetainedDisk = 64 << 30
	}
	return nil
}

// logLevels are the values of log-level.
var logLevels = []string{"debug", "info", "warn", "error"}

// leastMemory is the least that queries can be given: the batches of a few
// pipelines.
const leastMemory = 16 << 20

// guarded reports whether a role listens on an address that other machines may
// reach only with a secret. A server has no door for other nodes, a worker
// none for clients.
func guarded(role Role, listen string) bool {
	return role == Coordinator || role == Worker && listen == "grpc-listen"
}

// The values of catalog-management, as Trino has them.
const dynamic, static = "dynamic", "static"

// StaticCatalogs reports whether no statement may make or drop catalogs.
func (c *Config) StaticCatalogs() bool { return c.Catalogs == static }

// checkQueue checks what bounds the queries that run and wait, and who may
// make catalogs.
func (c *Config) checkQueue() error {
	switch {
	case c.MaxRunning < 1:
		return fmt.Errorf("max-running-queries: %d is less than 1", c.MaxRunning)
	case c.MaxQueued < 1:
		return fmt.Errorf("max-queued-queries: %d is less than 1", c.MaxQueued)
	case c.Catalogs != dynamic && c.Catalogs != static:
		return fmt.Errorf("catalog-management: %q is neither %s nor %s", c.Catalogs, dynamic, static)
	case c.ClientTimeout <= 0:
		return fmt.Errorf("client-timeout: %s is not a time to wait", c.ClientTimeout)
	}
	return nil
}

// hostOf returns the host of HOST:PORT; the port must be a number.
func hostOf(address string) (string, error) {
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		return "", fmt.Errorf("%q is not HOST:PORT", address)
	}
	if n, err := strconv.Atoi(port); err != nil || n < 0 || n > 65535 {
		return "", fmt.Errorf("%q has no port from 0 to 65535", address)
	}
	return host, nil
}

// loopback reports whether only this machine reaches a host.
func loopback(host string) bool {
	if host == "localhost" {
		return true
	}
	ip := net.ParseIP(host)
	return ip != nil && ip.IsLoopback()
}

// secrets are never printed.
var secrets = map[string]bool{"internal-secret": true}

// Print writes every setting as YAML, secrets hidden.
func Print(w io.Writer, fs *pflag.FlagSet) error {
	var err error
	fs.VisitAll(func(f *pflag.Flag) {
		v := f.Value.String()
		switch {
		case f.Name == "help" || f.Name == "config" || err != nil:
			return
		case secrets[f.Name] && v != "":
			v = "(hidden)"
		case f.Value.Type() == "stringSlice":
			_, err = fmt.Fprintf(w, "%s: %s\n", f.Name, v)
			return
		}
		var out []byte
		if out, err = yaml.Marshal(v); err == nil {
			_, err = fmt.Fprintf(w, "%s: %s", f.Name, out)
		}
	})
	return err
}
