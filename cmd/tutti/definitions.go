package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/tuttidb/tutti/cmd/tutti/config"
	"github.com/tuttidb/tutti/connectors"
	"github.com/tuttidb/tutti/connectors/system"
	"github.com/tuttidb/tutti/coordinator"
	"github.com/tuttidb/tutti/coordinator/meta"
	"github.com/tuttidb/tutti/internal/clock"
	"github.com/tuttidb/tutti/internal/qerr"
	"github.com/tuttidb/tutti/planner/plan"
	pb "github.com/tuttidb/tutti/proto/tutti/v1"
	"github.com/tuttidb/tutti/worker"
)

const (
	// probeTime is the patience of CREATE CATALOG.
	probeTime = 5 * time.Second
	// tellRetired is how long workers are told of definitions that hold no more:
	// queries which began before may still have tasks for them.
	tellRetired = time.Hour
)

// definitions are a coordinator's catalogs: those of files, for good, and those
// that statements make, which coordinators keep together in node's state. They
// implement coordinator.Definitions, keep coordinator.Catalogs in step with the
// state, and say what workers are to be told.
type definitions struct {
	definitionsDeps
	// patience is how long CREATE CATALOG tries to reach what a catalog names.
	patience time.Duration

	mu      sync.Mutex
	node    *meta.Node // keeps what statements make; nil: they can make nothing
	done    uint64     // the version of the state that was followed last, and 1
	made    map[string]storedCatalog
	retired []retiredDefinition
	message *pb.Catalogs
}

// A worker.Manager of a coordinator looks for this by itself.
var _ worker.Generations = (*coordinator.Catalogs)(nil)

// definitionsDeps are what definitions need.
type definitionsDeps struct {
	files    []config.Catalog
	builder  *builder
	catalogs *coordinator.Catalogs
	// static says that statements may not change what there is.
	static bool
	// changed, if set, is called after each change, for workers to be told.
	changed func()
	clock   clock.Clock
	log     *slog.Logger
}

// storedCatalog is a definition as the state has it, as JSON.
type storedCatalog struct {
	Connector  string            `json:"connector"`
	Comment    string            `json:"comment,omitempty"`
	Properties []config.Property `json:"properties,omitempty"`
	// Query made it: run again, it finds what it has made.
	Query string `json:"query"`

	since uint64
}

// retiredDefinition is one that was dropped.
type retiredDefinition struct {
	*pb.CatalogDefinition
	at time.Time
}

// newDefinitions returns the definitions of files. With run they get a place
// for those that statements make.
func newDefinitions(d definitionsDeps) *definitions {
	n := &definitions{definitionsDeps: d, patience: probeTime}
	n.take(&meta.State{})
	return n
}

// run keeps in node what statements make, and follows its state until ctx or
// the node ends. It returns at once.
func (d *definitions) run(ctx context.Context, node *meta.Node) {
	d.keep(node)
	go func() {
		for s := range node.Watch(ctx) {
			d.follow(s)
		}
	}()
}

// keep makes node the place for what statements make.
func (d *definitions) keep(node *meta.Node) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.node = node
}

// catchUp waits until everything is here that was made before it was called,
// on whichever coordinator: what a new leader, and a process without peers,
// must do before they take statements.
func (d *definitions) catchUp(ctx context.Context, node *meta.Node) error {
	s, err := node.Read(ctx)
	if err != nil {
		return fmt.Errorf("read the catalogs: %w", err)
	}
	d.follow(s)
	return nil
}

// keeper returns the node that keeps what a statement makes.
func (d *definitions) keeper(statement string) (*meta.Node, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.static { // Trino's words
		return nil, qerr.New(qerr.NotSupportedCode, "%s is not supported by the static catalog store", statement)
	}
	if d.node == nil {
		return nil, qerr.New(qerr.NotSupportedCode, "not supported: %s in a process that keeps no state", statement)
	}
	return d.node, nil
}

// generationOf numbers the catalogs of a state: coordinators of one cluster
// agree on it, and 1 is that of the files alone.
func generationOf(s *meta.State) uint64 { return s.CatalogsVersion + 1 }

// follow takes over the catalogs of a state and has workers told.
func (d *definitions) follow(s *meta.State) {
	if d.take(s) && d.changed != nil {
		d.changed()
	}
}

// take takes over the catalogs of a state, and reports whether it did: they
// may be no other than, or older than, those it has.
func (d *definitions) take(s *meta.State) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	generation := generationOf(s)
	if d.message != nil && (generation < d.done || generation == d.done && s.ClusterID == d.message.Cluster) {
		return false
	}
	made := map[string]storedCatalog{}
	message := &pb.Catalogs{Generation: generation, Cluster: s.ClusterID}
	for _, f := range d.files {
		message.Catalogs = append(message.Catalogs, &pb.CatalogDefinition{Name: f.Name, Connector: f.Connector, Settings: f.Settings})
	}
	var entries []coordinator.CatalogEntry
	for c := range s.Catalogs() {
		stored, def, err := decodeStored(c)
		if err != nil {
			d.log.Error("catalog cannot be used", "catalog", c.Name, "error", err)
		}
		made[c.Name] = stored
		entries = append(entries, coordinator.CatalogEntry{Name: c.Name, Kind: stored.Connector, Since: stored.since, Open: func() (connectors.Connector, error) {
			if err != nil {
				return nil, err
			}
			conn, err := d.builder.build(def)
			if err != nil {
				return nil, err
			}
			return system.InformationSchema(def.Name, conn), nil
		}})
		if err == nil && d.file(c.Name) == nil {
			message.Catalogs = append(message.Catalogs, &pb.CatalogDefinition{
				Name: def.Name, Connector: def.Connector, Settings: def.Settings, Since: stored.since,
			})
		}
	}
	d.catalogs.Follow(generation, entries)
	d.retire(message, made)
	d.done, d.made, d.message = generation, made, message
	return true
}

// retire adds what was dropped not long ago to what workers are told. The
// caller holds mu.
func (d *definitions) retire(message *pb.Catalogs, made map[string]storedCatalog) {
	now := d.clock.Now()
	for _, c := range d.message.GetCatalogs() {
		if c.Since != 0 && c.Until == 0 && made[c.Name].since != c.Since {
			gone := &pb.CatalogDefinition{Name: c.Name, Connector: c.Connector, Settings: c.Settings, Since: c.Since, Until: message.Generation}
			d.retired = append(d.retired, retiredDefinition{gone, now})
		}
	}
	kept := d.retired[:0]
	for _, r := range d.retired {
		if now.Sub(r.at) < tellRetired && made[r.Name].since != r.Since { // a backup may bring it back
			kept = append(kept, r)
			message.Catalogs = append(message.Catalogs, r.CatalogDefinition)
		}
	}
	d.retired = kept
}

// decodeStored reads a definition of the state. A connector or setting that
// this release does not know is an error.
func decodeStored(c *pb.MetaCatalog) (s storedCatalog, def config.Catalog, err error) {
	s.since = c.Version + 1
	if err := json.Unmarshal([]byte(c.Definition), &s); err != nil {
		return s, def, fmt.Errorf("catalog %s: %w", c.Name, err)
	}
	into := settings(s.Connector)
	if into == nil {
		return s, def, noConnector(config.Catalog{Name: c.Name, Connector: s.Connector})
	}
	def, err = config.FromProperties(c.Name, s.Connector, s.Properties, into)
	return s, def, err
}

// Message returns what workers are told. It does not change.
func (d *definitions) Message() *pb.Catalogs {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.message
}

// file returns the catalog of a file, or one that every server has; nil if it
// is neither.
func (d *definitions) file(name string) *config.Catalog {
	for i, f := range d.files {
		if f.Name == name {
			return &d.files[i]
		}
	}
	return nil
}

// Create makes a catalog after trying it.
func (d *definitions) Create(ctx context.Context, by plan.QueryID, def coordinator.CatalogDefinition) error {
	node, err := d.keeper("CREATE CATALOG")
	if err != nil {
		return err
	}
	if err := config.CheckName(def.Name); err != nil {
		return qerr.Wrap(qerr.InvalidArguments, err, "CREATE CATALOG")
	}
	d.mu.Lock()
	old, exists := d.made[def.Name]
	d.mu.Unlock()
	if def.Name == "system" || d.file(def.Name) != nil || exists && old.Query != string(by) {
		return alreadyExists(def.Name)
	}
	stored := storedCatalog{Connector: def.Connector, Comment: def.Comment, Query: string(by)}
	for _, p := range def.Properties {
		stored.Properties = append(stored.Properties, config.Property(p))
	}
	if !exists {
		if err := d.try(ctx, def.Name, stored); err != nil {
			return err
		}
	}
	text, err := json.Marshal(stored)
	if err != nil {
		return fmt.Errorf("definition of catalog %s: %w", def.Name, err)
	}
	_, err = node.ApplyOnce(ctx, "create catalog by "+string(by), meta.CreateCatalog(def.Name, string(text)))
	if errors.Is(err, meta.ErrExists) {
		return alreadyExists(def.Name)
	}
	return d.applied(node, err)
}

func alreadyExists(name string) error {
	return qerr.New(qerr.AlreadyExists, "Catalog '%s' already exists", name)
}

// applied follows the state after a change of this node's.
func (d *definitions) applied(node *meta.Node, err error) error {
	switch {
	case errors.Is(err, meta.ErrUnknown):
		return qerr.Wrap(qerr.CatalogStoreError, err, "Whether the catalogs were changed is not known; look before you try again")
	case err != nil:
		return qerr.Wrap(qerr.CatalogStoreError, err, "The catalogs were not changed").WithRetry()
	}
	d.follow(node.State())
	return nil
}

// try opens a catalog and looks into it.
func (d *definitions) try(ctx context.Context, name string, s storedCatalog) error {
	into := settings(s.Connector)
	if into == nil {
		return qerr.Wrap(qerr.NotFound, noConnector(config.Catalog{Name: name, Connector: s.Connector}), "CREATE CATALOG")
	}
	def, err := config.FromProperties(name, s.Connector, s.Properties, into)
	if err == nil {
		err = config.CheckReferences(s.Properties, into, d.builder.singleProcess)
	}
	if err != nil {
		return invalid(name, err)
	}
	conn, err := d.builder.build(def)
	if err != nil {
		return invalid(name, err)
	}
	defer func() { _ = conn.Close() }() // it was only looked into
	ctx, cancel := context.WithTimeoutCause(ctx, d.patience, fmt.Errorf("no answer within %s", d.patience))
	defer cancel()
	if _, err := conn.Schemas(ctx); err != nil {
		if cause := context.Cause(ctx); cause != nil && !errors.Is(err, cause) {
			err = fmt.Errorf("%w: %w", cause, err)
		}
		return qerr.Wrap(qerr.CatalogUnavailable, err, "Catalog '%s' cannot be read with these properties", name)
	}
	return nil
}

// invalid is the error of properties that are wrong; who asks knows already
// which catalog it is about.
func invalid(name string, err error) error {
	return qerr.Wrap(qerr.InvalidCatalogProperty, err, "Catalog '%s' cannot be made", name)
}

// Drop removes a catalog that a statement made.
func (d *definitions) Drop(ctx context.Context, by plan.QueryID, name string) error {
	node, err := d.keeper("DROP CATALOG")
	if err != nil {
		return err
	}
	switch f := d.file(name); {
	case f != nil && f.Source != "":
		return qerr.New(qerr.NotSupportedCode, "Catalog '%s' comes from the file %s: remove it there", name, f.Source)
	case f != nil || name == "system":
		return qerr.New(qerr.NotSupportedCode, "Catalog '%s' is one that every server has; it cannot be dropped", name)
	}
	_, err = node.ApplyOnce(ctx, "drop catalog by "+string(by), meta.DropCatalog(name))
	if errors.Is(err, meta.ErrNotFound) {
		return qerr.New(qerr.CatalogNotFound, "Catalog '%s' not found", name)
	}
	return d.applied(node, err)
}

// Show returns a catalog's definition, secrets hidden.
func (d *definitions) Show(name string) (coordinator.CatalogDefinition, bool) {
	def := coordinator.CatalogDefinition{Name: name}
	var list []config.Property
	if f := d.file(name); f != nil {
		def.Connector = f.Connector
		list, _ = f.Properties() // it was read at the start
	} else {
		d.mu.Lock()
		stored, ok := d.made[name]
		d.mu.Unlock()
		if !ok {
			return def, false
		}
		def.Connector, def.Comment, list = stored.Connector, stored.Comment, stored.Properties
	}
	if into := settings(def.Connector); into != nil {
		list = config.Hide(list, into)
	}
	for _, p := range list {
		def.Properties = append(def.Properties, coordinator.CatalogProperty(p))
	}
	return def, true
}
