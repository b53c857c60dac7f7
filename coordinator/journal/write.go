package journal

import (
	"context"
	"errors"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/tuttidb/tutti/coordinator/meta"
	"github.com/tuttidb/tutti/planner/plan"
	pb "github.com/tuttidb/tutti/proto/tutti/v1"
)

const (
	// writeEvery is how often the log is written, if there is anything to write.
	writeEvery = 250 * time.Millisecond
	// logAfter is the age from which queries go into the log.
	logAfter = time.Second
	// maxBatch and maxEntry bound one entry of the log, in commands and bytes.
	maxBatch = 128
	maxEntry = 3 << 20
	// applyTime bounds one try to write the log.
	applyTime = 10 * time.Second
	// maxForget is how many queries wait to be forgotten while nobody answers.
	maxForget = 10000
)

// write is the goroutine that does what nobody waits for: queries that have
// become old go into the log, ends follow them, what was forgotten leaves the
// memory.
func (j *Journal) write() {
	defer close(j.over)
	for {
		if !j.idle(writeEvery) {
			return
		}
		j.writeLog()
		j.rememberAgain()
		j.drop()
	}
}

// Flush waits until the log has all that it should have by now: before an
// orderly end, so that nobody goes on with what has ended.
func (j *Journal) Flush(ctx context.Context) error {
	for j.writing() || len(j.due()) > 0 {
		select {
		case <-time.After(writeEvery / 4):
		case <-j.ctx.Done():
			return j.ctx.Err()
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return nil
}

// writing reports whether a change of the log is on its way, after which there
// may be more to write: the end of a query whose beginning it is.
func (j *Journal) writing() bool {
	j.mu.Lock()
	defer j.mu.Unlock()
	for _, e := range j.queries {
		if e.writing {
			return true
		}
	}
	return false
}

// idle waits a while, or until there is something to do at all; false when the
// journal is closed.
func (j *Journal) idle(d time.Duration) bool {
	j.mu.Lock()
	empty := len(j.queries) == 0 && len(j.forget) == 0
	j.mu.Unlock()
	if empty {
		select {
		case <-j.wake:
		case <-j.ctx.Done():
			return false
		}
	}
	select {
	case <-time.After(d):
		return true
	case <-j.ctx.Done():
		return false
	}
}

// step is one change of the log and what follows when it is made.
type step struct {
	id      plan.QueryID
	entry   *entry
	command meta.Command
	size    int
	done    func() // with the lock held
}

// writeLog brings the log up to date.
func (j *Journal) writeLog() {
	var batch []step
	size := 0
	flush := func() {
		if len(batch) > 0 && j.ctx.Err() == nil {
			j.apply(batch)
		}
		batch, size = nil, 0
	}
	for _, id := range j.due() {
		s, ok := j.step(id)
		if !ok {
			continue
		}
		if size+s.size > maxEntry || len(batch) == maxBatch {
			flush()
		}
		batch, size = append(batch, s), size+s.size
	}
	flush()
}

// due returns the queries that the log lacks something of.
func (j *Journal) due() (ids []plan.QueryID) {
	j.mu.Lock()
	defer j.mu.Unlock()
	now := j.cfg.Clock.Now()
	for id, e := range j.queries {
		switch {
		case e.end != nil && e.logged:
		case !e.accepted || e.settled: // what was refused must not come back
			continue
		case e.logged && (e.whole || e.plan == nil && e.coded == nil):
			continue
		case now.Sub(e.st.Created) < logAfter:
			continue
		}
		ids = append(ids, id)
	}
	return ids
}

// step returns what is to be written of a query.
func (j *Journal) step(id plan.QueryID) (s step, ok bool) {
	j.mu.Lock()
	e := j.queries[id]
	if e == nil {
		j.mu.Unlock()
		return s, false
	}
	st, end, logged := e.st, e.end, e.logged
	e.writing = true // until apply has tried
	j.mu.Unlock()
	defer func() {
		if !ok {
			j.wrote(e, false)
		}
	}()
	s = step{id: id, entry: e}
	if end != nil && logged {
		s.command, s.done = j.endStep(id, e, end)
	} else if st != nil {
		coded, err := j.encodePlan(id, e)
		if err == nil {
			s.command, err = j.queryStep(st, coded, logged)
		}
		if err != nil {
			j.cfg.Log.Debug("a query cannot be logged", "query", id, "error", err)
			return s, false
		}
		s.done = func() { e.logged, e.whole = true, e.whole || coded != nil && e.coded == coded }
	}
	if s.command == nil {
		return s, false
	}
	s.size = proto.Size(s.command)
	return s, s.size <= maxEntry // what is larger stays in the memory
}

func (j *Journal) queryStep(st *Statement, coded *pb.MetaPlan, logged bool) (meta.Command, error) {
	if logged {
		b, err := j.codec.run(st, coded)
		return meta.PlanQuery(string(st.ID), b), err
	}
	m, err := j.codec.logged(st, coded)
	return meta.AcceptQuery(m), err
}

func (j *Journal) endStep(id plan.QueryID, e *entry, end *ending) (meta.Command, func()) {
	var failure []byte
	if end.failure != nil {
		failure = encodeError(end.failure)
	}
	return meta.EndQuery(string(id), end.state, failure, 0), func() { e.logged = false }
}

// apply writes steps to the log: all at once, or where one is refused, one by
// one.
func (j *Journal) apply(batch []step) {
	if err := j.applyAll(batch); err == nil || len(batch) == 1 || !refused(err) {
		return
	}
	for i := range batch {
		if j.applyAll(batch[i:i+1]) != nil && j.ctx.Err() != nil {
			return
		}
	}
}

func (j *Journal) applyAll(batch []step) error {
	commands := make([]meta.Command, len(batch))
	for i, s := range batch {
		commands[i] = s.command
	}
	ctx, cancel := context.WithTimeout(j.ctx, applyTime)
	defer cancel()
	index, err := j.cfg.Memory.ApplyAs(ctx, j.cfg.Epoch, commands...)
	// A single step that was refused was made before, or is about a query that
	// has ended in the log: there is nothing more to say of it.
	made := err == nil || index != 0 || len(batch) == 1 && refused(err)
	if !made && refused(err) {
		return err // one by one, see apply
	}
	if made {
		err = nil
		j.mu.Lock()
		for _, s := range batch {
			s.done()
		}
		j.mu.Unlock()
	} else if j.ctx.Err() == nil {
		j.cfg.Log.Debug("writing the journal of queries", "queries", len(batch), "error", err)
	}
	for _, s := range batch {
		j.wrote(s.entry, !made)
	}
	return err
}

// wrote notes that a try to write about a query is over, and drops those that
// need no more. unknown: the log may have what was written.
func (j *Journal) wrote(e *entry, unknown bool) {
	j.mu.Lock()
	defer j.mu.Unlock()
	e.writing = false
	if unknown && e.end != nil {
		e.logged = true // so that the end is written in any case
	}
	if e.end != nil && !e.logged && (e.forgotten || j.cfg.Alone) && j.queries[e.id] == e {
		delete(j.queries, e.id)
	}
}

// refused reports whether the log refused a command for what it already has.
func refused(err error) bool {
	return errors.Is(err, meta.ErrExists) || errors.Is(err, meta.ErrNotFound) || errors.Is(err, meta.ErrConflict) || errors.Is(err, meta.ErrInvalid)
}

// rememberAgain keeps in memory what runs and is not in the log, as it is too
// large for it or the log cannot be written.
func (j *Journal) rememberAgain() {
	if j.cfg.Alone {
		return
	}
	type stale struct {
		id plan.QueryID
		e  *entry
		st *Statement
	}
	now := j.cfg.Clock.Now()
	var list []stale
	j.mu.Lock()
	for id, e := range j.queries {
		if e.inLog() && now.Sub(e.since) > acceptedTTL {
			j.lighten(e) // the memories have forgotten it
		}
		if e.accepted && !e.settled && !e.inLog() && now.Sub(e.since) > acceptedTTL/2 {
			e.since = now
			list = append(list, stale{id, e, e.st})
		}
	}
	j.mu.Unlock()
	for _, s := range list {
		err := j.accept(j.ctx, s.st)
		if err == nil {
			err = j.rememberPlan(j.ctx, s.id, s.e)
		}
		if err != nil && j.ctx.Err() == nil {
			j.cfg.Log.Warn("a query cannot be remembered", "query", s.id, "error", err)
		}
	}
}

// inLog reports whether the log has all of the query.
func (e *entry) inLog() bool { return e.logged && (e.whole || e.plan == nil && e.coded == nil) }

// drop makes the memories forget what was forgotten here. While no majority
// answers it tries again: a statement that was refused must not be found by a
// successor.
func (j *Journal) drop() {
	j.mu.Lock()
	ids := j.forget
	j.forget = nil
	j.mu.Unlock()
	if len(ids) == 0 {
		return
	}
	ctx, cancel := context.WithTimeout(j.ctx, applyTime)
	defer cancel()
	err := j.cfg.Memory.Forget(ctx, j.cfg.Epoch, ids...)
	if err == nil || j.ctx.Err() != nil {
		return // what they do not hear of they forget when its time is over
	}
	j.cfg.Log.Debug("forgetting queries", "queries", len(ids), "error", err)
	if errors.Is(err, meta.ErrFenced) {
		return
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	j.forget = append(ids[max(0, len(ids)-maxForget):], j.forget...)
}
