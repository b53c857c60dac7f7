package client_test

import (
	"net/http"
	"reflect"
	"testing"

	"github.com/tuttidb/tutti/client"
	"github.com/tuttidb/tutti/client/clienttest"
)

func TestSessionHeadersAreSent(t *testing.T) {
	s, c := newPair(t, fixed(twoPages))
	c.Session = client.NewSessionFrom(client.State{
		User: "ann", Source: "test", Catalog: "lake", Schema: "web", Path: "a.b", TimeZone: "Europe/Rome", ClientInfo: "i",
		ClientTags: []string{"x", "y"}, Properties: map[string]string{"b": "1 &,=", "a": "ü"},
		Roles: map[string]string{"lake": "ROLE{admin}"}, Prepared: map[string]string{"p q": "SELECT ?, 'a=b'"},
	})
	if _, err := run(t, c, "SELECT 1"); err != nil {
		t.Fatal(err)
	}
	h := s.Requests(http.MethodPost)[0].Header
	for name, want := range map[string][]string{
		"User": {"ann"}, "Source": {"test"}, "Catalog": {"lake"}, "Schema": {"web"}, "Path": {"a.b"}, "Time-Zone": {"Europe/Rome"},
		"Client-Info": {"i"}, "Client-Tags": {"x,y"}, "Transaction-Id": {"NONE"},
		"Session": {"a=%C3%BC", "b=1+%26%2C%3D"}, "Role": {"lake=ROLE%7Badmin%7D"},
		"Prepared-Statement":  {"p+q=SELECT+%3F%2C+%27a%3Db%27"},
		"Client-Capabilities": {"PATH,PARAMETRIC_DATETIME,PARAMETRIC_INTERVAL,SESSION_AUTHORIZATION"},
	} {
		if got := h.Values("X-Trino-" + name); !reflect.DeepEqual(got, want) {
			t.Errorf("%s = %q, want %q", name, got, want)
		}
	}
	if get := s.Requests(http.MethodGet)[0].Header; get.Get("X-Trino-User") != "ann" || get.Get("X-Trino-Catalog") != "" {
		t.Errorf("GET carries %v", get)
	}
}

func TestSessionFollowsTheServer(t *testing.T) {
	steps := map[string]http.Header{
		"use":     {"X-Trino-Set-Catalog": {"tpch"}, "X-Trino-Set-Schema": {"tiny"}, "X-Trino-Set-Path": {"a"}},
		"set":     {"X-Trino-Set-Session": {"k=v+1%2C2", "l=3, m=4"}, "X-Trino-Set-Role": {"lake=ROLE%7Br%7D"}},
		"clear":   {"X-Trino-Clear-Session": {"l", "none"}},
		"prepare": {"X-Trino-Added-Prepare": {"p+1=SELECT+%3F", "q=SELECT+2"}},
		"dealloc": {"X-Trino-Deallocated-Prepare": {"q"}},
		"start":   {"X-Trino-Started-Transaction-Id": {"tx7"}},
		"commit":  {"X-Trino-Clear-Transaction-Id": {"true"}},
		"become":  {"X-Trino-Set-Authorization-User": {"bob"}, "X-Trino-Set-Original-Roles": {"system=ALL"}},
		"back":    {"X-Trino-Reset-Authorization-User": {"true"}},
	}
	s, c := newPair(t, func(r clienttest.Request) clienttest.Answer {
		return clienttest.Answer{Header: steps[r.Body]}
	})
	step := func(sql string) client.State {
		t.Helper()
		if _, err := run(t, c, sql); err != nil {
			t.Fatal(err)
		}
		return c.Session.State()
	}
	last := func() http.Header { r := s.Requests(http.MethodPost); return r[len(r)-1].Header }

	if st := step("use"); st.Catalog != "tpch" || st.Schema != "tiny" || st.Path != "a" {
		t.Errorf("after use: %+v", st)
	}
	if st := step("set"); !reflect.DeepEqual(st.Properties, map[string]string{"k": "v 1,2", "l": "3", "m": "4"}) || st.Roles["lake"] != "ROLE{r}" {
		t.Errorf("after set: %+v", st)
	}
	if st := step("clear"); !reflect.DeepEqual(st.Properties, map[string]string{"k": "v 1,2", "m": "4"}) {
		t.Errorf("after clear: %v", st.Properties)
	}
	step("prepare")
	if st := step("dealloc"); !reflect.DeepEqual(st.Prepared, map[string]string{"p 1": "SELECT ?"}) {
		t.Errorf("prepared: %v", st.Prepared)
	}
	if got := last().Values("X-Trino-Prepared-Statement"); len(got) != 2 {
		t.Errorf("sent prepared statements %q", got)
	}
	if st := step("start"); st.TransactionID != "tx7" {
		t.Errorf("transaction %q", st.TransactionID)
	}
	if st := step("commit"); st.TransactionID != "" || last().Get("X-Trino-Transaction-Id") != "tx7" {
		t.Errorf("after commit %q, sent %q", st.TransactionID, last().Get("X-Trino-Transaction-Id"))
	}
	step("become")
	if step("back"); last().Get("X-Trino-User") != "bob" || last().Get("X-Trino-Original-User") != "ann" || last().Get("X-Trino-Original-Roles") != "system=ALL" {
		t.Errorf("as another user: %v", last())
	}
	step("end")
	if h := last(); h.Get("X-Trino-User") != "ann" || h.Get("X-Trino-Original-User") != "" || h.Get("X-Trino-Original-Roles") != "" {
		t.Errorf("back as oneself: %v", h)
	}
}

func TestStateIsACopy(t *testing.T) {
	st := client.State{User: "ann", Properties: map[string]string{"a": "1"}}
	s := client.NewSessionFrom(st)
	st.Properties["a"] = "2"
	s.State().Properties["a"] = "3"
	if got := s.State().Properties["a"]; got != "1" {
		t.Errorf("property changed from outside to %q", got)
	}
}
