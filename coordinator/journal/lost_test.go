package journal_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/tuttidb/tutti/coordinator/journal"
	"github.com/tuttidb/tutti/coordinator/journal/journaltest"
	"github.com/tuttidb/tutti/coordinator/meta"
	"github.com/tuttidb/tutti/internal/qerr"
)

// counts describes entries: id, coordinators lost, and ! if it is given up.
func counts(entries []*journal.Entry) string {
	var out []string
	for _, e := range entries {
		text := fmt.Sprintf("%s=%d", e.ID, e.Lost)
		if e.Failure != nil {
			text += "!"
		}
		out = append(out, text)
	}
	return strings.Join(out, " ")
}

// TestLost: a query is given up when eight coordinators were lost while they ran
// it. Those that were lost before it began, and those that handed over, do not
// count; the counts survive all memories.
func TestLost(t *testing.T) {
	c := withLog(t)
	j, _ := reign(t, c, false)
	accept(t, j, statement("a", 0))
	const lost, handedOver, forgotten = "lost", "handed over", "lost, and all memories with it"
	for i, step := range []struct{ how, want string }{
		{lost, "a=1"}, {handedOver, "a=1"}, {lost, "a=2 b=1"}, {lost, "a=3 b=2"}, {forgotten, "a=4 b=3"}, {handedOver, "a=4 b=3"},
		{lost, "a=5 b=4"}, {lost, "a=6 b=5"}, {lost, "a=7 b=6"},
		{lost, "a=8! b=7"}, {handedOver, "a=8! b=7"}, {lost, "a=8! b=8!"}, {lost, "a=8! b=8!"},
	} {
		if step.how == forgotten { // what the log has by then is what a process has on its disk
			until(t, "the log has both", func() bool {
				s := c.Log.State()
				return s.Query("a") != nil && s.Query("b") != nil
			})
			c.Lose()
		}
		var entries []*journal.Entry
		j, entries = reign(t, c, false)
		if step.how != handedOver {
			if err := j.Lost(within(t, 5*time.Second), entries); err != nil {
				t.Fatal(err)
			}
		}
		if got := counts(entries); got != step.want {
			t.Fatalf("step %d, %s: %s, want %s", i, step.how, got, step.want)
		}
		j.Restore(entries)
		if i == 1 {
			accept(t, j, statement("b", 0))
		}
	}
	_, entries := reign(t, c, false)
	e := entries[0]
	if !qerr.Is(e.Failure, qerr.GenericInternal) || e.Failure.Retryable || !strings.Contains(e.Failure.Message, "Query a is given up: 8 coordinators") {
		t.Errorf("%v", e.Failure)
	}
}

// TestLostCountsWhatRuns: what is over, or about to end, has lost nobody.
func TestLostCountsWhatRuns(t *testing.T) {
	c := withLog(t)
	j, _ := reign(t, c, false)
	for _, id := range []string{"canceled", "ended", "paged", "read", "runs"} {
		accept(t, j, statement(id, 2*time.Second))
	}
	until(t, "the log has them", func() bool { all, _ := c.Log.State().Len(); return all == 5 })
	show(t, j, "paged", &journal.Page{Token: 1, Rows: 3})
	show(t, j, "read", &journal.Page{Token: 1, Rows: 3, Last: true})
	if err := j.Fail(within(t, time.Second), "canceled", qerr.New(qerr.UserCanceled, "no more")); err != nil {
		t.Fatal(err)
	}
	j.End("ended", nil)
	until(t, "the log has the end", func() bool { _, ended := c.Log.State().Len(); return ended == 1 })
	for range 8 {
		var entries []*journal.Entry
		j, entries = reign(t, c, false)
		if err := j.Lost(within(t, 5*time.Second), entries); err != nil {
			t.Fatal(err)
		}
		j.Restore(entries)
	}
	_, entries := reign(t, c, false)
	if got := counts(entries); got != "canceled=0! ended=0 paged=8! read=0 runs=8!" {
		t.Error(got)
	}
	for _, e := range entries {
		if e.ID == "canceled" && e.Failure.Code != qerr.UserCanceled {
			t.Errorf("a canceled query ends with %v", e.Failure)
		}
		if e.ID == "paged" && (e.Page == nil || e.Page.Rows != 3) {
			t.Error("the page that was shown is gone")
		}
	}
}

// TestLostIsWrittenOnce: in one change, and none where nothing goes on; where it
// cannot be written this process counts all the same.
func TestLostIsWrittenOnce(t *testing.T) {
	c := &journaltest.Cluster{}
	j, entries := reign(t, c, false)
	if err := j.Lost(within(t, time.Second), entries); err != nil || len(c.Applied()) != 0 {
		t.Errorf("%v, %d commands", err, len(c.Applied()))
	}
	for i := range 50 {
		accept(t, j, statement(fmt.Sprintf("q%02d", i), 0))
	}
	j, entries = reign(t, c, false)
	if err := j.Lost(within(t, time.Second), entries); err != nil || len(c.Applied()) != 1 {
		t.Errorf("%v, %d commands", err, len(c.Applied()))
	}
	broken := errors.New("no majority")
	c.Fail(func(string) error { return broken })
	if err := j.Lost(within(t, time.Second), entries); !errors.Is(err, broken) || entries[49].Lost != 2 {
		t.Errorf("%v, %d", err, entries[49].Lost)
	}
}

// TestTrusted: a leader that lives with a query for a while clears it. What was
// given up stays so.
func TestTrusted(t *testing.T) {
	t.Parallel()
	c := withLog(t)
	j, _ := reign(t, c, false)
	for i, id := range []string{"poison", "runs"} {
		for accept(t, j, statement(id, 2*time.Second)); i == 0; i++ {
			for range 7 { // before the other one comes
				var entries []*journal.Entry
				j, entries = reign(t, c, false)
				if err := j.Lost(within(t, 5*time.Second), entries); err != nil {
					t.Fatal(err)
				}
				j.Restore(entries)
			}
		}
	}
	j, entries := reign(t, c, false)
	if err := j.Lost(within(t, 5*time.Second), entries); err != nil || counts(entries) != "poison=8! runs=1" {
		t.Fatalf("%s, %v", counts(entries), err)
	}
	j.Restore(entries)
	text := func() string {
		text, _ := c.Log.State().Setting("queries.lost")
		return text
	}
	until(t, "the log has it cleared", func() bool { return text() == "poison 8" })
	_, entries = reign(t, c, false)
	if got := counts(entries); got != "poison=8! runs=0" {
		t.Error(got)
	}
}

// TestRefusedLeavesNothing: a statement that the client was told is not taken is
// not found by a successor, neither in the log, however long it was tried, nor
// in the memories that heard of it.
func TestRefusedLeavesNothing(t *testing.T) {
	c := withLog(t)
	j, _ := reign(t, c, false)
	full := errors.New("the memory is full")
	heard := false
	c.Fail(func(what string) error {
		switch {
		case strings.HasPrefix(what, "remember query/"):
			return full
		case what == "forget" && !heard:
			heard = true
			return errors.New("no majority answers")
		}
		return nil
	})
	st := statement("refused", 10*time.Second) // it has been tried for long
	for range 8 {
		if err := j.Accept(within(t, time.Second), st); !errors.Is(err, full) {
			t.Fatal(err)
		}
		time.Sleep(100 * time.Millisecond) // the log is written four times a second
	}
	if all, _ := c.Log.State().Len(); all != 0 {
		t.Error("a statement that was not taken is in the log")
	}
	j.Forget(st.ID)
	until(t, "the memories forget it at the second try", func() bool {
		n := 0
		for _, call := range c.Calls() {
			if call == "forget" {
				n++
			}
		}
		return n == 2
	})
	c.Fail(nil)
	accept(t, j, statement("taken", 10*time.Second))
	until(t, "the log has the next", func() bool { all, _ := c.Log.State().Len(); return all == 1 })
	if keys := c.Keys(); !slices.Equal(keys, []string{"query/taken"}) {
		t.Errorf("remembered: %v", keys)
	}
}

// TestPlansCatalogs: a plan comes with the generation of its catalogs, from the
// memory and from the log.
func TestPlansCatalogs(t *testing.T) {
	c := withLog(t)
	j, _ := reign(t, c, false)
	accept(t, j, statement("q", 2*time.Second))
	j.Planned("q", emptyPlan(), 41)
	until(t, "the log has the plan", func() bool {
		logged := read(t, c, nil)
		return len(logged) == 1 && logged[0].Plan != nil
	})
	_, remembered := c.Lead()
	for what, entries := range map[string][]*journal.Entry{"the log": read(t, c, nil), "the memory": read(t, c, remembered)} {
		if e := only(t, entries); e.Catalogs != 41 {
			t.Errorf("from %s: generation %d", what, e.Catalogs)
		}
	}
}

// noise is a text that does not get smaller.
func noise(n int) string {
	var b strings.Builder
	for r := rand.New(rand.NewPCG(1, 2)); b.Len() < n; {
		fmt.Fprintf(&b, "%x", r.Uint64())
	}
	return b.String()
}

// TestLargeStatements: statements of megabytes do not fill the memory that all
// share; small ones go on meanwhile, and room is made when large ones are done.
func TestLargeStatements(t *testing.T) {
	c := &journaltest.Cluster{}
	j, _ := reign(t, c, false)
	text := noise(3 << 20)
	large := func(id string) *journal.Statement {
		st := statement(id, 0)
		st.Request.SQL = text
		return st
	}
	taken := 0
	for err := error(nil); err == nil; taken++ {
		err = j.Accept(within(t, 5*time.Second), large(fmt.Sprint("large", taken)))
		if err != nil && err.Error() != "too many large statements run at once" || taken > 100 {
			t.Fatal(taken, err)
		}
	}
	if taken--; taken < 2 || taken > 6 {
		t.Errorf("%d statements of some megabytes are taken", taken)
	}
	accept(t, j, statement("small", 0))
	for i, done := range []func(){
		func() { show(t, j, "large0", &journal.Page{Token: 1, Last: true}) },
		func() { j.Forget("large1") },
	} {
		done()
		accept(t, j, large(fmt.Sprint("more", i)))
		if err := j.Accept(within(t, time.Second), large("toomany")); err == nil {
			t.Error("there was more room than for one")
		}
	}
}

// TestLeads: who was superseded finds that out.
func TestLeads(t *testing.T) {
	c := &journaltest.Cluster{}
	old, _ := reign(t, c, false)
	if err := old.Leads(within(t, time.Second)); err != nil {
		t.Error(err)
	}
	j, _ := reign(t, c, false)
	if err := old.Leads(within(t, time.Second)); !errors.Is(err, meta.ErrFenced) {
		t.Errorf("superseded: %v", err)
	}
	if err := j.Leads(within(t, time.Second)); err != nil || len(c.Keys()) != 0 {
		t.Errorf("%v, and remembered are %v", err, c.Keys())
	}
	alone, _ := reign(t, c, true)
	c.Lead()
	if err := errors.Join(alone.Leads(within(t, time.Second)), (*journal.Journal)(nil).Leads(t.Context())); err != nil {
		t.Errorf("alone: %v", err)
	}
}

// TestFlushWaits: what is being written of a query that ends meanwhile is waited
// for, and its end after it.
func TestFlushWaits(t *testing.T) {
	c := withLog(t)
	j, _ := reign(t, c, true)
	begun, goOn := make(chan struct{}), make(chan struct{})
	once := sync.OnceFunc(func() { close(begun) })
	c.Fail(func(string) error { once(); <-goOn; return nil })
	accept(t, j, statement("q", time.Minute))
	<-begun // its beginning is on its way to the log
	j.End("q", nil)
	flushed := make(chan error, 1)
	go func() { flushed <- j.Flush(within(t, 20*time.Second)) }()
	select {
	case err := <-flushed:
		t.Errorf("flushed while the log is being written: %v", err)
	case <-time.After(100 * time.Millisecond):
	}
	close(goOn)
	if err := <-flushed; err != nil {
		t.Fatal(err)
	}
	if all, ended := c.Log.State().Len(); all != 1 || ended != 1 {
		t.Errorf("%d queries in the log, %d of which have ended", all, ended)
	}
}
