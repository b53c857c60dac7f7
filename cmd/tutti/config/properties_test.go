package config

import (
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"
)

// settings are those of a made-up connector, with every kind there is.
type settings struct {
	Place    string        `yaml:"place"`
	Paths    []string      `yaml:"paths"`
	Patience time.Duration `yaml:"patience"`
	Tries    int           `yaml:"tries"`
	Odd      []int         `yaml:"odd"`
	Hidden   string
	S3       struct {
		PathStyle bool   `yaml:"path-style"`
		Key       string `yaml:"key" credential:"public"`
		Secret    string `yaml:"secret" credential:"secret"`
	} `yaml:"s3"`
}

// TestFromProperties: what a statement says arrives in the connector's
// settings, and comes back as it was written.
func TestFromProperties(t *testing.T) {
	t.Setenv("THE_SECRET", "s-1")
	list := []Property{
		{"s3.path-style", "true"}, {"place", "true"}, {"paths", "s3://a/x, s3://b"}, {"patience", "1m30s"}, {"tries", "12"},
		{"s3.secret", "${ENV:THE_SECRET}"}, {"s3.key", "key: 'with' \"quotes\"\nand lines # no comment"},
	}
	c, err := FromProperties("c", "odd", list, &settings{})
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(string(c.Settings), "s-1") {
		t.Error("the secret is in the definition")
	}
	var got settings
	if err := c.Decode(&got); err != nil {
		t.Fatal(err)
	}
	want := settings{Place: "true", Paths: []string{"s3://a/x", "s3://b"}, Patience: 90 * time.Second, Tries: 12}
	want.S3.PathStyle, want.S3.Secret, want.S3.Key = true, "s-1", list[6].Value
	if !slices.Equal(got.Paths, want.Paths) || got.S3 != want.S3 || got.Place != want.Place || got.Patience != want.Patience || got.Tries != want.Tries {
		t.Errorf("settings %+v, want %+v", got, want)
	}
	back, err := c.Properties()
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range list {
		p.Value = strings.ReplaceAll(p.Value, ", ", ",")
		if !slices.Contains(back, p) {
			t.Errorf("%v is not among %v", p, back)
		}
	}
	for name, value := range map[string]string{"patience": "0", "tries": "0010"} {
		c, err := FromProperties("c", "odd", []Property{{name, value}}, &settings{})
		if got = (settings{}); err != nil || c.Decode(&got) != nil || got.Patience != 0 || got.Tries != map[string]int{"tries": 10}[name] {
			t.Errorf("%s = %s: %+v, %v", name, value, got, err)
		}
	}
	none, err := FromProperties("c", "odd", nil, &settings{})
	if err != nil || none.Decode(&got) != nil {
		t.Errorf("no properties: %v", err)
	}
	if back, err := none.Properties(); err != nil || len(back) != 0 {
		t.Errorf("of none: %v, %v", back, err)
	}
}

func TestWrongProperties(t *testing.T) {
	for _, c := range []struct{ name, value, err string }{
		{"plaec", "x", `unknown setting "plaec"; did you mean "place"?`},
		{"s3.pathstyle", "true", `unknown setting "s3.pathstyle"; did you mean "s3.path-style"?`},
		{"s3", "x", `unknown setting "s3"; there are odd, paths, patience, place, s3.key, s3.path-style, s3.secret, tries`},
		{"hidden", "x", `unknown setting "hidden"; there are odd, paths, patience, place, s3.key, s3.path-style, s3.secret, tries`},
		{"s3.path-style", "yes", `s3.path-style: "yes" is neither true nor false`},
		{"patience", "5", `patience: "5" is not a duration such as 30s or 5m`},
		{"tries", "1.5", `tries: "1.5" is not a whole number`},
		{"odd", "1", "odd: can be set in a catalog file only"},
	} {
		if _, err := FromProperties("c", "odd", []Property{{c.name, c.value}}, &settings{}); err == nil || err.Error() != c.err {
			t.Errorf("%s = %q: %v, want %s", c.name, c.value, err, c.err)
		}
	}
	if _, err := FromProperties("c", "odd", []Property{{"x", ""}}, &struct{}{}); err == nil || err.Error() != `unknown setting "x"; this connector has no settings` {
		t.Errorf("no settings: %v", err)
	}
}

// TestCheckReferences: a statement cannot read a node's files and variables by
// way of settings that are shown or sent somewhere.
func TestCheckReferences(t *testing.T) {
	const literal = "s3.secret: a secret must not be part of a statement: write '${ENV:NAME}' for an environment variable, or '${FILE:path}' for a file, of every node"
	for _, c := range []struct {
		name, value string
		literals    bool
		err         string
	}{
		{"place", "s3://x", false, ""},
		{"place", "${ENV:HOME}", false, "place: references are for credentials only"},
		{"place", "http://${FILE:/etc/passwd}/", true, "place: references are for credentials only"},
		{"paths", "a,${ENV:HOME}", false, "paths: references are for credentials only"},
		{"s3.key", "AKIA", false, ""},
		{"s3.key", "${FILE:/run/key}", false, ""},
		{"s3.key", "x${FILE:/run/key}", false, "s3.key: a reference must be the whole value"},
		{"s3.key", "${ENV:A}${ENV:B}", false, "s3.key: a reference must be the whole value"},
		{"s3.secret", "${ENV:SECRET}", false, ""},
		{"s3.secret", "abc", false, literal},
		{"s3.secret", "abc", true, ""},
		{"s3.secret", "$ENV:SECRET", false, literal},
	} {
		err := CheckReferences([]Property{{c.name, c.value}}, &settings{}, c.literals)
		text := ""
		if err != nil {
			text = err.Error()
		}
		if text != c.err {
			t.Errorf("%s = %q: %q, want %q", c.name, c.value, text, c.err)
		}
	}
}

func TestHide(t *testing.T) {
	list := []Property{{"place", "p"}, {"s3.secret", "abc"}, {"s3.key", "k"}}
	got := Hide(list, &settings{})
	if want := []Property{{"place", "p"}, {"s3.secret", "********"}, {"s3.key", "k"}}; !slices.Equal(got, want) {
		t.Errorf("shown %v", got)
	}
	if list[1].Value != "abc" {
		t.Error("the list itself was changed")
	}
	reference := []Property{{"s3.secret", "${ENV:S}"}}
	if got := Hide(reference, &settings{}); !slices.Equal(got, reference) {
		t.Errorf("a reference is shown as %v", got)
	}
}

func TestCheckName(t *testing.T) {
	for name, good := range map[string]bool{"lake": true, "a_1": true, "": false, "1a": false, "a-b": false, "a.b": false, "Ä": false, "A": false, "_a": false} {
		if err := CheckName(name); (err == nil) != good {
			t.Errorf("%q: %v", name, err)
		}
	}
}

// FuzzProperties: whatever a statement gives for a text arrives as it was
// given, or is refused; no other setting takes what it cannot be.
func FuzzProperties(f *testing.F) {
	for _, v := range []string{"", "plain", "true", "~", "a: b", "- x", "'\"", "\n\t ", "# c", "&a *a", "!!int 5", "\x00\xff", "${ENV:X}", "{", "1e3", "s3://b/ä"} {
		f.Add(v)
	}
	f.Fuzz(func(t *testing.T, v string) {
		list := []Property{{"place", v}, {"s3.key", v}}
		if strings.Contains(v, "${") {
			return
		}
		c, err := FromProperties("c", "odd", list, &settings{})
		if !utf8.ValidString(v) && err != nil {
			return
		}
		if err != nil {
			t.Fatal(err)
		}
		var got settings
		if err := c.Decode(&got); err != nil || got.Place != v || got.S3.Key != v {
			t.Fatalf("%q arrives as %q and %q (%v) by\n%s", v, got.Place, got.S3.Key, err, c.Settings)
		}
		for _, name := range []string{"patience", "tries", "s3.path-style", "odd", "nosuch"} {
			if c, err := FromProperties("c", "odd", []Property{{name, v}}, &settings{}); err == nil {
				if err := c.Decode(&got); err != nil {
					t.Fatalf("%s = %q is taken but cannot be used: %v", name, v, err)
				}
			}
		}
	})
}
