package kernel

import (
	"github.com/tuttidb/tutti/sql/function"
	"github.com/tuttidb/tutti/sql/types"
)

// dateFormatKernels are the functions between dates and text.
var dateFormatKernels = map[string]builder{
	"date_format": formatKernel(mysqlLayout), "format_datetime": formatKernel(jodaLayout),
	"date_parse": parseKernel(mysqlLayout), "parse_datetime": parseKernel(jodaLayout),
	"from_iso8601_date": rowwise(fromISODate), "from_iso8601_timestamp": fromISOTimestamp,
	"to_iso8601": toISO,
}

// layouts compiles formats, remembering the last.
type layouts struct {
	compile func(string) (layout, error)
	text    string
	l       layout
}

func (ls *layouts) get(text []byte) (layout, error) {
	if ls.l != nil && ls.text == string(text) {
		return ls.l, nil
	}
	l, err := ls.compile(string(text))
	if err == nil && l != nil {
		ls.text, ls.l = string(text), l
	}
	return l, err
}

func formatKernel(compile func(string) (layout, error)) builder {
	return func(fn *function.Scalar, _ *binding) (kern, error) {
		if k := fn.Args[0].Kind; k != types.Timestamp && k != types.TimestampTZ {
			return kern{}, unsupported(fn)
		}
		joda := fn.Name == "format_datetime"
		ls := layouts{compile: compile}
		return rowKern(func(c *call) func(i int) error {
			at, formats := momentArg(c, true), c.bytes(1)
			return func(i int) error {
				l, err := ls.get(formats.at(i))
				if err != nil {
					return err
				}
				if joda && fn.Args[0].Kind == types.Timestamp && l.hasZone() {
					return invalid("format_datetime for TIMESTAMP type, cannot use 'Z' nor 'z' in format, as this type does not contain TZ information")
				}
				c.buf = l.append(c.buf[:0], at(i))
				return c.out.putBytes(i, c.buf)
			}
		}), nil
	}
}

// momentArg takes the first argument, a timestamp of either kind, apart;
// rounded says to round it to milliseconds first.
func momentArg(c *call, rounded bool) func(i int) moment {
	t := c.args[0].Type
	per := t.UnitsPerSecond()
	step := int64(1)
	if rounded {
		step = per / 1000
	}
	split := func(local int64) moment {
		local = types.FloorDiv(local+step/2, step) * step
		days := types.FloorDiv(local, per*86400)
		return moment{days: days, nanos: (local - days*per*86400) * (1e9 / per)}
	}
	if t.Kind == types.Timestamp {
		a := arg[int64](c, 0)
		return func(i int) moment { return split(a.at(i)) }
	}
	a := arg[types.Int128](c, 0)
	return func(i int) moment {
		v := a.at(i)
		m := split(types.LocalTimestamp(v, t))
		m.zone, m.sec = v.Hi, types.FloorDiv(v.Int64(), per)
		return m
	}
}

func parseKernel(compile func(string) (layout, error)) builder {
	return func(fn *function.Scalar, b *binding) (kern, error) {
		t, session := fn.Result, b.env.Session.Zone
		per := t.UnitsPerSecond()
		ls := layouts{compile: compile}
		return rowKern(func(c *call) func(i int) error {
			s, formats := c.bytes(0), c.bytes(1)
			put := putLocal(c)
			return func(i int) error {
				l, err := ls.get(formats.at(i))
				if err != nil {
					return err
				}
				text := string(s.at(i))
				p, err := l.parse(text)
				if err != nil {
					return err
				}
				days, nanos, err := p.local(text)
				if err != nil {
					return err
				}
				zone := session
				if p.hasZone {
					zone = p.zone
				}
				// Both functions have milliseconds; further digits are dropped.
				put(i, days*86400*per+nanos/1e6*per/1000, zone)
				return nil
			}
		}), nil
	}
}

// putLocal writes a local time as the result's kind of timestamp.
func putLocal(c *call) func(i int, local, zone int64) {
	if c.typ.Kind == types.Timestamp {
		res := out[int64](c.out)
		return func(i int, local, _ int64) { res[i] = local }
	}
	res := out[types.Int128](c.out)
	return func(i int, local, zone int64) { res[i] = zoned(types.UTCOfLocal(local, c.typ, zone), zone) }
}

func fromISODate(c *call) func(i int) error {
	s, res := c.bytes(0), out[int32](c.out)
	return func(i int) error {
		days, err := parseISODate(string(s.at(i)))
		res[i] = int32(days)
		return err
	}
}

func fromISOTimestamp(_ *function.Scalar, b *binding) (kern, error) {
	session := b.env.Session.Zone
	return rowKern(func(c *call) func(i int) error {
		s, res := c.bytes(0), out[types.Int128](c.out)
		return func(i int) (err error) {
			res[i], err = parseISOTimestamp(string(s.at(i)), session)
			return err
		}
	}), nil
}

func toISO(fn *function.Scalar, _ *binding) (kern, error) {
	t := fn.Args[0]
	return rowKern(func(c *call) func(i int) error {
		if t.Kind == types.Date {
			a := c.ints(0)
			return func(i int) error {
				c.buf = types.AppendDate(c.buf[:0], a(i))
				return c.out.putBytes(i, c.buf)
			}
		}
		at := momentArg(c, false)
		return func(i int) error {
			m := at(i)
			c.buf = append(types.AppendDate(c.buf[:0], m.days), 'T')
			c.buf = types.AppendTime(c.buf, m.nanos, t.P)
			if t.Kind == types.TimestampTZ {
				c.buf = append(c.buf, isoZone(m)...)
			}
			return c.out.putBytes(i, c.buf)
		}
	}), nil
}

func isoZone(m moment) string {
	minutes := types.ZoneOffset(m.zone, m.sec) / 60
	if minutes == 0 {
		return "Z"
	}
	return types.OffsetText(minutes)
}
