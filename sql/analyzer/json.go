package analyzer

import (
	"bytes"
	"encoding/json"

	"github.com/tuttidb/tutti/sql/expr"
	"github.com/tuttidb/tutti/sql/types"
)

// jsonLiteral is a JSON constant in compact form, or nil if text is not JSON.
func jsonLiteral(text string) *expr.Const {
	var b bytes.Buffer
	if err := json.Compact(&b, []byte(text)); err != nil {
		return nil
	}
	return constant(b.String(), types.Of(types.JSON))
}
