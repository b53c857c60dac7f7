package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/tuttidb/tutti/cmd/tutti/config"
	"github.com/tuttidb/tutti/coordinator"
	"github.com/tuttidb/tutti/coordinator/meta"
	"github.com/tuttidb/tutti/internal/clock"
	"github.com/tuttidb/tutti/internal/qerr"
	"github.com/tuttidb/tutti/planner/plan"
)

// definer is a coordinator's catalogs over a state of its own.
type definer struct {
	*definitions
	t     *testing.T
	node  *meta.Node
	told  int // how often workers were told
	clock *clock.Manual
	// base is the generation before the first change, once there was one: the
	// log begins with entries of raft's own.
	base uint64
	// queries counts the statements, which have ids of their own.
	queries int
}

func newDefiner(t *testing.T, dir string, files ...config.Catalog) *definer {
	t.Helper()
	p, err := localProcess(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	p.builder.singleProcess = false
	node, err := meta.Open(meta.Config{ID: "c1", Dir: dir, Log: slog.New(slog.DiscardHandler), Clock: clock.System{}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = node.Close() })
	d := &definer{t: t, node: node, clock: clock.NewManual(time.Unix(1e9, 0))}
	d.definitions = newDefinitions(definitionsDeps{
		files: files, builder: p.builder, catalogs: coordinator.NewCatalogs(), clock: d.clock, log: p.log,
		changed: func() { d.told++ },
	})
	if err := d.catchUp(t.Context(), node); err != nil {
		t.Fatal(err)
	}
	d.keep(node)
	return d
}

func (d *definer) id() plan.QueryID {
	d.queries++
	return plan.QueryID(fmt.Sprintf("q%d", d.queries))
}

// create makes a catalog of "name=value" properties as a statement of its own.
func (d *definer) create(name, connector string, properties ...string) error {
	return d.Create(d.t.Context(), d.id(), definition(name, connector, properties...))
}

func definition(name, connector string, properties ...string) coordinator.CatalogDefinition {
	def := coordinator.CatalogDefinition{Name: name, Connector: connector}
	for _, p := range properties {
		k, v, _ := strings.Cut(p, "=")
		def.Properties = append(def.Properties, coordinator.CatalogProperty{Name: k, Value: v})
	}
	return def
}

func (d *definer) drop(name string) error { return d.Drop(d.t.Context(), d.id(), name) }

// must fails the test if any of the statements did.
func (d *definer) must(errs ...error) {
	d.t.Helper()
	if err := errors.Join(errs...); err != nil {
		d.t.Fatal(err)
	}
}

// words are the definitions that workers are told: name@since-until, since
// and until counted from before the first change.
func (d *definer) words() string {
	var out []string
	for _, c := range d.Message().Catalogs {
		w := c.Name
		if c.Since != 0 {
			if d.base == 0 {
				d.base = c.Since - 1
			}
			w += "@" + fmt.Sprint(c.Since-d.base)
		}
		if c.Until != 0 {
			w += "-" + fmt.Sprint(c.Until-d.base)
		}
		out = append(out, w)
	}
	return strings.Join(out, " ")
}

// TestDefinitions: what statements make is there at once, for queries and for
// workers, and what was dropped is told for a while to those who still need it.
func TestDefinitions(t *testing.T) {
	warehouse := t.TempDir()
	d := newDefiner(t, "", config.Catalog{Name: "tpch", Connector: "tpch"})
	if g := d.Message().Generation; g != 1 || d.words() != "tpch" {
		t.Fatalf("at first generation %d: %s", g, d.words())
	}
	if d.Message().Cluster == "" {
		t.Error("workers are not told which cluster it is")
	}
	told := d.told
	d.must(d.create("a", "lake", "warehouse="+warehouse), d.create("b", "tpch", "column-naming=standard"))
	if d.words() != "tpch a@1 b@2" || d.told != told+2 {
		t.Errorf("workers are told %q, %d times", d.words(), d.told-told)
	}
	for _, name := range []string{"a", "b"} {
		if ok, err := d.catalogs.SchemaExists(t.Context(), name, "information_schema"); !ok || err != nil {
			t.Errorf("%s: %v, %v", name, ok, err)
		}
	}
	if d.catalogs.Generation() != d.Message().Generation || d.catalogs.KindOf("b") != "tpch" {
		t.Errorf("generation %d for queries, %d for workers; b is a %s", d.catalogs.Generation(), d.Message().Generation, d.catalogs.KindOf("b"))
	}
	d.must(d.drop("a"))
	if d.words() != "tpch b@2 a@1-3" {
		t.Errorf("after a drop: %s", d.words())
	}
	d.must(d.create("a", "tpch"))
	if d.words() != "tpch a@4 b@2 a@1-3" {
		t.Errorf("after another of its name: %s", d.words())
	}
	d.clock.Advance(2 * tellRetired)
	d.must(d.drop("b"))
	if d.words() != "tpch a@4 b@2-5" {
		t.Errorf("much later: %s", d.words())
	}
	if got := strings.Join(d.catalogs.List(), " "); got != "a" { // the front adds those of files
		t.Errorf("catalogs %s", got)
	}
}

// TestDefinitionsAgain: a statement that is run again by another coordinator
// ends as it ended, whatever has happened meanwhile.
func TestDefinitionsAgain(t *testing.T) {
	d := newDefiner(t, "")
	ctx, def := t.Context(), definition("a", "tpch")
	d.must(d.Create(ctx, "q1", def), d.Create(ctx, "q1", def))
	if err := d.Create(ctx, "q2", def); !qerr.Is(err, qerr.AlreadyExists) {
		t.Errorf("another statement: %v", err)
	}
	version := d.Message().Generation
	d.must(d.Create(ctx, "q1", def))
	if d.Message().Generation != version {
		t.Error("run again, it made a change")
	}
	d.must(d.Drop(ctx, "q3", "a"), d.Drop(ctx, "q3", "a"))
	if err := d.Drop(ctx, "q4", "a"); !qerr.Is(err, qerr.CatalogNotFound) || err.Error() != "Catalog 'a' not found" {
		t.Errorf("another statement: %v", err)
	}
	d.must(d.Create(ctx, "q1", def))
	if d.made["a"].Query != "" {
		t.Error("a statement that had ended brought its catalog back")
	}
}

// TestDefinitionsRefused: what is wrong is said by CREATE, and nothing is made.
func TestDefinitionsRefused(t *testing.T) {
	file := filepath.Join(t.TempDir(), "no-folder")
	if err := os.WriteFile(file, []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv("KEY_OF_A_TEST", "abc")
	d := newDefiner(t, "", config.Catalog{Name: "tpch", Connector: "tpch"}, config.Catalog{Name: "sales", Connector: "lake", Source: "/etc/tutti/sales.yaml"})
	const cannot = "INVALID_CATALOG_PROPERTY Catalog 'x' cannot be made: "
	for _, c := range []struct{ what, want string }{
		{"tpch tpch", "ALREADY_EXISTS Catalog 'tpch' already exists"},
		{"system tpch", "ALREADY_EXISTS Catalog 'system' already exists"},
		{"x tcph", `NOT_FOUND CREATE CATALOG: catalog x: there is no connector "tcph"; did you mean "tpch"?`},
		{"a-b tpch", `INVALID_ARGUMENTS CREATE CATALOG: catalog name "a-b": it is made of a-z, 0-9 and _, and starts with a letter`},
		{"x memory", cannot + "catalog x: the memory connector works in a single process only (tutti server)"},
		{"x tpch color=red", cannot + `unknown setting "color"; there are column-naming, double-type-mapping`},
		{"x tpch column-naming=fancy", cannot + `column-naming: "fancy" is neither simplified nor standard`},
		{"x lake s3.path-style=maybe", cannot + `s3.path-style: "maybe" is neither true nor false`},
		{"x lake s3.secret-key=abc", cannot + "s3.secret-key: a secret must not be part of a statement: write '${ENV:NAME}' for an environment variable, or '${FILE:path}' for a file, of every node"},
		{"x lake warehouse=${ENV:HOME}", cannot + "warehouse: references are for credentials only"},
		{"x lake s3.access-key=k s3.secret-key=${ENV:NOT_SET_ANYWHERE}", cannot + "catalog x: environment variable NOT_SET_ANYWHERE is not set"},
		{"x lake warehouse=ftp://a/b", "INVALID_CATALOG_PROPERTY"},
		{"x lake s3.endpoint=nowhere:99x warehouse=s3://b", "INVALID_CATALOG_PROPERTY"},
	} {
		words := strings.Fields(c.what)
		err := d.create(words[0], words[1], words[2:]...)
		e := qerr.From(err)
		if got := e.Code.Name + " " + e.Error(); got != c.want && (strings.Contains(c.want, " ") || e.Code.Name != c.want) {
			t.Errorf("%s:\n got %s\nwant %s", c.what, got, c.want)
		}
	}
	for name, want := range map[string]string{
		"sales":  "NOT_SUPPORTED Catalog 'sales' comes from the file /etc/tutti/sales.yaml: remove it there",
		"tpch":   "NOT_SUPPORTED Catalog 'tpch' is one that every server has; it cannot be dropped",
		"system": "NOT_SUPPORTED Catalog 'system' is one that every server has; it cannot be dropped",
		"x":      "CATALOG_NOT_FOUND Catalog 'x' not found",
	} {
		if e := qerr.From(d.drop(name)); e.Code.Name+" "+e.Error() != want {
			t.Errorf("drop %s: %s %s", name, e.Code.Name, e)
		}
	}
	if len(d.made) != 0 || d.Message().Generation != 1 {
		t.Errorf("made %v", d.made)
	}
}

// TestDefinitionsProbe: an endpoint that nobody answers at fails CREATE, soon.
func TestDefinitionsProbe(t *testing.T) {
	silent, err := net.Listen("tcp", "127.0.0.1:0") // takes connections and says nothing
	if err != nil {
		t.Fatal(err)
	}
	defer silent.Close()
	closed, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	_ = closed.Close()
	d := newDefiner(t, "")
	d.patience = 300 * time.Millisecond
	for what, address := range map[string]string{"silent": silent.Addr().String(), "closed": closed.Addr().String()} {
		start := time.Now()
		err := d.create("x", "lake", "warehouse=s3://bucket/x", "s3.endpoint=http://"+address, "s3.access-key=k", "s3.secret-key=${ENV:PATH}", "s3.region=r")
		if !qerr.Is(err, qerr.CatalogUnavailable) || !strings.HasPrefix(err.Error(), "Catalog 'x' cannot be read with these properties") {
			t.Errorf("%s: %v", what, err)
		}
		if took := time.Since(start); took > 5*time.Second {
			t.Errorf("%s: took %s", what, took)
		}
	}
}

// TestDefinitionsShown: a statement's definition is shown as it was written, a
// file's as the statement that would make it; literal secrets never are.
func TestDefinitionsShown(t *testing.T) {
	t.Setenv("KEY_OF_A_TEST", "abc")
	d := newDefiner(t, "", config.Catalog{Name: "sales", Connector: "lake", Source: "x", Settings: []byte(
		"warehouse: s3://b/w\nallow-paths: [s3://c, s3://d]\ns3:\n  path-style: true\n  secret-key: plain\n  session-token: ${FILE:/run/t}\n")})
	d.must(d.Create(t.Context(), "q", coordinator.CatalogDefinition{Name: "a", Connector: "lake", Comment: "hello", Properties: []coordinator.CatalogProperty{
		{Name: "s3.secret-key", Value: "${ENV:KEY_OF_A_TEST}"}, {Name: "s3.access-key", Value: "k"}}}))
	for name, want := range map[string]string{
		"a":     "{a lake hello [{s3.secret-key ${ENV:KEY_OF_A_TEST}} {s3.access-key k}]}",
		"sales": "{sales lake  [{warehouse s3://b/w} {allow-paths s3://c,s3://d} {s3.path-style true} {s3.secret-key ********} {s3.session-token ${FILE:/run/t}}]}",
	} {
		if def, ok := d.Show(name); !ok || fmt.Sprint(def) != want {
			t.Errorf("%s is shown as %v", name, def)
		}
	}
	if _, ok := d.Show("nosuch"); ok {
		t.Error("what does not exist is shown")
	}
	for _, c := range d.Message().Catalogs {
		if strings.Contains(string(c.Settings), "abc") {
			t.Errorf("workers are told a secret: %s", c.Settings)
		}
	}
}

// TestDefinitionsStay: a restart keeps them, one that cannot be opened any
// more included, which says so and can be dropped.
func TestDefinitionsStay(t *testing.T) {
	dir := t.TempDir()
	t.Setenv("KEY_OF_A_TEST", "abc")
	d := newDefiner(t, dir)
	d.must(d.create("a", "tpch"), d.create("b", "lake", "s3.access-key=k", "s3.secret-key=${ENV:KEY_OF_A_TEST}"))
	before := d.Message()
	if _, err := d.node.Apply(t.Context(), meta.CreateCatalog("c", `{"connector":"future","query":"q"}`), meta.CreateCatalog("d", "no JSON")); err != nil {
		t.Fatal(err)
	}
	d.must(d.node.Close())
	if err := os.Unsetenv("KEY_OF_A_TEST"); err != nil {
		t.Fatal(err)
	}
	again := newDefiner(t, dir)
	if got := strings.Join(again.catalogs.List(), " "); got != "a b c d" {
		t.Fatalf("catalogs %s", got)
	}
	if now := again.Message(); now.Cluster != before.Cluster || now.Generation <= before.Generation || len(now.Catalogs) != 2 {
		t.Errorf("workers are told %v, before %v", now, before)
	}
	if conn, err := again.catalogs.Connector(t.Context(), "a"); err != nil || conn == nil {
		t.Errorf("a: %v", err)
	}
	for name, want := range map[string]string{
		"b": "Catalog 'b' is not available: catalog b: environment variable KEY_OF_A_TEST is not set",
		"c": `Catalog 'c' is not available: catalog c: there is no connector "future"`,
		"d": "Catalog 'd' is not available: catalog d: invalid character 'o' in literal null (expecting 'u')",
	} {
		if _, err := again.catalogs.Connector(t.Context(), name); !qerr.Is(err, qerr.CatalogNotAvailable) || err.Error() != want {
			t.Errorf("%s: %v", name, err)
		}
		again.must(again.Drop(t.Context(), plan.QueryID("drop "+name), name))
	}
	t.Setenv("KEY_OF_A_TEST", "abc")
}

// TestDefinitionsFollow: changes of other coordinators are followed, old states
// are not, and a file hides what has its name.
func TestDefinitionsFollow(t *testing.T) {
	d := newDefiner(t, "", config.Catalog{Name: "file", Connector: "tpch"})
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	d.run(ctx, d.node)
	old := d.node.State()
	index, err := d.node.Apply(t.Context(), meta.CreateCatalog("a", `{"connector":"tpch"}`), meta.CreateCatalog("file", `{"connector":"tpch"}`))
	if err != nil {
		t.Fatal(err)
	}
	for deadline := time.Now().Add(5 * time.Second); d.Message().Generation <= index && time.Now().Before(deadline); {
		time.Sleep(time.Millisecond)
	}
	names := func() (out []string) {
		for _, c := range d.Message().Catalogs {
			out = append(out, c.Name)
		}
		return out
	}
	if got := names(); !slices.Equal(got, []string{"file", "a"}) || d.Message().Generation != index+1 {
		t.Errorf("workers are told %v in generation %d after entry %d", got, d.Message().Generation, index)
	}
	told := d.Message()
	d.follow(old)
	if d.Message() != told {
		t.Error("an old state was followed")
	}
	if _, err := d.node.Apply(t.Context(), meta.Drain("w1", "test", "me")); err != nil {
		t.Fatal(err)
	}
	d.follow(d.node.State())
	if d.Message() != told {
		t.Error("workers are told again though no catalog has changed")
	}
}

// TestDefinitionsStatic: where statements may make nothing, what was made
// before stays.
func TestDefinitionsStatic(t *testing.T) {
	d := newDefiner(t, "")
	d.must(d.create("a", "tpch"))
	d.static = true
	for what, err := range map[string]error{"CREATE CATALOG": d.create("b", "tpch"), "DROP CATALOG": d.drop("a")} {
		if !qerr.Is(err, qerr.NotSupportedCode) || err.Error() != what+" is not supported by the static catalog store" {
			t.Errorf("%s: %v", what, err)
		}
	}
	if got := strings.Join(d.catalogs.List(), " "); got != "a" {
		t.Errorf("catalogs %s", got)
	}
}

// TestDefinitionsStateless: without a place to keep them nothing can be made;
// what there is is shown.
func TestDefinitionsStateless(t *testing.T) {
	d := newDefinitions(definitionsDeps{
		files: []config.Catalog{{Name: "tpch", Connector: "tpch"}}, catalogs: coordinator.NewCatalogs(), clock: clock.System{}, log: slog.New(slog.DiscardHandler),
	})
	for what, err := range map[string]error{
		"CREATE CATALOG": d.Create(t.Context(), "q", definition("x", "tpch")), "DROP CATALOG": d.Drop(t.Context(), "q", "x"),
	} {
		if !qerr.Is(err, qerr.NotSupportedCode) || err.Error() != "not supported: "+what+" in a process that keeps no state" {
			t.Errorf("%s: %v", what, err)
		}
	}
	if def, ok := d.Show("tpch"); !ok || def.Connector != "tpch" {
		t.Errorf("shown %v, %v", def, ok)
	}
	if m := d.Message(); m.Generation != 1 || len(m.Catalogs) != 1 {
		t.Errorf("workers are told %v", m)
	}
}
