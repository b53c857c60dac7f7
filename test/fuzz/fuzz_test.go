package fuzz

import (
	"flag"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"testing"
	"time"
)

var (
	seedFlag   = flag.Uint64("fuzz.seed", 0, "seed of the random queries; 0: the same each time, another one with TUTTI_TEST_LONG=1")
	checksFlag = flag.Int("fuzz.checks", 1500, "relations to check")
	timeFlag   = flag.Duration("fuzz.time", time.Hour, "time after which to stop")
	stopFlag   = flag.Int("fuzz.stop", 5, "findings after which to stop")
)

// settings are ways to run a query that may not change its answer.
var settings = []map[string]string{
	{"batch_rows": "1", "task_concurrency": "1"},
	{"batch_rows": "3", "task_concurrency": "4"},
	{"task_concurrency": "4"},
	{"join_distribution_type": "PARTITIONED", "task_concurrency": "3"},
	{"join_distribution_type": "BROADCAST", "enable_dynamic_filtering": "false"},
	{"join_reordering_strategy": "NONE"},
	{"partial_aggregation": "false", "batch_rows": "7"},
	{"enable_dynamic_filtering": "false", "join_reordering_strategy": "NONE", "partial_aggregation": "false", "task_concurrency": "1"},
}

// hunt is one run of a test: its engine, queries and findings.
type hunt struct {
	t      *testing.T
	u      *tutti
	g      *Gen
	rng    *rand.Rand
	tables []*Table

	queries int
	errors  map[string]int
	samples map[string]string
	found   map[string]bool
}

func newHunt(t *testing.T) *hunt {
	// The short form guards what works, so it is the same for everybody; the
	// long form looks for what does not.
	seed := *seedFlag
	switch {
	case seed != 0:
	case os.Getenv("TUTTI_TEST_LONG") != "":
		seed = uint64(time.Now().UnixNano())
	default:
		seed = 31
	}
	t.Logf("-fuzz.seed %d", seed)
	tables := Tables(seed)
	return &hunt{
		t: t, u: start(t, tables), g: NewGen(seed, tables), rng: rand.New(rand.NewPCG(seed, 3)), tables: tables,
		errors: map[string]int{}, samples: map[string]string{}, found: map[string]bool{},
	}
}

// run runs a query and reports a failure that no query may have.
func (h *hunt) run(sql string, properties map[string]string) *answer {
	h.queries++
	a := h.u.run(sql, properties)
	if c := a.code(); c != "" {
		if c == "NOT_SUPPORTED" || c == "SYNTAX_ERROR" {
			message, _, _ := strings.Cut(a.err.Error(), "\n")
			_, message, _ = strings.Cut(strings.TrimPrefix(message, "line "), " ") // without the place
			c += " " + message
		}
		h.errors[c]++
		if old, ok := h.samples[c]; !ok || len(sql) < len(old) {
			h.samples[c] = sql
		}
	}
	if a.failed() {
		first, _, _ := strings.Cut(a.err.Error(), ";")
		h.report("failure", sql, properties, a.err.Error(), func(try string) bool {
			b := h.u.run(try, properties)
			return b.failed() && strings.HasPrefix(b.err.Error(), first[:min(12, len(first))])
		})
	}
	return a
}

// report shows a finding, reduced.
func (h *hunt) report(what, sql string, properties map[string]string, why string, fails func(string) bool) {
	h.t.Helper()
	small := sql
	if fails != nil && fails(sql) {
		small = Reduce(sql, 6000, fails)
	}
	h.t.Errorf("%s with %v: %s\n  %s", what, properties, why, small)
	h.found[small] = true
	if len(h.found) >= *stopFlag {
		h.t.FailNow()
	}
}

// home is where unqualified tables lie: in files or in memory.
func home(sql, catalog string) string { return strings.ReplaceAll(sql, "f.t", catalog+".f.t") }

// equivalent checks that a query has one answer, however it runs.
func (h *hunt) equivalent() {
	sql, ordered := h.g.Query()
	usual := h.run(home(sql, "lake"), nil)
	for i := range 2 {
		properties, catalog := settings[h.rng.IntN(len(settings))], []string{"lake", "mem"}[i]
		other := h.run(home(sql, catalog), properties)
		if usual.err != nil || other.err != nil {
			continue // which error strikes first, and whether at all, is open
		}
		if d := unlike(usual, other, ordered); d != "" {
			h.report("settings, "+catalog, sql, properties, d, func(try string) bool {
				a := h.u.run(home(try, "lake"), nil)
				if a.err != nil {
					return false
				}
				b := h.u.run(home(try, catalog), properties)
				return b.err == nil && unlike(a, b, false) != "" && (!strings.Contains(try, "LIMIT") || strings.Contains(sql, "LIMIT") && strings.Contains(try, "ORDER BY 1"))
			})
		}
	}
}

func unlike(a, b *answer, ordered bool) string {
	d := difference(a.rows, b.rows)
	if d == "" && ordered && !slices.Equal(a.rows, b.rows) {
		return "another order of rows"
	}
	return d
}

// partition checks that p, not p and p is null split a query's rows.
func (h *hunt) partition() {
	s := h.g.Select()
	catalog := h.g.pick("lake", "lake", "mem")
	properties := settings[h.rng.IntN(len(settings))]
	all := h.run(home(s.SQL(""), catalog), properties)
	if all.err != nil {
		return
	}
	var parts []string
	for _, p := range []string{s.Predicate, "NOT (" + s.Predicate + ")", "(" + s.Predicate + ") IS NULL"} {
		part := h.run(home(s.SQL("", p), catalog), properties)
		if part.err != nil {
			return
		}
		parts = append(parts, part.rows...)
	}
	if d := difference(all.rows, parts); d != "" {
		h.t.Logf("whole: %s", s.SQL(""))
		h.report("partition, "+catalog, s.Predicate, properties, d, func(p string) bool {
			var parts []string
			for _, p := range []string{p, "NOT (" + p + ")", "(" + p + ") IS NULL"} {
				part := h.u.run(home(s.SQL("", p), catalog), properties)
				if part.err != nil {
					return false
				}
				parts = append(parts, part.rows...)
			}
			return difference(all.rows, parts) != ""
		})
	}
}

// counted checks that WHERE passes as many rows as CASE counts.
func (h *hunt) counted() {
	s := h.g.Select()
	catalog := h.g.pick("lake", "lake", "mem")
	properties := settings[h.rng.IntN(len(settings))]
	check := func(p string) (string, bool) {
		where := h.run(home(s.SQL("1", p), catalog), properties)
		count := h.run(home(s.SQL("coalesce(sum(CASE WHEN "+p+" THEN 1 ELSE 0 END), 0)"), catalog), properties)
		if where.err != nil || count.err != nil || len(count.rows) != 1 {
			return "", false
		}
		if n := fmt.Sprint(len(where.rows)); n != count.rows[0] {
			return fmt.Sprintf("WHERE finds %s rows, CASE %s", n, count.rows[0]), true
		}
		return "", false
	}
	if d, bad := check(s.Predicate); bad {
		h.t.Logf("whole: %s", s.SQL(""))
		h.report("count, "+catalog, s.Predicate, properties, d, func(p string) bool { _, bad := check(p); return bad })
	}
}

// starved checks that a query that runs out of memory leaves nothing behind.
func (h *hunt) starved() {
	sql, _ := h.g.Query()
	properties := maps.Clone(settings[h.rng.IntN(len(settings))])
	properties["query_max_memory_per_node"] = h.g.pick("1kB", "20kB", "100kB", "300kB", "1MB")
	h.run(home(sql, "lake"), properties)
}

// abandoned checks that a query that is given up leaves nothing behind.
func (h *hunt) abandoned() {
	sql, _ := h.g.Query()
	h.queries++
	if a := h.u.abandon(home(sql, "lake"), settings[h.rng.IntN(len(settings))]); a.failed() {
		h.report("given up", sql, nil, a.err.Error(), nil)
	}
}

func (h *hunt) summary() {
	h.t.Logf("%d queries", h.queries)
	for _, c := range slices.Sorted(maps.Keys(h.samples)) {
		h.t.Logf("%d times %s\n  %.300s", h.errors[c], c, h.samples[c])
	}
}

// TestRelations checks relations between the answers of random queries.
func TestRelations(t *testing.T) {
	h := newHunt(t)
	defer h.summary()
	end := time.Now().Add(*timeFlag)
	for i := 0; i < *checksFlag && time.Now().Before(end); i++ {
		switch i % 9 {
		case 0, 1, 2, 3:
			h.equivalent()
		case 4, 5:
			h.partition()
		case 6:
			h.counted()
		case 7:
			h.abandoned()
		case 8:
			h.starved()
		}
		if i%100 == 99 {
			if err := h.u.idle(); err != nil {
				t.Fatal(err)
			}
		}
	}
}

// TestStarvedScan reads columns that are decoded when somebody looks at them,
// with too little memory for that: the query fails, and it is the query that
// does, rather than whoever reads its rows.
func TestStarvedScan(t *testing.T) {
	h := newHunt(t)
	for _, table := range h.tables {
		a := h.u.run("SELECT * FROM lake.f."+table.Name, map[string]string{"query_max_memory_per_node": "1kB"})
		if len(table.Rows) > 0 && a.code() != "EXCEEDED_LOCAL_MEMORY_LIMIT" {
			t.Errorf("%s: %q, %v", table.Name, a.code(), a.err)
		}
	}
}
