package client_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/klauspost/compress/zstd"
	"github.com/pierrec/lz4/v4"

	"github.com/tuttidb/tutti/client"
	"github.com/tuttidb/tutti/client/clienttest"
)

// newPair starts a fake server and a client with short waits to it.
func newPair(t *testing.T, answer func(clienttest.Request) clienttest.Answer) (*clienttest.Server, *client.Client) {
	t.Helper()
	s := clienttest.New(answer)
	t.Cleanup(s.Close)
	return s, &client.Client{
		BaseURL: s.URL, Session: client.NewSession("ann"), Heartbeat: -1,
		Retry: client.Retry{Base: time.Millisecond, Max: 5 * time.Millisecond, Budget: 10 * time.Second},
	}
}

func fixed(a clienttest.Answer) func(clienttest.Request) clienttest.Answer {
	return func(clienttest.Request) clienttest.Answer { return a }
}

// drain reads a query to its end.
func drain(ctx context.Context, q *client.Query) ([][]any, error) {
	var all [][]any
	for {
		rows, err := q.Next(ctx)
		if errors.Is(err, io.EOF) {
			return all, nil
		}
		if err != nil {
			return all, err
		}
		all = append(all, rows...)
	}
}

func run(t *testing.T, c *client.Client, sql string) ([][]any, error) {
	t.Helper()
	q, err := c.Execute(t.Context(), sql)
	if err != nil {
		return nil, err
	}
	defer q.Close()
	return drain(t.Context(), q)
}

var twoPages = clienttest.Answer{
	Columns: []client.Column{clienttest.Col("n", "bigint"), clienttest.Col("s", "varchar")},
	Pages: []clienttest.Page{
		{Rows: [][]any{{1, "a"}, {2, nil}}},
		{}, // an answer with news only
		{Rows: [][]any{{json.Number("9223372036854775807"), "ünï"}}, Stats: client.Stats{State: "FINISHED", ProcessedRows: 3, PeakMemoryBytes: 7}},
	},
}

func TestPagesInOrder(t *testing.T) {
	s, c := newPair(t, fixed(twoPages))
	q, err := c.Execute(t.Context(), "SELECT 1")
	if err != nil {
		t.Fatal(err)
	}
	rows, err := drain(t.Context(), q)
	if err != nil {
		t.Fatal(err)
	}
	want := [][]any{{json.Number("1"), "a"}, {json.Number("2"), nil}, {json.Number("9223372036854775807"), "ünï"}}
	if !reflect.DeepEqual(rows, want) {
		t.Errorf("rows = %v, want %v", rows, want)
	}
	if got := q.Stats(); got.State != "FINISHED" || got.ProcessedRows != 3 || got.PeakMemoryBytes != 7 {
		t.Errorf("stats = %+v", got)
	}
	if q.ID() != "q1" || !strings.Contains(q.InfoURI(), "q1") || len(q.Columns()) != 2 {
		t.Errorf("id %q, info %q, columns %v", q.ID(), q.InfoURI(), q.Columns())
	}
	if err := q.Close(); err != nil || s.Canceled() != 0 {
		t.Errorf("close of an ended query: %v, %d cancels", err, s.Canceled())
	}
	if _, err := q.Next(t.Context()); !errors.Is(err, io.EOF) {
		t.Errorf("Next after the end = %v, want io.EOF", err)
	}
}

func TestSmallQueryTakesTwoRequests(t *testing.T) {
	s, c := newPair(t, fixed(clienttest.Answer{
		Columns: []client.Column{clienttest.Col("n", "integer")}, Pages: []clienttest.Page{{Rows: [][]any{{1}}}},
	}))
	if _, err := run(t, c, "SELECT 1"); err != nil {
		t.Fatal(err)
	}
	if n := len(s.Requests()); n != 2 {
		t.Errorf("%d requests, want 2", n)
	}
}

func TestRetriesAfterBusyAnswers(t *testing.T) {
	s, c := newPair(t, fixed(twoPages))
	seen := map[string]int{}
	s.Intrude(func(w http.ResponseWriter, r clienttest.Request) bool {
		key := r.Method + r.Path
		seen[key]++
		statuses := []int{429, 503, 502, 504}
		if r.Method == http.MethodPost {
			statuses = []int{429, 503}
		}
		if seen[key] <= len(statuses) {
			w.Header().Set("Retry-After", "0")
			w.WriteHeader(statuses[seen[key]-1])
			return true
		}
		return r.Method == http.MethodGet && seen[key] == len(statuses)+1 // a 200 without a body
	})
	rows, err := run(t, c, "INSERT INTO t VALUES 1")
	if err != nil || len(rows) != 3 {
		t.Fatalf("%d rows, %v", len(rows), err)
	}
}

func TestPostIsNotRepeatedWhereItMayHaveRun(t *testing.T) {
	for _, tc := range []struct {
		sql  string
		want int // requests
	}{
		{"INSERT INTO t SELECT 1", 1},
		{"CREATE TABLE t AS SELECT 1", 1},
		{"/* c */ -- d\n (SELECT 1)", 3},
		{"with x as (select 1) select * from x", 3},
	} {
		s, c := newPair(t, fixed(twoPages))
		n := 0
		s.Intrude(func(w http.ResponseWriter, r clienttest.Request) bool {
			if n++; n <= 2 {
				w.WriteHeader(http.StatusGatewayTimeout)
				return true
			}
			return false
		})
		q, err := c.Execute(t.Context(), tc.sql)
		if got := len(s.Requests(http.MethodPost)); got != tc.want {
			t.Errorf("%s: %d requests, want %d", tc.sql, got, tc.want)
		}
		if err == nil {
			_ = q.Close()
		}
		if (err != nil) != (tc.want == 1) {
			t.Errorf("%s: error %v", tc.sql, err)
		}
	}
}

func TestRetryAfterIsKept(t *testing.T) {
	s, c := newPair(t, fixed(twoPages))
	n := 0
	s.Intrude(func(w http.ResponseWriter, r clienttest.Request) bool {
		if n++; n == 1 {
			w.Header().Set("Retry-After", "1")
			w.WriteHeader(http.StatusTooManyRequests)
			return true
		}
		return false
	})
	start := time.Now()
	if _, err := run(t, c, "SELECT 1"); err != nil {
		t.Fatal(err)
	}
	if d := time.Since(start); d < time.Second {
		t.Errorf("waited %v, the server asked for 1 s", d)
	}
}

func TestRetryBudgetEnds(t *testing.T) {
	s, c := newPair(t, fixed(twoPages))
	c.Retry.Budget = 30 * time.Millisecond
	s.Intrude(func(w http.ResponseWriter, r clienttest.Request) bool {
		http.Error(w, "overloaded\nsecond line", http.StatusServiceUnavailable)
		return true
	})
	_, err := c.Execute(t.Context(), "SELECT 1")
	var he *client.HTTPError
	if !errors.As(err, &he) || he.StatusCode != 503 || he.Body != "overloaded" || !strings.Contains(err.Error(), "gave up after") {
		t.Errorf("error = %v", err)
	}
}

func TestUnauthorizedFailsAtOnce(t *testing.T) {
	s, c := newPair(t, fixed(twoPages))
	s.Intrude(func(w http.ResponseWriter, r clienttest.Request) bool {
		w.WriteHeader(http.StatusUnauthorized)
		return true
	})
	_, err := c.Execute(t.Context(), "SELECT 1")
	var he *client.HTTPError
	if !errors.As(err, &he) || he.StatusCode != 401 || len(s.Requests()) != 1 {
		t.Errorf("error = %v after %d requests", err, len(s.Requests()))
	}
}

func TestConnectionRefused(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	addr := "http://" + l.Addr().String()
	_ = l.Close()
	c := &client.Client{BaseURL: addr, Session: client.NewSession("ann")}
	start := time.Now()
	for _, sql := range []string{"SELECT 1", "INSERT INTO t VALUES 1"} {
		_, err = c.Execute(t.Context(), sql)
		var ce *client.ConnectError
		if !errors.As(err, &ce) || ce.URL != addr || time.Since(start) > 5*time.Second {
			t.Errorf("error = %v after %v", err, time.Since(start))
		}
	}
}

func TestNotAServer(t *testing.T) {
	for _, body := range []string{"<html>hello</html>", "{}", "[]"} {
		s, c := newPair(t, fixed(twoPages))
		s.Intrude(func(w http.ResponseWriter, r clienttest.Request) bool {
			fmt.Fprint(w, body)
			return true
		})
		if _, err := c.Execute(t.Context(), "SELECT 1"); err == nil || !strings.Contains(err.Error(), "not of the statement protocol") {
			t.Errorf("%s: error = %v", body, err)
		}
	}
	c := &client.Client{BaseURL: "localhost:8080"}
	if _, err := c.Execute(t.Context(), "SELECT 1"); err == nil || !strings.Contains(err.Error(), "not an http or https URL") {
		t.Errorf("error = %v", err)
	}
}

func TestQueryError(t *testing.T) {
	_, c := newPair(t, fixed(clienttest.Answer{Error: &clienttest.Failure{
		Message: "line 2:8: Column 'nosuch' cannot be resolved", ErrorCode: 47, ErrorName: "COLUMN_NOT_FOUND",
		ErrorType: "USER_ERROR", ErrorLocation: &clienttest.Location{LineNumber: 2, ColumnNumber: 8},
	}}))
	_, err := run(t, c, "SELECT\n       nosuch")
	var qe *client.Error
	if !errors.As(err, &qe) {
		t.Fatalf("error = %v", err)
	}
	want := client.Error{
		Message: "line 2:8: Column 'nosuch' cannot be resolved", Code: 47, Name: "COLUMN_NOT_FOUND",
		Type: client.UserError, Line: 2, Column: 8, QueryID: "q1",
	}
	if !reflect.DeepEqual(*qe, want) {
		t.Errorf("error = %+v, want %+v", *qe, want)
	}
	if !errors.Is(err, &client.Error{Name: "COLUMN_NOT_FOUND"}) || errors.Is(err, &client.Error{Code: 1}) || errors.Is(err, &client.Error{}) {
		t.Error("errors.Is does not go by name, code and type")
	}
}

func TestErrorPlaceFromMessage(t *testing.T) {
	_, c := newPair(t, fixed(clienttest.Answer{Error: &clienttest.Failure{Message: "line 3:14: oops", ErrorType: "USER_ERROR"}}))
	_, err := run(t, c, "SELECT 1")
	var qe *client.Error
	if !errors.As(err, &qe) || qe.Line != 3 || qe.Column != 14 {
		t.Errorf("error = %+v", qe)
	}
}

func TestContextEndCancelsTheQuery(t *testing.T) {
	s, c := newPair(t, fixed(clienttest.Answer{Columns: twoPages.Columns, Pages: twoPages.Pages, Hold: true}))
	ctx, cancel := context.WithCancelCause(t.Context())
	defer cancel(nil)
	q, err := c.Execute(ctx, "SELECT 1")
	if err != nil {
		t.Fatal(err)
	}
	rows := 0
	why := errors.New("enough")
	for err == nil {
		var page [][]any
		page, err = q.Next(ctx)
		if rows += len(page); rows == 3 {
			cancel(why)
		}
	}
	if !errors.Is(err, why) {
		t.Errorf("Next after cancel = %v, want the cause", err)
	}
	if s.Canceled() != 1 {
		t.Errorf("%d queries canceled at the server, want 1", s.Canceled())
	}
}

func TestCancelFromAnotherGoroutine(t *testing.T) {
	s, c := newPair(t, fixed(clienttest.Answer{Columns: twoPages.Columns, Hold: true}))
	q, err := c.Execute(t.Context(), "SELECT 1")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := q.Next(t.Context()); err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() { done <- q.Cancel() }()
	for err == nil {
		_, err = q.Next(t.Context())
	}
	if !errors.Is(err, client.ErrCanceled) {
		t.Errorf("Next = %v, want ErrCanceled", err)
	}
	if err := <-done; err != nil || s.Canceled() != 1 {
		t.Errorf("Cancel = %v, %d cancels", err, s.Canceled())
	}
}

func TestCloseEarlyCancels(t *testing.T) {
	s, c := newPair(t, fixed(twoPages))
	q, err := c.Execute(t.Context(), "SELECT 1")
	if err != nil {
		t.Fatal(err)
	}
	if err := q.Close(); err != nil || s.Canceled() != 1 {
		t.Errorf("Close = %v, %d cancels", err, s.Canceled())
	}
	if err := q.Close(); err != nil || len(s.Requests(http.MethodDelete)) != 1 {
		t.Errorf("second Close = %v", err)
	}
}

func TestHeartbeatWhileUnread(t *testing.T) {
	s, c := newPair(t, fixed(twoPages))
	c.Heartbeat = 5 * time.Millisecond
	beats := make(chan struct{}, 100)
	s.Intrude(func(w http.ResponseWriter, r clienttest.Request) bool {
		if r.Method == http.MethodHead {
			beats <- struct{}{}
		}
		return false
	})
	q, err := c.Execute(t.Context(), "SELECT 1")
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		select {
		case <-beats:
		case <-time.After(10 * time.Second):
			t.Fatal("no heartbeat")
		}
	}
	if rows, err := drain(t.Context(), q); err != nil || len(rows) != 3 {
		t.Errorf("%d rows, %v", len(rows), err)
	}
}

func segments(t *testing.T, encoding string, parts ...map[string]any) json.RawMessage {
	t.Helper()
	b, err := json.Marshal(map[string]any{"encoding": encoding, "segments": parts})
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func inline(data []byte, rows, size int) map[string]any {
	meta := map[string]any{"rowOffset": 0, "rowsCount": rows, "segmentSize": len(data)}
	if size > 0 {
		meta["uncompressedSize"] = size
	}
	return map[string]any{"type": "inline", "data": base64.StdEncoding.EncodeToString(data), "metadata": meta}
}

// manyRows is JSON that compresses, with n rows.
func manyRows(n int) []byte {
	var b bytes.Buffer
	for i := range n {
		fmt.Fprintf(&b, `%c[%d,"value %d"]`, "[,"[min(i, 1)], i, i%7)
	}
	b.WriteByte(']')
	return b.Bytes()
}

func packZstd(t *testing.T, b []byte) []byte {
	t.Helper()
	w, err := zstd.NewWriter(nil)
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	return w.EncodeAll(b, nil)
}

func packLZ4(t *testing.T, b []byte) []byte {
	t.Helper()
	out := make([]byte, lz4.CompressBlockBound(len(b)))
	n, err := lz4.CompressBlock(b, out, nil)
	if err != nil || n == 0 {
		t.Fatalf("lz4: %d, %v", n, err)
	}
	return out[:n]
}

func TestInlineSegments(t *testing.T) {
	plain := manyRows(1000)
	small := []byte(`[[1000,"last"]]`)
	for encoding, packed := range map[string][]byte{"json+zstd": packZstd(t, plain), "json+lz4": packLZ4(t, plain), "json": plain} {
		size := len(plain)
		if encoding == "json" {
			size = 0
		}
		s, c := newPair(t, fixed(clienttest.Answer{Columns: twoPages.Columns, Pages: []clienttest.Page{
			{Data: segments(t, encoding, inline(packed, 1000, size), inline(small, 1, 0))},
		}}))
		rows, err := run(t, c, "SELECT 1")
		if err != nil || len(rows) != 1001 {
			t.Errorf("%s: %d rows, %v", encoding, len(rows), err)
			continue
		}
		if !reflect.DeepEqual(rows[999:], [][]any{{json.Number("999"), "value 5"}, {json.Number("1000"), "last"}}) {
			t.Errorf("%s: rows end with %v", encoding, rows[999:])
		}
		if got := s.Requests(http.MethodPost)[0].Header.Get("X-Trino-Query-Data-Encoding"); got != "json+zstd,json+lz4,json" {
			t.Errorf("offered encodings %q", got)
		}
	}
}

func TestDamagedSegments(t *testing.T) {
	plain := manyRows(100)
	for name, tc := range map[string]struct {
		data json.RawMessage
		want string
	}{
		"row count":     {segments(t, "json", inline(plain, 99, 0)), "100 rows but announces 99"},
		"size too big":  {segments(t, "json+zstd", inline(packZstd(t, plain), 100, 1<<40)), "out of range"},
		"size wrong":    {segments(t, "json+zstd", inline(packZstd(t, plain), 100, 5)), "unpack"},
		"lz4 cut":       {segments(t, "json+lz4", inline(packLZ4(t, plain)[:20], 100, len(plain))), "unpack"},
		"encoding":      {segments(t, "arrow", inline(plain, 100, 7)), "not supported: encoding"},
		"segment type":  {segments(t, "json", map[string]any{"type": "magic"}), "not supported: segment type"},
		"not JSON":      {segments(t, "json", inline([]byte("[[1,"), 1, 0)), "not valid JSON"},
		"width":         {json.RawMessage(`[[1,"a"],[1]]`), "row 2 of a page has 1 values for 2 columns"},
		"not an object": {json.RawMessage(`"x"`), "read encoded rows"},
	} {
		s, c := newPair(t, fixed(clienttest.Answer{Columns: twoPages.Columns, Hold: true, Pages: []clienttest.Page{{Data: tc.data}}}))
		_, err := run(t, c, "SELECT 1")
		if err == nil || !strings.Contains(err.Error(), tc.want) {
			t.Errorf("%s: error = %v, want …%s…", name, err, tc.want)
		}
		if s.Canceled() != 1 {
			t.Errorf("%s: the unreadable query was left running", name)
		}
	}
}

func TestSpooledSegments(t *testing.T) {
	plain := manyRows(50)
	packed := packZstd(t, plain)
	var s *clienttest.Server
	s, c := newPair(t, func(clienttest.Request) clienttest.Answer {
		return clienttest.Answer{Columns: twoPages.Columns, Pages: []clienttest.Page{{Data: segments(t, "json+zstd", map[string]any{
			"type": "spooled", "uri": s.URL + "/segment/1", "ackUri": s.URL + "/ack/1",
			"headers":  map[string][]string{"X-Key": {"k1"}},
			"metadata": map[string]any{"rowsCount": 50, "uncompressedSize": len(plain)},
		})}}}
	})
	s.Intrude(func(w http.ResponseWriter, r clienttest.Request) bool {
		switch r.Path {
		case "/segment/1":
			if r.Header.Get("X-Key") != "k1" || r.Header.Get("Accept-Encoding") != "identity" || r.Header.Get("X-Trino-User") != "" {
				t.Errorf("segment asked for with headers %v", r.Header)
			}
			_, _ = w.Write(packed)
			return true
		case "/ack/1":
			return true
		}
		return false
	})
	rows, err := run(t, c, "SELECT 1")
	if err != nil || len(rows) != 50 {
		t.Fatalf("%d rows, %v", len(rows), err)
	}
	last := s.Requests()[len(s.Requests())-1]
	if last.Path != "/ack/1" || last.Method != http.MethodGet {
		t.Errorf("last request %s %s, want the acknowledgement", last.Method, last.Path)
	}
}

func TestUpdateCountAndWarnings(t *testing.T) {
	n := int64(12)
	_, c := newPair(t, fixed(clienttest.Answer{
		Columns: []client.Column{clienttest.Col("rows", "bigint")}, Pages: []clienttest.Page{{Rows: [][]any{{12}}}},
		UpdateType: "INSERT", UpdateCount: &n,
		Warnings: []client.Warning{{Code: client.WarningCode{Code: 1, Name: "OLD"}, Message: "old syntax"}},
	}))
	q, err := c.Execute(t.Context(), "INSERT INTO t VALUES 1")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := drain(t.Context(), q); err != nil {
		t.Fatal(err)
	}
	if kind, rows, ok := q.Update(); kind != "INSERT" || rows != 12 || !ok {
		t.Errorf("update = %q %d %v", kind, rows, ok)
	}
	if w := q.Warnings(); len(w) != 1 || w[0].Message != "old syntax" {
		t.Errorf("warnings = %v", w)
	}
}

func TestCredentialsStayWithTheServer(t *testing.T) {
	other := clienttest.New(fixed(twoPages))
	t.Cleanup(other.Close)
	other.Intrude(func(w http.ResponseWriter, r clienttest.Request) bool {
		fmt.Fprint(w, `{"id":"q9","stats":{}}`)
		return true
	})
	s, c := newPair(t, fixed(twoPages))
	c.Auth = client.BearerAuth("secret")
	s.Intrude(func(w http.ResponseWriter, r clienttest.Request) bool {
		fmt.Fprintf(w, `{"id":"q9","nextUri":%q,"stats":{}}`, other.URL+"/v1/statement/x/1")
		return true
	})
	if _, err := run(t, c, "SELECT 1"); err != nil {
		t.Fatal(err)
	}
	if got := s.Requests()[0].Header.Get("Authorization"); got != "Bearer secret" {
		t.Errorf("server got %q", got)
	}
	if got := other.Requests()[0].Header.Get("Authorization"); got != "" {
		t.Errorf("another host got %q", got)
	}
}

func TestInfoAndPing(t *testing.T) {
	s, c := newPair(t, fixed(twoPages))
	info, err := c.Info(t.Context())
	if err != nil || info.NodeVersion.Version != "1" || !info.Coordinator {
		t.Errorf("info = %+v, %v", info, err)
	}
	if err := c.Ping(t.Context()); err != nil {
		t.Error(err)
	}
	s.Intrude(func(w http.ResponseWriter, r clienttest.Request) bool {
		if r.Method == http.MethodHead {
			w.WriteHeader(http.StatusMethodNotAllowed)
			return true
		}
		return false
	})
	if err := c.Ping(t.Context()); err != nil {
		t.Errorf("ping of an older server: %v", err)
	}
}
