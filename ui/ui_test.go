package ui

import (
	"io/fs"
	"path"
	"regexp"
	"strings"
	"testing"
)

// limit is what all files together may weigh, in bytes.
const limit = 300_000

var (
	external = regexp.MustCompile(`(?i)(src|href|url|from|import)\s*[=(]?\s*["'(]?\s*(https?:)?//`)
	local    = regexp.MustCompile(`(?:src|href)="([^"#?:]+)|from '\./([^']+)'`)
)

// TestFiles: the page is small, whole, and loads nothing from elsewhere.
func TestFiles(t *testing.T) {
	total, names, refs := 0, map[string]bool{}, map[string]string{}
	err := fs.WalkDir(Files(), ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		text, err := fs.ReadFile(Files(), name)
		if err != nil {
			return err
		}
		total += len(text)
		names[name] = true
		if hit := external.FindString(string(text)); hit != "" {
			t.Errorf("%s refers to another host: %s", name, hit)
		}
		if path.Ext(name) == ".html" && strings.Contains(string(text), "<script>") {
			t.Errorf("%s has a script in it, which the page's policy forbids", name)
		}
		for _, m := range local.FindAllStringSubmatch(string(text), -1) {
			refs[m[1]+m[2]] = name
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if total > limit {
		t.Errorf("%d bytes, more than %d", total, limit)
	}
	for _, page := range []string{"index.html", "query.html", "workers.html"} {
		if !names[page] {
			t.Errorf("no %s", page)
		}
	}
	for ref, from := range refs {
		if ref != "./" && !names[strings.TrimPrefix(ref, "./")] {
			t.Errorf("%s refers to %s, which is not there", from, ref)
		}
	}
}
