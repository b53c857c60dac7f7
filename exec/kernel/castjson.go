package kernel

import (
	"bytes"
	"encoding/json"

	"github.com/tuttidb/tutti/internal/qerr"
	"github.com/tuttidb/tutti/sql/types"
)

// textToJSON makes a JSON string of a text; JSON 'text' is what parses one.
func textToJSON() kern {
	return rowKern(func(c *call) func(i int) error {
		a := c.bytes(0)
		var quoted bytes.Buffer
		enc := json.NewEncoder(&quoted)
		enc.SetEscapeHTML(false)
		return func(i int) error {
			quoted.Reset()
			if err := enc.Encode(string(a.at(i))); err != nil {
				return err
			}
			return c.out.putBytes(i, bytes.TrimSuffix(quoted.Bytes(), []byte("\n")))
		}
	})
}

// jsonToText takes the text out of a JSON string, writes numbers and booleans,
// makes JSON's null a null, and refuses objects and arrays.
func jsonToText(to types.Type) kern {
	return rowKern(func(c *call) func(i int) error {
		a := c.bytes(0)
		return func(i int) error {
			b := a.at(i)
			switch {
			case string(b) == "null":
				c.out.setNull(i)
				return nil
			case len(b) == 0 || b[0] == '{' || b[0] == '[':
				return qerr.New(qerr.InvalidCastArgument, "Cannot cast '%s' to %s", b, to)
			case b[0] == '"':
				var text string
				if err := json.Unmarshal(b, &text); err != nil {
					return qerr.New(qerr.InvalidCastArgument, "Cannot cast '%s' to %s", b, to)
				}
				b = []byte(text)
			}
			return c.out.putBytes(i, cutRunes(b, int(to.P)))
		}
	})
}
