package coordinator

import (
	"errors"
	"strings"
	"time"

	"github.com/tuttidb/tutti/internal/qerr"
	"github.com/tuttidb/tutti/planner/plan"
	"github.com/tuttidb/tutti/planner/plancodec"
	"github.com/tuttidb/tutti/sql/ast"
)

// Journal is told what a successor of this coordinator needs to go on with its
// queries; *journal.Journal is one.
type Journal interface {
	// Planned notes the plan that workers are about to run for a query, and the
	// generation of the catalogs that it was made with. It does not block, and
	// nobody writes to the plan any more.
	Planned(id plan.QueryID, p *plan.Plan, catalogs uint64)
	// Bound notes that a query ends with this coordinator, by an error, if it is
	// lost after rows were shown that have not been yet. It does not block.
	Bound(id plan.QueryID, failure *qerr.Error)
}

// ErrAbandoned is the error of queries whose coordinator was abandoned, which
// is no failure: its successor goes on with them.
var ErrAbandoned = errors.New("another coordinator goes on with this query")

// Resumption is a query that goes on, or begins, under an id that it has
// already.
type Resumption struct {
	// ID is the query's, Created when it was accepted.
	ID      plan.QueryID
	Created time.Time
	Request Request
	// Begun says that a coordinator which is no more may have run the query.
	Begun bool
	// Plan is the plan that workers know, nil if none is known; as plancodec
	// encoded it in PlanVersion.
	Plan        []byte
	PlanVersion uint32
	// Catalogs is the generation of the catalogs that the plan was made with; 0:
	// not known. The query sees these and no others.
	Catalogs uint64
	// Rows is how many rows of the result the client has. The result goes on
	// after them, or fails with an error that a client may answer by running
	// the query again.
	Rows int64
	// Epoch is the leadership in which it was last shown any; 0: not known.
	Epoch uint64
}

// NewID names a query that is to be submitted with Resume.
func (c *Coordinator) NewID() plan.QueryID { return c.ids.next() }

// Submit accepts a statement and starts to run it. It does not block; what is
// wrong with the statement is the query's error.
func (c *Coordinator) Submit(req Request) Query {
	return c.Resume(Resumption{ID: c.NewID(), Request: req})
}

// Resume is Submit for a statement that has an id: a new one from NewID, or
// that of a query of a coordinator which is no more.
func (c *Coordinator) Resume(r Resumption) Query {
	q := newQuery(c, r.ID, r.Request)
	if !r.Created.IsZero() {
		q.info.Created = r.Created
	}
	if r.Begun {
		q.from = &r
		q.resume = &Resume{Rows: r.Rows, Epoch: r.Epoch, Replanned: r.Plan == nil}
		q.ticket.accepted = true
		q.info.Stats.OutputRows = r.Rows
		c.ids.avoid(r.ID)
		c.deps.Log.Info("query goes on", "query", r.ID, "epoch", c.deps.Epoch, "rows", r.Rows, "planned", r.Plan != nil)
	}
	if !c.add(q) {
		q.abandon()
	}
	go q.run()
	return q
}

// add lets a query be found. It returns false if the coordinator has been
// abandoned: a request that was under way came too late.
func (c *Coordinator) add(q *activeQuery) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.queries[q.id] = q
	c.order = append(c.order, q.id)
	c.forget()
	return !c.abandoned
}

// Recall puts queries that ended under another coordinator into the history,
// oldest first.
func (c *Coordinator) Recall(ended []*QueryInfo) {
	for _, info := range ended {
		q := newQuery(c, info.ID, Request{})
		q.info = *info
		q.cancel(nil)
		q.announce()
		close(q.done)
		close(q.gone)
		q.settle()
		c.archive(q)
		c.add(q)
	}
}

// Abandon drops all queries where they stand: no node and no client hears of
// it, for another coordinator goes on with them. Only Close may follow.
func (c *Coordinator) Abandon() {
	c.shut()
	c.mu.Lock()
	c.abandoned = true
	all := make([]*activeQuery, 0, len(c.queries))
	for _, q := range c.queries {
		all = append(all, q)
	}
	c.mu.Unlock()
	for _, q := range all {
		q.abandon()
	}
}

// abandon ends the query in this process only.
func (q *activeQuery) abandon() {
	q.mu.Lock()
	q.abandoned = true
	rows := q.rows
	if rows == nil {
		rows = q.kept
	}
	q.mu.Unlock()
	if rows != nil {
		rows.Abandon()
	}
	q.cancel(ErrAbandoned)
	q.settle()
}

// view returns the catalogs that the query sees: those of its plan, if it has
// one from another coordinator, for its tasks on workers see them too.
func (q *activeQuery) view() (catalogs *Catalogs, release func()) {
	if q.from != nil && q.from.Plan != nil {
		return q.c.deps.Catalogs.ViewAt(q.from.Catalogs)
	}
	return q.c.deps.Catalogs.View()
}

// started notes an execution that has begun, unless the query was abandoned
// meanwhile.
func (q *activeQuery) started(rows Rows) error {
	q.mu.Lock()
	q.rows = rows
	abandoned := q.abandoned
	q.mu.Unlock()
	if abandoned {
		rows.Abandon()
		return ErrAbandoned
	}
	return nil
}

// stop ends an execution whose rows have all been read or which has failed.
// What it holds on workers stays where a successor may need it: until the
// client has the end of the result for good.
func (q *activeQuery) stop(rows Rows, failed, spread bool) error {
	q.mu.Lock()
	q.figures(rows)
	q.rows = nil
	keep := spread && !failed && q.c.deps.Succeeded
	if keep {
		q.kept = rows
	}
	q.mu.Unlock()
	if keep {
		return nil
	}
	return rows.Close()
}

// letGo frees what stop has kept, when the time has come.
func (q *activeQuery) letGo() {
	q.mu.Lock()
	rows := q.kept
	q.mu.Unlock()
	if rows == nil {
		return
	}
	<-q.settled
	if err := rows.Close(); err != nil {
		q.c.deps.Log.Warn("end execution", "query", q.id, "error", err)
	}
}

// settle says that nobody will ask for the query's rows again.
func (q *activeQuery) settle() { q.once.Do(func() { close(q.settled) }) }

// Delivered says what the client has for good; see Query.
func (q *activeQuery) Delivered(n int64, last bool) {
	q.mu.Lock()
	rows := q.rows
	if rows == nil {
		rows = q.kept
	}
	q.mu.Unlock()
	if rows != nil {
		rows.Delivered(n)
	}
	if last {
		q.settle()
	}
}

// goOn runs a query that another coordinator has begun: by its plan where that
// is known. Without one it can only begin again, which needs that the client
// has seen nothing.
func (q *activeQuery) goOn(from *Resumption) (done bool, err error) {
	p, err := q.oldPlan(from)
	if err != nil {
		q.c.deps.Log.Warn("the plan of a query that goes on cannot be read", "query", q.id, "error", err)
	}
	if p == nil && from.Rows > 0 {
		return true, lostError(from)
	}
	if p == nil {
		q.resume.Replanned = true
		return false, nil
	}
	q.mu.Lock()
	q.info.Plan = plan.FormatPlan(p, nil)
	q.mu.Unlock()
	q.journal(p)
	return true, q.deliverPlan(p, q.c.deps.Cluster)
}

// oldPlan returns the plan by which workers run a query, nil if none is known.
func (q *activeQuery) oldPlan(from *Resumption) (*plan.Plan, error) {
	if from.Plan == nil || q.c.deps.Cluster == nil {
		return nil, nil
	}
	return plancodec.DecodePlan(from.PlanVersion, from.Plan)
}

// journal notes a plan that workers are about to run.
func (q *activeQuery) journal(p *plan.Plan) {
	if j := q.c.deps.Journal; j != nil {
		j.Planned(q.id, p, q.catalogs.Generation())
	}
}

// bound notes that no successor can go on with the query.
func (q *activeQuery) bound() {
	if j := q.c.deps.Journal; j != nil {
		j.Bound(q.id, qerr.New(qerr.RemoteHostGone, "the coordinator that ran this query was lost before its result was complete, and a worker before it; run it again").WithRetry())
	}
}

// lostError says that the rest of a result cannot be had any more.
func lostError(from *Resumption) error {
	return qerr.New(qerr.RemoteHostGone, "the coordinator that ran this query was lost before its result was complete (the client has %d rows of it); run it again", from.Rows).WithRetry()
}

// mayRepeat returns why a statement that another coordinator may have run must
// not be run again, or nil. All that only reads may, and so may what changes
// nothing but the client's session; so may CREATE CATALOG and its like, whose
// changes carry the query's id and are made once. What changes data may not,
// unless that data was in the memory of the process that is no more.
func (q *activeQuery) mayRepeat(stmt ast.Statement) error {
	if q.resume == nil || q.c.deps.Cluster == nil {
		return nil
	}
	switch stmt.(type) {
	case *ast.CreateTableAs, *ast.Insert, *ast.CreateTable, *ast.DropTable, *ast.CreateSchema, *ast.DropSchema:
		return qerr.New(qerr.RemoteHostGone, "the coordinator that ran this statement was lost; whether it has changed anything is not known: look before you run it again")
	}
	return nil
}

// avoid makes the ids to come differ from those of another coordinator.
func (s *idSource) avoid(id plan.QueryID) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for strings.HasSuffix(string(id), "_"+s.suffix) {
		s.suffix = randomSuffix()
	}
}

// weight is about how many bytes of memory the history takes for a query.
func (i *QueryInfo) weight() int64 {
	n := 1<<10 + len(i.SQL) + len(i.Plan)
	for k, v := range i.Session.Properties {
		n += len(k) + len(v)
	}
	n += len(i.Session.ClientInfo) + len(i.Session.UserAgent) + len(i.Session.TraceToken)
	for s := range i.Stages {
		n += 512 + 256*(len(i.Stages[s].Tasks)+len(i.Stages[s].Operators))
	}
	if i.Error != nil {
		n += len(i.Error.Message)
	}
	return int64(n)
}

// archive counts a query that has ended as part of the history.
func (c *Coordinator) archive(q *activeQuery) {
	weight := q.Info().weight()
	c.mu.Lock()
	defer c.mu.Unlock()
	q.weight = weight
	c.history += weight
	c.forget()
}

// forget drops the oldest ended queries beyond the history's size, but for the
// newest query. The caller holds the lock.
func (c *Coordinator) forget() {
	for at := 0; at < len(c.order)-1 && (len(c.order) > c.deps.Limits.History || c.history > c.deps.Limits.HistoryBytes); {
		q := c.queries[c.order[at]]
		if !q.ended() || q.weight == 0 {
			at++
			continue
		}
		c.history -= q.weight
		delete(c.queries, q.id)
		c.order = append(c.order[:at], c.order[at+1:]...)
	}
}
