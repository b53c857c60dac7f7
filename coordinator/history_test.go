package coordinator

import "testing"

// TestHistoryKeepsNoPreparedStatements: clients send all of theirs, megabytes
// perhaps, with each statement; a query that has ended needs none of them.
func TestHistoryKeepsNoPreparedStatements(t *testing.T) {
	c, _ := newTest(t, &fakeExecutor{batches: 1}, Limits{})
	prepared := map[string]string{"p": "SELECT 1", "broken": "SELEC"}
	for sql, fails := range map[string]bool{"EXECUTE p": false, "EXECUTE broken": true, "EXECUTE nosuch": true, "SELECT 1": false} {
		q := c.Submit(Request{SQL: sql, Session: Session{User: "ann", Prepared: prepared, Source: "cli"}})
		if _, err := drain(t, q); (err != nil) != fails {
			t.Errorf("%s: %v", sql, err)
		}
		<-q.Done()
		if s := q.Info().Session; s.Prepared != nil || s.User != "ann" || s.Source != "cli" {
			t.Errorf("%s: the history has the session %+v", sql, s)
		}
	}
	if len(prepared) != 2 {
		t.Error("the caller's map was changed")
	}
}
