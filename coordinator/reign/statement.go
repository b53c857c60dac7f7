package reign

import (
	"slices"
	"strings"
)

// readers are the first words of statements that change nothing, so that two
// runs of them do what one does.
var readers = []string{"SELECT", "WITH", "VALUES", "TABLE", "SHOW", "DESCRIBE", "DESC", "USE", "SET", "RESET", "PREPARE", "DEALLOCATE"}

// repeatable reports whether a statement may be run twice. EXPLAIN is for its
// own sake; EXPLAIN ANALYZE runs what it explains. EXECUTE runs a statement that
// is not in the text.
func repeatable(sql []byte) bool {
	words := firstWords(string(sql), 2)
	if len(words) == 0 {
		return true // it will be refused
	}
	if words[0] == "EXPLAIN" {
		return len(words) < 2 || words[1] != "ANALYZE"
	}
	return slices.Contains(readers, words[0])
}

// firstWords returns the first n words of a text in upper case, comments and
// parentheses before them left out.
func firstWords(text string, n int) (words []string) {
	for len(words) < n {
		text = skipBlank(text)
		end := strings.IndexFunc(text, func(r rune) bool { return !(r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r == '_') })
		if end < 0 {
			end = len(text)
		}
		if end == 0 {
			return words
		}
		words = append(words, strings.ToUpper(text[:end]))
		text = text[end:]
	}
	return words
}

// skipBlank drops white space, comments and opening parentheses.
func skipBlank(text string) string {
	for {
		text = strings.TrimLeft(text, " \t\r\n\f\v(")
		var end string
		switch {
		case strings.HasPrefix(text, "--"):
			end = "\n"
		case strings.HasPrefix(text, "/*"):
			end = "*/"
		default:
			return text
		}
		_, after, found := strings.Cut(text[2:], end)
		if !found {
			return ""
		}
		text = after
	}
}
