package coordinator

import "github.com/tuttidb/tutti/coordinator/query"

// count tells workers, while the run x goes on, which of the attempts that they
// had counts. Without, the next coordinator would take them for strange ones: so
// they are those of which this one knows nothing, as the answer was lost, and
// those that it does not build on.
func (r *distributedRows) count(x *running, found []query.Inventory) {
	for _, inv := range found {
		var mine []query.Status
		for i := range inv.Attempts {
			st := inv.Attempts[i].Status
			if t := x.state.Task(st.Task); t != nil && (t.Place == inv.Place || t.Copy == inv.Place) {
				mine = append(mine, st)
			}
		}
		go func() {
			for _, st := range mine {
				if err := x.client.Count(x.ctx, inv.Place, st.Task); err != nil {
					r.d.Log.Debug("say that an attempt counts", "task", st.Task.String(), "error", err)
				}
				if x.ctx.Err() != nil {
					return
				}
			}
		}()
	}
}
