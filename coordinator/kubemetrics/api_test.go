package kubemetrics

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"math"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/tuttidb/tutti/internal/clock"
)

func testAPI(p *Proxies, source func(context.Context) ([]Metric, error)) *API {
	return New(Config{
		Names: []string{"work", "age"}, Labels: map[string]string{"environment": "tutti"}, Source: source, Proxies: p,
		Clock: clock.NewManual(time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)), Log: slog.New(slog.DiscardHandler),
	})
}

func twoMetrics(context.Context) ([]Metric, error) {
	return []Metric{{"work", 12.3456}, {"age", 0}}, nil
}

// TestAPI asks what the API server and an autoscaler ask.
func TestAPI(t *testing.T) {
	a := testAPI(nil, twoMetrics)
	const v1 = "/apis/external.metrics.k8s.io/v1beta1"
	for _, c := range []struct {
		method, path string
		status       int
		want         string
	}{
		{"GET", "/apis", 200, `{"apiVersion":"v1","groups":[{"name":"external.metrics.k8s.io",`},
		{"GET", "/apis/external.metrics.k8s.io", 200, `"kind":"APIGroup"`},
		{"GET", v1, 200, `{"kind":"ExternalMetricValueList","name":"work","namespaced":true,"singularName":"","verbs":["get"]}`},
		{"GET", v1, 200, `"kind":"APIResourceList"`},
		{"GET", v1 + "/namespaces/lake/work", 200, `{"apiVersion":"external.metrics.k8s.io/v1beta1","items":[{"metricLabels":{"environment":"tutti"},"metricName":"work","timestamp":"2026-01-02T03:04:05Z","value":"12346m"}],"kind":"ExternalMetricValueList","metadata":{}}`},
		{"GET", v1 + "/namespaces/lake/work?labelSelector=environment%3Dtutti", 200, `"value":"12346m"`},
		{"GET", v1 + "/namespaces/lake/work?labelSelector=environment%3Dother", 200, `"items":[]`},
		{"GET", v1 + "/namespaces/lake/age?labelSelector=environment+in+(a,tutti)", 200, `"value":"0"`},
		{"GET", v1 + "/namespaces/lake/work?labelSelector=((", 400, `cannot read \"((\"`},
		{"GET", v1 + "/namespaces/lake/other", 404, `there is no metric \"other\"; there are work, age`},
		{"GET", v1 + "/work", 404, `"reason":"NotFound"`},
		{"GET", "/openapi/v2", 404, `"kind":"Status"`},
		{"POST", v1 + "/namespaces/lake/work", 404, `"status":"Failure"`},
		{"DELETE", "/", 404, `"kind":"Status"`},
		{"GET", "/healthz", 200, ``},
		{"GET", "/livez", 200, ``},
		{"GET", "/readyz", 200, ``},
	} {
		w := httptest.NewRecorder()
		a.ServeHTTP(w, httptest.NewRequest(c.method, c.path, nil))
		if w.Code != c.status || !strings.Contains(w.Body.String(), c.want) {
			t.Errorf("%s %s: %d %s, want %d with %s", c.method, c.path, w.Code, w.Body, c.status, c.want)
		}
		if w.Body.Len() > 0 && !json.Valid(w.Body.Bytes()) {
			t.Errorf("%s %s: not JSON: %s", c.method, c.path, w.Body)
		}
	}
}

// TestSourceFails: no figure is better than a wrong one, which would take
// workers away.
func TestSourceFails(t *testing.T) {
	a := testAPI(nil, func(context.Context) ([]Metric, error) { return nil, errors.New("nobody leads") })
	w := httptest.NewRecorder()
	a.ServeHTTP(w, httptest.NewRequest("GET", root+"/v1beta1/namespaces/lake/work", nil))
	if w.Code != http.StatusServiceUnavailable || !strings.Contains(w.Body.String(), "nobody leads") {
		t.Errorf("%d %s", w.Code, w.Body)
	}
}

// TestUnknownProxies: nobody is believed before it is known whom to believe;
// a probe is answered all the same.
func TestUnknownProxies(t *testing.T) {
	a := testAPI(&Proxies{}, twoMetrics)
	for path, want := range map[string]int{root + "/v1beta1": 401, root: 401, "/apis": 401, root + "/v1beta1/namespaces/lake/work": 401, "/healthz": 200} {
		w := httptest.NewRecorder()
		a.ServeHTTP(w, httptest.NewRequest("GET", path, nil))
		if w.Code != want {
			t.Errorf("%s: %d", path, w.Code)
		}
		if b, _ := io.ReadAll(w.Body); want == 401 && !strings.Contains(string(b), "not known yet") {
			t.Errorf("%s: %s", path, b)
		}
	}
}

func TestQuantity(t *testing.T) {
	for v, want := range map[float64]string{
		0: "0", 1: "1", 30: "30", 0.5: "500m", 1e-10: "0", 1e-4: "1m", 0.001: "1m", 0.0011: "2m", 12.3456: "12346m", 115.2: "115200m",
		-1: "0", math.Inf(1): "4611686018427387904m", math.Inf(-1): "0", 1e18: "4611686018427387904m", 0.1 + 0.2: "300m",
	} {
		if got := quantity(v); got != want {
			t.Errorf("%g is %s, want %s", v, got, want)
		}
	}
	if got := quantity(math.NaN()); got != "0" {
		t.Errorf("NaN is %s", got)
	}
}

func TestSelector(t *testing.T) {
	labels := map[string]string{"environment": "tutti", "app.kubernetes.io/name": "x-1", "empty": ""}
	for text, want := range map[string]string{
		"":                          "yes",
		"  ":                        "yes",
		"environment=tutti":         "yes",
		"environment==tutti":        "yes",
		" environment = tutti ":     "yes",
		"environment=other":         "no",
		"environment!=other":        "yes",
		"environment!=tutti":        "no",
		"missing!=x":                "yes",
		"missing=x":                 "no",
		"missing":                   "no",
		"!missing":                  "yes",
		"! missing":                 "yes",
		"environment":               "yes",
		"!environment":              "no",
		"empty=":                    "yes",
		"environment=":              "no",
		"environment in (a, tutti)": "yes",
		"environment in (tutti)":    "yes",
		"environment in (a,b)":      "no",
		"environment notin (a,b)":   "yes",
		"environment notin (tutti)": "no",
		"missing notin (a)":         "yes",
		"missing in (a)":            "no",
		"empty in (,a)":             "yes",
		"app.kubernetes.io/name=x-1,environment in (tutti,b),!missing": "yes",
		"app.kubernetes.io/name=x-1,environment in (c,b),!missing":     "no",
		"environment in tutti":  "error",
		"environment in (tutti": "error",
		"a=b=c":                 "error",
		"a,,b":                  "error",
		",":                     "error",
		"a>1":                   "error",
		"a b":                   "error",
	} {
		s, err := parseSelector(text)
		got := map[bool]string{true: "yes", false: "no"}[s.matches(labels)]
		if err != nil {
			got = "error"
		}
		if got != want {
			t.Errorf("%q: %s (%v), want %s", text, got, err, want)
		}
	}
}

// FuzzSelector: any text is read or refused.
func FuzzSelector(f *testing.F) {
	for _, s := range []string{"a=b,c in (d,e),!f", "a notin (x)", "))((", ",,", "a==", "!"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		s, err := parseSelector(text)
		if err == nil {
			s.matches(map[string]string{"a": "b"})
		}
	})
}
