// Package inprocess is a whole Tutti inside a test: coordinator, local
// execution and HTTP door in one process, with the catalogs that the corpus
// needs. Tests of SQL run against it without building or starting a server,
// and with the race detector where that is asked for.
package inprocess

import (
	"fmt"
	"log/slog"
	"net/http/httptest"
	"testing"

	"github.com/tuttidb/tutti/cmd/tutti/engine"
	"github.com/tuttidb/tutti/connectors"
	"github.com/tuttidb/tutti/connectors/memory"
	"github.com/tuttidb/tutti/connectors/system"
	"github.com/tuttidb/tutti/connectors/tpch"
	"github.com/tuttidb/tutti/connectors/tpch/dbgen"
	"github.com/tuttidb/tutti/coordinator"
	"github.com/tuttidb/tutti/coordinator/server"
	"github.com/tuttidb/tutti/exec/mem"
	"github.com/tuttidb/tutti/internal/clock"
	"github.com/tuttidb/tutti/test/slt"
)

// Tutti is a server that lives as long as its test.
type Tutti struct {
	// URL is where it answers HTTP.
	URL         string
	Coordinator *coordinator.Coordinator
}

// Start runs a server until the test ends. What goes wrong is the test's
// failure, as is memory that a query still holds in the end; the log goes to
// the test's output.
func Start(t *testing.T) *Tutti {
	t.Helper()
	account := mem.NewRoot("process", 0, mem.NewPool())
	tables := memory.New(account)
	catalogs, err := newCatalogs(tables)
	if err != nil {
		t.Fatal(err)
	}
	log := slog.New(slog.NewTextHandler(t.Output(), &slog.HandlerOptions{Level: slog.LevelWarn}))
	c := coordinator.New(coordinator.Deps{
		Catalogs: catalogs,
		Folder:   engine.Folder{Account: account},
		Local:    &engine.Local{Account: account, Catalogs: catalogs, Log: log},
		Clock:    clock.System{}, Log: log, NodeID: "test", Version: "test",
	})
	s, err := server.New(server.Config{Engine: c, Log: log, Clock: clock.System{}, Version: "test", NodeID: "test", Environment: "test"})
	if err != nil {
		t.Fatal(err)
	}
	door := httptest.NewServer(s)
	t.Cleanup(func() {
		s.Close()
		door.Close()
		c.Close()
		if err := tables.Close(); err != nil {
			t.Error(err)
		}
		if n := account.Used(); n != 0 {
			t.Errorf("%d bytes of memory were not given back", n)
		}
	})
	return &Tutti{URL: door.URL, Coordinator: c}
}

// newCatalogs returns the catalogs that slt.WriteCatalogs describes.
func newCatalogs(tables *memory.Connector) (*coordinator.Catalogs, error) {
	text := dbgen.NewText()
	standard, err := tpch.New(tpch.Config{ColumnNaming: "standard", DoubleTypeMapping: "decimal"}, text)
	if err != nil {
		return nil, err
	}
	simplified, err := tpch.New(tpch.Config{}, text)
	if err != nil {
		return nil, err
	}
	catalogs := coordinator.NewCatalogs()
	for _, c := range []struct {
		name, kind string
		conn       connectors.Connector
	}{
		{"tpch", "tpch", simplified},
		{"tpchstd", "tpch", standard},
		{"memory", "memory", tables},
	} {
		if err := catalogs.Add(c.name, c.kind, system.InformationSchema(c.name, c.conn)); err != nil {
			return nil, fmt.Errorf("catalog %s: %w", c.name, err)
		}
	}
	return catalogs, catalogs.Add("system", "system", system.InformationSchema("system", system.New(catalogs, nothing{})))
}

// nothing is a cluster that the tables of system.runtime have nothing to tell
// about: what they hold differs from run to run, so no record asks for it.
type nothing struct{}

func (nothing) Queries() []system.Query { return nil }
func (nothing) Nodes() []system.Node    { return nil }
func (nothing) Tasks() []system.Task    { return nil }

// Session opens a session with session properties set.
func (u *Tutti) Session(t *testing.T, catalog, schema string, properties map[string]string) (slt.Executor, error) {
	t.Helper()
	s, err := slt.NewSession(u.URL, catalog, schema)
	if err != nil {
		return nil, err
	}
	for name, value := range properties {
		if _, err := s.Query(t.Context(), fmt.Sprintf("SET SESSION %s = %s", name, value)); err != nil {
			return nil, fmt.Errorf("session property %s: %w", name, err)
		}
	}
	return s, nil
}
