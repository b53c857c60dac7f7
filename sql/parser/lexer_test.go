package parser

import (
	"fmt"
	"strings"
	"testing"
)

func TestTokens(t *testing.T) {
	names := map[kind]string{
		tokIdent: "id", tokQuotedIdent: "quoted", tokBackquotedIdent: "back", tokDigitIdent: "digit",
		tokString: "str", tokUnicodeString: "ustr", tokBinary: "bin", tokInteger: "int", tokDecimal: "dec",
		tokDouble: "dbl", tokUnrecognized: "bad", tokUnterminated: "open",
	}
	for _, tc := range []struct{ text, want string }{
		{"1 1_0 0xFf 0XF_f 0o17 0b1_0 00", "int:1 int:1_0 int:0xFf int:0XF_f int:0o17 int:0b1_0 int:00"},
		{"0x 0xg 0o8 0b2 0x_1 1_ 1__0 1a 1e", "digit:0x digit:0xg digit:0o8 digit:0b2 int:0x_1 digit:1_ digit:1__0 digit:1a digit:1e"},
		{"1. .5 1.5 1_0.5_0 1.5x 1._5", "dec:1. dec:.5 dec:1.5 dec:1_0.5_0 dec:1.5 id:x dec:1. id:_5"},
		{"1e5 1E+5 1e-5 1.e5 1.5e5 .5e5 1e5x 1_0e5 1.5e 1e+", "dbl:1e5 dbl:1E+5 dbl:1e-5 dbl:1.e5 dbl:1.5e5 dbl:.5e5 digit:1e5x digit:1_0e5 dec:1.5 id:e digit:1e '+'"},
		{"1.a a.1 1..2 a.b.5", "dec:1. id:a id:a dec:.1 dec:1. dec:.2 id:a '.' id:b dec:.5"},
		{"'a' 'a''b' '' 'a\nb'", "str:'a' str:'a''b' str:'' str:'a\nb'"},
		{`"a" "a""b" "" ` + "`a``b`", `quoted:"a" quoted:"a""b" quoted:"" back:` + "`a``b`"},
		{"U&'a' u&'a''b' U & 'a' x'0' X'0''1' x '0'", "ustr:U&'a' ustr:u&'a''b' id:U bad:& str:'a' bin:x'0' bin:X'0' str:'1' id:x str:'0'"},
		{"= <> != < <= > >= + - * / % || | -> => ? ; , . ( ) [ ]", "'=' '<>' '<>' '<' '<=' '>' '>=' '+' '-' '*' '/' '%' '||' bad:| '->' '=>' '?' ';' ',' '.' '(' ')' '[' ']'"},
		{"a--b\nc - -d -/**/- e/*x*/f", "id:a id:c '-' '-' id:d '-' '-' id:e id:f"},
		{"a /* ** / */ b /**/ c /*/ d */ e", "id:a id:b id:c id:e"},
		{"a -- b\r c", "id:a id:c"},
		{"'a", "open:'a"}, {`"a""`, `open:"a""`}, {"a /* b", "id:a open:/* b"}, {"X'a", "open:X'a"}, {"U&'a''", "open:U&'a''"},
		{"é ! \u00a0 @", "bad:é bad:! bad:\u00a0 bad:@"},
		{"Select SELECT select_", "'SELECT' 'SELECT' id:select_"},
	} {
		var got []string
		for _, tok := range tokenize(tc.text) {
			text := tc.text[tok.start:tok.end]
			switch name, ok := names[tok.kind]; {
			case ok:
				got = append(got, name+":"+text)
			case tok.kind != tokEOF:
				got = append(got, tok.kind.String())
			}
		}
		if s := strings.Join(got, " "); s != tc.want {
			t.Errorf("%q\n got %s\nwant %s", tc.text, s, tc.want)
		}
	}
}

func TestTokenPositions(t *testing.T) {
	text := "a é 'é\nü' b\r\n\tc /* ö\nx */ d -- ä\ne \"ß\n\" f ü g"
	want := "a 1:1, é 1:3, 'é\nü' 1:5, b 2:4, c 3:2, d 4:6, e 5:1, \"ß\n\" 5:3, f 6:3, ü 6:5, g 6:7, EOF 6:8"
	var got []string
	for _, tok := range tokenize(text) {
		name := text[tok.start:tok.end]
		if tok.kind == tokEOF {
			name = "EOF"
		}
		got = append(got, fmt.Sprintf("%s %v", name, tok.pos()))
	}
	if s := strings.Join(got, ", "); s != want {
		t.Errorf("got  %s\nwant %s", s, want)
	}
}
