package fuzz

import (
	"strings"
	"unicode"
)

// Reduce returns a shorter query for which fails still holds, by leaving out
// pieces as long as that goes, in the manner of delta debugging (Zeller and
// Hildebrandt, TSE 2002). Pieces follow the text's structure: what is in
// parentheses, what is between two separators, a few tokens. Most tries are no
// SQL, which costs a parse only. budget bounds the tries.
func Reduce(sql string, budget int, fails func(string) bool) string {
	tokens := tokenize(sql)
	for again := true; again; {
		again = false
		for _, pieces := range []func([]string, int) []piece{enclosed, separated, run} {
			for at := 0; at < len(tokens); at++ {
				for _, p := range pieces(tokens, at) {
					if budget--; budget < 0 {
						return join(tokens)
					}
					if try := p.without(tokens); fails(join(try)) {
						tokens, again = try, true
						at = max(at-2, -1)
						break
					}
				}
			}
		}
	}
	return join(tokens)
}

// piece is what to leave out: all from from to to but what is from keepFrom to
// keepTo, ends excluded.
type piece struct{ from, keepFrom, keepTo, to int }

func (p piece) without(tokens []string) []string {
	out := append([]string{}, tokens[:p.from]...)
	out = append(out, tokens[p.keepFrom:p.keepTo]...)
	return append(out, tokens[p.to:]...)
}

// enclosed are the pieces that belong to a parenthesis that opens at at.
func enclosed(tokens []string, at int) (out []piece) {
	if tokens[at] != "(" {
		return nil
	}
	end := closing(tokens, at)
	if end < 0 {
		return nil
	}
	out = append(out, piece{at, at, at, end + 1}, piece{at, at + 1, end, end + 1})
	if at == 0 {
		return out
	}
	out = append(out, piece{at - 1, at, at, end + 1}, piece{at - 1, at + 1, end, end + 1})
	for _, s := range separators(tokens, at+1, end) { // f(a, b) → a or b
		out = append(out, piece{at - 1, at + 1, s, end + 1}, piece{at - 1, s + 1, end, end + 1})
	}
	return out
}

// separated are the pieces between a separator at at and later ones of the
// same depth, the longest first.
func separated(tokens []string, at int) (out []piece) {
	if !isSeparator(tokens[at]) {
		return nil
	}
	ends := append(separators(tokens, at+1, len(tokens)), len(tokens))
	for i := len(ends) - 1; i >= 0; i-- {
		out = append(out, piece{at, at, at, ends[i]})
		if ends[i] < len(tokens) {
			out = append(out, piece{at + 1, at, at, ends[i] + 1})
		}
	}
	return out
}

// run are short runs of tokens.
func run(tokens []string, at int) (out []piece) {
	for n := min(6, len(tokens)-at); n > 0; n-- {
		out = append(out, piece{at, at, at, at + n})
	}
	return out
}

// separators returns where separators stand at the depth of from, up to end
// or to where the parenthesis around them closes.
func separators(tokens []string, from, end int) (out []int) {
	depth := 0
	for i := from; i < end; i++ {
		switch {
		case tokens[i] == "(":
			depth++
		case tokens[i] == ")":
			if depth--; depth < 0 {
				return append(out, i)
			}
		case depth == 0 && isSeparator(tokens[i]):
			out = append(out, i)
		}
	}
	return out
}

func isSeparator(token string) bool {
	return strings.Contains(" , AND OR AS FROM WHERE GROUP ORDER HAVING JOIN LEFT RIGHT FULL ON UNION INTERSECT EXCEPT WHEN THEN ELSE SELECT LIMIT = <> < > <= >= + - * / || ", " "+token+" ")
}

func closing(tokens []string, at int) int {
	depth := 0
	for i := at; i < len(tokens); i++ {
		switch tokens[i] {
		case "(":
			depth++
		case ")":
			if depth--; depth == 0 {
				return i
			}
		}
	}
	return -1
}

// tokenize cuts SQL into words, texts in quotes and signs.
func tokenize(sql string) (tokens []string) {
	for len(sql) > 0 {
		n := 1
		switch c := rune(sql[0]); {
		case c == '\'':
			n = quoted(sql)
		case c == ' ':
			sql = sql[1:]
			continue
		case unicode.IsLetter(c) || unicode.IsDigit(c):
			for n < len(sql) && (unicode.IsLetter(rune(sql[n])) || unicode.IsDigit(rune(sql[n])) || strings.ContainsRune("._", rune(sql[n]))) {
				n++
			}
		case (c == '<' || c == '>' || c == '|') && n < len(sql) && strings.ContainsRune("=>|", rune(sql[n])):
			n = 2
		}
		tokens, sql = append(tokens, sql[:n]), sql[n:]
	}
	return tokens
}

// quoted returns the length of the text in quotes that sql begins with.
func quoted(sql string) int {
	for n := 1; n < len(sql); n++ {
		if sql[n] == '\'' {
			if n+1 == len(sql) || sql[n+1] != '\'' {
				return n + 1
			}
			n++
		}
	}
	return len(sql)
}

func join(tokens []string) string { return strings.Join(tokens, " ") }
