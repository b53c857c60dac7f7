package shell

import (
	"bufio"
	"errors"
	"io"
	"os"
	"strings"

	"golang.org/x/term"

	"github.com/tuttidb/tutti/cmd/tutti/shell/lineedit"
)

// lineEditor is full editing on the process's terminal.
type lineEditor struct{ *lineedit.Editor }

func newLineEditor(in *os.File, out io.Writer, h *history, c *completer, color bool) lineEditor {
	cfg := lineedit.Config{
		In: in, Out: out, History: h, Done: isComplete, Complete: c.complete,
		Raw: func() (func() error, error) {
			state, err := term.MakeRaw(int(in.Fd()))
			if err != nil {
				return nil, err
			}
			return func() error { return term.Restore(int(in.Fd()), state) }, nil
		},
		Size: func() (columns, rows int) {
			columns, rows, err := term.GetSize(int(in.Fd()))
			if err != nil {
				return 0, 0
			}
			return columns, rows
		},
	}
	if color {
		cfg.Styles = highlight
	}
	return lineEditor{lineedit.New(cfg)}
}

func (e lineEditor) read(prompt string) (string, error) {
	text, err := e.Read(prompt)
	if errors.Is(err, lineedit.ErrInterrupted) {
		err = errInterrupted
	}
	return text, err
}

// plainEditor reads lines as they are, for input that is no terminal of its
// own and for terminals that cannot move the cursor.
type plainEditor struct {
	in      *bufio.Reader
	out     io.Writer
	history *history
}

func newPlainEditor(in io.Reader, out io.Writer, h *history) *plainEditor {
	return &plainEditor{in: bufio.NewReader(in), out: out, history: h}
}

func (e *plainEditor) read(prompt string) (string, error) {
	var text strings.Builder
	for {
		if _, err := io.WriteString(e.out, prompt); err != nil {
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
			return text.String(), e.history.Add(text.String())
		}
		prompt = "    -> "
	}
}
