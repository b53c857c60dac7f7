package server

import (
	"net/http"
	"reflect"
	"strings"
	"testing"

	"github.com/tuttidb/tutti/coordinator"
)

// TestSession: the headers of a statement, as the engine gets them.
func TestSession(t *testing.T) {
	h := newHarness(t, nil)
	for _, line := range []string{
		"Source: cli", "Catalog: TPCH", "Schema: Tiny", "Time-Zone: Europe/Rome", "Language: en", "Client-Info: i", "Trace-Token: t",
		"Client-Tags: a, b,,c", "Transaction-Id: NONE", "Session: a=1,b=x%2Cy", "Session: c=%C3%A9", "Prepared-Statement: p+1=select+%3F",
		"Extra-Credential: k=v", "Resource-Estimate: EXECUTION_TIME=1s", "Role: system=ROLE%7Bx%7D",
	} {
		name, value, _ := strings.Cut(line, ": ")
		h.header.Add("X-Trino-"+name, value)
	}
	h.header.Set("X-Forwarded-For", "10.1.2.3, 10.0.0.1")
	h.header.Set("User-Agent", "ua")
	h.run("rows 0")
	got := h.engine.last().req.Session
	want := coordinator.Session{
		User: "ann", Source: "cli", Catalog: "tpch", Schema: "tiny", TimeZone: "Europe/Rome", Language: "en", ClientInfo: "i", TraceToken: "t",
		ClientTags: []string{"a", "b", "c"}, UserAgent: "ua", RemoteAddress: "10.1.2.3", Transaction: "NONE",
		Properties: map[string]string{"a": "1", "b": "x,y", "c": "é"}, Prepared: map[string]string{"p 1": "select ?"},
		Capabilities: []string{"PARAMETRIC_DATETIME"},
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}
}

func FuzzSession(f *testing.F) {
	f.Add("a=1,b=%2C", "p=select+1", "x, y", "Europe/Rome", "host:80")
	f.Add("=", "%", ",,,", "+25:00", "a/b@c")
	f.Fuzz(func(t *testing.T, session, prepared, tags, zone, host string) {
		r, err := http.NewRequest("POST", "http://h/v1/statement", nil)
		if err != nil {
			t.Fatal(err)
		}
		for name, v := range map[string]string{"User": "u", "Session": session, "Prepared-Statement": prepared, "Client-Tags": tags, "Time-Zone": zone} {
			r.Header.Set("X-Trino-"+name, v)
		}
		r.Header.Set("X-Forwarded-Host", host)
		s, err := sessionOf(r)
		if err == nil {
			for k := range s.Properties {
				if k == "" {
					t.Errorf("a property without a name in %q", session)
				}
			}
		}
		if base := baseOf(r); strings.ContainsAny(base[len("http://"):], "/?#@ ") {
			t.Errorf("base %q", base)
		}
	})
}
