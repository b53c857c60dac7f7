package journal

import (
	"context"
	"net/http"

	"github.com/tuttidb/tutti/coordinator/meta"
	"github.com/tuttidb/tutti/internal/qerr"
	"github.com/tuttidb/tutti/planner/plan"
	pb "github.com/tuttidb/tutti/proto/tutti/v1"
)

// Page is an answer with rows as its client saw it, or sees it next.
type Page struct {
	// Token names the page in its URI.
	Token  int64
	Header http.Header
	Body   []byte
	// Gone says that the body was too large to be remembered.
	Gone bool
	// Last says that nothing follows.
	Last bool
	// Packed says that the rows are compressed already.
	Packed bool
	// Rows is how many rows of the result were shown up to the page's end.
	Rows int64
	// Epoch is the leadership in which the last of these was shown; 0 where it is not
	// known. The journal sets it.
	Epoch uint64
	// Failure is the error that a last page tells, nil for none.
	Failure *qerr.Error
}

// Page writes down a page that is about to be shown. It must be shown as it was
// given only, even if the first tries to write it down failed: some may have it.
func (j *Journal) Page(ctx context.Context, id plan.QueryID, p *Page) error {
	if !j.on() {
		return nil
	}
	e := j.find(id)
	if e == nil {
		return nil // forgotten: nobody will ask for it
	}
	ctx, cancel := j.call(ctx)
	defer cancel()
	if err := j.planned(ctx, id, e); err != nil {
		return j.told(err)
	}
	release, err := e.take(ctx)
	if err != nil {
		return j.told(err)
	}
	defer release()
	m := j.codec.page(id, e.slug, p)
	j.mu.Lock()
	m.Epoch = j.cfg.Epoch
	if e.page != nil && e.page.Rows == m.Rows { // none is new
		m.Epoch = e.page.Epoch
	}
	if !m.Last && m.Failure == nil {
		m.Failure = e.bound
	}
	j.mu.Unlock()
	return j.told(j.rememberPage(ctx, id, e, m))
}

func (j *Journal) rememberPage(ctx context.Context, id plan.QueryID, e *entry, m *pb.MetaPage) error {
	var err error
	if m.Last {
		err = j.cfg.Memory.Settle(ctx, j.cfg.Epoch, meta.RememberPage(m, max(j.cfg.Keep, acceptedTTL)+slack))
	} else {
		err = j.cfg.Memory.Remember(ctx, j.cfg.Epoch, meta.RememberPage(m, j.cfg.ClientTimeout+slack))
	}
	if err != nil {
		return err
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.queries[id] == e {
		j.bytes += int64(len(m.Body)) - e.bytes
		e.bytes = int64(len(m.Body))
	}
	e.page = m
	if m.Last {
		e.settled, e.page = true, nil
		j.lighten(e)
	}
	return nil
}
