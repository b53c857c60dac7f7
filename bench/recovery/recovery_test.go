package main

import (
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/tuttidb/tutti/test/chaos"
	"github.com/tuttidb/tutti/test/chaos/rig"
	"github.com/tuttidb/tutti/test/cluster"
	"github.com/tuttidb/tutti/test/tpch"
)

func near(a, b float64) bool { return math.Abs(a-b) < 1e-9 }

func TestFigures(t *testing.T) {
	for _, c := range []struct {
		x                []float64
		mean, mid, tenth float64
	}{
		{nil, 0, 0, 0},
		{[]float64{3}, 3, 3, 3},
		{[]float64{4, 1}, 2, 2.5, 1.3},
		{[]float64{8, 2, 4}, 4, 4, 2.4},
	} {
		if g, m, q := geomean(c.x), median(c.x), quantile(c.x, 0.1); !near(g, c.mean) || !near(m, c.mid) || !near(q, c.tenth) {
			t.Errorf("%v: %v %v %v", c.x, g, m, q)
		}
	}
	if q := quantile([]float64{1, 5, 3}, 1); q != 5 {
		t.Errorf("the largest is %v", q)
	}
}

// TestInterval: the mean over queries weighs all of them alike, and its interval
// is there again with the same seed.
func TestInterval(t *testing.T) {
	r := [][]float64{{1, 1, 1, 1}, {2, 8}}
	got := interval(r, 7)
	if !strings.HasPrefix(got, "2.000 (95 %: ") || got != interval(r, 7) {
		t.Error(got)
	}
	if got := interval([][]float64{{1.5, 1.5}}, 1); got != "1.500 (95 %: 1.500 to 1.500)" {
		t.Error(got)
	}
}

func TestCostTable(t *testing.T) {
	one := func(task, none time.Duration) pair {
		return pair{task: sample{task, 2 * task}, none: sample{none, 4 * none}}
	}
	got := costTable([]tpch.Query{{Name: "q01"}}, [][]pair{{one(10*time.Millisecond, 10*time.Millisecond), one(40*time.Millisecond, 10*time.Millisecond)}}, 1)
	for _, want := range []string{"| q01 | 25 / 10 | 2.000 (1.30 to 3.70) | 50 / 40 | 1.000 (0.65 to 1.85) |", "| **geometric mean** | | **2.000 ("} {
		if !strings.Contains(got, want) {
			t.Errorf("%q is not in\n%s", want, got)
		}
	}
}

func TestRedone(t *testing.T) {
	wall, cpu, err := redone([][]string{{"q.0.0.0", "100", "10"}, {"q.1.0.2", "300", "10"}, {"q.1.1.0", "600", "20"}})
	if err != nil || !near(wall, 0.3) || !near(cpu, 0.25) {
		t.Error(wall, cpu, err)
	}
	for _, bad := range [][]string{{"q.0.0.x", "1", "1"}, {"q.0.0.1", "one", "1"}} {
		if _, _, err := redone([][]string{bad}); err == nil {
			t.Errorf("%v is taken", bad)
		}
	}
}

func TestLogLine(t *testing.T) {
	at, f := logLine(`time=2026-11-23T00:01:57.798Z level=WARN msg="worker lost" query=q1 worker=worker-1 needed=true "tasks again"=4 cause="a \"b\" = c"`)
	if at.UnixMilli() != 1795392117798 || f["msg"] != "worker lost" || f["tasks again"] != "4" || f["needed"] != "true" || f["cause"] != `a "b" = c` {
		t.Error(at.UnixMilli(), f)
	}
	for _, line := range []string{"", "Tutti coordinator is ready", `"half`, "a=b", "="} {
		if at, _ := logLine(line); !at.IsZero() {
			t.Errorf("%q has a time", line)
		}
	}
}

// TestSaid: each line of the log is read once, half lines when they are whole.
func TestSaid(t *testing.T) {
	log := filepath.Join(t.TempDir(), "log")
	st := &study{w: &chaos.World{Cluster: &rig.Cluster{Coordinator: &cluster.Process{Log: log}}}}
	for _, c := range []struct{ add, want string }{{"a\nb\nha", "a b"}, {"lf\nc\n", "half c"}, {"", ""}} {
		f, err := os.OpenFile(log, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := f.WriteString(c.add); err != nil {
			t.Fatal(err)
		}
		f.Close()
		if lines, err := st.said(); err != nil || strings.Join(lines, " ") != c.want {
			t.Errorf("%q, %v, want %q", lines, err, c.want)
		}
	}
}

func TestLossTable(t *testing.T) {
	l := func(took, noticed float64) loss {
		return loss{query: "q01", undisturbed: 10 * time.Second, took: time.Duration(took * 1e9), noticed: time.Duration(noticed * 1e9), again: 3, redone: 0.2, redoneCPU: 0.1}
	}
	got := lossTable(options{workers: 4, killFrom: "standard", share: 0.4}, hanging, []loss{l(13, 1), l(15, 5), l(20, 1)}, 2)
	for _, want := range []string{
		"One of 4 workers stopped", "| q01 | 10.0 | 13.0 | 1.30 | 1.00 | 1.20 | 3 | 20 % | 10 % |",
		"| **median** | | | **1.50** (1.30 to 2.00) | 1.00 (at most 5.00; limit 10) | **1.20** (1.00 to 1.90) | 3 | 20 % | 10 % |", "3 losses count; 2 others",
	} {
		if !strings.Contains(got, want) {
			t.Errorf("%q is not in\n%s", want, got)
		}
	}
}

func TestSubjects(t *testing.T) {
	st := &study{w: &chaos.World{Cluster: &rig.Cluster{URL: "http://127.0.0.1:1"}}, from: "standard"}
	all, err := st.subjects("q12:100,q01:3")
	if err != nil || len(all) != 2 || all[0].String() != "q12:100" || all[1].SQL == all[0].SQL || all[1].scale != 3 {
		t.Error(all, err)
	}
	for _, text := range []string{"", "q01", "q01:", "q99:1"} {
		if all, err := st.subjects(text); err == nil {
			t.Errorf("%q: %v", text, all)
		}
	}
}

func TestNamed(t *testing.T) {
	if all, err := named(""); err != nil || len(all) != 22 {
		t.Error(len(all), err)
	}
	if some, err := named("q18,q03"); err != nil || len(some) != 2 || some[0].Name != "q03" {
		t.Error(some, err)
	}
	if _, err := named("q99"); err == nil {
		t.Error("q99 is there")
	}
}
