package meta

import (
	"errors"
	"fmt"

	"github.com/tuttidb/tutti/internal/qerr"
	pb "github.com/tuttidb/tutti/proto/tutti/v1"
)

// What Apply and its like return, to be found by errors.Is. After ErrUnknown
// (and a context's end) a change may or may not have been made; after all the
// others it was not.
var (
	ErrExists   = errors.New("exists already")
	ErrNotFound = errors.New("not found")
	ErrConflict = errors.New("changed meanwhile")
	ErrFenced   = errors.New("superseded by a newer leader")
	ErrInvalid  = errors.New("invalid command")
	ErrUnknown  = errors.New("outcome unknown")
	ErrNoQuorum = errors.New("no quorum")
	ErrClosed   = errors.New("coordinator is shutting down")
)

// DiskError is a disk that failed. The node that has it takes no further part
// in the cluster; its message names the file.
type DiskError struct {
	Path string
	Op   string
	Err  error
}

// Error names the file, what was being done and what happened.
func (e *DiskError) Error() string {
	return fmt.Sprintf("state of the coordinators in %s: %s: %v", e.Path, e.Op, e.Err)
}

// Unwrap returns the cause.
func (e *DiskError) Unwrap() error { return e.Err }

// reasons gives each code that refuses an entry its error.
func reason(code pb.MetaCode) error {
	switch code {
	case pb.MetaCode_META_CODE_EXISTS:
		return ErrExists
	case pb.MetaCode_META_CODE_NOT_FOUND:
		return ErrNotFound
	case pb.MetaCode_META_CODE_CONFLICT:
		return ErrConflict
	case pb.MetaCode_META_CODE_FENCED:
		return ErrFenced
	case pb.MetaCode_META_CODE_INVALID:
		return ErrInvalid
	}
	return ErrUnknown
}

// refusal turns an outcome into an error, nil for success.
func refusal(code pb.MetaCode, message string) error {
	if code == pb.MetaCode_META_CODE_OK {
		return nil
	}
	if message == "" {
		return reason(code)
	}
	return fmt.Errorf("%s: %w", message, reason(code))
}

// noQuorum says that too few coordinators answer, and what is known of each.
func noQuorum(detail string) error {
	e := qerr.Wrap(qerr.ServerStartingUp, ErrNoQuorum, "no quorum of coordinators: %s", detail)
	e.Retryable = true
	return e
}
