package journal

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"time"

	"github.com/klauspost/compress/zstd"
	"google.golang.org/protobuf/proto"

	"github.com/tuttidb/tutti/coordinator"
	"github.com/tuttidb/tutti/internal/qerr"
	"github.com/tuttidb/tutti/planner/plan"
	pb "github.com/tuttidb/tutti/proto/tutti/v1"
)

const (
	// packAbove is the size from which what is written is compressed.
	packAbove = 8 << 10
	// maxUnpacked bounds what is read; coordinators write less.
	maxUnpacked = 256 << 20
	// shownText is how much of a statement's text the log keeps after its end.
	shownText = 8 << 10
)

// The first byte of what was packed.
const (
	plainBytes = iota
	zstdBytes
)

// codec turns what is known of queries into bytes and back.
type codec struct {
	zip   *zstd.Encoder // EncodeAll and DecodeAll may be called by several at once
	unzip *zstd.Decoder
}

func newCodec() (*codec, error) {
	// Neither takes memory before it is used.
	zip, err := zstd.NewWriter(nil, zstd.WithEncoderLevel(zstd.SpeedFastest), zstd.WithEncoderConcurrency(2), zstd.WithLowerEncoderMem(true))
	if err != nil {
		return nil, err
	}
	unzip, err := zstd.NewReader(nil, zstd.WithDecoderConcurrency(2), zstd.WithDecoderMaxMemory(maxUnpacked))
	return &codec{zip, unzip}, err
}

// pack returns bytes as they are written: compressed where that pays.
func (c *codec) pack(b []byte) []byte {
	if len(b) >= packAbove {
		if out := c.zip.EncodeAll(b, append(make([]byte, 0, len(b)/2), zstdBytes)); len(out) < len(b) {
			return out
		}
	}
	return append(append(make([]byte, 0, len(b)+1), plainBytes), b...)
}

// unpack is pack's inverse. The result may share b's memory.
func (c *codec) unpack(b []byte) ([]byte, error) {
	switch {
	case len(b) == 0:
		return nil, errors.New("nothing was written")
	case b[0] == plainBytes:
		return b[1:], nil
	case b[0] == zstdBytes:
		return c.unzip.DecodeAll(b[1:], nil)
	}
	return nil, fmt.Errorf("written in form %d, which this release does not know", b[0])
}

// request is a statement as it is written: JSON, of which a reader leaves out
// fields that it does not know.
type request struct {
	SQL        string
	Session    coordinator.Session
	Created    time.Time
	Parametric bool     `json:",omitempty"`
	Encodings  []string `json:",omitempty"`
}

func (c *codec) request(st *Statement) ([]byte, error) {
	b, err := json.Marshal(request{st.Request.SQL, st.Request.Session, st.Created, st.Parametric, st.Encodings})
	if err != nil {
		return nil, fmt.Errorf("query %s: %w", st.ID, err)
	}
	return c.pack(b), nil
}

// run returns what only a running query needs.
func (c *codec) run(st *Statement, p *pb.MetaPlan) ([]byte, error) {
	r, err := c.request(st)
	if err != nil {
		return nil, err
	}
	return proto.Marshal(&pb.MetaRun{Request: r, Plan: p})
}

// accepted is a statement as the memory has it.
func (c *codec) accepted(st *Statement) (*pb.MetaQuery, error) {
	b, err := c.run(st, nil)
	return &pb.MetaQuery{Id: string(st.ID), Slug: st.Slug, Plan: b, CreatedMs: st.Created.UnixMilli()}, err
}

// logged is a statement as the log has it: with what is shown of it when it
// has ended beside what only its run needs.
func (c *codec) logged(st *Statement, p *pb.MetaPlan) (*pb.MetaQuery, error) {
	m, err := c.accepted(st)
	if err != nil {
		return nil, err
	}
	s := st.Request.Session
	m.User, m.Sql = s.User, shortened(st.Request.SQL)
	shown := coordinator.Session{Source: s.Source, Catalog: s.Catalog, Schema: s.Schema, TimeZone: s.TimeZone, RemoteAddress: s.RemoteAddress}
	if m.Session, err = json.Marshal(shown); err != nil {
		return nil, err
	}
	if p != nil {
		m.State = pb.MetaQueryState_META_QUERY_STATE_PLANNED
		m.Plan, err = c.run(st, p)
	}
	return m, err
}

// shortened returns the beginning of a text, whole characters.
func shortened(text string) string {
	if len(text) <= shownText {
		return text
	}
	end := shownText
	for end > 0 && text[end]&0xC0 == 0x80 {
		end--
	}
	return text[:end] + "…"
}

// readRun fills in what accepted or logged wrote.
func (c *codec) readRun(m *pb.MetaQuery, into *Entry) error {
	var r pb.MetaRun
	if err := proto.Unmarshal(m.Plan, &r); err != nil {
		return err
	}
	b, err := c.unpack(r.Request)
	if err != nil {
		return err
	}
	var q request
	if err := json.Unmarshal(b, &q); err != nil {
		return err
	}
	into.Statement = Statement{
		ID: plan.QueryID(m.Id), Slug: m.Slug, Request: coordinator.Request{SQL: q.SQL, Session: q.Session},
		Created: q.Created, Parametric: q.Parametric, Encodings: q.Encodings,
	}
	into.Known = true
	if r.Plan != nil {
		return c.readPlan(r.Plan, into)
	}
	return nil
}

func (c *codec) readPlan(m *pb.MetaPlan, into *Entry) error {
	b, err := c.unpack(m.Plan)
	if err != nil {
		return err
	}
	into.Plan, into.PlanVersion, into.Catalogs = b, m.Version, m.Catalogs
	return nil
}

// page is a page as the memory has it.
func (c *codec) page(id plan.QueryID, slug string, p *Page) *pb.MetaPage {
	m := &pb.MetaPage{Query: string(id), Slug: slug, Token: p.Token, Last: p.Last, Packed: p.Packed, Rows: p.Rows, Epoch: p.Epoch}
	for _, name := range sortedNames(p.Header) {
		m.Headers = append(m.Headers, &pb.MetaHeader{Name: name, Values: p.Header[name]})
	}
	if p.Failure != nil {
		m.Failure = encodeError(p.Failure)
	}
	if p.Gone || p.Token == 0 {
		return m
	}
	if m.Body = c.pack(p.Body); len(m.Body) > maxBody {
		m.Body = nil
	}
	return m
}

func sortedNames(h http.Header) []string {
	names := make([]string, 0, len(h))
	for name := range h {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

func (c *codec) readPage(m *pb.MetaPage, into *Entry) error {
	into.ID, into.Slug = plan.QueryID(m.Query), m.Slug
	if m.Failure != nil {
		into.Failure = decodeError(m.Failure)
	}
	if m.Token == 0 {
		return nil
	}
	p := &Page{Token: m.Token, Last: m.Last, Packed: m.Packed, Rows: m.Rows, Epoch: m.Epoch, Header: http.Header{}, Gone: len(m.Body) == 0}
	if m.Last {
		p.Failure = into.Failure
	}
	for _, h := range m.Headers {
		p.Header[h.Name] = h.Values
	}
	if !p.Gone {
		var err error
		if p.Body, err = c.unpack(m.Body); err != nil {
			return err
		}
	}
	into.Page, into.coded = p, m
	return nil
}

// wireError is an error as it is written.
type wireError struct {
	Name         string
	Number       int
	Kind         int
	Message      string
	Line, Column int  `json:",omitempty"`
	Retryable    bool `json:",omitempty"`
}

func encodeError(e *qerr.Error) []byte {
	b, err := json.Marshal(wireError{e.Code.Name, e.Code.Number, int(e.Code.Kind), e.Message, e.Pos.Line, e.Pos.Column, e.Retryable})
	if err != nil {
		return []byte("{}") // strings and numbers can be encoded
	}
	return b
}

func decodeError(b []byte) *qerr.Error {
	var w wireError
	if err := json.Unmarshal(b, &w); err != nil || w.Name == "" {
		return qerr.New(qerr.GenericInternal, "the query failed; its error cannot be read")
	}
	return &qerr.Error{
		Code: qerr.Code{Number: w.Number, Name: w.Name, Kind: qerr.Kind(w.Kind)}, Message: w.Message,
		Pos: qerr.Pos{Line: w.Line, Column: w.Column}, Retryable: w.Retryable,
	}
}
