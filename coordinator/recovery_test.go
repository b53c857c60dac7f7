package coordinator

import (
	"testing"
	"time"

	"github.com/tuttidb/tutti/coordinator/query"
)

// TestRecovery: the session says what is done again.
func TestRecovery(t *testing.T) {
	for _, c := range []struct {
		e    Execution
		want query.Recovery
	}{
		{Execution{RetryPolicy: RetryTask, TaskAttempts: 4, Twins: true},
			query.Recovery{Tasks: true, Attempts: 4, Keep: 3 * keepPerNode, TwinAfter: 2 * time.Second, CopyAfter: 2 * time.Second}},
		{Execution{RetryPolicy: RetryTask, TaskAttempts: 7}, query.Recovery{Tasks: true, Attempts: 7, Keep: 3 * keepPerNode, CopyAfter: 2 * time.Second}},
		{Execution{RetryPolicy: RetryNone, TaskAttempts: 4}, query.Recovery{Attempts: 4, Keep: 3 * keepPerNode, CopyAfter: 2 * time.Second}},
	} {
		r := distributedRows{d: &Distributed{}, e: &c.e}
		if got := r.recovery(3); got != c.want {
			t.Errorf("%+v: %+v, want %+v", c.e, got, c.want)
		}
	}
}
