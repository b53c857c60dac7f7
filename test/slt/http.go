package slt

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"
)

// Session is an Executor that speaks the statement protocol over HTTP. It is
// written apart from the client library, so that a mistake there cannot hide
// one in the server. It is not safe for concurrent use.
type Session struct {
	server     *url.URL
	http       *http.Client
	header     http.Header
	properties map[string]string // session properties, values URL-encoded
}

// NewSession returns a session at a server such as http://127.0.0.1:8080, with
// a default catalog and schema and the time zone UTC.
func NewSession(server, catalog, schema string) (*Session, error) {
	u, err := url.Parse(server)
	if err != nil || u.Host == "" {
		return nil, fmt.Errorf("bad server URL %q", server)
	}
	header := http.Header{}
	for name, value := range map[string]string{
		"User": "corpus", "Source": "slt", "Catalog": catalog, "Schema": schema, "Time-Zone": "UTC",
		"Client-Capabilities": "PATH,PARAMETRIC_DATETIME",
	} {
		header.Set("X-Trino-"+name, value)
	}
	return &Session{server: u, http: &http.Client{Timeout: 5 * time.Minute}, header: header, properties: map[string]string{}}, nil
}

// page is the part of a response that matters here.
type page struct {
	NextURI string `json:"nextUri"`
	Columns []struct {
		Name string `json:"name"`
		Type string `json:"type"`
	} `json:"columns"`
	Data  [][]any `json:"data"`
	Error *struct {
		Message   string `json:"message"`
		ErrorName string `json:"errorName"`
	} `json:"error"`
}

// Query implements Executor.
func (s *Session) Query(ctx context.Context, sql string) (*Result, error) {
	p, err := s.request(ctx, http.MethodPost, s.server.JoinPath("/v1/statement").String(), strings.NewReader(sql))
	result := &Result{}
	for ; err == nil; p, err = s.request(ctx, http.MethodGet, p.NextURI, nil) {
		if p.Error != nil {
			return nil, &Failure{Name: p.Error.ErrorName, Message: p.Error.Message}
		}
		if err := result.add(p); err != nil {
			return nil, err
		}
		if p.NextURI == "" {
			return result, nil
		}
	}
	return nil, err
}

// add takes over the columns, when they come first, and the rows of a page.
func (r *Result) add(p *page) error {
	if len(r.Names) == 0 {
		for _, c := range p.Columns {
			r.Names, r.Types = append(r.Names, c.Name), append(r.Types, c.Type)
		}
	}
	for _, values := range p.Data {
		if len(values) != len(r.Names) {
			return fmt.Errorf("a row has %d values, the query %d columns", len(values), len(r.Names))
		}
		row := make([]string, len(values))
		for i, v := range values {
			row[i] = Render(v)
		}
		r.Rows = append(r.Rows, row)
	}
	return nil
}

// Render returns the text of a JSON value decoded with UseNumber, in the form
// described in the package comment.
func Render(value any) string {
	switch v := value.(type) {
	case nil:
		return "NULL"
	case string:
		if v == "" {
			return "(empty)"
		}
		return v
	}
	var b strings.Builder
	writeJSON(&b, value)
	return b.String()
}

// writeJSON writes compact JSON with sorted keys and without HTML escapes.
func writeJSON(b *strings.Builder, value any) {
	switch v := value.(type) {
	case []any:
		b.WriteByte('[')
		for i, element := range v {
			if i > 0 {
				b.WriteByte(',')
			}
			writeJSON(b, element)
		}
		b.WriteByte(']')
	case map[string]any:
		b.WriteByte('{')
		for i, key := range sortedKeys(v) {
			if i > 0 {
				b.WriteByte(',')
			}
			writeJSON(b, key)
			b.WriteByte(':')
			writeJSON(b, v[key])
		}
		b.WriteByte('}')
	default:
		encoder := json.NewEncoder(trimNewline{b})
		encoder.SetEscapeHTML(false)
		_ = encoder.Encode(v) // a decoded JSON scalar always encodes
	}
}

// trimNewline drops the newline that json.Encoder puts after each value.
type trimNewline struct{ *strings.Builder }

func (w trimNewline) Write(p []byte) (int, error) {
	w.Builder.Write([]byte(strings.TrimSuffix(string(p), "\n")))
	return len(p), nil
}

func sortedKeys(m map[string]any) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}

func (s *Session) request(ctx context.Context, method, uri string, body io.Reader) (*page, error) {
	req, err := http.NewRequestWithContext(ctx, method, uri, body)
	if err != nil {
		return nil, err
	}
	req.Header = s.header.Clone()
	for name, value := range s.properties {
		req.Header.Add("X-Trino-Session", name+"="+value)
	}
	resp, err := s.http.Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		return nil, err
	}
	if resp.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("%s %s: %s: %s", method, uri, resp.Status, text)
	}
	s.keepState(resp.Header)
	return decodePage(text)
}

// decodePage keeps numbers as the server wrote them.
func decodePage(text []byte) (*page, error) {
	p := &page{}
	d := json.NewDecoder(strings.NewReader(string(text)))
	d.UseNumber()
	if err := d.Decode(p); err != nil {
		return nil, fmt.Errorf("bad response: %w", err)
	}
	if d.More() {
		return nil, errors.New("bad response: text after the JSON value")
	}
	return p, nil
}

// keepState follows USE, SET SESSION and RESET SESSION.
func (s *Session) keepState(h http.Header) {
	for _, name := range []string{"Catalog", "Schema"} {
		if v := h.Get("X-Trino-Set-" + name); v != "" {
			s.header.Set("X-Trino-"+name, v)
		}
	}
	for _, v := range h.Values("X-Trino-Set-Session") {
		name, value, _ := strings.Cut(v, "=")
		s.properties[name] = value
	}
	for _, name := range h.Values("X-Trino-Clear-Session") {
		delete(s.properties, name)
	}
}
