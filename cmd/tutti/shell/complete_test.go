package shell

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/tuttidb/tutti/client"
	"github.com/tuttidb/tutti/client/clienttest"
)

// fakeBackend answers statements from a table of rows and counts them.
type fakeBackend struct {
	rows  map[string][][]any
	asked []string
}

func (f *fakeBackend) Execute(_ context.Context, sql string) (Result, error) {
	f.asked = append(f.asked, sql)
	rows, ok := f.rows[sql]
	if !ok {
		return nil, errors.New("no such thing")
	}
	return &fakeResult{rows: rows}, nil
}

func (f *fakeBackend) Namespace() (catalog, schema string) { return "tpch", "tiny" }
func (f *fakeBackend) Close() error                        { return nil }

type fakeResult struct{ rows [][]any }

func (r *fakeResult) Next(context.Context) ([][]any, error) {
	rows := r.rows
	r.rows = nil
	if rows == nil {
		return nil, io.EOF
	}
	return rows, nil
}

func (r *fakeResult) Columns() []client.Column {
	return []client.Column{clienttest.Col("a", "varchar"), clienttest.Col("b", "varchar")}
}
func (r *fakeResult) Stats() client.Stats           { return client.Stats{} }
func (r *fakeResult) Update() (string, int64, bool) { return "", 0, false }
func (r *fakeResult) Warnings() []client.Warning    { return nil }
func (r *fakeResult) Close() error                  { return nil }

func columnsQuery(catalog, schema, table string) string {
	return `SELECT column_name, data_type FROM "` + catalog + `".information_schema.columns WHERE table_schema = '` + schema +
		`' AND table_name = '` + table + `' ORDER BY ordinal_position`
}

func newFakeBackend() *fakeBackend {
	return &fakeBackend{rows: map[string][][]any{
		"SHOW CATALOGS":                          {{"tpch"}, {"lake"}},
		`SHOW SCHEMAS FROM "tpch"`:               {{"tiny"}, {"sf1"}},
		`SHOW SCHEMAS FROM "lake"`:               {{"web"}},
		`SHOW TABLES FROM "tpch"."tiny"`:         {{"customer"}, {"orders"}, {"Odd Name"}},
		`SHOW TABLES FROM "tpch"."sf1"`:          {{"lineitem"}},
		`SHOW TABLES FROM "lake"."web"`:          {{"clicks"}},
		"SHOW FUNCTIONS":                         {{"count", "bigint"}, {"count", "bigint"}, {"concat", "varchar"}, {"$internal", "x"}},
		columnsQuery("tpch", "tiny", "customer"): {{"custkey", "bigint"}, {"name", "varchar(25)"}},
		columnsQuery("tpch", "tiny", "orders"):   {{"orderkey", "bigint"}, {"custkey", "bigint"}},
		columnsQuery("lake", "web", "clicks"):    {{"url", "varchar"}},
	}}
}

func TestComplete(t *testing.T) {
	for _, tc := range []struct{ head, tail, word, want string }{
		{"SELECT * FROM cu", "", "cu", "customer"},
		{"SELECT * FROM ", "", "", `customer orders "Odd Name" tiny sf1 tpch lake`},
		{"SELECT * FROM sf1.", "", "sf1.", "sf1.lineitem"},
		{"SELECT * FROM lake.", "", "lake.", "lake.web"},
		{"SELECT * FROM tpch.tiny.o", "", "tpch.tiny.o", "tpch.tiny.orders"},
		{"INSERT INTO or", "", "or", "orders"},
		{"DESCRIBE c", "", "c", "customer"},
		{"USE l", "", "l", "lake"},
		{"USE tpch.", "", "tpch.", "tpch.tiny tpch.sf1"},
		{"SELECT na", " FROM customer c", "na", "name NATURAL:natural"},
		{"SELECT c.", " FROM customer c, orders o", "c.", "c.custkey c.name"},
		{"SELECT * FROM customer AS c JOIN orders o ON o.o", "", "o.o", "o.orderkey"},
		{"SELECT u", " FROM lake.web.clicks", "u", "url unbounded: union: unnest: update: use: using:"},
		{"SELECT co", "", "co", "count( concat( column: columns: comment: commit:"},
		{"SEL", "", "SEL", "SELECT:"},
		{"SELECT 'FROM cu", "", "cu", ""},
		{"-- FROM cu", "", "cu", ""},
		{"SELECT x.", "", "x.", ""},
		{`\ti`, "", `\ti`, `\timing`},
		{`\mode j`, "", "j", "json jsonl"},
		{`\d ord`, "", "ord", "orders"},
		{`\c t`, "", "t", "tiny tpch"},
		{`SELECT * FROM "Od`, "", `"Od`, ""}, // within an open quote the scanner sees a name
	} {
		word, items := newCompleter(newFakeBackend()).complete(tc.head, tc.tail)
		var got []string
		for _, it := range items {
			got = append(got, it.Text)
		}
		want := strings.Fields(strings.ReplaceAll(strings.ReplaceAll(strings.ReplaceAll(tc.want, "NATURAL:", ""), ":", ""), `"Odd Name"`, `"Odd~Name"`))
		for i := range want {
			want[i] = strings.ReplaceAll(want[i], "~", " ")
		}
		if tc.head == `SELECT * FROM "Od` {
			want = []string{`"Odd Name"`}
		}
		if word != tc.word || !slices.Equal(got, want) {
			t.Errorf("%q: word %q with %q, want %q with %q", tc.head, word, got, tc.word, want)
		}
	}
}

func TestCompletionAsksOnceAWhile(t *testing.T) {
	b := newFakeBackend()
	c := newCompleter(b)
	now := time.Unix(0, 0)
	c.now = func() time.Time { return now }
	asks := func() int {
		b.asked = nil
		c.complete("USE tpch.t", "")
		c.complete("USE nowhere.t", "")
		return len(b.asked)
	}
	for _, step := range []struct {
		after time.Duration
		want  int
	}{{0, 2}, {time.Second, 0}, {lookupRetry, 1}, {lookupFresh, 2}} {
		now = now.Add(step.after)
		if got := asks(); got != step.want {
			t.Errorf("after %v: %d questions, want %d", step.after, got, step.want)
		}
	}
	c.forget()
	if got := asks(); got != 2 {
		t.Errorf("after forget: %d questions", got)
	}
}

func TestCollectTurnsNullToNothing(t *testing.T) {
	var got [][]string
	err := collect(t.Context(), &fakeResult{rows: [][]any{{nil, json.Number("1")}}}, func(r []string) { got = append(got, r) })
	if err != nil || !reflect.DeepEqual(got, [][]string{{"", "1"}}) {
		t.Errorf("%v, %v", got, err)
	}
}
