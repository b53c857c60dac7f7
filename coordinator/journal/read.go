package journal

import (
	"cmp"
	"encoding/json"
	"errors"
	"slices"
	"time"

	"github.com/tuttidb/tutti/coordinator"
	"github.com/tuttidb/tutti/coordinator/meta"
	"github.com/tuttidb/tutti/internal/qerr"
	"github.com/tuttidb/tutti/planner/plan"
	pb "github.com/tuttidb/tutti/proto/tutti/v1"
)

// Entry is what is known of a query when its coordinator is gone.
type Entry struct {
	// Statement is what was accepted, if Known; else ID and Slug at most.
	Statement
	Known bool
	// Plan is the plan by which workers run the query, as plancodec encoded it
	// in PlanVersion; nil: none is known.
	Plan        []byte
	PlanVersion uint32
	// Catalogs is the generation of the catalogs that the plan was made with; 0:
	// not known.
	Catalogs uint64
	// Page is the last one that was shown or was about to be; nil: none is known.
	Page *Page
	// Unsure says that pages may have been shown which nobody remembers.
	Unsure bool
	// Failure, where given, is how the query ends after that page.
	Failure *qerr.Error
	// Ended is the query's last state where the log has it; there may still be a
	// Page that the client may ask for.
	Ended *coordinator.QueryInfo
	// Logged says that the log knows the query.
	Logged bool
	// Lost is how many coordinators were lost while they ran the query, as far as
	// that was written down: see (*Journal).Lost.
	Lost int

	// coded is Page as it was read, nil if it was not.
	coded *pb.MetaPage
}

// Read returns what is known of all queries, oldest first: from what the
// coordinators remembered and from their log, either of which may be nil. What
// cannot be read is left out; the error names it and is for the operator.
func Read(remembered []*pb.MetaMemory, log *meta.State) ([]*Entry, error) {
	c, err := newCodec()
	if err != nil {
		return nil, err
	}
	r := &reader{codec: c, entries: make(map[string]*Entry, len(remembered))}
	if log != nil {
		for q := range log.Queries() {
			r.fromLog(q)
		}
	}
	for _, m := range remembered {
		r.fromMemory(m)
	}
	if log != nil {
		r.readLost(log)
	}
	return r.take(), errors.Join(r.errs...)
}

type reader struct {
	codec   *codec
	entries map[string]*Entry
	errs    []error
}

func (r *reader) entry(id string) *Entry {
	e := r.entries[id]
	if e == nil {
		e = &Entry{}
		e.ID = plan.QueryID(id)
		r.entries[id] = e
	}
	return e
}

func (r *reader) note(err error) {
	if err != nil {
		r.errs = append(r.errs, err)
	}
}

func (r *reader) fromLog(q *meta.Query) {
	e := r.entry(q.Id)
	e.Logged = true
	if q.Ended() {
		e.Slug = q.Slug
		e.Ended = history(q.MetaQuery)
		return
	}
	e.Unsure = true
	r.note(r.codec.readRun(q.MetaQuery, e))
}

// fromMemory adds what the memory has. It is newer than the log, but for the
// end of a query, after which only the last page counts.
func (r *reader) fromMemory(m *pb.MetaMemory) {
	switch b := m.Body.(type) {
	case *pb.MetaMemory_Accepted:
		if e := r.entry(b.Accepted.Id); e.Ended == nil {
			e.Unsure = false
			r.note(r.codec.readRun(b.Accepted, e))
		}
	case *pb.MetaMemory_Plan:
		if e := r.entry(b.Plan.Query); e.Ended == nil {
			r.note(r.codec.readPlan(b.Plan, e))
		}
	case *pb.MetaMemory_Page:
		e := r.entry(b.Page.Query)
		e.Unsure = false
		r.note(r.codec.readPage(b.Page, e))
	}
}

func (r *reader) take() []*Entry {
	out := make([]*Entry, 0, len(r.entries))
	for _, e := range r.entries {
		if e.Known || e.Page != nil || e.Ended != nil {
			e.giveUp()
			out = append(out, e)
		}
	}
	slices.SortFunc(out, func(a, b *Entry) int { return cmp.Compare(a.ID, b.ID) })
	return out
}

// history is what the log keeps of a query that has ended.
func history(q *pb.MetaQuery) *coordinator.QueryInfo {
	info := &coordinator.QueryInfo{
		ID: plan.QueryID(q.Id), State: coordinator.Finished, SQL: q.Sql, Created: time.UnixMilli(q.CreatedMs), Ended: time.UnixMilli(q.EndedMs),
		Stats: coordinator.Stats{Progress: 100},
	}
	_ = json.Unmarshal(q.Session, &info.Session) // a courtesy; absent is good enough
	info.Session.User = q.User
	info.ElapsedFor = max(info.Ended.Sub(info.Created), 0)
	info.LastHeartbeat = info.Ended
	if q.State != pb.MetaQueryState_META_QUERY_STATE_FINISHED {
		info.State, info.Error = coordinator.Failed, decodeError(q.Error)
	}
	return info
}
