package config

import (
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"gopkg.in/yaml.v3"
)

// Property is one setting of a catalog as a statement has it: "s3.path-style"
// = 'true'. Dots lead into nested settings, lists are written with commas.
type Property struct{ Name, Value string }

// CheckName returns an error unless name can be a catalog's.
func CheckName(name string) error {
	if !catalogName.MatchString(name) {
		return fmt.Errorf("catalog name %q: it is made of a-z, 0-9 and _, and starts with a letter", name)
	}
	return nil
}

// field is a setting of a connector.
type field struct {
	path []string
	kind reflect.Type
	// credential is the tag of that name: "public" for a setting that may be a
	// reference (${ENV:…}, ${FILE:…}), "secret" for one that must be; "" for all
	// others.
	credential string
}

func (f field) name() string { return strings.Join(f.path, ".") }

// fields lists the settings of a connector by the struct, given as a pointer,
// that they are decoded into.
func fields(into any) []field { return appendFields(nil, nil, reflect.TypeOf(into).Elem()) }

func appendFields(out []field, path []string, t reflect.Type) []field {
	for i := range t.NumField() {
		f := t.Field(i)
		name, _, _ := strings.Cut(f.Tag.Get("yaml"), ",")
		if name == "" {
			continue
		}
		at := append(slices.Clip(path), name)
		if f.Type.Kind() == reflect.Struct {
			out = appendFields(out, at, f.Type)
			continue
		}
		out = append(out, field{path: at, kind: f.Type, credential: f.Tag.Get("credential")})
	}
	return out
}

// FromProperties makes a definition of properties, for a connector whose
// settings are decoded into the struct that into points to. What is misspelled
// or no value of its setting is an error that names the property.
func FromProperties(name, connector string, list []Property, into any) (Catalog, error) {
	known := fields(into)
	root := &yaml.Node{Kind: yaml.MappingNode}
	for _, p := range list {
		i := slices.IndexFunc(known, func(f field) bool { return f.name() == p.Name })
		if i < 0 {
			return Catalog{}, fmt.Errorf("unknown setting %q%s", p.Name, suggestSetting(p.Name, known))
		}
		value, err := known[i].node(p.Value)
		if err != nil {
			return Catalog{}, fmt.Errorf("%s: %w", p.Name, err)
		}
		put(root, known[i].path, value)
	}
	c := Catalog{Name: name, Connector: connector}
	if len(list) == 0 {
		return c, nil
	}
	var err error
	c.Settings, err = yaml.Marshal(root)
	return c, err
}

func suggestSetting(name string, known []field) string {
	if len(known) == 0 {
		return "; this connector has no settings"
	}
	names := make([]string, len(known))
	for i, f := range known {
		names[i] = f.name()
	}
	if s := Suggest(name, names); s != "" {
		return s
	}
	slices.Sort(names)
	return "; there are " + strings.Join(names, ", ")
}

var duration = reflect.TypeFor[time.Duration]()

// node returns a value as YAML, of the setting's type.
func (f field) node(text string) (*yaml.Node, error) {
	if !utf8.ValidString(text) {
		return nil, fmt.Errorf("%q is not UTF-8", text)
	}
	n := &yaml.Node{Kind: yaml.ScalarNode, Value: text}
	switch {
	case f.kind == duration:
		d, err := time.ParseDuration(text)
		if err != nil {
			return nil, fmt.Errorf("%q is not a duration such as 30s or 5m", text)
		}
		n = quoted(d.String()) // YAML takes a bare 0 for a number
	case f.kind.Kind() == reflect.String:
		n = quoted(text)
	case f.kind.Kind() == reflect.Bool:
		if text != "true" && text != "false" {
			return nil, fmt.Errorf("%q is neither true nor false", text)
		}
	case f.kind.Kind() == reflect.Int, f.kind.Kind() == reflect.Int64:
		i, err := strconv.ParseInt(text, 10, 64)
		if err != nil {
			return nil, fmt.Errorf("%q is not a whole number", text)
		}
		n.Value = strconv.FormatInt(i, 10) // YAML takes 010 for 8
	case f.kind.Kind() == reflect.Slice && f.kind.Elem().Kind() == reflect.String:
		n = &yaml.Node{Kind: yaml.SequenceNode}
		for item := range strings.SplitSeq(text, ",") {
			n.Content = append(n.Content, quoted(strings.TrimSpace(item)))
		}
	default:
		return nil, fmt.Errorf("can be set in a catalog file only")
	}
	return n, nil
}

// quoted is a text in the one style of YAML in which every text comes back as
// it was.
func quoted(text string) *yaml.Node {
	return &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Style: yaml.DoubleQuotedStyle, Value: text}
}

// put sets a value in nested mappings, which it makes where they are missing.
func put(m *yaml.Node, path []string, value *yaml.Node) {
	for i := 0; i+1 < len(m.Content); i += 2 {
		if m.Content[i].Value == path[0] && len(path) > 1 {
			put(m.Content[i+1], path[1:], value)
			return
		}
	}
	key := quoted(path[0])
	if len(path) == 1 {
		m.Content = append(m.Content, key, value)
		return
	}
	inner := &yaml.Node{Kind: yaml.MappingNode}
	m.Content = append(m.Content, key, inner)
	put(inner, path[1:], value)
}

// IsReference reports whether a value is as a whole a reference to a secret.
func IsReference(value string) bool {
	at := reference.FindStringIndex(value)
	return at != nil && at[0] == 0 && at[1] == len(value)
}

// CheckReferences returns an error where a property that a statement sets is a
// reference but must not be, or a secret that must be but is not. Whoever may
// write statements must not learn by them what is in files and variables of a
// node: so a reference stands for a whole credential, which nobody prints, and
// nothing else. literals allows secrets as they are.
func CheckReferences(list []Property, into any, literals bool) error {
	for _, p := range list {
		credential := ""
		for _, f := range fields(into) {
			if f.name() == p.Name {
				credential = f.credential
			}
		}
		switch {
		case IsReference(p.Value) && credential != "":
		case reference.MatchString(p.Value) && credential != "":
			return fmt.Errorf("%s: a reference must be the whole value", p.Name)
		case reference.MatchString(p.Value):
			return fmt.Errorf("%s: references are for credentials only", p.Name)
		case credential == "secret" && !literals:
			return fmt.Errorf("%s: a secret must not be part of a statement: write '${ENV:NAME}' for an environment variable, "+
				"or '${FILE:path}' for a file, of every node", p.Name)
		}
	}
	return nil
}

// hidden stands for a secret that is not shown.
const hidden = "********"

// Hide returns properties as they may be shown: secrets that are no references
// are hidden.
func Hide(list []Property, into any) []Property {
	out := slices.Clone(list)
	for _, f := range fields(into) {
		for i, p := range out {
			if f.credential == "secret" && f.name() == p.Name && !IsReference(p.Value) {
				out[i].Value = hidden
			}
		}
	}
	return out
}

// Properties returns a definition's settings as a statement would have them,
// references unresolved.
func (c Catalog) Properties() ([]Property, error) {
	var doc yaml.Node
	if err := yaml.Unmarshal(c.Settings, &doc); err != nil {
		return nil, fmt.Errorf("%s: %w", c.where(), err)
	}
	if len(doc.Content) == 0 {
		return nil, nil
	}
	return properties(nil, "", doc.Content[0]), nil
}

func properties(out []Property, prefix string, n *yaml.Node) []Property {
	for i := 0; i+1 < len(n.Content); i += 2 {
		key, value := prefix+n.Content[i].Value, n.Content[i+1]
		if value.Kind == yaml.MappingNode {
			out = properties(out, key+".", value)
			continue
		}
		if text, err := scalar(value); err == nil {
			out = append(out, Property{key, text})
		}
	}
	return out
}
