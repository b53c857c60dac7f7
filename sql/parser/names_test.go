package parser

import (
	"strings"
	"testing"

	"github.com/tuttidb/tutti/sql/ast"
)

// nonReserved is Trino's list of keywords that are also names.
const nonReserved = `
	absent add admin after all analyze any array asc at authorization begin bernoulli both
	call called cascade catalog catalogs column columns comment commit committed conditional
	copartition count current data date day declare default define definer deny desc
	descriptor deterministic distributed do double elseif empty encoding error excluding
	explain fetch filter final first following format function functions grace grant granted
	grants graphviz groups hour if ignore immediate including initial input interval invoker
	io iterate isolation json keep key keys language last lateral leading leave level limit
	local logical loop map match matched matches match_recognize materialized measures merge
	minute month nested next nfc nfd nfkc nfkd no none nullif nulls object of offset omit one
	only option ordinality output over overflow partition partitions passing past path pattern
	per period permute plan position preceding precision privileges properties prune quotes
	range read refresh rename repeat repeatable replace reset respect restrict return
	returning returns revoke role roles rollback row rows running scalar schema schemas second
	security seek serializable session set sets show some start stats subset substring system
	tables tablesample text string ties time timestamp to trailing transaction truncate
	try_cast type unbounded uncommitted unconditional unique unknown unmatched until update
	use user utf16 utf32 utf8 validate value verbose version view while window within without
	work wrapper write year zone`

// reservedWords is Trino's list of keywords that are names only in quotes.
const reservedWords = `
	alter and as between by case cast constraint create cross cube current_catalog
	current_date current_path current_role current_schema current_time current_timestamp
	current_user deallocate delete describe distinct drop else end escape except execute
	exists extract false for from full group grouping having in inner insert intersect into is
	join json_array json_exists json_object json_query json_table json_value left like listagg
	localtime localtimestamp natural normalize not null on or order outer prepare recursive
	right rollup select skip table then trim true uescape union unnest using values when where
	with`

// TestNonReservedWordsAreNames puts each word where names may stand.
func TestNonReservedWordsAreNames(t *testing.T) {
	for _, word := range strings.Fields(nonReserved + " corresponding name location") {
		if ast.IsReserved(word) {
			t.Errorf("%s must not be reserved", word)
		}
		for _, pattern := range []string{
			"select W from W",
			"select W.W, x.W, W.W.W, W[1], W + 1, (W), -W as W from W.W as W",
			"select a W, b W from t W",
			"select W from t W (W, W)",
			"select a from t where W = 1 and W is null group by W, a having W > 1 order by W desc limit 1",
			"select x -> W, W -> W, (W, W) -> W, f(W, W), cast(a as W), case W when W then W else W end",
			"with W (W) as (select 1) select W from W join W on W.W = W.W left join W using (W)",
			"create table W (W bigint, W W)",
			"create table W.W (W, W) as select 1 W",
			"insert into W (W, W) values (W, 1)",
			"select sum(W) over (partition by W order by W) from W offset 1",
			"show columns from W.W like 'x'",
			"use W.W",
			"update W set W = W where W",
			"prepare W from select W",
			"drop table if exists W",
			"alter table W add column W W",
			"call W.W(W => W)",
		} {
			checkWord(t, word, strings.ReplaceAll(pattern, "W", word))
		}
	}
}

// callExceptions are the words that begin a special form when a parenthesis
// or bracket follows, as in Trino.
var callExceptions = map[string]bool{"row": true, "try_cast": true, "position": true, "substring": true}

// TestNonReservedWordsAreFunctions calls each word.
func TestNonReservedWordsAreFunctions(t *testing.T) {
	for _, word := range strings.Fields(nonReserved) {
		if !callExceptions[word] {
			checkWord(t, word, "select 1, "+word+"(), "+word+"(a, b) from t")
		}
	}
}

func checkWord(t *testing.T, word, sql string) {
	t.Helper()
	for _, text := range []string{sql, strings.ReplaceAll(sql, word, strings.ToUpper(word))} {
		switch {
		case word == "array" && strings.Contains(sql, "array[1]"):
			continue // An array constructor.
		case word == "match_recognize" && strings.Contains(sql, "match_recognize ("):
			continue // A pattern, not an alias with names of columns.
		}
		node, err := ParseStatement(text)
		if err != nil {
			t.Errorf("%s: %s: %v", word, text, err)
			continue
		}
		checkRoundTrip(t, text, node)
	}
}

// TestReservedWordsAreNotNames checks that they need quotes.
func TestReservedWordsAreNotNames(t *testing.T) {
	words := strings.Fields(reservedWords)
	for _, word := range words {
		if !ast.IsReserved(word) {
			t.Errorf("%s must be reserved", word)
		}
		if _, err := ParseStatement("select 1 as " + word); err == nil {
			t.Errorf("%s is accepted as a name", word)
		}
		if _, err := ParseStatement("select a.\"" + word + "\" from \"" + word + "\" as \"" + word + "\""); err != nil {
			t.Errorf("%s in quotes: %v", word, err)
		}
	}
	count := 0
	for k := kind(firstKeyword); k < lastKeyword; k++ {
		if reservedKinds[k] {
			count++
		}
	}
	if count != len(words) {
		t.Errorf("%d reserved words in the lexer, want %d", count, len(words))
	}
}

// TestKeywordNames checks the table against itself.
func TestKeywordNames(t *testing.T) {
	for i, name := range keywordNames {
		k := kind(i) + firstKeyword
		if name == "" || keywordKind(strings.ToLower(name)) != k || keywordKind(name) != k {
			t.Errorf("keyword %d %q", k, name)
		}
	}
	if keywordKind("selec") != tokIdent || keywordKind(strings.Repeat("x", 100)) != tokIdent {
		t.Error("names must not be keywords")
	}
}

func TestIdentifierText(t *testing.T) {
	s, err := ParseStatement(`select Abc, "a""B", _x1`)
	if err != nil {
		t.Fatal(err)
	}
	var got []ast.Identifier
	ast.Inspect(s, func(n ast.Node) bool {
		if id, ok := n.(*ast.Identifier); ok {
			got = append(got, ast.Identifier{Name: id.Name, Quoted: id.Quoted})
		}
		return true
	})
	want := []ast.Identifier{{Name: "Abc"}, {Name: `a"B`, Quoted: true}, {Name: "_x1"}}
	if len(got) != len(want) || got[0] != want[0] || got[1] != want[1] || got[2] != want[2] {
		t.Errorf("got %v, want %v", got, want)
	}
}
