package shell

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/rivo/uniseg"
)

// count prints a number of things for people: 950, 12.3 K, 6.0 M.
func count(n int64) string {
	return scaled(float64(n), 1000, []string{"", " K", " M", " B", " T"})
}

// bytesText prints a size: 950 B, 12.3 kB, 1.2 GB.
func bytesText(n int64) string {
	return scaled(float64(n), 1000, []string{" B", " kB", " MB", " GB", " TB", " PB"})
}

func scaled(f, step float64, units []string) string {
	i := 0
	for f >= step*0.9995 && i < len(units)-1 {
		f /= step
		i++
	}
	if i == 0 {
		return strconv.FormatInt(int64(f), 10) + units[0]
	}
	return strconv.FormatFloat(f, 'f', 1, 64) + units[i]
}

// duration prints a time span with about three digits.
func duration(d time.Duration) string {
	switch {
	case d < time.Millisecond:
		return fmt.Sprintf("%.2f ms", d.Seconds()*1000)
	case d < time.Second:
		return fmt.Sprintf("%.0f ms", d.Seconds()*1000)
	case d < time.Minute:
		return fmt.Sprintf("%.2f s", d.Seconds())
	}
	m := int(d.Minutes())
	if m < 60 {
		return fmt.Sprintf("%dm %02ds", m, int(d.Seconds())%60)
	}
	return fmt.Sprintf("%dh %02dm", m/60, m%60)
}

// rate prints how many things a second n in d are.
func rate(n int64, d time.Duration) int64 {
	if d <= 0 {
		return 0
	}
	return int64(float64(n) / d.Seconds())
}

// plural prints a number with its noun.
func plural(n int64, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return group(n) + " " + noun + "s"
}

// group prints a whole number with its digits in threes.
func group(n int64) string {
	s := strconv.FormatInt(n, 10)
	sign := ""
	if n < 0 {
		sign, s = "-", s[1:]
	}
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return sign + s
}

// textWidth is the number of terminal cells that s takes.
func textWidth(s string) int {
	for i := range len(s) {
		if s[i] < ' ' || s[i] >= 0x7f {
			return uniseg.StringWidth(s)
		}
	}
	return len(s)
}

// clip cuts s to width cells, the last an ellipsis if anything was cut.
func clip(s string, width int) string {
	if textWidth(s) <= width {
		return s
	}
	if width <= 0 {
		return ""
	}
	used := 0
	var b strings.Builder
	for g := uniseg.NewGraphemes(s); g.Next(); {
		if used+g.Width() > width-1 {
			break
		}
		used += g.Width()
		b.WriteString(g.Str())
	}
	return b.String() + "…"
}

// visible makes text safe for one line of a terminal: control characters,
// which could move the cursor or hide text, are written out.
func visible(s string) string {
	clean := true
	for i := range len(s) {
		if c := s[i]; c < ' ' || c == 0x7f || c == 0xc2 {
			clean = false
			break
		}
	}
	if clean {
		return s
	}
	var b strings.Builder
	for _, r := range s {
		switch {
		case r == '\t':
			b.WriteString("    ")
		case r < ' ' || (r >= 0x7f && r < 0xa0):
			q := strconv.QuoteRuneToASCII(r)
			b.WriteString(q[1 : len(q)-1])
		default:
			b.WriteRune(r)
		}
	}
	return b.String()
}
