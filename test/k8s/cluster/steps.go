package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/tuttidb/tutti/test/k8s/kubelet"
	"github.com/tuttidb/tutti/test/slt"
	"github.com/tuttidb/tutti/test/tpch"
)

const (
	namespace = "lake"
	release   = "tutti"
	nodes     = 3
	clients   = 2
)

// install are the values that the cluster is installed with: small, with
// TPC-H's tables as the recorded answers have them.
var install = []string{
	"image.tag=v1", "metricsAPI.enabled=true", "coordinator.persistence.size=1Gi",
	"catalogs.tpchstd.connector=tpch", "catalogs.tpchstd.column-naming=standard", "catalogs.tpchstd.double-type-mapping=decimal",
	"worker.memoryLimit=256MB", "worker.minReadySeconds=1", "worker.resources.requests.memory=512Mi", "worker.resources.limits.memory=512Mi",
	"coordinator.memoryLimit=512MB", "coordinator.preStop.sleep.seconds=2", "coordinator.extraArgs={--max-running-queries=3}",
}

// inside is the whole run, in namespaces of its own.
func inside(ctx context.Context, o options) (err error) {
	dir := o.Dir
	if dir == "" {
		if dir, err = os.MkdirTemp("", "tutti-k8s-"); err != nil {
			return err
		}
	}
	if err := os.Chmod(dir, 0o755); err != nil {
		return err
	}
	if err := network(); err != nil {
		return err
	}
	p, err := newPlane(o, dir)
	if err != nil {
		return err
	}
	defer func() {
		p.down()
		if err != nil {
			err = fmt.Errorf("%w\nlogs are in %s", err, dir)
		} else if o.Dir == "" {
			err = os.RemoveAll(dir)
		}
	}()
	http.DefaultTransport = &patient{next: http.DefaultTransport, limit: 30 * time.Second}
	for _, s := range []struct {
		name string
		do   func(context.Context) (string, error)
		many bool // only of several coordinators
	}{
		{"control plane", p.stepUp, false},
		{"strict server-side dry run of every variant", p.stepDryRun, false},
		{"helm install", p.stepInstall, false},
		{"no workers", p.stepNone, false},
		{"TPC-H, 22 checked queries", p.stepQueries, false},
		{"connections and network policies", p.stepPolicies, false},
		{"the leading coordinator is killed under load", p.stepLeader, true},
		{"rolling restart of coordinators under load", p.stepRoll, true},
		{"a node with a worker is lost under load", p.stepLoss, false},
		{"workers 2 → 4 → 2 under load", p.stepScale, false},
		{"autoscaler 1 → 4 → 1 by a burst of clients", p.stepAutoscale, false},
		{"kubectl drain of every node in turn", p.stepDrain, false},
		{"helm upgrade", p.stepUpgrade, false},
		{"helm uninstall leaves nothing", p.stepUninstall, false},
	} {
		if s.many && o.Coordinators == 1 {
			continue
		}
		began := time.Now()
		note, err := s.do(ctx)
		if err != nil {
			fmt.Printf("FAIL  %-46s %6.1f s\n", s.name, time.Since(began).Seconds())
			return fmt.Errorf("%s: %w", s.name, err)
		}
		fmt.Printf("ok    %-46s %6.1f s  %s\n", s.name, time.Since(began).Seconds(), note)
	}
	return nil
}

// stepUp starts everything that is not Tutti.
func (p *plane) stepUp(ctx context.Context) (string, error) {
	host := kubelet.Host{Images: p.images}
	for _, tag := range []string{"v1", "v2"} {
		if err := unpack(p.o.Image, host.ImageDir("tutti:"+tag)); err != nil {
			return "", err
		}
	}
	if err := p.up(ctx, nodes); err != nil {
		return "", err
	}
	if err := p.wait(ctx, time.Minute, "nodes", func() error { return p.nodesReady(ctx) }); err != nil {
		return "", err
	}
	for _, args := range [][]string{
		{"create", "namespace", namespace},
		{"create", "secret", "generic", "tutti-internal", "--from-literal=secret=" + p.token},
	} {
		if _, err := p.kubectl(ctx, args...); err != nil {
			return "", err
		}
	}
	version, err := p.kubectl(ctx, "version", "-o", "json")
	if err != nil {
		return "", err
	}
	var v struct{ ServerVersion struct{ GitVersion string } }
	err = json.Unmarshal([]byte(version), &v)
	return fmt.Sprintf("%d nodes, Kubernetes %s", nodes, v.ServerVersion.GitVersion), err
}

func (p *plane) nodesReady(ctx context.Context) error {
	out, err := p.kubectl(ctx, "get", "nodes", "-o", `jsonpath={range .items[*]}{.spec.taints}{"|"}{.status.conditions[?(@.type=="Ready")].status}{"\n"}{end}`)
	if err == nil && strings.Count(out, "|True\n") != nodes || strings.Contains(out, "[") {
		err = fmt.Errorf("nodes are %q", out)
	}
	return err
}

// stepDryRun gives every variant of the chart and the manifests to the API
// server, which checks them as if they were applied.
func (p *plane) stepDryRun(ctx context.Context) (string, error) {
	files, err := filepath.Glob(filepath.Join(p.o.Values, "*.yaml"))
	if err != nil || len(files) == 0 {
		return "", fmt.Errorf("no values in %s: %w", p.o.Values, err)
	}
	texts := map[string]string{}
	for _, f := range files {
		if texts[f], err = p.helm(ctx, "template", release, p.o.Chart, "--namespace", namespace, "--values", f); err != nil {
			return "", err
		}
	}
	for _, dir := range []string{"base", "examples/s3"} {
		if texts[dir], err = p.tool(ctx, "", p.o.Kustomize, "build", filepath.Join(p.o.Manifests, dir)); err != nil {
			return "", err
		}
	}
	objects := 0
	for name, text := range texts {
		out, err := p.tool(ctx, text, filepath.Join(p.o.Bin, "kubectl"), "apply", "--dry-run=server", "--validate=strict", "-f", "-")
		if err != nil {
			return "", fmt.Errorf("%s: %w", name, err)
		}
		objects += strings.Count(out, "(server dry run)")
	}
	bad := strings.Replace(texts["base"], "terminationGracePeriodSeconds:", "terminationGracePeriod:", 1)
	if _, err := p.tool(ctx, bad, filepath.Join(p.o.Bin, "kubectl"), "apply", "--dry-run=server", "--validate=strict", "-f", "-"); err == nil {
		return "", errors.New("an unknown field was not refused")
	}
	return fmt.Sprintf("%d variants, %d objects", len(texts), objects), nil
}

// helmSet is helm with the values of install and more, or with flags.
func (p *plane) helmSet(ctx context.Context, command string, more ...string) error {
	args := []string{command, release, p.o.Chart, "--namespace", namespace, "--wait", "--timeout", "4m"}
	more = append(more, fmt.Sprintf("coordinator.replicas=%d", p.o.Coordinators))
	for _, v := range slices.Concat(install, more) {
		if strings.HasPrefix(v, "--") {
			args = append(args, v)
		} else {
			args = append(args, "--set", v)
		}
	}
	_, err := p.helm(ctx, args...)
	return err
}

func (p *plane) stepInstall(ctx context.Context) (string, error) {
	if err := p.helmSet(ctx, "install", "worker.replicas=0"); err != nil {
		return "", errors.Join(err, p.explain(ctx))
	}
	if err := errors.Join(p.pods(ctx, "coordinator", p.o.Coordinators), p.workers(ctx, 0)); err != nil {
		return "", err
	}
	_, err := p.metric(ctx) // the API server asks a coordinator, which asks who it is
	return fmt.Sprintf("%d coordinators ready, Kubernetes reads their metrics", p.o.Coordinators), err
}

// explain says what the Pods wait for.
func (p *plane) explain(ctx context.Context) error {
	out, err := p.kubectl(ctx, "get", "pods", "-o", `jsonpath={range .items[*]}{.metadata.name} {.status.phase} {.status.containerStatuses[*].state}{"\n"}{end}`)
	return errors.Join(err, errors.New(out))
}

// server is the address of the Service that clients connect to.
func (p *plane) server(ctx context.Context) (string, error) {
	ip, err := p.kubectl(ctx, "get", "service", release, "-o", "jsonpath={.spec.clusterIP}")
	return "http://" + ip + ":8080", err
}

// workers waits until the cluster has exactly n active workers, by its own account.
func (p *plane) workers(ctx context.Context, n int) error {
	server, err := p.server(ctx)
	if err != nil {
		return err
	}
	want := fmt.Sprint(n)
	return p.wait(ctx, 3*time.Minute, want+" active workers", func() error {
		session, err := slt.NewSession(server, "system", "runtime")
		if err != nil {
			return err
		}
		once, cancel := context.WithTimeout(ctx, 5*time.Second)
		defer cancel()
		got, err := session.Query(once, "SELECT count(*) FROM nodes WHERE NOT coordinator AND state = 'active'")
		if err == nil && got.Rows[0][0] != want {
			err = fmt.Errorf("there are %s", got.Rows[0][0])
		}
		return err
	})
}

func (p *plane) stepQueries(ctx context.Context) (string, error) {
	server, err := p.server(ctx)
	if err != nil {
		return "", err
	}
	for _, q := range tpch.Queries() {
		if err := ask(ctx, server, q); err != nil {
			return "", err
		}
	}
	return "all right, through the Service", nil
}

// stepScale changes the number of workers while clients ask.
func (p *plane) stepScale(ctx context.Context) (string, error) {
	server, err := p.server(ctx)
	if err != nil {
		return "", err
	}
	l := begin(ctx, server, clients)
	var took []string
	for _, n := range []int{4, 2} {
		began := time.Now()
		_, err := p.kubectl(ctx, "scale", "deployment", release+"-worker", fmt.Sprintf("--replicas=%d", n))
		if err == nil {
			err = p.workers(ctx, n)
		}
		if err == nil {
			err = p.pods(ctx, "worker", n)
		}
		if err != nil {
			_, failed := l.end()
			return "", errors.Join(err, failed)
		}
		took = append(took, fmt.Sprintf("to %d in %.1f s", n, time.Since(began).Seconds()))
		l.more(ctx, 10)
	}
	asked, err := l.end()
	return fmt.Sprintf("%s; %d queries, none failed", strings.Join(took, ", "), asked), err
}

// more waits until n more queries have been answered, to see the change's effect.
func (l *load) more(ctx context.Context, n int) {
	for from := l.count(); l.count() < from+n && ctx.Err() == nil; {
		time.Sleep(50 * time.Millisecond)
	}
}

// pods waits until a kind has n Pods, all ready, and none that is ending.
func (p *plane) pods(ctx context.Context, kind string, n int) error {
	return p.wait(ctx, 4*time.Minute, fmt.Sprintf("%d %s Pods", n, kind), func() error {
		out, err := p.kubectl(ctx, "get", "pods", "-l", "app.kubernetes.io/component="+kind, "-o",
			`jsonpath={range .items[*]}{.metadata.deletionTimestamp}{.status.conditions[?(@.type=="Ready")].status}{"\n"}{end}`)
		if err == nil && out != strings.Repeat("True\n", n) {
			err = fmt.Errorf("they are %q", out)
		}
		return err
	})
}

// stepDrain empties every node, one after the other, under load. While the node
// with an only coordinator is drained nobody asks: its queries end with it.
func (p *plane) stepDrain(ctx context.Context) (string, error) {
	server, err := p.server(ctx)
	if err != nil {
		return "", err
	}
	total := 0
	for i := 1; i <= nodes; i++ {
		node := fmt.Sprintf("node-%d", i)
		home, err := p.kubectl(ctx, "get", "pod", release+"-coordinator-0", "-o", "jsonpath={.spec.nodeName}")
		if err != nil {
			return "", err
		}
		var l *load
		if home != node || p.o.Coordinators > 1 {
			l = begin(ctx, server, clients)
		}
		err = p.drain(ctx, node)
		if l != nil {
			l.more(ctx, 5)
			asked, failed := l.end()
			total += asked
			err = errors.Join(err, failed)
		}
		if err != nil {
			return "", fmt.Errorf("%s: %w", node, err)
		}
		if err := ask(ctx, server, tpch.Queries()[0]); err != nil {
			return "", fmt.Errorf("after %s: %w", node, err)
		}
	}
	return fmt.Sprintf("%d queries meanwhile, none failed", total), nil
}

// drain empties a node, waits until its Pods run elsewhere, and opens it again.
func (p *plane) drain(ctx context.Context, node string) error {
	if _, err := p.kubectl(ctx, "drain", node, "--delete-emptydir-data", "--timeout=240s"); err != nil {
		return err
	}
	left, err := p.kubectl(ctx, "get", "pods", "--field-selector=spec.nodeName="+node, "-o", "name")
	if err == nil && left != "" {
		err = fmt.Errorf("still there: %s", left)
	}
	if err == nil {
		err = errors.Join(p.pods(ctx, "coordinator", p.o.Coordinators), p.pods(ctx, "worker", 2), p.workers(ctx, 2))
	}
	_, undo := p.kubectl(ctx, "uncordon", node)
	return errors.Join(err, undo)
}

// stepLoss kills a node that has a worker and not the leading coordinator, and
// starts it again: its Pods come back under their old names.
func (p *plane) stepLoss(ctx context.Context) (string, error) {
	server, err := p.server(ctx)
	if err != nil {
		return "", err
	}
	leader, _, err := p.leader(ctx)
	if err != nil {
		return "", err
	}
	home, err := p.kubectl(ctx, "get", "pod", leader, "-o", "jsonpath={.spec.nodeName}")
	if err != nil {
		return "", err
	}
	out, err := p.kubectl(ctx, "get", "pods", "-l", "app.kubernetes.io/component=worker", "-o", "jsonpath={.items[*].spec.nodeName}")
	if err != nil {
		return "", err
	}
	placed := strings.Fields(out)
	i := slices.IndexFunc(placed, func(node string) bool { return node != home })
	if i < 0 {
		return "", fmt.Errorf("no worker has a node without the leading coordinator: %v", placed)
	}
	node, left := placed[i], 0
	for _, n := range placed {
		if n != node {
			left++
		}
	}
	l := begin(ctx, server, clients)
	l.more(ctx, 5)
	began := time.Now()
	err = p.lose(node)
	if err == nil {
		err = p.workers(ctx, left)
	}
	noticed := time.Since(began)
	if err == nil {
		l.more(ctx, 10)
		number, _ := strings.CutPrefix(node, "node-")
		var n int
		if n, err = strconv.Atoi(number); err == nil {
			err = errors.Join(p.node(n), p.workers(ctx, 2), p.pods(ctx, "worker", 2), p.pods(ctx, "coordinator", p.o.Coordinators))
		}
	}
	asked, failed := l.end()
	return fmt.Sprintf("noticed in %.1f s, %d queries, none failed", noticed.Seconds(), asked), errors.Join(err, failed)
}

// stepUpgrade goes to another image, under load; with one coordinator first
// the workers alone under load, then the chart as a whole while nobody asks.
func (p *plane) stepUpgrade(ctx context.Context) (string, error) {
	server, err := p.server(ctx)
	if err != nil {
		return "", err
	}
	l := begin(ctx, server, clients)
	if p.o.Coordinators > 1 {
		err = p.upgrade(ctx)
	} else if _, err = p.kubectl(ctx, "rollout", "restart", "deployment", release+"-worker"); err == nil {
		_, err = p.kubectl(ctx, "rollout", "status", "deployment", release+"-worker", "--timeout=240s")
		err = errors.Join(err, p.pods(ctx, "worker", 2), p.workers(ctx, 2))
	}
	l.more(ctx, 5)
	asked, failed := l.end()
	if err := errors.Join(err, failed); err != nil {
		return "", err
	}
	if p.o.Coordinators == 1 {
		if err := p.upgrade(ctx); err != nil {
			return "", err
		}
	}
	images, err := p.kubectl(ctx, "get", "pods", "-o", "jsonpath={.items[*].spec.containers[*].image}")
	if n := strings.Count(images, "tutti:v2"); err != nil || n != p.o.Coordinators+2 || n != len(strings.Fields(images)) {
		return "", fmt.Errorf("images are %q: %w", images, err)
	}
	return fmt.Sprintf("%d queries meanwhile, none failed (%d new statements cut off); %d Pods on the new image", asked, l.cut, p.o.Coordinators+2), ask(ctx, server, tpch.Queries()[5])
}

// upgrade goes to the other image.
func (p *plane) upgrade(ctx context.Context) error {
	if err := p.helmSet(ctx, "upgrade", "image.tag=v2", "worker.replicas=2"); err != nil {
		return errors.Join(err, p.explain(ctx))
	}
	return errors.Join(p.pods(ctx, "coordinator", p.o.Coordinators), p.pods(ctx, "worker", 2), p.workers(ctx, 2))
}

// stepUninstall looks for what is left, of any kind that the chart makes.
func (p *plane) stepUninstall(ctx context.Context) (string, error) {
	if _, err := p.helm(ctx, "uninstall", release, "--namespace", namespace, "--wait", "--timeout", "4m"); err != nil {
		return "", err
	}
	const kinds = "pods,statefulsets,deployments,replicasets,services,endpointslices,configmaps,serviceaccounts,poddisruptionbudgets," +
		"networkpolicies,horizontalpodautoscalers,persistentvolumeclaims,controllerrevisions,secrets"
	allowed := []string{"configmap/kube-root-ca.crt", "serviceaccount/default", "secret/tutti-internal"}
	if err := p.wait(ctx, 3*time.Minute, "nothing left", func() error {
		out, err := p.kubectl(ctx, "get", kinds, "-o", "name")
		if err == nil {
			var beyond string // the namespace
			beyond, err = p.kubectl(ctx, "get", "apiservices,rolebindings", "--namespace=kube-system", "-l", "app.kubernetes.io/name=tutti", "-o", "name")
			out += beyond
		}
		if err == nil {
			var disks string
			disks, err = p.kubectl(ctx, "get", "persistentvolumes", "-o", "name")
			out += disks
		}
		var left []string
		for _, name := range strings.Fields(out) {
			if !slices.Contains(allowed, name) {
				left = append(left, name)
			}
		}
		if err == nil && len(left) > 0 {
			err = fmt.Errorf("left: %v", left)
		}
		return err
	}); err != nil {
		return "", err
	}
	return "no object, no process", p.processes()
}

// processes looks for processes of Pods that have outlived them.
func (p *plane) processes() error {
	all, err := filepath.Glob("/proc/[0-9]*/root")
	if err != nil {
		return err
	}
	for _, link := range all {
		if root, err := os.Readlink(link); err == nil && strings.HasPrefix(root, p.dir) {
			return fmt.Errorf("%s still runs in %s", filepath.Dir(link), root)
		}
	}
	return nil
}
