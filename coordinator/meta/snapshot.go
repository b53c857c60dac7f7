package meta

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"hash"
	"io"
	"iter"
	"time"

	"google.golang.org/protobuf/proto"

	pb "github.com/tuttidb/tutti/proto/tutti/v1"
)

// A snapshot, which is also what a backup is: the magic, a version, records
// of a length and a MetaRecord each (the head first), a length of zero, and
// the SHA-256 of everything before. The same state is always the same bytes.
const (
	snapshotMagic   = "TUTTIMETA\n"
	snapshotVersion = 1
	// maxRecord bounds what a damaged length can make a reader allocate.
	maxRecord = 256 << 20
)

var errDamaged = errors.New("damaged snapshot or backup")

// records yields the parts of a state in their fixed order.
func (s *State) records() iter.Seq[*pb.MetaRecord] {
	return func(yield func(*pb.MetaRecord) bool) {
		head := &pb.MetaHead{
			Index: s.Index, TimeMs: s.Time.UnixMilli(), ClusterId: s.ClusterID, Epoch: s.Epoch, Leader: s.Leader,
			CatalogsVersion: s.CatalogsVersion, IntentsVersion: s.IntentsVersion, SettingsVersion: s.SettingsVersion,
			SeenFrom: s.seenFrom, BeforeFrom: s.beforeFrom,
		}
		if !yield(&pb.MetaRecord{Record: &pb.MetaRecord_Head{Head: head}}) {
			return
		}
		for c := range s.Catalogs() {
			if !yield(&pb.MetaRecord{Record: &pb.MetaRecord_Catalog{Catalog: c}}) {
				return
			}
		}
		for i := range s.Intents() {
			if !yield(&pb.MetaRecord{Record: &pb.MetaRecord_Intent{Intent: i}}) {
				return
			}
		}
		for name, value := range s.Settings() {
			if !yield(&pb.MetaRecord{Record: &pb.MetaRecord_Setting{Setting: &pb.MetaPutSetting{Name: name, Value: value}}}) {
				return
			}
		}
		for q := range s.Queries() {
			if !yield(&pb.MetaRecord{Record: &pb.MetaRecord_Query{Query: q.whole()}}) {
				return
			}
		}
		s.seenRecords(yield)
	}
}

func (s *State) seenRecords(yield func(*pb.MetaRecord) bool) {
	for o := range s.before.Values() {
		o = &pb.MetaSeen{Id: o.Id, Index: o.Index, Code: o.Code, Message: o.Message, Before: true}
		if !yield(&pb.MetaRecord{Record: &pb.MetaRecord_Seen{Seen: o}}) {
			return
		}
	}
	for o := range s.seen.Values() {
		if !yield(&pb.MetaRecord{Record: &pb.MetaRecord_Seen{Seen: o}}) {
			return
		}
	}
}

// whole returns the query as one message.
func (q *Query) whole() *pb.MetaQuery {
	return q.with(func(h *pb.MetaQuery) {
		for p := range q.Placements() {
			h.Placements = append(h.Placements, p)
		}
		for c := range q.Commits() {
			h.Commits = append(h.Commits, c)
		}
	}).MetaQuery
}

// writeTo streams the state to w.
func (s *State) writeTo(w io.Writer) error {
	sum := sha256.New()
	out := bufio.NewWriterSize(io.MultiWriter(w, sum), 64<<10)
	out.WriteString(snapshotMagic)
	out.Write(binary.BigEndian.AppendUint32(nil, snapshotVersion))
	var buf []byte
	for r := range s.records() {
		var err error
		if buf, err = (proto.MarshalOptions{Deterministic: true}).MarshalAppend(buf[:0], r); err != nil {
			return err
		}
		out.Write(binary.AppendUvarint(nil, uint64(len(buf))))
		out.Write(buf)
	}
	out.WriteByte(0)
	if err := out.Flush(); err != nil {
		return err
	}
	_, err := w.Write(sum.Sum(nil))
	return err
}

// summed is a reader that hashes what passes.
type summed struct {
	*bufio.Reader
	sum hash.Hash
}

func (r *summed) full(b []byte) error {
	if _, err := io.ReadFull(r.Reader, b); err != nil {
		return fmt.Errorf("%w: it ends early: %w", errDamaged, err)
	}
	r.sum.Write(b) // never fails
	return nil
}

// length reads a record's length, byte by byte so that it is hashed.
func (r *summed) length() (uint64, error) {
	var n uint64
	for shift := 0; shift < 35; shift += 7 {
		var b [1]byte
		if err := r.full(b[:]); err != nil {
			return 0, err
		}
		n |= uint64(b[0]&0x7f) << shift
		if b[0] < 0x80 {
			if n > maxRecord {
				break
			}
			return n, nil
		}
	}
	return 0, fmt.Errorf("%w: a record of impossible length", errDamaged)
}

// readState reads what writeTo wrote, and returns an error unless it is whole.
func readState(from io.Reader) (*State, error) {
	r := &summed{bufio.NewReaderSize(from, 64<<10), sha256.New()}
	if err := r.begin(); err != nil {
		return nil, err
	}
	s := &State{}
	var buf bytes.Buffer
	for first := true; ; first = false {
		n, err := r.length()
		if err != nil {
			return nil, err
		}
		if n == 0 {
			break
		}
		// Through a buffer that grows as bytes arrive: the length alone is not
		// to be trusted with an allocation.
		buf.Reset()
		if _, err := io.CopyN(io.MultiWriter(&buf, r.sum), r.Reader, int64(n)); err != nil {
			return nil, fmt.Errorf("%w: it ends early: %w", errDamaged, err)
		}
		if err := s.record(buf.Bytes(), first); err != nil {
			return nil, err
		}
	}
	want, got := r.sum.Sum(nil), make([]byte, sha256.Size)
	if err := r.full(got); err != nil {
		return nil, err
	}
	if !bytes.Equal(want, got) {
		return nil, fmt.Errorf("%w: its checksum is wrong", errDamaged)
	}
	if _, err := r.ReadByte(); !errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("%w: something follows its end", errDamaged)
	}
	return s, nil
}

func (r *summed) begin() error {
	start := make([]byte, len(snapshotMagic)+4)
	if err := r.full(start); err != nil {
		return err
	}
	if string(start[:len(snapshotMagic)]) != snapshotMagic {
		return fmt.Errorf("%w: it does not begin like one", errDamaged)
	}
	if v := binary.BigEndian.Uint32(start[len(snapshotMagic):]); v != snapshotVersion {
		return fmt.Errorf("not supported: version %d of snapshots, this release knows %d", v, snapshotVersion)
	}
	return nil
}

// record adds one record to a state that is being read.
func (s *State) record(b []byte, first bool) error {
	r := &pb.MetaRecord{}
	if err := proto.Unmarshal(b, r); err != nil {
		return fmt.Errorf("%w: %w", errDamaged, err)
	}
	head, isHead := r.Record.(*pb.MetaRecord_Head)
	if isHead != first {
		return fmt.Errorf("%w: the head is not where it belongs", errDamaged)
	}
	switch k := r.Record.(type) {
	case *pb.MetaRecord_Head:
		s.head(head.Head)
	case *pb.MetaRecord_Catalog:
		s.catalogs = s.catalogs.With(k.Catalog.GetName(), k.Catalog)
	case *pb.MetaRecord_Intent:
		s.intents = s.intents.With(k.Intent.GetNode(), k.Intent)
	case *pb.MetaRecord_Setting:
		if err := checkSetting(k.Setting.GetName(), k.Setting.GetValue()); err != nil {
			return fmt.Errorf("%w: setting %s: %w", errDamaged, k.Setting.GetName(), err)
		}
		s.settings = s.settings.With(k.Setting.GetName(), k.Setting.GetValue())
	case *pb.MetaRecord_Query:
		s.readQuery(k.Query)
	case *pb.MetaRecord_Seen:
		s.readSeen(k.Seen)
	default:
		return fmt.Errorf("%w: it is of a newer release", errDamaged)
	}
	return nil
}

func (s *State) head(h *pb.MetaHead) {
	s.Index, s.Time, s.ClusterID, s.Epoch, s.Leader = h.GetIndex(), time.UnixMilli(h.GetTimeMs()), h.GetClusterId(), h.GetEpoch(), h.GetLeader()
	s.CatalogsVersion, s.IntentsVersion, s.SettingsVersion = h.GetCatalogsVersion(), h.GetIntentsVersion(), h.GetSettingsVersion()
	s.seenFrom, s.beforeFrom = h.GetSeenFrom(), h.GetBeforeFrom()
}

func (s *State) readQuery(m *pb.MetaQuery) {
	q := (&Query{MetaQuery: m}).with(func(*pb.MetaQuery) {})
	for _, p := range m.GetPlacements() {
		q.placements = q.placements.With(taskKey(p.Stage, p.Task), p)
	}
	for _, c := range m.GetCommits() {
		q.commits = q.commits.With(taskKey(c.Stage, c.Task), c)
	}
	s.queries = s.queries.With(q.Id, q)
	if q.Ended() {
		s.ended = s.ended.With(endedKey(q.MetaQuery), q.Id)
	}
}

func (s *State) readSeen(o *pb.MetaSeen) {
	if o.GetBefore() {
		s.before = s.before.With(o.Id, &pb.MetaSeen{Id: o.Id, Index: o.Index, Code: o.Code, Message: o.Message})
		return
	}
	s.seen = s.seen.With(o.GetId(), o)
}
