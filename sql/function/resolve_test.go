package function

import (
	"os"
	"strings"
	"testing"

	"github.com/tuttidb/tutti/sql/types"
)

func typ(s string) types.Type {
	switch s {
	case "varchar5":
		return types.VarcharOf(5)
	case "char3":
		return types.CharOf(3)
	case "dec":
		return types.DecimalOf(15, 2)
	case "dec4":
		return types.DecimalOf(4, 4)
	case "ts0":
		return types.TimestampOf(0)
	case "ts":
		return types.TimestampOf(6)
	case "tstz":
		return types.TimestampTZOf(3)
	case "array(bigint)":
		return types.ArrayOf(types.Of(types.BigInt))
	}
	p := parsePattern(s)
	return plain(p.kind)
}

func typesOf(names string) []types.Type {
	var out []types.Type
	for _, n := range strings.Fields(names) {
		out = append(out, typ(strings.ReplaceAll(n, "_", " ")))
	}
	return out
}

// TestResolveScalar holds Trino's answers for a choice of calls.
func TestResolveScalar(t *testing.T) {
	for _, c := range []struct{ name, args, want string }{
		{OpAdd, "bigint integer", "(bigint, bigint) bigint"},
		{OpAdd, "tinyint tinyint", "(tinyint, tinyint) tinyint"},
		{OpAdd, "dec dec", "(decimal(15,2), decimal(15,2)) decimal(16,2)"},
		{OpMultiply, "dec dec", "(decimal(15,2), decimal(15,2)) decimal(30,4)"},
		{OpDivide, "dec dec4", "(decimal(15,2), decimal(4,4)) decimal(21,4)"},
		{OpModulus, "dec dec4", "(decimal(15,2), decimal(4,4)) decimal(4,4)"},
		{OpSubtract, "integer dec", "(decimal(10,0), decimal(15,2)) decimal(16,2)"},
		{OpMultiply, "dec double", "(double, double) double"},
		{OpAdd, "real bigint", "(real, real) real"},
		{OpAdd, "unknown bigint", "(bigint, bigint) bigint"},
		{OpEq, "varchar5 varchar", "(varchar, varchar) boolean"},
		{OpEq, "varchar5 char3", "(char(5), char(5)) boolean"},
		{OpLt, "date ts", "(timestamp(6), timestamp(6)) boolean"},
		{OpLt, "ts tstz", "(timestamp(6) with time zone, timestamp(6) with time zone) boolean"},
		{OpAdd, "date interval_year_to_month", "(date, interval year to month) date"},
		{OpSubtract, "ts ts", "(timestamp(6), timestamp(6)) interval day to second"},
		{"substr", "varchar5 integer integer", "(varchar(5), bigint, bigint) varchar(5)"},
		{"abs", "dec", "(decimal(15,2)) decimal(15,2)"},
		{"abs", "smallint", "(smallint) smallint"},
		{"sqrt", "integer", "(double) double"},
		{"round", "dec integer", "(decimal(15,2), bigint) decimal(16,2)"},
		{"ceil", "dec", "(decimal(15,2)) decimal(14,0)"},
		{"concat", "varchar5 varchar5 varchar", "(varchar, varchar, varchar) varchar"},
		{"greatest", "integer dec bigint", "(decimal(21,2), decimal(21,2), decimal(21,2)) decimal(21,2)"},
		{"year", "date", "(date) bigint"},
		{"date_trunc", "varchar5 ts", "(varchar(5), timestamp(6)) timestamp(6)"},
		{"cardinality", "array(bigint)", "(array(bigint)) bigint"},
		{OpSubscript, "array(bigint) integer", "(array(bigint), bigint) bigint"},
		{OpArray, "integer dec", "(decimal(15,2), decimal(15,2)) array(decimal(15,2))"},
		{"pi", "", "() double"},
		{OpAdd, "ts0 interval_day_to_second", "(timestamp(0), interval day to second) timestamp(3)"},
		{OpAdd, "interval_day_to_second ts", "(interval day to second, timestamp(6)) timestamp(6)"},
		{OpSubtract, "ts0 interval_year_to_month", "(timestamp(0), interval year to month) timestamp(0)"},
		{OpSubtract, "tstz interval_day_to_second", "(timestamp(3) with time zone, interval day to second) timestamp(3) with time zone"},
		{"replace", "varchar5 varchar5", "(varchar(5), varchar(5)) varchar(5)"},
		{"replace", "varchar5 varchar5 varchar5", "(varchar(5), varchar(5), varchar(5)) varchar(35)"},
		{"replace", "varchar varchar5 varchar5", "(varchar, varchar(5), varchar(5)) varchar"},
		{"regexp_replace", "varchar5 varchar5 varchar5", "(varchar(5), varchar(5), varchar(5)) varchar(77)"},
		{"regexp_replace", "varchar5 varchar5 varchar", "(varchar(5), varchar(5), varchar) varchar"},
		{"to_iso8601", "tstz", "(timestamp(3) with time zone) varchar(32)"},
		{"concat", "char3 varchar5", "(char(3), char(5)) char(8)"},
		{"concat", "varchar5 unknown", "(varchar(5), array(varchar(5))) array(varchar(5))"},
		{"concat", "unknown array(bigint)", "(array(bigint), array(bigint)) array(bigint)"},
		{"bitwise_left_shift", "integer integer", "(integer, bigint) integer"},
		{"repeat", "varchar5 integer", "(varchar(5), bigint) array(varchar(5))"},
		{"from_unixtime", "integer varchar5", "(double, varchar(5)) timestamp(3) with time zone"},
		{"coalesce_like", "bigint", "error Function 'coalesce_like' not registered"},
		{OpEq, "varchar bigint", "error Cannot apply operator: varchar = bigint"},
		{"year", "varchar", "error Unexpected parameters (varchar) for function year."},
	} {
		fn, err := ResolveScalar(c.name, typesOf(c.args))
		got := ""
		if err != nil {
			got = "error " + err.Error()
		} else {
			got = "(" + typeList(fn.Args) + ") " + fn.Result.String()
		}
		if got != c.want && !(err != nil && strings.HasPrefix(got, c.want)) {
			t.Errorf("%s(%s)\n got %s\nwant %s", c.name, c.args, got, c.want)
		}
	}
}

func TestResolveAggregate(t *testing.T) {
	for _, c := range []struct{ name, args, want string }{
		{"count", "", "() bigint [bigint]"},
		{"count", "varchar5", "(varchar(5)) bigint [bigint]"},
		{"sum", "integer", "(bigint) bigint [bigint]"},
		{"sum", "dec", "(decimal(15,2)) decimal(38,2) [decimal(38,2)]"},
		{"sum", "real", "(real) real [real]"},
		{"avg", "dec", "(decimal(15,2)) decimal(15,2) [decimal(38,2), bigint]"},
		{"avg", "integer", "(bigint) double [double, bigint]"},
		{"min", "varchar5", "(varchar(5)) varchar(5) [varchar(5)]"},
		{"max_by", "varchar5 dec", "(varchar(5), decimal(15,2)) varchar(5) [varchar(5), decimal(15,2)]"},
		{"stddev", "dec", "(double) double [bigint, double, double]"},
	} {
		fn, err := ResolveAggregate(c.name, typesOf(c.args))
		if err != nil {
			t.Errorf("%s(%s): %v", c.name, c.args, err)
			continue
		}
		if got := "(" + typeList(fn.Args) + ") " + fn.Result.String() + " [" + typeList(fn.State) + "]"; got != c.want {
			t.Errorf("%s(%s)\n got %s\nwant %s", c.name, c.args, got, c.want)
		}
	}
	if !IsAggregate("sum") || IsAggregate("substr") || !Exists("substr") || Exists(OpAdd) {
		t.Error("IsAggregate or Exists is wrong about a known name")
	}
}

// TestListIsComplete guards the patterns: one that names an unknown type
// would print as unknown.
func TestListIsComplete(t *testing.T) {
	list := List()
	if len(list) < 250 {
		t.Fatalf("only %d signatures", len(list))
	}
	for _, f := range list {
		if strings.Contains(f.Args+f.Result, "unknown") && f.Name != "map" {
			t.Errorf("%s(%s) -> %s mentions an unknown type", f.Name, f.Args, f.Result)
		}
	}
}

// TestDocumented keeps the list of functions in docs/sql.md complete.
func TestDocumented(t *testing.T) {
	text, err := os.ReadFile("../../docs/sql.md")
	if err != nil {
		t.Fatal(err)
	}
	words := map[string]bool{}
	for _, w := range strings.FieldsFunc(string(text), func(r rune) bool {
		return r != '_' && (r < '0' || r > '9') && (r < 'a' || r > 'z')
	}) {
		words[w] = true
	}
	for _, f := range List() {
		if !words[f.Name] {
			t.Errorf("docs/sql.md does not list %s", f.Name)
		}
	}
}
