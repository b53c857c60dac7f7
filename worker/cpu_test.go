package worker

import "testing"

// TestCPUMeter: tasks together get no more than the process used, each no more
// than it was busy, and time that is reported late is not lost.
func TestCPUMeter(t *testing.T) {
	type moment struct {
		process int64
		busy    [2]int64
		want    [2]int64
	}
	for _, c := range []struct {
		name    string
		moments []moment
	}{
		{"one at a time", []moment{{100, [2]int64{90, 0}, [2]int64{90, 0}}, {200, [2]int64{90, 80}, [2]int64{90, 80}}}},
		{"twice as busy as there are processors", []moment{{100, [2]int64{100, 100}, [2]int64{50, 50}}, {200, [2]int64{250, 150}, [2]int64{125, 75}}}},
		{"the rest of the process is none's", []moment{{1000, [2]int64{10, 20}, [2]int64{10, 20}}}},
		{"reported late", []moment{{100, [2]int64{0, 10}, [2]int64{0, 10}}, {110, [2]int64{100, 10}, [2]int64{100, 10}}}},
		{"nothing new", []moment{{100, [2]int64{50, 50}, [2]int64{50, 50}}, {100, [2]int64{50, 50}, [2]int64{50, 50}}}},
	} {
		t.Run(c.name, func(t *testing.T) {
			now := moment{process: 7777} // before the first task: nobody's
			m := newCPUMeter(func() int64 { return now.process })
			a := [2]*attempt{{}, {}}
			for i := range a {
				m.add(a[i], func() int64 { return now.busy[i] })
			}
			for k, at := range c.moments {
				now = at
				now.process += 7777
				for i := range a {
					if got := m.of(a[i]); got != at.want[i] {
						t.Errorf("moment %d: task %d had %d, want %d", k, i, got, at.want[i])
					}
				}
			}
			last := c.moments[len(c.moments)-1].want
			if got := m.remove(a[1]); got != last[1] || m.of(a[1]) != 0 || m.of(a[0]) != last[0] {
				t.Errorf("removed with %d, want %d", got, last[1])
			}
		})
	}
}
