package main

import (
	"context"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/tuttidb/tutti/cmd/tutti/config"
	"github.com/tuttidb/tutti/coordinator"
)

func serverCommand() *cobra.Command {
	cfg := &config.Config{}
	cmd := &cobra.Command{
		Use:   "server",
		Short: "Run everything in one process: no cluster, no configuration needed",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := loadConfig(cmd.Flags(), cfg, config.Server); err != nil {
				return err
			}
			return runServer(cmd.Context(), cfg)
		},
	}
	cfg.Flags(cmd.Flags(), config.Server)
	return cmd
}

// runServer serves until ctx ends. Plans run in this process, so no port for
// other nodes is opened.
func runServer(ctx context.Context, cfg *config.Config) error {
	if err := prepareDir(cfg); err != nil {
		return err
	}
	p := newProcess(cfg)
	p.builder.singleProcess = true
	l, err := listen("http-listen", cfg.HTTPListen)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Join(cfg.DataDir, "lake"), 0o755); err != nil {
		return usage(err)
	}
	id := nodeID(cfg, l.Addr())
	d := p.openDoor("server", l, id)
	nodes := func() []coordinator.NodeInfo { return []coordinator.NodeInfo{p.self(id, l)} }
	f, err := newFront(p, id, nodes, coordinator.NewCatalogs())
	if err != nil {
		return err
	}
	node, err := openMeta(p, nil, nil)
	if err != nil {
		return err
	}
	defer func() { _ = node.Close() }() // what its disk has to say, Err has said
	f.definitions.run(ctx, node)
	if err := f.definitions.catchUp(ctx, node); err != nil {
		return failure(err)
	}
	f.begin(f.deps())
	go p.housekeep(ctx)
	return f.serve(ctx, d, func() []nodeFigures { return []nodeFigures{p.figures(id)} })
}
