package parser

import (
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/tuttidb/tutti/sql/ast"
)

var update = flag.Bool("update", false, "write the golden files instead of comparing with them")

// TestGolden parses each line of testdata/statements/*.sql and compares how it
// prints and what its tree is with the .golden file beside it.
func TestGolden(t *testing.T) {
	for _, path := range glob(t, "testdata/statements/*.sql") {
		var out strings.Builder
		for _, sql := range lines(t, path) {
			node, err := ParseStatement(sql)
			writeResult(&out, sql, node, err)
			if err == nil {
				checkRoundTrip(t, sql, node)
			}
		}
		compareGolden(t, strings.TrimSuffix(path, ".sql")+".golden", out.String())
	}
}

// TestGoldenTypes does the same with types.
func TestGoldenTypes(t *testing.T) {
	var out strings.Builder
	for _, text := range lines(t, "testdata/types.txt") {
		typ, err := ParseType(text)
		writeResult(&out, text, typ, err)
		if err != nil {
			continue
		}
		again, err := ParseType(ast.Format(typ))
		if err != nil || !ast.Same(typ, again) {
			t.Errorf("%s: prints as %s, which is %v, %v", text, ast.Format(typ), again, err)
		}
	}
	compareGolden(t, "testdata/types.golden", out.String())
}

func writeResult(out *strings.Builder, sql string, node ast.Node, err error) {
	out.WriteString("> " + sql + "\n")
	if err != nil {
		out.WriteString("error: " + err.Error() + "\n\n")
		return
	}
	out.WriteString(ast.Format(node) + "\n" + ast.Dump(node) + "\n\n")
}

func compareGolden(t *testing.T, path, got string) {
	t.Helper()
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want := readFile(t, path)
	if got == want {
		return
	}
	gotLines, wantLines := strings.Split(got, "\n"), strings.Split(want, "\n")
	for i := range gotLines {
		if i >= len(wantLines) || gotLines[i] != wantLines[i] {
			t.Fatalf("%s:%d: got %q (run with -update after checking)", path, i+1, gotLines[i])
		}
	}
	t.Fatalf("%s has %d lines, got %d", path, len(wantLines), len(gotLines))
}

// TestTPCH parses the 22 queries of TPC-H.
func TestTPCH(t *testing.T) {
	paths := glob(t, "testdata/tpch/*.sql")
	if len(paths) != 22 {
		t.Fatalf("%d TPC-H queries", len(paths))
	}
	for _, path := range paths {
		sql := readFile(t, path)
		node, err := ParseStatement(sql)
		if err != nil {
			t.Errorf("%s: %v", path, err)
			continue
		}
		if _, ok := node.(*ast.Query); !ok {
			t.Errorf("%s: a %T", path, node)
		}
		checkRoundTrip(t, sql, node)
	}
}

// checkRoundTrip checks that the printed form of a tree gives the tree again,
// and prints the same.
func checkRoundTrip(t testing.TB, sql string, node ast.Statement) {
	t.Helper()
	text := ast.Format(node)
	again, err := ParseStatement(text)
	if err != nil {
		t.Errorf("%s\nprints as %s\nwhich does not parse: %v", sql, text, err)
		return
	}
	if !ast.Same(node, again) {
		t.Errorf("%s\nprints as %s\nwhich parses as another tree:\n%s\n%s", sql, text, ast.Dump(node), ast.Dump(again))
	}
	if second := ast.Format(again); second != text {
		t.Errorf("%s\nprints as %s\nand then as %s", sql, text, second)
	}
}

func glob(t testing.TB, pattern string) []string {
	paths, err := filepath.Glob(pattern)
	if err != nil || len(paths) == 0 {
		t.Fatalf("%s: %v, %v", pattern, paths, err)
	}
	return paths
}

func readFile(t testing.TB, path string) string {
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

// lines returns the lines of a file that are not empty.
func lines(t testing.TB, path string) []string {
	var list []string
	for _, line := range strings.Split(readFile(t, path), "\n") {
		if line != "" {
			list = append(list, line)
		}
	}
	return list
}
