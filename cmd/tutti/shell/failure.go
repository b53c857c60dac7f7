package shell

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"

	"github.com/tuttidb/tutti/client"
)

// The exit codes of Run; see the package comment.
const (
	ExitOK          = 0
	ExitUser        = 1
	ExitUsage       = 2
	ExitExternal    = 3
	ExitResources   = 4
	ExitInternal    = 5
	ExitInterrupted = 130
)

// errInterrupted is why a context ended when Ctrl-C was pressed.
var errInterrupted = errors.New("interrupted")

// usageError is a wrong option or a wrong command of the shell itself.
type usageError struct{ error }

// exitCode maps an error to the process's exit code.
func exitCode(err error) int {
	var qe *client.Error
	var he *client.HTTPError
	var ue usageError
	switch {
	case err == nil:
		return ExitOK
	case errors.Is(err, errInterrupted), errors.Is(err, context.Canceled):
		return ExitInterrupted
	case errors.As(err, &ue):
		return ExitUsage
	case errors.As(err, &qe):
		switch qe.Type {
		case client.UserError:
			return ExitUser
		case client.ExternalError:
			return ExitExternal
		case client.InsufficientResources:
			return ExitResources
		}
		return ExitInternal
	case errors.As(err, &he) && (he.StatusCode == http.StatusUnauthorized || he.StatusCode == http.StatusForbidden):
		return ExitUser
	}
	return ExitExternal
}

// explain returns the text for a failed statement: the message and, where the
// failure has a place, the line with a caret below it. width cuts the line to
// the terminal; 0 is no limit. source names where the statement stands, if
// it has a name.
func explain(err error, st statement, source string, width int, color bool) string {
	var ce *client.ConnectError
	var qe *client.Error
	paint := func(style, s string) string {
		if color {
			return style + s + reset
		}
		return s
	}
	switch {
	case errors.Is(err, errInterrupted), errors.Is(err, context.Canceled):
		return "Query canceled.\n"
	case errors.As(err, &ce):
		return paint(red, "Error: ") + fmt.Sprintf("cannot reach server at %s: is it running? start one with `tutti server` (%v)\n", ce.URL, ce.Err)
	case !errors.As(err, &qe):
		return paint(red, "Error: ") + err.Error() + "\n"
	}
	at := ""
	if source != "" {
		at = fmt.Sprintf("%s:%d: ", source, st.line+max(qe.Line-1, 0))
	}
	name := ""
	if qe.Name != "" {
		name = " (" + qe.Name + ")"
	}
	return at + paint(red, "Error: ") + visibleLines(qe.Message) + name + "\n" + caret(st, qe.Line, qe.Column, width, paint)
}

// visibleLines is visible for text of several lines.
func visibleLines(s string) string {
	lines := strings.Split(s, "\n")
	for i, l := range lines {
		lines[i] = visible(l)
	}
	return strings.Join(lines, "\n")
}

// caret shows the line of the statement and points at the column, which
// counts code points from 1.
func caret(st statement, line, column, width int, paint func(style, s string) string) string {
	lines := strings.Split(st.text, "\n")
	if line < 1 || line > len(lines) || column < 1 {
		return ""
	}
	runes := []rune(strings.TrimSuffix(lines[line-1], "\r"))
	column = min(column, len(runes)+1)
	before, after := visible(string(runes[:column-1])), visible(string(runes[column-1:]))
	label := fmt.Sprintf("%4d │ ", line)
	if room := width - textWidth(label); width > 0 && textWidth(before+after) > room && room > 20 {
		before, after = window(before, after, room)
	}
	return label + before + after + "\n" + "     │ " + strings.Repeat(" ", textWidth(before)) + paint(bold, "^") + "\n"
}

// window cuts a long line to room cells around the place between before and
// after.
func window(before, after string, room int) (string, string) {
	if w := textWidth(before); w > room*2/3 {
		cut := w - room*2/3
		runes := []rune(before)
		for cut > 0 && len(runes) > 0 {
			cut -= textWidth(string(runes[0]))
			runes = runes[1:]
		}
		before = "…" + string(runes)
	}
	return before, clip(after, room-textWidth(before))
}
