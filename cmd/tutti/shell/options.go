package shell

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"

	"golang.org/x/term"
)

// DefaultServer is where Dial looks when no server is named.
const DefaultServer = "http://127.0.0.1:8080"

// Options says what to run, where, and how to show it. The zero value is an
// interactive shell or script on In, with the default server.
type Options struct {
	// Backend runs the statements. If nil, Run makes one with Dial from the
	// next fields, and closes it; otherwise they are not looked at.
	Backend Backend
	// Server is the server's URL (--server); empty is DefaultServer.
	Server string
	// User is the name sent to the server (--user).
	User string
	// Password and Token are credentials, of which Token wins. A password
	// goes over https only.
	Password, Token string
	// Catalog and Schema are what names refer to (--catalog, --schema).
	Catalog, Schema string
	// Session are session properties (--session name=value, repeated).
	Session map[string]string
	// TimeZone is the session's zone (--timezone); empty is the server's choice.
	TimeZone string

	// Execute are texts of statements to run (-e, repeated). They win over File.
	Execute []string
	// File is a script to run (-f); "-" is In.
	File string

	// In is where interactive input or a script comes from; nil is os.Stdin.
	In io.Reader
	// Out takes results; nil is os.Stdout.
	Out io.Writer
	// Err takes messages and the progress line; nil is os.Stderr.
	Err io.Writer
	// IsTerminal says that In and Out are a person's terminal: without Execute
	// and File the shell is interactive then. Only os.Stdin has full line
	// editing; another In, and TERM=dumb, are read line by line.
	IsTerminal bool
	// Width returns the columns of the terminal. Nil asks Out if it is one.
	Width func() int
	// Color allows colors in what goes to a terminal.
	Color bool

	// Format is the form of results (--format); empty is table.
	Format string
	// Progress is when to show progress and a summary (--progress): "auto" or
	// empty if Err is a terminal; "on" always, as lines where Err is none; "off".
	Progress string
	// HistoryFile keeps interactive input; empty keeps it in memory only.
	// DefaultHistoryFile gives the usual place.
	HistoryFile string
}

// ParseSession reads the repeated name=value of --session.
func ParseSession(pairs []string) (map[string]string, error) {
	out := make(map[string]string, len(pairs))
	for _, p := range pairs {
		name, value, ok := strings.Cut(p, "=")
		if !ok || name == "" {
			return nil, fmt.Errorf("session property %q: want name=value", p)
		}
		out[name] = value
	}
	return out, nil
}

// shell is one run.
type shell struct {
	o           Options
	backend     Backend
	screen      *screen
	out         *bufio.Writer // over screen
	format      Format
	interactive bool
	progress    progressMode
	summaries   bool // print a line after each statement
	history     *history
	complete    *completer
	quit        bool
	// onInterrupt calls f at each Ctrl-C until the returned stop is called.
	onInterrupt func(f func()) (stop func())
}

// Run runs what the options say and returns the process's exit code; see the
// package comment. All messages have been printed when it returns.
func Run(ctx context.Context, o Options) int {
	s, err := newShell(o)
	if err != nil {
		w := o.Err
		if w == nil {
			w = os.Stderr
		}
		fmt.Fprintln(w, "Error:", err)
		return ExitUsage
	}
	if o.Backend == nil {
		defer s.backend.Close()
	}
	err = s.main(ctx)
	if flushErr := s.out.Flush(); err == nil && flushErr != nil {
		fmt.Fprintln(s.o.Err, "Error: write output:", flushErr)
		return ExitExternal
	}
	return exitCode(err)
}

func newShell(o Options) (*shell, error) {
	if o.In == nil {
		o.In = os.Stdin
	}
	if o.Out == nil {
		o.Out = os.Stdout
	}
	if o.Err == nil {
		o.Err = os.Stderr
	}
	if o.Width == nil {
		o.Width = func() int { return fileWidth(o.Out) }
	}
	format, err := ParseFormat(o.Format)
	if err != nil {
		return nil, err
	}
	progress, err := parseProgress(o.Progress, isTerminal(o.Err))
	if err != nil {
		return nil, err
	}
	s := &shell{o: o, backend: o.Backend, format: format, progress: progress, onInterrupt: notifyInterrupt}
	if s.backend == nil {
		if s.backend, err = Dial(o); err != nil {
			return nil, err
		}
	}
	s.interactive = o.IsTerminal && len(o.Execute) == 0 && o.File == ""
	s.summaries = s.progress != progressOff && (s.interactive || o.Progress == "on")
	s.screen = &screen{out: o.Out, err: o.Err, shared: isTerminal(o.Out) && isTerminal(o.Err)}
	s.out = bufio.NewWriterSize(s.screen, 64<<10)
	s.complete = newCompleter(s.backend)
	return s, nil
}

// main runs the source that the options name.
func (s *shell) main(ctx context.Context) error {
	switch {
	case len(s.o.Execute) > 0:
		for _, text := range s.o.Execute {
			if err := s.script(ctx, strings.NewReader(text), ""); err != nil || s.quit {
				return err
			}
		}
		return nil
	case s.o.File == "-":
		return s.script(ctx, s.o.In, "stdin")
	case s.o.File != "":
		return s.file(ctx, s.o.File)
	case s.interactive:
		return s.loop(ctx)
	}
	return s.script(ctx, s.o.In, "stdin")
}

func (s *shell) file(ctx context.Context, name string) error {
	f, err := os.Open(name)
	if err != nil {
		s.say("Error: %v\n", err)
		return shownError{usageError{err}}
	}
	defer f.Close()
	if err := s.script(ctx, f, name); err != nil {
		return shownError{err}
	}
	return nil
}

// script runs statements as they arrive on r, up to the first that fails.
func (s *shell) script(ctx context.Context, r io.Reader, source string) error {
	in := bufio.NewReader(r)
	var sp splitter
	for {
		line, readErr := in.ReadString('\n')
		if word := strings.TrimSpace(line); sp.empty() && strings.HasPrefix(word, `\`) && !strings.HasPrefix(word, `\G`) {
			sp.line++
			if err := s.command(ctx, word); err != nil || s.quit {
				return err
			}
		} else {
			for _, st := range sp.add(line) {
				if err := s.report(s.run(ctx, st), st, source); err != nil {
					return err
				}
			}
		}
		if readErr == io.EOF {
			break
		}
		if readErr != nil {
			s.say("Error: read %s: %v\n", source, readErr)
			return readErr
		}
	}
	if st, ok := sp.rest(); ok {
		return s.report(s.run(ctx, st), st, source)
	}
	return nil
}

// report prints why a statement failed, and passes the error on.
func (s *shell) report(err error, st statement, source string) error {
	if err != nil {
		s.say("%s", explain(err, st, source, s.errWidth(), s.o.Color && isTerminal(s.o.Err)))
	}
	return err
}

// say prints a message to Err, below any output so far.
func (s *shell) say(format string, args ...any) {
	_ = s.out.Flush() // its error is sticky and reported at the end
	s.screen.message(fmt.Sprintf(format, args...))
}

func (s *shell) errWidth() int {
	if w := fileWidth(s.o.Err); w > 0 {
		return w
	}
	return s.o.Width()
}

// look is asked before each result: terminals change their size.
func (s *shell) look() look { return look{width: s.o.Width(), color: s.o.Color && isTerminal(s.o.Out)} }

func isTerminal(v any) bool {
	f, ok := v.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}

// fileWidth returns the columns of a terminal, 0 for anything else.
func fileWidth(v any) int {
	f, ok := v.(*os.File)
	if !ok {
		return 0
	}
	w, _, err := term.GetSize(int(f.Fd()))
	if err != nil {
		return 0
	}
	return w
}

// notifyInterrupt is onInterrupt for the process's own SIGINT.
func notifyInterrupt(f func()) (stop func()) {
	ch := make(chan os.Signal, 1)
	done := make(chan struct{})
	signal.Notify(ch, os.Interrupt)
	go func() {
		for {
			select {
			case <-ch:
				f()
			case <-done:
				return
			}
		}
	}()
	return func() {
		signal.Stop(ch)
		close(done)
	}
}
