package kernel

import (
	"github.com/tuttidb/tutti/internal/qerr"
	"github.com/tuttidb/tutti/sql/function"
)

// failKernels has the function that plans call to end a query. Its arguments
// are an error code's number and a message.
var failKernels = map[string]builder{"fail": failKernel}

// failCodes are the errors that plans raise.
var failCodes = map[int64]qerr.Code{
	int64(qerr.SubqueryMultipleRows.Number):    qerr.SubqueryMultipleRows,
	int64(qerr.InvalidFunctionArgument.Number): qerr.InvalidFunctionArgument,
	int64(qerr.InvalidCastArgument.Number):     qerr.InvalidCastArgument,
}

func failKernel(*function.Scalar, *binding) (kern, error) {
	return rowKern(func(c *call) func(i int) error {
		code, message := c.ints(0), c.bytes(1)
		return func(i int) error {
			known, ok := failCodes[code(i)]
			if !ok {
				known = qerr.GenericInternal
			}
			return qerr.New(known, "%s", message.at(i))
		}
	}), nil
}
