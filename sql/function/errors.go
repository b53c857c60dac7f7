package function

import (
	"strings"

	"github.com/tuttidb/tutti/internal/qerr"
	"github.com/tuttidb/tutti/sql/types"
)

// notFound is the error for a call that no signature fits.
func notFound(name string, args []types.Type) error {
	parts := make([]string, len(args))
	for i, a := range args {
		parts[i] = a.String()
	}
	return qerr.New(qerr.FunctionNotFound, "Unexpected parameters (%s) for function %s", strings.Join(parts, ", "), name)
}
