package qerr

import (
	"bufio"
	"go/ast"
	"go/constant"
	"go/importer"
	"go/parser"
	"go/token"
	"go/types"
	"os"
	"strconv"
	"strings"
	"testing"
)

// TestCodesAreTrinos compares every Code literal of code.go with the list
// printed from Trino's own enums, so that no number is ever made up.
func TestCodesAreTrinos(t *testing.T) {
	known := readCodes(t, "testdata/trino_codes.txt")
	codes := declaredCodes(t)
	if len(codes) < 80 {
		t.Fatalf("found only %d codes in code.go: the reader of the source is broken", len(codes))
	}
	byNumber := map[int]string{}
	for ident, c := range codes {
		want, ok := known[c.Name]
		if !ok {
			t.Errorf("%s: Trino has no code %s", ident, c.Name)
			continue
		}
		if c != want {
			t.Errorf("%s = %d %s %v, Trino has %d %v", ident, c.Number, c.Name, c.Kind, want.Number, want.Kind)
		}
		if other, dup := byNumber[c.Number]; dup {
			t.Errorf("%s and %s are the same code %d", ident, other, c.Number)
		}
		byNumber[c.Number] = ident
	}
}

// readCodes reads lines "number name type".
func readCodes(t *testing.T, file string) map[string]Code {
	t.Helper()
	f, err := os.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	kinds := map[string]Kind{}
	for _, k := range []Kind{User, Internal, Resource, External} {
		kinds[k.String()] = k
	}
	codes := map[string]Code{}
	for sc := bufio.NewScanner(f); sc.Scan(); {
		w := strings.Fields(sc.Text())
		if len(w) != 3 || w[0] == "#" {
			continue
		}
		n, err := strconv.Atoi(w[0])
		kind, ok := kinds[w[2]]
		if err != nil || !ok {
			t.Fatalf("%s: bad line %q", file, sc.Text())
		}
		codes[w[1]] = Code{n, w[1], kind}
	}
	return codes
}

// declaredCodes type-checks code.go and returns its Code variables by
// identifier.
func declaredCodes(t *testing.T) map[string]Code {
	t.Helper()
	fset := token.NewFileSet()
	var files []*ast.File
	for _, name := range []string{"code.go", "qerr.go"} {
		f, err := parser.ParseFile(fset, name, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		files = append(files, f)
	}
	info := &types.Info{Types: map[ast.Expr]types.TypeAndValue{}}
	conf := types.Config{Importer: importer.ForCompiler(fset, "source", nil)}
	if _, err := conf.Check("qerr", fset, files, info); err != nil {
		t.Fatal(err)
	}
	codes := map[string]Code{}
	ast.Inspect(files[0], func(n ast.Node) bool {
		spec, ok := n.(*ast.ValueSpec)
		if !ok || len(spec.Values) != 1 {
			return true
		}
		if lit, ok := spec.Values[0].(*ast.CompositeLit); ok && len(lit.Elts) == 3 {
			number, _ := constant.Int64Val(info.Types[lit.Elts[0]].Value)
			kind, _ := constant.Int64Val(info.Types[lit.Elts[2]].Value)
			codes[spec.Names[0].Name] = Code{int(number), constant.StringVal(info.Types[lit.Elts[1]].Value), Kind(kind)}
		}
		return true
	})
	return codes
}
