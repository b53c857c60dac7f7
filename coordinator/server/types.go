package server

import (
	"regexp"
	"strconv"
	"strings"

	"github.com/tuttidb/tutti/sql/types"
)

// plainField matches row field names that need no quotes.
var plainField = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`)

// clientType returns t as a client without PARAMETRIC_DATETIME sees it: times
// have milliseconds. It is t itself for other clients.
func clientType(t types.Type, parametric bool) types.Type {
	if parametric {
		return t
	}
	switch t.Kind {
	case types.Time, types.TimeTZ, types.Timestamp, types.TimestampTZ:
		t.P = 3
	case types.Array:
		return types.ArrayOf(clientType(t.Elem(0), false))
	case types.Map:
		return types.MapOf(clientType(t.Elem(0), false), clientType(t.Elem(1), false))
	case types.Row:
		fields := make([]types.Type, len(t.Elems()))
		for i, e := range t.Elems() {
			fields[i] = clientType(e, false)
		}
		return types.RowOf(fields, t.FieldNames())
	}
	return t
}

// typeText returns the text of a type in a result's column: that of SQL, with
// a blank behind each comma.
func typeText(t types.Type, parametric bool) string {
	switch t.Kind {
	case types.Decimal:
		return "decimal(" + strconv.Itoa(int(t.P)) + ", " + strconv.Itoa(int(t.S)) + ")"
	case types.IntervalDay, types.IntervalYear:
		return strings.ToUpper(t.Kind.Base())
	case types.Time, types.TimeTZ, types.Timestamp, types.TimestampTZ:
		if !parametric {
			return t.Kind.Base()
		}
	case types.Array, types.Map, types.Row:
		parts := make([]string, len(t.Elems()))
		for i, e := range t.Elems() {
			parts[i] = typeText(e, parametric)
			if t.Kind == types.Row && t.FieldNames()[i] != "" {
				parts[i] = quoteField(t.FieldNames()[i]) + " " + parts[i]
			}
		}
		return t.Kind.Base() + "(" + strings.Join(parts, ", ") + ")"
	}
	return t.String()
}

func quoteField(name string) string {
	if plainField.MatchString(name) {
		return name
	}
	return `"` + strings.ReplaceAll(name, `"`, `""`) + `"`
}

// appendSignature appends the tree form of a type.
func appendSignature(dst []byte, t types.Type, parametric bool) []byte {
	dst = append(dst, `{"rawType":"`...)
	dst = append(dst, t.Kind.Base()...)
	dst = append(dst, `","arguments":[`...)
	switch t.Kind {
	case types.Decimal:
		dst = append(appendLong(dst, t.P), ',')
		dst = appendLong(dst, t.S)
	case types.Varchar, types.Char:
		dst = appendLong(dst, t.P)
	case types.Time, types.TimeTZ, types.Timestamp, types.TimestampTZ:
		if parametric {
			dst = appendLong(dst, t.P)
		}
	case types.Array, types.Map, types.Row:
		dst = appendElements(dst, t, parametric)
	}
	return append(dst, "]}"...)
}

func appendElements(dst []byte, t types.Type, parametric bool) []byte {
	for i, e := range t.Elems() {
		if i > 0 {
			dst = append(dst, ',')
		}
		if t.Kind != types.Row {
			dst = append(dst, `{"kind":"TYPE","value":`...)
			dst = append(appendSignature(dst, e, parametric), '}')
			continue
		}
		dst = append(dst, `{"kind":"NAMED_TYPE","value":{`...)
		if name := t.FieldNames()[i]; name != "" {
			dst = append(dst, `"fieldName":{"name":`...)
			dst = append(appendString(dst, []byte(name)), `},`...)
		}
		dst = append(dst, `"typeSignature":`...)
		dst = append(appendSignature(dst, e, parametric), "}}"...)
	}
	return dst
}

func appendLong(dst []byte, n int32) []byte {
	dst = append(dst, `{"kind":"LONG","value":`...)
	return append(strconv.AppendInt(dst, int64(n), 10), '}')
}
