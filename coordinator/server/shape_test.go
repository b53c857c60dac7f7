package server

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"
)

// The keys of Trino 476's answers, in its order.
const (
	trinoStats = "state queued scheduled progressPercentage runningPercentage nodes totalSplits queuedSplits runningSplits completedSplits " +
		"planningTimeMillis analysisTimeMillis cpuTimeMillis wallTimeMillis queuedTimeMillis elapsedTimeMillis finishingTimeMillis " +
		"physicalInputTimeMillis processedRows processedBytes physicalInputBytes physicalWrittenBytes internalNetworkInputBytes " +
		"peakMemoryBytes spilledBytes rootStage"
	trinoStage = "stageId state done nodes totalSplits queuedSplits runningSplits completedSplits cpuTimeMillis wallTimeMillis " +
		"processedRows processedBytes physicalInputBytes failedTasks coordinatorOnly subStages"
	trinoError   = "message errorCode errorName errorType errorLocation failureInfo"
	trinoFailure = "type message suppressed stack errorInfo errorLocation"
)

// keys returns the keys of a JSON object in order, and their values.
func keys(t *testing.T, object json.RawMessage) (names string, values map[string]json.RawMessage) {
	t.Helper()
	if err := json.Unmarshal(object, &values); err != nil {
		t.Fatalf("%s: %v", object, err)
	}
	list := strings.Builder{}
	d := json.NewDecoder(strings.NewReader(string(object)))
	for depth := 0; ; {
		token, err := d.Token()
		if err != nil {
			return strings.TrimSpace(list.String()), values
		}
		switch token {
		case json.Delim('{'), json.Delim('['):
			depth++
			continue
		case json.Delim('}'), json.Delim(']'):
			depth--
			continue
		}
		if name, ok := token.(string); ok && depth == 1 {
			list.WriteString(" " + name)
			var skipped json.RawMessage
			if err := d.Decode(&skipped); err != nil {
				t.Fatal(err)
			}
		}
	}
}

// TestShapeIsTrinos compares the keys of answers with those that Trino sends:
// a missing figure is a null pointer in some client.
func TestShapeIsTrinos(t *testing.T) {
	h := newHarness(t, nil)
	p, _, text := h.page("POST", "/v1/statement", "rows 3")
	top, values := keys(t, json.RawMessage(text))
	if want := "id infoUri nextUri stats warnings"; top != want {
		t.Errorf("first answer: %s", top)
	}
	first, _ := keys(t, values["stats"])
	want := strings.Fields(trinoStats)
	for _, absent := range []string{"progressPercentage", "runningPercentage", "rootStage"} {
		want = slices.DeleteFunc(want, func(s string) bool { return s == absent })
	}
	for name := range strings.FieldsSeq(strings.Join(want, " ")) {
		if !strings.Contains(" "+first+" ", " "+name+" ") {
			t.Errorf("first answer: %s is missing of the figures", name)
		}
	}
	_, _, text = h.page("GET", p.NextURI, "")
	top, values = keys(t, json.RawMessage(text))
	if want := "id infoUri columns data stats warnings"; top != want {
		t.Errorf("last answer: %s", top)
	}
	stats, figures := keys(t, values["stats"])
	if stats != trinoStats {
		t.Errorf("figures:\n%s, want\n%s", stats, trinoStats)
	}
	if stage, _ := keys(t, figures["rootStage"]); stage != trinoStage {
		t.Errorf("stage:\n%s, want\n%s", stage, trinoStage)
	}

	p, _, _ = h.page("POST", "/v1/statement", "error")
	_, _, text = h.page("GET", p.NextURI, "")
	top, values = keys(t, json.RawMessage(text))
	if want := "id infoUri stats error warnings"; top != want {
		t.Errorf("failure: %s", top)
	}
	failed, parts := keys(t, values["error"])
	if failed != trinoError {
		t.Errorf("error: %s", failed)
	}
	if info, _ := keys(t, parts["failureInfo"]); info != trinoFailure {
		t.Errorf("failure info: %s", info)
	}
}
