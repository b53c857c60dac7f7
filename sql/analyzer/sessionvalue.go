package analyzer

import (
	"time"

	"github.com/tuttidb/tutti/internal/qerr"
	"github.com/tuttidb/tutti/sql/ast"
	"github.com/tuttidb/tutti/sql/expr"
	"github.com/tuttidb/tutti/sql/types"
)

// sessionZone is the session's time zone.
type sessionZone struct {
	key int64
	loc *time.Location
}

func (a *Analyzer) loadZone() error {
	if a.session.TimeZone == "" {
		a.zone = sessionZone{key: types.UTCZone, loc: time.UTC}
		return nil
	}
	key, ok := types.ZoneByName(a.session.TimeZone)
	if !ok {
		return qerr.New(qerr.InvalidSessionProperty, "Time zone not supported: %s", a.session.TimeZone)
	}
	a.zone = sessionZone{key: key, loc: types.ZoneLocation(key)}
	return nil
}

// parameter binds a ? to its value.
func (b *binder) parameter(e *ast.Parameter) (expr.Expr, error) {
	if b.a.describing {
		c := &expr.Const{}
		b.a.params[c] = e.Index
		return c, nil
	}
	if e.Index >= len(b.a.session.Parameters) {
		return nil, qerr.At(qerr.InvalidParameterUsage, e.Pos(),
			"Query takes more parameters than the %d given", len(b.a.session.Parameters))
	}
	return b.a.constants().expression(b.a.session.Parameters[e.Index])
}

// isParameter reports whether e stands for a parameter whose type is asked for.
func (a *Analyzer) isParameter(e expr.Expr) bool {
	c, ok := e.(*expr.Const)
	if !ok {
		return false
	}
	_, ok = a.params[c]
	return ok
}

// currentTime is the query's start in the session's zone.
func (a *Analyzer) currentTime(e *ast.CurrentTime) (expr.Expr, error) {
	p := int32(3)
	if e.Precision != nil {
		if *e.Precision > 12 {
			return nil, qerr.At(qerr.TypeMismatch, e.Pos(), "%s precision must be in range [0, 12]: %d", e.Function, *e.Precision)
		}
		if p = int32(*e.Precision); p > types.MaxTimePrecision {
			return nil, qerr.NotSupported(e.Pos(), "fractions of a second finer than nanoseconds")
		}
	}
	switch e.Function {
	case ast.CurrentDate:
		y, m, d := a.session.Start.In(a.zone.loc).Date()
		return constant(types.DaysOf(int64(y), int(m), d), types.Of(types.Date)), nil
	case ast.CurrentTimestamp:
		return a.now(p), nil
	case ast.LocalTimestamp:
		t := types.TimestampOf(p)
		return constant(types.LocalTimestamp(a.now(p).Value.(types.Int128), t), t), nil
	case ast.LocalTime:
		t := types.TimestampOf(types.MaxTimePrecision)
		local := types.LocalTimestamp(a.now(t.P).Value.(types.Int128), t)
		step := types.Pow10Int64(types.MaxTimePrecision - p)
		return constant(types.FloorMod(local, types.NanosPerDay)/step*step, types.TimeOf(p)), nil
	}
	return nil, qerr.NotSupported(e.Pos(), "CURRENT_TIME")
}

// now is the query's start with p fractional digits, cut.
func (a *Analyzer) now(p int32) *expr.Const {
	t := types.TimestampTZOf(p)
	nanos := a.session.Start.UnixNano()
	step := types.Pow10Int64(types.MaxTimePrecision - p)
	units := types.FloorDiv(nanos, step) * step / (1e9 / t.UnitsPerSecond())
	return constant(types.Int128{Lo: uint64(units), Hi: a.zone.key}, t)
}

func (a *Analyzer) sessionValue(e *ast.SessionValue) (expr.Expr, error) {
	switch e.Field {
	case ast.CurrentUser:
		return nullable(a.session.User), nil
	case ast.CurrentCatalog:
		return nullable(a.session.Catalog), nil
	case ast.CurrentSchema:
		return nullable(a.session.Schema), nil
	}
	return constant("", types.VarcharType()), nil
}

// nullable is a string that is null when not set.
func nullable(s string) expr.Expr {
	if s == "" {
		return &expr.Const{Typ: types.VarcharType()}
	}
	return constant(s, types.VarcharType())
}
