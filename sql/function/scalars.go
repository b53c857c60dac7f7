package function

import "strings"

// entry is one line of the lists below. overloads has one signature a line or
// semicolon, "args -> result"; a name list is separated by spaces.
type entry struct {
	names, overloads, describe string
	flags                      flag
}

type flag uint8

const (
	onNull   flag = 1 << iota // sees null arguments
	volatile                  // another value each time
	stable                    // depends on the session
	maybe                     // may be null for arguments that are not
)

func (e entry) signatures() []*signature {
	var out []*signature
	for _, name := range strings.Fields(e.names) {
		for _, o := range strings.Split(e.overloads, ";") {
			args, result, _ := strings.Cut(o, "->")
			s := &signature{
				name: name, args: parsePatterns(args), result: parsePattern(strings.TrimSpace(result)),
				kind: ScalarKind, describe: e.describe,
			}
			s.scalar = Scalar{Volatile: e.flags&volatile != 0, Stable: e.flags&stable != 0, NonNull: e.flags&maybe == 0}
			if e.flags&onNull != 0 {
				s.scalar.Nulls = CalledOnNull
			}
			out = append(out, s)
		}
	}
	return out
}

func scalarSignatures() []*signature {
	var out []*signature
	for _, list := range [][]entry{mathEntries, stringEntries, timeEntries, nestedEntries, operatorEntries, sessionEntries} {
		for _, e := range list {
			out = append(out, e.signatures()...)
		}
	}
	return append(out, ruleSignatures()...)
}

// OpConcatName is the || operator, the same as the function concat.
const OpConcatName = "concat"

const (
	integers = "tinyint -> tinyint; smallint -> smallint; integer -> integer; bigint -> bigint"
	numbers  = integers + "; real -> real; double -> double"
)

var mathEntries = []entry{
	{"abs", numbers + "; decimal(p,s) -> decimal(p,s)", "Absolute value", 0},
	{"sign", numbers + "; decimal(p,s) -> decimal(1,0)", "Signum: -1, 0 or 1", 0},
	{"ceil ceiling", numbers, "Rounds up to an integer", 0},
	{"floor", numbers, "Rounds down to an integer", 0},
	{"round", numbers, "Rounds to an integer, half away from zero", 0},
	{"round", "tinyint, bigint -> tinyint; smallint, bigint -> smallint; integer, bigint -> integer; bigint, bigint -> bigint; real, bigint -> real; double, bigint -> double", "Rounds to that many decimals", 0},
	{"truncate", "real -> real; double -> double", "Drops the decimals", 0},
	{"mod", "tinyint, tinyint -> tinyint; smallint, smallint -> smallint; integer, integer -> integer; bigint, bigint -> bigint; real, real -> real; double, double -> double", "Remainder of a division", 0},
	{"sqrt cbrt exp ln log2 log10 sin cos tan asin acos atan sinh cosh tanh degrees radians", "double -> double", "Mathematical function", 0},
	{"power pow atan2 log", "double, double -> double", "Mathematical function of two numbers", 0},
	{"pi e nan infinity", "-> double", "Mathematical constant", 0},
	{"is_nan", "double -> boolean; real -> boolean", "Whether the value is not a number", 0},
	{"is_finite is_infinite", "double -> boolean", "Whether the value is finite or infinite", 0},
	{"random rand", "-> double; bigint -> bigint; integer -> integer; bigint, bigint -> bigint", "A pseudo-random number", volatile},
	{"width_bucket", "double, double, double, bigint -> bigint; double, array(double) -> bigint", "Number of the bucket that holds the value, of equal width or between the given bounds", 0},
	{"from_base", "varchar(x), bigint -> bigint", "Reads a number in a base", 0},
	{"to_base", "bigint, bigint -> varchar(64)", "Writes a number in a base", 0},
	{"bitwise_and bitwise_or bitwise_xor", "bigint, bigint -> bigint", "Bitwise operation", 0},
	{"bitwise_left_shift bitwise_right_shift bitwise_right_shift_arithmetic", "tinyint, bigint -> tinyint; smallint, bigint -> smallint; integer, bigint -> integer; bigint, bigint -> bigint", "Bitwise shift by that many places", 0},
	{"bitwise_not", "bigint -> bigint", "Bitwise complement", 0},
	{"greatest least", "O, O... -> O; O -> O", "The largest or smallest argument; null if any is", 0},
}

var stringEntries = []entry{
	{"length", "varchar(n) -> bigint; char(n) -> bigint; varbinary -> bigint", "Number of characters or bytes", 0},
	{"lower upper", "varchar(n) -> varchar(n); char(n) -> char(n)", "Changes the case", 0},
	{"trim ltrim rtrim", "varchar(n) -> varchar(n); varchar(n), varchar(m) -> varchar(n)", "Removes blanks, or the given characters, from the ends", 0},
	{"trim ltrim rtrim", "char(n) -> varchar(n); char(n), varchar(m) -> varchar(n)", "Removes blanks, or the given characters, from the ends", 0},
	{"reverse", "varchar(n) -> varchar(n); char(n) -> char(n); varbinary -> varbinary", "Reverses the order of the characters", 0},
	{"substr substring", "varchar(n), bigint -> varchar(n); varchar(n), bigint, bigint -> varchar(n); char(n), bigint -> varchar(n); char(n), bigint, bigint -> varchar(n); varbinary, bigint -> varbinary; varbinary, bigint, bigint -> varbinary", "Part of a string from a position, counted from 1 or from the end", 0},
	{"replace", "varchar(n), varchar(m) -> varchar(n)", "Removes all occurrences", 0},
	{"strpos", "varchar(n), varchar(m) -> bigint; varchar(n), varchar(m), bigint -> bigint", "Position of a substring, 0 if absent", 0},
	{"starts_with", "varchar(n), varchar(m) -> boolean", "Whether the string starts with the other", 0},
	{"split_part", "varchar(n), varchar(m), bigint -> varchar(n)", "The i-th part between separators", maybe},
	{"split", "varchar(n), varchar(m) -> array(varchar(n)); varchar(n), varchar(m), bigint -> array(varchar(n))", "Cuts a string at separators", 0},
	{"lpad", "varchar(n), bigint, varchar(m) -> varchar; char(n), bigint, varchar(m) -> varchar; varbinary, bigint, varbinary -> varbinary", "Pads to a length at the front", 0},
	{"rpad", "varchar(n), bigint, varchar(m) -> varchar; varbinary, bigint, varbinary -> varbinary", "Pads to a length at the end", 0},
	{"chr", "bigint -> varchar(1)", "The character of a code point", 0},
	{"codepoint", "varchar(1) -> integer", "The code point of a character", 0},
	{"concat", "varchar, varchar... -> varchar; varbinary, varbinary... -> varbinary", "Joins strings", 0},
	{"concat", "array(T), array(T)... -> array(T); array(T), T -> array(T); T, array(T) -> array(T)", "Joins arrays", 0},
	{"concat_ws", "varchar, varchar... -> varchar; varchar, array(varchar) -> varchar", "Joins strings with a separator, without nulls", onNull | maybe},
	{"translate", "varchar(n), varchar(m), varchar(o) -> varchar", "Replaces single characters", 0},
	{"levenshtein_distance hamming_distance", "varchar(n), varchar(m) -> bigint", "Distance between two strings", 0},
	{"soundex", "varchar(n) -> varchar(4)", "The sound of an English word as a letter and three digits", 0},
	{"normalize", "varchar(n), varchar(m) -> varchar", "Unicode normal form", 0},
	{"regexp_like", "varchar(n), varchar(m) -> boolean", "Whether a regular expression matches anywhere", 0},
	{"regexp_extract", "varchar(n), varchar(m) -> varchar(n); varchar(n), varchar(m), bigint -> varchar(n)", "The first match, or a group of it", maybe},
	{"regexp_extract_all", "varchar(n), varchar(m) -> array(varchar(n)); varchar(n), varchar(m), bigint -> array(varchar(n))", "All matches", 0},
	{"regexp_replace", "varchar(n), varchar(m) -> varchar(n)", "Removes all matches", 0},
	{"regexp_position", "varchar(n), varchar(m) -> integer; varchar(n), varchar(m), bigint -> integer; varchar(n), varchar(m), bigint, bigint -> integer", "Position of a match, -1 if there is none", 0},
	{"regexp_count", "varchar(n), varchar(m) -> bigint", "Number of matches", 0},
	{"regexp_split", "varchar(n), varchar(m) -> array(varchar(n))", "Cuts a string at matches", 0},
	{"to_hex to_base64", "varbinary -> varchar", "Bytes as text", 0},
	{"from_hex from_base64", "varchar(n) -> varbinary; varbinary -> varbinary", "Bytes from text", 0},
	{"to_utf8", "varchar(n) -> varbinary; char(n) -> varbinary", "The UTF-8 bytes of a string", 0},
	{"from_utf8", "varbinary -> varchar; varbinary, varchar(n) -> varchar; varbinary, bigint -> varchar", "The string of UTF-8 bytes, with another character for what is not UTF-8", 0},
	{"md5 sha1 sha256 sha512 xxhash64", "varbinary -> varbinary", "Digest of bytes", 0},
	{"crc32", "varbinary -> bigint", "Checksum of bytes", 0},
}

const (
	dateParts = "date -> bigint; timestamp(p) -> bigint; timestamp with time zone(p) -> bigint"
	timeParts = "timestamp(p) -> bigint; timestamp with time zone(p) -> bigint; time(p) -> bigint; interval day to second -> bigint"
)

var timeEntries = []entry{
	{"year month", dateParts + "; interval year to month -> bigint", "Field of a date", 0},
	{"quarter week week_of_year day_of_week dow day_of_year doy day_of_month year_of_week yow", dateParts, "Field of a date", 0},
	{"day", dateParts + "; interval day to second -> bigint", "Day of the month", 0},
	{"hour minute second millisecond", timeParts, "Field of a time", 0},
	{"timezone_hour timezone_minute", "timestamp with time zone(p) -> bigint", "Offset of the time zone", 0},
	{"date", "varchar(n) -> date; timestamp(p) -> date; timestamp with time zone(p) -> date", "The date of a string or timestamp", 0},
	{"last_day_of_month", "date -> date; timestamp(p) -> date; timestamp with time zone(p) -> date", "The last day of the month", 0},
	{"date_trunc", "varchar(x), date -> date; varchar(x), timestamp(p) -> timestamp(p); varchar(x), timestamp with time zone(p) -> timestamp with time zone(p); varchar(x), time(p) -> time(p)", "Rounds down to a unit", 0},
	{"date_add", "varchar(x), bigint, date -> date; varchar(x), bigint, timestamp(p) -> timestamp(p); varchar(x), bigint, timestamp with time zone(p) -> timestamp with time zone(p); varchar(x), bigint, time(p) -> time(p)", "Adds units", 0},
	{"date_diff", "varchar(x), date, date -> bigint; varchar(x), timestamp(p), timestamp(p) -> bigint; varchar(x), timestamp with time zone(p), timestamp with time zone(p) -> bigint; varchar(x), time(p), time(p) -> bigint", "Whole units between two", 0},
	{"date_format", "timestamp(p), varchar(x) -> varchar; timestamp with time zone(p), varchar(x) -> varchar", "Formats as MySQL does", 0},
	{"date_parse", "varchar(x), varchar(y) -> timestamp(3)", "Parses as MySQL does", 0},
	{"format_datetime", "timestamp(p), varchar(x) -> varchar; timestamp with time zone(p), varchar(x) -> varchar", "Formats with a Joda pattern", 0},
	{"parse_datetime", "varchar(x), varchar(y) -> timestamp with time zone(3)", "Parses with a Joda pattern", stable},
	{"to_milliseconds", "interval day to second -> bigint", "The length of an interval in milliseconds", 0},
	{"from_unixtime", "double, varchar(x) -> timestamp with time zone(3); double, bigint, bigint -> timestamp with time zone(3)", "The instant of a Unix time in a time zone, or at an offset of hours and minutes", 0},
	{"from_unixtime", "double -> timestamp with time zone(3)", "The instant of a Unix time", stable},
	{"to_unixtime", "timestamp(p) -> double; timestamp with time zone(p) -> double", "The Unix time of an instant", stable},
	{"from_iso8601_date", "varchar(x) -> date", "Reads an ISO 8601 date", 0},
	{"from_iso8601_timestamp", "varchar(x) -> timestamp with time zone(3)", "Reads an ISO 8601 timestamp", stable},
	{"to_iso8601", "date -> varchar(16)", "Writes in ISO 8601", 0},
	{"at_timezone with_timezone", "timestamp with time zone(p), varchar(x) -> timestamp with time zone(p)", "The same instant in another zone", 0},
	{"with_timezone", "timestamp(p), varchar(x) -> timestamp with time zone(p)", "The local time in a zone", 0},
	{OpAtTimeZone, "timestamp with time zone(p), varchar(x) -> timestamp with time zone(p); timestamp with time zone(p), interval day to second -> timestamp with time zone(p)", "", 0},
}

var nestedEntries = []entry{
	{"cardinality", "array(T) -> bigint; map(K,V) -> bigint", "Number of elements", 0},
	{"contains", "array(C), C -> boolean", "Whether an array holds a value", maybe},
	{"element_at", "array(T), bigint -> T; map(K,V), K -> V", "An element, null if absent", maybe},
	{"array_join", "array(T), varchar -> varchar; array(T), varchar, varchar -> varchar", "Joins the elements as text", 0},
	{"slice", "array(T), bigint, bigint -> array(T)", "Part of an array from a position, counted from 1 or from the end", 0},
	{"reverse", "array(T) -> array(T)", "Reverses the order of the elements", 0},
	{"flatten", "array(array(T)) -> array(T)", "Joins the arrays in an array", 0},
	{"repeat", "T, bigint -> array(T)", "An array of that many times the value", onNull | maybe},
	{"array_sort", "array(O) -> array(O)", "Sorts, nulls last", 0},
	{"array_distinct", "array(C) -> array(C)", "Drops repeats", 0},
	{"array_max array_min", "array(O) -> O", "The largest or smallest element", maybe},
	{"array_position", "array(C), C -> bigint", "Position of a value, 0 if absent", 0},
	{"sequence", "bigint, bigint -> array(bigint); bigint, bigint, bigint -> array(bigint); date, date -> array(date); date, date, interval day to second -> array(date)", "The values from one to another", 0},
	{"map", "-> map(unknown,unknown); array(K), array(V) -> map(K,V)", "A map of keys and values", 0},
	{"map_keys", "map(K,V) -> array(K)", "The keys", 0},
	{"map_values", "map(K,V) -> array(V)", "The values", 0},
	{OpArray, "T... -> array(T); -> array(unknown)", "", onNull},
	{OpSubscript, "array(T), bigint -> T; map(K,V), K -> V", "", maybe},
}

var operatorEntries = []entry{
	{OpLike, "varchar(x), varchar(y) -> boolean; varchar(x), varchar(y), varchar(z) -> boolean; char(x), varchar(y) -> boolean; char(x), varchar(y), varchar(z) -> boolean", "", 0},
	{OpAdd, "date, interval day to second -> date; interval day to second, date -> date; date, interval year to month -> date; interval year to month, date -> date", "", 0},
	{OpSubtract, "date, interval day to second -> date; date, interval year to month -> date; date, date -> interval day to second", "", 0},
	{OpAdd, "timestamp(p), interval year to month -> timestamp(p); interval year to month, timestamp(p) -> timestamp(p)", "", 0},
	{OpSubtract, "timestamp(p), interval year to month -> timestamp(p); timestamp(p), timestamp(p) -> interval day to second", "", 0},
	{OpAdd, "timestamp with time zone(p), interval year to month -> timestamp with time zone(p); interval year to month, timestamp with time zone(p) -> timestamp with time zone(p)", "", 0},
	{OpSubtract, "timestamp with time zone(p), interval year to month -> timestamp with time zone(p); timestamp with time zone(p), timestamp with time zone(p) -> interval day to second", "", 0},
	{OpSubtract, "time(p), time(p) -> interval day to second", "", 0},
	{OpAdd + " " + OpSubtract, "interval day to second, interval day to second -> interval day to second; interval year to month, interval year to month -> interval year to month", "", 0},
	{OpMultiply, "interval day to second, bigint -> interval day to second; bigint, interval day to second -> interval day to second; interval day to second, double -> interval day to second; double, interval day to second -> interval day to second; interval year to month, bigint -> interval year to month; bigint, interval year to month -> interval year to month; interval year to month, double -> interval year to month; double, interval year to month -> interval year to month", "", 0},
	{OpDivide, "interval day to second, double -> interval day to second; interval year to month, double -> interval year to month", "", 0},
	{OpNegate, "interval day to second -> interval day to second; interval year to month -> interval year to month", "", 0},
}

var sessionEntries = []entry{
	{"current_timezone", "-> varchar", "The session's time zone", stable},
	{"now", "-> timestamp with time zone(3)", "The start of the query", stable},
	{"version", "-> varchar", "The version of the server", stable},
	{"uuid", "-> uuid", "A random UUID", volatile},
	{"typeof", "T -> varchar", "The type of the argument", onNull},
}
