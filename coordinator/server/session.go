package server

import (
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/tuttidb/tutti/coordinator"
	"github.com/tuttidb/tutti/sql/types"
)

// headerPrefix starts the protocol's headers.
const headerPrefix = "X-Trino-"

// badHeader is a request header that cannot be understood: answer 400.
type badHeader struct{ text string }

func (e *badHeader) Error() string { return e.text }

// noUser is a request that does not say who asks: answer 401.
type noUser struct{}

func (noUser) Error() string { return "Basic authentication or X-Trino-User must be sent" }

// sessionOf reads a statement's session from its headers.
func sessionOf(r *http.Request) (coordinator.Session, error) {
	get := func(name string) string { return latin(strings.TrimSpace(r.Header.Get(headerPrefix + name))) }
	s := coordinator.Session{
		User: userOf(r), Source: get("Source"),
		Catalog: strings.ToLower(get("Catalog")), Schema: strings.ToLower(get("Schema")),
		TimeZone: get("Time-Zone"), Language: get("Language"), ClientInfo: get("Client-Info"),
		TraceToken: get("Trace-Token"), ClientTags: listOf(r, "Client-Tags"),
		UserAgent: latin(r.UserAgent()), RemoteAddress: remoteOf(r),
		Transaction: get("Transaction-Id"), Capabilities: listOf(r, "Client-Capabilities"),
	}
	if s.User == "" {
		return s, noUser{}
	}
	if s.Schema != "" && s.Catalog == "" {
		return s, &badHeader{"Schema is set but catalog is not"}
	}
	if _, ok := types.ZoneByName(s.TimeZone); s.TimeZone != "" && !ok {
		return s, &badHeader{"Time zone not supported: " + s.TimeZone}
	}
	var err error
	if s.Properties, err = pairsOf(r, "Session", false); err != nil {
		return s, err
	}
	if s.Prepared, err = pairsOf(r, "Prepared-Statement", true); err != nil {
		return s, err
	}
	// Roles, credentials and estimates change nothing here, but a client that
	// sends them wrongly should hear of it.
	for _, name := range []string{"Role", "Extra-Credential", "Resource-Estimate"} {
		if _, err := pairsOf(r, name, false); err != nil {
			return s, err
		}
	}
	return s, nil
}

// userOf returns who asks: the header's user or that of Basic authentication,
// whose password means nothing to a server without authentication.
func userOf(r *http.Request) string {
	if user := strings.TrimSpace(r.Header.Get(headerPrefix + "User")); user != "" {
		return latin(user)
	}
	user, _, _ := r.BasicAuth()
	return latin(user)
}

// latin returns a header's text: bytes that are not UTF-8 are ISO 8859-1, as
// HTTP once had it.
func latin(s string) string {
	if utf8.ValidString(s) {
		return s
	}
	out := make([]rune, len(s))
	for i := range len(s) {
		out[i] = rune(s[i])
	}
	return string(out)
}

// listOf reads a header of values separated by commas, which may be repeated.
func listOf(r *http.Request, name string) []string {
	var out []string
	for _, line := range r.Header.Values(headerPrefix + name) {
		for item := range strings.SplitSeq(latin(line), ",") {
			if item = strings.TrimSpace(item); item != "" {
				out = append(out, item)
			}
		}
	}
	return out
}

// pairsOf reads a header of name=value pairs, form-encoded values and perhaps
// names, repeated or separated by commas or both; empty ones mean nothing.
func pairsOf(r *http.Request, name string, encodedNames bool) (map[string]string, error) {
	items := listOf(r, name)
	if len(items) == 0 {
		return nil, nil
	}
	out := make(map[string]string, len(items))
	for _, item := range items {
		key, value, ok := strings.Cut(item, "=")
		key = strings.TrimSpace(key)
		value, err := url.QueryUnescape(strings.TrimSpace(value))
		if encodedNames && err == nil {
			key, err = url.QueryUnescape(key)
		}
		if !ok || key == "" || err != nil || !utf8.ValidString(key) || !utf8.ValidString(value) {
			return nil, &badHeader{fmt.Sprintf("Invalid %s%s header", headerPrefix, name)}
		}
		out[key] = value
	}
	return out, nil
}

// remoteOf returns the client's address without its port.
func remoteOf(r *http.Request) string {
	if first, _, _ := strings.Cut(r.Header.Get("X-Forwarded-For"), ","); strings.TrimSpace(first) != "" {
		return latin(strings.TrimSpace(first))
	}
	if host, _, err := net.SplitHostPort(r.RemoteAddr); err == nil {
		return host
	}
	return r.RemoteAddr
}

// baseOf returns the URL under which the client reached the server, as far as
// a proxy before it tells, without a slash at its end.
func baseOf(r *http.Request) string {
	scheme, host := "http", r.Host
	if r.TLS != nil {
		scheme = "https"
	}
	if p := firstOf(r, "X-Forwarded-Proto"); p == "http" || p == "https" {
		scheme = p
	}
	if h := firstOf(r, "X-Forwarded-Host"); validHost(h) {
		host = h
	}
	if p := firstOf(r, "X-Forwarded-Port"); p != "" && validPort(p) {
		name := host
		if h, _, err := net.SplitHostPort(host); err == nil {
			name = h
			if strings.Contains(h, ":") {
				name = "[" + h + "]"
			}
		}
		host = name
		if !(scheme == "http" && p == "80" || scheme == "https" && p == "443") {
			host += ":" + p
		}
	}
	return scheme + "://" + host
}

func firstOf(r *http.Request, header string) string {
	first, _, _ := strings.Cut(r.Header.Get(header), ",")
	return strings.TrimSpace(first)
}

func validHost(h string) bool {
	if h == "" || strings.ContainsAny(h, "/\\?#@ \t\"<>") {
		return false
	}
	_, err := url.Parse("http://" + h)
	return err == nil
}

func validPort(p string) bool {
	n, err := strconv.ParseUint(p, 10, 16)
	return err == nil && n > 0
}

// announce writes what the client's session must change into the headers.
func announce(h http.Header, e *coordinator.Effects) {
	set := func(name, value string) {
		if value != "" {
			h.Set(headerPrefix+name, value)
		}
	}
	set("Set-Catalog", e.SetCatalog)
	set("Set-Schema", e.SetSchema)
	set("Set-Path", e.SetPath)
	set("Started-Transaction-Id", e.StartedTransaction)
	if e.ClearTransaction {
		set("Clear-Transaction-Id", "true")
	}
	for k, v := range e.SetSession {
		h.Add(headerPrefix+"Set-Session", k+"="+url.QueryEscape(v))
	}
	for _, k := range e.ClearSession {
		h.Add(headerPrefix+"Clear-Session", k)
	}
	for k, v := range e.AddedPrepare {
		h.Add(headerPrefix+"Added-Prepare", url.QueryEscape(k)+"="+url.QueryEscape(v))
	}
	for _, k := range e.DeallocatedPrepare {
		h.Add(headerPrefix+"Deallocated-Prepare", url.QueryEscape(k))
	}
}
