package worker

import (
	"testing"
	"time"

	"github.com/tuttidb/tutti/exec"
	"github.com/tuttidb/tutti/exec/vector"
	pb "github.com/tuttidb/tutti/proto/tutti/v1"
)

// TestSettings: a task has all that its session asked for. Its time zone, user
// and start decide what casts and functions of time say.
func TestSettings(t *testing.T) {
	start := time.Date(2024, 2, 29, 23, 30, 0, 5, time.UTC)
	for name, tc := range map[string]struct {
		in   *pb.Settings
		want exec.Settings
	}{
		"all": {
			&pb.Settings{Drivers: 3, BatchRows: 100, PartialAggregation: true, DynamicFiltering: true, TimeZone: "Europe/Rome", User: "ann", StartNanos: start.UnixNano()},
			exec.Settings{Drivers: 3, BatchRows: 100, PartialAggregation: true, DynamicFiltering: true, TimeZone: "Europe/Rome", User: "ann", Start: start},
		},
		"none":              {&pb.Settings{}, exec.Settings{BatchRows: vector.DefaultRows, Start: time.Unix(0, 0)}},
		"too large batches": {&pb.Settings{BatchRows: vector.MaxRows + 1}, exec.Settings{BatchRows: vector.DefaultRows, Start: time.Unix(0, 0)}},
	} {
		got := settingsOf(tc.in)
		if !got.Start.Equal(tc.want.Start) {
			t.Errorf("%s: starts at %s, want %s", name, got.Start, tc.want.Start)
		}
		got.Start, tc.want.Start = time.Time{}, time.Time{}
		if got != tc.want {
			t.Errorf("%s: %+v, want %+v", name, got, tc.want)
		}
	}
}
