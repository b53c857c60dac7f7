package k8s

import (
	"encoding/json"
	"errors"
	"io"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"gopkg.in/yaml.v3"

	"github.com/tuttidb/tutti/test/k8s/netpol"
)

// policies reads the NetworkPolicies of a stream of YAML documents.
func policies(t *testing.T, text string) (out []netpol.Policy) {
	t.Helper()
	for dec := yaml.NewDecoder(strings.NewReader(text)); ; {
		var o map[string]any
		if err := dec.Decode(&o); errors.Is(err, io.EOF) {
			return out
		} else if err != nil {
			t.Fatal(err)
		}
		if o["kind"] != "NetworkPolicy" {
			continue
		}
		b, err := json.Marshal(o)
		if err != nil {
			t.Fatal(err)
		}
		p, err := netpol.Parse(b)
		if err != nil {
			t.Fatal(err)
		}
		p.Metadata.Namespace = "lake" // where it is installed
		out = append(out, p)
	}
}

// end is a workload's Pod as policies see it.
func end(o object) netpol.End {
	e := in("lake", o.Spec.Template.Metadata.Labels)
	for _, p := range o.Spec.Template.Spec.Containers[0].Ports {
		e.Ports[p.Name] = p.ContainerPort
	}
	return e
}

// in is a Pod in a namespace.
func in(namespace string, labels map[string]string) netpol.End {
	return netpol.End{
		Namespace: namespace, Labels: labels, Ports: map[string]int{},
		NamespaceLabels: map[string]string{"kubernetes.io/metadata.name": namespace, "team": namespace},
	}
}

var listens = regexp.MustCompile(`^--([a-z-]+)-listen=.*:([0-9]+)$`)

// TestPortsDeclared holds the ports that Pods declare, which policies, probes
// and Services name, to those that their processes are told to listen on.
func TestPortsDeclared(t *testing.T) {
	each(t, func(t *testing.T, _ string, objects []object) {
		for _, o := range workloads(objects) {
			used := map[string]int{}
			for _, a := range o.Spec.Template.Spec.Containers[0].Args {
				if m := listens.FindStringSubmatch(a); m != nil {
					n, err := strconv.Atoi(m[2])
					if err != nil {
						t.Fatal(err)
					}
					used[m[1]] = n
				}
			}
			if declared := end(o).Ports; !maps.Equal(used, declared) || len(used) < 2 {
				t.Errorf("%s listens on %v and declares %v", o.id(), used, declared)
			}
		}
		for _, o := range objects {
			if o.Kind != "Service" {
				continue
			}
			for _, p := range o.Spec.Ports {
				if end(find(t, objects, "StatefulSet", coordinatorName(objects))).Ports[p.TargetPort] == 0 {
					t.Errorf("%s leads to port %s, which is not there", o.id(), p.TargetPort)
				}
			}
		}
	})
}

func coordinatorName(objects []object) string {
	i := slices.IndexFunc(objects, func(o object) bool { return o.Kind == "StatefulSet" })
	return objects[i].Metadata.Name
}

// flow is a connection that somebody might make.
type flow struct {
	from, to string
	port     string // of the other end, by name; or its number
	passes   bool
}

// flows are those that the cluster lives by, and those that must not be.
var flows = []flow{
	{"worker", "coordinator", "grpc", true},
	{"coordinator", "worker", "grpc", true},
	{"worker", "worker", "grpc", true},
	{"coordinator", "coordinator", "grpc", true},
	{"coordinator", "coordinator", "raft", true},
	{"worker", "coordinator", "raft", false},
	{"worker", "worker", "http", false},
	{"coordinator", "worker", "http", false},
	{"neighbor", "coordinator", "grpc", false},
	{"neighbor", "coordinator", "raft", false},
	{"neighbor", "worker", "grpc", false},
	{"neighbor", "worker", "http", false},
	{"elsewhere", "coordinator", "grpc", false},
	{"elsewhere", "coordinator", "raft", false},
	{"elsewhere", "worker", "grpc", false},
	{"outside", "coordinator", "grpc", false},
	{"outside", "worker", "http", false},
	{"second", "coordinator", "grpc", false}, // another release of the chart
	{"second", "worker", "grpc", false},
	{"second", "coordinator", "raft", false},
	{"outside", "coordinator", "metrics-api", true}, // the API server
	{"worker", "dns", "53", true},
	{"coordinator", "dns", "53", true},
}

// special are the flows that a variant's values say something of.
var special = map[string][]flow{
	"default": {
		{"neighbor", "coordinator", "http", true}, {"elsewhere", "coordinator", "http", true}, {"outside", "coordinator", "http", true},
		{"worker", "outside", "443", true}, {"coordinator", "neighbor", "80", true}, {"monitoring", "worker", "http", false},
	},
	"alone": {{"monitoring", "worker", "http", true}, {"monitoring", "worker", "grpc", false}, {"neighbor", "coordinator", "http", true}},
	"s3": {
		{"analytics", "coordinator", "http", true}, {"neighbor", "coordinator", "http", false}, {"outside", "coordinator", "http", false},
		{"worker", "outside", "443", true}, {"worker", "outside", "80", false}, {"worker", "neighbor", "80", false},
		{"coordinator", "outside", "6443", true}, {"worker", "outside", "6443", false}, {"worker", "second", "8081", false},
	},
}

// TestPolicies evaluates the rendered policies for connections of all kinds.
func TestPolicies(t *testing.T) {
	for _, variant := range []string{"default", "alone", "five", "s3", "autoscaled"} {
		text, err := render(t, "testdata/values/"+variant+".yaml")
		if err != nil {
			t.Fatal(err)
		}
		objects, all := parse(t, text), policies(t, text)
		if len(all) != 2 {
			t.Fatalf("%s: %d policies", variant, len(all))
		}
		ends := map[string]netpol.End{
			"coordinator": end(find(t, objects, "StatefulSet", "tutti-coordinator")), "worker": end(find(t, objects, "Deployment", "tutti-worker")),
			"neighbor": in("lake", map[string]string{"app": "x"}), "elsewhere": in("other", map[string]string{"app": "x"}), "outside": {},
			"analytics": in("analytics", nil), "monitoring": in("monitoring", nil), "dns": in("kube-system", map[string]string{"k8s-app": "kube-dns"}),
			"second": in("lake", map[string]string{"app.kubernetes.io/name": "tutti", "app.kubernetes.io/instance": "second", "app.kubernetes.io/component": "worker"}),
		}
		for _, f := range slices.Concat(flows, special[variant]) {
			port, err := strconv.Atoi(f.port)
			if err != nil {
				if port = ends[f.to].Ports[f.port]; port == 0 {
					continue // of a port that this variant does not have
				}
			}
			if err := netpol.Allowed(all, ends[f.from], ends[f.to], "TCP", port); (err == nil) != f.passes {
				t.Errorf("%s: from %s to %s at %s: %v", variant, f.from, f.to, f.port, err)
			}
		}
	}
}
