// Command tutti is the one binary of Tutti: a server that does everything in
// one process, a coordinator, a worker, and the SQL shell. Each subcommand is
// a file of this package; this is the only place that sees all others, and
// the wiring is all that is done here.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"regexp"
	"strings"
	"syscall"
	_ "time/tzdata" // named time zones in containers that have no zone files

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/tuttidb/tutti/cmd/tutti/config"
)

// Exit codes: what was asked for cannot be done as it was asked (a wrong
// flag, a port in use), or went wrong later.
const (
	exitUsage   = 2
	exitFailure = 1
)

func main() { os.Exit(run()) }

func run() int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	root := rootCommand()
	err := root.ExecuteContext(ctx)
	var exit *exitError
	switch {
	case err == nil:
		return 0
	case errors.As(err, &exit):
		if exit.err != nil {
			fmt.Fprintln(os.Stderr, "tutti:", exit.err)
		}
		return exit.code
	}
	fmt.Fprintln(os.Stderr, "tutti:", misspelled(root, err))
	return exitUsage
}

// unknownCommand is how cobra says that a subcommand does not exist.
var unknownCommand = regexp.MustCompile(`^unknown command "([^"]*)" for`)

// misspelled adds to an error about an unknown subcommand or flag what may have
// been meant.
func misspelled(cmd *cobra.Command, err error) error {
	if m := unknownCommand.FindStringSubmatch(err.Error()); m != nil {
		var known []string
		for _, c := range cmd.Commands() {
			known = append(known, c.Name())
		}
		return fmt.Errorf("%w%s", err, config.Suggest(m[1], known))
	}
	if name, ok := strings.CutPrefix(err.Error(), "unknown flag: --"); ok {
		var known []string
		cmd.Flags().VisitAll(func(f *pflag.Flag) { known = append(known, f.Name) })
		return fmt.Errorf("%w%s", err, config.Suggest(name, known))
	}
	return err
}

// exitError ends the process with a code; without an error silently.
type exitError struct {
	code int
	err  error
}

func (e *exitError) Error() string {
	if e.err == nil {
		return fmt.Sprintf("exit code %d", e.code)
	}
	return e.err.Error()
}

// usage is an error about how the process was started.
func usage(err error) error { return &exitError{code: exitUsage, err: err} }

// failure is an error of a process that had started well.
func failure(err error) error { return &exitError{code: exitFailure, err: err} }

func rootCommand() *cobra.Command {
	root := &cobra.Command{
		Use:           "tutti",
		Short:         "Distributed SQL over the files of a data lake",
		SilenceUsage:  true,
		SilenceErrors: true,
		// Ours are one line, see misspelled.
		DisableSuggestions: true,
		CompletionOptions: cobra.CompletionOptions{
			HiddenDefaultCmd: true,
		},
	}
	root.SetFlagErrorFunc(misspelled)
	root.AddCommand(serverCommand(), coordinatorCommand(), workerCommand(), sqlCommand(), adminCommand(), configCommand(), versionCommand())
	return root
}
