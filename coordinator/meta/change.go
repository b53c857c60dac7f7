package meta

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	pb "github.com/tuttidb/tutti/proto/tutti/v1"
)

const (
	// generation is how many entries one generation of ids covers. Two are
	// kept, so an entry may be proposed again until that many others came
	// between.
	generation = 16384
	// sweep is how many ended queries one entry removes at most, so that none
	// takes long.
	sweep = 64

	// The settings that rule how long ended queries are kept. They are
	// replicated so that all nodes forget the same.
	settingKeepCount = "journal.keep-queries"
	settingKeepAge   = "journal.keep-age"
	defaultKeepCount = 10000
	defaultKeepAge   = 24 * time.Hour
)

// errUnknownCommand says that an entry is from a newer release. The node must
// stop: skipping it would make its state differ from the others'.
var errUnknownCommand = errors.New("the log has a command that this release does not know: start the newer release again")

// rejected is an entry that was refused, with nothing of it applied.
type rejected struct {
	code    pb.MetaCode
	message string
}

func reject(code pb.MetaCode, format string, args ...any) *rejected {
	return &rejected{code, fmt.Sprintf(format, args...)}
}

// known returns what became of an entry that was applied before, or that it
// is too old to tell. An entry made when index base was applied can only have
// been applied after it. The ids of all entries since beforeFrom are known, so
// where base is at least that, an unknown id is a new one.
func (s *State) known(e *pb.MetaEntry) *pb.MetaSeen {
	if was, ok := s.seen.Get(e.Id); ok {
		return was
	}
	if was, ok := s.before.Get(e.Id); ok {
		return was
	}
	if e.Base < s.beforeFrom {
		return &pb.MetaSeen{Id: e.Id, Index: s.Index, Code: pb.MetaCode_META_CODE_STALE,
			Message: fmt.Sprintf("the entry was made at index %d, ids are known since %d", e.Base, s.beforeFrom)}
	}
	return nil
}

// apply returns the state after an entry, and what became of the entry. It
// depends on nothing but s, index and e. The error is errUnknownCommand only.
func (s *State) apply(index uint64, e *pb.MetaEntry) (*State, *pb.MetaSeen, error) {
	n := *s
	n.Index = index
	if was := s.known(e); was != nil {
		return &n, was, nil
	}
	if at := time.UnixMilli(e.AtMs); at.After(n.Time) {
		n.Time = at
	}
	r, err := n.entry(e)
	if err != nil {
		return nil, nil, err
	}
	out := &pb.MetaSeen{Id: e.Id, Index: index, Code: pb.MetaCode_META_CODE_OK}
	if r != nil {
		at := n.Time
		n = *s
		n.Index, n.Time = index, at
		out.Code, out.Message = r.code, r.message
	}
	n.remember(out)
	n.retain()
	return &n, out, nil
}

// remember notes an entry's outcome, and lets the older generation of
// outcomes go when the newer one is complete.
func (s *State) remember(out *pb.MetaSeen) {
	if s.Index >= s.seenFrom+generation {
		s.before, s.beforeFrom = s.seen, s.seenFrom
		s.seen, s.seenFrom = tree[*pb.MetaSeen]{}, s.Index
	}
	s.seen = s.seen.With(out.Id, out)
}

// entry applies an entry's commands to s, which is the caller's to throw away
// when one is refused.
func (s *State) entry(e *pb.MetaEntry) (*rejected, error) {
	if e.Epoch != 0 && e.Epoch != s.Epoch {
		return reject(pb.MetaCode_META_CODE_FENCED, "epoch %d is over, %s leads in epoch %d", e.Epoch, s.Leader, s.Epoch), nil
	}
	for _, c := range e.Commands {
		r, err := s.command(c)
		if r != nil || err != nil {
			return r, err
		}
	}
	return nil, nil
}

func (s *State) command(c *pb.MetaCommand) (*rejected, error) {
	switch k := c.GetKind().(type) {
	case *pb.MetaCommand_PutCatalog:
		return s.putCatalog(k.PutCatalog), nil
	case *pb.MetaCommand_DropCatalog:
		return s.dropCatalog(k.DropCatalog), nil
	case *pb.MetaCommand_PutIntent:
		return s.putIntent(k.PutIntent.GetIntent()), nil
	case *pb.MetaCommand_DropIntent:
		s.intents, s.IntentsVersion = s.intents.Without(k.DropIntent.GetNode()), s.Index
	case *pb.MetaCommand_PutSetting:
		return s.putSetting(k.PutSetting), nil
	case *pb.MetaCommand_DropSetting:
		s.settings, s.SettingsVersion = s.settings.Without(k.DropSetting.GetName()), s.Index
	case *pb.MetaCommand_AcceptQuery:
		return s.acceptQuery(k.AcceptQuery), nil
	case *pb.MetaCommand_PlanQuery:
		return s.planQuery(k.PlanQuery), nil
	case *pb.MetaCommand_PlaceTasks:
		return s.placeTasks(k.PlaceTasks), nil
	case *pb.MetaCommand_CommitTasks:
		return s.commitTasks(k.CommitTasks), nil
	case *pb.MetaCommand_PutManifest:
		return s.putManifest(k.PutManifest), nil
	case *pb.MetaCommand_EndQuery:
		return s.endQuery(k.EndQuery), nil
	case *pb.MetaCommand_ForgetQueries:
		return s.forgetQueries(k.ForgetQueries), nil
	case *pb.MetaCommand_FoundCluster:
		return s.foundCluster(k.FoundCluster.GetClusterId()), nil
	case *pb.MetaCommand_Lead:
		return s.lead(k.Lead), nil
	case *pb.MetaCommand_Restored:
		s.seen, s.before = tree[*pb.MetaSeen]{}, tree[*pb.MetaSeen]{}
		s.seenFrom, s.beforeFrom = s.Index, s.Index
		s.CatalogsVersion, s.IntentsVersion, s.SettingsVersion = s.Index, s.Index, s.Index
	default:
		return nil, errUnknownCommand
	}
	return nil, nil
}

func (s *State) putCatalog(c *pb.MetaPutCatalog) *rejected {
	if c.GetName() == "" {
		return reject(pb.MetaCode_META_CODE_INVALID, "a catalog needs a name")
	}
	old := s.Catalog(c.Name)
	if r := checkVersion(c.Name, c.IfVersion, old); r != nil {
		return r
	}
	now := s.Time.UnixMilli()
	n := &pb.MetaCatalog{Name: c.Name, Definition: c.Definition, Version: s.Index, CreatedMs: now, ChangedMs: now}
	if old != nil {
		n.CreatedMs = old.CreatedMs
	}
	s.catalogs, s.CatalogsVersion = s.catalogs.With(c.Name, n), s.Index
	return nil
}

// checkVersion holds a change of a catalog to the version its maker has seen.
func checkVersion(name string, want *uint64, old *pb.MetaCatalog) *rejected {
	switch {
	case want == nil || *want == old.GetVersion():
		return nil
	case *want == 0:
		return reject(pb.MetaCode_META_CODE_EXISTS, "catalog %s", name)
	}
	return reject(pb.MetaCode_META_CODE_CONFLICT, "catalog %s is at version %d, not %d", name, old.GetVersion(), *want)
}

func (s *State) dropCatalog(c *pb.MetaDropCatalog) *rejected {
	old := s.Catalog(c.GetName())
	if old == nil {
		return reject(pb.MetaCode_META_CODE_NOT_FOUND, "catalog %s", c.GetName())
	}
	if r := checkVersion(c.Name, c.IfVersion, old); r != nil {
		return r
	}
	s.catalogs, s.CatalogsVersion = s.catalogs.Without(c.Name), s.Index
	return nil
}

func (s *State) putIntent(i *pb.MetaIntent) *rejected {
	if i.GetNode() == "" || i.GetKind() == pb.MetaIntentKind_META_INTENT_KIND_UNSPECIFIED {
		return reject(pb.MetaCode_META_CODE_INVALID, "an intent needs a node and a kind")
	}
	n := &pb.MetaIntent{Node: i.Node, Kind: i.Kind, Reason: i.Reason, By: i.By, SinceMs: s.Time.UnixMilli()}
	if old := s.Intent(i.Node); old != nil && old.Kind == n.Kind {
		n.SinceMs = old.SinceMs
	}
	s.intents, s.IntentsVersion = s.intents.With(i.Node, n), s.Index
	return nil
}

func (s *State) putSetting(p *pb.MetaPutSetting) *rejected {
	if p.GetName() == "" {
		return reject(pb.MetaCode_META_CODE_INVALID, "a setting needs a name")
	}
	if err := checkSetting(p.Name, p.Value); err != nil {
		return reject(pb.MetaCode_META_CODE_INVALID, "setting %s: %v", p.Name, err)
	}
	s.settings, s.SettingsVersion = s.settings.With(p.Name, p.Value), s.Index
	return nil
}

// checkSetting knows the settings that the state itself obeys; others are
// their users' to check before.
func checkSetting(name, value string) error {
	switch name {
	case settingKeepCount:
		if n, err := strconv.Atoi(value); err != nil || n < 0 {
			return errors.New("not a number of queries: " + strconv.Quote(value))
		}
	case settingKeepAge:
		if d, err := time.ParseDuration(value); err != nil || d < 0 {
			return errors.New("not a duration: " + strconv.Quote(value))
		}
	}
	return nil
}

func (s *State) foundCluster(id string) *rejected {
	if s.ClusterID == id {
		return nil
	}
	if s.ClusterID != "" {
		return reject(pb.MetaCode_META_CODE_EXISTS, "cluster %s", s.ClusterID)
	}
	s.ClusterID = id
	return nil
}

func (s *State) lead(l *pb.MetaLead) *rejected {
	if l.GetEpoch() < s.Epoch {
		return reject(pb.MetaCode_META_CODE_FENCED, "%s leads in epoch %d", s.Leader, s.Epoch)
	}
	s.Epoch, s.Leader = l.Epoch, l.Node
	return nil
}

func (s *State) acceptQuery(q *pb.MetaQuery) *rejected {
	if q.GetId() == "" {
		return reject(pb.MetaCode_META_CODE_INVALID, "a query needs an id")
	}
	if strings.ContainsRune(q.Id, 0) || q.EndedIndex != 0 || len(q.Placements)+len(q.Commits) > 0 {
		return reject(pb.MetaCode_META_CODE_INVALID, "query %q is not a new one", q.Id)
	}
	if s.Query(q.Id) != nil {
		return reject(pb.MetaCode_META_CODE_EXISTS, "query %s", q.Id)
	}
	n := (&Query{MetaQuery: q}).with(func(h *pb.MetaQuery) {
		if h.State == pb.MetaQueryState_META_QUERY_STATE_UNSPECIFIED {
			h.State = pb.MetaQueryState_META_QUERY_STATE_ACCEPTED
		}
		if h.CreatedMs == 0 {
			h.CreatedMs = s.Time.UnixMilli()
		}
	})
	s.queries = s.queries.With(q.Id, n)
	return nil
}

// running returns a query that has not ended.
func (s *State) running(id string) (*Query, *rejected) {
	q := s.Query(id)
	if q == nil {
		return nil, reject(pb.MetaCode_META_CODE_NOT_FOUND, "query %s", id)
	}
	if q.Ended() {
		return nil, reject(pb.MetaCode_META_CODE_CONFLICT, "query %s has ended", id)
	}
	return q, nil
}

func (s *State) planQuery(p *pb.MetaPlanQuery) *rejected {
	q, r := s.running(p.GetQuery())
	if r != nil {
		return r
	}
	s.queries = s.queries.With(q.Id, q.with(func(h *pb.MetaQuery) {
		h.Plan, h.State = p.Plan, pb.MetaQueryState_META_QUERY_STATE_PLANNED
	}))
	return nil
}

func (s *State) placeTasks(p *pb.MetaPlaceTasks) *rejected {
	q, r := s.running(p.GetQuery())
	if r != nil {
		return r
	}
	n := *q
	for _, t := range p.Placements {
		if t.Stage < 0 || t.Task < 0 {
			return reject(pb.MetaCode_META_CODE_INVALID, "task %d.%d", t.Stage, t.Task)
		}
		if old := n.Placement(t.Stage, t.Task); old == nil || old.Attempt <= t.Attempt {
			n.placements = n.placements.With(taskKey(t.Stage, t.Task), t)
		}
	}
	s.queries = s.queries.With(q.Id, &n)
	return nil
}

func (s *State) commitTasks(p *pb.MetaCommitTasks) *rejected {
	q, r := s.running(p.GetQuery())
	if r != nil {
		return r
	}
	n := *q
	for _, t := range p.Commits {
		if t.Stage < 0 || t.Task < 0 {
			return reject(pb.MetaCode_META_CODE_INVALID, "task %d.%d", t.Stage, t.Task)
		}
		if old := n.Commit(t.Stage, t.Task); old == nil || old.Attempt < t.Attempt {
			n.commits = n.commits.With(taskKey(t.Stage, t.Task), t)
		}
	}
	s.queries = s.queries.With(q.Id, &n)
	return nil
}

func (s *State) putManifest(p *pb.MetaPutManifest) *rejected {
	q := s.Query(p.GetQuery())
	if q == nil {
		return reject(pb.MetaCode_META_CODE_NOT_FOUND, "query %s", p.GetQuery())
	}
	s.queries = s.queries.With(q.Id, q.with(func(h *pb.MetaQuery) { h.Manifest, h.ExpiresMs = p.Manifest, p.ExpiresMs }))
	return nil
}

func (s *State) endQuery(e *pb.MetaEndQuery) *rejected {
	q := s.Query(e.GetQuery())
	switch {
	case q == nil:
		return reject(pb.MetaCode_META_CODE_NOT_FOUND, "query %s", e.GetQuery())
	case q.Ended():
		return nil
	case e.State < pb.MetaQueryState_META_QUERY_STATE_FINISHED:
		return reject(pb.MetaCode_META_CODE_INVALID, "query %s cannot end as %s", q.Id, e.State)
	}
	n := q.with(func(h *pb.MetaQuery) {
		h.State, h.Error, h.Plan = e.State, e.Error, nil
		h.EndedMs, h.EndedIndex = s.Time.UnixMilli(), s.Index
		if e.ExpiresMs != 0 {
			h.ExpiresMs = e.ExpiresMs
		}
	})
	s.queries = s.queries.With(q.Id, &Query{MetaQuery: n.MetaQuery})
	s.ended = s.ended.With(endedKey(n.MetaQuery), q.Id)
	return nil
}

// endedKey orders ended queries by the entry that ended them; one entry may
// end several.
func endedKey(q *pb.MetaQuery) string { return indexKey(q.EndedIndex) + q.Id }

func (s *State) forgetQueries(f *pb.MetaForgetQueries) *rejected {
	for _, id := range f.GetQueries() {
		q := s.Query(id)
		if q == nil {
			continue
		}
		if !q.Ended() {
			return reject(pb.MetaCode_META_CODE_CONFLICT, "query %s has not ended", id)
		}
		s.forget(q)
	}
	return nil
}

func (s *State) forget(q *Query) {
	s.queries, s.ended = s.queries.Without(q.Id), s.ended.Without(endedKey(q.MetaQuery))
}

// keep returns how many ended queries are kept, and how long.
func (s *State) keep() (count int, age time.Duration) {
	count, age = defaultKeepCount, defaultKeepAge
	if v, ok := s.Setting(settingKeepCount); ok {
		count, _ = strconv.Atoi(v) // checked when it was set
	}
	if v, ok := s.Setting(settingKeepAge); ok {
		age, _ = time.ParseDuration(v) // checked when it was set
	}
	return count, age
}

// retain forgets the ended queries that are too many or too old by log time,
// oldest first. One whose manifest is still good stays, unless too many
// ended: then its time is the price of a bounded state.
func (s *State) retain() {
	count, age := s.keep()
	for range sweep {
		_, id, ok := s.ended.Min()
		if !ok {
			return
		}
		q := s.Query(id)
		old := s.Time.Sub(time.UnixMilli(q.EndedMs)) > age && q.ExpiresMs <= s.Time.UnixMilli()
		if s.ended.Len() <= count && !old {
			return
		}
		s.forget(q)
	}
}
