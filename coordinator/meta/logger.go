package meta

import (
	"context"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"time"

	"github.com/hashicorp/go-hclog"
)

// logger hands raft's log lines to slog. What raft calls information (every
// snapshot and vote) is a detail here: whoever leads is logged by the node.
type logger struct {
	hclog.Logger // what raft does not use does nothing
	log          *slog.Logger
	alone        bool // there are no peers
	told         *told
}

func newLogger(l *slog.Logger, alone bool) hclog.Logger {
	return logger{hclog.NewNullLogger(), l, alone, &told{last: map[string]time.Time{}, now: time.Now}}
}

// electing begins what raft says when it stands for leader. Who is alone does
// so at every start.
const electing = "heartbeat timeout reached"

// tellAgain is how often the same is said of a peer that does not answer:
// raft says it twice a second.
const tellAgain = time.Minute

// told remembers what was said of which peer, so that it is not said all the
// time.
type told struct {
	mu   sync.Mutex
	last map[string]time.Time
	now  func() time.Time
}

// again reports whether a line about a peer that does not answer was written
// not long ago.
func (t *told) again(msg string, args []any) bool {
	if !strings.HasPrefix(msg, "failed to ") {
		return false
	}
	key := msg
	for i := 0; i+1 < len(args); i += 2 {
		if args[i] == "peer" || args[i] == "target" || args[i] == "server-id" {
			key += fmt.Sprint(" ", args[i+1])
		}
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	now := t.now()
	if at, ok := t.last[key]; ok && now.Sub(at) < tellAgain {
		return true
	}
	t.last[key] = now
	return false
}

func level(l hclog.Level) slog.Level {
	switch {
	case l >= hclog.Error:
		return slog.LevelError
	case l == hclog.Warn:
		return slog.LevelWarn
	default:
		return slog.LevelDebug
	}
}

// Log writes one line.
func (l logger) Log(at hclog.Level, msg string, args ...any) {
	to := level(at)
	if l.alone && strings.HasPrefix(msg, electing) || to > slog.LevelDebug && l.told.again(msg, args) {
		to = slog.LevelDebug
	}
	l.log.Log(context.Background(), to, "raft: "+msg, args...)
}

func (l logger) Trace(string, ...any)          {}
func (l logger) Debug(msg string, args ...any) { l.Log(hclog.Debug, msg, args...) }
func (l logger) Info(msg string, args ...any)  { l.Log(hclog.Info, msg, args...) }
func (l logger) Warn(msg string, args ...any)  { l.Log(hclog.Warn, msg, args...) }
func (l logger) Error(msg string, args ...any) { l.Log(hclog.Error, msg, args...) }

func (l logger) enabled(at slog.Level) bool { return l.log.Enabled(context.Background(), at) }

func (l logger) IsTrace() bool { return false }
func (l logger) IsDebug() bool { return l.enabled(slog.LevelDebug) }
func (l logger) IsInfo() bool  { return l.enabled(slog.LevelDebug) }
func (l logger) IsWarn() bool  { return l.enabled(slog.LevelWarn) }
func (l logger) IsError() bool { return l.enabled(slog.LevelError) }

func (l logger) With(args ...any) hclog.Logger {
	return logger{l.Logger, l.log.With(args...), l.alone, l.told}
}
func (l logger) Named(string) hclog.Logger      { return l }
func (l logger) ResetNamed(string) hclog.Logger { return l }
func (l logger) GetLevel() hclog.Level          { return hclog.Info }
