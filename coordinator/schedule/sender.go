package schedule

import (
	"context"
	"errors"
	"sync"

	"github.com/tuttidb/tutti/coordinator/query"
	"github.com/tuttidb/tutti/planner/plan"
)

// sender keeps the actions of one task in order.
type sender struct {
	mu    sync.Mutex
	queue []Action
	busy  bool
}

// send queues an action for its task's node.
func (l *Loop) send(ctx context.Context, s *sender, a Action) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.queue = append(s.queue, a)
	if s.busy {
		return
	}
	s.busy = true
	l.working.Add(1)
	go l.work(ctx, s)
}

// work carries out a task's actions until there are none.
func (l *Loop) work(ctx context.Context, s *sender) {
	defer l.working.Done()
	for {
		s.mu.Lock()
		if len(s.queue) == 0 {
			s.busy = false
			s.mu.Unlock()
			return
		}
		a := s.queue[0]
		s.queue = s.queue[1:]
		s.mu.Unlock()
		if a.discard {
			l.freed(ctx, a.Task.Place, l.deps.Client.Release(ctx, a.Task.Place, []plan.TaskID{a.Task.ID}))
			continue
		}
		if err := l.carryOut(ctx, a); err != nil {
			l.failed(ctx, a, err)
			return
		}
	}
}

// discard stops an attempt that does not count: after its start, if that is
// still on its way. It returns whether there is anybody who may have sent one.
func (l *Loop) discard(t *query.Task) bool {
	p, s := l.places[t.Place], l.senders[t.ID]
	if p == nil || p.gone || s == nil || t.Committed {
		return false
	}
	l.send(p.ctx, s, Action{Task: t, discard: true})
	return true
}

// sender returns who sends a task's actions.
func (l *Loop) sender(id plan.TaskID) *sender {
	s := l.senders[id]
	if s == nil {
		s = &sender{}
		l.senders[id] = s
	}
	return s
}

// failed tells the run of an action that could not be carried out.
func (l *Loop) failed(ctx context.Context, a Action, err error) {
	var refused *Refused
	var deposed *Deposed
	at := a.Task.Place
	if errors.As(err, &deposed) {
		l.post(ctx, depose(err))
		return
	}
	l.post(ctx, func(r *query.Run) {
		if errors.As(err, &refused) {
			r.Drain(at)
			r.Refuse(a.Task, nodeFailure(at.Node, err))
			return
		}
		l.lose(r, at, err)
	})
}

// carryOut does one action.
func (l *Loop) carryOut(ctx context.Context, a Action) error {
	if a.Start {
		return l.deps.Client.Start(ctx, a)
	}
	answer, err := l.deps.Client.Update(ctx, a)
	if err == nil && len(a.Update.Moved) > 0 {
		l.post(ctx, func(r *query.Run) { r.Reached(a.Task, a.Update.Moved) })
	}
	if err == nil && len(a.Update.TakeBack) > 0 {
		l.post(ctx, func(r *query.Run) { r.Return(a.Task, answer.Returned, answer.Started) })
	}
	return err
}
