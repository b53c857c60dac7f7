package analyzer

import (
	"strconv"
	"strings"

	"github.com/tuttidb/tutti/internal/qerr"
	"github.com/tuttidb/tutti/sql/ast"
	"github.com/tuttidb/tutti/sql/expr"
	"github.com/tuttidb/tutti/sql/types"
)

func constant(v any, t types.Type) *expr.Const { return &expr.Const{Value: v, Typ: t} }

// literal binds a literal; anything else that is left is not known here.
func (b *binder) literal(e ast.Expression) (expr.Expr, error) {
	switch e := e.(type) {
	case *ast.NullLiteral:
		return &expr.Const{}, nil
	case *ast.BooleanLiteral:
		return constant(e.Value, boolean), nil
	case *ast.StringLiteral:
		return constant(e.Value, varcharOf(e.Value)), nil
	case *ast.BinaryLiteral:
		return constant(string(e.Value), types.Of(types.Varbinary)), nil
	case *ast.IntegerLiteral:
		if e.Value == int64(int32(e.Value)) {
			return constant(e.Value, types.Of(types.Integer)), nil
		}
		return constant(e.Value, bigint), nil
	case *ast.DecimalLiteral:
		return decimalLiteral(e.Text, e.Pos())
	case *ast.DoubleLiteral:
		return constant(e.Value, types.Of(types.Double)), nil
	case *ast.GenericLiteral:
		return b.genericLiteral(e)
	case *ast.IntervalLiteral:
		return intervalLiteral(e)
	}
	return nil, qerr.NotSupported(e.Pos(), "this expression: %s", textOf(e))
}

// varcharOf is the type of a string literal: as long as it is.
func varcharOf(s string) types.Type {
	n := int32(0)
	for range s {
		n++
	}
	return types.VarcharOf(n)
}

// decimalLiteral has the precision and scale of the digits as written, but
// for zeros in front.
func decimalLiteral(text string, pos qerr.Pos) (expr.Expr, error) {
	invalid := qerr.At(qerr.InvalidLiteral, pos, "'%s' is not a valid DECIMAL literal", text)
	digits := strings.TrimLeft(text, "+-")
	whole, frac, _ := strings.Cut(digits, ".")
	precision := len(strings.TrimLeft(whole, "0")) + len(frac)
	if whole == "" && frac == "" || strings.Trim(whole+frac, "0123456789") != "" || precision > types.MaxDecimal {
		return nil, invalid
	}
	t := types.DecimalOf(int32(max(precision, 1)), int32(len(frac)))
	v, _, ok := types.ParseDecimal([]byte(text), t.S)
	if !ok {
		return nil, invalid
	}
	if t.IsShortDecimal() {
		return constant(v.Int64(), t), nil
	}
	return constant(v, t), nil
}

// intervalFields are the fields of package ast as those of package types.
var intervalFields = [...]types.IntervalField{
	ast.Year: types.YearField, ast.Month: types.MonthField, ast.Day: types.DayField,
	ast.Hour: types.HourField, ast.Minute: types.MinuteField, ast.Second: types.SecondField,
}

func intervalLiteral(e *ast.IntervalLiteral) (expr.Expr, error) {
	to := e.To
	if to == ast.NoField {
		to = e.From
	} else if e.From >= to || e.From == ast.Month {
		return nil, qerr.At(qerr.InvalidLiteral, e.Pos(), "Invalid interval qualifier: %s TO %s", e.From, to)
	}
	t, parse := types.Of(types.IntervalDay), types.ParseIntervalDay
	if e.From <= ast.Month {
		t, parse = types.Of(types.IntervalYear), types.ParseIntervalYear
	}
	v, ok := parse(e.Value, intervalFields[e.From], intervalFields[to])
	if !ok {
		fields := e.From.String()
		if e.To != ast.NoField {
			fields += " TO " + e.To.String()
		}
		return nil, qerr.At(qerr.InvalidLiteral, e.Pos(), "Invalid INTERVAL %s value: %s", fields, e.Value)
	}
	if e.Negative {
		v = -v
	}
	return constant(v, t), nil
}

// genericLiteral is a type's name in front of a string.
func (b *binder) genericLiteral(e *ast.GenericLiteral) (expr.Expr, error) {
	c, known := b.a.typedLiteral(e)
	if !known {
		return nil, qerr.At(qerr.TypeNotFound, e.Pos(), "Unknown type: %s", e.Type)
	}
	if c == nil && e.Type == "time" && zonedTime(e.Value) {
		return nil, qerr.NotSupported(e.Pos(), "time with time zone")
	}
	if c == nil && e.Type == "timestamp" && fractionDigits(e.Value) > 6 && b.a.coarse(e) {
		return nil, qerr.NotSupported(e.Pos(), "fractions finer than microseconds of years before 1678 or after 2261")
	}
	if c == nil {
		return nil, qerr.At(qerr.InvalidLiteral, e.Pos(), "'%s' is not a valid %s literal", e.Value, upper(e.Type))
	}
	if c.Typ.P > types.MaxTimePrecision && (c.Typ.Kind == types.Timestamp || c.Typ.Kind == types.TimestampTZ || c.Typ.Kind == types.Time) {
		return nil, qerr.NotSupported(e.Pos(), "fractions of a second finer than nanoseconds")
	}
	return c, nil
}

// typedLiteral returns the constant, or nil if the text is not one of the
// type; known is false for a type that has no literals.
func (a *Analyzer) typedLiteral(e *ast.GenericLiteral) (c *expr.Const, known bool) {
	text := e.Value
	switch e.Type {
	case "bigint", "integer", "int", "smallint", "tinyint":
		return integerLiteral(e.Type, text), true
	case "double", "double precision":
		f, ok := types.ParseDouble(strings.TrimSpace(text), 64)
		return valid(ok, f, types.Of(types.Double)), true
	case "real":
		f, ok := types.ParseDouble(strings.TrimSpace(text), 32)
		return valid(ok, float32(f), types.Of(types.Real)), true
	case "decimal", "numeric":
		d, err := decimalLiteral(text, e.Pos())
		if err != nil {
			return nil, true
		}
		return d.(*expr.Const), true
	case "boolean":
		v, ok := parseBoolean(text)
		return valid(ok, v, boolean), true
	case "char":
		return constant(strings.TrimRight(text, " "), types.CharOf(varcharOf(text).P)), true
	case "varchar":
		return constant(text, types.VarcharType()), true
	case "varbinary":
		return constant(text, types.Of(types.Varbinary)), true
	case "json":
		return jsonLiteral(text), true
	case "uuid":
		v, ok := types.ParseUUID([]byte(text))
		return valid(ok, v, types.Of(types.UUID)), true
	}
	return a.timeLiteral(e.Type, text)
}

func valid(ok bool, v any, t types.Type) *expr.Const {
	if !ok {
		return nil
	}
	return constant(v, t)
}

func integerLiteral(name, text string) *expr.Const {
	t, bits := bigint, 64
	switch name {
	case "integer", "int":
		t, bits = types.Of(types.Integer), 32
	case "smallint":
		t, bits = types.Of(types.SmallInt), 16
	case "tinyint":
		t, bits = types.Of(types.TinyInt), 8
	}
	n, err := strconv.ParseInt(text, 10, bits)
	return valid(err == nil, n, t)
}

// parseBoolean reads what CAST(varchar AS boolean) does.
func parseBoolean(s string) (v, ok bool) {
	switch strings.ToLower(s) {
	case "t", "true", "1":
		return true, true
	case "f", "false", "0":
		return false, true
	}
	return false, false
}

// timeLiteral is a date, time or timestamp.
func (a *Analyzer) timeLiteral(name, text string) (c *expr.Const, known bool) {
	switch name {
	case "date":
		days, ok := types.ParseDate([]byte(text))
		return valid(ok, days, types.Of(types.Date)), true
	case "time":
		t := types.TimeOf(fractionDigits(text))
		n, ok := types.ParseTime([]byte(text), min(t.P, types.MaxTimePrecision))
		return valid(ok, n, t), true
	case "timestamp":
		return a.timestampLiteral(text), true
	}
	return nil, false
}

// coarse reports whether the literal is a timestamp without the digits that do
// not fit.
func (a *Analyzer) coarse(e *ast.GenericLiteral) bool {
	at := strings.LastIndexByte(e.Value, '.')
	digits := int(fractionDigits(e.Value))
	return a.timestampLiteral(e.Value[:at+7]+e.Value[at+1+digits:]) != nil
}

// zonedTime reports whether text is a time with an offset behind it.
func zonedTime(text string) bool {
	at := strings.LastIndexAny(text, "+-")
	if at < 0 {
		return false
	}
	local := strings.TrimSpace(text[:at])
	_, ok := types.ParseTime([]byte(local), min(fractionDigits(local), types.MaxTimePrecision))
	return ok
}

func (a *Analyzer) timestampLiteral(text string) *expr.Const {
	p := fractionDigits(text)
	t := types.TimestampOf(p)
	local, zone, ok := types.ParseTimestamp([]byte(text), t)
	if !ok || strings.HasPrefix(text, "+") && zone == "" {
		return nil
	}
	if zone == "" {
		return constant(local, t)
	}
	tz := types.TimestampTZOf(p)
	v, ok := types.ParseTimestampTZ([]byte(text), tz, a.zone.key)
	return valid(ok, v, tz)
}

// fractionDigits counts the digits after the seconds' point.
func fractionDigits(s string) int32 {
	_, frac, _ := strings.Cut(s, ".")
	n := int32(0)
	for _, c := range frac {
		if c < '0' || c > '9' {
			break
		}
		n++
	}
	return n
}

// upper is the upper case of a type's or field's name.
func upper(s string) string { return strings.ToUpper(s) }
