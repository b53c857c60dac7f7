package journal_test

import (
	"testing"

	"github.com/tuttidb/tutti/coordinator/journal"
	"github.com/tuttidb/tutti/coordinator/journal/journaltest"
	"github.com/tuttidb/tutti/internal/qerr"
)

// TestBound: a query whose rest nobody else can tell from what was shown ends
// after the next page that is shown, for a successor; not for its coordinator.
func TestBound(t *testing.T) {
	failure := qerr.New(qerr.RemoteHostGone, "its rest is lost").WithRetry()
	c := &journaltest.Cluster{}
	j, _ := reign(t, c, false)
	accept(t, j, statement("q", 0))
	show(t, j, "q", &journal.Page{Token: 1, Rows: 10})
	j.Bound("q", failure)
	j.Bound("unknown", failure)
	_, entries := reign(t, c, false)
	if e := only(t, entries); e.Failure != nil || e.Page.Rows != 10 {
		t.Errorf("before a page was shown: %+v", e)
	}
	for token := int64(2); token < 4; token++ {
		j, _ = reign(t, c, false)
		accept(t, j, statement("q", 0))
		j.Bound("q", failure)
		show(t, j, "q", &journal.Page{Token: token, Rows: 10 * token})
		_, entries = reign(t, c, false)
		if e := only(t, entries); e.Failure == nil || e.Failure.Message != failure.Message || !e.Failure.Retryable || e.Page.Rows != 10*token || e.Page.Failure != nil {
			t.Errorf("after page %d: %+v", token, e)
		}
	}
	j, _ = reign(t, c, false)
	accept(t, j, statement("q", 0))
	j.Bound("q", failure)
	show(t, j, "q", &journal.Page{Token: 4, Rows: 45, Last: true})
	_, entries = reign(t, c, false)
	if e := only(t, entries); e.Failure != nil || !e.Page.Last || e.Page.Failure != nil {
		t.Errorf("after the last page: %+v", e)
	}
	(*journal.Journal)(nil).Bound("q", failure)
}
