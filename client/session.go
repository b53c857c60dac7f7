package client

import (
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
)

const headerPrefix = "X-Trino-"

// noTransaction is what a client that knows transactions sends outside one.
const noTransaction = "NONE"

// clientCapabilities tells the server which newer forms this client reads:
// without PARAMETRIC_DATETIME it would cut all times to milliseconds.
const clientCapabilities = "PATH,PARAMETRIC_DATETIME,PARAMETRIC_INTERVAL,SESSION_AUTHORIZATION"

// State is the content of a session: what each statement is run with. The
// zero State with a User is a valid one.
type State struct {
	User            string
	Source          string
	Catalog, Schema string
	// Path is the SQL path, comma separated as the server gives it.
	Path       string
	TimeZone   string
	Language   string
	TraceToken string
	ClientInfo string
	ClientTags []string
	// Properties are session properties, as by SET SESSION.
	Properties map[string]string
	// Roles maps a catalog ("system" for the global role) to ROLE{name}, ALL or NONE.
	Roles             map[string]string
	ExtraCredentials  map[string]string
	ResourceEstimates map[string]string
	// Prepared maps the names of prepared statements to their SQL: it is the
	// client that keeps them.
	Prepared map[string]string
	// TransactionID is the running transaction, or empty.
	TransactionID string
	// AuthorizationUser is set by SET SESSION AUTHORIZATION, or empty.
	AuthorizationUser string
	// OriginalRoles are the roles of User while AuthorizationUser is set.
	OriginalRoles []string
}

func (s State) clone() State {
	s.ClientTags = slices.Clone(s.ClientTags)
	s.OriginalRoles = slices.Clone(s.OriginalRoles)
	for _, m := range []*map[string]string{&s.Properties, &s.Roles, &s.ExtraCredentials, &s.ResourceEstimates, &s.Prepared} {
		*m = maps.Clone(*m)
	}
	return s
}

// Session is the state that statements share: every request sends it, and
// response headers change it. It is safe for concurrent use. The zero Session
// has no user, which servers without authentication refuse.
type Session struct {
	mu sync.Mutex
	st State
}

// NewSession makes a session for a user with nothing else set.
func NewSession(user string) *Session { return NewSessionFrom(State{User: user}) }

// NewSessionFrom makes a session with a copy of st.
func NewSessionFrom(st State) *Session { return &Session{st: st.clone()} }

// State returns a copy of the session's state.
func (s *Session) State() State {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.st.clone()
}

// Update changes the state in one step, seen by requests made after it.
func (s *Session) Update(change func(*State)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	change(&s.st)
}

// user returns the name to send with requests that need no more than that.
func (s *Session) user() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.st.effectiveUser()
}

func (s *State) effectiveUser() string {
	if s.AuthorizationUser != "" {
		return s.AuthorizationUser
	}
	return s.User
}

// headers writes the state into the headers of a statement. Values that may
// hold any character are form-encoded, as Trino's clients do.
func (s *State) headers(h http.Header) {
	set := func(name, value string) {
		if value != "" {
			h.Set(headerPrefix+name, value)
		}
	}
	pairs := func(name string, m map[string]string) {
		for _, k := range slices.Sorted(maps.Keys(m)) {
			h.Add(headerPrefix+name, k+"="+url.QueryEscape(m[k]))
		}
	}
	set("User", s.effectiveUser())
	if s.AuthorizationUser != "" {
		set("Original-User", s.User)
	}
	set("Source", s.Source)
	set("Catalog", s.Catalog)
	set("Schema", s.Schema)
	set("Path", s.Path)
	set("Time-Zone", s.TimeZone)
	set("Language", s.Language)
	set("Trace-Token", s.TraceToken)
	set("Client-Info", s.ClientInfo)
	set("Client-Tags", strings.Join(s.ClientTags, ","))
	set("Client-Capabilities", clientCapabilities)
	pairs("Session", s.Properties)
	pairs("Role", s.Roles)
	pairs("Extra-Credential", s.ExtraCredentials)
	pairs("Resource-Estimate", s.ResourceEstimates)
	for _, r := range s.OriginalRoles {
		h.Add(headerPrefix+"Original-Roles", r)
	}
	for _, name := range slices.Sorted(maps.Keys(s.Prepared)) {
		h.Add(headerPrefix+"Prepared-Statement", url.QueryEscape(name)+"="+url.QueryEscape(s.Prepared[name]))
	}
	if s.TransactionID == "" {
		set("Transaction-Id", noTransaction)
	} else {
		set("Transaction-Id", s.TransactionID)
	}
}

// apply takes over the changes that a response's headers announce.
func (s *Session) apply(h http.Header) {
	s.mu.Lock()
	defer s.mu.Unlock()
	st := &s.st
	str := func(name string, into *string) {
		if v := h.Get(headerPrefix + name); v != "" {
			*into = v
		}
	}
	str("Set-Catalog", &st.Catalog)
	str("Set-Schema", &st.Schema)
	str("Set-Path", &st.Path)
	str("Set-Authorization-User", &st.AuthorizationUser)
	str("Started-Transaction-Id", &st.TransactionID)
	if roles := h.Values(headerPrefix + "Set-Original-Roles"); len(roles) > 0 {
		st.OriginalRoles = slices.Clone(roles)
	}
	if h.Get(headerPrefix+"Reset-Authorization-User") != "" {
		st.AuthorizationUser, st.OriginalRoles = "", nil
	}
	if h.Get(headerPrefix+"Clear-Transaction-Id") != "" {
		st.TransactionID = ""
	}
	st.Properties = putPairs(st.Properties, h.Values(headerPrefix+"Set-Session"), false)
	st.Roles = putPairs(st.Roles, h.Values(headerPrefix+"Set-Role"), false)
	st.Prepared = putPairs(st.Prepared, h.Values(headerPrefix+"Added-Prepare"), true)
	for _, name := range h.Values(headerPrefix + "Clear-Session") {
		delete(st.Properties, strings.TrimSpace(name))
	}
	for _, name := range h.Values(headerPrefix + "Deallocated-Prepare") {
		delete(st.Prepared, formDecode(name))
	}
}

// putPairs adds "name=encoded" header values to m, which may be nil. Several
// pairs may stand in one header, separated by commas: encoded values hold none.
func putPairs(m map[string]string, values []string, nameEncoded bool) map[string]string {
	for _, v := range values {
		for _, pair := range strings.Split(v, ",") {
			name, value, ok := strings.Cut(strings.TrimSpace(pair), "=")
			if !ok {
				continue
			}
			if nameEncoded {
				name = formDecode(name)
			}
			if m == nil {
				m = map[string]string{}
			}
			m[strings.TrimSpace(name)] = formDecode(value)
		}
	}
	return m
}

// formDecode decodes s, or returns it as it is where it is not encoded.
func formDecode(s string) string {
	if d, err := url.QueryUnescape(s); err == nil {
		return d
	}
	return s
}
