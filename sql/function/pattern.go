package function

import (
	"strconv"
	"strings"

	"github.com/tuttidb/tutti/sql/types"
)

// pattern is a type in a signature: a type whose parameters may be variables,
// or a type variable. "T" is any type, "C" any comparable one, "O" any
// orderable one; "K" and "V" are any types too. Lower-case letters in
// parentheses (decimal(p,s), varchar(n)) are variables for numbers.
type pattern struct {
	variable string // "T": stands for a whole type
	kind     types.Kind
	params   []string // numbers or variables
	elems    []pattern
	variadic bool
}

// bindings are what the variables of a signature stand for.
type bindings struct {
	types   map[string]types.Type
	numbers map[string]int32
}

var kindsByName = func() map[string]types.Kind {
	m := make(map[string]types.Kind, types.KindCount)
	for k := types.Unknown; k < types.KindCount; k++ {
		m[k.Base()] = k
	}
	return m
}()

// parsePatterns reads a comma-separated list such as "array(T), bigint".
func parsePatterns(s string) []pattern {
	var out []pattern
	for _, part := range splitTop(s) {
		out = append(out, parsePattern(part))
	}
	return out
}

// splitTop splits at commas outside parentheses.
func splitTop(s string) []string {
	var parts []string
	depth, start := 0, 0
	for i := range len(s) {
		switch s[i] {
		case '(':
			depth++
		case ')':
			depth--
		case ',':
			if depth == 0 {
				parts = append(parts, strings.TrimSpace(s[start:i]))
				start = i + 1
			}
		}
	}
	if rest := strings.TrimSpace(s[start:]); rest != "" {
		parts = append(parts, rest)
	}
	return parts
}

func parsePattern(s string) pattern {
	var p pattern
	if rest, ok := strings.CutSuffix(s, "..."); ok {
		p = parsePattern(rest)
		p.variadic = true
		return p
	}
	if len(s) == 1 {
		return pattern{variable: s}
	}
	name, inner := s, ""
	if open := strings.IndexByte(s, '('); open >= 0 {
		end := strings.LastIndexByte(s, ')')
		name, inner = s[:open]+s[end+1:], s[open+1:end]
	}
	p.kind = kindsByName[name]
	if p.kind == types.Array || p.kind == types.Map || p.kind == types.Row {
		p.elems = parsePatterns(inner)
	} else {
		p.params = splitTop(inner)
	}
	return p
}

// matches binds the pattern's variables so that arg fits exactly; false if
// it cannot.
func (p pattern) matches(arg types.Type, b *bindings) bool {
	if p.variable != "" {
		return b.bindType(p.variable, arg)
	}
	if p.kind != arg.Kind || len(p.elems) != len(arg.Elems()) {
		return false
	}
	for i, e := range p.elems {
		if !e.matches(arg.Elem(i), b) {
			return false
		}
	}
	for i, name := range p.params {
		if !b.bindNumber(name, []int32{arg.P, arg.S}[i]) {
			return false
		}
	}
	return p.elems != nil || p.params != nil || plain(p.kind).Equal(arg)
}

// coerces binds the pattern's variables so that arg fits after an implicit
// coercion; false if it cannot.
func (p pattern) coerces(arg types.Type, b *bindings) bool {
	if p.variable != "" {
		return b.widenType(p.variable, arg)
	}
	if arg.Kind == types.Unknown {
		return true
	}
	if arg.Kind == p.kind && len(p.elems) == len(arg.Elems()) {
		for i, e := range p.elems {
			if !e.coerces(arg.Elem(i), b) {
				return false
			}
		}
		for i, name := range p.params {
			b.widenNumber(name, []int32{arg.P, arg.S}[i])
		}
		return p.elems != nil || p.params != nil || types.CanCoerce(arg, plain(p.kind))
	}
	if p.elems != nil {
		return false
	}
	return p.coercesKind(arg, b)
}

// coercesKind is coerces for an argument of another kind.
func (p pattern) coercesKind(arg types.Type, b *bindings) bool {
	if len(p.params) == 0 {
		return types.CanCoerce(arg, plain(p.kind))
	}
	var to types.Type
	switch {
	case p.kind == types.Decimal && arg.IsInteger():
		to = types.AsDecimal(arg)
	case p.kind == types.Timestamp && arg.Kind == types.Date, p.kind == types.TimestampTZ && arg.Kind == types.Date:
		to = types.Type{Kind: p.kind}
	case p.kind == types.TimestampTZ && arg.Kind == types.Timestamp:
		to = types.Type{Kind: p.kind, P: arg.P}
	case p.kind == types.Char && arg.Kind == types.Varchar:
		to = types.CharOf(min(arg.P, maxChar))
	default:
		return false
	}
	b.widenNumber(p.params[0], to.P)
	if len(p.params) > 1 {
		b.widenNumber(p.params[1], to.S)
	}
	return true
}

// maxChar is the longest char(n).
const maxChar = 65536

// plain is the type of a kind written without parameters in a signature:
// varchar is unbounded.
func plain(k types.Kind) types.Type {
	switch k {
	case types.Varchar:
		return types.VarcharType()
	case types.Timestamp, types.Time, types.TimestampTZ:
		return types.Type{Kind: k, P: 3}
	}
	return types.Of(k)
}

// resolve returns the type that the pattern stands for under b.
func (p pattern) resolve(b *bindings) types.Type {
	if p.variable != "" {
		return b.types[p.variable]
	}
	if p.elems != nil {
		elems := make([]types.Type, len(p.elems))
		for i, e := range p.elems {
			elems[i] = e.resolve(b)
		}
		switch p.kind {
		case types.Array:
			return types.ArrayOf(elems[0])
		case types.Map:
			return types.MapOf(elems[0], elems[1])
		}
		return types.RowOf(elems, nil)
	}
	t := plain(p.kind)
	for i, name := range p.params {
		*[]*int32{&t.P, &t.S}[i] = b.number(name)
	}
	return t
}

// String prints the pattern as SHOW FUNCTIONS does.
func (p pattern) String() string {
	s := p.variable
	if s == "" {
		s = p.kind.Base()
	}
	switch {
	case p.elems != nil:
		inner := make([]string, len(p.elems))
		for i, e := range p.elems {
			inner[i] = e.String()
		}
		s += "(" + strings.Join(inner, ", ") + ")"
	case p.params != nil && p.kind == types.TimestampTZ:
		s = "timestamp(" + p.params[0] + ") with time zone"
	case p.params != nil:
		s += "(" + strings.Join(p.params, ",") + ")"
	}
	return s
}

func newBindings() *bindings {
	return &bindings{types: map[string]types.Type{}, numbers: map[string]int32{}}
}

func (b *bindings) number(name string) int32 {
	if n, err := strconv.Atoi(name); err == nil {
		return int32(n)
	}
	return b.numbers[name]
}

func (b *bindings) bindNumber(name string, n int32) bool {
	if have, err := strconv.Atoi(name); err == nil {
		return int32(have) == n
	}
	have, ok := b.numbers[name]
	b.numbers[name] = n
	return !ok || have == n
}

func (b *bindings) widenNumber(name string, n int32) {
	b.numbers[name] = max(b.numbers[name], n)
}

// allowed checks the constraint that a type variable's letter carries.
func allowed(variable string, t types.Type) bool {
	switch variable {
	case "C":
		return t.Comparable()
	case "O":
		return t.Orderable()
	}
	return true
}

func (b *bindings) bindType(name string, t types.Type) bool {
	have, ok := b.types[name]
	if !ok {
		b.types[name] = t
		return allowed(name, t)
	}
	return have.Equal(t)
}

func (b *bindings) widenType(name string, t types.Type) bool {
	have, ok := b.types[name]
	if !ok {
		b.types[name] = t
		return allowed(name, t)
	}
	super, ok := types.CommonSuper(have, t)
	b.types[name] = super
	return ok && allowed(name, super)
}
