package lineedit

import (
	"slices"
	"strings"
)

// search is an incremental search backwards through the history.
type search struct {
	query  []rune
	at     int    // the entry shown
	failed bool   // nothing further back matches
	before []rune // the input when the search began, and its place
	pos    int
	start  int
}

func (s *search) prompt() string {
	state := "search"
	if s.failed {
		state = "no match"
	}
	return "(" + state + ": " + drawn(s.query) + ") "
}

func (e *Editor) startSearch() {
	e.edits[e.at] = slices.Clone(e.buf)
	e.search = &search{at: e.at, before: slices.Clone(e.buf), pos: e.pos, start: e.at}
}

// searchKey acts on a key during a search and reports whether it was one of
// the search's. Any other key ends the search with what it found, and is then
// handled as usual: Enter runs it, arrows edit it.
func (e *Editor) searchKey(k key) bool {
	s := e.search
	switch k.code {
	case keyRune:
		s.query = append(s.query, k.r)
		e.find(s.at)
	case keyBackspace:
		if len(s.query) > 0 {
			s.query = s.query[:len(s.query)-1]
		}
		e.find(s.start - 1)
	case keySearch:
		e.find(s.at - 1)
	case keyAbort, keyInterrupt:
		e.buf, e.pos, e.at = s.before, s.pos, s.start
		e.search = nil
	case keyEscape, keyNone:
		e.search = nil
	default:
		e.search = nil
		return false
	}
	return true
}

// find shows the newest entry that holds the query, from entry i backwards.
// Case counts only if the query has upper-case letters.
func (e *Editor) find(i int) {
	s := e.search
	query := string(s.query)
	fold := query == strings.ToLower(query)
	s.failed = false
	if query == "" {
		return
	}
	for i = min(i, e.cfg.History.Len()-1); i >= 0; i-- {
		text := e.cfg.History.At(i)
		hay := text
		if fold {
			hay = strings.ToLower(text)
		}
		if j := strings.Index(hay, query); j >= 0 {
			s.at, e.at = i, i
			e.replace([]rune(text))
			e.pos = min(len([]rune(hay[:j])), len(e.buf))
			return
		}
	}
	s.failed = true
}
