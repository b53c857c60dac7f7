package client

import (
	"encoding/json"
	"fmt"
	"strings"
	"time"
)

// Column is one column of a result.
type Column struct {
	Name string `json:"name"`
	// Type is the SQL text of the type, such as "decimal(12,2)".
	Type string `json:"type"`
	// Signature is the same type as a tree.
	Signature TypeSignature `json:"typeSignature"`
}

// TypeSignature is a type as a tree. RawType is the lower-case base name,
// such as "decimal", "array" or "timestamp with time zone".
type TypeSignature struct {
	RawType   string         `json:"rawType"`
	Arguments []TypeArgument `json:"arguments"`
}

// TypeArgument is one argument of a type: a number (a length, precision or
// scale) when Type is nil, else a type, which has a Name if it is the named
// field of a row.
type TypeArgument struct {
	Long int64
	Type *TypeSignature
	Name string
}

// The kinds of a type argument on the wire.
const (
	kindLong      = "LONG"
	kindType      = "TYPE"
	kindNamedType = "NAMED_TYPE"
)

type wireArgument struct {
	Kind  string          `json:"kind"`
	Value json.RawMessage `json:"value"`
}

type wireField struct {
	FieldName *struct {
		Name string `json:"name"`
	} `json:"fieldName,omitempty"`
	TypeSignature *TypeSignature `json:"typeSignature"`
}

// UnmarshalJSON reads the {"kind": …, "value": …} form of the protocol.
// Kinds unknown to this version (such as VARIABLE) are kept as a zero number.
func (a *TypeArgument) UnmarshalJSON(data []byte) error {
	var w wireArgument
	if err := json.Unmarshal(data, &w); err != nil {
		return err
	}
	switch w.Kind {
	case kindLong:
		return json.Unmarshal(w.Value, &a.Long)
	case kindType:
		a.Type = new(TypeSignature)
		return json.Unmarshal(w.Value, a.Type)
	case kindNamedType:
		var f wireField
		if err := json.Unmarshal(w.Value, &f); err != nil {
			return err
		}
		if f.TypeSignature == nil {
			return fmt.Errorf("type argument of kind %s has no typeSignature", kindNamedType)
		}
		a.Type = f.TypeSignature
		if f.FieldName != nil {
			a.Name = f.FieldName.Name
		}
	}
	return nil
}

// MarshalJSON writes the {"kind": …, "value": …} form of the protocol.
func (a TypeArgument) MarshalJSON() ([]byte, error) {
	type out struct {
		Kind  string `json:"kind"`
		Value any    `json:"value"`
	}
	switch {
	case a.Type == nil:
		return json.Marshal(out{kindLong, a.Long})
	case a.Name == "":
		return json.Marshal(out{kindType, a.Type})
	}
	f := wireField{TypeSignature: a.Type}
	f.FieldName = &struct {
		Name string `json:"name"`
	}{a.Name}
	return json.Marshal(out{kindNamedType, f})
}

// Stats is how a query stands. Times are in milliseconds, sizes in bytes.
type Stats struct {
	// State is QUEUED, PLANNING, STARTING, RUNNING, BLOCKED, FINISHING,
	// FINISHED, FAILED or another word of the server's.
	State                     string   `json:"state"`
	Queued                    bool     `json:"queued"`
	Scheduled                 bool     `json:"scheduled"`
	ProgressPercentage        *float64 `json:"progressPercentage,omitempty"`
	RunningPercentage         *float64 `json:"runningPercentage,omitempty"`
	Nodes                     int64    `json:"nodes"`
	TotalSplits               int64    `json:"totalSplits"`
	QueuedSplits              int64    `json:"queuedSplits"`
	RunningSplits             int64    `json:"runningSplits"`
	CompletedSplits           int64    `json:"completedSplits"`
	PlanningTimeMillis        int64    `json:"planningTimeMillis"`
	AnalysisTimeMillis        int64    `json:"analysisTimeMillis"`
	CPUTimeMillis             int64    `json:"cpuTimeMillis"`
	WallTimeMillis            int64    `json:"wallTimeMillis"`
	QueuedTimeMillis          int64    `json:"queuedTimeMillis"`
	ElapsedTimeMillis         int64    `json:"elapsedTimeMillis"`
	FinishingTimeMillis       int64    `json:"finishingTimeMillis"`
	PhysicalInputTimeMillis   int64    `json:"physicalInputTimeMillis"`
	ProcessedRows             int64    `json:"processedRows"`
	ProcessedBytes            int64    `json:"processedBytes"`
	PhysicalInputBytes        int64    `json:"physicalInputBytes"`
	PhysicalWrittenBytes      int64    `json:"physicalWrittenBytes"`
	InternalNetworkInputBytes int64    `json:"internalNetworkInputBytes"`
	PeakMemoryBytes           int64    `json:"peakMemoryBytes"`
	SpilledBytes              int64    `json:"spilledBytes"`
	// RootStage is the tree of stages, nil until the query is planned.
	RootStage *StageStats `json:"rootStage,omitempty"`
}

// Elapsed is the time since the server took the query.
func (s Stats) Elapsed() time.Duration {
	return time.Duration(s.ElapsedTimeMillis) * time.Millisecond
}

// StageStats is how one stage stands.
type StageStats struct {
	StageID            string       `json:"stageId"`
	State              string       `json:"state"`
	Done               bool         `json:"done"`
	Nodes              int64        `json:"nodes"`
	TotalSplits        int64        `json:"totalSplits"`
	QueuedSplits       int64        `json:"queuedSplits"`
	RunningSplits      int64        `json:"runningSplits"`
	CompletedSplits    int64        `json:"completedSplits"`
	CPUTimeMillis      int64        `json:"cpuTimeMillis"`
	WallTimeMillis     int64        `json:"wallTimeMillis"`
	ProcessedRows      int64        `json:"processedRows"`
	ProcessedBytes     int64        `json:"processedBytes"`
	PhysicalInputBytes int64        `json:"physicalInputBytes"`
	FailedTasks        int64        `json:"failedTasks"`
	CoordinatorOnly    bool         `json:"coordinatorOnly"`
	SubStages          []StageStats `json:"subStages"`
}

// Count returns how many stages the tree under s has, s included, and how
// many of them are done. Both are zero for nil.
func (s *StageStats) Count() (total, done int) {
	if s == nil {
		return 0, 0
	}
	total = 1
	if s.Done {
		done = 1
	}
	for i := range s.SubStages {
		t, d := s.SubStages[i].Count()
		total, done = total+t, done+d
	}
	return total, done
}

// Warning is a remark of the server on a query that it ran all the same.
type Warning struct {
	Code    WarningCode `json:"warningCode"`
	Message string      `json:"message"`
}

// WarningCode names a kind of warning.
type WarningCode struct {
	Code int    `json:"code"`
	Name string `json:"name"`
}

// results is one answer of the server: QueryResults in Trino's words.
type results struct {
	ID               string          `json:"id"`
	InfoURI          string          `json:"infoUri"`
	NextURI          string          `json:"nextUri"`
	PartialCancelURI string          `json:"partialCancelUri"`
	Columns          []Column        `json:"columns"`
	Data             json.RawMessage `json:"data"`
	Stats            Stats           `json:"stats"`
	Error            *wireError      `json:"error"`
	Warnings         []Warning       `json:"warnings"`
	UpdateType       string          `json:"updateType"`
	UpdateCount      *int64          `json:"updateCount"`
}

// parseResults reads an answer and refuses JSON that is not one, which is
// what a wrong port or a proxy's own page looks like.
func parseResults(body []byte) (*results, error) {
	r := new(results)
	if err := json.Unmarshal(body, r); err != nil {
		return nil, fmt.Errorf("answer is not of the statement protocol: %w", err)
	}
	if r.ID == "" {
		return nil, fmt.Errorf("answer is not of the statement protocol: it has no query id")
	}
	for i := range r.Columns {
		c := &r.Columns[i]
		if c.Signature.RawType == "" { // servers older than the signature field
			c.Signature.RawType, _, _ = strings.Cut(c.Type, "(")
		}
	}
	return r, nil
}
