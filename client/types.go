package client

import (
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
)

// Decoder turns a value as it came over the wire into its Go value. SQL NULL
// (nil) stays nil. A Decoder is not safe for concurrent use.
type Decoder func(raw any) (any, error)

// Decoder returns the decoder of the type. It makes
//
//	boolean                    bool
//	tinyint … bigint           int64
//	real, double               float64
//	decimal                    string, exact, at the type's scale
//	varchar, char, json, …     string
//	varbinary                  []byte
//	date, timestamp            time.Time in UTC
//	timestamp with time zone   time.Time in that zone
//	time, time with time zone  string
//	intervals                  string
//	array                      []any, decoded
//	map                        Map, values decoded, keys as text
//	row                        []any, decoded, in field order
//
// Times are cut to nanoseconds; the wire text has up to twelve digits. Zones
// by name need the system's or the program's zone data (time/tzdata).
func (t TypeSignature) Decoder() Decoder {
	inner := t.decoder()
	return func(raw any) (any, error) {
		if raw == nil {
			return nil, nil
		}
		v, err := inner(raw)
		if err != nil {
			return nil, fmt.Errorf("decode %s: %w", t, err)
		}
		return v, nil
	}
}

func (t TypeSignature) decoder() Decoder {
	switch t.RawType {
	case "tinyint", "smallint", "integer", "bigint":
		return decodeInt
	case "real", "double":
		return decodeFloat
	case "varbinary":
		return decodeBinary
	case "date", "timestamp":
		return decodeText(parseDateTime)
	case "timestamp with time zone":
		zones := zoneCache{}
		return decodeText(zones.parse)
	case "array":
		return t.arrayDecoder()
	case "map":
		return t.mapDecoder()
	case "row":
		return t.rowDecoder()
	}
	return decodeScalar
}

// decodeScalar passes on booleans and everything that is text on the wire.
func decodeScalar(raw any) (any, error) {
	switch v := raw.(type) {
	case bool, string:
		return v, nil
	case json.Number:
		return string(v), nil
	}
	return raw, nil
}

func decodeInt(raw any) (any, error) {
	n, ok := raw.(json.Number)
	if !ok {
		return nil, fmt.Errorf("%T is not a number", raw)
	}
	return strconv.ParseInt(string(n), 10, 64)
}

func decodeFloat(raw any) (any, error) {
	switch v := raw.(type) {
	case json.Number:
		return strconv.ParseFloat(string(v), 64)
	case string:
		switch v {
		case "NaN":
			return math.NaN(), nil
		case "Infinity":
			return math.Inf(1), nil
		case "-Infinity":
			return math.Inf(-1), nil
		}
		return strconv.ParseFloat(v, 64)
	}
	return nil, fmt.Errorf("%T is not a number", raw)
}

func decodeBinary(raw any) (any, error) {
	s, ok := raw.(string)
	if !ok {
		return nil, fmt.Errorf("%T is not base64 text", raw)
	}
	return base64.StdEncoding.DecodeString(s)
}

func decodeText(parse func(string) (time.Time, error)) Decoder {
	return func(raw any) (any, error) {
		s, ok := raw.(string)
		if !ok {
			return nil, fmt.Errorf("%T is not text", raw)
		}
		return parse(s)
	}
}

func (t TypeSignature) arrayDecoder() Decoder {
	elem := t.typeArg(0).Decoder()
	return func(raw any) (any, error) {
		in, ok := raw.([]any)
		if !ok {
			return nil, fmt.Errorf("%T is not an array", raw)
		}
		out := make([]any, len(in))
		for i, v := range in {
			var err error
			if out[i], err = elem(v); err != nil {
				return nil, fmt.Errorf("element %d: %w", i+1, err)
			}
		}
		return out, nil
	}
}

func (t TypeSignature) mapDecoder() Decoder {
	value := t.typeArg(1).Decoder()
	return func(raw any) (any, error) {
		in, ok := raw.(Map)
		if !ok {
			return nil, fmt.Errorf("%T is not a map", raw)
		}
		out := make(Map, len(in))
		for i, e := range in {
			v, err := value(e.Value)
			if err != nil {
				return nil, fmt.Errorf("value of key %q: %w", e.Key, err)
			}
			out[i] = MapEntry{e.Key, v}
		}
		return out, nil
	}
}

func (t TypeSignature) rowDecoder() Decoder {
	fields := make([]Decoder, len(t.Arguments))
	for i := range fields {
		fields[i] = t.typeArg(i).Decoder()
	}
	return func(raw any) (any, error) {
		in, ok := raw.([]any)
		if !ok || len(in) != len(fields) {
			return nil, fmt.Errorf("%T is not a row of %d fields", raw, len(fields))
		}
		out := make([]any, len(in))
		for i, v := range in {
			var err error
			if out[i], err = fields[i](v); err != nil {
				return nil, fmt.Errorf("field %d: %w", i+1, err)
			}
		}
		return out, nil
	}
}

// typeArg returns the i-th argument's type, or an unknown type.
func (t TypeSignature) typeArg(i int) TypeSignature {
	if i < len(t.Arguments) && t.Arguments[i].Type != nil {
		return *t.Arguments[i].Type
	}
	return TypeSignature{RawType: "unknown"}
}

// longArg returns the i-th argument's number, or -1.
func (t TypeSignature) longArg(i int) int64 {
	if i < len(t.Arguments) && t.Arguments[i].Type == nil {
		return t.Arguments[i].Long
	}
	return -1
}

// unboundedVarchar is the length that stands for none.
const unboundedVarchar = math.MaxInt32

// String returns the SQL text of the type.
func (t TypeSignature) String() string {
	if len(t.Arguments) == 0 || (t.RawType == "varchar" && t.longArg(0) == unboundedVarchar) {
		return t.RawType
	}
	args := make([]string, len(t.Arguments))
	for i, a := range t.Arguments {
		switch {
		case a.Type == nil:
			args[i] = strconv.FormatInt(a.Long, 10)
		case a.Name != "":
			args[i] = a.Name + " " + a.Type.String()
		default:
			args[i] = a.Type.String()
		}
	}
	list := "(" + strings.Join(args, ", ") + ")"
	// The precision of times stands within the name: timestamp(3) with time zone.
	if base, ok := strings.CutSuffix(t.RawType, " with time zone"); ok {
		return base + list + " with time zone"
	}
	return t.RawType + list
}

// parseDateTime reads "2024-02-29" and "2024-02-29 01:02:03.123456" with years
// of any size and sign, which time.Parse does not.
func parseDateTime(s string) (time.Time, error) { return parseIn(s, time.UTC) }

func parseIn(s string, loc *time.Location) (time.Time, error) {
	bad := func() (time.Time, error) { return time.Time{}, fmt.Errorf("%q is not a date or timestamp", s) }
	date, clock, hasClock := strings.Cut(s, " ")
	year, month, day, ok := parseDate(date)
	if !ok {
		return bad()
	}
	var hms [3]int
	nanos := 0
	if hasClock {
		whole, frac, hasFrac := strings.Cut(clock, ".")
		parts := strings.Split(whole, ":")
		if len(parts) > len(hms) || (hasFrac && !parseNanos(frac, &nanos)) {
			return bad()
		}
		for i, p := range parts {
			n, err := strconv.Atoi(p)
			if err != nil || n < 0 || n > 60 {
				return bad()
			}
			hms[i] = n
		}
	}
	return time.Date(year, time.Month(month), day, hms[0], hms[1], hms[2], nanos, loc), nil
}

func parseDate(s string) (year, month, day int, ok bool) {
	// The year may carry a sign: cut from the right.
	rest, d, ok1 := cutLast(s, '-')
	y, m, ok2 := cutLast(rest, '-')
	year, err1 := strconv.Atoi(y)
	month, err2 := strconv.Atoi(m)
	day, err3 := strconv.Atoi(d)
	ok = ok1 && ok2 && err1 == nil && err2 == nil && err3 == nil && month >= 1 && month <= 12 && day >= 1 && day <= 31
	return year, month, day, ok
}

func cutLast(s string, sep byte) (before, after string, ok bool) {
	i := strings.LastIndexByte(s, sep)
	if i < 0 {
		return s, "", false
	}
	return s[:i], s[i+1:], true
}

// parseNanos reads up to twelve digits of a second and cuts them to nine.
func parseNanos(frac string, into *int) bool {
	if frac == "" || strings.Trim(frac, "0123456789") != "" {
		return false
	}
	n, err := strconv.Atoi((frac + "000000000")[:9])
	*into = n
	return err == nil
}

// zoneCache keeps the zones seen, as loading one reads a file.
type zoneCache map[string]*time.Location

// parse reads "2024-02-29 01:02:03.123 Europe/Rome" or "… +05:30" or "… UTC".
func (z zoneCache) parse(s string) (time.Time, error) {
	stamp, name, ok := cutLast(s, ' ')
	if !ok || name == "" || !strings.Contains(stamp, " ") {
		return time.Time{}, fmt.Errorf("%q is not a timestamp with time zone", s)
	}
	loc := z[name]
	if loc == nil {
		var err error
		if loc, err = loadZone(name); err != nil {
			return time.Time{}, err
		}
		z[name] = loc
	}
	return parseIn(stamp, loc)
}

func loadZone(name string) (*time.Location, error) {
	if name == "UTC" || name == "Z" {
		return time.UTC, nil
	}
	if name[0] == '+' || name[0] == '-' {
		t, err := time.Parse("-07:00", name)
		if err != nil {
			return nil, fmt.Errorf("time zone %q: %w", name, err)
		}
		_, offset := t.Zone()
		return time.FixedZone(name, offset), nil
	}
	return time.LoadLocation(name)
}

// FormatValue returns a raw wire value as text for people and files: nested
// values as [a, b], {k=v} and {field=v}, varbinary as 0x…, NULL as null inside
// nested values. At the top, callers treat nil themselves.
func (t TypeSignature) FormatValue(raw any) string {
	switch v := raw.(type) {
	case nil:
		return "null"
	case string:
		if t.RawType == "varbinary" {
			if b, err := base64.StdEncoding.DecodeString(v); err == nil {
				return "0x" + hex.EncodeToString(b)
			}
		}
		return v
	case json.Number:
		return string(v)
	case bool:
		return strconv.FormatBool(v)
	}
	var b strings.Builder
	t.appendNested(&b, raw)
	return b.String()
}

func (t TypeSignature) appendNested(b *strings.Builder, raw any) {
	switch v := raw.(type) {
	case []any:
		open, end := "[", "]"
		if t.RawType == "row" {
			open, end = "{", "}"
		}
		b.WriteString(open)
		for i, e := range v {
			if i > 0 {
				b.WriteString(", ")
			}
			elem := t.typeArg(0)
			if t.RawType == "row" {
				elem = t.typeArg(i)
				if name := t.fieldName(i); name != "" {
					b.WriteString(name + "=")
				}
			}
			b.WriteString(elem.FormatValue(e))
		}
		b.WriteString(end)
	case Map:
		b.WriteByte('{')
		for i, e := range v {
			if i > 0 {
				b.WriteString(", ")
			}
			b.WriteString(e.Key + "=" + t.typeArg(1).FormatValue(e.Value))
		}
		b.WriteByte('}')
	default:
		fmt.Fprint(b, raw)
	}
}

func (t TypeSignature) fieldName(i int) string {
	if i < len(t.Arguments) {
		return t.Arguments[i].Name
	}
	return ""
}
