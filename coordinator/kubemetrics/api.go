package kubemetrics

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"math"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/tuttidb/tutti/internal/clock"
)

// Group and Version are those of the API, as an APIService names them.
const (
	Group   = "external.metrics.k8s.io"
	Version = "v1beta1"

	groupVersion = Group + "/" + Version
	root         = "/apis/" + Group
)

// Metric is a figure at a moment. Values are not negative.
type Metric struct {
	Name  string
	Value float64
}

// Config is what an API is made of.
type Config struct {
	// Names are the metrics that there are, for discovery.
	Names []string
	// Labels are those of all metrics; an autoscaler's selector must match them.
	Labels map[string]string
	// Source reads the metrics now.
	Source func(context.Context) ([]Metric, error)
	// Proxies says who may ask; nil: everyone.
	Proxies *Proxies
	Clock   clock.Clock
	Log     *slog.Logger
}

// API is the HTTP handler of the metrics.
type API struct {
	cfg Config
	mux *http.ServeMux
}

// New returns the handler.
func New(cfg Config) *API {
	a := &API{cfg: cfg, mux: http.NewServeMux()}
	for path, h := range map[string]http.HandlerFunc{
		"GET /apis":                   a.groups,
		"GET " + root:                 a.group,
		"GET " + root + "/" + Version: a.resources,
		"GET " + root + "/" + Version + "/namespaces/{namespace}/{metric}": a.values,
	} {
		a.mux.Handle(path, a.guarded(h))
	}
	for _, path := range []string{"GET /healthz", "GET /livez", "GET /readyz"} {
		a.mux.HandleFunc(path, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusOK) })
	}
	a.mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		fail(w, http.StatusNotFound, "NotFound", "there is no "+r.Method+" "+r.URL.Path)
	})
	return a
}

// ServeHTTP answers one request.
func (a *API) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("X-Content-Type-Options", "nosniff")
	w.Header().Set("Cache-Control", "no-store")
	a.mux.ServeHTTP(w, r)
}

// guarded lets only front proxies ask.
func (a *API) guarded(h http.HandlerFunc) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if a.cfg.Proxies != nil {
			if err := a.cfg.Proxies.Check(r); err != nil {
				a.cfg.Log.Debug("metrics API: refused", "address", r.RemoteAddr, "error", err)
				fail(w, http.StatusUnauthorized, "Unauthorized", err.Error())
				return
			}
		}
		h(w, r)
	})
}

func (a *API) groups(w http.ResponseWriter, _ *http.Request) {
	send(w, http.StatusOK, map[string]any{"kind": "APIGroupList", "apiVersion": "v1", "groups": []any{groupObject()}})
}

func (a *API) group(w http.ResponseWriter, _ *http.Request) {
	g := groupObject()
	g["kind"], g["apiVersion"] = "APIGroup", "v1"
	send(w, http.StatusOK, g)
}

func groupObject() map[string]any {
	v := map[string]string{"groupVersion": groupVersion, "version": Version}
	return map[string]any{"name": Group, "versions": []any{v}, "preferredVersion": v}
}

func (a *API) resources(w http.ResponseWriter, _ *http.Request) {
	list := []any{}
	for _, name := range a.cfg.Names {
		list = append(list, map[string]any{
			"name": name, "singularName": "", "namespaced": true, "kind": "ExternalMetricValueList", "verbs": []string{"get"},
		})
	}
	send(w, http.StatusOK, map[string]any{"kind": "APIResourceList", "apiVersion": "v1", "groupVersion": groupVersion, "resources": list})
}

// values answers for one metric. That the selector matches nothing is an empty
// list, which an autoscaler reports as such.
func (a *API) values(w http.ResponseWriter, r *http.Request) {
	name := r.PathValue("metric")
	if !slices.Contains(a.cfg.Names, name) {
		fail(w, http.StatusNotFound, "NotFound", fmt.Sprintf("there is no metric %q; there are %s", name, strings.Join(a.cfg.Names, ", ")))
		return
	}
	sel, err := parseSelector(r.FormValue("labelSelector"))
	if err != nil {
		fail(w, http.StatusBadRequest, "BadRequest", err.Error())
		return
	}
	metrics, err := a.cfg.Source(r.Context())
	if err != nil {
		a.cfg.Log.Warn("metrics API", "error", err)
		fail(w, http.StatusServiceUnavailable, "ServiceUnavailable", err.Error())
		return
	}
	items := []any{}
	for _, m := range metrics {
		if m.Name == name && sel.matches(a.cfg.Labels) {
			items = append(items, map[string]any{
				"metricName": m.Name, "metricLabels": a.cfg.Labels, "value": quantity(m.Value),
				"timestamp": a.cfg.Clock.Now().UTC().Format(time.RFC3339),
			})
		}
	}
	send(w, http.StatusOK, map[string]any{"kind": "ExternalMetricValueList", "apiVersion": groupVersion, "metadata": map[string]any{}, "items": items})
}

// quantity writes a number as Kubernetes does, in thousandths and rounded up, so
// that little is not nothing; what is less than a billionth is.
func quantity(v float64) string {
	milli := math.Ceil(v*1000 - 1e-6)
	switch {
	case math.IsNaN(v) || milli <= 0:
		return "0"
	case milli >= math.MaxInt64/2:
		milli = math.MaxInt64 / 2
	case math.Mod(milli, 1000) == 0:
		return fmt.Sprintf("%d", int64(milli/1000))
	}
	return fmt.Sprintf("%dm", int64(milli))
}

// fail answers with an error as Kubernetes knows it.
func fail(w http.ResponseWriter, code int, reason, message string) {
	send(w, code, map[string]any{
		"kind": "Status", "apiVersion": "v1", "metadata": map[string]any{}, "status": "Failure", "message": message, "reason": reason, "code": code,
	})
}

func send(w http.ResponseWriter, code int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(code)
	_ = json.NewEncoder(w).Encode(v) // the client has gone if this fails
}
