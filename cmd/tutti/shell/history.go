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

// Len returns the number of inputs.
func (h *history) Len() int { return len(h.items) }

// At returns the input at a place, 0 being the oldest.
func (h *history) At(i int) string { return h.items[i] }

// Add keeps an input, unless it is empty or the same as the last. An input
// that the file does not take is kept all the same, for this run.
func (h *history) Add(text string) error {
	text = strings.TrimSpace(text)
	if text == "" || (len(h.items) > 0 && h.items[len(h.items)-1] == text) {
		return nil
	}
	h.items = append(h.items, text)
	if h.file == "" {
		return nil
	}
	f, err := os.OpenFile(h.file, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		h.file = "" // say so once, not after every input
		return fmt.Errorf("history: %w", err)
	}
	_, err = f.WriteString(jsonString(text) + "\n")
	return errors.Join(err, f.Close())
}
