package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"github.com/spf13/cobra"
	"google.golang.org/grpc/credentials/insecure"

	"github.com/tuttidb/tutti/cmd/tutti/config"
	"github.com/tuttidb/tutti/connectors"
	"github.com/tuttidb/tutti/coordinator/server"
	"github.com/tuttidb/tutti/exchange"
	"github.com/tuttidb/tutti/exec/local"
	"github.com/tuttidb/tutti/internal/clock"
	pb "github.com/tuttidb/tutti/proto/tutti/v1"
	"github.com/tuttidb/tutti/worker"
)

// drainTime is how long a server that was asked to stop waits for its clients.
const drainTime = 2 * time.Minute

func workerCommand() *cobra.Command {
	cfg := &config.Config{}
	cmd := &cobra.Command{
		Use:   "worker",
		Short: "Run a worker of a cluster",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := loadConfig(cmd.Flags(), cfg, config.Worker); err != nil {
				return err
			}
			return runWorker(cmd.Context(), cfg)
		},
	}
	cfg.Flags(cmd.Flags(), config.Worker)
	return cmd
}

// runWorker runs tasks until ctx ends, then drains.
func runWorker(ctx context.Context, cfg *config.Config) error {
	if err := prepareDir(cfg); err != nil {
		return err
	}
	p := newProcess(cfg)
	control, err := listen("grpc-listen", cfg.GRPCListen)
	if err != nil {
		return err
	}
	web, err := listen("http-listen", cfg.HTTPListen)
	if err != nil {
		return err
	}
	id, self := nodeID(cfg, control.Addr()), advertised(cfg, control)
	auth := exchange.NewAuth(cfg.InternalSecret, clock.System{})
	conns := exchange.NewConns(auth, insecure.NewCredentials())
	defer conns.Close()
	store, err := exchange.NewStore(exchange.StoreConfig{
		Account: p.account.Child("retained outputs", 0), MemoryLimit: int64(cfg.RetainedMemory), DiskLimit: int64(cfg.RetainedDisk),
		Dir: filepath.Join(cfg.DataDir, "retained-"+id), Log: p.log,
	})
	if err != nil {
		return usage(err)
	}
	defer store.Close()
	catalogs := worker.NewCatalogs(p.connector, clock.System{}, p.log)
	manager := worker.NewManager(worker.ManagerDeps{
		Account: p.account, Store: store, Conns: conns, Auth: auth, Self: self, Catalogs: catalogs,
		Run: local.Run, Merge: local.Merge, Threads: cfg.Threads, Clock: clock.System{}, Log: p.log,
	})
	ctx, end := context.WithCancel(ctx)
	defer end()
	w, err := worker.New(worker.Deps{
		Hello: &pb.Hello{
			NodeId: id, Address: self, HttpAddress: p.webAddress(web), Version: version, Incarnation: incarnation(),
			MemoryLimit: int64(cfg.MemoryLimit), Threads: int32(cfg.Threads),
		},
		Join: cfg.Join, Conns: conns, Manager: manager, Catalogs: catalogs, Slabs: p.pool.Slabs, Stop: end, Clock: clock.System{}, Log: p.log,
	})
	if err != nil {
		return usage(err)
	}
	s := newControlServer(auth)
	w.Register(s)
	go func() { _ = s.Serve(control) }() // ends with Stop
	defer s.Stop()
	go p.housekeep(ctx)
	d := newWorkerDoor(w, id, end, p.log, func() nodeFigures { return p.workerOwn(id, manager, store) })
	h := server.HTTP(d, p.log)
	go func() { _ = h.Serve(web) }() // ends with Close
	defer d.end(h)
	fmt.Printf("Tutti worker %s listens on %s and joins %v\n", id, self, cfg.Join)
	return p.work(ctx, w)
}

// work runs the worker; when ctx ends it drains first.
func (p *process) work(ctx context.Context, w *worker.Worker) error {
	running, stop := context.WithCancel(context.WithoutCancel(ctx))
	defer stop()
	context.AfterFunc(ctx, func() {
		drain, cancel := context.WithTimeout(context.WithoutCancel(ctx), p.cfg.DrainTimeout)
		defer cancel()
		if err := w.Drain(drain); err != nil {
			p.log.Warn("drain", "error", err)
		}
		stop()
	})
	if err := w.Run(running); err != nil {
		return failure(err)
	}
	return nil
}

// workerOwn are a worker's own figures.
func (p *process) workerOwn(id string, m *worker.Manager, s *exchange.Store) nodeFigures {
	own, kept := p.figures(id), s.Figures()
	tasks, _ := m.Running()
	own.values["tutti_node_retained_bytes"] = float64(kept.MemoryBytes + kept.DiskBytes)
	own.values["tutti_node_tasks"] = float64(tasks)
	own.values["tutti_node_queries"] = float64(len(m.Queries()))
	return own
}

// connector makes a connector from what a coordinator sent.
func (p *process) connector(def *pb.CatalogDefinition) (connectors.Connector, error) {
	return p.builder.build(config.Catalog{Name: def.Name, Connector: def.Connector, Settings: def.Settings})
}

// incarnation differs in each start of a process.
func incarnation() string {
	return strconv.FormatInt(time.Now().UnixNano(), 36) + "-" + strconv.Itoa(os.Getpid())
}
