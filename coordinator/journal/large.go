package journal

import (
	"errors"

	"github.com/tuttidb/tutti/planner/plan"
)

const (
	// statementBudget is what the statements of all queries may take, of which
	// only those count that are larger than largeStatement. So who sends large ones
	// holds up nobody but others who do.
	statementBudget, largeStatement = 16 << 20, 64 << 10
)

// weigh counts a large statement among those that are remembered, until
// lighten, and refuses one for which there is no room.
func (j *Journal) weigh(id plan.QueryID, bytes int64) error {
	if bytes < largeStatement {
		return nil
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	e := j.queries[id]
	if e == nil || e.large > 0 {
		return nil
	}
	if !e.accepted && j.large > 0 && j.large+bytes > statementBudget {
		return errLarge
	}
	e.large = bytes
	j.large += bytes
	return nil
}

// lighten is for one whose statement need not be remembered any more. The caller
// holds mu.
func (j *Journal) lighten(e *entry) {
	j.large -= e.large
	e.large = 0
}

// errLarge refuses a large statement for a while.
var errLarge = errors.New("too many large statements run at once")
