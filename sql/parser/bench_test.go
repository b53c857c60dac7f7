package parser

import (
	"strings"
	"testing"

	"github.com/tuttidb/tutti/sql/ast"
)

func BenchmarkParse(b *testing.B) {
	for _, bc := range []struct{ name, sql string }{
		{"select1", "select 1"},
		{"tpch q1", readFile(b, "testdata/tpch/q01.sql")},
		{"tpch q19", readFile(b, "testdata/tpch/q19.sql")},
		{"in list 10k", "select * from t where a in (1" + strings.Repeat(", 12345", 10_000) + ")"},
		{"error", "select a, b from t where a = 1 group by a order from"},
	} {
		b.Run(bc.name, func(b *testing.B) {
			b.SetBytes(int64(len(bc.sql)))
			b.ReportAllocs()
			for b.Loop() {
				_, _ = ParseStatement(bc.sql)
			}
		})
	}
}

func BenchmarkTokenize(b *testing.B) {
	sql := readFile(b, "testdata/tpch/q19.sql")
	b.SetBytes(int64(len(sql)))
	b.ReportAllocs()
	for b.Loop() {
		tokenize(sql)
	}
}

func BenchmarkFormat(b *testing.B) {
	s, err := ParseStatement(readFile(b, "testdata/tpch/q19.sql"))
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		ast.Format(s)
	}
}
