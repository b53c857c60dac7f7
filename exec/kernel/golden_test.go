package kernel

import (
	"bufio"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"os"
	"strconv"
	"strings"
	"testing"

	"github.com/tuttidb/tutti/sql/expr"
	"github.com/tuttidb/tutti/sql/function"
	"github.com/tuttidb/tutti/sql/types"
)

// TestAgainstTrino runs the calls of testdata/trino.txt, and TestKnownAnswers
// those of testdata/known.txt. Arguments are integers, decimals, 'strings',
// null, [arrays; of; these] and type:text, which is the text cast to the type.
func TestAgainstTrino(t *testing.T) { runGolden(t, "testdata/trino.txt", 200) }

func TestKnownAnswers(t *testing.T) { runGolden(t, "testdata/known.txt", 90) }

func runGolden(t *testing.T, file string, least int) {
	env, n := testEnv(t), 0
	for _, line := range goldenLines(t, file) {
		call, want, ok := strings.Cut(line, " => ")
		if !ok {
			t.Fatalf("bad line %q", line)
		}
		n++
		p := &goldenParser{t: t, rest: call}
		got := goldenAnswer(env, p.argument())
		if got != want && !sameJSON(got, want) {
			t.Errorf("%s\n got %s\nwant %s", call, got, want)
		}
	}
	if n < least {
		t.Errorf("only %d calls", n)
	}
}

// goldenLines returns a file's lines without comments.
func goldenLines(t *testing.T, file string) (out []string) {
	f, err := os.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for sc := bufio.NewScanner(f); sc.Scan(); {
		if !strings.HasPrefix(sc.Text(), "#") {
			out = append(out, sc.Text())
		}
	}
	return out
}

// TestEveryFunctionHasAKnownAnswer looks for a call of each function that has
// the same answer every time.
func TestEveryFunctionHasAKnownAnswer(t *testing.T) {
	elsewhere := map[string]bool{ // in Go, with types that the files cannot write
		"to_milliseconds": true, "now": true, "random": true, "rand": true, "uuid": true, "shuffle": true,
	}
	calls := strings.Join(append(goldenLines(t, "testdata/trino.txt"), goldenLines(t, "testdata/known.txt")...), "\n")
	for _, info := range function.List() {
		if info.Kind == function.ScalarKind && !elsewhere[info.Name] && !strings.Contains(calls, info.Name+"(") {
			t.Errorf("%s has no known answer", info.Name)
		}
	}
}

func goldenAnswer(env *Env, e expr.Expr) string {
	c, err := Fold(env, e)
	if err != nil {
		return "error " + err.Error()
	}
	b, err := json.Marshal(wireValue(c.Typ, c.Value))
	if err != nil {
		return err.Error()
	}
	return string(b)
}

// sameJSON compares answers that may write a number in two ways.
func sameJSON(a, b string) bool {
	var x, y any
	if json.Unmarshal([]byte(a), &x) != nil || json.Unmarshal([]byte(b), &y) != nil {
		return false
	}
	return fmt.Sprintf("%#v", x) == fmt.Sprintf("%#v", y)
}

// wireValue is a value as the client protocol has it.
func wireValue(t types.Type, v any) any {
	if v == nil {
		return nil
	}
	switch t.Kind {
	case types.Real:
		return floatValue(float64(v.(float32)), 32)
	case types.Double:
		return floatValue(v.(float64), 64)
	case types.Decimal:
		return types.FormatDecimal(v, t.S)
	case types.Varbinary:
		return base64.StdEncoding.EncodeToString([]byte(v.(string)))
	case types.Date:
		return string(types.AppendDate(nil, v.(int64)))
	case types.Time:
		return string(types.AppendTime(nil, v.(int64), t.P))
	case types.Timestamp:
		return string(types.AppendTimestamp(nil, v.(int64), t))
	case types.TimestampTZ:
		return string(types.AppendTimestampTZ(nil, v.(types.Int128), t))
	case types.Array:
		out := []any{}
		for _, x := range v.([]any) {
			out = append(out, wireValue(t.Elem(0), x))
		}
		return out
	}
	return v
}

func floatValue(f float64, bits int) any {
	text := string(types.AppendJavaDouble(nil, f, bits))
	if strings.ContainsAny(text, "NI") {
		return text
	}
	return json.Number(text)
}

// goldenParser reads the calls of a golden file.
type goldenParser struct {
	t    *testing.T
	rest string
}

func (p *goldenParser) take(c byte) bool {
	p.rest = strings.TrimLeft(p.rest, " ")
	if p.rest != "" && p.rest[0] == c {
		p.rest = p.rest[1:]
		return true
	}
	return false
}

// list reads arguments up to the closing character.
func (p *goldenParser) list(separator, end byte) (out []expr.Expr) {
	for !p.take(end) {
		out = append(out, p.argument())
		p.take(separator)
	}
	return out
}

func (p *goldenParser) argument() expr.Expr {
	switch {
	case p.take('\''):
		return p.text()
	case p.take('['):
		return p.call(function.OpArray, p.list(';', ']'))
	}
	if name, ok := p.typeName(); ok {
		return p.typed(name)
	}
	end := strings.IndexAny(p.rest, "(,);]")
	if end >= 0 && p.rest[end] == '(' {
		name := p.rest[:end]
		p.rest = p.rest[end+1:]
		return p.call(name, p.list(',', ')'))
	}
	word := p.rest
	if end >= 0 {
		word, p.rest = p.rest[:end], p.rest[end:]
	}
	return p.number(word)
}

func (p *goldenParser) number(word string) expr.Expr {
	if word == "null" {
		return lit(nil, types.Of(types.Unknown))
	}
	if whole, frac, ok := strings.Cut(strings.TrimPrefix(word, "-"), "."); ok {
		s := int32(len(frac))
		v, _, ok := types.ParseDecimal([]byte(word), s)
		if !ok {
			p.t.Fatalf("bad number %q", word)
		}
		return lit(v.Int64(), types.DecimalOf(int32(len(strings.TrimLeft(whole, "0")))+s, s))
	}
	n, err := strconv.ParseInt(word, 10, 64)
	if err != nil {
		p.t.Fatalf("bad argument %q: %v", word, err)
	}
	return lit(n, intT)
}

func (p *goldenParser) text() expr.Expr {
	var b strings.Builder
	for i := 0; i < len(p.rest); i++ {
		if p.rest[i] != '\'' {
			b.WriteByte(p.rest[i])
			continue
		}
		if strings.HasPrefix(p.rest[i:], "''") {
			b.WriteByte('\'')
			i++
			continue
		}
		p.rest = p.rest[i+1:]
		break
	}
	return lit(b.String(), types.VarcharOf(int32(len([]rune(b.String())))))
}

// goldenTypes are the types that stand before a colon.
var goldenTypes = map[string]types.Type{
	"tinyint": tinyT, "integer": intT, "bigint": bigT, "double": doubleT, "varbinary": types.Of(types.Varbinary), "varchar(1)": types.VarcharOf(1),
	"decimal(5,2)": types.DecimalOf(5, 2), "decimal(3,1)": types.DecimalOf(3, 1), "date": dateT, "time(3)": types.TimeOf(3),
	"timestamp(0)": types.TimestampOf(0), "timestamp(3)": types.TimestampOf(3), "timestamp(6)": types.TimestampOf(6),
	"timestamp(0) with time zone": types.TimestampTZOf(0), "timestamp(1) with time zone": types.TimestampTZOf(1), "timestamp(3) with time zone": types.TimestampTZOf(3),
}

func (p *goldenParser) typeName() (string, bool) {
	name, _, ok := strings.Cut(p.rest, ":")
	_, known := goldenTypes[name]
	return name, ok && known
}

func (p *goldenParser) typed(name string) expr.Expr {
	p.rest = p.rest[len(name)+1:]
	end := strings.IndexAny(p.rest, ",)")
	word := p.rest[:end]
	p.rest = p.rest[end:]
	if name == "varbinary" {
		return lit(word, goldenTypes[name])
	}
	return cast(str(word), goldenTypes[name])
}

// call resolves a function and casts the arguments to what it takes.
func (p *goldenParser) call(name string, args []expr.Expr) expr.Expr {
	var ts []types.Type
	for _, a := range args {
		ts = append(ts, a.Type())
	}
	fn, err := function.ResolveScalar(name, ts)
	if err != nil {
		p.t.Fatalf("%s%v: %v", name, ts, err)
	}
	for i, a := range args {
		if !a.Type().Equal(fn.Args[i]) {
			args[i] = cast(a, fn.Args[i])
		}
	}
	return &expr.Call{Fn: fn, Args: args}
}
