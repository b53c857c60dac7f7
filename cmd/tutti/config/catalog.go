package config

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"

	"gopkg.in/yaml.v3"
)

// Catalog is the definition of one catalog: a file CATALOG-DIR/NAME.yaml.
type Catalog struct {
	Name      string
	Connector string
	// Settings are the file's other settings as YAML, references to secrets
	// unresolved: each node resolves them for itself.
	Settings []byte
	// Source is the file, for errors.
	Source string
}

var catalogName = regexp.MustCompile(`^[a-z][a-z0-9_]*$`)

// Catalogs reads all definitions in a folder, sorted by name. A folder that
// is not there has none.
func Catalogs(dir string) ([]Catalog, error) {
	entries, err := os.ReadDir(dir)
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("catalog-dir: %w", err)
	}
	var out []Catalog
	for _, e := range entries {
		name, isYAML := strings.CutSuffix(e.Name(), ".yaml")
		if !isYAML || strings.HasPrefix(name, ".") {
			continue
		}
		path := filepath.Join(dir, e.Name())
		if !catalogName.MatchString(name) {
			return nil, fmt.Errorf("%s: a catalog's name is made of a-z, 0-9 and _, and starts with a letter", path)
		}
		c, err := readCatalog(name, path)
		if err != nil {
			return nil, err
		}
		out = append(out, c)
	}
	slices.SortFunc(out, func(a, b Catalog) int { return strings.Compare(a.Name, b.Name) })
	return out, nil
}

func readCatalog(name, path string) (Catalog, error) {
	b, err := os.ReadFile(path)
	if err != nil {
		return Catalog{}, err
	}
	var doc map[string]yaml.Node
	if err := yaml.Unmarshal(b, &doc); err != nil {
		return Catalog{}, fmt.Errorf("%s: %w", path, err)
	}
	kind := doc["connector"]
	if kind.Value == "" {
		return Catalog{}, fmt.Errorf("%s: the setting connector is missing (lake, tpch, memory)", path)
	}
	delete(doc, "connector")
	settings, err := yaml.Marshal(doc)
	if err != nil {
		return Catalog{}, fmt.Errorf("%s: %w", path, err)
	}
	return Catalog{Name: name, Connector: kind.Value, Settings: settings, Source: path}, nil
}

// Decode fills in a connector's settings, strictly: a key that into does not
// have is an error. References to secrets are resolved.
func (c Catalog) Decode(into any) error {
	var doc yaml.Node
	if err := yaml.Unmarshal(c.Settings, &doc); err != nil {
		return fmt.Errorf("%s: %w", c.where(), err)
	}
	if err := resolveAll(&doc); err != nil {
		return fmt.Errorf("%s: %w", c.where(), err)
	}
	text, err := yaml.Marshal(&doc)
	if err != nil {
		return fmt.Errorf("%s: %w", c.where(), err)
	}
	dec := yaml.NewDecoder(bytes.NewReader(text))
	dec.KnownFields(true)
	if err := dec.Decode(into); err != nil && len(bytes.TrimSpace(c.Settings)) > 2 {
		return fmt.Errorf("%s: %w", c.where(), plainError(err, into))
	}
	return nil
}

// unknownKey is how the YAML decoder says that a key is not known.
var unknownKey = regexp.MustCompile(`field (\S+) not found in type`)

// plainError says in one line what the decoder found wrong: the setting, not
// the Go type it was meant for, and what may have been meant.
func plainError(err error, into any) error {
	var wrong *yaml.TypeError
	if !errors.As(err, &wrong) || len(wrong.Errors) == 0 {
		return errors.New(strings.ReplaceAll(err.Error(), "\n", " "))
	}
	first := wrong.Errors[0]
	if m := unknownKey.FindStringSubmatch(first); m != nil {
		return fmt.Errorf("unknown setting %q%s", m[1], Suggest(m[1], keys(reflect.TypeOf(into))))
	}
	// The decoder sees the settings without their first line, so its line
	// numbers mean nothing to the user.
	if _, text, ok := strings.Cut(first, ": "); ok {
		first = text
	}
	return errors.New(strings.ReplaceAll(first, "!!", ""))
}

// keys lists the YAML keys of a struct and of those within it.
func keys(t reflect.Type) (out []string) {
	for t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	if t.Kind() != reflect.Struct {
		return nil
	}
	for i := range t.NumField() {
		if name, _, _ := strings.Cut(t.Field(i).Tag.Get("yaml"), ","); name != "" {
			out = append(out, name)
		}
		out = append(out, keys(t.Field(i).Type)...)
	}
	return out
}

func (c Catalog) where() string {
	if c.Source != "" {
		return c.Source
	}
	return "catalog " + c.Name
}

// resolveAll resolves the references in every value below n.
func resolveAll(n *yaml.Node) error {
	if n.Kind == yaml.ScalarNode {
		v, err := Resolve(n.Value, os.LookupEnv)
		n.Value = v
		return err
	}
	for _, c := range n.Content {
		if err := resolveAll(c); err != nil {
			return err
		}
	}
	return nil
}
