package journal

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"net/http"
	"reflect"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/tuttidb/tutti/coordinator"
	"github.com/tuttidb/tutti/internal/qerr"
	pb "github.com/tuttidb/tutti/proto/tutti/v1"
)

func testCodec(t testing.TB) *codec {
	t.Helper()
	c, err := newCodec()
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// fill gives every field of a value, however deep, a value of its own; a kind
// of field that it does not know fails the test, so that a new one is thought of.
func fill(t *testing.T, v reflect.Value, n *int) {
	*n++
	switch v.Kind() {
	case reflect.String:
		v.SetString(fmt.Sprintf("text %d \"ü\n", *n))
	case reflect.Bool:
		v.SetBool(true)
	case reflect.Int, reflect.Int64:
		v.SetInt(int64(*n))
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 2, 2))
		fill(t, v.Index(0), n)
		fill(t, v.Index(1), n)
	case reflect.Map:
		v.Set(reflect.MakeMap(v.Type()))
		key, value := reflect.New(v.Type().Key()).Elem(), reflect.New(v.Type().Elem()).Elem()
		fill(t, key, n)
		fill(t, value, n)
		v.SetMapIndex(key, value)
	case reflect.Struct:
		if v.Type() == reflect.TypeFor[time.Time]() {
			v.Set(reflect.ValueOf(time.Unix(int64(*n), 123456789).UTC()))
			return
		}
		for i := range v.NumField() {
			fill(t, v.Field(i), n)
		}
	default:
		t.Fatalf("%s: what would be written of it?", v.Type())
	}
}

// TestStatementRoundTrip: each field of a statement and its session comes back,
// those included that are added later.
func TestStatementRoundTrip(t *testing.T) {
	c := testCodec(t)
	var st Statement
	n := 0
	fill(t, reflect.ValueOf(&st).Elem(), &n)
	for _, sql := range []string{st.Request.SQL, strings.Repeat("select 'long' -- ", 5000)} {
		st.Request.SQL = sql
		m, err := c.accepted(&st)
		if err != nil {
			t.Fatal(err)
		}
		var e Entry
		if err := c.readRun(m, &e); err != nil || !e.Known || e.Plan != nil {
			t.Fatalf("%v, known %v, plan %d bytes", err, e.Known, len(e.Plan))
		}
		if !reflect.DeepEqual(e.Statement, st) {
			t.Fatalf("read %+v\nwant %+v", e.Statement, st)
		}
		if size := proto.Size(m); len(sql) > packAbove && size > len(sql)/10 {
			t.Errorf("a text of %d bytes takes %d: it is not compressed", len(sql), size)
		}
	}
}

// TestUnknownFieldsAreIgnored: what a newer release writes, an older one reads.
func TestUnknownFieldsAreIgnored(t *testing.T) {
	c := testCodec(t)
	b, err := proto.Marshal(&pb.MetaRun{Request: c.pack([]byte(`{"SQL":"select 1","New":{"a":[1]},"Session":{"User":"ann","Hat":"red"}}`))})
	if err != nil {
		t.Fatal(err)
	}
	var e Entry
	if err := c.readRun(&pb.MetaQuery{Id: "q", Slug: "s", Plan: b}, &e); err != nil || e.Request.SQL != "select 1" || e.Request.Session.User != "ann" {
		t.Fatalf("%+v, %v", e, err)
	}
}

func TestPlanComesWithTheRun(t *testing.T) {
	c := testCodec(t)
	st := &Statement{ID: "q", Request: coordinator.Request{SQL: "select 1"}}
	for _, size := range []int{0, 10, 100000} {
		m, err := c.logged(st, &pb.MetaPlan{Plan: c.pack(bytes.Repeat([]byte("p"), size)), Version: 7})
		if err != nil {
			t.Fatal(err)
		}
		var e Entry
		if err := c.readRun(m, &e); err != nil || len(e.Plan) != size || e.PlanVersion != 7 || m.State != pb.MetaQueryState_META_QUERY_STATE_PLANNED {
			t.Fatalf("%d bytes of plan, version %d, %v, %v", len(e.Plan), e.PlanVersion, m.State, err)
		}
	}
}

// TestLogKeepsNoSecretsOfEnded: prepared statements and properties are in what
// is let go when the query ends.
func TestLogKeepsNoSecretsOfEnded(t *testing.T) {
	c := testCodec(t)
	st := &Statement{ID: "q", Request: coordinator.Request{SQL: strings.Repeat("ü", shownText), Session: coordinator.Session{
		User: "ann", Catalog: "lake", Prepared: map[string]string{"p": "hidden"}, Properties: map[string]string{"x": "hidden"},
	}}}
	m, err := c.logged(st, nil)
	if err != nil {
		t.Fatal(err)
	}
	if m.User != "ann" || strings.Contains(string(m.Session), "hidden") || !strings.Contains(string(m.Session), "lake") {
		t.Errorf("user %s, session %s", m.User, m.Session)
	}
	if len(m.Sql) > shownText+3 || !strings.HasSuffix(m.Sql, "ü…") {
		t.Errorf("%d bytes of text, ending in %q", len(m.Sql), m.Sql[len(m.Sql)-8:])
	}
}

func TestPageRoundTrip(t *testing.T) {
	c := testCodec(t)
	noise := make([]byte, 20000)
	for i, r := 0, rand.New(rand.NewPCG(1, 2)); i < len(noise); i++ {
		noise[i] = byte(r.Uint32())
	}
	failure := qerr.At(qerr.DivisionByZero, qerr.Pos{Line: 3, Column: 4}, "by %d", 0).WithRetry()
	for name, p := range map[string]*Page{
		"empty":      {Token: 1, Body: []byte("{}"), Header: http.Header{}},
		"last":       {Token: 7, Body: []byte(`{"data":[[1]]}`), Header: http.Header{"X-A": {"1", "2"}, "X-B": {""}}, Last: true, Packed: true, Rows: 1 << 40},
		"compressed": {Token: 2, Body: bytes.Repeat([]byte("abc"), 100000), Header: http.Header{}, Rows: 3},
		"noise":      {Token: 3, Body: noise, Header: http.Header{}},
		"failed":     {Token: 4, Body: []byte("x"), Header: http.Header{}, Last: true, Failure: failure},
	} {
		t.Run(name, func(t *testing.T) {
			m := c.page("q", "slug", p)
			if name == "compressed" && len(m.Body) > 5000 {
				t.Errorf("%d bytes", len(m.Body))
			}
			var e Entry
			if err := c.readPage(m, &e); err != nil || e.ID != "q" || e.Slug != "slug" {
				t.Fatalf("%+v, %v", e, err)
			}
			if !reflect.DeepEqual(e.Page, p) {
				t.Errorf("read %+v\nwant %+v", e.Page, p)
			}
		})
	}
	huge := make([]byte, maxBody+1)
	for i, r := 0, rand.NewPCG(3, 4); i < len(huge); i++ {
		huge[i] = byte(r.Uint64())
	}
	var e Entry
	if err := c.readPage(c.page("q", "s", &Page{Token: 5, Body: huge, Rows: 9}), &e); err != nil || !e.Page.Gone || e.Page.Rows != 9 || e.Page.Token != 5 {
		t.Errorf("a page too large to be remembered: %+v, %v", e.Page, err)
	}
}

func TestErrorRoundTrip(t *testing.T) {
	for _, e := range []*qerr.Error{
		qerr.New(qerr.UserCanceled, "Query was canceled"),
		qerr.At(qerr.ColumnNotFound, qerr.Pos{Line: 1, Column: 8}, "Column '%s'", "ü"),
		qerr.New(qerr.RemoteHostGone, "").WithRetry(),
	} {
		if got := decodeError(encodeError(e)); !reflect.DeepEqual(got, e) {
			t.Errorf("read %+v, want %+v", got, e)
		}
	}
	for _, b := range []string{"", "{", "{}", "[]"} {
		if got := decodeError([]byte(b)); got.Code != qerr.GenericInternal {
			t.Errorf("%q: %v", b, got)
		}
	}
}

// FuzzRead: whatever stands in a memory, reading it ends, with an error or not.
func FuzzRead(f *testing.F) {
	c := testCodec(f)
	st := &Statement{ID: "q", Slug: "s", Request: coordinator.Request{SQL: "select 1"}}
	m, err := c.logged(st, &pb.MetaPlan{Plan: c.pack(bytes.Repeat([]byte("p"), packAbove))})
	if err != nil {
		f.Fatal(err)
	}
	for _, msg := range []*pb.MetaMemory{
		{Body: &pb.MetaMemory_Accepted{Accepted: m}},
		{Body: &pb.MetaMemory_Page{Page: c.page("q", "s", &Page{Token: 1, Body: bytes.Repeat([]byte("b"), packAbove)})}},
		{Body: &pb.MetaMemory_Plan{Plan: &pb.MetaPlan{Query: "q", Plan: []byte{9}}}},
		{},
	} {
		b, err := proto.Marshal(msg)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		var m pb.MetaMemory
		if proto.Unmarshal(b, &m) != nil {
			return
		}
		entries, err := Read([]*pb.MetaMemory{&m}, nil)
		for _, e := range entries {
			if err == nil && !e.Known && e.Page == nil {
				t.Errorf("%+v says nothing", e)
			}
		}
	})
}
