package objstore

import (
	"context"
	"strings"
	"time"
)

// pager cuts an ordered stream of objects into pages, folding what lies below
// the next "/" when the listing is flat. Mem and File list through it.
type pager struct {
	opts    ListOptions
	ctx     context.Context // of the one List call that owns the pager
	url     string
	metrics *Metrics
	yield   func(Page, error) bool
	start   time.Time // when work on the present page began

	page Page
	last string // the last folded prefix
}

// add appends an object, which must follow the one before in key order. It
// reports false when the loop is over.
func (p *pager) add(info ObjectInfo) bool {
	if info.Key <= p.opts.StartAfter && p.opts.StartAfter != "" {
		return true
	}
	if p.opts.Flat {
		rest := info.Key[len(p.opts.Prefix):]
		if i := strings.IndexByte(rest, '/'); i >= 0 {
			return p.addPrefix(info.Key[:len(p.opts.Prefix)+i+1])
		}
	}
	p.page.Objects = append(p.page.Objects, info)
	return p.flushFull()
}

// addPrefix appends a folder of a flat listing, once.
func (p *pager) addPrefix(prefix string) bool {
	if prefix == p.last {
		return true
	}
	p.last = prefix
	p.page.Prefixes = append(p.page.Prefixes, prefix)
	return p.flushFull()
}

func (p *pager) flushFull() bool {
	if len(p.page.Objects)+len(p.page.Prefixes) < pageSize {
		return true
	}
	return p.flush()
}

// flush yields the page gathered so far, if there is anything in it.
func (p *pager) flush() bool {
	if p.ctx.Err() != nil {
		return p.fail(ctxErr(p.ctx, nameOf(p.url, p.opts.Prefix)))
	}
	p.metrics.sent(false)
	p.metrics.done(opList, p.start, nil)
	page := p.page
	p.page = Page{}
	if len(page.Objects)+len(page.Prefixes) == 0 {
		return true
	}
	more := p.yield(page, nil)
	p.start = time.Now()
	return more
}

// fail ends the listing with err.
func (p *pager) fail(err error) bool {
	p.metrics.done(opList, p.start, err)
	p.yield(Page{}, err)
	return false
}
