package meta

import (
	pb "github.com/tuttidb/tutti/proto/tutti/v1"
)

// Command is one change of the state. Make them with the functions below;
// those given to one Apply happen together or not at all.
type Command = *pb.MetaCommand

// SetCatalog makes a catalog, or replaces the one of that name. In the
// definition secrets stand by reference only: it is shown and backed up.
func SetCatalog(name, definition string) Command {
	return putCatalog(&pb.MetaPutCatalog{Name: name, Definition: definition})
}

// CreateCatalog makes a catalog, or fails with ErrExists.
func CreateCatalog(name, definition string) Command {
	return ReplaceCatalog(name, definition, 0)
}

// ReplaceCatalog replaces the version of a catalog that the caller has seen,
// or fails with ErrConflict. Version 0 is "none yet".
func ReplaceCatalog(name, definition string, version uint64) Command {
	return putCatalog(&pb.MetaPutCatalog{Name: name, Definition: definition, IfVersion: &version})
}

func putCatalog(c *pb.MetaPutCatalog) Command {
	return &pb.MetaCommand{Kind: &pb.MetaCommand_PutCatalog{PutCatalog: c}}
}

// DropCatalog removes a catalog, or fails with ErrNotFound.
func DropCatalog(name string) Command {
	return &pb.MetaCommand{Kind: &pb.MetaCommand_DropCatalog{DropCatalog: &pb.MetaDropCatalog{Name: name}}}
}

// Drain says that a node is to finish what it has and take nothing new.
func Drain(node, reason, by string) Command {
	i := &pb.MetaIntent{Node: node, Kind: pb.MetaIntentKind_META_INTENT_KIND_DRAIN, Reason: reason, By: by}
	return &pb.MetaCommand{Kind: &pb.MetaCommand_PutIntent{PutIntent: &pb.MetaPutIntent{Intent: i}}}
}

// Undrain takes that back. It is no error where nothing was wanted.
func Undrain(node string) Command {
	return &pb.MetaCommand{Kind: &pb.MetaCommand_DropIntent{DropIntent: &pb.MetaDropIntent{Node: node}}}
}

// SetSetting sets one of the cluster's settings.
func SetSetting(name, value string) Command {
	return &pb.MetaCommand{Kind: &pb.MetaCommand_PutSetting{PutSetting: &pb.MetaPutSetting{Name: name, Value: value}}}
}

// DropSetting returns a setting to its default.
func DropSetting(name string) Command {
	return &pb.MetaCommand{Kind: &pb.MetaCommand_DropSetting{DropSetting: &pb.MetaDropSetting{Name: name}}}
}

// AcceptQuery puts a query into the journal, or fails with ErrExists.
func AcceptQuery(q *pb.MetaQuery) Command {
	return &pb.MetaCommand{Kind: &pb.MetaCommand_AcceptQuery{AcceptQuery: q}}
}

// PlanQuery adds a query's encoded plan.
func PlanQuery(id string, plan []byte) Command {
	return &pb.MetaCommand{Kind: &pb.MetaCommand_PlanQuery{PlanQuery: &pb.MetaPlanQuery{Query: id, Plan: plan}}}
}

// PlaceTasks says where attempts run; of a task's the highest attempt stays.
func PlaceTasks(id string, placements ...*pb.MetaPlacement) Command {
	return &pb.MetaCommand{Kind: &pb.MetaCommand_PlaceTasks{PlaceTasks: &pb.MetaPlaceTasks{Query: id, Placements: placements}}}
}

// CommitTasks accepts attempts; of a task's the highest attempt stays, and of
// the same attempt the first.
func CommitTasks(id string, commits ...*pb.MetaCommit) Command {
	return &pb.MetaCommand{Kind: &pb.MetaCommand_CommitTasks{CommitTasks: &pb.MetaCommitTasks{Query: id, Commits: commits}}}
}

// PutManifest says where a query's rows are and how long they are kept.
func PutManifest(id string, manifest []byte, expiresMs int64) Command {
	return &pb.MetaCommand{Kind: &pb.MetaCommand_PutManifest{PutManifest: &pb.MetaPutManifest{Query: id, Manifest: manifest, ExpiresMs: expiresMs}}}
}

// EndQuery ends a query: its plan, placements and commits are let go, the
// rest is kept until it expires or too many have ended since. To end one that
// ended is no error and changes nothing.
func EndQuery(id string, state pb.MetaQueryState, failure []byte, expiresMs int64) Command {
	e := &pb.MetaEndQuery{Query: id, State: state, Error: failure, ExpiresMs: expiresMs}
	return &pb.MetaCommand{Kind: &pb.MetaCommand_EndQuery{EndQuery: e}}
}

// ForgetQueries removes ended queries before their time.
func ForgetQueries(ids ...string) Command {
	return &pb.MetaCommand{Kind: &pb.MetaCommand_ForgetQueries{ForgetQueries: &pb.MetaForgetQueries{Queries: ids}}}
}

func foundCluster(id string) Command {
	return &pb.MetaCommand{Kind: &pb.MetaCommand_FoundCluster{FoundCluster: &pb.MetaFoundCluster{ClusterId: id}}}
}

func lead(epoch uint64, node string) Command {
	return &pb.MetaCommand{Kind: &pb.MetaCommand_Lead{Lead: &pb.MetaLead{Epoch: epoch, Node: node}}}
}

func restored() Command {
	return &pb.MetaCommand{Kind: &pb.MetaCommand_Restored{Restored: &pb.MetaRestored{}}}
}
