package shell

import (
	"bufio"
	"errors"
	"io"
	"strings"
	"unicode"

	"github.com/reeflective/readline"
	"github.com/reeflective/readline/inputrc"
)

// lineEditor is full editing on the process's terminal.
type lineEditor struct {
	rl     *readline.Shell
	prompt string
}

func newLineEditor(h *history, c *completer, color bool) *lineEditor {
	e := &lineEditor{rl: readline.NewShell(inputrc.WithApp("tutti"))}
	e.rl.Prompt.Primary(func() string { return e.prompt })
	e.rl.Prompt.Secondary(func() string { return "    -> " })
	e.rl.AcceptMultiline = func(line []rune) bool { return isComplete(string(line)) }
	e.rl.Completer = func(line []rune, cursor int) readline.Completions { return readlineCompletions(c, line, cursor) }
	e.rl.History.Delete()
	e.rl.History.Add("history", h)
	if color {
		e.rl.SyntaxHighlighter = func(line []rune) string { return highlight(string(line)) }
	}
	for name, value := range map[string]any{
		// Asking the terminal for its cursor hangs on those that do not answer.
		"cursor-position-probe":  false,
		"completion-ignore-case": true,
		"multiline-column":       false,
		// Tab first goes as far as all candidates agree, then lists them.
		"menu-complete-display-prefix": true,
	} {
		_ = e.rl.Config.Set(name, value) // names are the library's own
	}
	return e
}

func (e *lineEditor) read(prompt string) (string, error) {
	e.prompt = prompt
	text, err := e.rl.Readline()
	if errors.Is(err, readline.ErrInterrupt) {
		err = errInterrupted
	}
	return text, err
}

// readlineCompletions hands candidates to the editor. It completes words
// between spaces, so what stands before the SQL word, as in count(na, goes
// into prefix and values.
func readlineCompletions(c *completer, line []rune, cursor int) readline.Completions {
	head := string(line[:cursor])
	word, items := c.complete(head, string(line[cursor:]))
	before := ""
	if word == "" {
		before = head[strings.LastIndexAny(head, " \t\n")+1:]
	}
	if strings.ContainsFunc(before+word, func(r rune) bool { return r > unicode.MaxASCII }) {
		return readline.Completions{} // the editor counts a prefix in bytes but moves by characters
	}
	values := make([]readline.Completion, len(items))
	for i, it := range items {
		values[i] = readline.Completion{Value: before + it.text, Display: it.show, Description: it.about, Tag: it.kind}
	}
	out := readline.CompleteRaw(values)
	out.PREFIX = before + word
	return out
}

// plainEditor reads lines as they are, for input that is no terminal of its
// own and for terminals that cannot move the cursor.
type plainEditor struct {
	in      *bufio.Reader
	screen  *screen
	history *history
}

func newPlainEditor(in io.Reader, s *screen, h *history) *plainEditor {
	return &plainEditor{in: bufio.NewReader(in), screen: s, history: h}
}

func (e *plainEditor) read(prompt string) (string, error) {
	var text strings.Builder
	for {
		if _, err := e.screen.Write([]byte(prompt)); err != nil {
			return "", err
		}
		line, err := e.in.ReadString('\n')
		text.WriteString(line)
		switch {
		case err == io.EOF && strings.TrimSpace(text.String()) == "":
			return "", io.EOF
		case err != nil && err != io.EOF:
			return "", err
		case err == io.EOF || isComplete(text.String()):
			_, err := e.history.Write(text.String())
			return text.String(), err
		}
		prompt = "    -> "
	}
}
