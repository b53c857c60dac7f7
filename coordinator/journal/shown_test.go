package journal_test

import (
	"testing"

	"github.com/tuttidb/tutti/coordinator/journal"
	"github.com/tuttidb/tutti/coordinator/journal/journaltest"
)

// TestShownIn: a page says in which leadership the last of its rows was shown, also
// when later ones have shown pages without new rows.
func TestShownIn(t *testing.T) {
	c := &journaltest.Cluster{}
	var first uint64
	for i, rows := range []int64{10, 10, 25} {
		j, before := reign(t, c, false)
		if i == 0 {
			accept(t, j, statement("q", 0))
		} else if e := only(t, before); e.Page.Epoch != first {
			t.Errorf("page %d was shown in epoch %d, not %d", e.Page.Token, e.Page.Epoch, first)
		} else {
			j.Restore(before)
		}
		show(t, j, "q", &journal.Page{Token: int64(i + 1), Rows: rows})
		_, after := reign(t, c, false)
		if e := only(t, after); i == 0 {
			first = e.Page.Epoch
		} else if later := e.Page.Epoch > first; later != (rows > 10) || e.Page.Epoch == 0 {
			t.Errorf("page %d with %d rows was shown in epoch %d, the first in %d", e.Page.Token, e.Page.Rows, e.Page.Epoch, first)
		}
	}
}
