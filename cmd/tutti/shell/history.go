package shell

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// maxHistory is how many inputs are kept.
const maxHistory = 5000

// DefaultHistoryFile is where history usually lies: tutti/sql_history in the
// user's state folder (XDG_STATE_HOME, else ~/.local/state). It is empty if
// there is no home.
func DefaultHistoryFile() string {
	dir := os.Getenv("XDG_STATE_HOME")
	if dir == "" {
		home, err := os.UserHomeDir()
		if err != nil {
			return ""
		}
		dir = filepath.Join(home, ".local", "state")
	}
	return filepath.Join(dir, "tutti", "sql_history")
}

// history is the list of past inputs, oldest first, kept in a file of JSON
// strings, one a line, so that an input of several lines stays one entry. It
// serves the line editor as its source.
type history struct {
	file  string
	items []string
}

// openHistory reads a history file; a missing one is empty. A file that has
// grown well beyond the limit is cut.
func openHistory(file string) (*history, error) {
	h := &history{file: file}
	if file == "" {
		return h, nil
	}
	f, err := os.Open(file)
	if errors.Is(err, os.ErrNotExist) {
		return h, os.MkdirAll(filepath.Dir(file), 0o700)
	}
	if err != nil {
		return h, err
	}
	defer f.Close()
	sc := bufio.NewScanner(f)
	sc.Buffer(nil, 16<<20)
	for sc.Scan() {
		var item string
		if json.Unmarshal(sc.Bytes(), &item) == nil && item != "" { // skip what a crash cut short
			h.items = append(h.items, item)
		}
	}
	if err := sc.Err(); err != nil {
		return h, fmt.Errorf("read history: %w", err)
	}
	if len(h.items) > maxHistory*5/4 {
		h.items = h.items[len(h.items)-maxHistory:]
		return h, h.rewrite()
	}
	return h, nil
}

func (h *history) rewrite() error {
	var b strings.Builder
	for _, item := range h.items {
		b.WriteString(jsonString(item) + "\n")
	}
	tmp := h.file + ".new"
	if err := os.WriteFile(tmp, []byte(b.String()), 0o600); err != nil {
		return err
	}
	return os.Rename(tmp, h.file)
}

// Write adds an input, unless it is empty or the same as the last.
func (h *history) Write(line string) (int, error) {
	line = strings.TrimSpace(line)
	if line == "" || (len(h.items) > 0 && h.items[len(h.items)-1] == line) {
		return len(h.items), nil
	}
	h.items = append(h.items, line)
	if h.file == "" {
		return len(h.items), nil
	}
	f, err := os.OpenFile(h.file, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		return len(h.items), err
	}
	_, err = f.WriteString(jsonString(line) + "\n")
	return len(h.items), errors.Join(err, f.Close())
}

// GetLine returns the input at a place, 0 being the oldest.
func (h *history) GetLine(i int) (string, error) {
	if i < 0 || i >= len(h.items) {
		return "", fmt.Errorf("no history entry %d", i)
	}
	return h.items[i], nil
}

// Len returns the number of inputs.
func (h *history) Len() int { return len(h.items) }

// Dump returns all inputs.
func (h *history) Dump() any { return h.items }
