//go:build unix

package shell

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/creack/pty"

	"github.com/tuttidb/tutti/client/clienttest"
)

// childEnv makes this test binary run the shell on its own terminal instead
// of the tests: a line editor needs a process of its own.
const childEnv = "TUTTI_SHELL_TEST_SERVER"

func TestMain(m *testing.M) {
	if server := os.Getenv(childEnv); server != "" {
		os.Exit(Run(context.Background(), Options{
			Server: server, User: "ann", IsTerminal: true, Color: true, HistoryFile: os.Getenv(childEnv + "_HISTORY"),
		}))
	}
	os.Exit(m.Run())
}

// terminal is a shell on a pseudo terminal: what it printed, without escape
// sequences, and a place to type.
type terminal struct {
	t    *testing.T
	tty  *os.File
	cmd  *exec.Cmd
	done chan struct{}

	mu   sync.Mutex
	text strings.Builder
	seen int // what earlier waits have passed
}

var escapes = regexp.MustCompile(`\x1b(\[[0-9;?]*[ -/]*[@-~]|[()][A-Z0-9]|[=>78])`)

func startTerminal(t *testing.T, server, history string) *terminal {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), childEnv+"="+server, childEnv+"_HISTORY="+history, "TERM=xterm-256color", "HOME="+filepath.Dir(history))
	tty, err := pty.StartWithSize(cmd, &pty.Winsize{Rows: 40, Cols: 100})
	if err != nil {
		t.Fatal(err)
	}
	term := &terminal{t: t, tty: tty, cmd: cmd, done: make(chan struct{})}
	go term.copy()
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = tty.Close()
		<-term.done
		if t.Failed() {
			t.Logf("terminal showed:\n%s", term.shown())
		}
	})
	return term
}

func (s *terminal) copy() {
	defer close(s.done)
	buf := make([]byte, 4096)
	for {
		n, err := s.tty.Read(buf)
		s.mu.Lock()
		s.text.Write(buf[:n])
		s.mu.Unlock()
		if err != nil { // a closed terminal reads as EIO
			return
		}
	}
}

func (s *terminal) shown() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return strings.ReplaceAll(escapes.ReplaceAllString(s.text.String(), ""), "\r", "")
}

// wait waits until text shows up after what earlier waits found.
func (s *terminal) wait(text string) {
	s.t.Helper()
	s.until(fmt.Sprintf("%q on the terminal", text), func() bool {
		shown := s.shown()
		i := strings.Index(shown[min(s.seen, len(shown)):], text)
		if i >= 0 {
			s.seen += i + len(strings.TrimRight(text, "\n")) // a line end may begin what is waited for next
		}
		return i >= 0
	})
}

func (s *terminal) until(what string, ok func() bool) {
	s.t.Helper()
	for deadline := time.Now().Add(20 * time.Second); !ok(); time.Sleep(2 * time.Millisecond) {
		if time.Now().After(deadline) {
			s.t.Fatalf("no %s", what)
		}
	}
}

func (s *terminal) keys(text string) {
	s.t.Helper()
	if _, err := s.tty.WriteString(text); err != nil {
		s.t.Fatal(err)
	}
}

// exit waits for the process to end and returns its exit code.
func (s *terminal) exit() int {
	s.t.Helper()
	ended := make(chan error, 1)
	go func() { ended <- s.cmd.Wait() }()
	select {
	case <-ended:
		return s.cmd.ProcessState.ExitCode()
	case <-time.After(20 * time.Second):
		s.t.Fatal("the shell did not end")
		return -1
	}
}

const (
	ctrlC = "\x03"
	ctrlD = "\x04"
	ctrlR = "\x12"
	keyUp = "\x1b[A"
	enter = "\r"
	tab   = "\t"
)

func TestTerminal(t *testing.T) {
	server := clienttest.New(answers)
	t.Cleanup(server.Close)
	history := filepath.Join(t.TempDir(), "history")
	sent := func(s *terminal, want string, n int) {
		t.Helper()
		s.until(fmt.Sprintf("statement %q (%d times) among %q", want, n, server.Statements()), func() bool {
			count := 0
			for _, sql := range server.Statements() {
				if sql == want {
					count++
				}
			}
			return count == n
		})
	}

	s := startTerminal(t, server.URL, history)
	s.wait("\ntutti> ")

	// A statement over two lines is one statement, and draws a table.
	s.keys("SELECT 1," + enter + "2;" + enter)
	sent(s, "SELECT 1,\n2", 1)
	s.wait("│ n │")
	s.wait("1 row in ")
	s.wait("\ntutti> ")

	// An error points at its place.
	s.keys("SELECT nosuch;" + enter)
	s.wait("Column 'nosuch' cannot be resolved")
	s.wait("   1 │ SELECT nosuch\n     │        ^\n")
	s.wait("\ntutti> ")

	// Ctrl-C cancels the query at the server; the shell lives on.
	s.keys("SELECT forever;" + enter)
	s.wait("running")
	s.keys(ctrlC)
	s.wait("Query canceled.")
	s.until("cancel at the server", func() bool { return server.Canceled() == 1 })
	s.wait("\ntutti> ")

	// Ctrl-C clears a half typed input, and on an empty one tells how to leave.
	s.keys("SELECT junk")
	s.wait("SELECT junk")
	s.keys(ctrlC)
	s.wait("\ntutti> ")
	s.keys(ctrlC)
	s.wait("To leave press Ctrl-D")
	s.wait("\ntutti> ")

	// The prompt follows the session.
	s.keys("USE tpch.tiny;" + enter)
	s.wait("\ntutti:tpch.tiny> ")

	// Up goes back over USE, the canceled and the failed statement to the first.
	s.keys(keyUp + keyUp + keyUp)
	s.wait("> SELECT nosuch;")
	s.keys(ctrlC)
	s.wait("\ntutti:tpch.tiny> ")

	// Tab completes a keyword.
	s.keys("SELECT 7 INTERSE" + tab + " SELECT 7;" + enter)
	s.until("completed statement", func() bool {
		return slices.ContainsFunc(server.Statements(), func(sql string) bool {
			return strings.Join(strings.Fields(sql), " ") == "SELECT 7 INTERSECT SELECT 7"
		})
	})
	s.wait("\ntutti:tpch.tiny> ")

	s.keys(ctrlD)
	if code := s.exit(); code != 0 {
		t.Errorf("exit code %d", code)
	}

	// The file kept one entry an input, the two-line one too.
	file, err := os.ReadFile(history)
	if err != nil {
		t.Fatal(err)
	}
	var first string
	if err := json.Unmarshal([]byte(strings.SplitN(string(file), "\n", 2)[0]), &first); err != nil || first != "SELECT 1,\n2;" {
		t.Errorf("first entry is %q, %v", first, err)
	}

	// A new shell finds it by reverse search.
	again := startTerminal(t, server.URL, history)
	again.wait("\ntutti> ")
	again.keys(ctrlR + "SELECT 1" + enter)
	again.wait("SELECT 1")
	again.keys(enter)
	sent(again, "SELECT 1,\n2", 2)
	again.wait("\ntutti> ")
	again.keys("quit" + enter)
	if code := again.exit(); code != 0 {
		t.Errorf("exit code %d", code)
	}
}
