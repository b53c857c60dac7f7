package ast

import "strings"

// reserved lists the words that cannot be names unless quoted: those keywords
// of Trino's grammar that are not in its nonReserved rule. It never changes.
var reserved = wordSet(`
	alter and as between by case cast constraint create cross cube
	current_catalog current_date current_path current_role current_schema
	current_time current_timestamp current_user deallocate delete describe
	distinct drop else end escape except execute exists extract false for from
	full group grouping having in inner insert intersect into is join
	json_array json_exists json_object json_query json_table json_value left
	like listagg localtime localtimestamp natural normalize not null on or
	order outer prepare recursive right rollup select skip table then trim
	true uescape union unnest using values when where with`)

// ambiguous lists names that the grammar allows without quotes but reads as
// syntax in some places; the printer quotes them everywhere. It never changes.
var ambiguous = wordSet(`
	all any array authorization descriptor final groups interval local none
	partition range row rows running some try_cast`)

func wordSet(words string) map[string]bool {
	set := map[string]bool{}
	for _, w := range strings.Fields(words) {
		set[w] = true
	}
	return set
}

// IsReserved reports whether a word, in any case, is a name only when quoted.
func IsReserved(word string) bool { return reserved[strings.ToLower(word)] }

// QuoteIdentifier returns name as it has to be written in SQL: in quotes only
// where it needs them.
func QuoteIdentifier(name string) string {
	if lower := strings.ToLower(name); isPlain(name) && !reserved[lower] && !ambiguous[lower] {
		return name
	}
	return `"` + strings.ReplaceAll(name, `"`, `""`) + `"`
}

// QuoteString returns s as a string literal.
func QuoteString(s string) string {
	return `'` + strings.ReplaceAll(s, `'`, `''`) + `'`
}

// isPlain reports whether name has the form of an unquoted identifier.
func isPlain(name string) bool {
	for i := 0; i < len(name); i++ {
		c := name[i]
		letter := c == '_' || 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z'
		if !letter && (i == 0 || c < '0' || c > '9') {
			return false
		}
	}
	return name != ""
}
