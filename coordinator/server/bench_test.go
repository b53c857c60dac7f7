package server

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// BenchmarkStatement is what the server itself adds to a small query: a POST
// and the GETs until its end, over an engine that answers at once.
func BenchmarkStatement(b *testing.B) {
	h := newHarness(b, nil)
	for b.Loop() {
		uri := answerOf(b, h, http.MethodPost, "/v1/statement", "rows 1")
		for uri != "" {
			uri = answerOf(b, h, http.MethodGet, uri, "")
		}
	}
}

// answerOf sends a request without a connection and returns the nextUri.
func answerOf(b *testing.B, h *harness, method, uri, body string) string {
	req := httptest.NewRequest(method, uri, strings.NewReader(body))
	req.Header.Set("X-Trino-User", "ann")
	w := httptest.NewRecorder()
	h.server.ServeHTTP(w, req)
	var page struct {
		NextURI string `json:"nextUri"`
	}
	if err := json.Unmarshal(w.Body.Bytes(), &page); err != nil {
		b.Fatal(w.Code, w.Body.String())
	}
	return page.NextURI
}
