package function

import "github.com/tuttidb/tutti/sql/types"

// rule is a scalar signature whose result type takes arithmetic.
func rule(name, args, describe string, of func([]types.Type) types.Type) *signature {
	return &signature{
		name: name, args: parsePatterns(args), resultOf: of, kind: ScalarKind, describe: describe,
		scalar: Scalar{NonNull: true},
	}
}

// ruleSignatures are the signatures that no pattern can say.
func ruleSignatures() []*signature {
	out := append(decimalRules(), textRules()...)
	return append(out, intervalRules()...)
}

func decimalRules() []*signature {
	wholeOf := func(a []types.Type) types.Type {
		return types.DecimalOf(a[0].P-a[0].S+min(a[0].S, 1), 0)
	}
	roundedTo := func(a []types.Type) types.Type {
		return types.DecimalOf(min(types.MaxDecimal, a[0].P+1), a[0].S)
	}
	truncated := func(a []types.Type) types.Type { return types.DecimalOf(max(a[0].P-a[0].S, 1), 0) }
	modulus := func(a []types.Type) types.Type {
		t, _ := decimalResult(OpModulus, a[0], a[1])
		return t
	}
	return []*signature{
		rule("ceil", "decimal(p,s)", "Rounds up to an integer", wholeOf),
		rule("ceiling", "decimal(p,s)", "Rounds up to an integer", wholeOf),
		rule("floor", "decimal(p,s)", "Rounds down to an integer", wholeOf),
		rule("round", "decimal(p,s)", "Rounds to an integer, half away from zero", wholeOf),
		rule("round", "decimal(p,s), bigint", "Rounds to that many decimals", roundedTo),
		rule("truncate", "decimal(p,s)", "Drops the decimals", truncated),
		rule("truncate", "decimal(p,s), bigint", "Drops decimals past that many", func(a []types.Type) types.Type { return a[0] }),
		rule("mod", "decimal(p,s), decimal(q,r)", "Remainder of a division", modulus),
	}
}

// textRules are the functions whose result's length is bounded by those of
// their arguments.
func textRules() []*signature {
	replaced := func(a []types.Type) types.Type {
		x, z := int64(a[0].P), int64(a[2].P)
		return boundedText(x, z, x+1)
	}
	// A match of a pattern may be empty, and its replacement mention groups.
	matched := func(a []types.Type) types.Type {
		x, y := int64(a[0].P), int64(a[2].P)
		if x == types.Unbounded || y == types.Unbounded {
			return types.VarcharType()
		}
		return boundedText(x, max(x*y/2, y), x+1)
	}
	iso := func(zone int32) func(a []types.Type) types.Type {
		return func(a []types.Type) types.Type {
			n := 22 + zone
			if a[0].P > 0 {
				n += 1 + a[0].P // the point and the digits
			}
			return types.VarcharOf(n)
		}
	}
	return []*signature{
		rule(OpConcatName, "char(x), char(y)", "", func(a []types.Type) types.Type { return types.CharOf(min(65536, a[0].P+a[1].P)) }),
		rule("replace", "varchar(n), varchar(m), varchar(o)", "Replaces all occurrences", replaced),
		rule("regexp_replace", "varchar(n), varchar(m), varchar(o)", "Replaces all matches", matched),
		rule("to_iso8601", "timestamp(p)", "Writes in ISO 8601", iso(0)),
		rule("to_iso8601", "timestamp with time zone(p)", "Writes in ISO 8601", iso(6)),
	}
}

// boundedText is varchar(length + each*times), unbounded if that is too long.
func boundedText(length, each, times int64) types.Type {
	if length >= types.Unbounded || each >= types.Unbounded || each > 0 && times > (types.Unbounded-length)/each {
		return types.VarcharType()
	}
	return types.VarcharOf(int32(length + each*times))
}

// intervalRules add intervals of milliseconds to times, which get at least the
// precision of the interval.
func intervalRules() (out []*signature) {
	finer := func(at int) func(a []types.Type) types.Type {
		return func(a []types.Type) types.Type {
			t := a[at]
			t.P = max(t.P, 3)
			return t
		}
	}
	for _, t := range []string{"timestamp(p)", "timestamp with time zone(p)", "time(p)"} {
		out = append(out,
			rule(OpAdd, t+", interval day to second", "", finer(0)),
			rule(OpAdd, "interval day to second, "+t, "", finer(1)),
			rule(OpSubtract, t+", interval day to second", "", finer(0)))
	}
	return out
}
