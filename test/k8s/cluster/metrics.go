package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"time"
)

// metrics serves one metric as the external metrics API of Kubernetes, so that
// the chart's autoscaler has something to go by: it stands in for what reports
// the work that waits.
type metrics struct {
	environment string       // the cluster whose metric it is, by label
	seconds     atomic.Int64 // the metric
	server      *httptest.Server
}

const (
	metricName  = "tutti_work_waiting_seconds"
	metricGroup = "external.metrics.k8s.io"
	metricPath  = "/apis/" + metricGroup + "/v1beta1"
)

// newMetrics serves at an address until close.
func newMetrics(address, environment string) (*metrics, error) {
	l, err := net.Listen("tcp", address)
	if err != nil {
		return nil, err
	}
	m := &metrics{environment: environment}
	m.server = httptest.NewUnstartedServer(m)
	_ = m.server.Listener.Close() // ours takes its place
	m.server.Listener, m.server.Config.ErrorLog = l, log.New(io.Discard, "", 0)
	m.server.StartTLS()
	return m, nil
}

// ServeHTTP answers what the API server asks of an extension, and the metric.
func (m *metrics) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "application/json")
	var answer any
	switch r.URL.Path {
	case metricPath:
		answer = map[string]any{
			"kind": "APIResourceList", "apiVersion": "v1", "groupVersion": metricGroup + "/v1beta1",
			"resources": []map[string]any{{"name": metricName, "namespaced": true, "kind": "ExternalMetricValueList", "verbs": []string{"get"}}},
		}
	case metricPath + "/namespaces/" + namespace + "/" + metricName:
		items := []map[string]any{}
		if r.FormValue("labelSelector") == "environment="+m.environment {
			items = append(items, map[string]any{
				"metricName": metricName, "metricLabels": map[string]string{}, "timestamp": time.Now().UTC().Format(time.RFC3339),
				"value": fmt.Sprint(m.seconds.Load()),
			})
		}
		answer = map[string]any{"kind": "ExternalMetricValueList", "apiVersion": metricGroup + "/v1beta1", "metadata": map[string]any{}, "items": items}
	default:
		w.WriteHeader(http.StatusNotFound)
		return
	}
	_ = json.NewEncoder(w).Encode(answer) // who asked may have gone
}

// register makes the API server ask m, by way of a Service without Pods.
func (p *plane) register(ctx context.Context, port int) error {
	meta := func(name string) map[string]any { return map[string]any{"name": name, "namespace": "kube-system"} }
	slice := meta("metrics-1")
	slice["labels"] = map[string]string{"kubernetes.io/service-name": "metrics"}
	for path, object := range map[string]any{
		"/api/v1/namespaces/kube-system/services": map[string]any{
			"apiVersion": "v1", "kind": "Service", "metadata": meta("metrics"),
			"spec": map[string]any{"ports": []map[string]any{{"name": "https", "port": 443}}},
		},
		"/apis/discovery.k8s.io/v1/namespaces/kube-system/endpointslices": map[string]any{
			"apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice", "metadata": slice, "addressType": "IPv4",
			"endpoints": []map[string]any{{"addresses": []string{podGateway}}}, "ports": []map[string]any{{"name": "https", "port": port}},
		},
		"/apis/apiregistration.k8s.io/v1/apiservices": map[string]any{
			"apiVersion": "apiregistration.k8s.io/v1", "kind": "APIService", "metadata": map[string]any{"name": "v1beta1." + metricGroup},
			"spec": map[string]any{
				"group": metricGroup, "version": "v1beta1", "groupPriorityMinimum": 100, "versionPriority": 100, "insecureSkipTLSVerify": true,
				"service": map[string]any{"name": "metrics", "namespace": "kube-system", "port": 443},
			},
		},
	} {
		if err := p.api.Do(ctx, http.MethodPost, path, object, nil); err != nil {
			return fmt.Errorf("%s: %w", path, err)
		}
	}
	// Until it answers, helm cannot tell which kinds of objects there are.
	return p.wait(ctx, time.Minute, "the metric's API", func() error { return p.api.Do(ctx, http.MethodGet, metricPath, nil, nil) })
}

// stepAutoscale gives the workers to the chart's autoscaler and changes the
// metric while clients ask: it is to follow in both directions.
func (p *plane) stepAutoscale(ctx context.Context) (string, error) {
	const port = 6444
	m, err := newMetrics(fmt.Sprintf("%s:%d", podGateway, port), release)
	if err != nil {
		return "", err
	}
	defer m.server.Close()
	if err := p.register(ctx, port); err != nil {
		return "", err
	}
	m.seconds.Store(20) // one worker's worth
	if err := p.helmSet(ctx, "upgrade", "worker.autoscaling.enabled=true", "worker.autoscaling.maxReplicas=4", "worker.autoscaling.scaleDownSeconds=0"); err != nil {
		return "", err
	}
	server, err := p.server(ctx)
	if err != nil {
		return "", err
	}
	if err := p.workers(ctx, 1); err != nil {
		return "", err
	}
	l := begin(ctx, server, clients)
	began := time.Now()
	m.seconds.Store(115) // at 30 s for each, four
	err = p.workers(ctx, 4)
	up := time.Since(began)
	if err == nil {
		l.more(ctx, 10)
		m.seconds.Store(0)
		err = p.workers(ctx, 1) // all at once: what was added within the minute does not count
	}
	l.more(ctx, 5)
	asked, failed := l.end()
	if err == nil {
		err = failed
	}
	if err != nil {
		return "", err
	}
	note := fmt.Sprintf("1 → 4 in %.1f s, back to 1; %d queries, none failed", up.Seconds(), asked)
	// The number of workers is the autoscaler's by now: who takes it back must say so.
	if err := p.helmSet(ctx, "upgrade", "--force-conflicts"); err != nil {
		return "", err
	}
	return note, p.pods(ctx, "worker", 2)
}
