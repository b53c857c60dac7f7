// Package worker runs tasks: it is the half of a node that computes.
//
// A Manager takes tasks (Start), tells them what becomes known later (Update),
// reports on them (Watch) and ends them with their query (EndQuery). It is
// used directly by the coordinator's own small executor, and over gRPC by
// other coordinators, through Worker, which adds what a node of a cluster
// needs: the stream to the coordinator (join, heartbeats, catalogs) and the
// services.
//
// # What a worker promises
//
// It holds no durable state: a restart loses tasks and nothing else. The same
// StartTask again is answered with the task's status; updates are numbered
// and applied once, in order. A task that has ended keeps its output in the
// exchange's store until the coordinator releases it or ends the query, which
// frees everything the query has on the node: its tasks are canceled, waited
// for, and its account must be at zero. A coordinator of an older epoch is
// refused. A worker that no coordinator has spoken to for a lease ends all
// queries.
//
// # Spare copies
//
// A worker retains copies of outputs that others made, where the coordinator
// wants them (CopyOutput): under the same names, frame by frame the same, and
// served and freed as its own are, with the query at the latest. A worker that
// is being drained takes none, and stays for those who read the ones it has. The
// number of an attempt that is known by a copy alone counts as known to AdoptQuery,
// and of a whole copy it says what the attempt's own worker would (DescribeTask).
// A copy that an older coordinator wanted, and none has adopted since, makes room
// for what a newer one wants under that name.
//
// # Failures
//
// A task's failure is typed (see classify): what the coordinator does follows
// from its cause, never from its text. A panic in an operator fails the task
// and leaves its stack in the log.
package worker
