package kubemetrics

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// selector is a label selector of Kubernetes: all of its requirements hold.
type selector []requirement

// requirement is about one label: that it is there (or not), and with one of
// some values (or none of them, which a label that is not there fulfills).
type requirement struct {
	key    string
	not    bool
	values []string // nil: any
}

var (
	labelKey   = `([-A-Za-z0-9_./]+)`
	labelValue = `([-A-Za-z0-9_.]*)`
	forms      = struct{ there, equal, in *regexp.Regexp }{
		there: regexp.MustCompile(`^(!?)\s*` + labelKey + `$`),
		equal: regexp.MustCompile(`^` + labelKey + `\s*(=|==|!=)\s*` + labelValue + `$`),
		in:    regexp.MustCompile(`^` + labelKey + `\s+(in|notin)\s*\(([-A-Za-z0-9_.,\s]*)\)$`),
	}
)

// parseSelector reads the text of a selector, such as "a=b,c in (d, e),!f".
func parseSelector(text string) (out selector, err error) {
	for _, part := range splitTop(text) {
		part = strings.TrimSpace(part)
		switch {
		case part == "" && len(out) == 0 && strings.TrimSpace(text) == "":
			return nil, nil
		case forms.equal.MatchString(part):
			m := forms.equal.FindStringSubmatch(part)
			out = append(out, requirement{key: m[1], not: m[2] == "!=", values: []string{m[3]}})
		case forms.in.MatchString(part):
			m := forms.in.FindStringSubmatch(part)
			r := requirement{key: m[1], not: m[2] == "notin"}
			for v := range strings.SplitSeq(m[3], ",") {
				r.values = append(r.values, strings.TrimSpace(v))
			}
			out = append(out, r)
		case forms.there.MatchString(part):
			m := forms.there.FindStringSubmatch(part)
			out = append(out, requirement{key: m[2], not: m[1] == "!"})
		default:
			return nil, fmt.Errorf("labelSelector: cannot read %q", part)
		}
	}
	return out, nil
}

// splitTop splits at the commas outside of parentheses.
func splitTop(text string) (out []string) {
	depth, from := 0, 0
	for i, c := range text {
		switch {
		case c == '(':
			depth++
		case c == ')':
			depth--
		case c == ',' && depth == 0:
			out = append(out, text[from:i])
			from = i + 1
		}
	}
	return append(out, text[from:])
}

func (s selector) matches(labels map[string]string) bool {
	for _, r := range s {
		value, there := labels[r.key]
		holds := there && (r.values == nil || slices.Contains(r.values, value))
		if holds == r.not {
			return false
		}
	}
	return true
}
