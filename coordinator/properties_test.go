package coordinator

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/tuttidb/tutti/internal/qerr"
)

func TestPropertiesDefaults(t *testing.T) {
	p, err := parseProperties(nil)
	if err != nil {
		t.Fatal(err)
	}
	if p.maxRunTime != 100*24*time.Hour || !p.dynamicFilters || !p.reorderJoins || p.distribution != "AUTOMATIC" || p.broadcastLimit != 100<<20 || p.batchRows != 8192 || !p.twins {
		t.Errorf("defaults are %+v", p)
	}
	names := []string{}
	for _, prop := range SessionProperties() {
		names = append(names, prop.Name)
		if prop.Description == "" || prop.Type == "" {
			t.Errorf("%s has no type or description", prop.Name)
		}
	}
	if !slices.IsSorted(names) {
		t.Errorf("properties are not sorted: %v", names)
	}
}

func TestPropertiesRefused(t *testing.T) {
	for _, c := range []struct{ name, value, want string }{
		{"nosuch", "1", "Session property 'nosuch' does not exist"},
		{"query_max_run_time", "5 parsecs", "no unit of time"},
		{"query_max_run_time", "soon", "not a number with a unit"},
		{"query_max_memory_per_node", "5XB", "no unit of size"},
		{"enable_dynamic_filtering", "perhaps", "neither true nor false"},
		{"speculative_execution", "sometimes", "neither true nor false"},
		{"hash_partitions_per_worker", "17", "not a number from 0 to 16"},
		{"batch_rows", "0", "not a number from 1 to 16384"},
		{"join_distribution_type", "SIDEWAYS", "is none of"},
		{"time_zone_id", "Mars/Olympus", "Time zone not supported"},
	} {
		_, err := parseProperties(map[string]string{c.name: c.value})
		if !qerr.Is(err, qerr.InvalidSessionProperty) || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s=%s: %v, want INVALID_SESSION_PROPERTY with %q", c.name, c.value, err, c.want)
		}
	}
}

func TestPropertiesParsed(t *testing.T) {
	p, err := parseProperties(map[string]string{
		"query_max_execution_time": "1.5h", "query_max_memory_per_node": "2GB", "join_reordering_strategy": "none", "join_distribution_type": "broadcast",
		"speculative_execution": "FALSE",
	})
	if err != nil {
		t.Fatal(err)
	}
	if p.maxExecutionTime != 90*time.Minute || p.maxMemory != 2<<30 || p.reorderJoins || p.distribution != "BROADCAST" || p.twins {
		t.Errorf("parsed %+v", p)
	}
}
