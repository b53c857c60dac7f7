// Package qerr gives every error that can reach a user a kind, a Trino error
// code and, for errors in SQL text, a position.
//
// Clients of the Trino protocol act on the name and number of an error (a BI
// tool tells "table not found" from "out of memory" by it), so both are kept
// exactly as Trino has them. The kind says whose fault it is and whether a
// retry can help; schedulers decide by kind and code, never by message text.
//
// Make an error with New or Wrap at the place that knows the cause; wrap it
// further up with fmt.Errorf("…: %w", err) for context. From recovers the
// outermost *Error of a chain, and turns anything else into GenericInternal.
package qerr

import (
	"context"
	"errors"
	"fmt"
)

// Kind says whose fault an error is. The values are Trino's errorType names.
type Kind uint8

// The four kinds of error.
const (
	// User errors are in the query or the request; running it again fails again.
	User Kind = iota
	// Internal errors are bugs or lost parts of the cluster.
	Internal
	// Resource errors mean that a limit was reached.
	Resource
	// External errors come from a system outside the cluster, such as an object store.
	External
)

// String returns Trino's errorType text, as sent to clients.
func (k Kind) String() string {
	switch k {
	case User:
		return "USER_ERROR"
	case Resource:
		return "INSUFFICIENT_RESOURCES"
	case External:
		return "EXTERNAL"
	}
	return "INTERNAL_ERROR"
}

// Pos is a place in SQL text: line and column, both from 1, columns counted
// in Unicode code points. The zero Pos means "no position".
type Pos struct {
	Line, Column int
}

// IsValid reports whether p names a place.
func (p Pos) IsValid() bool { return p.Line > 0 }

// String prints p as line:column.
func (p Pos) String() string { return fmt.Sprintf("%d:%d", p.Line, p.Column) }

// Error is an error with a code and perhaps a position. Its message is meant
// for the user: it names the thing and what to do about it, and holds no
// stack trace, secret or path inside a node.
type Error struct {
	Code    Code
	Message string
	Pos     Pos
	// Retryable says that the same query may succeed if run again.
	Retryable bool
	cause     error
}

// New makes an error with a formatted message.
func New(code Code, format string, args ...any) *Error {
	return &Error{Code: code, Message: fmt.Sprintf(format, args...)}
}

// At makes an error at a place in the SQL text. Error() puts Trino's
// "line L:C: " in front of the message, which clients parse.
func At(code Code, pos Pos, format string, args ...any) *Error {
	return &Error{Code: code, Message: fmt.Sprintf(format, args...), Pos: pos}
}

// Wrap gives err a code and puts a formatted message in front of its text.
// err stays reachable through errors.Is and errors.As.
func Wrap(code Code, err error, format string, args ...any) *Error {
	return &Error{Code: code, Message: fmt.Sprintf(format, args...) + ": " + err.Error(), cause: err}
}

// NotSupported makes a NOT_SUPPORTED error "not supported: …" at pos, which
// may be the zero Pos.
func NotSupported(pos Pos, format string, args ...any) *Error {
	return At(NotSupportedCode, pos, "not supported: "+format, args...)
}

// Error returns the message with its position in front.
func (e *Error) Error() string {
	if e.Pos.IsValid() {
		return "line " + e.Pos.String() + ": " + e.Message
	}
	return e.Message
}

// Unwrap returns the wrapped cause, or nil.
func (e *Error) Unwrap() error { return e.cause }

// WithRetry marks e as retryable and returns it.
func (e *Error) WithRetry() *Error {
	e.Retryable = true
	return e
}

// From returns the *Error within err, or one made from it: a context's end
// becomes USER_CANCELED or EXCEEDED_TIME_LIMIT, anything unknown becomes
// GENERIC_INTERNAL_ERROR. Context that was wrapped around a user error is left
// out of its message. From(nil) is nil.
func From(err error) *Error {
	if err == nil {
		return nil
	}
	var e *Error
	if errors.As(err, &e) {
		if msg := err.Error(); msg != e.Error() && e.Code.Kind != User {
			// Context was added around e: keep it. What is wrong with the query
			// itself is told in e's own words, which clients know.
			return &Error{Code: e.Code, Message: msg, Retryable: e.Retryable, cause: err}
		}
		return e
	}
	switch {
	case errors.Is(err, context.Canceled):
		return &Error{Code: UserCanceled, Message: "Query was canceled", cause: err}
	case errors.Is(err, context.DeadlineExceeded):
		return &Error{Code: ExceededTimeLimit, Message: "Query exceeded its time limit", cause: err}
	}
	return &Error{Code: GenericInternal, Message: err.Error(), cause: err}
}

// Is reports whether err carries the given code.
func Is(err error, code Code) bool {
	var e *Error
	return errors.As(err, &e) && e.Code == code
}
