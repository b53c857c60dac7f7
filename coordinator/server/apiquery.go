package server

import (
	"strconv"
	"time"

	"github.com/tuttidb/tutti/coordinator"
	"github.com/tuttidb/tutti/planner/plan"
)

// apiQuery is a query in /v1/query and /v1/query/{id}; the latter has the
// plan and the stages.
type apiQuery struct {
	QueryID     plan.QueryID `json:"queryId"`
	State       string       `json:"state"`
	Why         string       `json:"why,omitempty"`
	Self        string       `json:"self"`
	Query       string       `json:"query"`
	UpdateType  string       `json:"updateType,omitempty"`
	Session     apiSession   `json:"session"`
	Stats       apiStats     `json:"queryStats"`
	ErrorType   string       `json:"errorType,omitempty"`
	ErrorCode   *answerCode  `json:"errorCode,omitempty"`
	FailureInfo *answerError `json:"error,omitempty"`
	Plan        string       `json:"plan,omitempty"`
	Stages      []apiStage   `json:"stages,omitempty"`
}

type apiSession struct {
	User          string            `json:"user"`
	Source        string            `json:"source,omitempty"`
	Catalog       string            `json:"catalog,omitempty"`
	Schema        string            `json:"schema,omitempty"`
	TimeZone      string            `json:"timeZone,omitempty"`
	ClientInfo    string            `json:"clientInfo,omitempty"`
	ClientTags    []string          `json:"clientTags,omitempty"`
	TraceToken    string            `json:"traceToken,omitempty"`
	UserAgent     string            `json:"userAgent,omitempty"`
	RemoteAddress string            `json:"remoteAddress,omitempty"`
	Properties    map[string]string `json:"properties,omitempty"`
}

type apiStats struct {
	Created         time.Time  `json:"createTime"`
	PlanningStarted *time.Time `json:"planningStartTime,omitempty"`
	Started         *time.Time `json:"executionStartTime,omitempty"`
	Ended           *time.Time `json:"endTime,omitempty"`
	LastHeartbeat   *time.Time `json:"lastHeartbeat,omitempty"`
	Queued          int64      `json:"queuedMillis"`
	Analysis        float64    `json:"analysisMillis"`
	Planning        float64    `json:"planningMillis"`
	Elapsed         float64    `json:"elapsedMillis"`
	Nodes           int        `json:"nodes"`
	apiFigures
}

// apiFigures are those of a query, a stage or a task.
type apiFigures struct {
	TotalSplits     int      `json:"totalSplits"`
	QueuedSplits    int      `json:"queuedSplits"`
	RunningSplits   int      `json:"runningSplits"`
	CompletedSplits int      `json:"completedSplits"`
	CPU             float64  `json:"cpuMillis"`
	Wall            float64  `json:"wallMillis"`
	Blocked         float64  `json:"blockedMillis"`
	InputRows       int64    `json:"inputRows"`
	InputBytes      int64    `json:"inputBytes"`
	PhysicalRows    int64    `json:"physicalRows"`
	PhysicalBytes   int64    `json:"physicalBytes"`
	OutputRows      int64    `json:"outputRows"`
	OutputBytes     int64    `json:"outputBytes"`
	InternalBytes   int64    `json:"internalBytes"`
	MemoryBytes     int64    `json:"memoryBytes"`
	PeakMemoryBytes int64    `json:"peakMemoryBytes"`
	SpilledBytes    int64    `json:"spilledBytes"`
	FailedTasks     int      `json:"failedTasks"`
	Progress        *float64 `json:"progressPercentage,omitempty"`
}

type apiStage struct {
	StageID   string        `json:"stageId"`
	State     string        `json:"state"`
	Spread    string        `json:"spread"`
	Inputs    []string      `json:"inputs"`
	Stats     apiFigures    `json:"stats"`
	Tasks     []apiTask     `json:"tasks"`
	Operators []apiOperator `json:"operators"`
}

type apiTask struct {
	TaskID string     `json:"taskId"`
	State  string     `json:"state"`
	Node   string     `json:"node"`
	Stats  apiFigures `json:"stats"`
}

type apiOperator struct {
	Node          int     `json:"node"`
	Name          string  `json:"name"`
	Detail        string  `json:"detail,omitempty"`
	Part          string  `json:"part,omitempty"`
	Inputs        []int   `json:"inputs"`
	RowsIn        int64   `json:"rowsIn"`
	RowsOut       int64   `json:"rowsOut"`
	BytesOut      int64   `json:"bytesOut"`
	Wall          float64 `json:"wallMillis"`
	Blocked       float64 `json:"blockedMillis"`
	PeakBytes     int64   `json:"peakBytes"`
	SpilledBytes  int64   `json:"spilledBytes"`
	PhysicalRows  int64   `json:"physicalRows"`
	PhysicalBytes int64   `json:"physicalBytes"`
	Groups        int64   `json:"groups"`
	GroupsSkipped int64   `json:"groupsSkipped"`
	// EstimatedRows is the optimizer's guess at RowsOut, absent if it had none.
	EstimatedRows *float64 `json:"estimatedRows,omitempty"`
}

// fine returns a duration in milliseconds and microseconds.
func fine(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }

// queryOf turns a snapshot into JSON's form, whole or as a line of the list.
func queryOf(q *coordinator.QueryInfo, whole bool) *apiQuery {
	out := &apiQuery{
		QueryID: q.ID, State: string(q.State), Why: q.Why, Self: "/v1/query/" + string(q.ID), Query: q.SQL, UpdateType: q.UpdateType,
		Session: sessionJSON(&q.Session),
		Stats: apiStats{
			Created: q.Created.UTC(), PlanningStarted: timeOf(q.PlanningStarted), Started: timeOf(q.Started), Ended: timeOf(q.Ended), LastHeartbeat: timeOf(q.LastHeartbeat),
			Queued: millis(q.QueuedFor), Analysis: fine(q.AnalysisFor), Planning: fine(q.PlanningFor), Elapsed: fine(q.ElapsedFor),
			Nodes: q.Stats.Nodes, apiFigures: figuresOf(&q.Stats),
		},
		FailureInfo: errorOf(q.Error),
	}
	if e := out.FailureInfo; e != nil {
		out.ErrorType, out.ErrorCode = e.ErrorType, e.FailureInfo.ErrorInfo
	}
	if !whole {
		return out
	}
	out.Plan = q.Plan
	for i := range q.Stages {
		out.Stages = append(out.Stages, stageJSON(&q.Stages[i]))
	}
	return out
}

// sessionJSON leaves out what may be secret: prepared statements.
func sessionJSON(s *coordinator.Session) apiSession {
	return apiSession{
		User: s.User, Source: s.Source, Catalog: s.Catalog, Schema: s.Schema, TimeZone: s.TimeZone, ClientInfo: s.ClientInfo,
		ClientTags: s.ClientTags, TraceToken: s.TraceToken, UserAgent: s.UserAgent, RemoteAddress: s.RemoteAddress, Properties: s.Properties,
	}
}

func figuresOf(s *coordinator.Stats) apiFigures {
	out := apiFigures{
		TotalSplits: s.TotalSplits, QueuedSplits: s.QueuedSplits, RunningSplits: s.RunningSplits, CompletedSplits: s.DoneSplits,
		CPU: fine(s.CPU), Wall: fine(s.Wall), Blocked: fine(s.Blocked),
		InputRows: s.InputRows, InputBytes: s.InputBytes, PhysicalRows: s.PhysicalRows, PhysicalBytes: s.PhysicalBytes,
		OutputRows: s.OutputRows, OutputBytes: s.OutputBytes, InternalBytes: s.InternalBytes,
		MemoryBytes: s.MemoryBytes, PeakMemoryBytes: s.PeakMemoryBytes, SpilledBytes: s.SpilledBytes, FailedTasks: s.FailedTasks,
	}
	if s.Progress >= 0 {
		p := min(s.Progress, 100)
		out.Progress = &p
	}
	return out
}

func stageJSON(st *coordinator.StageInfo) apiStage {
	out := apiStage{
		StageID: strconv.Itoa(int(st.ID)), State: string(st.State), Spread: st.Spread, Stats: figuresOf(&st.Stats),
		Inputs: []string{}, Tasks: []apiTask{}, Operators: []apiOperator{},
	}
	for _, in := range st.Inputs {
		out.Inputs = append(out.Inputs, strconv.Itoa(int(in)))
	}
	for i := range st.Tasks {
		t := &st.Tasks[i]
		out.Tasks = append(out.Tasks, apiTask{TaskID: t.ID.String(), State: t.State, Node: t.Node, Stats: figuresOf(&t.Stats)})
	}
	for i := range st.Operators {
		out.Operators = append(out.Operators, operatorJSON(&st.Operators[i]))
	}
	return out
}

func operatorJSON(o *coordinator.OperatorInfo) apiOperator {
	out := apiOperator{
		Node: int(o.Node), Name: o.Name, Detail: o.Detail, Part: o.Part, Inputs: []int{},
		RowsIn: o.RowsIn, RowsOut: o.RowsOut, BytesOut: o.BytesOut, Wall: fine(o.Wall), Blocked: fine(o.Blocked),
		PeakBytes: o.PeakBytes, SpilledBytes: o.SpilledBytes, PhysicalRows: o.PhysicalRows, PhysicalBytes: o.PhysicalBytes,
		Groups: o.Groups, GroupsSkipped: o.GroupsSkipped,
	}
	for _, p := range o.Parents {
		out.Inputs = append(out.Inputs, int(p))
	}
	if o.Estimated >= 0 {
		out.EstimatedRows = &o.Estimated
	}
	return out
}
