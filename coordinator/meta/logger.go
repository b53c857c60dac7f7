package meta

import (
	"context"
	"log/slog"

	"github.com/hashicorp/go-hclog"
)

// logger hands raft's log lines to slog. What raft calls information (every
// snapshot and vote) is a detail here: whoever leads is logged by the node.
type logger struct {
	hclog.Logger // what raft does not use does nothing
	log          *slog.Logger
}

func newLogger(l *slog.Logger) hclog.Logger { return logger{hclog.NewNullLogger(), l} }

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
	l.log.Log(context.Background(), level(at), "raft: "+msg, args...)
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

func (l logger) With(args ...any) hclog.Logger  { return logger{l.Logger, l.log.With(args...)} }
func (l logger) Named(string) hclog.Logger      { return l }
func (l logger) ResetNamed(string) hclog.Logger { return l }
func (l logger) GetLevel() hclog.Level          { return hclog.Info }
