package k8s

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"io"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"gopkg.in/yaml.v3"
)

var update = flag.Bool("update", false, "write what the chart renders to testdata/golden and kustomize/base")

// tools are built once, by version.
var tools = map[string]string{
	"helm-v4.3.1":      "helm.sh/helm/v4/cmd/helm",
	"kustomize-v5.7.1": "sigs.k8s.io/kustomize/kustomize/v5",
}

// tool returns the path of a tool, built if it is not there yet. It belongs to
// the repository's cache, as the Makefile's tools do.
func tool(t *testing.T, name string) string {
	t.Helper()
	dir, err := filepath.Abs("../../.cache/bin")
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, name)
	if _, err := os.Stat(path); err == nil {
		return path
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	tmp, err := os.MkdirTemp(dir, "build.")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = os.RemoveAll(tmp) }() // what is left of it harms nobody
	short, version, _ := strings.Cut(name, "-")
	build := exec.CommandContext(t.Context(), "go", "install", tools[name]+"@"+version)
	build.Env = append(os.Environ(), "GOBIN="+tmp, "GOFLAGS=")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("building %s: %v\n%s", name, err, out)
	}
	if err := os.Rename(filepath.Join(tmp, short), path); err != nil {
		t.Fatal(err)
	}
	return path
}

// run runs a tool and returns what it wrote and, if it failed, why.
func run(t *testing.T, name string, args ...string) (string, error) {
	t.Helper()
	cmd := exec.CommandContext(context.WithoutCancel(t.Context()), tool(t, name), args...)
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Run(); err != nil {
		return "", errors.New(strings.TrimSpace(stderr.String() + stdout.String()))
	}
	return stdout.String(), nil
}

// render is helm template with the values of a file, and more as --set has it.
func render(t *testing.T, values string, set ...string) (string, error) {
	t.Helper()
	args := []string{"template", "tutti", "chart", "--namespace", "lake", "--kube-version", "1.37.0", "--values", values}
	for _, s := range set {
		args = append(args, "--set", s)
	}
	return run(t, "helm-v4.3.1", args...)
}

// variants are the files of values that stand for what people install.
func variants(t *testing.T) []string {
	t.Helper()
	files, err := filepath.Glob("testdata/values/*.yaml")
	if err != nil || len(files) < 5 {
		t.Fatalf("testdata/values has only %v (%v)", files, err)
	}
	return files
}

// compare holds text to a file, or writes it there.
func compare(t *testing.T, path, text string) {
	t.Helper()
	if *update {
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if string(want) == text {
		return
	}
	got, expected := strings.Split(text, "\n"), strings.Split(string(want), "\n")
	for i := range got {
		if i >= len(expected) || got[i] != expected[i] {
			t.Fatalf("%s differs in line %d:\n got %s\nwant %s\n(-update writes it)", path, i+1, got[i], strings.Join(expected[min(i, len(expected)):min(i+1, len(expected))], ""))
		}
	}
	t.Fatalf("%s has %d lines more (-update writes it)", path, len(expected)-len(got))
}

func TestGolden(t *testing.T) {
	for _, file := range variants(t) {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".yaml"), func(t *testing.T) {
			text, err := render(t, file)
			if err != nil {
				t.Fatal(err)
			}
			compare(t, filepath.Join("testdata/golden", filepath.Base(file)), text)
		})
	}
}

// TestLint is helm's own opinion of the chart, with every variant.
func TestLint(t *testing.T) {
	for _, file := range variants(t) {
		if out, err := run(t, "helm-v4.3.1", "lint", "chart", "--strict", "--quiet", "--values", file); err != nil {
			t.Errorf("%s: %v", file, err)
		} else if strings.Contains(out, "WARNING") || strings.Contains(out, "ERROR") {
			t.Errorf("%s: %s", file, out)
		}
	}
}

// TestValuesRefused names values that cannot be, and what is said of them.
func TestValuesRefused(t *testing.T) {
	for _, c := range []struct{ name, set, want string }{
		{"unknown key", "worker.replica=3", "replica"},
		{"unknown key at the top", "workers.replicas=3", "workers"},
		{"two coordinators", "coordinator.replicas=2", "replicas"},
		{"an even number of coordinators", "coordinator.replicas=4", "replicas"},
		{"what becomes of the disks", "coordinator.persistence.whenDeleted=Keep", "whenDeleted"},
		{"a certificate that nobody checks", "metricsAPI.enabled=true,metricsAPI.tls.secretName=x", "needs metricsAPI.tls.caBundle"},
		{"an authority in clear text", "metricsAPI.tls.caBundle=--BEGIN--", "caBundle"},
		{"text for a number", "worker.replicas=many", "replicas"},
		{"negative", "worker.replicas=-1", "replicas"},
		{"less time than a drain takes", "worker.terminationGracePeriodSeconds=30", "must outlast worker.drainSeconds"},
		{"a longer drain than there is time", "worker.drainSeconds=141", "must outlast worker.drainSeconds"},
		{"memory as Kubernetes writes it", "worker.memoryLimit=4Gi", "memoryLimit"},
		{"a quantity that is none", "worker.tmpSize=4GB", "tmpSize"},
		{"a digest that is none", "image.digest=sha256:123", "digest"},
		{"a tag in the place of a policy", "image.pullPolicy=Sometimes", "pullPolicy"},
		{"catalog without connector", "catalogs.lake.warehouse=s3://x", "connector"},
		{"name of a catalog", "catalogs.My-Lake.connector=lake", "My-Lake"},
		{"secret in place of its reference", "internalSecret=swordfish", "internalSecret"},
		{"no secret", "internalSecret.name=", "internalSecret"},
		{"an argument that is no flag", "worker.extraArgs[0]=rm", "extraArgs"},
		{"two hooks", "worker.preStop.sleep.seconds=1,worker.preStop.httpGet.port=1", "preStop"},
		{"service type", "service.type=External", "type"},
		{"spread", "worker.spread.whenUnsatisfiable=Maybe", "whenUnsatisfiable"},
		{"autoscaling by nothing", "worker.autoscaling.enabled=true,worker.autoscaling.workWaiting.enabled=false", "needs a metric"},
		{"autoscaling from above to below", "worker.autoscaling.enabled=true,worker.autoscaling.minReplicas=11", "above maxReplicas"},
	} {
		t.Run(c.name, func(t *testing.T) {
			if _, err := render(t, "testdata/values/default.yaml", c.set); err == nil {
				t.Errorf("%s was accepted", c.set)
			} else if !strings.Contains(err.Error(), c.want) {
				t.Errorf("%s: the error does not say %q: %v", c.set, c.want, err)
			}
		})
	}
}

// TestSchemaKnowsEveryValue holds the two files to each other: a value without
// a schema could be anything, a schema without a value cannot be found.
func TestSchemaKnowsEveryValue(t *testing.T) {
	var values map[string]any
	var schema map[string]any
	read(t, "chart/values.yaml", func(b []byte) error { return yaml.Unmarshal(b, &values) })
	read(t, "chart/values.schema.json", func(b []byte) error { return json.Unmarshal(b, &schema) })
	var walk func(path string, v map[string]any, s map[string]any)
	walk = func(path string, v, s map[string]any) {
		props, _ := s["properties"].(map[string]any)
		if s["additionalProperties"] != false {
			return // free form, such as labels
		}
		for name, sub := range v {
			p, known := props[name].(map[string]any)
			if !known && s["patternProperties"] == nil {
				t.Errorf("%s%s has no schema", path, name)
			}
			if m, nested := sub.(map[string]any); nested && p != nil {
				walk(path+name+".", m, p)
			}
		}
		for name := range props {
			if _, there := v[name]; !there && len(v) > 0 && name != "global" && s["maxProperties"] == nil && name != "claims" {
				t.Errorf("%s%s is in the schema and not in values.yaml", path, name)
			}
		}
	}
	walk("", values, schema)
}

func read(t *testing.T, path string, decode func([]byte) error) {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := decode(b); err != nil {
		t.Fatalf("%s: %v", path, err)
	}
}

// byHelm are the lines that say which tool renders the chart.
var byHelm = regexp.MustCompile(`(?m)^ +(helm\.sh/chart|app\.kubernetes\.io/managed-by): .*\n`)

// source are helm's comments.
var source = regexp.MustCompile(`(?m)^# Source: .*\n`)

// TestManifests keeps kustomize/base equal to the chart as it comes.
func TestManifests(t *testing.T) {
	text, err := render(t, "testdata/values/default.yaml")
	if err != nil {
		t.Fatal(err)
	}
	text = source.ReplaceAllString(byHelm.ReplaceAllString(text, ""), "")
	compare(t, "kustomize/base/tutti.yaml", "# The chart of deploy/k8s/chart, rendered by `go test ./deploy/k8s -update`.\n"+text)
}

// TestKustomize builds the base and the example, and looks at what the example
// is there to change.
func TestKustomize(t *testing.T) {
	base, err := run(t, "kustomize-v5.7.1", "build", "kustomize/base")
	if err != nil {
		t.Fatal(err)
	}
	example, err := run(t, "kustomize-v5.7.1", "build", "kustomize/examples/s3")
	if err != nil {
		t.Fatal(err)
	}
	was, is := parse(t, base), parse(t, example)
	if len(was) != len(is) || len(is) < 8 {
		t.Errorf("the base has %d objects, the example %d", len(was), len(is))
	}
	for _, o := range is {
		if o.Metadata.Namespace != "lake" {
			t.Errorf("%s is in namespace %q", o.id(), o.Metadata.Namespace)
		}
	}
	worker := find(t, is, "Deployment", "tutti-worker")
	if *worker.Spec.Replicas != 5 {
		t.Errorf("%d workers", *worker.Spec.Replicas)
	}
	for _, o := range []object{worker, find(t, is, "StatefulSet", "tutti-coordinator")} {
		c := o.Spec.Template.Spec.Containers[0]
		if c.Image != "registry.example.com/data/tutti:1.2.3" || len(c.EnvFrom) != 1 {
			t.Errorf("%s has image %s and environment from %v", o.id(), c.Image, c.EnvFrom)
		}
	}
	catalogs := find(t, is, "ConfigMap", "tutti-catalogs")
	if names := slices.Sorted(maps.Keys(catalogs.Data)); !slices.Equal(names, []string{"lake.yaml"}) {
		t.Errorf("catalogs %v", names)
	}
}

// parse reads the objects of a stream of YAML documents, strictly enough to
// see a document that is none.
func parse(t *testing.T, text string) (out []object) {
	t.Helper()
	for dec := yaml.NewDecoder(strings.NewReader(text)); ; {
		var o object
		err := dec.Decode(&o)
		if errors.Is(err, io.EOF) {
			return out
		}
		if err != nil {
			t.Fatalf("%v in\n%s", err, text)
		}
		if o.Kind != "" {
			out = append(out, o)
		}
	}
}

func find(t *testing.T, objects []object, kind, name string) object {
	t.Helper()
	for _, o := range objects {
		if o.Kind == kind && o.Metadata.Name == name {
			return o
		}
	}
	t.Fatalf("there is no %s %s", kind, name)
	return object{}
}
