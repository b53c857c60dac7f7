package coordinator

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/tuttidb/tutti/connectors"
	"github.com/tuttidb/tutti/internal/qerr"
)

// named is a connector with one schema, which knows whether it was closed.
type named struct {
	connectors.Connector
	schema string
	closed bool
}

func (n *named) Schemas(context.Context) ([]string, error)                        { return []string{n.schema}, nil }
func (n *named) Tables(context.Context, string) ([]string, error)                 { return nil, nil }
func (n *named) Table(context.Context, string, string) (*connectors.Table, error) { return nil, nil }
func (n *named) Close() error                                                     { n.closed = true; return nil }

// entry is a catalog of one schema; made gets its connector when it is opened.
func entry(name string, since uint64, schema string, made map[string]*named) CatalogEntry {
	return CatalogEntry{Name: name, Kind: "named", Since: since, Open: func() (connectors.Connector, error) {
		if schema == "" {
			return nil, errors.New("no such bucket")
		}
		made[schema] = &named{schema: schema}
		return made[schema], nil
	}}
}

// schemaOf is the schema by which a test tells connectors apart.
func schemaOf(t *testing.T, c *Catalogs, name string) string {
	t.Helper()
	list, err := c.Schemas(t.Context(), name)
	if err != nil {
		t.Fatal(err)
	}
	return strings.Join(list, " ")
}

func TestFollow(t *testing.T) {
	made := map[string]*named{}
	c := NewCatalogs()
	if err := c.Add("file", "named", &named{schema: "of the file"}); err != nil {
		t.Fatal(err)
	}
	for _, s := range []struct {
		what       string
		generation uint64
		entries    []CatalogEntry
		want       string // name=schema …
		at         uint64
	}{
		{"nothing yet", 1, nil, "file=of the file", 1},
		{"one is made", 4, []CatalogEntry{entry("a", 4, "a4", made)}, "a=a4 file=of the file", 4},
		{"an old state changes nothing", 3, nil, "a=a4 file=of the file", 4},
		{"another is made", 5, []CatalogEntry{entry("a", 4, "not opened again", made), entry("b", 5, "b5", made)}, "a=a4 b=b5 file=of the file", 5},
		{"one is dropped and made again", 7, []CatalogEntry{entry("a", 7, "a7", made), entry("b", 5, "", made)}, "a=a7 b=b5 file=of the file", 7},
		{"a file hides it", 8, []CatalogEntry{entry("file", 8, "hidden", made)}, "file=of the file", 8},
	} {
		c.Follow(s.generation, s.entries)
		var got []string
		for _, name := range c.List() {
			got = append(got, name+"="+schemaOf(t, c, name))
		}
		if text := strings.Join(got, " "); text != s.want || c.Generation() != s.at {
			t.Errorf("%s: %s in generation %d, want %s in %d", s.what, text, c.Generation(), s.want, s.at)
		}
	}
	for schema, n := range made {
		if !n.closed {
			t.Errorf("%s is gone, but open", schema)
		}
	}
}

// TestView: a query's catalogs stay as they are, and open, until it is over.
func TestView(t *testing.T) {
	made := map[string]*named{}
	c := NewCatalogs()
	c.Follow(2, []CatalogEntry{entry("a", 2, "old", made)})
	first, releaseFirst := c.View()
	second, releaseSecond := c.View()
	if first.Generation() != 2 || second.Generation() != 2 {
		t.Errorf("views of generation %d, %d", first.Generation(), second.Generation())
	}
	schemaOf(t, first, "a")
	c.Follow(3, []CatalogEntry{entry("a", 3, "new", made), entry("b", 3, "b", made)})
	third, releaseThird := c.View()
	if a, b := schemaOf(t, first, "a"), schemaOf(t, third, "a"); a != "old" || b != "new" {
		t.Errorf("the old view has %q, the new one %q", a, b)
	}
	if ok, _ := first.CatalogExists(t.Context(), "b"); ok {
		t.Error("a catalog came into a view")
	}
	for generation, want := range map[uint64]string{2: "old", 3: "new", 99: "new"} {
		at, err := c.At(t.Context(), generation)
		if err != nil {
			t.Fatal(err)
		}
		conn, err := at.Connector(t.Context(), "a")
		if err != nil || conn.(*named).schema != want {
			t.Errorf("generation %d: %v, %v", generation, conn, err)
		}
	}
	releaseFirst()
	releaseFirst() // counts once
	if made["old"].closed {
		t.Error("closed under a view")
	}
	releaseSecond()
	if !made["old"].closed || made["new"].closed {
		t.Errorf("after the last view: old closed %v, new closed %v", made["old"].closed, made["new"].closed)
	}
	releaseThird()
	if made["new"].closed || len(c.views) != 0 {
		t.Errorf("at the end: new closed %v, %d views", made["new"].closed, len(c.views))
	}
}

// TestViewAt: a query that began under an earlier coordinator sees what it saw
// there, as far as this process knows it, and nothing that took its name since.
func TestViewAt(t *testing.T) {
	made := map[string]*named{}
	c := NewCatalogs()
	if err := c.Add("file", "named", &named{schema: "of the file"}); err != nil {
		t.Fatal(err)
	}
	c.Follow(3, []CatalogEntry{entry("a", 2, "a2", made), entry("b", 3, "b3", made)}) // what this process began with
	c.Follow(5, []CatalogEntry{entry("a", 5, "a5", made), entry("b", 3, "", made)})
	c.Follow(6, []CatalogEntry{entry("a", 5, "", made)})
	c.Follow(8, []CatalogEntry{entry("a", 8, "a8", made), entry("file", 8, "hidden", made)})
	for generation, want := range map[uint64]string{
		0: "a=a8 file=of the file", 1: "file=of the file", 2: "a=a2 file=of the file", 3: "a=a2 b=b3 file=of the file", 4: "a=a2 b=b3 file=of the file",
		5: "a=a5 b=b3 file=of the file", 6: "a=a5 file=of the file", 7: "a=a5 file=of the file", 8: "a=a8 file=of the file", 9: "a=a8 file=of the file",
	} {
		for range 2 { // what was closed is opened again
			v, release := c.ViewAt(generation)
			var got []string
			for _, name := range v.List() {
				got = append(got, name+"="+schemaOf(t, v, name))
			}
			if text := strings.Join(got, " "); text != want {
				t.Errorf("generation %d: %s, want %s", generation, text, want)
			}
			if at := v.Generation(); at != generation && (generation != 0 && generation != 9 || at != 8) {
				t.Errorf("generation %d is said to be %d", generation, at)
			}
			if at, err := c.At(t.Context(), generation); err != nil || generation > 0 && generation < 9 && at != v {
				t.Errorf("tasks of generation %d see another view: %v", generation, err)
			}
			if n := made["a2"]; generation == 3 && n.closed {
				t.Error("closed under a view")
			}
			release()
		}
	}
	for _, schema := range []string{"a2", "b3", "a5"} {
		if !made[schema].closed {
			t.Errorf("%s is open", schema)
		}
	}
	if made["a8"].closed || len(c.views) != 0 {
		t.Errorf("the present one is closed: %v; %d views", made["a8"].closed, len(c.views))
	}
	v, release := c.ViewAt(7)
	defer release()
	if _, err := v.Connector(t.Context(), "b"); !qerr.Is(err, qerr.CatalogNotFound) || err.Error() != "Catalog 'b' not found" {
		t.Errorf("dropped before: %v", err)
	}
}

// TestRetiredAreBounded: catalogs that come and go are not all kept, but for
// those that queries use.
func TestRetiredAreBounded(t *testing.T) {
	made := map[string]*named{}
	c := NewCatalogs()
	c.Follow(2, []CatalogEntry{entry("a", 2, "first", made)})
	v, release := c.View()
	schemaOf(t, v, "a")
	for g := uint64(3); g < 3*keepRetired; g++ {
		c.Follow(g, []CatalogEntry{entry("a", g, fmt.Sprint(g), made)})
		if g%10 == 0 {
			schemaOf(t, c, "a")
		}
	}
	if made["first"].closed || schemaOf(t, v, "a") != "first" {
		t.Error("closed under a view")
	}
	release()
	if n := len(c.retired); n != keepRetired {
		t.Errorf("%d are kept", n)
	}
	for schema, n := range made {
		if !n.closed {
			t.Errorf("%s is open", schema)
		}
	}
	old, release := c.ViewAt(2)
	defer release()
	if ok, _ := old.CatalogExists(t.Context(), "a"); ok {
		t.Error("the oldest is still known")
	}
}

// TestViewBeforeAdd: catalogs of files that are added after a view was taken
// are in the next one.
func TestViewBeforeAdd(t *testing.T) {
	c := NewCatalogs()
	_, release := c.View()
	if err := c.Add("late", "named", &named{schema: "s"}); err != nil {
		t.Fatal(err)
	}
	v, releaseSecond := c.View()
	if ok, _ := v.CatalogExists(t.Context(), "late"); !ok {
		t.Error("not in the new view")
	}
	release()
	releaseSecond()
	if len(c.views) != 0 {
		t.Error("a view is left")
	}
	if err := c.Add("late", "named", &named{}); !qerr.Is(err, qerr.AlreadyExists) {
		t.Errorf("added twice: %v", err)
	}
}

// TestUnavailable: a catalog that cannot be opened says so each time it is
// asked, until it can be.
func TestUnavailable(t *testing.T) {
	fail := errors.New("environment variable KEY is not set")
	c := NewCatalogs()
	c.Follow(2, []CatalogEntry{{Name: "a", Kind: "named", Since: 2, Open: func() (connectors.Connector, error) {
		if fail != nil {
			return nil, fail
		}
		return &named{schema: "s"}, nil
	}}})
	ctx := t.Context()
	calls := map[string]func() error{
		"Connector":    func() error { _, err := c.Connector(ctx, "a"); return err },
		"SchemaExists": func() error { _, err := c.SchemaExists(ctx, "a", "s"); return err },
		"Schemas":      func() error { _, err := c.Schemas(ctx, "a"); return err },
		"Tables":       func() error { _, err := c.Tables(ctx, "a", "s"); return err },
		"Table":        func() error { _, err := c.Table(ctx, "a", "s", "t"); return err },
		"TableAt":      func() error { _, _, err := c.TableAt(ctx, "a", "s3://b/p"); return err },
	}
	for name, call := range calls {
		err := call()
		if !qerr.Is(err, qerr.CatalogNotAvailable) || err.Error() != "Catalog 'a' is not available: environment variable KEY is not set" {
			t.Errorf("%s: %v", name, err)
		}
	}
	if ok, err := c.CatalogExists(ctx, "a"); !ok || err != nil || c.KindOf("a") != "named" {
		t.Errorf("it is there: %v, %v", ok, err)
	}
	fail = nil
	for name, call := range calls {
		if err := call(); err != nil {
			t.Errorf("%s, later: %v", name, err)
		}
	}
}
