package lineedit

import (
	"errors"
	"fmt"
	"io"
	"reflect"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/rivo/uniseg"
)

// list of inputs kept in memory.
type memory struct{ items []string }

func (m *memory) Len() int        { return len(m.items) }
func (m *memory) At(i int) string { return m.items[i] }
func (m *memory) Add(s string) error {
	m.items = append(m.items, s)
	return nil
}

// screen is a small terminal: it knows what the editor uses, scrolls at its
// bottom, and fails on anything else.
type screen struct {
	t          *testing.T
	cols, rows int
	cells      [][]string
	x, y       int
	pending    string
}

func newScreen(t *testing.T, cols, rows int) *screen {
	s := &screen{t: t, cols: cols, rows: rows, cells: make([][]string, rows)}
	return s
}

func (s *screen) Write(b []byte) (int, error) {
	text := s.pending + string(b)
	s.pending = ""
	for text != "" {
		if strings.HasPrefix(text, "\x1b[") {
			end := strings.IndexFunc(text[2:], func(r rune) bool { return r >= 0x40 && r <= 0x7e })
			if end < 0 {
				s.pending = text
				break
			}
			s.control(text[2:2+end], text[2+end])
			text = text[end+3:]
			continue
		}
		cluster, rest, width, _ := uniseg.FirstGraphemeClusterInString(text, -1)
		text = rest
		switch cluster {
		case "\r\n":
			s.x = 0
			s.lineFeed()
		case "\r":
			s.x = 0
		case "\n":
			s.lineFeed()
		case "\a":
		default:
			s.print(cluster, width)
		}
	}
	return len(b), nil
}

func (s *screen) print(cluster string, width int) {
	if s.x+width > s.cols-1 {
		s.t.Errorf("%q is written into the last column", cluster)
	}
	row := s.cells[s.y]
	for len(row) < s.x+width {
		row = append(row, " ")
	}
	row[s.x] = cluster
	if width == 2 {
		row[s.x+1] = ""
	}
	s.cells[s.y] = row
	s.x += width
}

func (s *screen) lineFeed() {
	if s.y < s.rows-1 {
		s.y++
		return
	}
	s.cells = append(s.cells[1:], nil)
}

func (s *screen) control(params string, final byte) {
	n := 1
	_, _ = fmt.Sscanf(params, "%d", &n)
	switch final {
	case 'A':
		s.y = max(s.y-n, 0)
	case 'C':
		s.x += n
	case 'H':
		s.x, s.y = 0, 0
	case 'J':
		if params == "2" {
			s.cells = make([][]string, s.rows)
			return
		}
		s.cells[s.y] = s.cells[s.y][:min(s.x, len(s.cells[s.y]))]
		for y := s.y + 1; y < s.rows; y++ {
			s.cells[y] = nil
		}
	case 'm', 'h', 'l':
	default:
		s.t.Errorf("unknown control ESC [ %s %c", params, final)
	}
}

func (s *screen) String() string {
	var lines []string
	for _, row := range s.cells {
		lines = append(lines, strings.TrimRight(strings.Join(row, ""), " "))
	}
	return strings.TrimRight(strings.Join(lines, "\n"), "\n")
}

const (
	up, down, right, left  = "\x1b[A", "\x1b[B", "\x1b[C", "\x1b[D"
	home, end, del         = "\x1b[H", "\x1b[F", "\x1b[3~"
	wordLeft, wordRight    = "\x1bb", "\x1b[1;5C"
	enter, altEnter, ctrlC = "\r", "\x1b\r", "\x03"
)

// done ends inputs at a semicolon.
func done(text string) bool { return strings.HasSuffix(strings.TrimSpace(text), ";") }

func newEditor(t *testing.T, keys io.Reader, history ...string) (*Editor, *screen) {
	t.Helper()
	s := newScreen(t, 40, 10)
	e := New(Config{In: keys, Out: s, Size: func() (int, int) { return s.cols, s.rows }, History: &memory{history}, Done: done, Complete: completeAnimals})
	return e, s
}

func completeAnimals(head, _ string) (string, []Candidate) {
	word := head[strings.LastIndexByte(head, ' ')+1:]
	var out []Candidate
	for _, a := range []string{"antelope", "ant", "bear", "été", "étage"} {
		if strings.HasPrefix(a, word) {
			out = append(out, Candidate{Text: a, About: "is an animal"})
		}
	}
	return word, out
}

func TestEditing(t *testing.T) {
	for name, tc := range map[string]struct{ keys, want string }{
		"plain":               {"select 1;" + enter, "select 1;"},
		"lines":               {"a" + enter + "b;" + enter, "a\nb;"},
		"alt enter":           {"a;" + altEnter + "b;" + enter, "a;\nb;"},
		"left and right":      {"ac;" + left + left + "b" + right + "d" + enter, "abcd;"},
		"home and end":        {"b" + home + "a" + end + ";" + enter, "ab;"},
		"ctrl a e":            {"b\x01a\x05;" + enter, "ab;"},
		"home on second line": {"a" + enter + "c;" + home + "b" + enter, "a\nbc;"},
		"backspace":           {"ax\x7f;" + enter, "a;"},
		"join lines":          {"a" + enter + "b;" + home + "\x7f" + enter, "ab;"},
		"delete":              {"xa;" + home + del + enter, "a;"},
		"ctrl d deletes":      {"xa;" + home + "\x04" + enter, "a;"},
		"words":               {"one two;" + wordLeft + "a " + wordLeft + wordLeft + "b " + wordRight + wordRight + "c" + enter, "b one ac two;"},
		"kill end and yank":   {"one two;" + wordLeft + "\x0b" + home + "\x19 " + end + enter + ";" + enter, "two; one \n;"},
		"kill start":          {"one two;" + wordLeft + "\x15" + enter, "two;"},
		"kill joins":          {"a" + enter + "b;" + up + end + "\x0b" + enter, "ab;"},
		"kill word":           {"one two \x17;" + enter, "one ;"},
		"kill word right":     {"one two;" + home + "\x1bd" + enter, " two;"},
		"transpose":           {"ba" + left + "\x14;" + enter, "ab;"},
		"up and down":         {"abc" + enter + "d;" + up + "x" + down + "y;" + enter, "abxc\nd;y;"},
		"paste":               {"\x1b[200~a;\r\nb;\x07\tc\x1b[201~;" + enter, "a;\nb;\tc;"},
		"unknown keys":        {"a\x1b[99~\x1bZ\x1b[5;5;5R\x1cb;" + enter, "ab;"},
		"combined characters": {"e\u0301👩‍🚀x;" + left + left + "\x7f\x7f" + enter, "x;"},
		"wide":                {"日本;" + left + left + "x" + enter, "日x本;"},
		"complete":            {"be\t;" + enter, "bear;"},
		"common prefix":       {"a\telope;" + enter, "antelope;"},
		"complete accents":    {"é\t\té;" + enter, "été;"},
		"no completion":       {"zz\t;" + enter, "zz;"},
	} {
		t.Run(name, func(t *testing.T) {
			e, _ := newEditor(t, strings.NewReader(tc.keys))
			got, err := e.Read("> ")
			if got != tc.want || err != nil {
				t.Errorf("got %q, %v, want %q", got, err, tc.want)
			}
		})
	}
}

func TestEnds(t *testing.T) {
	for name, tc := range map[string]struct {
		keys, text string
		err        error
	}{
		"ctrl d":       {"\x04", "", io.EOF},
		"end of input": {"abc", "abc", io.EOF},
		"ctrl c":       {"abc" + ctrlC, "abc", ErrInterrupted},
	} {
		e, s := newEditor(t, strings.NewReader(tc.keys))
		text, err := e.Read("> ")
		if text != tc.text || !errors.Is(err, tc.err) || s.x != 0 {
			t.Errorf("%s: %q, %v, cursor in column %d", name, text, err, s.x)
		}
		if n := e.cfg.History.Len(); n != 0 {
			t.Errorf("%s: %d entries in the history", name, n)
		}
	}
}

func TestTypedAheadIsKept(t *testing.T) {
	e, _ := newEditor(t, strings.NewReader("a;"+enter+"b;"+enter+"\x04"))
	for _, want := range []string{"a;", "b;"} {
		if got, err := e.Read("> "); got != want || err != nil {
			t.Errorf("got %q, %v", got, err)
		}
	}
	if _, err := e.Read("> "); !errors.Is(err, io.EOF) {
		t.Error(err)
	}
}

func TestHistory(t *testing.T) {
	for name, tc := range map[string]struct{ keys, want string }{
		"last":             {up + enter, "three\n3;"},
		"two back":         {up + up + up + enter, "two;"},
		"and forth":        {"own;" + up + up + up + down + down + enter, "own;"},
		"past the oldest":  {up + up + up + up + up + up + enter, "One;"},
		"edited copy":      {"\x10\x10x\x0e\x10;" + enter, "two;x;"},
		"ctrl p and n":     {"\x10\x10\x0e" + enter, "three\n3;"},
		"search":           {"\x12tw" + enter, "two;"},
		"search again":     {"\x12o\x12" + enter, "One;"},
		"search case":      {"\x12O" + enter, "One;"},
		"search shorter":   {"\x12onx\x7f" + enter, "One;"},
		"search, then fix": {"\x12tw" + end + left + "x" + enter, "twox;"},
		"search escaped":   {"\x12tw\x1b" + "\x05" + enter, "two;"},
		"search given up":  {"own;\x12tw\x07" + enter, "own;"},
		"search fails":     {"own;\x12zzz" + enter, "own;"},
		"search old place": {"\x12tw\x01" + up + enter, "One;"},
	} {
		t.Run(name, func(t *testing.T) {
			e, _ := newEditor(t, strings.NewReader(tc.keys), "One;", "two;", "three\n3;")
			got, err := e.Read("> ")
			if got != tc.want || err != nil {
				t.Errorf("got %q, %v, want %q", got, err, tc.want)
			}
		})
	}
	e, _ := newEditor(t, strings.NewReader("a;"+enter), "One;")
	if _, err := e.Read("> "); err != nil || !reflect.DeepEqual(e.cfg.History.(*memory).items, []string{"One;", "a;"}) {
		t.Errorf("history is %q, %v", e.cfg.History, err)
	}
}

// steps feeds keys one group at a time and hands the screen to a check after
// each, when the editor waits for more.
type steps struct {
	groups []string
	seen   func(i int)
	i      int
}

func (s *steps) Read(b []byte) (int, error) {
	s.seen(s.i)
	if s.i == len(s.groups) {
		return 0, io.EOF
	}
	n := copy(b, s.groups[s.i])
	s.i++
	return n, nil
}

func TestScreen(t *testing.T) {
	long := "select " + strings.Repeat("x", 60)
	for name, tc := range map[string]struct {
		lines  int // on the screen before
		groups []string
		want   []string // after each group, and the first before any
	}{
		"typing": {1, []string{"ab", left, "c"}, []string{"line 0\n> |", "line 0\n> ab|", "line 0\n> a|b", "line 0\n> ac|b"}},
		"lines": {1, []string{"ab" + enter, "c", up, "x" + enter}, []string{
			"line 0\n> |", "line 0\n> ab\n-> |", "line 0\n> ab\n-> c|", "line 0\n> a|b\n-> c", "line 0\n> ax\n-> |b\n-> c",
		}},
		"at the bottom": {9, []string{"ab" + enter, "c" + enter, "d"}, []string{
			"line 0\nline 1\nline 2\nline 3\nline 4\nline 5\nline 6\nline 7\nline 8\n> |",
			"line 1\nline 2\nline 3\nline 4\nline 5\nline 6\nline 7\nline 8\n> ab\n-> |",
			"line 2\nline 3\nline 4\nline 5\nline 6\nline 7\nline 8\n> ab\n-> c\n-> |",
			"line 2\nline 3\nline 4\nline 5\nline 6\nline 7\nline 8\n> ab\n-> c\n-> d|",
		}},
		"wrapping": {0, []string{long, "\x01", "日"}, []string{
			"> |", "> select " + strings.Repeat("x", 30) + "\n" + strings.Repeat("x", 30) + "|",
			"> |select " + strings.Repeat("x", 30) + "\n" + strings.Repeat("x", 30),
			"> 日|select " + strings.Repeat("x", 28) + "\n" + strings.Repeat("x", 32),
		}},
		"list": {0, []string{"a\t", "\t", "e"}, []string{"> |", "> ant|", "> ant|\nantelope  is an animal\nant       is an animal", "> ante|"}},
		"list at the bottom": {9, []string{"ant\t", "\x7f"}, []string{
			"line 0\nline 1\nline 2\nline 3\nline 4\nline 5\nline 6\nline 7\nline 8\n> |",
			"line 2\nline 3\nline 4\nline 5\nline 6\nline 7\nline 8\n> ant|\nantelope  is an animal\nant       is an animal",
			"line 2\nline 3\nline 4\nline 5\nline 6\nline 7\nline 8\n> an|",
		}},
		"search": {0, []string{"\x12", "tw", "q", "\x07"}, []string{"> |", "(search: ) |", "(search: tw) |two;", "(no match: twq) |two;", "> |"}},
		"higher than the screen": {0, []string{strings.Repeat("a"+altEnter, 20), strings.Repeat(up, 10)}, []string{
			"> |", "-> a\n-> a\n-> a\n-> a\n-> a\n-> a\n-> a\n-> a\n-> |", "-> a\n-> a\n-> a\n-> a\n-> |a\n-> a\n-> a\n-> a\n-> a",
		}},
		"clear": {3, []string{"ab\x0c"}, []string{"line 0\nline 1\nline 2\n> |", "> ab|"}},
	} {
		t.Run(name, func(t *testing.T) {
			s := newScreen(t, 40, 10)
			for i := range tc.lines {
				fmt.Fprintf(s, "line %d\r\n", i)
			}
			in := &steps{groups: tc.groups}
			in.seen = func(i int) {
				if got := s.withCursor(); i < len(tc.want) && got != tc.want[i] {
					t.Errorf("after %d groups of keys the screen is\n%s\nwant\n%s", i, got, tc.want[i])
				}
			}
			e := New(Config{In: in, Out: s, Size: func() (int, int) { return 40, 10 }, History: &memory{[]string{"two;"}}, Done: done, Complete: completeAnimals})
			if _, err := e.Read("> "); !errors.Is(err, io.EOF) {
				t.Error(err)
			}
		})
	}
}

// withCursor is the screen with a bar where the cursor is.
func (s *screen) withCursor() string {
	row := s.cells[s.y]
	for len(row) < s.x {
		row = append(row, " ")
	}
	s.cells[s.y] = append(append(append([]string{}, row[:s.x]...), "|"), row[s.x:]...)
	text := s.String()
	s.cells[s.y] = row
	return text
}

func TestStyles(t *testing.T) {
	var out strings.Builder
	e := New(Config{In: strings.NewReader("aéb\nc;" + enter), Out: &out, History: &memory{}, Styles: func(text string) []string {
		styles := make([]string, utf8.RuneCountInString(text))
		for i := 1; i < len(styles); i++ {
			styles[i] = "\x1b[34m"
		}
		return styles
	}, Done: done})
	if _, err := e.Read("> "); err != nil {
		t.Fatal(err)
	}
	if want := "> a\x1b[0m\x1b[34méb\x1b[0m\r\n-> \x1b[0m\x1b[34mc;\x1b[0m"; !strings.Contains(out.String(), want) {
		t.Errorf("drew %q", out.String())
	}
}

func TestList(t *testing.T) {
	var items []Candidate
	for i := range 30 {
		items = append(items, Candidate{Text: fmt.Sprintf("item%02d", i)})
	}
	got := list(items, 40, 4)
	want := []string{
		"item00  item01  item02  item03", "item04  item05  item06  item07", "item08  item09  item10  item11", "… 18 more",
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got %q", got)
	}
	if got := list([]Candidate{{Text: strings.Repeat("日", 40)}, {Text: "b"}}, 20, 4); len(got) != 2 || uniseg.StringWidth(got[0]) > 19 {
		t.Errorf("got %q", got)
	}
}

func TestRawModeIsRestored(t *testing.T) {
	raw := 0
	e := New(Config{In: strings.NewReader(ctrlC), Out: io.Discard, History: &memory{}, Raw: func() (func() error, error) {
		raw++
		return func() error { raw--; return nil }, nil
	}})
	if _, err := e.Read("> "); !errors.Is(err, ErrInterrupted) || raw != 0 {
		t.Errorf("%v, raw %d", err, raw)
	}
	e.cfg.Raw = func() (func() error, error) { return nil, errors.New("no terminal") }
	if _, err := e.Read("> "); err == nil {
		t.Error("no error without a terminal")
	}
}

// FuzzKeys checks that no keys break the editor or the screen.
func FuzzKeys(f *testing.F) {
	for _, s := range []string{"ab" + left + "c" + enter, "\x12x" + up, "日\x7f\x1b[200~\r\x1b[201~", "a\t\t", "\x0b\x19\x14\x17", strings.Repeat("é", 90) + "\x01" + up} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, keys string) {
		s := newScreen(t, 12, 6)
		in := &steps{groups: strings.SplitAfter(keys, "a"), seen: func(int) {}}
		e := New(Config{In: in, Out: s, Size: func() (int, int) { return s.cols, s.rows }, History: &memory{[]string{"one;", "two\n2;"}}, Done: done, Complete: completeAnimals})
		for range 10 {
			if _, err := e.Read("> "); errors.Is(err, io.EOF) {
				break
			}
			if e.pos < 0 || e.pos > len(e.buf) {
				t.Fatalf("cursor at %d of %d", e.pos, len(e.buf))
			}
		}
	})
}
