package meta

import (
	"encoding/binary"
	"iter"
	"time"

	pb "github.com/tuttidb/tutti/proto/tutti/v1"
)

// State is the replicated state as of one entry of the log. It never changes:
// keep it as long as you like, read it from any goroutine, and do not write
// to the messages it hands out.
type State struct {
	// Index is the entry that the state includes, with all before it.
	Index uint64
	// Time is log time: the leaders' clocks, never running backwards.
	Time time.Time
	// ClusterID names the cluster; empty until it is founded.
	ClusterID string
	// Epoch is the newest leadership that made itself known, Leader its node.
	Epoch  uint64
	Leader string
	// CatalogsVersion, IntentsVersion and SettingsVersion are the entries that
	// last changed these: what watchers compare.
	CatalogsVersion, IntentsVersion, SettingsVersion uint64

	catalogs tree[*pb.MetaCatalog]
	intents  tree[*pb.MetaIntent]
	settings tree[string]
	queries  tree[*Query]
	// ended holds the ids of queries that ended, by the entry that ended them.
	ended tree[string]
	// seen and before are what became of the entries since seenFrom, and of
	// those from beforeFrom until then, by id: see (*State).known.
	seen, before         tree[*pb.MetaSeen]
	seenFrom, beforeFrom uint64
}

// Query is a query in the journal. Like the state it never changes.
type Query struct {
	// MetaQuery is all but the placements and commits, which are behind
	// methods because they are many.
	*pb.MetaQuery
	placements tree[*pb.MetaPlacement]
	commits    tree[*pb.MetaCommit]
}

// Ended reports whether the query is over.
func (q *Query) Ended() bool { return q.EndedIndex > 0 }

// Placement returns the newest attempt of a task that was placed, nil for none.
func (q *Query) Placement(stage, task int32) *pb.MetaPlacement {
	p, _ := q.placements.Get(taskKey(stage, task))
	return p
}

// Commit returns the attempt of a task that counts, nil for none.
func (q *Query) Commit(stage, task int32) *pb.MetaCommit {
	c, _ := q.commits.Get(taskKey(stage, task))
	return c
}

// Placements yields the newest placement of each task, by stage and task.
func (q *Query) Placements() iter.Seq[*pb.MetaPlacement] { return q.placements.Values() }

// Commits yields the commit of each task that has one, by stage and task.
func (q *Query) Commits() iter.Seq[*pb.MetaCommit] { return q.commits.Values() }

// with returns the query with a head that edit has changed. Only edit may
// write to it, and only to its fields: what they point to is shared.
func (q *Query) with(edit func(*pb.MetaQuery)) *Query {
	h := q.MetaQuery
	head := &pb.MetaQuery{
		Id: h.Id, Slug: h.Slug, User: h.User, Session: h.Session, Sql: h.Sql, SqlHash: h.SqlHash, CreatedMs: h.CreatedMs,
		Owner: h.Owner, Epoch: h.Epoch, State: h.State, Plan: h.Plan, Manifest: h.Manifest, Error: h.Error,
		EndedMs: h.EndedMs, ExpiresMs: h.ExpiresMs, Group: h.Group, EndedIndex: h.EndedIndex,
	}
	edit(head)
	return &Query{MetaQuery: head, placements: q.placements, commits: q.commits}
}

// taskKey orders tasks by stage and number, both of which are not negative.
func taskKey(stage, task int32) string {
	b := binary.BigEndian.AppendUint32(nil, uint32(stage))
	return string(binary.BigEndian.AppendUint32(b, uint32(task)))
}

// indexKey orders entries of the log.
func indexKey(index uint64) string { return string(binary.BigEndian.AppendUint64(nil, index)) }

// Catalog returns a catalog, nil where there is none of that name.
func (s *State) Catalog(name string) *pb.MetaCatalog {
	c, _ := s.catalogs.Get(name)
	return c
}

// Catalogs yields the catalogs by name.
func (s *State) Catalogs() iter.Seq[*pb.MetaCatalog] { return s.catalogs.Values() }

// Intent returns what is wanted of a node, nil for nothing.
func (s *State) Intent(node string) *pb.MetaIntent {
	i, _ := s.intents.Get(node)
	return i
}

// Intents yields the intents by node.
func (s *State) Intents() iter.Seq[*pb.MetaIntent] { return s.intents.Values() }

// Setting returns a setting's value; ok is false where the default holds.
func (s *State) Setting(name string) (value string, ok bool) { return s.settings.Get(name) }

// Settings yields names and values by name.
func (s *State) Settings() iter.Seq2[string, string] { return s.settings.All() }

// Query returns a query of the journal, nil where it is not (or no longer) there.
func (s *State) Query(id string) *Query {
	q, _ := s.queries.Get(id)
	return q
}

// Queries yields the queries by id, ended ones that are still kept included.
func (s *State) Queries() iter.Seq[*Query] { return s.queries.Values() }

// Len returns how many queries the journal holds, and how many of them ended.
func (s *State) Len() (all, ended int) { return s.queries.Len(), s.ended.Len() }
