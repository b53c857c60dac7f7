package worker

import "sync"

// cpuMeter tells the processor time of tasks. A driver knows how long it was
// busy, by the clock on the wall; where threads outnumber processors that is
// more than the time it had one. So the processor time that the process has
// used is shared among the tasks by how busy their drivers were in the same
// time; no task gets more than it was busy.
type cpuMeter struct {
	process func() int64 // processor time of the process so far, in nanoseconds

	mu sync.Mutex
	// spare is processor time that no driver has reported yet: a busy driver
	// says so only at its next batch.
	spare int64
	last  int64
	tasks map[*attempt]*cpuShare
}

// cpuShare is what one task has had.
type cpuShare struct {
	busy func() int64
	seen int64 // of busy
	cpu  int64
}

func newCPUMeter(process func() int64) *cpuMeter {
	return &cpuMeter{process: process, tasks: map[*attempt]*cpuShare{}}
}

// add begins to measure a task.
func (m *cpuMeter) add(a *attempt, busy func() int64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if len(m.tasks) == 0 { // what was used while no task ran is none's
		m.spare, m.last = 0, m.process()
	}
	m.tasks[a] = &cpuShare{busy: busy}
}

// of returns the processor time of a task so far.
func (m *cpuMeter) of(a *attempt) int64 {
	m.mu.Lock()
	defer m.mu.Unlock()
	s := m.tasks[a]
	if s == nil {
		return 0
	}
	m.share()
	return s.cpu
}

// remove ends the measuring of a task and returns what it had in all.
func (m *cpuMeter) remove(a *attempt) int64 {
	n := m.of(a)
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.tasks, a)
	return n
}

// share shares what was used since the last time. The caller holds mu.
func (m *cpuMeter) share() {
	now := m.process()
	m.spare += now - m.last
	m.last = now
	total := int64(0)
	fresh := make(map[*cpuShare]int64, len(m.tasks))
	for _, s := range m.tasks {
		busy := s.busy()
		fresh[s] = busy - s.seen
		total += busy - s.seen
		s.seen = busy
	}
	if total <= 0 {
		return
	}
	part := min(1, float64(m.spare)/float64(total))
	for s, d := range fresh {
		s.cpu += int64(part * float64(d))
	}
	m.spare = max(m.spare-int64(part*float64(total)), 0)
}
