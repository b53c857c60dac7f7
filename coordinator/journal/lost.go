package journal

import (
	"context"
	"strconv"
	"strings"
	"time"

	"github.com/tuttidb/tutti/coordinator/meta"
	"github.com/tuttidb/tutti/internal/qerr"
)

// A query that ends each coordinator which runs it would be taken over without
// end, and take the cluster with it. So the coordinators that were lost while
// they ran it are counted, in the log, before it goes on: what ends a process
// at once ends it after the count was written. Who hands the leadership on, or is
// told to end, is not lost; and a coordinator that has run queries for a while and
// lives clears them: machines that die one after the other are no query's fault.

const (
	// maxLost is how many coordinators may be lost one after the other while they
	// run a query. When that many were, nobody goes on with it.
	maxLost = 8
	// trusted is how long a coordinator that runs a query must live for the query
	// not to be suspected any more: what ends a process does it soon, or each time.
	trusted = 5 * time.Second
	// lostSetting is the setting that has the counts: of all queries in one, as
	// they are only changed together.
	lostSetting = "queries.lost"
	// lostTime bounds how long they are being written. While they cannot be, no
	// majority answers and the leadership is about to end.
	lostTime = 2 * time.Second
)

// Lost counts for each query that is to go on that the coordinator which ran it
// was lost. Of those that have lost too many the entries get the error by which
// they end. Call it before anything goes on. After an error the counts hold in
// this process only. If the journal is still open after a while the counts of
// those that go on begin again at none.
func (j *Journal) Lost(ctx context.Context, entries []*Entry) error {
	news := false
	for _, e := range entries {
		runs := e.goesOn()
		if runs {
			e.Lost++
			news = true
		}
		if e.giveUp(); runs && e.Failure != nil {
			j.cfg.Log.Error("a query is given up: coordinators are lost that run it", "query", e.ID, "user", e.Request.Session.User, "lost", e.Lost, "sql", shortened(e.Request.SQL))
		}
	}
	if !news {
		return nil
	}
	j.watching.Go(func() { j.trust(entries) })
	return j.count(ctx, entries, 1)
}

// count writes down how many coordinators were lost with queries, of those that
// have lost least or more.
func (j *Journal) count(ctx context.Context, entries []*Entry, least int) error {
	var counts []string
	for _, e := range entries {
		if e.Lost >= least && e.Ended == nil { // given up, it stays so
			counts = append(counts, string(e.ID)+" "+strconv.Itoa(e.Lost))
		}
	}
	ctx, cancel := context.WithTimeout(ctx, lostTime)
	defer cancel()
	_, err := j.cfg.Memory.ApplyAs(ctx, j.cfg.Epoch, meta.SetSetting(lostSetting, strings.Join(counts, "\n")))
	return err
}

// trust clears queries of suspicion when the journal's leader has lived with them
// for a while. If that cannot be written the next loss counts as if it had not.
func (j *Journal) trust(entries []*Entry) {
	wait := time.NewTimer(trusted)
	defer wait.Stop()
	select {
	case <-wait.C:
	case <-j.ctx.Done():
		return
	}
	if err := j.count(j.ctx, entries, maxLost); err != nil && j.ctx.Err() == nil {
		j.cfg.Log.Warn("clear queries that a coordinator was lost with", "error", err)
	}
}

// goesOn reports whether the query is neither over nor about to end.
func (e *Entry) goesOn() bool {
	return e.Known && e.Ended == nil && e.Failure == nil && (e.Page == nil || !e.Page.Last)
}

// giveUp ends the query if too many coordinators were lost while they ran it.
func (e *Entry) giveUp() {
	if e.Lost >= maxLost && e.goesOn() {
		e.Failure = qerr.New(qerr.GenericInternal,
			"Query %s is given up: %d coordinators that ran it were lost one after the other, none of which was told to end. It may be what ends them. "+
				"Look at how they ended before you run it again", e.ID, e.Lost)
	}
}

// readLost adds the counts to what is known of queries.
func (r *reader) readLost(log *meta.State) {
	text, _ := log.Setting(lostSetting)
	for line := range strings.Lines(text) {
		id, count, _ := strings.Cut(strings.TrimSuffix(line, "\n"), " ")
		if e := r.entries[id]; e != nil {
			e.Lost, _ = strconv.Atoi(count) // what cannot be read counts as none
		}
	}
}
