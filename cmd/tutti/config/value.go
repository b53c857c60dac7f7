package config

import (
	"bufio"
	"fmt"
	"os"
	"regexp"
	"strconv"
	"strings"
)

// Size is a number of bytes that people write with a unit: 512MB, 4GB.
// Units are powers of 1024.
type Size int64

// units are the units of sizes, largest first.
var units = []struct {
	name  string
	bytes int64
}{{"TB", 1 << 40}, {"GB", 1 << 30}, {"MB", 1 << 20}, {"KB", 1 << 10}, {"B", 1}}

// Set parses a size; it makes Size a flag's value.
func (s *Size) Set(text string) error {
	t := strings.ToUpper(strings.TrimSpace(text))
	t = strings.Replace(t, "IB", "B", 1)
	for _, u := range units {
		digits, ok := strings.CutSuffix(t, u.name)
		if !ok {
			continue
		}
		n, err := strconv.ParseFloat(strings.TrimSpace(digits), 64)
		if err != nil || n < 0 {
			break
		}
		*s = Size(n * float64(u.bytes))
		return nil
	}
	return fmt.Errorf("%q is not a size such as 512MB or 4GB", text)
}

// String prints the size with the largest unit in which it has few digits.
func (s Size) String() string {
	if s == 0 {
		return ""
	}
	for _, u := range units {
		text := strconv.FormatFloat(float64(s)/float64(u.bytes), 'f', -1, 64)
		_, decimals, _ := strings.Cut(text, ".")
		if int64(s) >= u.bytes && len(decimals) <= 3 {
			return text + u.name
		}
	}
	return "0B"
}

// wholeMB drops what is not a whole megabyte, for figures that people read.
func (s Size) wholeMB() Size { return s &^ (1<<20 - 1) }

// Type names the kind of value in help texts.
func (s *Size) Type() string { return "size" }

// reference is ${ENV:NAME} or ${FILE:path}.
var reference = regexp.MustCompile(`\$\{(ENV|FILE):([^}]+)\}`)

// Resolve replaces the references to secrets in a value: ${ENV:NAME} by the
// variable's value, ${FILE:path} by the file's content without the newline at
// its end.
func Resolve(value string, environ func(string) (string, bool)) (string, error) {
	var bad error
	out := reference.ReplaceAllStringFunc(value, func(ref string) string {
		m := reference.FindStringSubmatch(ref)
		if m[1] == "ENV" {
			v, ok := environ(m[2])
			if !ok && bad == nil {
				bad = fmt.Errorf("environment variable %s is not set", m[2])
			}
			return v
		}
		b, err := os.ReadFile(m[2])
		if err != nil && bad == nil {
			bad = err
		}
		return strings.TrimRight(string(b), "\r\n")
	})
	return out, bad
}

// Suggest returns "; did you mean …?" for the name nearest to a misspelled one,
// or nothing.
func Suggest(name string, known []string) string {
	best, distance := "", 3
	for _, k := range known {
		if d := editDistance(name, k); d < distance {
			best, distance = k, d
		}
	}
	if best == "" {
		return ""
	}
	return fmt.Sprintf("; did you mean %q?", best)
}

// editDistance is Levenshtein's.
func editDistance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := 1; i <= len(a); i++ {
		diagonal := row[0]
		row[0] = i
		for j := 1; j <= len(b); j++ {
			cost := diagonal
			if a[i-1] != b[j-1] {
				cost++
			}
			diagonal = row[j]
			row[j] = min(cost, row[j]+1, row[j-1]+1)
		}
	}
	return row[len(b)]
}

// machineMemory is the memory that this process may use, in bytes: the
// control group's limit or the machine's memory, whichever is less.
func machineMemory() int64 {
	total := int64(4 << 30)
	if f, err := os.Open("/proc/meminfo"); err == nil {
		defer f.Close()
		for s := bufio.NewScanner(f); s.Scan(); {
			if fields := strings.Fields(s.Text()); len(fields) > 1 && fields[0] == "MemTotal:" {
				if kb, err := strconv.ParseInt(fields[1], 10, 64); err == nil {
					total = kb << 10
				}
				break
			}
		}
	}
	if b, err := os.ReadFile("/sys/fs/cgroup/memory.max"); err == nil {
		if n, err := strconv.ParseInt(strings.TrimSpace(string(b)), 10, 64); err == nil {
			total = min(total, n)
		}
	}
	return total
}
