package ast

import (
	"fmt"
	"reflect"
	"strconv"
	"strings"
)

// dumpWidth is the line length beyond which Dump breaks a node into lines.
const dumpWidth = 100

// Dump prints the tree under n as nested lists, one (Kind field: value …) for
// each node, without positions and without fields that are zero, except for
// operators and the like. It is meant for tests and for looking at trees.
func Dump(n Node) string {
	return dumpValue(reflect.ValueOf(n), 0)
}

// Same reports whether two trees are the same but for positions and for
// whether identifiers were quoted, which never changes what they name.
func Same(a, b Node) bool {
	return equalValues(reflect.ValueOf(a), reflect.ValueOf(b))
}

func equalValues(a, b reflect.Value) bool {
	if a.IsValid() != b.IsValid() {
		return false
	}
	if !a.IsValid() {
		return true
	}
	if a.Type() != b.Type() {
		return false
	}
	switch a.Kind() {
	case reflect.Pointer, reflect.Interface:
		return equalValues(a.Elem(), b.Elem())
	case reflect.Slice:
		return equalSlices(a, b)
	case reflect.Struct:
		return equalStructs(a, b)
	}
	return a.Equal(b)
}

func equalSlices(a, b reflect.Value) bool {
	if a.Len() != b.Len() {
		return false
	}
	for i := range a.Len() {
		if !equalValues(a.Index(i), b.Index(i)) {
			return false
		}
	}
	return true
}

func equalStructs(a, b reflect.Value) bool {
	if a.Type() == reflect.TypeFor[Identifier]() {
		return a.FieldByName("Name").Equal(b.FieldByName("Name"))
	}
	for i := range a.NumField() {
		if a.Type().Field(i).Type == reflect.TypeFor[Base]() {
			continue
		}
		if !equalValues(a.Field(i), b.Field(i)) {
			return false
		}
	}
	return true
}

func dumpValue(v reflect.Value, indent int) string {
	switch v.Kind() {
	case reflect.Interface:
		return dumpValue(v.Elem(), indent)
	case reflect.Pointer:
		if v.IsNil() {
			return "nil"
		}
		return dumpValue(v.Elem(), indent)
	case reflect.Struct:
		return dumpStruct(v, indent)
	case reflect.Slice:
		return dumpSlice(v, indent)
	case reflect.String:
		return strconv.Quote(v.String())
	}
	if s, ok := v.Interface().(fmt.Stringer); ok {
		return s.String()
	}
	return fmt.Sprint(v.Interface())
}

func dumpStruct(v reflect.Value, indent int) string {
	if id, ok := v.Interface().(Identifier); ok {
		if id.Quoted {
			return strconv.Quote(id.Name)
		}
		return id.Name
	}
	var parts []string
	for i := range v.NumField() {
		field := v.Type().Field(i)
		if field.Type == reflect.TypeFor[Base]() || v.Field(i).IsZero() && !isNamedEnum(v.Field(i)) {
			continue
		}
		name := strings.ToLower(field.Name[:1]) + field.Name[1:]
		if field.Type.Kind() == reflect.Bool {
			parts = append(parts, name)
			continue
		}
		parts = append(parts, name+": "+dumpValue(v.Field(i), indent+1))
	}
	return layout("("+v.Type().Name(), parts, ")", indent)
}

// isNamedEnum reports whether v is a constant with a name, which is worth
// printing even when it is the first of its kind.
func isNamedEnum(v reflect.Value) bool {
	s, ok := v.Interface().(fmt.Stringer)
	return ok && v.Kind() == reflect.Uint8 && s.String() != ""
}

func dumpSlice(v reflect.Value, indent int) string {
	if b, ok := v.Interface().([]byte); ok {
		return fmt.Sprintf("%x", b)
	}
	parts := make([]string, v.Len())
	for i := range parts {
		parts[i] = dumpValue(v.Index(i), indent+1)
	}
	return layout("[", parts, "]", indent)
}

// layout puts parts on one line when they fit, else each on its own.
func layout(open string, parts []string, end string, indent int) string {
	sep := " "
	if open == "[" {
		sep = ""
	}
	line := strings.Join(parts, " ")
	if len(parts) == 0 {
		return open + end
	}
	if !strings.Contains(line, "\n") && len(line)+2*indent < dumpWidth {
		return open + sep + line + end
	}
	pad := "\n" + strings.Repeat("  ", indent+1)
	return open + pad + strings.Join(parts, pad) + end
}
