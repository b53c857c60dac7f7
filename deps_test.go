package tutti

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

// module is the path that all our packages start with.
const module = "github.com/tuttidb/tutti/"

// lattice says what each package may import of ours, directly: those it
// names, what those may import in turn, and internal/*. It is the design in
// executable form; ARCHITECTURE.md gives the reasons. A package that is not
// listed fails the test, so a new one is placed on purpose.
var lattice = map[string]string{
	"internal/qerr":  "",
	"internal/clock": "",

	"proto/tutti/v1": "",
	"sql/ast":        "",
	"sql/types":      "",
	"exec/mem":       "",

	"sql/parser":   "sql/ast",
	"sql/function": "sql/types",
	"sql/expr":     "sql/function",
	"exec/vector":  "sql/types exec/mem",
	"exec/kernel":  "sql/expr exec/vector",
	"connectors":   "sql/expr exec/vector",

	"connectors/objstore":     "",
	"connectors/lake":         "connectors connectors/lake/parquet connectors/objstore exec/kernel",
	"connectors/memory":       "connectors exec/kernel",
	"connectors/tpch/dbgen":   "",
	"connectors/tpch":         "connectors connectors/tpch/dbgen exec/kernel",
	"connectors/system":       "connectors exec/kernel",
	"connectors/conntest":     "connectors exec/kernel",
	"connectors/lake/parquet": "connectors connectors/objstore exec/kernel",

	"sql/analyzer":              "sql/ast sql/expr connectors",
	"sql/analyzer/analyzertest": "sql/analyzer",
	"planner/plan":              "sql/expr connectors",
	"planner/stats":             "planner/plan",
	"planner/build":             "sql/analyzer planner/plan",
	"planner/optimize":          "planner/stats",
	"planner/fragment":          "planner/stats",
	"planner/plancodec":         "planner/plan proto/tutti/v1",
	"planner":                   "planner/build planner/optimize planner/fragment",

	"exec":           "planner/plan exec/vector exec/mem",
	"exec/op":        "exec exec/kernel",
	"exec/op/optest": "exec/op",
	"exec/local":     "exec/op",
	"exchange":       "exec proto/tutti/v1",
	"worker":         "exec/local exchange planner/plancodec",

	"coordinator/query":               "planner/plan",
	"coordinator/schedule":            "coordinator/query",
	"coordinator/cluster":             "exchange coordinator/schedule planner/plancodec",
	"coordinator/meta":                "proto/tutti/v1",
	"coordinator/given":               "exec/vector",
	"coordinator":                     "sql/parser planner planner/plancodec exchange coordinator/schedule coordinator/cluster coordinator/meta coordinator/given",
	"coordinator/reign":               "coordinator/meta",
	"coordinator/journal":             "coordinator coordinator/meta planner/plancodec",
	"coordinator/journal/journaltest": "coordinator/meta proto/tutti/v1",
	"coordinator/server":              "coordinator coordinator/journal",

	"coordinator/backlog":     "coordinator",
	"coordinator/kubemetrics": "",

	"deploy/k8s":       "", // tests of the chart
	"deploy/k8s/image": "",

	"ui":                "",
	"client":            "",
	"client/clienttest": "client",
}

// bans are imports that must not happen even at a distance.
var bans = []struct{ from, to, why string }{
	{"worker", "coordinator", "workers hold no state and plan nothing"},
	{"worker", "planner/build", "workers run plans, they do not make them"},
	{"worker", "planner/optimize", "workers run plans, they do not make them"},
	{"worker", "sql/parser", "workers see no SQL text"},
	{"worker", "sql/analyzer", "workers see no SQL text"},
	{"worker", "hashicorp/raft", "workers hold no state"},
	{"worker", "go.etcd.io/bbolt", "workers hold no state"},
	{"coordinator", "exec/op", "a coordinator plans, it never computes"},
	{"coordinator", "exec/local", "a coordinator plans, it never computes"},
	{"coordinator", "exec/kernel", "a coordinator plans, it never computes"},
	{"coordinator", "worker", "the halves meet in proto and plan only"},
	{"exec/local", "google.golang.org/grpc", "execution is testable in one process"},
	{"exec/local", "arrow-go/v18/arrow/flight", "execution is testable in one process"},
	{"connectors/lake", "planner", "a connector is a leaf"},
	{"connectors/lake", "exec/op", "a connector is a leaf"},
}

// doors names the only packages of ours that may import a heavy dependency.
var doors = map[string]string{
	"github.com/aws/aws-sdk-go-v2":                "connectors/objstore",
	"github.com/hashicorp/raft":                   "coordinator/meta",
	"go.etcd.io/bbolt":                            "coordinator/meta",
	"github.com/apache/arrow-go/v18/arrow/flight": "exchange coordinator/server",
	"github.com/apache/arrow-go/v18/parquet":      "connectors/lake connectors/lake/parquet",
	"google.golang.org/grpc":                      "proto/tutti/v1 exchange worker coordinator/cluster coordinator/meta coordinator/server cmd",
}

type goPackage struct {
	ImportPath string
	Imports    []string
	Deps       []string
}

// listPackages returns all packages of the module, without tests.
func listPackages(t *testing.T) map[string]goPackage {
	t.Helper()
	cmd := exec.Command("go", "list", "-deps", "-json=ImportPath,Imports,Deps", "./...")
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	pkgs := map[string]goPackage{}
	for dec := json.NewDecoder(strings.NewReader(string(out))); ; {
		var p goPackage
		if err := dec.Decode(&p); errors.Is(err, io.EOF) {
			return pkgs
		} else if err != nil {
			t.Fatal(err)
		}
		pkgs[p.ImportPath] = p
	}
}

// allowed returns the closure of what the lattice lets a package import.
func allowed(name string, into map[string]bool) map[string]bool {
	for _, dep := range strings.Fields(lattice[name]) {
		if !into[dep] {
			into[dep] = true
			allowed(dep, into)
		}
	}
	return into
}

// violations returns what is wrong with the imports of pkgs.
func violations(pkgs map[string]goPackage) []string {
	var bad []string
	for path, p := range pkgs {
		name, ours := strings.CutPrefix(path, module)
		if !ours || strings.HasPrefix(name, "cmd/") || strings.HasPrefix(name, "test/") || strings.HasPrefix(name, "bench") {
			continue
		}
		if _, listed := lattice[name]; !listed {
			bad = append(bad, name+" is not in the lattice: place it")
			continue
		}
		may := allowed(name, map[string]bool{})
		for _, imp := range p.Imports {
			dep, ours := strings.CutPrefix(imp, module)
			if ours && !may[dep] && !strings.HasPrefix(dep, "internal/") {
				bad = append(bad, name+" may not import "+dep)
			}
			bad = append(bad, closedDoors(name, imp)...)
		}
		bad = append(bad, banned(name, p.Deps)...)
	}
	slices.Sort(bad)
	return bad
}

func closedDoors(name, imp string) (bad []string) {
	for dep, who := range doors {
		if (imp == dep || strings.HasPrefix(imp, dep+"/")) && !slices.Contains(strings.Fields(who), name) {
			bad = append(bad, fmt.Sprintf("%s may not import %s: its door is %s", name, imp, who))
		}
	}
	return bad
}

func banned(name string, deps []string) (bad []string) {
	for _, b := range bans {
		if name != b.from {
			continue
		}
		for _, d := range deps {
			if d == module+b.to || strings.Contains(d, b.to) && strings.Contains(b.to, ".") || strings.Contains(d, "/"+b.to) && !strings.HasPrefix(d, module) && strings.Contains(b.to, "/") {
				bad = append(bad, fmt.Sprintf("%s reaches %s: %s", name, d, b.why))
			}
		}
	}
	return bad
}

// TestLattice holds the code to the design's import lattice.
func TestLattice(t *testing.T) {
	for _, v := range violations(listPackages(t)) {
		t.Error(v)
	}
}

// TestLatticeBites proves that the test can fail: one forbidden import of
// each sort is found.
func TestLatticeBites(t *testing.T) {
	for _, c := range []struct {
		from, imports, deps string
	}{
		{"sql/types", module + "sql/expr", ""},
		{"exec/mem", "github.com/aws/aws-sdk-go-v2/aws", ""},
		{"worker", "", module + "coordinator"},
		{"worker", "", "github.com/hashicorp/raft"},
		{"planner/nowhere", "", ""},
	} {
		p := goPackage{ImportPath: module + c.from}
		p.Imports, p.Deps = strings.Fields(c.imports), strings.Fields(c.deps)
		if len(violations(map[string]goPackage{p.ImportPath: p})) == 0 {
			t.Errorf("%s importing %q (reaching %q) was not caught", c.from, c.imports, c.deps)
		}
	}
}
