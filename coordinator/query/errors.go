package query

import "github.com/tuttidb/tutti/internal/qerr"

// internalError makes an error that no user can cause an INTERNAL one.
func internalError(err error) *qerr.Error {
	return qerr.Wrap(qerr.GenericInternal, err, "internal error")
}
