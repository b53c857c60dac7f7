package shell

import (
	"reflect"
	"strings"
	"testing"
)

func TestSplit(t *testing.T) {
	for name, tc := range map[string]struct {
		text string
		want []statement
	}{
		"one":           {"select 1", []statement{{"select 1", 1, false}}},
		"terminated":    {"select 1;", []statement{{"select 1", 1, false}}},
		"two":           {"select 1; \n\n select\n2 ;", []statement{{"select 1", 1, false}, {"select\n2", 3, false}}},
		"quotes":        {`select ';', 'it''s;', "a;""b" ; x`, []statement{{`select ';', 'it''s;', "a;""b"`, 1, false}, {"x", 1, false}}},
		"comments":      {"-- a;b\nselect /* ; \n*/ 1 -- c;\n;y", []statement{{"-- a;b\nselect /* ; \n*/ 1 -- c;", 1, false}, {"y", 4, false}}},
		"only comments": {"-- nothing; here\n/* ; */ ;; ; ", nil},
		"vertical":      {`select 1\G select 2`, []statement{{"select 1", 1, true}, {"select 2", 1, false}}},
		"open string":   {"select 'abc; def", []statement{{"select 'abc; def", 1, false}}},
		"open comment":  {"select 1 /* abc;", []statement{{"select 1 /* abc;", 1, false}}},
		"dash and star": {"select 1-1, 2/2, '-- x', '/*';", []statement{{"select 1-1, 2/2, '-- x', '/*'", 1, false}}},
		"slash star /":  {"select 1 /*/ ; */;", []statement{{"select 1 /*/ ; */", 1, false}}},
		"empty":         {" \n\t", nil},
		"string alone":  {"'a';", []statement{{"'a'", 1, false}}},
	} {
		if got := split(tc.text); !reflect.DeepEqual(got, tc.want) {
			t.Errorf("%s: got %#v, want %#v", name, got, tc.want)
		}
	}
}

func TestIsComplete(t *testing.T) {
	for text, want := range map[string]bool{
		"": true, "  ": true, "select 1": false, "select 1;": true, "select ';": false, "select 1; select": false, "select 1 \\G": true,
		"-- note": true, "/* open": false, `\d`: true, "quit": true, "EXIT;": true, "quit now": false, "select 1; -- done": true, `\G`: true,
	} {
		if got := isComplete(text); got != want {
			t.Errorf("%q: complete is %v, want %v", text, got, want)
		}
	}
}

// FuzzSplit checks that text fed line by line splits as it does whole, and
// that no byte of code is lost.
func FuzzSplit(f *testing.F) {
	for _, s := range []string{"a;b", "'a;\n';b", "-- x\n;y /* \n */ ;", `a\G"`, "/*/;*/;-", "'a''b'\n--"} {
		f.Add(s)
	}
	strip := strings.NewReplacer(" ", "", "\n", "", "\t", "", "\r", "", ";", "", `\G`, "")
	f.Fuzz(func(t *testing.T, text string) {
		whole := split(text)
		var sp splitter
		var parts []statement
		for _, line := range strings.SplitAfter(text, "\n") {
			parts = append(parts, sp.add(line)...)
		}
		if st, ok := sp.rest(); ok {
			parts = append(parts, st)
		}
		if !reflect.DeepEqual(whole, parts) {
			t.Fatalf("whole %#v, by lines %#v", whole, parts)
		}
		lines := strings.Split(text, "\n")
		for _, st := range whole {
			if st.line < 1 || st.line > len(lines) || !strings.Contains(lines[st.line-1], strings.Split(st.text, "\n")[0]) {
				t.Fatalf("statement %q is not on line %d of %q", st.text, st.line, text)
			}
		}
		if !strings.ContainsAny(text, `-/'"\`) {
			var all strings.Builder
			for _, st := range whole {
				all.WriteString(st.text)
			}
			if got, want := strip.Replace(all.String()), strip.Replace(text); got != want {
				t.Fatalf("%q splits to %q", text, got)
			}
		}
	})
}

func TestHighlight(t *testing.T) {
	paint := func(text string) string {
		var b strings.Builder
		styles, last := highlight(text), ""
		for i, r := range []rune(text) {
			if styles[i] != last {
				b.WriteString(reset + styles[i])
				last = styles[i]
			}
			b.WriteRune(r)
		}
		return b.String()
	}
	got := paint("select a_select, 'from' -- from\nfrom x where b='é")
	want := reset + blue + "select" + reset + " a_select, " + reset + green + "'from'" + reset + " " + reset + dim + "-- from\n" + reset + blue + "from" + reset + " x " +
		reset + blue + "where" + reset + " b=" + reset + green + "'é"
	if got != want {
		t.Errorf("got  %q\nwant %q", got, want)
	}
	for _, s := range []string{`"Select" /* x */ y`, "a/*/b*/c", "--", "'", "é select;", "\xff", ""} {
		if n := len(highlight(s)); n != len([]rune(s)) {
			t.Errorf("%q has %d styles", s, n)
		}
	}
}
