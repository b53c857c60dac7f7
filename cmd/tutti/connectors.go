package main

import (
	"context"
	"fmt"
	"log/slog"
	"path/filepath"
	"time"

	"github.com/tuttidb/tutti/cmd/tutti/config"
	"github.com/tuttidb/tutti/connectors"
	"github.com/tuttidb/tutti/connectors/lake"
	"github.com/tuttidb/tutti/connectors/lake/parquet"
	"github.com/tuttidb/tutti/connectors/memory"
	"github.com/tuttidb/tutti/connectors/objstore"
	"github.com/tuttidb/tutti/connectors/tpch"
	"github.com/tuttidb/tutti/connectors/tpch/dbgen"
	"github.com/tuttidb/tutti/exec/mem"
)

// builder makes connectors from their definitions. What catalogs of one
// process can share is made once.
type builder struct {
	account *mem.Account
	text    *dbgen.Text
	footers *parquet.Cache
	codecs  *parquet.Codecs
	log     *slog.Logger
	// allowAllPaths lets lake catalogs read any path (tutti sql --local).
	allowAllPaths bool
	// singleProcess allows connectors that keep data in the process.
	singleProcess bool
}

// footerCache bounds the memory for Parquet footers, in bytes.
const footerCache = 128 << 20

func newBuilder(account *mem.Account, log *slog.Logger) *builder {
	return &builder{account: account, text: dbgen.NewText(), footers: parquet.NewCache(footerCache), codecs: parquet.NewCodecs(), log: log}
}

// lakeSettings are the settings of a lake catalog as its file has them.
type lakeSettings struct {
	Warehouse        string        `yaml:"warehouse"`
	AllowPaths       []string      `yaml:"allow-paths"`
	ListingStaleness time.Duration `yaml:"listing-staleness"`
	S3               struct {
		Endpoint     string `yaml:"endpoint"`
		Region       string `yaml:"region"`
		PathStyle    bool   `yaml:"path-style"`
		AccessKey    string `yaml:"access-key" credential:"public"`
		SecretKey    string `yaml:"secret-key" credential:"secret"`
		SessionToken string `yaml:"session-token" credential:"secret"`
	} `yaml:"s3"`
}

// build makes the connector that a definition asks for.
func (b *builder) build(c config.Catalog) (connectors.Connector, error) {
	switch c.Connector {
	case "tpch":
		var s tpch.Config
		if err := c.Decode(&s); err != nil {
			return nil, err
		}
		return tpch.New(s, b.text)
	case "memory":
		if !b.singleProcess {
			return nil, fmt.Errorf("catalog %s: the memory connector works in a single process only (tutti server)", c.Name)
		}
		if err := c.Decode(&struct{}{}); err != nil {
			return nil, err
		}
		return memory.New(b.account.Child("catalog "+c.Name, 0)), nil
	case "lake":
		return b.lake(c)
	}
	return nil, noConnector(c)
}

func noConnector(c config.Catalog) error {
	return fmt.Errorf("catalog %s: there is no connector %q%s", c.Name, c.Connector, config.Suggest(c.Connector, []string{"lake", "tpch", "memory"}))
}

// settings returns a pointer to the struct that a connector's settings are
// decoded into, nil if there is no such connector.
func settings(connector string) any {
	switch connector {
	case "tpch":
		return &tpch.Config{}
	case "memory":
		return &struct{}{}
	case "lake":
		return &lakeSettings{}
	}
	return nil
}

func (b *builder) lake(c config.Catalog) (connectors.Connector, error) {
	var s lakeSettings
	if err := c.Decode(&s); err != nil {
		return nil, err
	}
	cfg := lake.Config{
		Warehouse: s.Warehouse, AllowPaths: s.AllowPaths, ListingStaleness: s.ListingStaleness, AllowAll: b.allowAllPaths,
		S3: objstore.Config{
			Endpoint: s.S3.Endpoint, Region: s.S3.Region, PathStyle: s.S3.PathStyle,
			AccessKey: s.S3.AccessKey, SecretKey: s.S3.SecretKey, SessionToken: s.S3.SessionToken, Logger: b.log,
		},
	}
	conn, err := lake.New(context.Background(), cfg, lake.Deps{Footers: b.footers, Codecs: b.codecs, Account: b.account, Log: b.log})
	if err != nil {
		return nil, fmt.Errorf("catalog %s: %w", c.Name, err)
	}
	return conn, nil
}

// checkCatalog reports what is wrong with a definition without using it.
func checkCatalog(c config.Catalog) error {
	pool := mem.NewPool()
	b := newBuilder(mem.NewRoot("check", 0, pool), slog.New(slog.DiscardHandler))
	b.singleProcess = true
	conn, err := b.build(c)
	if err != nil {
		return err
	}
	return conn.Close()
}

// catalogDir is where the catalog files are.
func catalogDir(cfg *config.Config) string {
	if cfg.CatalogDir != "" {
		return cfg.CatalogDir
	}
	return filepath.Join(cfg.DataDir, "catalogs")
}

// withDefaults adds the catalogs that every server has unless a file of the
// same name says otherwise.
func withDefaults(list []config.Catalog, cfg *config.Config, memoryToo bool) []config.Catalog {
	defaults := []config.Catalog{
		{Name: "lake", Connector: "lake", Settings: []byte("warehouse: " + yamlString(filepath.Join(cfg.DataDir, "lake")))},
		{Name: "tpch", Connector: "tpch"},
	}
	if memoryToo {
		defaults = append(defaults, config.Catalog{Name: "memory", Connector: "memory"})
	}
	have := map[string]bool{}
	for _, c := range list {
		have[c.Name] = true
	}
	for _, d := range defaults {
		if !have[d.Name] {
			list = append(list, d)
		}
	}
	return list
}
