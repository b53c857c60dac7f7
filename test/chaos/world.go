package chaos

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strconv"

	"github.com/tuttidb/tutti/test/chaos/rig"
	"github.com/tuttidb/tutti/test/cluster"
	"github.com/tuttidb/tutti/test/tpch"
)

// diskSize is the size of a worker's disk where it can be filled.
const diskSize = 1 << 30

// World is a cluster with an object store, and what the faults need to break
// them.
type World struct {
	Dir     string
	Cluster *rig.Cluster
	Store   *rig.Store
	// Large says that the load is of large results only.
	Large   bool
	gateway *cluster.Gateway
	disks   []*rig.Disk // of the workers, if they have their own
}

// WorldConfig says what to start.
type WorldConfig struct {
	Dir     string
	Workers int
	Seed    uint64
	// Disks gives each worker a disk that can be filled, which needs the right
	// to mount.
	Disks bool
	// Clocks gives each process a clock that can be stepped, which needs a binary
	// of its own.
	Clocks bool
	// Started is called with each worker that was started; see rig.Config.
	Started func(*cluster.Process) error
	// Scale is a further scale factor of TPC-H in whole numbers, 0: none.
	Scale int
}

// NewWorld builds the binaries (TUTTI_BINARY names one that is there), starts
// the object store and a cluster in front of it, and generates TPC-H at both
// recorded scales unless it is in the cache. Close ends it, also after an error.
func NewWorld(ctx context.Context, cfg WorldConfig) (w *World, err error) {
	w = &World{Dir: cfg.Dir}
	cache, err := cluster.CacheDir()
	if err != nil {
		return w, err
	}
	datagen := filepath.Join(w.Dir, "datagen")
	binary, err := w.build(ctx, cfg.Clocks)
	if err != nil {
		return w, err
	}
	if err := rig.Build(ctx, datagen, "bench/datagen"); err != nil {
		return w, err
	}
	program, err := cluster.InstallGateway(ctx, cache)
	if err != nil {
		return w, err
	}
	if w.gateway, err = cluster.StartGateway(ctx, program, w.Dir, filepath.Join(cache, "store")); err != nil {
		return w, err
	}
	scales := map[string]float64{"tiny": 0.01, "sf1": 1}
	if cfg.Scale > 0 {
		scales["sf"+strconv.Itoa(cfg.Scale)] = float64(cfg.Scale)
	}
	for schema, scale := range scales {
		if err := w.gateway.Generate(ctx, datagen, "tpch", schema, scale); err != nil {
			return w, err
		}
	}
	w.Store = rig.NewStore(w.gateway.URL, cfg.Seed)
	return w, w.start(ctx, binary, cfg)
}

// build returns the binary to test.
func (w *World) build(ctx context.Context, clocks bool) (string, error) {
	if there := os.Getenv("TUTTI_BINARY"); there != "" && !clocks {
		return there, nil
	}
	binary := filepath.Join(w.Dir, "tutti")
	if clocks {
		return binary, rig.BuildStepped(ctx, w.Dir, binary, "cmd/tutti")
	}
	return binary, rig.Build(ctx, binary, "cmd/tutti")
}

func (w *World) start(ctx context.Context, binary string, cfg WorldConfig) (err error) {
	s3 := func(endpoint string) string {
		return "connector: lake\nwarehouse: s3://tpch\ns3:\n  endpoint: " + endpoint + "\n  region: us-east-1\n  path-style: true\n" +
			"  access-key: ${ENV:TEST_ACCESS_KEY}\n  secret-key: ${ENV:TEST_SECRET_KEY}\n"
	}
	dir := filepath.Join(w.Dir, "cluster")
	if cfg.Disks {
		for i := range cfg.Workers {
			disk, err := rig.NewDisk(filepath.Join(dir, rig.Name(i), "disk"), diskSize)
			if err != nil {
				return err
			}
			w.disks = append(w.disks, disk)
		}
	}
	w.Cluster, err = rig.StartCluster(ctx, rig.Config{
		Binary: binary, Dir: dir, Workers: cfg.Workers, Started: cfg.Started, Clocks: cfg.Clocks,
		Env: []string{"TEST_ACCESS_KEY=" + cluster.AccessKey, "TEST_SECRET_KEY=" + cluster.SecretKey},
		Catalogs: map[string]string{
			"s3": s3(w.Store.URL), "tpch": "connector: tpch\n", "standard": "connector: tpch\ncolumn-naming: standard\ndouble-type-mapping: decimal\n",
			"folder": "connector: lake\nwarehouse: " + filepath.Join(w.gateway.Root, "tpch") + "\n",
		},
		WorkerArgs: func(_, data string) []string {
			args := []string{"--drain-timeout", "40s"}
			if cfg.Disks { // outputs are to reach the disk
				args = append(args, "--data-dir", filepath.Join(data, "disk"), "--retained-memory", "16MB")
			}
			return args
		},
	})
	return err
}

// Close ends everything. The logs stay unless all was well.
func (w *World) Close(well bool) error {
	var errs []error
	if w.Cluster != nil {
		errs = append(errs, w.Cluster.Stop())
	}
	for _, d := range w.disks {
		errs = append(errs, d.Close())
	}
	if w.Store != nil {
		w.Store.CloseClientConnections()
		w.Store.Close()
	}
	if w.gateway != nil {
		errs = append(errs, w.gateway.Stop())
	}
	if !well || os.Getenv("CHAOS_KEEP") != "" {
		fmt.Fprintln(os.Stderr, "logs are in", w.Dir)
		return errors.Join(errs...)
	}
	return errors.Join(append(errs, os.RemoveAll(w.Dir))...)
}

// Mix chooses queries.
type Mix struct {
	queries []Query
	weights []int
}

// add gives queries a weight together.
func (m *Mix) add(weight int, queries ...Query) {
	for _, q := range queries {
		m.queries = append(m.queries, q)
		m.weights = append(m.weights, weight*60/len(queries))
	}
}

// Next draws a query.
func (m *Mix) Next(rng *rand.Rand) Query {
	total := 0
	for _, w := range m.weights {
		total += w
	}
	at := rng.IntN(total)
	i := slices.IndexFunc(m.weights, func(w int) bool { at -= w; return at < 0 })
	return m.queries[i]
}

// mixOf is the load of a campaign: small and large queries, most of which run
// for a fraction of a second in many tasks, some for seconds.
func mixOf(ctx context.Context, url string, short bool) (*Mix, error) {
	m := &Mix{}
	tiny, err := tpchQueries(tpch.Tiny)
	if err != nil {
		return nil, err
	}
	m.add(4, tiny...)
	m.add(3, generated()[0])
	if short {
		return m, nil
	}
	sf1, err := tpchQueries(tpch.SF1)
	if err != nil {
		return nil, err
	}
	big, err := large(ctx, url)
	if err != nil {
		return nil, err
	}
	m.add(6, sf1...)
	m.add(2, generated()[1])
	m.add(2, joined())
	m.add(1, big)
	return m, nil
}

// largeOnly is a load of large results that must survive whatever strikes.
func largeOnly(ctx context.Context, url string) (*Mix, error) {
	q, err := large(ctx, url)
	m := &Mix{}
	m.add(1, q)
	return m, err
}
