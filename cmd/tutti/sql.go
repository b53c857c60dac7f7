package main

import (
	"context"
	"os"
	"os/signal"
	"os/user"
	"strings"
	"syscall"

	"github.com/mattn/go-isatty"
	"github.com/spf13/cobra"

	"github.com/tuttidb/tutti/cmd/tutti/shell"
)

// sqlOptions are the flags of tutti sql.
type sqlOptions struct {
	shell   shell.Options
	local   bool
	format  string
	session []string
}

func sqlCommand() *cobra.Command {
	o := &sqlOptions{}
	cmd := &cobra.Command{
		Use:   "sql",
		Short: "Ask questions: an interactive SQL shell, or -e and -f for scripts",
		Long: "An SQL shell for a Tutti (or Trino) server. With --local it needs no server:\n" +
			"  tutti sql --local -e \"select count(*) from 'data/*.parquet'\"",
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return o.run(cmd) },
	}
	f := cmd.Flags()
	f.StringVar(&o.shell.Server, "server", envOr("TUTTI_SERVER", ""), "URL of the server (default http://127.0.0.1:8080)")
	f.StringVar(&o.shell.Catalog, "catalog", "", "catalog that names refer to")
	f.StringVar(&o.shell.Schema, "schema", "", "schema that names refer to")
	f.StringVar(&o.shell.User, "user", "", "user name (default: the system's)")
	f.StringArrayVarP(&o.shell.Execute, "execute", "e", nil, "run this and exit; may be given several times")
	f.StringVarP(&o.shell.File, "file", "f", "", "run this file and exit; - is standard input")
	f.StringVar(&o.format, "format", "table", "table, csv, tsv, json, jsonl, markdown or vertical")
	f.StringArrayVar(&o.session, "session", nil, "session property NAME=VALUE; may be given several times")
	f.StringVar(&o.shell.TimeZone, "timezone", "", "time zone of the session")
	f.StringVar(&o.shell.Progress, "progress", "auto", "auto, on or off")
	f.BoolVar(&o.local, "local", false, "no server: run in this process, with access to local files")
	return cmd
}

func (o *sqlOptions) run(cmd *cobra.Command) error {
	var err error
	if o.shell.Session, err = shell.ParseSession(o.session); err != nil {
		return usage(err)
	}
	o.shell.Format = o.format
	o.shell.IsTerminal = isatty.IsTerminal(os.Stdin.Fd()) && isatty.IsTerminal(os.Stdout.Fd())
	o.shell.Color = os.Getenv("NO_COLOR") == ""
	o.shell.HistoryFile = shell.DefaultHistoryFile()
	if o.shell.User == "" {
		o.shell.User = systemUser()
	}
	if o.local {
		backend, stop, err := localBackend(o.shell)
		if err != nil {
			return err
		}
		defer stop()
		o.shell.Backend = backend
	}
	// Ctrl-C cancels the statement that runs, which the shell sees to; it must
	// not end what all further statements run in.
	ctx, stop := signal.NotifyContext(context.WithoutCancel(cmd.Context()), syscall.SIGTERM)
	defer stop()
	if code := shell.Run(ctx, o.shell); code != 0 {
		return &exitError{code: code}
	}
	return nil
}

func systemUser() string {
	if u, err := user.Current(); err == nil && u.Username != "" {
		return strings.ToLower(u.Username)
	}
	return "tutti"
}

func envOr(name, otherwise string) string {
	if v, ok := os.LookupEnv(name); ok {
		return v
	}
	return otherwise
}
