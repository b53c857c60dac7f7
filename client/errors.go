package client

import (
	"errors"
	"fmt"
	"net"
	"net/http"
	"regexp"
	"strconv"
	"strings"
)

// ErrorType says whose fault a failed query is. The values are Trino's.
type ErrorType string

// The types of error that a server reports.
const (
	UserError             ErrorType = "USER_ERROR"
	InternalError         ErrorType = "INTERNAL_ERROR"
	InsufficientResources ErrorType = "INSUFFICIENT_RESOURCES"
	ExternalError         ErrorType = "EXTERNAL"
)

// Error is a query's failure as the server reports it.
type Error struct {
	// Message is the text for the user, with "line L:C: " in front of it when
	// the failure has a place in the SQL text.
	Message string
	// Name and Code are Trino's, such as COLUMN_NOT_FOUND and 47.
	Name string
	Code int
	Type ErrorType
	// Line and Column count from 1, columns in code points; zero if unknown.
	Line, Column int
	SQLState     string
	// QueryID is the server's name of the query.
	QueryID string
	// Stack is the server's own trace, outermost cause first; usually empty.
	Stack []string
}

// Error returns the server's message.
func (e *Error) Error() string { return e.Message }

// Is makes errors.Is(err, &Error{Name: "TABLE_NOT_FOUND"}) work: a target
// matches when each of its Name, Code and Type that is set is equal.
func (e *Error) Is(target error) bool {
	t, ok := target.(*Error)
	if !ok || (t.Name == "" && t.Code == 0 && t.Type == "") {
		return false
	}
	return (t.Name == "" || t.Name == e.Name) &&
		(t.Code == 0 || t.Code == e.Code) &&
		(t.Type == "" || t.Type == e.Type)
}

// HTTPError is an answer with a status that the protocol does not use for
// queries: no such server path, not authorized, too busy for too long.
type HTTPError struct {
	Method, URL string
	StatusCode  int
	// Body is the start of the answer's text, one line.
	Body string
}

// Error names the request, the status and what the server said.
func (e *HTTPError) Error() string {
	text := fmt.Sprintf("%s %s: HTTP %d %s", e.Method, e.URL, e.StatusCode, http.StatusText(e.StatusCode))
	if e.Body != "" {
		text += ": " + e.Body
	}
	return text
}

// ConnectError says that no connection to the server could be made, so
// nothing was sent.
type ConnectError struct {
	// URL is the server's base URL.
	URL string
	Err error
}

// Error names the server and the cause.
func (e *ConnectError) Error() string {
	return fmt.Sprintf("cannot reach server at %s: %v", e.URL, e.Err)
}

// Unwrap returns the cause.
func (e *ConnectError) Unwrap() error { return e.Err }

// connectFailed reports whether err arose before a connection stood, so that
// the server cannot have seen the request.
func connectFailed(err error) bool {
	var op *net.OpError
	if errors.As(err, &op) && op.Op == "dial" {
		return true
	}
	var dns *net.DNSError
	return errors.As(err, &dns)
}

// wireError is QueryError in Trino's words.
type wireError struct {
	Message       string     `json:"message"`
	SQLState      string     `json:"sqlState"`
	ErrorCode     int        `json:"errorCode"`
	ErrorName     string     `json:"errorName"`
	ErrorType     ErrorType  `json:"errorType"`
	ErrorLocation *location  `json:"errorLocation"`
	FailureInfo   *wireCause `json:"failureInfo"`
}

type location struct {
	Line   int `json:"lineNumber"`
	Column int `json:"columnNumber"`
}

type wireCause struct {
	Type     string     `json:"type"`
	Message  string     `json:"message"`
	Cause    *wireCause `json:"cause"`
	Stack    []string   `json:"stack"`
	Location *location  `json:"errorLocation"`
}

var linePrefix = regexp.MustCompile(`^line (\d+):(\d+): `)

// toError makes the error for the user. The place comes from errorLocation,
// else from failureInfo, else from the message, since servers and gateways
// differ in which of them they fill.
func (w *wireError) toError(queryID string) *Error {
	e := &Error{
		Message: w.Message, Name: w.ErrorName, Code: w.ErrorCode, Type: w.ErrorType,
		SQLState: w.SQLState, QueryID: queryID,
	}
	loc := w.ErrorLocation
	for c, depth := w.FailureInfo, 0; c != nil && depth < 16; c, depth = c.Cause, depth+1 {
		e.Stack = append(e.Stack, strings.TrimSpace(c.Type+": "+c.Message))
		e.Stack = append(e.Stack, c.Stack...)
		if loc == nil {
			loc = c.Location
		}
	}
	if e.Message == "" && w.FailureInfo != nil {
		e.Message = w.FailureInfo.Message
	}
	switch m := linePrefix.FindStringSubmatch(e.Message); {
	case loc != nil:
		e.Line, e.Column = loc.Line, loc.Column
	case m != nil:
		e.Line, _ = strconv.Atoi(m[1])
		e.Column, _ = strconv.Atoi(m[2])
	}
	return e
}
