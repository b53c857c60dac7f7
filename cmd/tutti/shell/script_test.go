package shell

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/tuttidb/tutti/client"
	"github.com/tuttidb/tutti/client/clienttest"
)

// answers is a small world for the fake server.
func answers(r clienttest.Request) clienttest.Answer {
	one := func(name, typ string, v any) clienttest.Answer {
		return clienttest.Answer{Columns: []client.Column{clienttest.Col(name, typ)}, Pages: []clienttest.Page{{Rows: [][]any{{v}}}}}
	}
	fail := func(kind, name, message string) clienttest.Answer {
		return clienttest.Answer{Error: &clienttest.Failure{Message: message, ErrorType: kind, ErrorName: name}}
	}
	sql := strings.Join(strings.Fields(r.Body), " ")
	switch {
	case strings.HasPrefix(sql, "SELECT nosuch"):
		a := fail("USER_ERROR", "COLUMN_NOT_FOUND", "line 1:8: Column 'nosuch' cannot be resolved")
		a.Error.ErrorLocation = &clienttest.Location{LineNumber: 1, ColumnNumber: 8}
		return a
	case sql == "SELECT big":
		return fail("INSUFFICIENT_RESOURCES", "EXCEEDED_LOCAL_MEMORY_LIMIT", "too big")
	case sql == "SELECT s3":
		return fail("EXTERNAL", "HIVE_CANNOT_OPEN_SPLIT", "bucket is gone")
	case sql == "SELECT bug":
		return fail("INTERNAL_ERROR", "GENERIC_INTERNAL_ERROR", "bug")
	case sql == "SELECT forever":
		return clienttest.Answer{Columns: []client.Column{clienttest.Col("n", "bigint")}, Hold: true}
	case strings.HasPrefix(sql, "INSERT"):
		n := int64(12)
		a := one("rows", "bigint", 12)
		a.UpdateType, a.UpdateCount = "INSERT", &n
		return a
	case strings.HasPrefix(sql, "USE "):
		catalog, schema, _ := strings.Cut(sql[4:], ".")
		return clienttest.Answer{UpdateType: "USE", Header: http.Header{"X-Trino-Set-Catalog": {catalog}, "X-Trino-Set-Schema": {schema}}}
	case sql == "SELECT warn":
		a := one("n", "bigint", 1)
		a.Warnings = []client.Warning{{Message: "old syntax"}}
		return a
	case strings.HasPrefix(sql, "SELECT "):
		return one("n", "bigint", 1)
	}
	return one("Name", "varchar", sql)
}

type outcome struct {
	code     int
	out, err string
	sent     []string
}

// runShell runs options against a fake server.
func runShell(t *testing.T, o Options) outcome {
	t.Helper()
	s := clienttest.New(answers)
	t.Cleanup(s.Close)
	var out, errs bytes.Buffer
	o.Out, o.Err = &out, &errs
	if o.Server == "" {
		o.Server = s.URL
	}
	if o.In == nil {
		o.In = strings.NewReader("")
	}
	code := Run(t.Context(), o)
	return outcome{code, out.String(), errs.String(), s.Statements()}
}

func TestScripts(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "q.sql")
	if err := os.WriteFile(file, []byte("SELECT 1 -- a comment\n;\n\\mode tsv\nSELECT 2;\n\nSELECT\n  3"), 0o600); err != nil {
		t.Fatal(err)
	}
	bad := filepath.Join(dir, "bad.sql")
	if err := os.WriteFile(bad, []byte("SELECT 1;\n\n  SELECT nosuch;\nSELECT 2;\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	csv1 := "n\n1\n"
	for name, tc := range map[string]struct {
		o    Options
		want outcome
	}{
		"statements":  {Options{Format: "csv", Execute: []string{"SELECT 1; SELECT 2", "SELECT 3;"}}, outcome{0, csv1 + csv1 + csv1, "", []string{"SELECT 1", "SELECT 2", "SELECT 3"}}},
		"file":        {Options{Format: "csv", File: file}, outcome{0, csv1 + csv1 + csv1, "Format is tsv.\n", []string{"SELECT 1 -- a comment", "SELECT 2", "SELECT\n  3"}}},
		"stdin":       {Options{Format: "jsonl", In: strings.NewReader("SELECT 1;SELECT 2")}, outcome{0, "{\"n\":1}\n{\"n\":1}\n", "", []string{"SELECT 1", "SELECT 2"}}},
		"dash":        {Options{Format: "csv", File: "-", In: strings.NewReader("SELECT 1")}, outcome{0, csv1, "", []string{"SELECT 1"}}},
		"vertical":    {Options{Format: "csv", Execute: []string{`SELECT 1\G`}}, outcome{0, "─[ record 1 ]────────\nn │ 1\n", "", []string{"SELECT 1"}}},
		"insert":      {Options{Execute: []string{"INSERT INTO t SELECT 1"}}, outcome{0, "INSERT: 12 rows\n", "", []string{"INSERT INTO t SELECT 1"}}},
		"insert csv":  {Options{Format: "csv", Execute: []string{"INSERT INTO t SELECT 1"}}, outcome{0, "rows\n12\n", "", []string{"INSERT INTO t SELECT 1"}}},
		"warning":     {Options{Format: "csv", Execute: []string{"SELECT warn"}}, outcome{0, csv1, "Warning: old syntax\n", []string{"SELECT warn"}}},
		"user error":  {Options{Format: "csv", File: bad}, outcome{1, csv1, bad + ":3: Error: line 1:8: Column 'nosuch' cannot be resolved (COLUMN_NOT_FOUND)\n   1 │ SELECT nosuch\n     │        ^\n", []string{"SELECT 1", "SELECT nosuch"}}},
		"external":    {Options{Execute: []string{"SELECT s3"}}, outcome{3, "", "Error: bucket is gone (HIVE_CANNOT_OPEN_SPLIT)\n", []string{"SELECT s3"}}},
		"resources":   {Options{Execute: []string{"SELECT big", "SELECT 1"}}, outcome{4, "", "Error: too big (EXCEEDED_LOCAL_MEMORY_LIMIT)\n", []string{"SELECT big"}}},
		"internal":    {Options{Execute: []string{"SELECT bug"}}, outcome{5, "", "Error: bug (GENERIC_INTERNAL_ERROR)\n", []string{"SELECT bug"}}},
		"format":      {Options{Format: "xml", Execute: []string{"SELECT 1"}}, outcome{2, "", "Error: unknown format \"xml\": want one of table, csv, tsv, json, jsonl, markdown, vertical\n", nil}},
		"progress":    {Options{Progress: "maybe"}, outcome{2, "", "Error: progress is \"maybe\", want auto, on or off\n", nil}},
		"no file":     {Options{File: filepath.Join(dir, "none")}, outcome{2, "", "Error: open " + filepath.Join(dir, "none") + ": no such file or directory\n", nil}},
		"bad command": {Options{Execute: []string{"\\nope\nSELECT 1"}}, outcome{2, "", "Error: unknown command \\nope: \\? lists what there is\n", nil}},
		"quit":        {Options{Format: "csv", Execute: []string{"SELECT 1;\n\\q\nSELECT 2;", "SELECT 3"}}, outcome{0, csv1, "", []string{"SELECT 1"}}},
		"include":     {Options{Format: "csv", Execute: []string{"\\i " + bad}}, outcome{1, csv1, bad + ":3: Error: line 1:8: Column 'nosuch' cannot be resolved (COLUMN_NOT_FOUND)\n   1 │ SELECT nosuch\n     │        ^\n", []string{"SELECT 1", "SELECT nosuch"}}},
		"nothing":     {Options{Execute: []string{" ; -- nothing"}}, outcome{0, "", "", nil}},
		"server name": {Options{Server: "ftp://x", Execute: []string{"SELECT 1"}}, outcome{2, "", "Error: server \"ftp://x\": want http://host:port\n", nil}},
	} {
		t.Run(name, func(t *testing.T) {
			got := runShell(t, tc.o)
			if name == "file" { // \mode tsv changes nothing that these rows show
				got.out = strings.ReplaceAll(got.out, "\t", ",")
			}
			if !reflect.DeepEqual(got, tc.want) {
				t.Errorf("got  %+v\nwant %+v", got, tc.want)
			}
		})
	}
}

func TestSummaryWhenAsked(t *testing.T) {
	got := runShell(t, Options{Format: "csv", Progress: "on", Execute: []string{"SELECT 1"}})
	if !strings.HasPrefix(got.err, "1 row in ") || got.out != "n\n1\n" {
		t.Errorf("%+v", got)
	}
}

func TestServerDown(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	addr := l.Addr().String()
	_ = l.Close()
	got := runShell(t, Options{Server: addr, Execute: []string{"SELECT 1"}})
	if got.code != ExitExternal || strings.Count(got.err, "\n") != 1 ||
		!strings.HasPrefix(got.err, "Error: cannot reach server at http://"+addr+": is it running? start one with `tutti server`") {
		t.Errorf("%+v", got)
	}
}

func TestSessionOptionsAreSent(t *testing.T) {
	s := clienttest.New(answers)
	t.Cleanup(s.Close)
	props, err := ParseSession([]string{"a=1", "b=x=y"})
	if err != nil {
		t.Fatal(err)
	}
	code := Run(t.Context(), Options{
		Server: s.URL, User: "ann", Catalog: "lake", Schema: "web", TimeZone: "UTC", Session: props, Token: "tok",
		Execute: []string{"SELECT 1"}, Out: io.Discard, Err: io.Discard,
	})
	h := s.Requests(http.MethodPost)[0].Header
	got := []string{h.Get("X-Trino-User"), h.Get("X-Trino-Catalog"), h.Get("X-Trino-Schema"), h.Get("X-Trino-Time-Zone"), h.Get("Authorization"), strings.Join(h.Values("X-Trino-Session"), " ")}
	if want := []string{"ann", "lake", "web", "UTC", "Bearer tok", "a=1 b=x%3Dy"}; code != 0 || !reflect.DeepEqual(got, want) {
		t.Errorf("code %d, sent %q", code, got)
	}
	if _, err := ParseSession([]string{"a"}); err == nil {
		t.Error("a property without a value was taken")
	}
	if _, err := Dial(Options{Server: "http://h", Password: "x"}); err == nil {
		t.Error("a password over http was taken")
	}
}

func TestServerURL(t *testing.T) {
	for in, want := range map[string]string{
		"": DefaultServer, "localhost": "http://localhost:8080", "h:99": "http://h:99", "https://h": "https://h", "http://h/gate": "http://h:8080/gate",
	} {
		if u, err := serverURL(in); err != nil || u.String() != want {
			t.Errorf("%q: %v, %v, want %s", in, u, err, want)
		}
	}
}

func TestInterruptCancelsAndStopsTheScript(t *testing.T) {
	s := clienttest.New(answers)
	t.Cleanup(s.Close)
	var errs bytes.Buffer
	sh, err := newShell(Options{Server: s.URL, In: strings.NewReader(""), Out: io.Discard, Err: &errs, Execute: []string{"SELECT forever; SELECT 1"}})
	if err != nil {
		t.Fatal(err)
	}
	sh.onInterrupt = func(f func()) func() {
		stop := context.AfterFunc(firstGet(t, s), f)
		return func() { stop() }
	}
	if err := sh.main(t.Context()); !errors.Is(err, errInterrupted) || exitCode(err) != ExitInterrupted {
		t.Errorf("error = %v", err)
	}
	if errs.String() != "Query canceled.\n" || s.Canceled() != 1 || len(s.Statements()) != 1 {
		t.Errorf("said %q, %d cancels, sent %q", errs.String(), s.Canceled(), s.Statements())
	}
}

// firstGet returns a context that ends once the server has been asked for a page.
func firstGet(t *testing.T, s *clienttest.Server) context.Context {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	s.Intrude(func(_ http.ResponseWriter, r clienttest.Request) bool {
		if r.Method == http.MethodGet {
			cancel()
		}
		return false
	})
	return ctx
}

func TestWriteErrorsEndTheRun(t *testing.T) {
	s := clienttest.New(answers)
	t.Cleanup(s.Close)
	var errs bytes.Buffer
	code := Run(t.Context(), Options{Server: s.URL, Execute: []string{"SELECT 1; SELECT 2"}, Out: brokenPipe{}, Err: &errs})
	if code != ExitExternal || len(s.Statements()) != 1 || !strings.Contains(errs.String(), "write output: pipe is broken") {
		t.Errorf("code %d, said %q, sent %q", code, errs.String(), s.Statements())
	}
}

type brokenPipe struct{}

func (brokenPipe) Write([]byte) (int, error) { return 0, errors.New("pipe is broken") }

// interactive runs lines as typed into a terminal without line editing.
func interactive(t *testing.T, lines string) outcome {
	t.Helper()
	return runShell(t, Options{IsTerminal: true, In: strings.NewReader(lines), HistoryFile: filepath.Join(t.TempDir(), "h")})
}

func TestInteractivePlain(t *testing.T) {
	got := interactive(t, "SELECT 1,\n  2;\nSELECT nosuch;\nUSE tpch.tiny;\n\\timing off\n\\mode csv\nSELECT 3; SELECT 4;\nhistory\n\\c lake.web\n\\bogus\nquit\nSELECT 5;\n")
	if got.code != 0 {
		t.Errorf("code %d", got.code)
	}
	if want := []string{"SELECT 1,\n  2", "SELECT nosuch", "USE tpch.tiny", "SELECT 3", "SELECT 4", "USE lake.web"}; !reflect.DeepEqual(got.sent, want) {
		t.Errorf("sent %q", got.sent)
	}
	for _, want := range []string{
		"tutti>     -> ┌───┐\n│ n │\n├───┤\n│ 1 │\n└───┘\n", "tutti:tpch.tiny> n\n1\nn\n1\n", "    1  SELECT 1,\n         2;\n    2  SELECT nosuch;\n", "tutti:lake.web> ",
	} {
		if !strings.Contains(got.out, want) {
			t.Errorf("output lacks %q:\n%s", want, got.out)
		}
	}
	for _, want := range []string{"     │        ^\n", "Format is csv.\n", "Timing is off.\n", "unknown command \\bogus"} {
		if !strings.Contains(got.err, want) {
			t.Errorf("messages lack %q:\n%s", want, got.err)
		}
	}
}

func TestInteractiveCommands(t *testing.T) {
	for command, want := range map[string]string{
		`\d`: "SHOW TABLES", `\d a.b`: "DESCRIBE a.b", `\dt`: "SHOW TABLES", `\dt c*'`: "SHOW TABLES LIKE 'c%'''", `\dt tpch.tiny`: "SHOW TABLES FROM tpch.tiny",
		`\dn`: "SHOW SCHEMAS", `\dn tpch`: "SHOW SCHEMAS FROM tpch", `\l`: "SHOW CATALOGS", `\df`: "SHOW FUNCTIONS", `\df sub*`: "SHOW FUNCTIONS LIKE 'sub%'", `\c a.b;`: "USE a.b",
	} {
		if got := interactive(t, command+"\n"); !reflect.DeepEqual(got.sent, []string{want}) {
			t.Errorf("%s sends %q, want %q", command, got.sent, want)
		}
	}
	for _, command := range []string{"help", `\?`} {
		if got := interactive(t, command+"\n"); !strings.Contains(got.out, `\mode, \format [format]`) || got.sent != nil {
			t.Errorf("%s prints %s", command, got.out)
		}
	}
	for command, want := range map[string]string{`\c`: "needs catalog.schema", `\i`: "needs the name", `\timing x`: "takes on or off", `\mode xml`: "unknown format"} {
		if got := interactive(t, command+"\n"); !strings.Contains(got.err, want) {
			t.Errorf("%s says %s", command, got.err)
		}
	}
	if got := interactive(t, "clear\n"); !strings.Contains(got.out, "\x1b[H\x1b[2J") {
		t.Errorf("clear prints %q", got.out)
	}
}

func TestProgressIsDrawnAndRemoved(t *testing.T) {
	var b bytes.Buffer
	s := &screen{out: &b, err: &b, shared: true}
	m := startMeter(s, progressLine, func() int { return 80 }, time.Now())
	m.update(client.Stats{State: "RUNNING", ProcessedRows: 5000})
	for deadline := time.Now().Add(10 * time.Second); time.Now().Before(deadline); time.Sleep(time.Millisecond) {
		s.mu.Lock()
		drawn := s.drawn
		s.mu.Unlock()
		if drawn {
			break
		}
	}
	m.stop()
	if got := b.String(); !strings.Contains(got, "running") || !strings.Contains(got, "5.0 K rows") || !strings.HasSuffix(got, "\r\x1b[K") {
		t.Errorf("drew %q", got)
	}
}
