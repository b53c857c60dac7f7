package tpch

import (
	"slices"
	"strings"
	"testing"
)

func TestEveryQueryHasAnswers(t *testing.T) {
	queries := Queries()
	if len(queries) != 22 {
		t.Fatalf("%d queries, want 22", len(queries))
	}
	for _, q := range queries {
		if strings.Contains(q.SQL, ";") {
			t.Errorf("%s has a semicolon", q.Name)
		}
		for _, scale := range []Scale{Tiny, SF1} {
			a, err := Load(scale, q.Name)
			if err != nil {
				t.Error(err)
				continue
			}
			if len(a.Rows) == 0 {
				t.Errorf("%s at %s: no rows", q.Name, scale)
			}
			if err := a.Check(a.Rows); err != nil {
				t.Errorf("%s at %s: answer differs from itself: %v", q.Name, scale, err)
			}
		}
	}
}

// TestPublishedFigures compares a few values with the answer set that comes
// with the TPC-H specification, so that a wrong recording cannot slip in.
func TestPublishedFigures(t *testing.T) {
	for _, c := range []struct {
		query    string
		row, col int
		want     string
	}{
		{"q01", 0, 5, "55909065222.827692"},
		{"q01", 3, 9, "1478870"},
		{"q03", 0, 0, "2456423"},
		{"q04", 0, 1, "10594"},
		{"q05", 0, 0, "INDONESIA"},
		{"q06", 0, 0, "123141078.2283"},
		{"q14", 0, 0, "16.380779"},
		{"q15", 0, 4, "1772627.2087"},
		{"q18", 0, 2, "4722021"},
		{"q19", 0, 0, "3083843.0578"},
		{"q21", 0, 0, "Supplier#000002829"},
		{"q22", 0, 1, "888"},
	} {
		a, err := Load(SF1, c.query)
		if err != nil {
			t.Fatal(err)
		}
		if got := a.Rows[c.row][c.col]; got != c.want {
			t.Errorf("%s row %d column %d is %s, want %s", c.query, c.row, c.col, got, c.want)
		}
	}
}

func TestCheckFindsPlantedDifferences(t *testing.T) {
	a, err := Load(SF1, "q01")
	if err != nil {
		t.Fatal(err)
	}
	plant := func(change func(rows [][]string) [][]string) [][]string {
		rows := make([][]string, len(a.Rows))
		for i := range rows {
			rows[i] = slices.Clone(a.Rows[i])
		}
		return change(rows)
	}
	for name, rows := range map[string][][]string{
		"last digit": plant(func(r [][]string) [][]string { r[2][5] = r[2][5][:len(r[2][5])-1] + "x"; return r }),
		"scale":      plant(func(r [][]string) [][]string { r[0][2] += "0"; return r }),
		"order":      plant(func(r [][]string) [][]string { r[0], r[1] = r[1], r[0]; return r }),
		"missing":    plant(func(r [][]string) [][]string { return r[:3] }),
		"extra":      plant(func(r [][]string) [][]string { return append(r, r[0]) }),
		"none":       nil,
	} {
		if a.Check(rows) == nil {
			t.Errorf("%s: difference not found", name)
		}
	}
}

func TestParseAnswerRejects(t *testing.T) {
	for _, text := range []string{"", "a bigint", "a\n1\n", "a bigint|b varchar\n1\n"} {
		if _, err := parseAnswer(text); err == nil {
			t.Errorf("%q: no error", text)
		}
	}
}
