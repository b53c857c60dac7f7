package coordinator

import (
	"encoding/json"
	"math"
	"strconv"
	"strings"
)

// object is a JSON object whose fields keep their order.
type object []field

type field struct {
	name  string
	value any
}

// list is a JSON array.
type list []any

// jsonText prints a value as Trino's EXPLAIN does, which clients show to
// people: two spaces for each level of objects, arrays on their fields' lines.
// A value is an object, a list, a string, a bool or a float64; NaN becomes
// "NaN", as JSON has no number for it.
func jsonText(v any) string {
	var b strings.Builder
	writeJSON(&b, v, "\n")
	return b.String()
}

// writeJSON prints v; newline is a line's end with the indentation after it.
func writeJSON(b *strings.Builder, v any, newline string) {
	switch v := v.(type) {
	case object:
		writeObject(b, v, newline)
	case list:
		b.WriteString("[ ")
		for i, x := range v {
			if i > 0 {
				b.WriteString(", ")
			}
			writeJSON(b, x, newline)
		}
		b.WriteString(strings.Repeat(" ", min(len(v), 1)) + "]")
	case float64:
		b.WriteString(numberText(v))
	case bool:
		b.WriteString(strconv.FormatBool(v))
	case string:
		b.WriteString(quoted(v))
	}
}

func writeObject(b *strings.Builder, o object, newline string) {
	if len(o) == 0 {
		b.WriteString("{ }")
		return
	}
	b.WriteByte('{')
	for i, f := range o {
		if i > 0 {
			b.WriteByte(',')
		}
		b.WriteString(newline + "  " + quoted(f.name) + " : ")
		writeJSON(b, f.value, newline+"  ")
	}
	b.WriteString(newline + "}")
}

// numberText prints a number so that it is seen to be no integer.
func numberText(v float64) string {
	if math.IsNaN(v) || math.IsInf(v, 0) {
		return `"NaN"`
	}
	s := strconv.FormatFloat(v, 'f', -1, 64)
	if !strings.Contains(s, ".") {
		s += ".0"
	}
	return s
}

func quoted(s string) string {
	var b strings.Builder
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false) // plans are full of < and >
	_ = e.Encode(s)        // a string always encodes
	return strings.TrimSuffix(b.String(), "\n")
}
