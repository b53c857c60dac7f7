package function

import (
	"github.com/tuttidb/tutti/sql/types"
)

// ResolveScalar picks the signature of a scalar function or operator for
// arguments of the given types, which coerce to the result's Args. The error
// is FUNCTION_NOT_FOUND (or OPERATOR_NOT_FOUND) with what would have fitted.
func ResolveScalar(name string, args []types.Type) (*Scalar, error) { return nil, notFound(name, args) }

// ResolveAggregate picks the signature of an aggregate function.
func ResolveAggregate(name string, args []types.Type) (*Aggregate, error) {
	return nil, notFound(name, args)
}

// Exists reports whether any function has that lower-case name, and IsAggregate
// whether an aggregate has.
func Exists(name string) bool { return false }

// IsAggregate reports whether an aggregate function has that lower-case name.
func IsAggregate(name string) bool { return false }

// List describes every signature that users can call, sorted by name.
func List() []Info { return nil }
