// Package backlog says how much work waits in a cluster, in seconds: what an
// autoscaler goes by.
//
// The figure is the time that the workers which are there would need for the
// work that nobody has begun, if all their threads took part:
//
//	(splits not begun × seconds a split + queries not begun × seconds a query) / threads of live workers
//
// It is honest where counts of queries are not. A cluster that keeps up has
// nothing waiting, however many queries it answers; a single query over a
// hundred thousand files has much; and a query that has not been planned, since
// it waits for its turn or for a first worker, counts as what queries have
// lately been.
//
// Seconds are those that a thread is held for, measured: of a split by the
// query's own tasks, from the splits that they have done; before the first is
// done, and for queries that have not begun, by the queries that ended within
// the last quarter of an hour.
//
// As the figure is already over the capacity that is there, n workers and a
// figure of s seconds ask for n × s/target workers: the type "Value" of a
// HorizontalPodAutoscaler's metric, not "AverageValue". Without workers there
// is no capacity; the figure is then what one worker would need.
//
// Measure is a pure function of snapshots, so that nothing must be carried over
// when another coordinator takes the cluster over.
package backlog

import (
	"slices"
	"time"

	"github.com/tuttidb/tutti/coordinator"
	"github.com/tuttidb/tutti/coordinator/schedule"
)

const (
	// memory is how long an ended query counts for what queries are like.
	memory = 15 * time.Minute
	// unknownSplit and unknownQuery are the thread-seconds of what nobody has
	// measured yet. They err to the high side: a cluster that nothing is known
	// of has few workers, or none.
	unknownSplit = 1.0
	unknownQuery = 1.0
	// leastQuery is the least that a query counts that waits, in thread-seconds:
	// what waits is never nothing.
	leastQuery = 0.01
	// unknownThreads are those of a worker when none was ever seen.
	unknownThreads = 1
)

// Figures is what waits at a moment.
type Figures struct {
	// Seconds is the time that the live workers need for what nobody has begun;
	// one worker, where there is none. It is above 0 while a query waits.
	Seconds float64 `json:"workWaitingSeconds"`
	// ThreadSeconds is the same of a single thread.
	ThreadSeconds float64 `json:"threadSeconds"`
	// OldestSeconds is the age of the oldest query that waits for its turn,
	// for memory or for a worker; 0 if none does.
	OldestSeconds float64 `json:"oldestQueuedSeconds"`
	// Queries wait; Splits of queries that run are not begun.
	Queries int `json:"queriesWaiting"`
	Splits  int `json:"splitsWaiting"`
	// Workers take tasks, Threads are theirs, and Busy is how many of the
	// workers the tasks that run would keep busy: between 0 and Workers.
	Workers int     `json:"workers"`
	Threads int     `json:"threads"`
	Busy    float64 `json:"workersBusy"`
}

// Measure reads the figures off a coordinator's queries, those that have ended
// and are remembered among them, and the cluster's nodes.
func Measure(queries []*coordinator.QueryInfo, nodes []coordinator.NodeInfo, now time.Time) Figures {
	f := Figures{}
	usual := f.capacity(nodes)
	typical := typicalOf(queries, now)
	for _, q := range queries {
		if !q.State.Done() {
			f.add(q, typical, now)
		}
	}
	if f.ThreadSeconds > 0 {
		f.Seconds = f.ThreadSeconds / float64(max(f.Threads, usual))
	}
	return f
}

// capacity counts the workers that take tasks, and returns the threads of the
// smallest worker that is known, gone ones included: the capacity that the
// first worker of an empty cluster will have.
func (f *Figures) capacity(nodes []coordinator.NodeInfo) (usual int) {
	for _, n := range nodes {
		if n.Coordinator || n.Threads <= 0 {
			continue
		}
		if usual == 0 || n.Threads < usual {
			usual = n.Threads
		}
		if n.State != "active" {
			continue
		}
		f.Workers++
		f.Threads += n.Threads
		f.Busy += min(1, float64(n.RunningDrivers)/float64(n.Threads))
	}
	return max(usual, unknownThreads)
}

// typical is what a split and a query cost lately, in thread-seconds.
type typical struct{ split, query float64 }

// typicalOf averages over the queries that have ended lately and had splits on
// workers: those that the coordinator answered by itself say nothing about them.
func typicalOf(queries []*coordinator.QueryInfo, now time.Time) typical {
	used, splits, n := 0.0, 0, 0
	for _, q := range queries {
		if q.State != coordinator.Finished || q.Stats.DoneSplits == 0 || now.Sub(q.Ended) > memory || !onWorkers(q) {
			continue
		}
		used += threadSeconds(q)
		splits += q.Stats.DoneSplits
		n++
	}
	if n == 0 {
		return typical{unknownSplit, unknownQuery}
	}
	return typical{split: used / float64(splits), query: max(leastQuery, used/float64(n))}
}

// onWorkers reports whether a query had a task anywhere but on a coordinator.
func onWorkers(q *coordinator.QueryInfo) bool {
	return slices.ContainsFunc(q.Stages, func(s coordinator.StageInfo) bool {
		return slices.ContainsFunc(s.Tasks, func(t coordinator.TaskInfo) bool { return t.Node != schedule.CoordinatorNode })
	})
}

// threadSeconds is how long a query has held threads of workers: at least its
// processor time, and what its operators waited in for storage.
func threadSeconds(q *coordinator.QueryInfo) float64 {
	held := time.Duration(0)
	for _, s := range q.Stages {
		for _, o := range s.Operators {
			held += o.Wall
		}
	}
	return max(held, q.Stats.CPU).Seconds()
}

// add counts a query that has not ended.
func (f *Figures) add(q *coordinator.QueryInfo, usual typical, now time.Time) {
	work := 0.0
	if s := q.Stats; s.QueuedSplits > 0 {
		f.Splits += s.QueuedSplits
		work = float64(s.QueuedSplits) * splitSeconds(q, usual.split)
	}
	if waits(q) {
		f.Queries++
		f.OldestSeconds = max(f.OldestSeconds, now.Sub(q.Created).Seconds())
		work = max(work, usual.query)
	}
	f.ThreadSeconds += work
}

// waits reports whether a query cannot go on: it has not had its turn, or
// memory, or there is no worker.
func waits(q *coordinator.QueryInfo) bool {
	return q.State == coordinator.Queued || q.State == coordinator.WaitingForResources
}

// splitSeconds is what a split of a query costs. One that runs counts as half
// done; as long as none is done the usual cost stands, unless those that run
// have taken longer already.
func splitSeconds(q *coordinator.QueryInfo, usual float64) float64 {
	s, used := q.Stats, threadSeconds(q)
	switch {
	case s.DoneSplits > 0:
		return used / (float64(s.DoneSplits) + float64(s.RunningSplits)/2)
	case s.RunningSplits > 0:
		return max(usual, used/float64(s.RunningSplits))
	}
	return usual
}
