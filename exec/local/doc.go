// Package local runs a plan fragment inside one process: it turns the
// fragment's nodes into pipelines of operators and drives them.
//
// # From nodes to pipelines
//
// Build walks the fragment from the root to its leaves and back up. What it
// carries is a flow: one operator chain for each driver, and the columns that
// the chains put out. A node that works row by row lengthens every chain. A
// node that must see all rows before it gives any (a join's build side, a
// sort) ends the pipeline in sinks and starts a new flow on the other side of
// the state that sinks and sources share. A node that must be one operator
// gets a gather in front. Column IDs become positions here and nowhere else.
//
// # Waiting
//
// All drivers of all pipelines start at once, as goroutines; none waits for a
// slot. A source waits for the sinks of the pipeline that feeds it, and a
// gather's producer for its consumer. The pipelines of a fragment form a tree
// under "feeds", so no circle of waits can close. A plan in which one
// fragment feeds several consumers is not a tree: there its rows are kept in
// a spool, accounted memory that takes all rows without ever making the
// producer wait, and each consumer reads from its start.
//
// # Plans in one process
//
// RunPlan runs a whole plan without exchanges: with one task a stage, hashing,
// replicating and gathering are all the same, so it stitches the fragments
// back into one tree. Nothing is partitioned, serialized or retained.
package local
