package function

import (
	"slices"
	"strings"
	"sync"

	"github.com/tuttidb/tutti/internal/qerr"
	"github.com/tuttidb/tutti/sql/types"
)

// signature is one overload of a function.
type signature struct {
	name     string
	args     []pattern
	result   pattern
	resultOf func(args []types.Type) types.Type // instead of result, where a rule computes it
	kind     Kind
	scalar   Scalar    // properties, for scalars
	agg      Aggregate // properties, for aggregates
	state    func(args []types.Type, result types.Type) []types.Type
	describe string
}

// table is every signature by name, built once from the lists in scalars.go
// and aggregates.go; it never changes afterwards.
var table = sync.OnceValue(func() map[string][]*signature {
	m := map[string][]*signature{}
	for _, s := range append(scalarSignatures(), aggregateSignatures()...) {
		m[s.name] = append(m[s.name], s)
	}
	return m
})

// match is a signature with what its variables stand for.
type match struct {
	sig    *signature
	args   []types.Type
	result types.Type
}

// find picks the overload for args: one that fits exactly, else the most
// specific of those that fit after implicit coercions.
func find(name string, kind Kind, args []types.Type) (*match, bool) {
	var best *match
	for _, exact := range []bool{true, false} {
		for _, s := range table()[name] {
			if s.kind != kind {
				continue
			}
			m := s.fit(args, exact)
			if m != nil && (best == nil || m.moreSpecific(best)) {
				best = m
			}
		}
		if best != nil {
			return best, true
		}
	}
	return nil, false
}

// fit binds the signature to args, or returns nil.
func (s *signature) fit(args []types.Type, exact bool) *match {
	pats := s.args
	if n := len(pats); n > 0 && pats[n-1].variadic {
		if len(args) < n {
			return nil
		}
		pats = slices.Clone(pats)
		for len(pats) < len(args) {
			pats = append(pats, pats[n-1])
		}
	}
	if len(pats) != len(args) {
		return nil
	}
	b := newBindings()
	for i, p := range pats {
		if exact && !p.matches(args[i], b) || !exact && !p.coerces(args[i], b) {
			return nil
		}
	}
	m := &match{sig: s, args: make([]types.Type, len(args))}
	for i, p := range pats {
		m.args[i] = p.resolve(b)
		if !types.CanCoerce(args[i], m.args[i]) {
			return nil
		}
	}
	if s.resultOf != nil {
		m.result = s.resultOf(m.args)
	} else {
		m.result = s.result.resolve(b)
	}
	return m
}

// moreSpecific reports whether m's arguments all coerce to o's.
func (m *match) moreSpecific(o *match) bool {
	if len(m.args) != len(o.args) {
		return false
	}
	same := true
	for i, a := range m.args {
		if !types.CanCoerce(a, o.args[i]) {
			return false
		}
		same = same && a.Equal(o.args[i])
	}
	return !same
}

// ResolveScalar picks the signature of a scalar function or operator for
// arguments of the given types, which coerce to the result's Args. The error
// is FUNCTION_NOT_FOUND (TYPE_MISMATCH for operators) in Trino's words.
//
// Arithmetic on decimals takes its operands as they are: each keeps its own
// precision and scale, and Result follows Trino's rules.
func ResolveScalar(name string, args []types.Type) (*Scalar, error) {
	if strings.HasPrefix(name, "$") {
		if fn := resolveOperator(name, args); fn != nil {
			return fn, nil
		}
	}
	m, ok := find(name, ScalarKind, concatArguments(name, args))
	if !ok {
		return nil, notFound(name, args)
	}
	fn := m.sig.scalar
	fn.Name, fn.Args, fn.Result = name, m.args, m.result
	return &fn, nil
}

// concatArguments gives a NULL that is joined to one other value a type.
// Trino takes it for an array that the value becomes an element of.
func concatArguments(name string, args []types.Type) []types.Type {
	if name != OpConcatName || len(args) != 2 {
		return args
	}
	a, b := args[0], args[1]
	switch {
	case a.Kind == types.Unknown && b.Kind != types.Unknown && b.Kind != types.Array:
		a = types.ArrayOf(b)
	case b.Kind == types.Unknown && a.Kind != types.Unknown && a.Kind != types.Array:
		b = types.ArrayOf(a)
	}
	return []types.Type{a, b}
}

// ResolveAggregate picks the signature of an aggregate function.
func ResolveAggregate(name string, args []types.Type) (*Aggregate, error) {
	m, ok := find(name, AggregateKind, args)
	if !ok {
		return nil, notFound(name, args)
	}
	fn := m.sig.agg
	fn.Name, fn.Args, fn.Result = name, m.args, m.result
	fn.State = m.sig.state(fn.Args, fn.Result)
	return &fn, nil
}

// Exists reports whether any function that users can call has that
// lower-case name.
func Exists(name string) bool { return !strings.HasPrefix(name, "$") && len(table()[name]) > 0 }

// IsAggregate reports whether an aggregate function has that lower-case name.
func IsAggregate(name string) bool {
	s := table()[name]
	return len(s) > 0 && s[0].kind == AggregateKind
}

// List describes every signature that users can call, sorted by name.
func List() []Info {
	var out []Info
	for name, sigs := range table() {
		if strings.HasPrefix(name, "$") {
			continue
		}
		for _, s := range sigs {
			out = append(out, s.info())
		}
	}
	slices.SortFunc(out, func(a, b Info) int {
		return strings.Compare(a.Name+"\x00"+a.Args, b.Name+"\x00"+b.Args)
	})
	return out
}

func (s *signature) info() Info {
	result := s.result.String()
	if s.resultOf != nil {
		result = s.args[0].String()
	}
	return Info{
		Name: s.name, Result: result, Args: patternList(s.args), Kind: s.kind,
		Deterministic: !s.scalar.Volatile, Description: s.describe,
	}
}

func patternList(ps []pattern) string {
	parts := make([]string, len(ps))
	for i, p := range ps {
		parts[i] = p.String()
	}
	return strings.Join(parts, ", ")
}

// notFound is the error for a call that no signature fits, in Trino's words.
func notFound(name string, args []types.Type) error {
	list := typeList(args)
	if op, ok := operatorText[name]; ok {
		if len(args) == 2 {
			return qerr.New(qerr.TypeMismatch, "Cannot apply operator: %s %s %s", args[0], op, args[1])
		}
		return qerr.New(qerr.TypeMismatch, "Cannot apply operator: %s%s", op, list)
	}
	sigs := table()[name]
	if len(sigs) == 0 {
		return qerr.New(qerr.FunctionNotFound, "Function '%s' not registered", name)
	}
	expected := make([]string, len(sigs))
	for i, s := range sigs {
		expected[i] = name + "(" + patternList(s.args) + ")"
	}
	return qerr.New(qerr.FunctionNotFound, "Unexpected parameters (%s) for function %s. Expected: %s",
		list, name, strings.Join(expected, ", "))
}

func typeList(args []types.Type) string {
	parts := make([]string, len(args))
	for i, a := range args {
		parts[i] = a.String()
	}
	return strings.Join(parts, ", ")
}
