package shell

import (
	"context"
	"errors"
	"io"
	"strings"
)

// keywords are the words of SQL that are shown as such and completed.
var keywords = wordSet(`ADD ALL ALTER ANALYZE AND ANY ARRAY AS ASC BETWEEN BY CALL CASCADE CASE CAST CATALOGS COLUMN COLUMNS COMMENT COMMIT
CREATE CROSS CUBE CURRENT_DATE CURRENT_TIME CURRENT_TIMESTAMP DATE DEALLOCATE DECIMAL DELETE DESC DESCRIBE DISTINCT DISTRIBUTED DOUBLE DROP ELSE
END ESCAPE EXCEPT EXECUTE EXISTS EXPLAIN EXTRACT FALSE FETCH FILTER FIRST FOLLOWING FOR FROM FULL FUNCTION FUNCTIONS GRANT GROUP GROUPING HAVING
IF IMMEDIATE IN INNER INSERT INTEGER INTERSECT INTERVAL INTO IS JOIN LAST LATERAL LEFT LIKE LIMIT LOGICAL MAP MATERIALIZED MERGE NATURAL NOT NULL
NULLS OFFSET ON OR ORDER ORDINALITY OUTER OVER PARTITION PRECEDING PREPARE RANGE RECURSIVE REFRESH RENAME REPLACE RESET REVOKE RIGHT ROLLBACK
ROLLUP ROW ROWS SCHEMA SCHEMAS SELECT SESSION SET SETS SHOW START STATS TABLE TABLES TABLESAMPLE THEN TIME TIMESTAMP TO TRANSACTION TRUE TRUNCATE
TRY_CAST UNBOUNDED UNION UNNEST UPDATE USE USING VALUES VARBINARY VARCHAR VIEW WHEN WHERE WINDOW WITH WITHIN BIGINT BOOLEAN CHAR REAL ZONE`)

func wordSet(words string) map[string]bool {
	set := map[string]bool{}
	for _, w := range strings.Fields(words) {
		set[w] = true
	}
	return set
}

// highlight gives each code point of an input its color: keywords, strings
// and comments have one, the rest is plain.
func highlight(text string) []string {
	bytes := make([]string, len(text))
	fill := func(from, to int, style string) {
		for i := from; i < to; i++ {
			bytes[i] = style
		}
	}
	var sp splitter
	for i := 0; i < len(text); {
		if sp.state == inCode && isWordByte(text[i]) {
			word := i
			for i < len(text) && isWordByte(text[i]) {
				i++
			}
			if keywords[strings.ToUpper(text[word:i])] {
				fill(word, i, blue)
			}
			continue
		}
		was, n := sp.state, 1
		next := byte(0)
		if i+1 < len(text) {
			next = text[i+1]
		}
		if sp.step(text[i], next) {
			n = 2
		}
		// A delimiter belongs to what it begins and to what it ends.
		fill(i, i+n, stateColor(max(was, sp.state)))
		i += n
	}
	out := make([]string, 0, len(text))
	for i := range text {
		out = append(out, bytes[i])
	}
	return out
}

func stateColor(s splitState) string {
	switch s {
	case inString:
		return green
	case inLineComment, inBlockComment:
		return dim
	}
	return ""
}

func isWordByte(c byte) bool {
	return c == '_' || (c >= '0' && c <= '9') || (c|0x20 >= 'a' && c|0x20 <= 'z') || c >= 0x80
}

// collect gives each row of a result as text, NULL as the empty text.
func collect(ctx context.Context, res Result, each func(row []string)) error {
	for {
		rows, err := res.Next(ctx)
		cols := res.Columns()
		for _, row := range rows {
			out := make([]string, len(row))
			for i, v := range row {
				if v != nil {
					out[i] = cols[i].Signature.FormatValue(v)
				}
			}
			each(out)
		}
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
	}
}
