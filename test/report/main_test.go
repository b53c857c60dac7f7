package main

import (
	"strings"
	"testing"
)

func TestTally(t *testing.T) {
	for _, c := range []struct {
		name, in, shows string
		passed, failed  int
	}{
		{"passes", `{"Action":"output","Package":"p","Test":"A","Output":"noise\n"}
{"Action":"pass","Package":"p","Test":"A"}
{"Action":"output","Package":"p","Output":"ok  \tp\t0.1s\n"}
{"Action":"pass","Package":"p"}`, "ok  \tp\t0.1s\n", 1, 0},
		{"a failure with its output", `{"Action":"output","Package":"p","Test":"A","Output":"why\n"}
{"Action":"fail","Package":"p","Test":"A"}
{"Action":"fail","Package":"p"}`, "why\n", 0, 1},
		{"a panic while two tests run", `{"Action":"output","Package":"p","Test":"A","Output":"of A\n"}
{"Action":"output","Package":"p","Test":"B","Output":"panic: oh\n"}
{"Action":"output","Package":"q","Test":"C","Output":"of another package\n"}
{"Action":"output","Package":"p","Output":"FAIL\tp\t0.1s\n"}
{"Action":"fail","Package":"p"}`, "FAIL\tp\t0.1s\nof A\npanic: oh\n", 0, 1},
		{"does not compile", `{"Action":"build-output","ImportPath":"p","Output":"x.go:1: bad\n"}
{"Action":"fail","Package":"p","FailedBuild":"p"}`, "x.go:1: bad\n", 0, 1},
		{"not JSON", "go: cannot find module\n", "go: cannot find module\n", 0, 0},
	} {
		var out strings.Builder
		got := &tally{out: &out, kept: map[string][]string{}, failedTests: map[string]bool{}}
		if err := got.read(strings.NewReader(c.in)); err != nil {
			t.Fatal(err)
		}
		if out.String() != c.shows || got.passed != c.passed || got.failed != c.failed {
			t.Errorf("%s: %d passed, %d failed, shows %q", c.name, got.passed, got.failed, out.String())
		}
	}
}
