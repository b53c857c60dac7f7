package shell

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
)

// editor reads one whole input: statements up to a terminator, or a command
// of the shell. It returns errInterrupted for Ctrl-C and io.EOF for Ctrl-D.
type editor interface {
	read(prompt string) (string, error)
}

// loop reads and runs inputs until the user leaves. Failed statements do not
// end it.
func (s *shell) loop(ctx context.Context) error {
	var err error
	if s.history, err = openHistory(s.o.HistoryFile); err != nil {
		s.say("Warning: history: %v\n", err)
	}
	// Outside a statement Ctrl-C does nothing but what the editor makes of it.
	defer s.onInterrupt(func() {})()
	ed := s.newEditor()
	s.say("Tutti SQL shell. End statements with ; — help shows what else there is.\n")
	for !s.quit && ctx.Err() == nil {
		text, err := ed.read(s.prompt())
		switch {
		case errors.Is(err, errInterrupted):
			if strings.TrimSpace(text) == "" {
				s.say("To leave press Ctrl-D or type quit.\n")
			}
			continue
		case errors.Is(err, io.EOF):
			s.say("\n")
			return nil
		case err != nil:
			s.say("Error: read input: %v\n", err)
			return err
		}
		s.input(ctx, text)
	}
	return nil
}

// newEditor picks full line editing where the terminal can do it. Editors
// write to Out directly: the screen is for what runs between two inputs, and
// need not know of half lines that the user's Enter ends.
func (s *shell) newEditor() editor {
	if in, ok := s.o.In.(*os.File); ok && isTerminal(in) && os.Getenv("TERM") != "dumb" {
		return newLineEditor(in, s.o.Out, s.history, s.complete, s.o.Color)
	}
	return newPlainEditor(s.o.In, s.o.Out, s.history)
}

func (s *shell) prompt() string {
	catalog, schema := s.backend.Namespace()
	switch {
	case catalog == "":
		return "tutti> "
	case schema == "":
		return "tutti:" + catalog + "> "
	}
	return "tutti:" + catalog + "." + schema + "> "
}

// input runs one input: a command, or statements up to the first that fails.
func (s *shell) input(ctx context.Context, text string) {
	if isCommand(text) {
		_ = s.command(ctx, text) // printed already
		return
	}
	for _, st := range split(text) {
		if s.report(s.run(ctx, st), st, "") != nil {
			return
		}
	}
}

// isComplete reports whether an input can be run, or needs more lines.
func isComplete(text string) bool {
	if strings.TrimSpace(text) == "" || isCommand(text) {
		return true
	}
	var sp splitter
	sp.add(text + "\n")
	return !sp.pending()
}

// wordCommands are the commands that need no backslash, alone on a line.
var wordCommands = map[string]string{
	"help": `\?`, "quit": `\q`, "exit": `\q`, "history": `\s`, "clear": `\clear`,
}

// isCommand reports whether text is for the shell itself.
func isCommand(text string) bool {
	text = strings.TrimSpace(text)
	if strings.HasPrefix(text, `\`) {
		return !strings.HasPrefix(text, `\G`)
	}
	_, ok := wordCommands[strings.ToLower(strings.TrimRight(text, "; "))]
	return ok
}

// metaCommand is one command of the shell.
type metaCommand struct {
	names []string
	args  string
	help  string
	run   func(s *shell, ctx context.Context, arg string) error
}

// metaCommands lists the commands in the order of the help text. It is a
// function, as a variable would refer to itself through help.
func metaCommands() []metaCommand {
	return []metaCommand{
		{[]string{`\?`, `\h`, `\help`}, "", "this text (also: help)", (*shell).help},
		{[]string{`\q`, `\quit`}, "", "leave (also: quit, exit, Ctrl-D)", func(s *shell, _ context.Context, _ string) error {
			s.quit = true
			return nil
		}},
		{[]string{`\l`}, "", "list catalogs", sqlCommand("SHOW CATALOGS", "")},
		{[]string{`\dn`}, "[catalog]", "list schemas", sqlCommand("SHOW SCHEMAS", "SHOW SCHEMAS FROM %s")},
		{[]string{`\dt`}, "[pattern]", "list tables, * stands for any text", (*shell).listTables},
		{[]string{`\d`}, "[table]", "list tables, or describe one", sqlCommand("SHOW TABLES", "DESCRIBE %s")},
		{[]string{`\df`}, "[pattern]", "list functions", (*shell).listFunctions},
		{[]string{`\c`}, "catalog[.schema]", "use a catalog and schema", (*shell).use},
		{[]string{`\mode`, `\format`}, "[format]", "show or set the form of results", (*shell).setFormat},
		{[]string{`\timing`}, "[on|off]", "the summary line after each statement", (*shell).setTiming},
		{[]string{`\i`}, "file", "run a script", func(s *shell, ctx context.Context, arg string) error {
			if arg == "" {
				return errors.New(`\i needs the name of a file`)
			}
			return s.file(ctx, arg)
		}},
		{[]string{`\s`, `\history`}, "", "show past input (also: history)", (*shell).showHistory},
		{[]string{`\clear`}, "", "clear the screen (also: clear)", func(s *shell, _ context.Context, _ string) error {
			_, err := s.out.WriteString("\x1b[H\x1b[2J")
			return errors.Join(err, s.out.Flush())
		}},
	}
}

// command runs a command of the shell. Its failure has been printed.
func (s *shell) command(ctx context.Context, text string) error {
	text = strings.TrimRight(strings.TrimSpace(text), "; ")
	name, arg, _ := strings.Cut(text, " ")
	if full, ok := wordCommands[strings.ToLower(text)]; ok {
		name = full
	}
	for _, c := range metaCommands() {
		for _, n := range c.names {
			if n != name {
				continue
			}
			err := c.run(s, ctx, strings.TrimSpace(arg))
			var shown shownError
			if err != nil && !errors.As(err, &shown) {
				s.say("Error: %v\n", err)
				err = usageError{err}
			}
			return err
		}
	}
	err := fmt.Errorf("unknown command %s: \\? lists what there is", name)
	s.say("Error: %v\n", err)
	return usageError{err}
}

// shownError is an error that has been printed.
type shownError struct{ error }

func (e shownError) Unwrap() error { return e.error }

// runSQL runs a statement that a command stands for.
func (s *shell) runSQL(ctx context.Context, sql string) error {
	st := statement{text: sql, line: 1}
	if err := s.report(s.run(ctx, st), st, ""); err != nil {
		return shownError{err}
	}
	return nil
}

// sqlCommand makes a command that is one statement, another with an argument.
func sqlCommand(bare, withArg string) func(*shell, context.Context, string) error {
	return func(s *shell, ctx context.Context, arg string) error {
		if arg == "" || withArg == "" {
			return s.runSQL(ctx, bare)
		}
		return s.runSQL(ctx, fmt.Sprintf(withArg, arg))
	}
}

func (s *shell) listTables(ctx context.Context, arg string) error {
	switch {
	case arg == "":
		return s.runSQL(ctx, "SHOW TABLES")
	case strings.Contains(arg, ".") && !strings.Contains(arg, "*"):
		return s.runSQL(ctx, "SHOW TABLES FROM "+arg)
	}
	return s.runSQL(ctx, "SHOW TABLES"+like(arg))
}

func (s *shell) listFunctions(ctx context.Context, arg string) error {
	if arg == "" {
		return s.runSQL(ctx, "SHOW FUNCTIONS")
	}
	return s.runSQL(ctx, "SHOW FUNCTIONS"+like(arg))
}

func like(pattern string) string {
	return " LIKE " + sqlString(strings.ReplaceAll(pattern, "*", "%"))
}

func sqlString(s string) string { return "'" + strings.ReplaceAll(s, "'", "''") + "'" }

func (s *shell) use(ctx context.Context, arg string) error {
	if arg == "" {
		return errors.New(`\c needs catalog.schema`)
	}
	s.complete.forget()
	return s.runSQL(ctx, "USE "+arg)
}

func (s *shell) setFormat(_ context.Context, arg string) error {
	if arg != "" {
		f, err := ParseFormat(arg)
		if err != nil {
			return err
		}
		s.format = f
	}
	s.say("Format is %s.\n", s.format)
	return nil
}

func (s *shell) setTiming(_ context.Context, arg string) error {
	switch arg {
	case "":
		s.summaries = !s.summaries
	case "on", "off":
		s.summaries = arg == "on"
	default:
		return fmt.Errorf(`\timing takes on or off, not %q`, arg)
	}
	s.say("Timing is %s.\n", []string{"off", "on"}[btoi(s.summaries)])
	return nil
}

func (s *shell) showHistory(context.Context, string) error {
	if s.history == nil {
		return errors.New("there is no history in a script")
	}
	from := max(s.history.Len()-100, 0)
	for i, item := range s.history.items[from:] {
		fmt.Fprintf(s.out, "%5d  %s\n", from+i+1, strings.ReplaceAll(item, "\n", "\n       "))
	}
	return s.out.Flush()
}

func (s *shell) help(context.Context, string) error {
	var b strings.Builder
	b.WriteString("Statements end with ; or with \\G for vertical output, and may span lines.\n\n")
	for _, c := range metaCommands() {
		fmt.Fprintf(&b, "  %-28s %s\n", strings.TrimSpace(strings.Join(c.names, ", ")+" "+c.args), c.help)
	}
	b.WriteString("\nTab completes, Ctrl-R searches past input, Ctrl-C cancels a query or clears the input.\n")
	_, err := s.out.WriteString(b.String())
	return errors.Join(err, s.out.Flush())
}
