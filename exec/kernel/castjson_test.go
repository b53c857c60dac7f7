package kernel

import (
	"testing"

	"github.com/tuttidb/tutti/internal/qerr"
	"github.com/tuttidb/tutti/sql/types"
)

func TestJSONAndText(t *testing.T) {
	env, jsonT := testEnv(t), types.Of(types.JSON)
	for _, tc := range []struct{ text, json string }{
		{"", `""`}, {"abc", `"abc"`}, {`a"b<\n`, `"a\"b<\\n"`}, {"\u00f1", "\"\u00f1\""}, {"1", `"1"`},
	} {
		c, err := Fold(env, cast(str(tc.text), jsonT))
		if err != nil || c.Value != tc.json {
			t.Errorf("%q becomes %v, %v", tc.text, c, err)
		}
		if c, err = Fold(env, cast(lit(tc.json, jsonT), varcharT)); err != nil || c.Value != tc.text {
			t.Errorf("%s becomes %v, %v", tc.json, c, err)
		}
	}
	for text, want := range map[string]any{"null": nil, "true": "true", "1.50": "1.50"} {
		if c, err := Fold(env, cast(lit(text, jsonT), varcharT)); err != nil || c.Value != want {
			t.Errorf("%s becomes %v, %v", text, c, err)
		}
	}
	for _, text := range []string{`{"a":1}`, "[]"} {
		if _, err := Fold(env, cast(lit(text, jsonT), varcharT)); !qerr.Is(err, qerr.InvalidCastArgument) {
			t.Errorf("%s: %v", text, err)
		}
	}
}
