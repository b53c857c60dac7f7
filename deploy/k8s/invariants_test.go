package k8s

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/spf13/pflag"

	"github.com/tuttidb/tutti/cmd/tutti/config"
)

// each runs a test on the objects of every variant.
func each(t *testing.T, test func(t *testing.T, variant string, objects []object)) {
	t.Helper()
	for _, file := range variants(t) {
		name := strings.TrimSuffix(filepath.Base(file), ".yaml")
		t.Run(name, func(t *testing.T) {
			text, err := render(t, file)
			if err != nil {
				t.Fatal(err)
			}
			test(t, name, parse(t, text))
		})
	}
}

// workloads are the objects that make Pods.
func workloads(objects []object) (out []object) {
	for _, o := range objects {
		if o.Kind == "StatefulSet" || o.Kind == "Deployment" {
			out = append(out, o)
		}
	}
	return out
}

// TestConfined holds Pods to the restricted security standard, and to what
// goes beyond it: nothing is writable but folders of a size, and no Pod has a
// token for the Kubernetes API.
func TestConfined(t *testing.T) {
	each(t, func(t *testing.T, _ string, objects []object) {
		for _, o := range workloads(objects) {
			for _, problem := range unconfined(o.Spec.Template.Spec) {
				t.Errorf("%s: %s", o.id(), problem)
			}
		}
	})
}

func unconfined(pod podSpec) (out []string) {
	if pod.Security.RunAsNonRoot == nil || !*pod.Security.RunAsNonRoot || pod.Security.RunAsUser == 0 {
		out = append(out, "may run as root")
	}
	if pod.Security.Seccomp.Type != "RuntimeDefault" {
		out = append(out, "has no seccomp profile")
	}
	if pod.Automount == nil || *pod.Automount {
		out = append(out, "has a token for the Kubernetes API")
	}
	for _, v := range pod.Volumes {
		if v.EmptyDir != nil && v.EmptyDir.SizeLimit == "" {
			out = append(out, "volume "+v.Name+" has no size")
		}
	}
	for _, c := range pod.Containers {
		if !c.Security.ReadOnly {
			out = append(out, "can write to its root file system")
		}
		if c.Security.Escalation == nil || *c.Security.Escalation {
			out = append(out, "may gain privileges")
		}
		if !slices.Equal(c.Security.Capabilities.Drop, []string{"ALL"}) {
			out = append(out, "keeps capabilities")
		}
		for _, e := range c.Env {
			if strings.Contains(e.Name, "SECRET") && (e.Value != "" || e.ValueFrom["secretKeyRef"] == nil) {
				out = append(out, "has the secret "+e.Name+" in clear text")
			}
		}
	}
	return out
}

// TestConfinedBites shows that the test above can fail.
func TestConfinedBites(t *testing.T) {
	bad := `
kind: Deployment
spec:
  template:
    spec:
      securityContext: {runAsNonRoot: true}
      containers:
        - env: [{name: TUTTI_INTERNAL_SECRET, value: swordfish}]
      volumes: [{name: tmp, emptyDir: {}}]
`
	got := unconfined(parse(t, bad)[0].Spec.Template.Spec)
	if len(got) != 8 {
		t.Errorf("found only %q", got)
	}
}

// covers reports whether labels has all of want.
func covers(labels map[string]string, want map[string]any) bool {
	for k, v := range want {
		if labels[k] != fmt.Sprint(v) {
			return false
		}
	}
	return len(want) > 0
}

// labelsOf turns what a selector names into labels, whatever its form.
func labelsOf(o object) map[string]any {
	sel := o.Spec.Selector
	if inner, ok := sel["matchLabels"].(map[string]any); ok {
		return inner
	}
	if sel == nil {
		sel = map[string]any{}
		for k, v := range o.Spec.PodSelector.MatchLabels {
			sel[k] = v
		}
	}
	return sel
}

// TestSelectors checks that what selects Pods selects those of one kind, by
// labels that upgrades do not change.
func TestSelectors(t *testing.T) {
	each(t, func(t *testing.T, _ string, objects []object) {
		pods := workloads(objects)
		if len(pods) != 2 {
			t.Fatalf("%d workloads", len(pods))
		}
		for _, o := range objects {
			switch o.Kind {
			case "StatefulSet", "Deployment", "Service", "PodDisruptionBudget", "NetworkPolicy":
			default:
				continue
			}
			want, matched := labelsOf(o), 0
			for _, p := range pods {
				if covers(p.Spec.Template.Metadata.Labels, want) {
					matched++
					if c := p.Metadata.Labels["app.kubernetes.io/component"]; o.Metadata.Labels["app.kubernetes.io/component"] != c {
						t.Errorf("%s selects the Pods of %s", o.id(), p.id())
					}
				}
			}
			if matched != 1 {
				t.Errorf("%s selects the Pods of %d workloads by %v", o.id(), matched, want)
			}
			for k := range want {
				if strings.Contains(k, "version") || strings.Contains(k, "chart") {
					t.Errorf("%s selects by %s, which an upgrade changes", o.id(), k)
				}
			}
		}
	})
}

// TestReferences checks that what objects name is there: Services, volumes,
// ConfigMaps, ports, accounts, the target of the autoscaler.
func TestReferences(t *testing.T) {
	each(t, func(t *testing.T, _ string, objects []object) {
		// Every namespace has these.
		there := map[string]bool{"ServiceAccount default": true, "ConfigMap kube-root-ca.crt": true}
		for _, o := range objects {
			if there[o.id()] {
				t.Errorf("%s is there twice", o.id())
			}
			there[o.id()] = true
		}
		for _, o := range objects {
			for _, want := range references(o) {
				if !there[want] {
					t.Errorf("%s names %s, which is not there", o.id(), want)
				}
			}
			for _, problem := range dangling(o) {
				t.Errorf("%s: %s", o.id(), problem)
			}
		}
	})
}

// references are the other objects that o names.
func references(o object) (out []string) {
	pod := o.Spec.Template.Spec
	if o.Spec.ServiceName != "" {
		out = append(out, "Service "+o.Spec.ServiceName)
	}
	if pod.ServiceAccount != "" {
		out = append(out, "ServiceAccount "+pod.ServiceAccount)
	}
	if o.Spec.ScaleTargetRef.Kind != "" {
		out = append(out, o.Spec.ScaleTargetRef.Kind+" "+o.Spec.ScaleTargetRef.Name)
	}
	for _, v := range pod.Volumes {
		if v.ConfigMap != nil {
			out = append(out, "ConfigMap "+v.ConfigMap.Name)
		}
		if v.Projected != nil {
			for _, s := range v.Projected.Sources {
				if s.ConfigMap != nil {
					out = append(out, "ConfigMap "+s.ConfigMap.Name)
				}
			}
		}
	}
	if o.Spec.Service.Name != "" {
		out = append(out, "Service "+o.Spec.Service.Name)
	}
	for _, s := range o.Subjects {
		out = append(out, s.Kind+" "+s.Name)
	}
	return out
}

// dangling names the volumes and ports of o's Pods that are not there.
func dangling(o object) (out []string) {
	volumes := map[string]bool{}
	for _, v := range o.Spec.Template.Spec.Volumes {
		volumes[v.Name] = true
	}
	for _, c := range o.Spec.Claims {
		if volumes[c.Metadata.Name] {
			out = append(out, "volume "+c.Metadata.Name+" is there twice")
		}
		volumes[c.Metadata.Name] = true
	}
	for _, c := range o.Spec.Template.Spec.Containers {
		ports := map[string]bool{}
		for _, p := range c.Ports {
			ports[p.Name] = true
		}
		for _, m := range c.Mounts {
			if !volumes[m.Name] {
				out = append(out, "no volume "+m.Name)
			}
		}
		for _, p := range []*probe{c.Startup, c.Readiness, c.Liveness} {
			switch {
			case p == nil:
				out = append(out, "a probe is missing")
			case p.HTTPGet != nil && !ports[p.HTTPGet.Port], p.TCP != nil && !ports[p.TCP.Port]:
				out = append(out, "a probe asks a port that is not there")
			}
		}
	}
	return out
}

// TestFlags gives the arguments of every Pod to the binary's own parser, with
// the environment that the Pod would have.
func TestFlags(t *testing.T) {
	roles := map[string]config.Role{"coordinator": config.Coordinator, "worker": config.Worker}
	each(t, func(t *testing.T, _ string, objects []object) {
		for _, o := range workloads(objects) {
			c := o.Spec.Template.Spec.Containers[0]
			env := map[string]string{"POD_NAME": o.Metadata.Name + "-0", "POD_IP": "10.0.0.1", "TUTTI_INTERNAL_SECRET": "a", "TUTTI_THREADS": "2"}
			for _, e := range c.Env {
				if e.Value != "" {
					env[e.Name] = e.Value
				}
			}
			var cfg config.Config
			fs := pflag.NewFlagSet(o.Metadata.Name, pflag.ContinueOnError)
			cfg.Flags(fs, roles[c.Args[0]])
			if err := fs.Parse(expand(c.Args[1:], env)); err != nil {
				t.Errorf("%s: %v", o.id(), err)
				continue
			}
			if err := config.Load(fs, func(k string) (string, bool) { v, ok := env[k]; return v, ok }); err != nil {
				t.Errorf("%s: %v", o.id(), err)
			}
			if err := cfg.Check(roles[c.Args[0]]); err != nil {
				t.Errorf("%s: %v", o.id(), err)
			}
		}
	})
}

// expand puts variables into arguments as the kubelet does.
func expand(args []string, env map[string]string) (out []string) {
	for _, a := range args {
		for k, v := range env {
			a = strings.ReplaceAll(a, "$("+k+")", v)
		}
		out = append(out, a)
	}
	return out
}

// TestCoordinators looks at how coordinators, and workers, find coordinators.
func TestCoordinators(t *testing.T) {
	peers := func(n, port int) string {
		var list []string
		for i := range n {
			list = append(list, fmt.Sprintf("tutti-coordinator-%d=tutti-coordinator-%d.tutti-peers:%d", i, i, port))
		}
		return fmt.Sprintf("--raft-listen=:%d --peers=%s", port, strings.Join(list, ","))
	}
	for _, c := range []struct {
		variant              string
		count, claims, ports int
		want                 string
	}{
		{"default", 3, 1, 2, peers(3, 8082)},
		{"five", 5, 1, 2, peers(5, 9082)},
		{"alone", 1, 0, 1, ""},
	} {
		text, err := render(t, "testdata/values/"+c.variant+".yaml")
		if err != nil {
			t.Fatal(err)
		}
		objects := parse(t, text)
		o := find(t, objects, "StatefulSet", "tutti-coordinator")
		args := strings.Join(o.Spec.Template.Spec.Containers[0].Args, " ")
		if !strings.Contains(args, c.want) || strings.Contains(args, "--peers") != (c.want != "") {
			t.Errorf("%s: arguments %s, want %s", c.variant, args, c.want)
		}
		if *o.Spec.Replicas != c.count || len(o.Spec.Claims) != c.claims {
			t.Errorf("%s: %d replicas, %d claims", c.variant, *o.Spec.Replicas, len(o.Spec.Claims))
		}
		w := find(t, objects, "Deployment", "tutti-worker")
		if args := w.Spec.Template.Spec.Containers[0].Args; !slices.Contains(args, "--join=tutti-peers:8081") {
			t.Errorf("%s: arguments of workers %q", c.variant, args)
		}
		s := find(t, objects, "Service", "tutti-peers")
		if !s.Spec.PublishNotReady || s.Spec.ClusterIP != "None" || len(s.Spec.Ports) != c.ports {
			t.Errorf("%s: peers are published as %+v", c.variant, s.Spec)
		}
	}
}

// TestMetricsAPI looks at what lets Kubernetes ask for the work that waits:
// only where it is asked for, and for coordinators only.
func TestMetricsAPI(t *testing.T) {
	each(t, func(t *testing.T, variant string, objects []object) {
		wanted := variant == "autoscaled" || variant == "s3"
		kinds := map[string]int{}
		for _, o := range objects {
			kinds[o.Kind]++
		}
		if (kinds["APIService"] == 1 && kinds["RoleBinding"] == 1) != wanted || kinds["ClusterRoleBinding"]+kinds["ClusterRole"]+kinds["Role"] > 0 {
			t.Errorf("%v", kinds)
		}
		for _, o := range workloads(objects) {
			hasToken := false
			for _, v := range o.Spec.Template.Spec.Volumes {
				hasToken = hasToken || v.Projected != nil
			}
			if hasToken != (wanted && o.Kind == "StatefulSet") {
				t.Errorf("%s: token for the Kubernetes API: %v", o.id(), hasToken)
			}
			args := strings.Join(o.Spec.Template.Spec.Containers[0].Args, " ")
			if strings.Contains(args, "--metrics-api-listen=:") != hasToken || strings.Contains(args, "--metrics-api-client-ca=kubernetes") != hasToken {
				t.Errorf("%s: %s", o.id(), args)
			}
		}
		if !wanted {
			return
		}
		api := find(t, objects, "APIService", "v1beta1.external.metrics.k8s.io").Spec
		if api.SkipVerify == (api.CABundle != "") || api.SkipVerify != (variant == "autoscaled") || api.Service.Namespace != "lake" {
			t.Errorf("%+v", api)
		}
		b := find(t, objects, "RoleBinding", "tutti-metrics-api-lake")
		if b.Metadata.Namespace != "kube-system" || b.RoleRef.Name != "extension-apiserver-authentication-reader" || len(b.Subjects) != 1 || b.Subjects[0].Namespace != "lake" {
			t.Errorf("%+v", b)
		}
	})
}

// TestAutoscaler looks at the kinds of its targets, on which its arithmetic
// hangs: see coordinator/backlog.
func TestAutoscaler(t *testing.T) {
	text, err := render(t, "testdata/values/autoscaled.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, m := range find(t, parse(t, text), "HorizontalPodAutoscaler", "tutti-worker").Spec.Metrics {
		e := m.External
		got = append(got, strings.TrimSpace(strings.Join([]string{m.Type, e.Metric.Name, e.Metric.Selector.MatchLabels["environment"], e.Target.Type, e.Target.Value, e.Target.AverageValue}, " ")))
	}
	want := []string{"External tutti_work_waiting_seconds tutti Value 30", "External tutti_workers_busy tutti AverageValue  1", "Resource"}
	if !slices.Equal(got, want) {
		t.Errorf("\n got %q\nwant %q", got, want)
	}
}

// TestNotes reads the advice that helm install ends with.
func TestNotes(t *testing.T) {
	out, err := run(t, "helm-v4.3.1", "install", "tutti", "chart", "--dry-run=client", "--namespace", "lake", "--kubeconfig", "/dev/null")
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"kubectl -n lake create secret generic tutti-internal --from-literal=secret=", "jdbc:trino://tutti.lake.svc:8080",
		"port-forward svc/tutti 8080:8080", "every Pod may connect",
	} {
		if !strings.Contains(out, want) {
			t.Errorf("the notes do not say %q", want)
		}
	}
}
