package config

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/spf13/pflag"
)

// load reads settings as a coordinator would.
func load(t *testing.T, file string, env map[string]string, args ...string) (*Config, *pflag.FlagSet, error) {
	t.Helper()
	c := &Config{}
	fs := pflag.NewFlagSet("test", pflag.ContinueOnError)
	c.Flags(fs, Coordinator)
	if file != "" {
		path := filepath.Join(t.TempDir(), "tutti.yaml")
		if err := os.WriteFile(path, []byte(file), 0o644); err != nil {
			t.Fatal(err)
		}
		args = append(args, "--config", path)
	}
	if err := fs.Parse(args); err != nil {
		return c, fs, err
	}
	if err := Load(fs, func(name string) (string, bool) { v, ok := env[name]; return v, ok }); err != nil {
		return c, fs, err
	}
	return c, fs, c.Check(Coordinator)
}

// TestPrecedence: flag before environment before file before default.
func TestPrecedence(t *testing.T) {
	file := "node-id: file\nthreads: 3\nmemory-limit: 2GB\nmax-queued-queries: 7\n"
	env := map[string]string{"TUTTI_NODE_ID": "env", "TUTTI_THREADS": "4"}
	c, _, err := load(t, file, env, "--node-id", "flag")
	if err != nil {
		t.Fatal(err)
	}
	if c.NodeID != "flag" || c.Threads != 4 || c.MemoryLimit != 2<<30 || c.MaxQueued != 7 || c.MaxRunning != 100 {
		t.Errorf("settings are %+v", c)
	}
}

// TestMistakes: each is one line that says what is wrong and where.
func TestMistakes(t *testing.T) {
	for _, c := range []struct {
		name, file string
		env        map[string]string
		args       []string
		want       string
	}{
		{"unknown key", "threads: 1\nnode-idd: x\n", nil, nil, `tutti.yaml:2: unknown setting "node-idd"; did you mean "node-id"?`},
		{"bad value", "\nthreads: many\n", nil, nil, "tutti.yaml:2: threads:"},
		{"bad size", "", map[string]string{"TUTTI_MEMORY_LIMIT": "lots"}, nil, `TUTTI_MEMORY_LIMIT="lots": "lots" is not a size`},
		{"not a mapping", "- a\n", nil, nil, "tutti.yaml:1: settings must be written as name: value"},
		{"address", "", nil, []string{"--http-listen", "8080"}, `http-listen: "8080" is not HOST:PORT`},
		{"open door", "", nil, []string{"--grpc-listen", "0.0.0.0:1"}, "set --internal-secret"},
		{"catalog management", "catalog-management: both\n", nil, nil, `catalog-management: "both" is neither dynamic nor static`},
		{"log format", "log-format: xml\n", nil, nil, `log-format: "xml"`},
		{"secret not there", "", nil, []string{"--internal-secret", "${ENV:TUTTI_NO_SUCH}"}, "TUTTI_NO_SUCH is not set"},
	} {
		_, _, err := load(t, c.file, c.env, c.args...)
		if err == nil || !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%s: %v, want %s", c.name, err, c.want)
		}
	}
}

func TestSizes(t *testing.T) {
	for text, want := range map[string]Size{"1B": 1, "2kb": 2048, "512MB": 512 << 20, "1.5 GiB": 3 << 29, "4GB": 4 << 30, "1TB": 1 << 40} {
		var s Size
		if err := s.Set(text); err != nil || s != want {
			t.Errorf("%s is %d, %v", text, s, err)
		}
		var again Size
		if err := again.Set(s.String()); err != nil || again != s {
			t.Errorf("%s prints as %s, which is %d", text, s, again)
		}
	}
	for _, text := range []string{"", "12", "-1GB", "GB", "1XB"} {
		if err := new(Size).Set(text); err == nil {
			t.Errorf("%q is a size", text)
		}
	}
}

// TestPrintHidesSecrets: what is printed is right and has no secret in it.
func TestPrintHidesSecrets(t *testing.T) {
	_, fs, err := load(t, "", nil, "--internal-secret", "xyzzy", "--node-id", "n1")
	if err != nil {
		t.Fatal(err)
	}
	var out strings.Builder
	if err := Print(&out, fs); err != nil {
		t.Fatal(err)
	}
	if s := out.String(); strings.Contains(s, "xyzzy") || !strings.Contains(s, "internal-secret: (hidden)") || !strings.Contains(s, "node-id: n1") {
		t.Errorf("printed\n%s", s)
	}
}

// TestCatalogs: files are read in order, decoded strictly, their secrets
// resolved only when used.
func TestCatalogs(t *testing.T) {
	dir := t.TempDir()
	t.Setenv("CATALOG_KEY", "k1")
	for name, text := range map[string]string{
		"b.yaml": "connector: lake\nkey: ${ENV:CATALOG_KEY}\n", "a.yaml": "connector: tpch\n", "notes.txt": "no catalog", ".hidden.yaml": "x",
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	list, err := Catalogs(dir)
	if err != nil || len(list) != 2 || list[0].Name != "a" || list[1].Connector != "lake" {
		t.Fatalf("%v, %v", list, err)
	}
	if strings.Contains(string(list[1].Settings), "k1") {
		t.Error("the secret is in the definition that workers are sent")
	}
	var good struct {
		Key string `yaml:"key"`
	}
	if err := list[1].Decode(&good); err != nil || good.Key != "k1" {
		t.Errorf("%+v, %v", good, err)
	}
	var bad struct {
		Other string `yaml:"other"`
	}
	if err := list[1].Decode(&bad); err == nil || !strings.Contains(err.Error(), "b.yaml") {
		t.Errorf("an unknown setting: %v", err)
	}
	if err := list[0].Decode(&struct{}{}); err != nil {
		t.Errorf("no settings: %v", err)
	}
	if none, err := Catalogs(filepath.Join(dir, "nosuch")); err != nil || none != nil {
		t.Errorf("no folder: %v, %v", none, err)
	}
}
