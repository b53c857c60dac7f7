package server

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"time"

	"github.com/tuttidb/tutti/coordinator"
	"github.com/tuttidb/tutti/internal/qerr"
	"github.com/tuttidb/tutti/planner/plan"
)

// answerHead and answerTail are the parts of Trino's QueryResults before and
// behind the rows.
type answerHead struct {
	ID               plan.QueryID    `json:"id"`
	InfoURI          string          `json:"infoUri"`
	PartialCancelURI string          `json:"partialCancelUri,omitempty"`
	NextURI          string          `json:"nextUri,omitempty"`
	Columns          json.RawMessage `json:"columns,omitempty"`
}

type answerTail struct {
	Stats       answerStats  `json:"stats"`
	Error       *answerError `json:"error,omitempty"`
	Warnings    []struct{}   `json:"warnings"`
	UpdateType  string       `json:"updateType,omitempty"`
	UpdateCount *int64       `json:"updateCount,omitempty"`
}

type answerStats struct {
	State              string       `json:"state"`
	Queued             bool         `json:"queued"`
	Scheduled          bool         `json:"scheduled"`
	ProgressPercentage *float64     `json:"progressPercentage,omitempty"`
	RunningPercentage  *float64     `json:"runningPercentage,omitempty"`
	Nodes              int          `json:"nodes"`
	TotalSplits        int          `json:"totalSplits"`
	QueuedSplits       int          `json:"queuedSplits"`
	RunningSplits      int          `json:"runningSplits"`
	CompletedSplits    int          `json:"completedSplits"`
	PlanningTime       int64        `json:"planningTimeMillis"`
	AnalysisTime       int64        `json:"analysisTimeMillis"`
	CPUTime            int64        `json:"cpuTimeMillis"`
	WallTime           int64        `json:"wallTimeMillis"`
	QueuedTime         int64        `json:"queuedTimeMillis"`
	ElapsedTime        int64        `json:"elapsedTimeMillis"`
	FinishingTime      int64        `json:"finishingTimeMillis"`
	PhysicalInputTime  int64        `json:"physicalInputTimeMillis"`
	ProcessedRows      int64        `json:"processedRows"`
	ProcessedBytes     int64        `json:"processedBytes"`
	PhysicalInputBytes int64        `json:"physicalInputBytes"`
	PhysicalWritten    int64        `json:"physicalWrittenBytes"`
	InternalBytes      int64        `json:"internalNetworkInputBytes"`
	PeakMemoryBytes    int64        `json:"peakMemoryBytes"`
	SpilledBytes       int64        `json:"spilledBytes"`
	RootStage          *answerStage `json:"rootStage,omitempty"`
}

type answerStage struct {
	StageID            string         `json:"stageId"`
	State              string         `json:"state"`
	Done               bool           `json:"done"`
	Nodes              int            `json:"nodes"`
	TotalSplits        int            `json:"totalSplits"`
	QueuedSplits       int            `json:"queuedSplits"`
	RunningSplits      int            `json:"runningSplits"`
	CompletedSplits    int            `json:"completedSplits"`
	CPUTime            int64          `json:"cpuTimeMillis"`
	WallTime           int64          `json:"wallTimeMillis"`
	ProcessedRows      int64          `json:"processedRows"`
	ProcessedBytes     int64          `json:"processedBytes"`
	PhysicalInputBytes int64          `json:"physicalInputBytes"`
	FailedTasks        int            `json:"failedTasks"`
	CoordinatorOnly    bool           `json:"coordinatorOnly"`
	SubStages          []*answerStage `json:"subStages"`
}

// answerError is Trino's QueryError.
type answerError struct {
	Message       string          `json:"message"`
	ErrorCode     int             `json:"errorCode"`
	ErrorName     string          `json:"errorName"`
	ErrorType     string          `json:"errorType"`
	ErrorLocation *answerLocation `json:"errorLocation,omitempty"`
	FailureInfo   *answerFailure  `json:"failureInfo"`
}

type answerLocation struct {
	Line   int `json:"lineNumber"`
	Column int `json:"columnNumber"`
}

// answerFailure stands in for Java's exception; there is never a stack.
type answerFailure struct {
	Type          string          `json:"type"`
	Message       string          `json:"message"`
	Suppressed    []struct{}      `json:"suppressed"`
	Stack         []string        `json:"stack"`
	ErrorInfo     *answerCode     `json:"errorInfo"`
	ErrorLocation *answerLocation `json:"errorLocation,omitempty"`
}

type answerCode struct {
	Code int    `json:"code"`
	Name string `json:"name"`
	Type string `json:"type"`
}

func errorOf(e *qerr.Error) *answerError {
	if e == nil {
		return nil
	}
	code := &answerCode{e.Code.Number, e.Code.Name, e.Code.Kind.String()}
	var at *answerLocation
	if e.Pos.IsValid() {
		at = &answerLocation{e.Pos.Line, e.Pos.Column}
	}
	return &answerError{
		Message: e.Error(), ErrorCode: code.Code, ErrorName: code.Name, ErrorType: code.Type, ErrorLocation: at,
		FailureInfo: &answerFailure{
			Type: "io.trino.spi.TrinoException", Message: e.Error(), Suppressed: []struct{}{}, Stack: []string{},
			ErrorInfo: code, ErrorLocation: at,
		},
	}
}

func millis(d time.Duration) int64 { return d.Milliseconds() }

// statsOf turns a snapshot into the protocol's figures.
func statsOf(info *coordinator.QueryInfo) answerStats {
	s := &info.Stats
	out := answerStats{
		State: string(info.State), Queued: info.State == coordinator.Queued, Scheduled: scheduled(info.State),
		Nodes: s.Nodes, TotalSplits: s.TotalSplits, QueuedSplits: s.QueuedSplits, RunningSplits: s.RunningSplits, CompletedSplits: s.DoneSplits,
		PlanningTime: millis(info.PlanningFor), AnalysisTime: millis(info.AnalysisFor), CPUTime: millis(s.CPU), WallTime: millis(s.Wall),
		QueuedTime: millis(info.QueuedFor), ElapsedTime: millis(info.ElapsedFor),
		ProcessedRows: max(s.InputRows, s.PhysicalRows), ProcessedBytes: max(s.InputBytes, s.PhysicalBytes), PhysicalInputBytes: s.PhysicalBytes,
		InternalBytes: s.InternalBytes, PeakMemoryBytes: s.PeakMemoryBytes, SpilledBytes: s.SpilledBytes,
		RootStage: stageTree(info),
	}
	if s.Progress >= 0 {
		progress := min(s.Progress, 100)
		out.ProgressPercentage = &progress
	}
	if s.TotalSplits > 0 {
		running := 100 * float64(s.RunningSplits) / float64(s.TotalSplits)
		out.RunningPercentage = &running
	}
	return out
}

// scheduled reports whether all tasks have been placed.
func scheduled(s coordinator.State) bool {
	return s == coordinator.Running || s == coordinator.Finishing || s.Done()
}

// stageTree returns the stages as a tree; one that feeds several shows where
// it is met first.
func stageTree(info *coordinator.QueryInfo) *answerStage {
	if len(info.Stages) == 0 {
		return nil
	}
	byID := make(map[plan.FragmentID]*coordinator.StageInfo, len(info.Stages))
	for i := range info.Stages {
		byID[info.Stages[i].ID] = &info.Stages[i]
	}
	var visit func(*coordinator.StageInfo) *answerStage
	visit = func(st *coordinator.StageInfo) *answerStage {
		delete(byID, st.ID)
		out := stageOf(st)
		for _, id := range st.Inputs {
			if in := byID[id]; in != nil {
				out.SubStages = append(out.SubStages, visit(in))
			}
		}
		return out
	}
	return visit(&info.Stages[0])
}

func stageOf(st *coordinator.StageInfo) *answerStage {
	s := &st.Stats
	return &answerStage{
		StageID: fmt.Sprint(int(st.ID)), State: string(st.State), Done: st.State.Done(), Nodes: s.Nodes,
		TotalSplits: s.TotalSplits, QueuedSplits: s.QueuedSplits, RunningSplits: s.RunningSplits, CompletedSplits: s.DoneSplits,
		CPUTime: millis(s.CPU), WallTime: millis(s.Wall), ProcessedRows: max(s.InputRows, s.PhysicalRows),
		ProcessedBytes: max(s.InputBytes, s.PhysicalBytes), PhysicalInputBytes: s.PhysicalBytes,
		FailedTasks: s.FailedTasks, SubStages: []*answerStage{},
	}
}

// columnsJSON returns the columns of a result as the protocol has them.
func columnsJSON(columns []coordinator.ResultColumn, parametric bool) json.RawMessage {
	dst := []byte{'['}
	for i, c := range columns {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = appendString(append(dst, `{"name":`...), []byte(c.Name))
		dst = appendString(append(dst, `,"type":`...), []byte(typeText(c.Type, parametric)))
		dst = appendSignature(append(dst, `,"typeSignature":`...), c.Type, parametric)
		dst = append(dst, '}')
	}
	return append(dst, ']')
}

// first returns the answer to the POST: where to go on.
func (r *result) first(base string) ([]byte, error) {
	info := r.query().Info()
	info.Stages, info.Error = nil, nil
	if info.State.Done() {
		info.State = coordinator.Finishing
	}
	head := answerHead{ID: r.id, InfoURI: r.infoURI(base), NextURI: r.uri(base, "queued", 1)}
	return splice(head, nil, answerTail{Stats: statsOf(info), Warnings: []struct{}{}})
}

// makePage turns what the buffer has into the page of a token.
func (r *result) makePage(token int64, base string) (*page, error) {
	rows, ended, failure := r.take()
	r.shown += rows.n
	info := r.query().Info()
	r.mu.Lock()
	columns, known, partial, count := r.columns, r.known, r.partial, r.count
	r.mu.Unlock()
	p := &page{token: token, header: http.Header{}, last: ended, rows: r.shown, failure: failure}
	head := answerHead{ID: r.id, InfoURI: r.infoURI(base)}
	tail := answerTail{Stats: statsOf(info), Warnings: []struct{}{}, Error: errorOf(failure), UpdateType: info.UpdateType}
	if !ended {
		head.NextURI = r.uri(base, r.phase(), token+1)
		head.PartialCancelURI = base + "/v1/statement/partialCancel/" + string(r.id) + "/" + r.slug
		tail.Stats.unfinish()
	}
	switch {
	case ended && partial:
		tail.Stats.State, tail.Error = string(coordinator.Finished), nil
	case failure != nil:
		tail.Stats.State = string(coordinator.Failed)
	}
	if known && columns != nil {
		head.Columns = columnsJSON(columns, r.parametric)
	}
	if known && failure == nil {
		effects := r.query().Effects()
		announce(p.header, effects)
		tail.UpdateType = effects.UpdateType
		if ended {
			tail.UpdateCount = updateCount(effects, count)
		}
	}
	return p, r.finishPage(p, head, rows, tail)
}

// unfinish corrects a snapshot that was taken when the query had ended but its
// last rows were still to be written.
func (s *answerStats) unfinish() {
	if s.State == string(coordinator.Finished) || s.State == string(coordinator.Failed) {
		s.State = string(coordinator.Finishing)
	}
}

// updateCount returns how many rows a statement changed, nil if it changes none.
func updateCount(e *coordinator.Effects, count *int64) *int64 {
	switch {
	case e.UpdateCount != nil:
		return e.UpdateCount
	case e.UpdateType == "INSERT" || e.UpdateType == "CREATE TABLE":
		return count
	}
	return nil
}

// finishPage writes a page's body.
func (r *result) finishPage(p *page, head answerHead, rows buffer, tail answerTail) error {
	var data []byte
	switch {
	case rows.n == 0:
	case r.packer == nil || tail.UpdateType != "":
		// Trino's Go client overlooks the update count of an answer that has
		// segments.
		data = rows.json
	default:
		packed, err := r.packer.pack(rows)
		if err != nil {
			return err
		}
		p.header.Set(headerPrefix+"Query-Data-Encoding", r.packer.encoding)
		p.packed = true
		body, err := splice(head, packed, tail)
		p.body = [][]byte{body}
		return err
	}
	if data == nil {
		body, err := splice(head, nil, tail)
		p.body = [][]byte{body}
		return err
	}
	before, after, err := halves(head, tail)
	if err != nil {
		return err
	}
	p.body = [][]byte{append(before, `"data":[`...), data, append([]byte("],"), after...)}
	return nil
}

// halves returns the JSON before and behind the rows.
func halves(head answerHead, tail answerTail) (before, after []byte, err error) {
	if before, err = json.Marshal(head); err != nil {
		return nil, nil, err
	}
	if after, err = json.Marshal(tail); err != nil {
		return nil, nil, err
	}
	before[len(before)-1] = ','
	return before, after[1:], nil
}

// splice returns a whole answer, with the given "data" unless it is nil.
func splice(head answerHead, data []byte, tail answerTail) ([]byte, error) {
	before, after, err := halves(head, tail)
	if err != nil {
		return nil, err
	}
	if data != nil {
		before = append(append(append(before, `"data":`...), data...), ',')
	}
	return append(before, after...), nil
}

// phase is the part of the next URI that says whether rows have been shown.
func (r *result) phase() string {
	if r.shown == 0 {
		return "queued"
	}
	return "executing"
}

func (r *result) infoURI(base string) string {
	return base + "/ui/query.html?" + string(r.id)
}

func (r *result) uri(base, phase string, token int64) string {
	return base + "/v1/statement/" + phase + "/" + string(r.id) + "/" + r.slug + "/" + strconv.FormatInt(token, 10)
}
