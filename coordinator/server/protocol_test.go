package server

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"reflect"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/klauspost/compress/zstd"
	"github.com/pierrec/lz4/v4"
)

// reply is what tests look at in an answer.
type reply struct {
	ID               string            `json:"id"`
	InfoURI          string            `json:"infoUri"`
	NextURI          string            `json:"nextUri"`
	PartialCancelURI string            `json:"partialCancelUri"`
	Columns          []json.RawMessage `json:"columns"`
	Data             json.RawMessage   `json:"data"`
	Stats            struct {
		State     string       `json:"state"`
		Progress  *float64     `json:"progressPercentage"`
		RootStage *answerStage `json:"rootStage"`
	} `json:"stats"`
	Error       *answerError `json:"error"`
	Warnings    []any        `json:"warnings"`
	UpdateType  string       `json:"updateType"`
	UpdateCount *int64       `json:"updateCount"`
}

func (h *harness) page(method, uri, body string) (reply, *http.Response, string) {
	h.t.Helper()
	resp, text := h.do(method, uri, body)
	if resp.StatusCode != http.StatusOK {
		h.t.Fatalf("%s %s: %s: %s", method, uri, resp.Status, text)
	}
	var r reply
	if err := json.Unmarshal([]byte(text), &r); err != nil {
		h.t.Fatalf("%s: %v", text, err)
	}
	if r.ID == "" || r.InfoURI == "" || r.Warnings == nil || r.Stats.State == "" {
		h.t.Fatalf("not a whole answer: %s", text)
	}
	return r, resp, text
}

// run runs a statement to its end: the number of requests, the rows and the
// last answer.
func (h *harness) run(sql string) (requests int, rows [][]any, last reply, header http.Header) {
	h.t.Helper()
	p, resp, _ := h.page("POST", "/v1/statement", sql)
	for requests = 1; ; requests++ {
		if len(p.Data) > 0 {
			var part [][]any
			if err := json.Unmarshal(p.Data, &part); err != nil {
				h.t.Fatal(err)
			}
			rows = append(rows, part...)
		}
		if p.NextURI == "" {
			return requests, rows, p, resp.Header
		}
		p, resp, _ = h.page("GET", p.NextURI, "")
	}
}

func TestTwoRequests(t *testing.T) {
	h := newHarness(t, nil)
	p, _, text := h.page("POST", "/v1/statement", "rows 3")
	if strings.Contains(text, `"data"`) || strings.Contains(text, `"columns"`) || p.NextURI == "" {
		t.Errorf("the POST has more than a place to go on: %s", text)
	}
	if p.InfoURI != h.URL+"/ui/query.html?"+p.ID {
		t.Errorf("infoUri %s", p.InfoURI)
	}
	p, _, text = h.page("GET", p.NextURI, "")
	if p.NextURI != "" || string(p.Data) != "[[0],[1],[2]]" || len(p.Columns) != 1 || p.Stats.State != "FINISHED" {
		t.Errorf("the GET: %s", text)
	}
	if n, rows, _, _ := h.run("slow 1"); n != 2 || len(rows) != 1 {
		t.Errorf("slow: %d requests, %d rows", n, len(rows))
	}
}

func TestEmptyResultHasNoData(t *testing.T) {
	h := newHarness(t, nil)
	p, _, _ := h.page("POST", "/v1/statement", "rows 0")
	p, _, text := h.page("GET", p.NextURI, "")
	if strings.Contains(text, `"data"`) || len(p.Columns) != 1 || p.NextURI != "" {
		t.Error(text)
	}
}

// TestPagesRepeat: asking again for the last page gives the same bytes, asking
// for one before it says that it is gone.
func TestPagesRepeat(t *testing.T) {
	h := newHarness(t, func(c *Config) { c.Limits.PageBytes = 2000 })
	p, _, _ := h.page("POST", "/v1/statement", "rows 5000")
	var uris, texts []string
	total := 0
	for uri := p.NextURI; uri != ""; {
		next, _, text := h.page("GET", uri, "")
		if _, _, again := h.page("GET", uri, ""); again != text {
			t.Fatalf("the page changed:\n%s\n%s", text, again)
		}
		uris, texts = append(uris, uri), append(texts, text)
		var rows [][]int
		if len(next.Data) > 0 {
			if err := json.Unmarshal(next.Data, &rows); err != nil {
				t.Fatal(err)
			}
		}
		for _, r := range rows {
			if r[0] != total {
				t.Fatalf("row %d is %d", total, r[0])
			}
			total++
		}
		uri = next.NextURI
	}
	if total != 5000 || len(texts) < 3 {
		t.Errorf("%d rows in %d pages", total, len(texts))
	}
	if resp, _ := h.do("GET", uris[0], ""); resp.StatusCode != http.StatusGone {
		t.Errorf("an old page: %s", resp.Status)
	}
	if resp, _ := h.do("GET", uris[len(uris)-1]+"9", ""); resp.StatusCode != http.StatusGone {
		t.Errorf("a page to come: %s", resp.Status)
	}
}

func TestPagesGrow(t *testing.T) {
	h := newHarness(t, func(c *Config) { c.Limits.PageBytes, c.Limits.MaxPageBytes = 100_000, 800_000 })
	p, _, _ := h.page("POST", "/v1/statement", "wide 5000")
	var sizes []int
	for p.NextURI != "" {
		p, _, _ = h.page("GET", p.NextURI, "")
		sizes = append(sizes, len(p.Data))
	}
	largest, total := 0, 0
	for _, n := range sizes {
		largest, total = max(largest, n), total+n
	}
	if largest > 800_000+1000*1010 || total < 5_000_000 {
		t.Errorf("pages: %v", sizes)
	}
	if n := h.server.buffered.Load(); n != 0 {
		t.Errorf("%d bytes are still counted as buffered", n)
	}
}

func TestLongPoll(t *testing.T) {
	h := newHarness(t, nil)
	p, _, _ := h.page("POST", "/v1/statement", "never")
	start := time.Now()
	p, _, text := h.page("GET", p.NextURI, "")
	if took := time.Since(start); took < 150*time.Millisecond || took > 10*time.Second || p.NextURI == "" {
		t.Errorf("after %s: %s", took, text)
	}
}

func TestErrors(t *testing.T) {
	h := newHarness(t, nil)
	_, _, p, _ := h.run("error")
	e := p.Error
	if e == nil || p.Stats.State != "FAILED" {
		t.Fatalf("%+v", p)
	}
	text, _ := json.Marshal(e)
	want := `{"message":"line 1:8: Column 'nosuch' cannot be resolved","errorCode":47,"errorName":"COLUMN_NOT_FOUND","errorType":"USER_ERROR",` +
		`"errorLocation":{"lineNumber":1,"columnNumber":8},"failureInfo":{"type":"io.trino.spi.TrinoException","message":"line 1:8: Column 'nosuch' cannot be resolved",` +
		`"suppressed":[],"stack":[],"errorInfo":{"code":47,"name":"COLUMN_NOT_FOUND","type":"USER_ERROR"},"errorLocation":{"lineNumber":1,"columnNumber":8}}}`
	if string(text) != want {
		t.Errorf("got  %s\nwant %s", text, want)
	}
	if _, _, p, _ = h.run("latefail"); p.Error == nil || p.Error.ErrorName != "DIVISION_BY_ZERO" {
		t.Errorf("%+v", p.Error)
	}
}

func TestEffects(t *testing.T) {
	h := newHarness(t, nil)
	n, rows, p, header := h.run("effects")
	if n != 2 || rows != nil || p.Columns == nil || len(p.Columns) != 0 || p.UpdateType != "SET" {
		t.Errorf("%d requests, %+v", n, p)
	}
	want := map[string]string{
		"Set-Catalog": "c", "Set-Schema": "s", "Set-Path": "p", "Set-Session": "k=a+b%2Cc", "Clear-Session": "x",
		"Added-Prepare": "p+1=select+%3F", "Deallocated-Prepare": "old+one", "Started-Transaction-Id": "t1", "Clear-Transaction-Id": "true",
	}
	for name, v := range want {
		if got := header.Get("X-Trino-" + name); got != v {
			t.Errorf("%s: %q, want %q", name, got, v)
		}
	}
}

func TestUpdateCount(t *testing.T) {
	h := newHarness(t, nil)
	h.header.Set("X-Trino-Query-Data-Encoding", "json+zstd")
	_, rows, p, _ := h.run("insert 7")
	if fmt.Sprint(rows) != "[[7]]" || p.UpdateType != "INSERT" || p.UpdateCount == nil || *p.UpdateCount != 7 {
		t.Errorf("%v, %+v", rows, p)
	}
	h.header.Del("X-Trino-Query-Data-Encoding")
	if _, _, p, _ = h.run("rows 1"); p.UpdateCount != nil {
		t.Errorf("a query has update count %d", *p.UpdateCount)
	}
}

func TestCancel(t *testing.T) {
	h := newHarness(t, nil)
	p, _, _ := h.page("POST", "/v1/statement", "endless")
	p, _, _ = h.page("GET", p.NextURI, "")
	if resp, _ := h.do("DELETE", p.NextURI, ""); resp.StatusCode != http.StatusNoContent {
		t.Error(resp.Status)
	}
	p, _, _ = h.page("GET", p.NextURI, "")
	if p.NextURI != "" || p.Error == nil || p.Error.ErrorName != "USER_CANCELED" || p.Stats.State != "FAILED" || len(p.Data) > 0 {
		t.Errorf("%+v", p)
	}
	if err := h.engine.last().Info().Error; err == nil || err.Code.Name != "USER_CANCELED" {
		t.Error(err)
	}
	// By the query's name, as the Node client does, and killed by hand.
	for method, path := range map[string]string{"DELETE": "", "PUT": "/killed"} {
		p, _, _ := h.page("POST", "/v1/statement", "never")
		if resp, text := h.do(method, "/v1/query/"+p.ID+path, `"why not"`); resp.StatusCode/100 != 2 {
			t.Error(method, resp.Status, text)
		}
		if p, _, _ = h.page("GET", p.NextURI, ""); p.Error == nil || p.NextURI != "" {
			t.Errorf("%s: %+v", method, p)
		}
	}
	if err := h.engine.last().Info().Error; err == nil {
		t.Error("not killed")
	}
}

// TestPartialCancel: the client gets what is there, and no error.
func TestPartialCancel(t *testing.T) {
	h := newHarness(t, nil)
	p, _, _ := h.page("POST", "/v1/statement", "endless")
	p, _, _ = h.page("GET", p.NextURI, "")
	if resp, _ := h.do("DELETE", p.PartialCancelURI, ""); resp.StatusCode != http.StatusNoContent {
		t.Fatal(resp.Status)
	}
	p, _, _ = h.page("GET", p.NextURI, "")
	if p.NextURI != "" || p.Error != nil || p.Stats.State != "FINISHED" {
		t.Errorf("%+v", p)
	}
}

func TestHeartbeat(t *testing.T) {
	h := newHarness(t, nil)
	p, _, _ := h.page("POST", "/v1/statement", "never")
	before := h.engine.last().touched
	if resp, _ := h.do("HEAD", p.NextURI, ""); resp.StatusCode != http.StatusOK {
		t.Error(resp.Status)
	}
	if h.engine.last().touched <= before {
		t.Error("the query was not touched")
	}
	if resp, _ := h.do("HEAD", "/v1/statement", ""); resp.StatusCode != http.StatusOK {
		t.Error(resp.Status)
	}
}

// TestSlug: a URI works for whom it was given only.
func TestSlug(t *testing.T) {
	h := newHarness(t, nil)
	p, _, _ := h.page("POST", "/v1/statement", "rows 1")
	parts := strings.Split(p.NextURI, "/")
	parts[len(parts)-2] = strings.Repeat("0", 32)
	for _, method := range []string{"GET", "DELETE", "HEAD"} {
		if resp, _ := h.do(method, strings.Join(parts, "/"), ""); resp.StatusCode != http.StatusNotFound {
			t.Error(method, resp.Status)
		}
	}
	if resp, _ := h.do("GET", "/v1/statement/executing/nosuch/x/1", ""); resp.StatusCode != http.StatusNotFound {
		t.Error(resp.Status)
	}
}

func TestRefusals(t *testing.T) {
	h := newHarness(t, func(c *Config) { c.Limits.MaxBody = 100 })
	cases := []struct {
		name, header, value, body string
		want                      int
	}{
		{"no user", "X-Trino-User", "", "rows 1", 401},
		{"empty", "", "", " \n", 400},
		{"too long", "", "", strings.Repeat("x", 101), 413},
		{"bad session", "X-Trino-Session", "a", "rows 1", 400},
		{"bad escape", "X-Trino-Session", "a=%zz", "rows 1", 400},
		{"bad prepared", "X-Trino-Prepared-Statement", "%zz=a", "rows 1", 400},
		{"bad role", "X-Trino-Role", "x", "rows 1", 400},
		{"bad zone", "X-Trino-Time-Zone", "Mars/Olympus", "rows 1", 400},
		{"schema alone", "X-Trino-Schema", "s", "rows 1", 400},
		{"empty session", "X-Trino-Session", "", "rows 1", 200},
	}
	for _, c := range cases {
		old := h.header.Clone()
		if c.header != "" {
			h.header.Set(c.header, c.value)
		}
		resp, text := h.do("POST", "/v1/statement", c.body)
		if resp.StatusCode != c.want || strings.Contains(text, ".go:") {
			t.Errorf("%s: %s %s", c.name, resp.Status, text)
		}
		h.header = old
	}
	h.header.Del("X-Trino-User")
	h.header.Set("Authorization", "Basic "+base64.StdEncoding.EncodeToString([]byte("bob:")))
	if resp, _ := h.do("POST", "/v1/statement", "rows 1"); resp.StatusCode != 200 || h.engine.last().req.Session.User != "bob" {
		t.Error("Basic authentication names no user")
	}
}

// TestSegments: every encoding gives the rows of plain JSON, compressed where
// it pays, and says so.
func TestSegments(t *testing.T) {
	h := newHarness(t, nil)
	for _, c := range []struct{ asked, want string }{
		{"json+zstd,json+lz4,json", "json+zstd"}, {"json+lz4", "json+lz4"}, {"json", "json"}, {"arrow,json", "json"}, {"arrow", ""},
	} {
		for _, n := range []int{1, 20_000} {
			h.header.Set("X-Trino-Query-Data-Encoding", c.asked)
			p, _, _ := h.page("POST", "/v1/statement", fmt.Sprint("rows ", n))
			total := 0
			for p.NextURI != "" {
				var resp *http.Response
				p, resp, _ = h.page("GET", p.NextURI, "")
				if len(p.Data) == 0 {
					continue
				}
				if got := resp.Header.Get("X-Trino-Query-Data-Encoding"); got != c.want {
					t.Fatalf("%s: encoding %q", c.asked, got)
				}
				total = countRows(t, c.want, p.Data, total)
			}
			if total != n {
				t.Errorf("%s: %d of %d rows", c.asked, total, n)
			}
		}
	}
}

// countRows checks that data holds rows that count on from total, and returns
// the new total.
func countRows(t *testing.T, encoding string, data json.RawMessage, total int) int {
	t.Helper()
	text := []byte(data)
	if encoding != "" {
		var d struct {
			Encoding string
			Segments []struct {
				Type     string
				Data     []byte
				Metadata struct{ RowOffset, RowsCount, SegmentSize, UncompressedSize int }
			}
		}
		if err := json.Unmarshal(data, &d); err != nil || d.Encoding != encoding || len(d.Segments) != 1 || d.Segments[0].Type != "inline" {
			t.Fatalf("%.300s: %v", data, err)
		}
		s := d.Segments[0]
		if s.Metadata.RowOffset != total || s.Metadata.SegmentSize != len(s.Data) {
			t.Fatalf("metadata: %+v, %d rows before", s.Metadata, total)
		}
		text = s.Data
		long := max(s.Metadata.UncompressedSize, len(s.Data)) >= packAbove
		if (s.Metadata.UncompressedSize > 0) != (long && encoding != "json") {
			t.Fatalf("metadata: %+v", s.Metadata)
		}
		if size := s.Metadata.UncompressedSize; size > 0 {
			text = unpack(t, encoding, s.Data, size)
		}
		defer func(before int) {
			if s.Metadata.RowsCount != total-before {
				t.Errorf("metadata: %+v, %d rows", s.Metadata, total-before)
			}
		}(total)
	}
	var rows [][]int
	if err := json.Unmarshal(text, &rows); err != nil {
		t.Fatal(err)
	}
	for _, r := range rows {
		if r[0] != total {
			t.Fatalf("row %d is %d", total, r[0])
		}
		total++
	}
	return total
}

func unpack(t *testing.T, encoding string, data []byte, size int) []byte {
	t.Helper()
	if encoding == "json+zstd" {
		d, err := zstd.NewReader(nil)
		if err != nil {
			t.Fatal(err)
		}
		defer d.Close()
		out, err := d.DecodeAll(data, nil)
		if err != nil || len(out) != size {
			t.Fatal(len(out), size, err)
		}
		return out
	}
	out := make([]byte, size)
	if n, err := lz4.UncompressBlock(data, out); err != nil || n != size {
		t.Fatal(n, size, err)
	}
	return out
}

func TestGzip(t *testing.T) {
	h := newHarness(t, nil) // Go's client asks for gzip and unpacks it unseen
	p, _, _ := h.page("POST", "/v1/statement", "rows 5000")
	_, resp, _ := h.page("GET", p.NextURI, "")
	if !resp.Uncompressed {
		t.Error("a long answer was not compressed")
	}
	for header, want := range map[string]bool{"gzip": true, "deflate, gzip;q=0.5": true, "gzip;q=0": false, "identity": false, "*": true, "": false} {
		r, _ := http.NewRequest("GET", "/", nil)
		r.Header.Set("Accept-Encoding", header)
		if wantsGzip(r) != want {
			t.Errorf("%q", header)
		}
	}
}

func TestForwarded(t *testing.T) {
	h := newHarness(t, nil)
	cases := []struct {
		header map[string]string
		want   string
	}{
		{nil, h.URL},
		{map[string]string{"X-Forwarded-Proto": "https", "X-Forwarded-Host": "sql.example.com"}, "https://sql.example.com"},
		{map[string]string{"X-Forwarded-Proto": "https", "X-Forwarded-Host": "sql.example.com", "X-Forwarded-Port": "8443"}, "https://sql.example.com:8443"},
		{map[string]string{"X-Forwarded-Proto": "https", "X-Forwarded-Host": "sql.example.com", "X-Forwarded-Port": "443"}, "https://sql.example.com"},
		{map[string]string{"X-Forwarded-Proto": "javascript", "X-Forwarded-Host": "a/b", "X-Forwarded-Port": "1x"}, h.URL},
		{map[string]string{"X-Forwarded-Port": "99999"}, h.URL}, {map[string]string{"X-Forwarded-Port": "0"}, h.URL}, {map[string]string{"X-Forwarded-Port": "-1"}, h.URL},
	}
	for _, c := range cases {
		old := h.header.Clone()
		for k, v := range c.header {
			h.header.Set(k, v)
		}
		p, _, _ := h.page("POST", "/v1/statement", "rows 0")
		if !strings.HasPrefix(p.NextURI, c.want+"/v1/") {
			t.Errorf("%v: %s", c.header, p.NextURI)
		}
		h.header = old
	}
}

func TestStageTree(t *testing.T) {
	h := newHarness(t, nil)
	_, _, p, _ := h.run("rows 1")
	root := p.Stats.RootStage
	if root == nil || root.StageID != "0" || len(root.SubStages) != 1 {
		t.Fatalf("%+v", root)
	}
	seen := map[string]int{}
	var walk func(*answerStage)
	walk = func(s *answerStage) {
		seen[s.StageID]++
		if s.SubStages == nil || !s.Done {
			t.Errorf("%+v", s)
		}
		for _, sub := range s.SubStages {
			walk(sub)
		}
	}
	walk(root)
	if !reflect.DeepEqual(seen, map[string]int{"0": 1, "1": 1, "2": 1}) {
		t.Errorf("stages: %v", seen)
	}
	if p.Stats.Progress == nil || *p.Stats.Progress != 50 {
		t.Error("no progress")
	}
}

// TestManyClients: 64 clients at once lose nothing and leave nothing.
func TestManyClients(t *testing.T) {
	h := newHarness(t, func(c *Config) { c.Limits.Keep = 20 * time.Millisecond })
	var wait sync.WaitGroup
	for range 64 {
		wait.Go(func() {
			for i := range 5 {
				want := 700 * i
				if _, rows, _, _ := h.run(fmt.Sprint("rows ", want)); len(rows) != want {
					t.Errorf("%d rows, want %d", len(rows), want)
				}
			}
		})
	}
	wait.Wait()
	deadline := time.Now().Add(10 * time.Second)
	for {
		h.server.mu.Lock()
		left := len(h.server.results) + len(h.server.kept)
		h.server.mu.Unlock()
		if left == 0 && h.server.buffered.Load() == 0 {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("%d results and %d bytes are left", left, h.server.buffered.Load())
		}
		time.Sleep(10 * time.Millisecond)
	}
}

func TestAPI(t *testing.T) {
	down := make(chan struct{})
	h := newHarness(t, func(c *Config) { c.Shutdown = func() { close(down) } })
	h.run("rows 1")
	p, _, _ := h.page("POST", "/v1/statement", "never")
	cases := []struct {
		path string
		code int
		part string
	}{
		{"/v1/info", 200, `{"nodeVersion":{"version":"1.2"},"nodeId":"c","environment":"test","coordinator":true,"starting":false,"uptime":"`},
		{"/v1/info/state", 200, `"ACTIVE"`},
		{"/v1/status", 200, `"processors":`},
		{"/v1/cluster", 200, `"activeWorkers":1`},
		{"/v1/node", 200, `[{"nodeId":"c","uri":"http://c:8080"`},
		{"/v1/query", 200, `"queryId":"q_00001"`},
		{"/v1/query?state=running&limit=1", 200, `[{"queryId":"q_00001"`},
		{"/v1/query?q=nothing+like+it", 200, "[]"},
		{"/v1/query?limit=x", 400, "limit"},
		{"/v1/query/q_00000", 200, `"plan":"the plan","stages":[{"stageId":"0"`},
		{"/v1/query/nosuch", 404, "Query not found"},
		{"/healthz", 200, ""}, {"/readyz", 200, ""},
		{"/metrics", 200, `tutti_queries{state="RUNNING"} 1`},
		{"/nosuch", 404, ""},
	}
	for _, c := range cases {
		if resp, text := h.do("GET", c.path, ""); resp.StatusCode != c.code || !strings.Contains(text, c.part) {
			t.Errorf("%s: %s %.500s", c.path, resp.Status, text)
		}
	}
	if resp, _ := h.do("PUT", "/v1/info/state", `"ACTIVE"`); resp.StatusCode != 400 {
		t.Error(resp.Status)
	}
	if resp, _ := h.do("PUT", "/v1/info/state", `"SHUTTING_DOWN"`); resp.StatusCode != 200 {
		t.Error(resp.Status)
	}
	<-down
	if resp, _ := h.do("POST", "/v1/statement", "rows 1"); resp.StatusCode != 503 {
		t.Error(resp.Status)
	}
	if resp, _ := h.do("GET", "/readyz", ""); resp.StatusCode != 503 {
		t.Error(resp.Status)
	}
	if resp, _ := h.do("DELETE", p.NextURI, ""); resp.StatusCode != 204 {
		t.Error("a running query cannot be canceled while shutting down")
	}
}

func TestDurationText(t *testing.T) {
	for d, want := range map[time.Duration]string{37100 * time.Millisecond: "37.10s", 90 * time.Minute: "1.50h", 5 * time.Millisecond: "5.00ms", 48 * time.Hour: "2.00d"} {
		if got := durationText(d); got != want {
			t.Errorf("%s: %s", d, got)
		}
	}
}

// TestPanicIsNotShown: a mistake of ours ends one request and tells nothing.
func TestPanicIsNotShown(t *testing.T) {
	h := newHarness(t, func(c *Config) { c.Ready = func() error { panic("secret") } })
	resp, text := h.do("GET", "/readyz", "")
	if resp.StatusCode != 500 || strings.Contains(text, "secret") {
		t.Errorf("%s %s", resp.Status, text)
	}
}
