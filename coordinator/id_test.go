package coordinator

import (
	"testing"
	"time"

	"github.com/tuttidb/tutti/internal/clock"
	"github.com/tuttidb/tutti/planner/plan"
)

// TestQueryIDs: no ID is given twice, though the clock be set back, by hours and
// over midnight.
func TestQueryIDs(t *testing.T) {
	c := clock.NewManual(time.Date(2026, 3, 1, 23, 59, 59, 0, time.UTC))
	s := &idSource{clock: c, suffix: "abcde"}
	seen := map[plan.QueryID]bool{}
	for _, step := range []time.Duration{0, 0, time.Second, 0, -time.Second, 0, -3 * time.Hour, 3 * time.Hour, time.Second, 48 * time.Hour, -48 * time.Hour, 0, 365 * 24 * time.Hour} {
		c.Advance(step)
		id := s.next()
		if seen[id] {
			t.Errorf("%s again", id)
		}
		seen[id] = true
	}
	if !seen["20260301_235959_00000_abcde"] || !seen["20260302_000000_00000_abcde"] {
		t.Errorf("%v", seen)
	}
}
