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
	"github.com/tuttidb/tutti/exchange"
	"github.com/tuttidb/tutti/exec/local"
	"github.com/tuttidb/tutti/internal/clock"
	pb "github.com/tuttidb/tutti/proto/tutti/v1"
	"github.com/tuttidb/tutti/worker"
)

// lease is how long a worker may be silent.
const lease = 5 * time.Second

func coordinatorCommand() *cobra.Command {
	cfg := &config.Config{}
	cmd := &cobra.Command{
		Use:   "coordinator",
		Short: "Run a coordinator, which workers join",
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

// runCoordinator serves clients and workers until ctx ends.
func runCoordinator(ctx context.Context, cfg *config.Config) error {
	if err := prepareDir(cfg); err != nil {
		return err
	}
	p := newProcess(cfg)
	web, err := listen("http-listen", cfg.HTTPListen)
	if err != nil {
		return err
	}
	control, err := listen("grpc-listen", cfg.GRPCListen)
	if err != nil {
		return err
	}
	id := nodeID(cfg, control.Addr())
	d := p.openDoor("coordinator", web, id)
	auth := exchange.NewAuth(cfg.InternalSecret, clock.System{})
	conns := exchange.NewConns(auth, insecure.NewCredentials())
	defer conns.Close()

	catalogs := coordinator.NewCatalogs()
	var f *front
	registry := cluster.New(cluster.Config{
		Name: cfg.Environment, NodeID: id, Lease: lease, Clock: clock.System{}, Log: p.log,
		Catalogs: func() *pb.Catalogs { return catalogMessage(f.definitions) },
		Known:    func(query string) bool { return f.coordinator.Running(query) },
		Left:     conns.Forget,
	})
	executor := &coordinator.Distributed{
		Registry: registry, Conns: conns, Auth: auth, Catalogs: catalogs, Account: p.account,
		Self: advertised(cfg, control), WorkerWait: cfg.WorkerWait, Log: p.log,
	}
	nodes := func() []coordinator.NodeInfo {
		return append([]coordinator.NodeInfo{p.self(id, web)}, members(registry)...)
	}
	if f, err = newFront(p, id, executor, nodes, catalogs); err != nil {
		return err
	}

	store, err := exchange.NewStore(exchange.StoreConfig{
		Account: p.account.Child("retained outputs", 0), MemoryLimit: int64(cfg.RetainedMemory), DiskLimit: int64(cfg.RetainedDisk),
		Dir: filepath.Join(cfg.DataDir, "retained"), Log: p.log,
	})
	if err != nil {
		return usage(err)
	}
	defer store.Close()
	// The coordinator's own executor runs the fragments that read its tables.
	manager := worker.NewManager(worker.ManagerDeps{
		Account: p.account, Store: store, Conns: conns, Auth: auth, Self: executor.Self, Catalogs: catalogs,
		Run: local.Run, Merge: local.Merge, Threads: cfg.Threads, Clock: clock.System{}, Log: p.log,
	})
	s := newControlServer(auth)
	registry.Register(s)
	manager.Register(s)
	exchange.NewService(store, auth).Register(s)
	go func() { _ = s.Serve(control) }() // ends with Stop
	defer s.Stop()
	defer manager.Close(context.WithoutCancel(ctx))

	go p.housekeep(ctx)
	return f.serve(ctx, d, id, func() []nodeFigures {
		own := p.figures(id)
		kept := store.Figures()
		own.values["tutti_node_retained_bytes"] = float64(kept.MemoryBytes + kept.DiskBytes)
		own.values["tutti_node_queries"] = float64(len(manager.Queries()))
		return append([]nodeFigures{own}, workerFigures(registry)...)
	})
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

// catalogMessage is what workers are told of the catalogs: the definitions
// that they can use, secrets unresolved.
func catalogMessage(defs []config.Catalog) *pb.Catalogs {
	m := &pb.Catalogs{Generation: 1}
	for _, d := range defs {
		m.Catalogs = append(m.Catalogs, &pb.CatalogDefinition{Name: d.Name, Connector: d.Connector, Settings: d.Settings})
	}
	return m
}

// members are the workers as clients see them.
func members(r *cluster.Registry) (out []coordinator.NodeInfo) {
	for _, m := range r.Members() {
		n := coordinator.NodeInfo{
			ID: m.Hello.NodeId, Address: m.Hello.Address, HTTPAddress: m.Hello.HttpAddress, Version: m.Hello.Version,
			State: "active", LastSeen: m.LastSeen, Threads: int(m.Hello.Threads), MemoryLimit: m.Hello.MemoryLimit,
			RunningTasks: int(m.Load.RunningTasks), RunningDrivers: int(m.Load.RunningDrivers), MemoryUsed: m.Load.MemoryUsed,
			RSS: m.Load.RssBytes, RetainedBytes: m.Load.RetainedBytes, CPU: time.Duration(m.Load.CpuNanos),
		}
		switch {
		case m.Gone != "":
			n.State, n.Reason = "gone", m.Gone
		case m.Load.Draining:
			n.State = "draining"
		case m.Aside != "":
			n.Reason = m.Aside
		}
		out = append(out, n)
	}
	return out
}
