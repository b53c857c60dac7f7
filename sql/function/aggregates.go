package function

import "github.com/tuttidb/tutti/sql/types"

// stateOf makes a rule for the partial state out of fixed types.
func stateOf(kinds ...types.Kind) func([]types.Type, types.Type) []types.Type {
	return func([]types.Type, types.Type) []types.Type {
		out := make([]types.Type, len(kinds))
		for i, k := range kinds {
			out[i] = types.Of(k)
		}
		return out
	}
}

// stateIsResult is for aggregates whose partial result has the final type.
func stateIsResult(_ []types.Type, result types.Type) []types.Type { return []types.Type{result} }

// stateIsArgs is for aggregates that carry their arguments (min_by).
func stateIsArgs(args []types.Type, _ types.Type) []types.Type { return args }

// sumAndCount is for averages of exact numbers.
func sumAndCount(args []types.Type, _ types.Type) []types.Type {
	sum := types.DecimalOf(types.MaxDecimal, args[0].S)
	if args[0].Kind != types.Decimal {
		sum = args[0]
	}
	return []types.Type{sum, types.Of(types.BigInt)}
}

func agg(name, args, result, describe string, state func([]types.Type, types.Type) []types.Type) *signature {
	return &signature{
		name: name, args: parsePatterns(args), result: parsePattern(result),
		kind: AggregateKind, state: state, describe: describe,
	}
}

// moments is the state of variances: count, mean, sum of squared differences
// (Welford; merged by Chan et al.).
var moments = stateOf(types.BigInt, types.Double, types.Double)

// comoments is the state of covariances: count, means of both, co-moment, and
// both sums of squared differences.
var comoments = stateOf(types.BigInt, types.Double, types.Double, types.Double, types.Double, types.Double)

func aggregateSignatures() []*signature {
	count := agg("count", "T", "bigint", "Counts the non-null values", stateOf(types.BigInt))
	countAll := agg("count", "", "bigint", "Counts the rows", stateOf(types.BigInt))
	countIf := agg("count_if", "boolean", "bigint", "Counts the true values", stateOf(types.BigInt))
	for _, c := range []*signature{count, countAll, countIf} {
		c.agg.ZeroOnEmpty = true
	}
	approx := agg("approx_distinct", "C", "bigint", "Estimates the number of different values", stateOf(types.Varbinary))
	approx.agg.ZeroOnEmpty = true
	minAgg := agg("min", "O", "O", "The smallest value", stateIsResult)
	maxAgg := agg("max", "O", "O", "The largest value", stateIsResult)
	minAgg.agg.Indistinct, maxAgg.agg.Indistinct = true, true
	arrayAgg := agg("array_agg", "T", "array(T)", "Collects the values into an array", stateIsResult)
	arrayAgg.agg.Ordered = true

	out := []*signature{
		count, countAll, countIf, approx, minAgg, maxAgg, arrayAgg,
		agg("min_by", "T, O", "T", "The first argument where the second is smallest", stateIsArgs),
		agg("max_by", "T, O", "T", "The first argument where the second is largest", stateIsArgs),
		agg("arbitrary", "T", "T", "Any non-null value", stateIsResult),
		agg("any_value", "T", "T", "Any non-null value", stateIsResult),
		agg("geometric_mean", "double", "double", "The geometric mean", stateOf(types.BigInt, types.Double)),
		agg("bitwise_and_agg", "bigint", "bigint", "Bitwise AND of all values", stateIsResult),
		agg("bitwise_or_agg", "bigint", "bigint", "Bitwise OR of all values", stateIsResult),
		agg("bitwise_xor_agg", "bigint", "bigint", "Bitwise XOR of all values", stateIsResult),
	}
	return append(append(out, sumSignatures()...), statisticSignatures()...)
}

func sumSignatures() []*signature {
	// Where two overloads are as specific, the first listed wins: an integer
	// becomes bigint rather than decimal.
	var out []*signature
	for _, t := range []string{"bigint", "real", "double", "interval day to second", "interval year to month"} {
		out = append(out, agg("sum", t, t, "The sum", stateIsResult))
	}
	for _, t := range []string{"bigint", "double"} {
		out = append(out, agg("avg", t, "double", "The mean", stateOf(types.Double, types.BigInt)))
	}
	out = append(out, agg("avg", "real", "real", "The mean", stateOf(types.Double, types.BigInt)))
	for _, t := range []string{"interval day to second", "interval year to month"} {
		out = append(out, agg("avg", t, t, "The mean", sumAndCount))
	}
	return append(out,
		agg("sum", "decimal(p,s)", "decimal(38,s)", "The sum", stateIsResult),
		agg("avg", "decimal(p,s)", "decimal(p,s)", "The mean, rounded to the scale of the values", sumAndCount))
}

func statisticSignatures() []*signature {
	var out []*signature
	for _, name := range []string{"bool_and", "every", "bool_or"} {
		out = append(out, agg(name, "boolean", "boolean", "Whether all (and, every) or any (or) are true", stateIsResult))
	}
	for _, name := range []string{"stddev", "stddev_samp", "stddev_pop", "variance", "var_samp", "var_pop"} {
		out = append(out, agg(name, "double", "double", "Spread of the values", moments))
	}
	for _, name := range []string{"corr", "covar_samp", "covar_pop", "regr_slope", "regr_intercept"} {
		for _, t := range []string{"double", "real"} {
			out = append(out, agg(name, t+", "+t, t, "Relation of y (first) to x (second)", comoments))
		}
	}
	for _, name := range []string{"skewness", "kurtosis"} {
		out = append(out, agg(name, "double", "double", "Shape of the distribution",
			stateOf(types.BigInt, types.Double, types.Double, types.Double, types.Double)))
	}
	return out
}
