package slt

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"
)

// protocolServer answers every statement with the given pages, one a request.
func protocolServer(t *testing.T, pages ...string) (*Session, *[]*http.Request) {
	t.Helper()
	var seen []*http.Request
	var server *httptest.Server
	server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		i := len(seen)
		seen = append(seen, r)
		w.Header().Set("X-Trino-Set-Schema", "sf1")
		w.Header().Add("X-Trino-Set-Session", "a=1%2C2")
		_, _ = io.WriteString(w, strings.ReplaceAll(pages[min(i, len(pages)-1)], "NEXT", server.URL+"/next"))
	}))
	t.Cleanup(server.Close)
	s, err := NewSession(server.URL, "tpch", "tiny")
	if err != nil {
		t.Fatal(err)
	}
	return s, &seen
}

func TestSessionReadsPages(t *testing.T) {
	s, seen := protocolServer(t,
		`{"id":"q","nextUri":"NEXT"}`,
		`{"id":"q","nextUri":"NEXT","columns":[{"name":"a","type":"double"},{"name":"b","type":"array(varchar)"}],"data":[[1.0E10,["<é>",null]]]}`,
		`{"id":"q","columns":[{"name":"a","type":"double"},{"name":"b","type":"array(varchar)"}],"data":[["NaN",null],[0.1,[]]]}`)
	got, err := s.Query(t.Context(), "SELECT")
	if err != nil {
		t.Fatal(err)
	}
	want := &Result{
		Names: []string{"a", "b"}, Types: []string{"double", "array(varchar)"},
		Rows: [][]string{{"1.0E10", `["<é>",null]`}, {"NaN", "NULL"}, {"0.1", "[]"}},
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
	if _, err := s.Query(t.Context(), "SELECT"); err != nil {
		t.Fatal(err)
	}
	last := (*seen)[len(*seen)-1].Header
	if last.Get("X-Trino-Schema") != "sf1" || last.Get("X-Trino-Session") != "a=1%2C2" || last.Get("X-Trino-Time-Zone") != "UTC" {
		t.Errorf("session state is not sent: %v", last)
	}
}

func TestSessionFailures(t *testing.T) {
	s, _ := protocolServer(t, `{"id":"q","nextUri":"NEXT"}`, `{"id":"q","error":{"message":"line 1:8: no","errorName":"SYNTAX_ERROR"}}`)
	_, err := s.Query(t.Context(), "SELECT")
	var failure *Failure
	if !errors.As(err, &failure) || failure.Error() != "SYNTAX_ERROR: line 1:8: no" {
		t.Errorf("error is %v", err)
	}
	for _, text := range []string{"", "{", `{"columns":[{"name":"a","type":"bigint"}],"data":[[1,2]]}`, "{} {}"} {
		s, _ := protocolServer(t, text)
		if _, err := s.Query(t.Context(), "SELECT"); err == nil || errors.As(err, &failure) {
			t.Errorf("%q: error is %v", text, err)
		}
	}
	if _, err := NewSession("nonsense", "c", "s"); err == nil {
		t.Error("bad URL accepted")
	}
}

func TestRender(t *testing.T) {
	for text, want := range map[string]string{
		`null`: "NULL", `true`: "true", `12345678901234567890`: "12345678901234567890", `""`: "(empty)", `"a\"b"`: `a"b`,
		`{"b":[1, 2.50],"a":{"x":"<&>"}}`: `{"a":{"x":"<&>"},"b":[1,2.50]}`,
	} {
		v, err := decodeJSON(text)
		if err != nil {
			t.Fatal(err)
		}
		if got := Render(v); got != want {
			t.Errorf("%s is %s, want %s", text, got, want)
		}
	}
}

// TestMain lets this test binary stand for a server program.
func TestMain(m *testing.M) {
	switch os.Getenv("SLT_TEST_PROGRAM") {
	case "serve":
		fmt.Println(http.ListenAndServe(os.Args[len(os.Args)-1], http.HandlerFunc(func(http.ResponseWriter, *http.Request) {})))
	case "end":
		os.Exit(3)
	case "hang":
		select {}
	default:
		os.Exit(m.Run())
	}
}

func startSelf(t *testing.T, mode string) (*Server, error) {
	t.Helper()
	t.Setenv("SLT_TEST_PROGRAM", mode)
	self, err := exec.LookPath(os.Args[0])
	if err != nil {
		t.Fatal(err)
	}
	log, err := os.Create(filepath.Join(t.TempDir(), "log"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { log.Close() })
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
	defer cancel()
	return StartServer(ctx, log, self, "%HTTP%")
}

func TestStartServer(t *testing.T) {
	s, err := startSelf(t, "serve")
	if err != nil {
		t.Fatal(err)
	}
	resp, err := http.Get(s.URL)
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if err := s.Stop(); err != nil {
		t.Error(err)
	}
	if _, err := http.Get(s.URL); err == nil {
		t.Error("the server still answers")
	}
	for _, mode := range []string{"end", "hang"} {
		if _, err := startSelf(t, mode); err == nil {
			t.Errorf("%s: no error", mode)
		}
	}
}

func TestWriteCatalogs(t *testing.T) {
	dir := t.TempDir()
	if err := WriteCatalogs(dir); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(filepath.Join(dir, "tpchstd.yaml"))
	if err != nil || !strings.Contains(string(text), "double-type-mapping: decimal") {
		t.Errorf("tpchstd.yaml is %q, %v", text, err)
	}
}
