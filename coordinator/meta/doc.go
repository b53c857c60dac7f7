// Package meta is what coordinators know together: catalogs made at run time,
// what is wanted of nodes, settings, and the journal of queries, from which a
// new leader goes on where an old one died.
//
// Every coordinator opens a Node. Of 1, 3 or 5 nodes one leads, found and kept
// by raft (hashicorp/raft); a minority may die, hang or lose its disk without
// anything acknowledged being lost. A node without peers is a cluster of one
// that uses no network.
//
// # Two journals
//
// What must outlive everything goes through Apply: into raft's log, synced on
// a majority of disks, applied to the State on every node in the same order.
// That costs some milliseconds. What a query says about itself in its first
// second goes through Remember: into the memory of a majority, one round trip
// without a disk. It survives the loss of the leader, not of a majority at
// once, and is meant to be forgotten or journaled soon.
//
// # Reading
//
// State is free: an immutable value of persistent maps, as of the last entry
// that this node applied. Read first asks the leader how far one must be, and
// so never misses what was acknowledged to anybody; without a majority it is
// an error, not an old answer. Watch tells of changes.
//
// # Once and only once
//
// An entry carries an id that stays the same while Apply tries again, over
// elections and through other nodes, and the state remembers the ids of the
// last tens of thousands of entries: so what raft calls "leadership lost",
// which is "unknown", becomes known. A leader's own changes carry its epoch,
// the raft term it leads in: ApplyAs and Remember of an older epoch are
// refused, by the state and by every memory that a newer leader has asked.
//
// # When the leader is lost
//
// Raft alone would look for its silence at random times, which takes one to
// three times Timing.Election. Followers therefore see by themselves that a
// leader's process is gone, or that a majority misses it, agree on who has the
// newest log, and have that one stand at once: see vigil.go. The new leader's
// memory is that of a majority; keys travel, and only the bodies that differ:
// see recollect.go.
//
// # One that comes back empty
//
// A node whose disk was emptied must not vote as if it had never voted. It is
// deaf and mute to raft until it has learned from its peers whether there is
// a cluster, joins that without a vote, and gets its vote back when it has
// caught up. Only a node that finds its peers empty too begins a cluster. Which
// cluster it is of a node knows before raft is heard: see home.go.
//
// # One whose disk fails
//
// falls silent, tells which file it was (Failed, Err), and leaves the others
// to go on.
//
// # Upgrades
//
// A command that a node does not know stops it, for to skip it would be to
// differ. So a release that brings a new kind of command may use it only when
// the release before it, which may run beside it, knows it already.
package meta
