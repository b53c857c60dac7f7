package main

import (
	"context"
	"net"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"

	"github.com/tuttidb/tutti/cmd/tutti/config"
	"github.com/tuttidb/tutti/coordinator"
	"github.com/tuttidb/tutti/coordinator/cluster"
	"github.com/tuttidb/tutti/coordinator/meta"
	"github.com/tuttidb/tutti/coordinator/reign"
	"github.com/tuttidb/tutti/coordinator/server"
	"github.com/tuttidb/tutti/exchange"
	"github.com/tuttidb/tutti/exec/local"
	"github.com/tuttidb/tutti/internal/clock"
	"github.com/tuttidb/tutti/worker"
)

const (
	// lease is how long a worker may be silent.
	lease = 5 * time.Second
	// orphanLease is how long a worker keeps its tasks without any coordinator.
	orphanLease = 30 * time.Second
)

func coordinatorCommand() *cobra.Command {
	cfg := &config.Config{}
	cmd := &cobra.Command{
		Use:   "coordinator",
		Short: "Run a coordinator, which workers join; with --peers one of several that replace each other",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := loadConfig(cmd.Flags(), cfg, config.Coordinator); err != nil {
				return err
			}
			return runCoordinator(cmd.Context(), cfg)
		},
	}
	cfg.Flags(cmd.Flags(), config.Coordinator)
	return cmd
}

// seat is a coordinator's process: what lives as long as it does, whoever
// leads. What lives as long as a leadership is made in reign.go.
type seat struct {
	p        *process
	id       string
	web      net.Listener
	address  string // of the gRPC door, as others reach it
	door     *door
	auth     *exchange.Auth
	conns    *exchange.Conns
	registry *cluster.Registry
	store    *exchange.Store
	manager  *worker.Manager
	front    *front
	node     *meta.Node
	peers    *peers
	local    *server.Local
	router   *reign.Router
	rule     rule
	// wired is closed when all of the above is there.
	wired chan struct{}
}

// runCoordinator serves clients and workers until ctx ends.
func runCoordinator(ctx context.Context, cfg *config.Config) error {
	if err := prepareDir(cfg); err != nil {
		return err
	}
	s := &seat{p: newProcess(cfg), wired: make(chan struct{})}
	var err error
	if s.web, err = listen("http-listen", cfg.HTTPListen); err != nil {
		return err
	}
	control, err := listen("grpc-listen", cfg.GRPCListen)
	if err != nil {
		return err
	}
	s.id, s.address = nodeID(cfg, control.Addr()), advertised(cfg, control)
	s.door = s.p.openDoor("coordinator", s.web, s.id)
	s.auth = exchange.NewAuth(cfg.InternalSecret, clock.System{})
	s.conns = exchange.NewConns(s.auth, insecure.NewCredentials())
	defer s.conns.Close()
	if s.node, err = openMeta(s.p, s.lead, s.about); err != nil {
		return err
	}
	defer func() { _ = s.node.Close() }() // what its disk has to say, Err has said
	s.peers = &peers{node: s.node}
	go s.peers.follow(ctx)
	if err := s.wire(ctx); err != nil {
		return err
	}
	defer s.store.Close()
	g := newControlServer(s.auth)
	s.registry.Register(g)
	s.manager.Register(g)
	exchange.NewService(s.store, s.auth).Register(g)
	meta.RegisterAdmin(g, s.node)
	go func() { _ = g.Serve(control) }() // ends with Stop
	defer g.Stop()
	defer s.manager.Close(context.WithoutCancel(ctx))
	go s.p.housekeep(ctx)
	return s.serve(ctx)
}

// wire makes what the process consists of.
func (s *seat) wire(ctx context.Context) error {
	cfg, catalogs := s.p.cfg, coordinator.NewCatalogs()
	var err error
	if s.front, err = newFront(s.p, s.id, s.nodes, catalogs); err != nil {
		return err
	}
	gone := &drains{node: s.node}
	s.registry = cluster.New(cluster.Config{
		Name: cfg.Environment, NodeID: s.id, Lease: lease, Orphan: orphanLease, Clock: clock.System{}, Log: s.p.log,
		Catalogs: s.front.definitions.Message,
		Known:    s.rule.known, Epoch: s.rule.epoch, Left: s.conns.Forget,
		Drained: gone.wanted,
	})
	s.front.definitions.changed = s.registry.CatalogsChanged
	s.front.definitions.run(ctx, s.node)
	go gone.follow(ctx, s.registry.DrainsChanged)
	s.store, err = exchange.NewStore(exchange.StoreConfig{
		Account: s.p.account.Child("retained outputs", 0), MemoryLimit: int64(cfg.RetainedMemory), DiskLimit: int64(cfg.RetainedDisk),
		Dir: filepath.Join(cfg.DataDir, "retained"), Log: s.p.log,
	})
	if err != nil {
		return usage(err)
	}
	// The coordinator's own executor runs the fragments that read its tables.
	s.manager = worker.NewManager(worker.ManagerDeps{
		Account: s.p.account, Store: s.store, Conns: s.conns, Auth: s.auth, Self: s.address, Catalogs: catalogs,
		Run: local.Run, Merge: local.Merge, Threads: cfg.Threads, Clock: clock.System{}, Log: s.p.log,
	})
	return nil
}

// newControlServer returns the gRPC server that nodes call each other on.
func newControlServer(auth *exchange.Auth) *grpc.Server {
	opts := append(exchange.ServerOptions(), grpc.UnaryInterceptor(auth.UnaryServer), grpc.StreamInterceptor(auth.StreamServer))
	return grpc.NewServer(opts...)
}

// advertised is the address by which other nodes reach a listener.
func advertised(cfg *config.Config, l net.Listener) string {
	if cfg.Advertise != "" {
		return cfg.Advertise
	}
	return l.Addr().String()
}
