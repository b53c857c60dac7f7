package parser

import (
	"strings"
	"testing"
)

func TestSplitStatements(t *testing.T) {
	for _, tc := range []struct{ text, pieces, rest string }{
		{"", "", ""},
		{"  \n", "", ""},
		{"select 1", "", "select 1"},
		{"select 1;", "select 1", ""},
		{" select 1 ; select 2 ;\n", "select 1|select 2", ""},
		{"select 1; select 2", "select 1", "select 2"},
		{";;select 1;;", "select 1", ""},
		{"select ';' ; select \";\" x;", "select ';'|select \";\" x", ""},
		{"select 1 -- ; no\n; select 2", "select 1 -- ; no", "select 2"},
		{"select /* ; */ 1; -- done", "select /* ; */ 1", ""},
		{"-- only\n; select 1;", "select 1", ""},
		{"select 'open ; select 2;", "", "select 'open ; select 2;"},
		{"select 1; select \"open ;", "select 1", "select \"open ;"},
		{"select 1; /* open ;", "select 1", "/* open ;"},
		{"select 'it''s;' ; x", "select 'it''s;'", "x"},
		{"select U&'\\003b;' ; X';'; `;`;", "select U&'\\003b;'|X';'|`;`", ""},
		{"select é, ü; ß;", "select é, ü|ß", ""},
		{"\f0;\u00a0;", "\f0|\u00a0", ""},
		{"not sql @ all;", "not sql @ all", ""},
	} {
		pieces, rest := SplitStatements(tc.text)
		var got []string
		for _, p := range pieces {
			got = append(got, p.SQL)
			if !strings.HasPrefix(tc.text[p.Offset:], p.SQL) {
				t.Errorf("%q: offset %d of %q", tc.text, p.Offset, p.SQL)
			}
		}
		if strings.Join(got, "|") != tc.pieces || rest != tc.rest {
			t.Errorf("%q: %q, rest %q; want %q, %q", tc.text, got, rest, tc.pieces, tc.rest)
		}
	}
}
