package coordinator

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/tuttidb/tutti/internal/qerr"
	"github.com/tuttidb/tutti/sql/analyzer"
)

// Property describes a session property.
type Property struct {
	Name, Type, Default, Description string
	set                              func(*properties, string) error
}

// properties are a session's properties in usable form.
type properties struct {
	maxRunTime, maxExecutionTime time.Duration
	maxMemory, reservedMemory    int64
	distribution                 string
	reorderJoins, dynamicFilters bool
	partialAggregation           bool
	drivers, batchRows           int
	broadcastLimit, oneTaskSize  int64
	filterWait                   time.Duration
	retryPolicy                  string
	taskAttempts                 int
	twins                        bool
	partitions                   int
	workerWait                   time.Duration
	timeZone                     string
}

// SessionProperties lists every session property, sorted by name.
func SessionProperties() []Property {
	return []Property{
		integer("batch_rows", "8192", "Rows that scans aim at in a batch, 1 to 16384", 1, 16384, func(p *properties) *int { return &p.batchRows }),
		{"dynamic_filtering_wait_timeout", "varchar", "1s", "Longest time that scans on workers wait for dynamic filters", func(p *properties, v string) (err error) {
			p.filterWait, err = parseDuration(v)
			return err
		}},
		{"enable_dynamic_filtering", "boolean", "true", "Filter the probe side of joins by what the build side holds", func(p *properties, v string) (err error) {
			p.dynamicFilters, err = parseBool(v)
			return err
		}},
		integer("hash_partitions_per_worker", "0", "Tasks of one worker in stages whose rows are hashed; 0: 1, or 3 where much is read", 0, 16, func(p *properties) *int { return &p.partitions }),
		{"join_distribution_type", "varchar", "AUTOMATIC", "How joins meet: AUTOMATIC, BROADCAST or PARTITIONED", func(p *properties, v string) (err error) {
			p.distribution, err = oneOf(v, "AUTOMATIC", "BROADCAST", "PARTITIONED")
			return err
		}},
		{"join_max_broadcast_table_size", "varchar", "100MB", "Largest side that is copied to every task", func(p *properties, v string) (err error) {
			p.broadcastLimit, err = parseBytes(v)
			return err
		}},
		{"join_reordering_strategy", "varchar", "AUTOMATIC", "Whether joins are reordered by cost: AUTOMATIC or NONE", func(p *properties, v string) error {
			s, err := oneOf(v, "AUTOMATIC", "NONE", "ELIMINATE_CROSS_JOINS")
			p.reorderJoins = s != "NONE"
			return err
		}},
		{"one_task_max_scan_size", "varchar", "16MB", "Queries whose scans read no more than this run as one task on one worker; 0B: none do", func(p *properties, v string) (err error) {
			p.oneTaskSize, err = parseBytes(v)
			return err
		}},
		{"partial_aggregation", "boolean", "true", "Aggregate in each task before rows are exchanged", func(p *properties, v string) (err error) {
			p.partialAggregation, err = parseBool(v)
			return err
		}},
		{"query_max_execution_time", "varchar", "100d", "Longest time a query may run once started", func(p *properties, v string) (err error) {
			p.maxExecutionTime, err = parseDuration(v)
			return err
		}},
		{"query_max_memory_per_node", "varchar", "", "Memory of a query on one node; empty: the node's default", func(p *properties, v string) (err error) {
			p.maxMemory, err = parseBytes(v)
			return err
		}},
		{"query_max_run_time", "varchar", "100d", "Longest time from a query's submission to its end", func(p *properties, v string) (err error) {
			p.maxRunTime, err = parseDuration(v)
			return err
		}},
		{"query_reserved_memory_per_node", "varchar", "", "Memory of each node that must be free before the query runs; empty: what its plan is expected to need", func(p *properties, v string) (err error) {
			p.reservedMemory, err = parseBytes(v)
			return err
		}},
		{"required_workers_max_wait_time", "varchar", "", "Longest time that a query waits for a worker when there is none; empty: the coordinator's worker-wait", func(p *properties, v string) (err error) {
			if v != "" {
				p.workerWait, err = parseDuration(v)
			}
			return err
		}},
		{"retry_policy", "varchar", "TASK", "What is run again when a worker is lost: TASK (what was lost), QUERY (all, if no row has left) or NONE", func(p *properties, v string) (err error) {
			p.retryPolicy, err = oneOf(v, "TASK", "QUERY", "NONE")
			return err
		}},
		{"speculative_execution", "boolean", "true", "Run a task on a second worker, too, when it is far behind others of its stage; the first one to end counts", func(p *properties, v string) (err error) {
			p.twins, err = parseBool(v)
			return err
		}},
		integer("task_concurrency", "0", "Drivers of a pipeline on one worker; 0: one a thread", 0, 1024, func(p *properties) *int { return &p.drivers }),
		integer("task_retry_attempts_per_task", "4", "How often a task may be tried whose attempts fail with their worker", 1, 100, func(p *properties) *int { return &p.taskAttempts }),
		{timeZoneProperty, "varchar", "", "Time zone of the session; empty: the client's", func(p *properties, v string) error {
			p.timeZone = v
			if v == "" {
				return nil
			}
			return analyzer.CheckTimeZone(v)
		}},
	}
}

// parseProperties applies the defaults and then what the session sets.
func parseProperties(session map[string]string) (properties, error) {
	var p properties
	known := map[string]bool{}
	for _, prop := range SessionProperties() {
		known[prop.Name] = true
		value, ok := session[prop.Name]
		if !ok {
			value = prop.Default
		}
		if err := prop.set(&p, value); err != nil {
			return p, qerr.New(qerr.InvalidSessionProperty, "Invalid value for session property '%s': %v", prop.Name, err)
		}
	}
	for name := range session {
		if !known[name] {
			return p, unknownProperty(name)
		}
	}
	return p, nil
}

func unknownProperty(name string) error {
	var known []string
	for _, p := range SessionProperties() {
		known = append(known, p.Name)
	}
	return qerr.New(qerr.InvalidSessionProperty, "Session property '%s' does not exist%s", name, analyzer.DidYouMean(name, known))
}

func parseBool(v string) (bool, error) {
	b, err := strconv.ParseBool(strings.ToLower(v))
	if err != nil {
		return false, fmt.Errorf("%q is neither true nor false", v)
	}
	return b, nil
}

// integer is a property that is a whole number from lo to hi.
func integer(name, value, text string, lo, hi int, at func(*properties) *int) Property {
	return Property{name, "integer", value, text, func(p *properties, v string) (err error) {
		*at(p), err = intBetween(v, lo, hi)
		return err
	}}
}

func intBetween(v string, lo, hi int) (int, error) {
	n, err := strconv.Atoi(v)
	if err != nil || n < lo || n > hi {
		return 0, fmt.Errorf("%q is not a number from %d to %d", v, lo, hi)
	}
	return n, nil
}

func oneOf(v string, choices ...string) (string, error) {
	for _, c := range choices {
		if strings.EqualFold(v, c) {
			return c, nil
		}
	}
	return "", fmt.Errorf("%q is none of %s", v, strings.Join(choices, ", "))
}

// units are Trino's units of durations and sizes.
var (
	durationUnits = map[string]time.Duration{
		"ns": 1, "us": time.Microsecond, "ms": time.Millisecond, "s": time.Second,
		"m": time.Minute, "h": time.Hour, "d": 24 * time.Hour,
	}
	byteUnits = map[string]int64{"b": 1, "kb": 1 << 10, "mb": 1 << 20, "gb": 1 << 30, "tb": 1 << 40}
)

// split cuts "1.5h" into its number and its unit.
func splitUnit(v string) (float64, string, error) {
	v = strings.TrimSpace(v)
	i := strings.IndexFunc(v, func(r rune) bool { return (r < '0' || r > '9') && r != '.' })
	if i <= 0 {
		return 0, "", fmt.Errorf("%q is not a number with a unit", v)
	}
	n, err := strconv.ParseFloat(v[:i], 64)
	if err != nil {
		return 0, "", fmt.Errorf("%q is not a number with a unit", v)
	}
	return n, strings.ToLower(strings.TrimSpace(v[i:])), nil
}

func parseDuration(v string) (time.Duration, error) {
	n, unit, err := splitUnit(v)
	if err != nil {
		return 0, err
	}
	d, ok := durationUnits[unit]
	if !ok {
		return 0, fmt.Errorf("%q has no unit of time (ns, us, ms, s, m, h, d)", v)
	}
	return time.Duration(n * float64(d)), nil
}

func parseBytes(v string) (int64, error) {
	if v == "" {
		return 0, nil
	}
	n, unit, err := splitUnit(v)
	if err != nil {
		return 0, err
	}
	b, ok := byteUnits[unit]
	if !ok {
		return 0, fmt.Errorf("%q has no unit of size (B, kB, MB, GB, TB)", v)
	}
	return int64(n * float64(b)), nil
}
