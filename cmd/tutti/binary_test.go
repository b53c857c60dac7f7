//go:build unix

package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/creack/pty"
)

// binaryEnv makes this test binary behave as tutti itself: same code, own
// process, real exit codes.
const binaryEnv = "TUTTI_TEST_BINARY"

func TestMain(m *testing.M) {
	if os.Getenv(binaryEnv) != "" {
		os.Exit(run())
	}
	os.Exit(m.Run())
}

// command is tutti with arguments, in an empty folder and environment.
func command(t *testing.T, dir string, env []string, args ...string) *exec.Cmd {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	t.Cleanup(cancel)
	cmd := exec.CommandContext(ctx, os.Args[0], args...)
	cmd.Dir = dir
	cmd.Env = append([]string{binaryEnv + "=1", "HOME=" + dir, "PATH=/nowhere", "NO_COLOR=1", "GOCOVERDIR=" + t.TempDir()}, env...)
	return cmd
}

// outcome runs tutti to its end.
func outcome(t *testing.T, cmd *exec.Cmd) (code int, stdout, stderr string) {
	t.Helper()
	var out, failed bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &failed
	err := cmd.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	return cmd.ProcessState.ExitCode(), out.String(), failed.String()
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

// TestWrongUse: what cannot be is one clear line on standard error, nothing on
// standard output, and exit code 2.
func TestWrongUse(t *testing.T) {
	dir := t.TempDir()
	write(t, filepath.Join(dir, "typo.yaml"), "threads: 1\nmemory-limt: 1GB\n")
	write(t, filepath.Join(dir, "value.yaml"), "# settings\nthreads: many\n")
	write(t, filepath.Join(dir, "list.yaml"), "- threads\n")
	write(t, filepath.Join(dir, "kind/x.yaml"), "connector: lak\n")
	write(t, filepath.Join(dir, "key/x.yaml"), "connector: lake\nwarehous: /tmp\n")
	write(t, filepath.Join(dir, "type/x.yaml"), "connector: lake\nwarehouse: [1, 2]\n")
	write(t, filepath.Join(dir, "none/x.yaml"), "warehouse: /tmp\n")
	write(t, filepath.Join(dir, "secret/x.yaml"), "connector: lake\nwarehouse: s3://b/p\ns3: {secret-key: \"${ENV:NOT_THERE}\"}\n")
	write(t, filepath.Join(dir, "file"), "")
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	port := taken.Addr().String()
	for _, c := range []struct {
		args, env []string
		want      string
	}{
		{[]string{"serve"}, nil, `unknown command "serve" for "tutti"; did you mean "server"?`},
		{[]string{"server", "now"}, nil, `unknown command "now"`},
		{[]string{"server", "--thread", "3"}, nil, `unknown flag: --thread; did you mean "threads"?`},
		{[]string{"server", "--threads", "many"}, nil, `invalid argument "many" for "--threads"`},
		{[]string{"server", "--threads", "0"}, nil, "threads: 0 is less than 1"},
		{[]string{"server", "--memory-limit", "lots"}, nil, `"lots" is not a size such as 512MB or 4GB`},
		{[]string{"server", "--memory-limit", "5B"}, nil, "memory-limit: 5B is less than 16MB"},
		{[]string{"server", "--http-listen", "8080"}, nil, `http-listen: "8080" is not HOST:PORT`},
		{[]string{"server", "--http-listen", "127.0.0.1:http"}, nil, `http-listen: "127.0.0.1:http" has no port from 0 to 65535`},
		{[]string{"server", "--http-listen", port}, nil, "http-listen: cannot listen on " + port + ": address already in use"},
		{[]string{"coordinator", "--http-listen", "127.0.0.1:0", "--grpc-listen", port}, nil, "grpc-listen: cannot listen on " + port + ": address already in use"},
		{[]string{"worker", "--join", "127.0.0.1:1", "--grpc-listen", port}, nil, "grpc-listen: cannot listen on " + port + ": address already in use"},
		{[]string{"server", "--http-listen", "127.0.0.1:0", "--data-dir", "file/x"}, nil, "data-dir: cannot write to file/x: mkdir file: not a directory"},
		{[]string{"coordinator", "--http-listen", "127.0.0.1:0", "--grpc-listen", "127.0.0.1:0", "--data-dir", "file/x"}, nil, "data-dir: cannot write to file/x"},
		{[]string{"worker", "--join", "127.0.0.1:1", "--grpc-listen", "127.0.0.1:0", "--data-dir", "/proc/x"}, nil, "data-dir: cannot write to /proc/x"},
		{[]string{"worker"}, nil, "join: a worker needs --join HOST:PORT of a coordinator"},
		{[]string{"worker", "--join", "somewhere"}, nil, `join: "somewhere" is not HOST:PORT`},
		{[]string{"worker", "--join", "a:1", "--grpc-listen", "0.0.0.0:0"}, nil, "grpc-listen: 0.0.0.0:0 can be reached from other machines; set --internal-secret"},
		{[]string{"coordinator", "--grpc-listen", ":0"}, nil, "grpc-listen: :0 can be reached from other machines; set --internal-secret"},
		{[]string{"coordinator", "--http-listen", "0.0.0.0:0"}, nil, "http-listen: 0.0.0.0:0 can be reached from other machines; set --internal-secret"},
		{[]string{"server", "--log-format", "xml"}, nil, `log-format: "xml" is neither text nor json`},
		{[]string{"server", "--log-level", "warm"}, nil, `log-level: "warm" is none of debug, info, warn, error; did you mean "warn"?`},
		{[]string{"server", "--max-running-queries", "0"}, nil, "max-running-queries: 0 is less than 1"},
		{[]string{"server", "--max-queued-queries", "-1"}, nil, "max-queued-queries: -1 is less than 1"},
		{[]string{"server", "--config", "nosuch.yaml"}, nil, "configuration file: open nosuch.yaml: no such file"},
		{[]string{"server", "--config", "typo.yaml"}, nil, `typo.yaml:2: unknown setting "memory-limt"; did you mean "memory-limit"?`},
		{[]string{"server"}, []string{"TUTTI_CONFIG=value.yaml"}, "value.yaml:2: threads: "},
		{[]string{"server", "--config", "list.yaml"}, nil, "list.yaml:1: settings must be written as name: value"},
		{[]string{"server"}, []string{"TUTTI_THREADS=abc"}, `TUTTI_THREADS="abc": must be an integer`},
		{[]string{"server", "--internal-secret", "${ENV:NOT_THERE}"}, nil, "internal-secret: environment variable NOT_THERE is not set"},
		{[]string{"server", "--internal-secret", "${FILE:nosuch}"}, nil, "internal-secret: open nosuch: no such file"},
		{[]string{"config", "check", "--catalog-dir", "kind"}, nil, `there is no connector "lak"; did you mean "lake"?`},
		{[]string{"config", "check", "--catalog-dir", "key"}, nil, `key/x.yaml: unknown setting "warehous"; did you mean "warehouse"?`},
		{[]string{"config", "check", "--catalog-dir", "type"}, nil, "type/x.yaml: cannot unmarshal seq into string"},
		{[]string{"config", "check", "--catalog-dir", "none"}, nil, "none/x.yaml: the setting connector is missing"},
		{[]string{"config", "check", "--catalog-dir", "secret"}, nil, "NOT_THERE is not set"},
		{[]string{"config", "check", "worker"}, nil, "join: a worker needs --join"},
		{[]string{"sql", "--format", "xml", "--local", "-e", "SELECT 1"}, nil, `unknown format "xml": want one of table, csv, tsv, json, jsonl, markdown, vertical`},
		{[]string{"sql", "--progress", "maybe", "-e", "SELECT 1"}, nil, `progress is "maybe", want auto, on or off`},
		{[]string{"sql", "--server", "nowhere:x", "-e", "SELECT 1"}, nil, "want http://host:port"},
		{[]string{"sql", "--session", "novalue", "-e", "SELECT 1"}, nil, "novalue"},
		{[]string{"sql", "--local", "-f", "nosuch.sql"}, nil, "open nosuch.sql: no such file"},
	} {
		code, stdout, stderr := outcome(t, command(t, dir, c.env, c.args...))
		if code != exitUsage || stdout != "" || !strings.Contains(stderr, c.want) || strings.Count(stderr, "\n") != 1 {
			t.Errorf("%v %v: exit code %d, %q, %q; want 2 and one line with %q", c.env, c.args, code, stdout, stderr, c.want)
		}
	}
}

// TestConfigPrint: flag, environment and file say the same under one name, the
// flag first; secrets are hidden.
func TestConfigPrint(t *testing.T) {
	dir := t.TempDir()
	write(t, filepath.Join(dir, "c.yaml"), "node-id: file\nthreads: 3\nmemory-limit: 2GB\ninternal-secret: ${FILE:secret}\nquery-reserved-memory: 1.5GB\n")
	write(t, filepath.Join(dir, "secret"), "xyzzy\n")
	env := []string{"TUTTI_CONFIG=c.yaml", "TUTTI_NODE_ID=env", "TUTTI_THREADS=4"}
	code, stdout, stderr := outcome(t, command(t, dir, env, "config", "print", "--node-id", "flag"))
	for _, want := range []string{"node-id: flag\n", `threads: "4"` + "\n", "memory-limit: 2GB\n", "query-reserved-memory: 1.5GB\n", "internal-secret: (hidden)\n", "retained-memory: 512MB\n"} {
		if !strings.Contains(stdout, want) {
			t.Errorf("no %q in\n%s", want, stdout)
		}
	}
	if code != 0 || stderr != "" || strings.Contains(stdout, "xyzzy") {
		t.Errorf("exit code %d, %s%s", code, stdout, stderr)
	}
	code, stdout, _ = outcome(t, command(t, dir, nil, "config", "print", "worker", "--join", "a:1,b:2"))
	if code != 0 || !strings.Contains(stdout, "join: [a:1,b:2]\n") || strings.Contains(stdout, "catalog-dir") {
		t.Errorf("a worker's settings: exit code %d,\n%s", code, stdout)
	}
	write(t, filepath.Join(dir, "catalogs/x.yaml"), "connector: tpch\n")
	code, stdout, stderr = outcome(t, command(t, dir, nil, "config", "check", "--catalog-dir", "catalogs"))
	if code != 0 || stdout != "configuration is good: 1 catalog files\n" {
		t.Errorf("config check: exit code %d, %q, %q", code, stdout, stderr)
	}
}

func TestVersion(t *testing.T) {
	code, stdout, _ := outcome(t, command(t, t.TempDir(), nil, "version"))
	if code != 0 || !regexp.MustCompile(`^tutti \S+( [0-9a-f]{12})? \(go\S+, \w+/\w+\)\n$`).MatchString(stdout) {
		t.Errorf("exit code %d, %q", code, stdout)
	}
}

// TestSQLLocal: scripts without a server, in every format.
func TestSQLLocal(t *testing.T) {
	dir := t.TempDir()
	write(t, filepath.Join(dir, "two.sql"), "SELECT 5 AS a; -- first\nSELECT 'x;y' AS b;\n")
	const odd = `SELECT 1 AS a, 'q"u,o|t' || chr(9) || 'e' || chr(10) || 'n' AS "b c", CAST(NULL AS varchar) AS n, ARRAY[1, NULL] AS l`
	for _, c := range []struct {
		args   []string
		stdin  string
		code   int
		stdout string
		stderr string // what it contains
	}{
		{[]string{"-e", odd, "--format", "csv"}, "", 0, "a,b c,n,l\n1,\"q\"\"u,o|t\te\nn\",,\"[1, null]\"\n", ""},
		{[]string{"-e", odd, "--format", "tsv"}, "", 0, "a\tb c\tn\tl\n1\tq\"u,o|t\\te\\nn\t\\N\t[1, null]\n", ""},
		{[]string{"-e", odd, "--format", "json"}, "", 0, "[\n{\"a\":1,\"b c\":\"q\\\"u,o|t\\te\\nn\",\"n\":null,\"l\":[1,null]}\n]\n", ""},
		{[]string{"-e", odd, "--format", "jsonl"}, "", 0, "{\"a\":1,\"b c\":\"q\\\"u,o|t\\te\\nn\",\"n\":null,\"l\":[1,null]}\n", ""},
		{[]string{"-e", odd, "--format", "markdown"}, "", 0, "| a | b c | n | l |\n| ---: | --- | --- | --- |\n| 1 | q\"u,o\\|t\te<br>n | NULL | [1, null] |\n", ""},
		{[]string{"-e", "SELECT 1 AS a, NULL AS n", "--format", "vertical"}, "", 0, "─[ record 1 ]────────\na │ 1\nn │ NULL\n", ""},
		{[]string{"-e", "SELECT 1 AS a, 'ö' AS b"}, "", 0, "┌───┬───┐\n│ a │ b │\n├───┼───┤\n│ 1 │ ö │\n└───┴───┘\n", ""},
		{[]string{"-f", "two.sql", "--format", "csv"}, "", 0, "a\n5\nb\nx;y\n", ""},
		{[]string{"-f", "-", "--format", "csv"}, "SELECT 7 AS a", 0, "a\n7\n", ""},
		{[]string{"--format", "csv"}, "SELECT 8 AS a;", 0, "a\n8\n", ""},
		{[]string{"-e", "SELECT 1 AS a", "-e", "SELECT 2 AS b", "--format", "csv"}, "", 0, "a\n1\nb\n2\n", ""},
		{[]string{"--catalog", "tpch", "--schema", "tiny", "--format", "csv", "-e", "SELECT count(*) AS n FROM nation"}, "", 0, "n\n25\n", ""},
		{[]string{"--session", "batch_rows=7", "--format", "csv", "-e", "SHOW SESSION LIKE 'batch_rows'"}, "", 0, "Name,Value,Default,Type,Description\nbatch_rows,7,8192,integer,\"Rows that scans aim at in a batch, 1 to 16384\"\n", ""},
		{[]string{"-e", "SELECT 1 AS a; SELECT nmae FROM tpch.tiny.nation; SELECT 2", "--format", "csv"}, "", 1, "a\n1\n",
			"line 1:8: Column 'nmae' cannot be resolved; did you mean 'name'? (COLUMN_NOT_FOUND)\n   1 │ SELECT nmae FROM tpch.tiny.nation\n     │        ^\n"},
		{[]string{"-e", "SELEC 1"}, "", 1, "", "mismatched input 'SELEC'"},
		{[]string{"-e", "SELECT 1/0"}, "", 1, "", "Division by zero"},
		{[]string{"-e", "SELECT * FROM 'nosuch/*.parquet'"}, "", 1, "", "no files match 'nosuch/*.parquet'"},
		{[]string{"-e", ""}, "", 0, "", ""},
	} {
		cmd := command(t, dir, nil, append([]string{"sql", "--local"}, c.args...)...)
		cmd.Stdin = strings.NewReader(c.stdin)
		code, stdout, stderr := outcome(t, cmd)
		if code != c.code || stdout != c.stdout || !strings.Contains(stderr, c.stderr) || (c.stderr == "") != (stderr == "") {
			t.Errorf("%v: exit code %d, %q, %q; want %d, %q, %q", c.args, code, stdout, stderr, c.code, c.stdout, c.stderr)
		}
	}
}

// TestSQLNoServer: exit code 3 and what to do.
func TestSQLNoServer(t *testing.T) {
	code, _, stderr := outcome(t, command(t, t.TempDir(), nil, "sql", "--server", "http://127.0.0.1:1", "-e", "SELECT 1"))
	if code != 3 || !strings.Contains(stderr, "cannot reach server at http://127.0.0.1:1: is it running? start one with `tutti server`") {
		t.Errorf("exit code %d, %q", code, stderr)
	}
}

// TestServerLives: a server says how to connect, answers the shell, which
// finds it by TUTTI_SERVER, and ends well on SIGTERM.
func TestServerLives(t *testing.T) {
	dir := t.TempDir()
	cmd := command(t, dir, nil, "server", "--http-listen", "127.0.0.1:0", "--log-level", "error")
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(out)
	url := ""
	for url == "" && lines.Scan() {
		_, url, _ = strings.Cut(lines.Text(), "tutti sql --server ")
	}
	code, stdout, stderr := outcome(t, command(t, dir, []string{"TUTTI_SERVER=" + url}, "sql", "-e", "SELECT count(*) AS n FROM tpch.tiny.orders", "--format", "csv"))
	if code != 0 || stdout != "n\n15000\n" {
		t.Errorf("exit code %d, %q, %q", code, stdout, stderr)
	}
	if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Wait(); err != nil {
		t.Errorf("after SIGTERM: %v", err)
	}
}

// TestShellOnTerminal: a person at tutti sql --local: a statement over two
// lines, an error under its caret, a query that is canceled, the end.
func TestShellOnTerminal(t *testing.T) {
	cmd := command(t, t.TempDir(), []string{"TERM=xterm-256color"}, "sql", "--local", "--catalog", "tpch", "--schema", "tiny")
	tty, err := pty.StartWithSize(cmd, &pty.Winsize{Rows: 40, Cols: 100})
	if err != nil {
		t.Fatal(err)
	}
	defer tty.Close()
	read := make(chan string, 1000)
	go func() {
		defer close(read)
		b := make([]byte, 4096)
		for {
			n, err := tty.Read(b)
			if err != nil {
				return // the terminal is gone
			}
			read <- string(b[:n])
		}
	}()
	escapes := regexp.MustCompile(`\x1b(\[[0-9;?]*[ -/]*[@-~]|[()][A-Z0-9]|[=>78])`)
	shown := ""
	wait := func(want string) {
		t.Helper()
		deadline := time.After(30 * time.Second)
		for !strings.Contains(shown, want) {
			select {
			case s, ok := <-read:
				if !ok {
					t.Fatalf("the shell ended; no %q in %q", want, shown)
				}
				shown += escapes.ReplaceAllString(s, "")
			case <-deadline:
				t.Fatalf("no %q in %q", want, shown)
			}
		}
		_, shown, _ = strings.Cut(shown, want)
	}
	typed := func(s string) {
		t.Helper()
		if _, err := tty.WriteString(s); err != nil {
			t.Fatal(err)
		}
	}
	wait("> ")
	typed("SELECT count(*) AS n\r")
	typed("FROM nation;\r")
	wait("25 │")
	wait("tiny> ")
	typed("SELECT nmae FROM nation;\r")
	wait("did you mean 'name'?")
	wait("^")
	wait("tiny> ")
	typed("SELECT count(*) FROM sf100.lineitem a, sf100.lineitem b WHERE a.comment < b.comment;\r")
	wait("running")
	typed("\x03")
	wait("cancel")
	wait("tiny> ")
	typed("SELECT 40 + 2 AS answer;\r")
	wait("42 │")
	wait("tiny> ")
	typed("\x04")
	if err := cmd.Wait(); err != nil {
		t.Errorf("the shell ended with %v", err)
	}
}
