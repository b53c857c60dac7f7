package parser

import (
	"errors"
	"strings"
	"testing"

	"github.com/tuttidb/tutti/internal/qerr"
	"github.com/tuttidb/tutti/sql/ast"
)

// TestErrors checks positions and texts. Where a case is one of Trino's own,
// the position is Trino's, and the text is as far as both grammars agree.
func TestErrors(t *testing.T) {
	for _, tc := range []struct{ sql, want string }{
		{"", "line 1:1: mismatched input '<EOF>'. Expecting: 'ALTER', 'ANALYZE', 'CALL', 'COMMENT', 'COMMIT', 'CREATE', 'DEALLOCATE', 'DELETE', 'DENY', 'DESC', 'DESCRIBE', 'DROP', 'EXECUTE', 'EXPLAIN', 'GRANT', 'INSERT', 'MERGE', 'PREPARE', 'REFRESH', 'RESET', 'REVOKE', 'ROLLBACK', 'SET', 'SHOW', 'START', 'TRUNCATE', 'UPDATE', 'USE', <query>"},
		{";", "line 1:1: mismatched input ';'. Expecting: 'ALTER', "},
		{"-- nothing\n  ", "line 2:3: mismatched input '<EOF>'. Expecting: "},
		{"@select", "line 1:1: mismatched input '@'. Expecting: 'ALTER', "},
		{"select * from foo where @what", "line 1:25: mismatched input '@'. Expecting: <expression>"},
		{"select * from 'oops", "line 1:15: mismatched input '''. Expecting: '(', 'LATERAL', 'TABLE', 'UNNEST', <identifier>, <string> (the string that starts here is not terminated)"},
		{"select *\nfrom x\nfrom", "line 3:1: mismatched input 'from'. Expecting: ',', '.', 'AS', 'CROSS', 'EXCEPT', 'FETCH', 'FOR', 'FULL', 'GROUP', 'HAVING', 'INNER', 'INTERSECT', 'JOIN', 'LEFT', 'LIMIT', 'NATURAL', 'OFFSET', 'ORDER', 'RIGHT', 'TABLESAMPLE', 'UNION', 'WHERE', 'WINDOW', <EOF>, <identifier>"},
		{"select *\nfrom x\nwhere from", "line 3:7: mismatched input 'from'. Expecting: <expression>"},
		{"select * from dual order by 'x", "line 1:29: mismatched input '''. Expecting: <expression> (the string that starts here is not terminated)"},
		{"select \"x", "line 1:8: mismatched input '\"'. Expecting: '*', 'ALL', 'DISTINCT', <expression> (the quoted identifier that starts here is not terminated)"},
		{"select 1 /* x", "line 1:10: mismatched input '/*'. Expecting: "},
		{"select fuu from dual order by fuu order by fuu", "line 1:35: mismatched input 'order'. Expecting: '%', '*', '+', ',', '-', '.', '/', 'AND', 'ASC', 'AT', 'DESC', 'FETCH', 'LIMIT', 'NULLS', 'OFFSET', 'OR', '[', '||', <EOF>, <predicate>"},
		{"select fuu from dual limit 10 order by fuu", "line 1:31: mismatched input 'order'. Expecting: <EOF>"},
		{"select foo.bar.* from", "line 1:22: mismatched input '<EOF>'. Expecting: "},
		{"select 1x from dual", "line 1:8: identifiers must not start with a digit; surround the identifier with double quotes"},
		{"select * from 1x", "line 1:15: identifiers must not start with a digit; surround the identifier with double quotes"},
		{"select fuu from `dual`", "line 1:17: backquoted identifiers are not supported; use double quotes to quote identifiers"},
		{"SELECT * FROM foo:bar", "line 1:18: mismatched input ':'. Expecting: "},
		{"SELECT \"\" from t", "line 1:8: Zero-length delimited identifier not allowed"},
		{"select foo(DISTINCT ,1)", "line 1:21: mismatched input ','. Expecting: <expression>"},
		{"select foo(x,)", "line 1:14: mismatched input ')'. Expecting: <expression>"},
		{"SELECT grouping(a+2) FROM t", "line 1:18: mismatched input '+'. Expecting: ')', ',', '.'"},
		{"SELECT x() over (ROWS select) FROM t", "line 1:23: mismatched input 'select'. Expecting: 'BETWEEN', 'CURRENT', 'UNBOUNDED', <expression>"},
		{"SELECT X() OVER (ROWS UNBOUNDED) FROM T", "line 1:32: mismatched input ')'. Expecting: "},
		{"select count(*) filter (a > 1)", "line 1:25: mismatched input 'a'. Expecting: 'WHERE'"},
		{"select a ignore nulls from t", "line 1:17: mismatched input 'nulls'. Expecting: "},
		{"select f(a) ignore nulls from t", "line 1:26: mismatched input 'from'. Expecting: 'OVER'"},
		{"select a = b = c", "line 1:14: mismatched input '='. Expecting: "},
		{"select a is null is null", "line 1:18: mismatched input 'is'. Expecting: "},
		{"select a is 1", "line 1:13: mismatched input '1'. Expecting: 'DISTINCT', 'NOT', 'NULL'"},
		{"select a not b", "line 1:14: mismatched input 'b'. Expecting: 'BETWEEN', 'IN', 'LIKE'"},
		{"select a between 1", "line 1:19: mismatched input '<EOF>'. Expecting: "},
		{"select a = not b", "line 1:12: mismatched input 'not'. Expecting: 'ALL', 'ANY', 'SOME', <expression>"},
		{"select a in ()", "line 1:10: mismatched input 'IN'. Expecting: "},
		{"select a, from t", "line 1:11: mismatched input 'from'. Expecting: '*', <expression>"},
		{"select a b c from t", "line 1:12: mismatched input 'c'. Expecting: ',', 'EXCEPT', 'FETCH', 'FROM', "},
		{"select a as from t", "line 1:13: mismatched input 'from'. Expecting: <identifier>"},
		{"select (a, b from t", "line 1:14: mismatched input 'from'. Expecting: '%', ')', '*', '+', ',', "},
		{"select (", "line 1:9: mismatched input '<EOF>'. Expecting: <expression>, <query>"},
		{"select a + b.* from t", "line 1:13: mismatched input '.'. Expecting: "},
		{"select a from t where", "line 1:22: mismatched input '<EOF>'. Expecting: <expression>"},
		{"select * from t limit x", "line 1:23: mismatched input 'x'. Expecting: "},
		{"select * from t limit -1", "line 1:23: mismatched input '-'. Expecting: "},
		{"select * from t group a", "line 1:23: mismatched input 'a'. Expecting: 'BY'"},
		{"select * from a join b", "line 1:23: mismatched input '<EOF>'. Expecting: '.', 'AS', 'CROSS', 'FOR', 'FULL', 'INNER', 'JOIN', 'LEFT', 'NATURAL', 'ON', 'RIGHT', 'TABLESAMPLE', 'USING', <identifier>"},
		{"select * from (select 1", "line 1:24: mismatched input '<EOF>'. Expecting: "},
		{"select case a end", "line 1:15: mismatched input 'end'. Expecting: "},
		{"select case end", "line 1:13: mismatched input 'end'. Expecting: 'WHEN', <expression>"},
		{"select case when a then b", "line 1:26: mismatched input '<EOF>'. Expecting: "},
		{"select cast(a as )", "line 1:18: mismatched input ')'. Expecting: <type>"},
		{"select cast(a bigint)", "line 1:15: mismatched input 'bigint'. Expecting: "},
		{"select interval '1' week", "line 1:21: mismatched input 'week'. Expecting: 'DAY', 'HOUR', 'MINUTE', 'MONTH', 'SECOND', 'YEAR'"},
		{"select extract(year, a)", "line 1:20: mismatched input ','. Expecting: 'FROM'"},
		{"select trim(both a)", "line 1:19: mismatched input ')'. Expecting: "},
		{"select normalize(a, x)", "line 1:21: mismatched input 'x'. Expecting: 'NFC', 'NFD', 'NFKC', 'NFKD'"},
		{"select listagg(a)", "line 1:18: mismatched input '<EOF>'. Expecting: 'WITHIN'"},
		{"select 9223372036854775808", "line 1:8: Invalid numeric literal: 9223372036854775808"},
		{"select -9223372036854775809", "line 1:9: Invalid numeric literal: -9223372036854775809"},
		{"select x'0'", "line 1:8: Binary literal must contain an even number of digits"},
		{"select x'0g'", "line 1:8: Binary literal can only contain hexadecimal digits"},
		{`select U&'\00'`, "line 1:8: Incomplete escape sequence: 00"},
		{`select U&'\zzzz'`, "line 1:8: Invalid hexadecimal digit: z"},
		{`select U&'\d800'`, `line 1:8: Invalid escaped character: d800. Escaped character is a surrogate. Use '\+123456' instead.`},
		{`select U&'\+110000'`, "line 1:8: Invalid escaped character: 110000"},
		{`select U&'x' uescape ''`, "line 1:22: Empty Unicode escape character"},
		{`select U&'x' uescape 'ab'`, "line 1:22: Invalid Unicode escape character: ab"},
		{`select U&'x' uescape 'a'`, "line 1:22: Invalid Unicode escape character: a"},
		{"select 'a' 'b'", "line 1:12: mismatched input ''b''. Expecting: "},
		{"select '" + strings.Repeat("x", 100) + "' '" + strings.Repeat("y", 100) + "'", "line 1:111: mismatched input ''" + strings.Repeat("y", 79) + "…'. Expecting: "},
		{"select é", "line 1:8: mismatched input 'é'. Expecting: "},
		{"select 'é', 'ü', !", "line 1:18: mismatched input '!'. Expecting: "},
		{"select\t1,\r\n\t1 2", "line 2:4: mismatched input '2'. Expecting: "},
		{"select 'a\nb' /* \n x */ 1", "line 3:7: mismatched input '1'. Expecting: "},
		{"select 1; select 2", "line 1:9: mismatched input ';'. Expecting: "},
		{"select 1;;", "line 1:9: mismatched input ';'. Expecting: "},
		{"with a as select 1", "line 1:11: mismatched input 'select'. Expecting: '('"},
		{"explain (type fast) select 1", "line 1:15: mismatched input 'fast'. Expecting: 'DISTRIBUTED', 'IO', 'LOGICAL', 'VALIDATE'"},
		{"show", "line 1:5: mismatched input '<EOF>'. Expecting: 'CATALOGS', 'COLUMNS', 'CREATE', 'CURRENT', 'FUNCTIONS', 'GRANTS', 'ROLE', 'ROLES', 'SCHEMAS', 'SESSION', 'STATS', 'TABLES'"},
		{"show create x", "line 1:13: mismatched input 'x'. Expecting: 'CATALOG', 'FUNCTION', 'MATERIALIZED', 'SCHEMA', 'TABLE', 'VIEW'"},
		{"show tables like x", "line 1:18: mismatched input 'x'. Expecting: <string>"},
		{"create x", "line 1:8: mismatched input 'x'. Expecting: 'CATALOG', 'FUNCTION', 'MATERIALIZED', 'OR', 'ROLE', 'SCHEMA', 'TABLE', 'VIEW'"},
		{"create or replace schema s", "line 1:19: mismatched input 'schema'. Expecting: "},
		{"CREATE TABLE foo () AS (VALUES 1)", "line 1:19: mismatched input ')'. Expecting: 'LIKE', <identifier>"},
		{"CREATE TABLE foo (*) AS (VALUES 1)", "line 1:19: mismatched input '*'. Expecting: 'LIKE', <identifier>"},
		{"create table t (a bigint not)", "line 1:29: mismatched input ')'. Expecting: 'NULL'"},
		{"drop x", "line 1:6: mismatched input 'x'. Expecting: "},
		{"alter table t x", "line 1:15: mismatched input 'x'. Expecting: '.', 'ADD', 'ALTER', 'DROP', 'EXECUTE', 'RENAME', 'SET'"},
		{"insert t select 1", "line 1:8: mismatched input 't'. Expecting: 'INTO'"},
		{"insert into t", "line 1:14: mismatched input '<EOF>'. Expecting: '(', '.', <query>"},
		{"merge into t using u on a = b", "line 1:30: mismatched input '<EOF>'. Expecting: "},
		{"start transaction read all", "line 1:24: mismatched input 'all'. Expecting: 'ONLY', 'WRITE'"},
		{"use a.b.c", "line 1:8: mismatched input '.'. Expecting: <EOF>"},
		{"foo", "line 1:1: mismatched input 'foo'. Expecting: 'ALTER', "},
	} {
		_, err := ParseStatement(tc.sql)
		if err == nil {
			t.Errorf("%s: no error", tc.sql)
			continue
		}
		if !qerr.Is(err, qerr.SyntaxError) {
			t.Errorf("%s: code of %v", tc.sql, err)
		}
		got := err.Error()
		if strings.HasSuffix(tc.want, ", ") || strings.HasSuffix(tc.want, ": ") {
			if strings.HasPrefix(got, tc.want) && got != tc.want {
				continue
			}
		} else if got == tc.want {
			continue
		}
		t.Errorf("%q\n got %s\nwant %s", tc.sql, got, tc.want)
	}
}

func TestNotSupported(t *testing.T) {
	for sql, want := range map[string]string{
		"grant select on t to u":                                  "line 1:1: not supported: GRANT, REVOKE and DENY",
		"revoke select on t from u":                               "line 1:1: not supported: GRANT, REVOKE and DENY",
		"deny select on t to u":                                   "line 1:1: not supported: GRANT, REVOKE and DENY",
		"create role r":                                           "line 1:8: not supported: CREATE ROLE",
		"drop role r":                                             "line 1:6: not supported: DROP ROLE",
		"create function f() returns bigint return 1":             "line 1:8: not supported: CREATE FUNCTION",
		"drop function f()":                                       "line 1:6: not supported: DROP FUNCTION",
		"with function f() returns bigint return 1 select f()":    "line 1:6: not supported: inline functions (WITH FUNCTION)",
		"select json_value(a, 'lax $')":                           "line 1:8: not supported: SQL/JSON functions",
		"select * from json_table(a, 'lax $' columns (b bigint))": "line 1:15: not supported: JSON_TABLE",
		"select a over w from t window w as (order by b)":         "line 1:8: not supported: measures of row patterns over windows",
		"select max(a) over (order by b measures c as d) from t":  "line 1:32: not supported: row patterns in windows",
		"with session a = 1 select 1":                             "line 1:6: not supported: properties of one query (WITH SESSION)",
		"select * from t match_recognize (pattern (a))":           "line 1:17: not supported: MATCH_RECOGNIZE",
	} {
		_, err := ParseStatement(sql)
		if err == nil || err.Error() != want || !qerr.Is(err, qerr.NotSupportedCode) {
			t.Errorf("%s: %v, want %s", sql, err, want)
		}
	}
}

func TestTooLong(t *testing.T) {
	text := "select '" + strings.Repeat("é", MaxTextLength-len("select ''")) + "'"
	if _, err := ParseStatement(text); err != nil {
		t.Errorf("text of the greatest length: %v", err)
	}
	_, err := ParseStatement(text + " ")
	if !qerr.Is(err, qerr.QueryTextTooLarge) || err.Error() != "Query text length (1000001) exceeds the maximum length (1000000)" {
		t.Errorf("text that is too long: %v", err)
	}
}

// TestInvalidUTF8 checks that broken text is read as Java reads it.
func TestInvalidUTF8(t *testing.T) {
	s, err := ParseStatement("select 'a\xffb'")
	if err != nil || ast.Format(s) != "SELECT 'a\uFFFDb'" {
		t.Errorf("%v, %v", s, err)
	}
	if _, err := ParseStatement("select \xff"); err == nil || !strings.HasPrefix(err.Error(), "line 1:8: mismatched input '\uFFFD'") {
		t.Errorf("%v", err)
	}
}

func TestParseExpressionAndType(t *testing.T) {
	if e, err := ParseExpression(" a + 1 "); err != nil || ast.Format(e) != "a + 1" {
		t.Errorf("%v, %v", e, err)
	}
	for _, sql := range []string{"", "a b", "select 1", "a;"} {
		e, err := ParseExpression(sql)
		if err == nil || e != nil {
			t.Errorf("%q: %v, %v", sql, e, err)
		}
	}
	for text, want := range map[string]string{
		"":                              "line 1:1: mismatched input '<EOF>'. Expecting: <type>",
		"decimal(":                      "line 1:9: mismatched input '<EOF>'. Expecting: <integer>, <type>",
		"row(a bigint":                  "line 1:13: mismatched input '<EOF>'. Expecting: '(', ')', ',', 'ARRAY'",
		"bigint bigint":                 "line 1:8: mismatched input 'bigint'. Expecting: '(', 'ARRAY', <EOF>",
		"time with zone":                "line 1:6: mismatched input 'with'. Expecting: ",
		"foo<bigint>":                   "line 1:4: mismatched input '<'. Expecting: ",
		"varchar(99999999999999999999)": "line 1:9: Invalid numeric literal: 99999999999999999999",
	} {
		typ, err := ParseType(text)
		if err == nil || typ != nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("%q: %v, %v, want %s", text, typ, err, want)
		}
	}
	var e *qerr.Error
	if _, err := ParseType("a b"); !errors.As(err, &e) || e.Pos != (qerr.Pos{Line: 1, Column: 3}) {
		t.Errorf("position of %v", err)
	}
}

func TestStatementInALiteral(t *testing.T) {
	for _, tc := range []struct {
		sql, want string
		at        qerr.Pos
	}{
		{"SELEC 1", "line 1:20: ", qerr.Pos{Line: 1, Column: 19}},
		{"SELECT 1,\n  )", "line 3:3: ", qerr.Pos{Line: 2, Column: 5}},
		{"SELEC 1", "line 1:1: ", qerr.Pos{}},
	} {
		_, err := ParseStatementAt(tc.sql, tc.at)
		if err == nil || !strings.HasPrefix(err.Error(), tc.want) {
			t.Errorf("%q at %v: %v, want %s", tc.sql, tc.at, err, tc.want)
		}
	}
	s, err := ParseStatementAt("SELECT 1", qerr.Pos{Line: 2, Column: 5})
	if err != nil || s.Pos() != (qerr.Pos{Line: 2, Column: 6}) {
		t.Errorf("position %v, %v", s.Pos(), err)
	}
}
