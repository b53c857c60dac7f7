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
	"syscall"
	_ "time/tzdata" // named time zones in containers that have no zone files

	"github.com/spf13/cobra"
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
	err := rootCommand().ExecuteContext(ctx)
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
	fmt.Fprintln(os.Stderr, "tutti:", err)
	return exitUsage
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
		CompletionOptions: cobra.CompletionOptions{
			HiddenDefaultCmd: true,
		},
	}
	root.AddCommand(serverCommand(), coordinatorCommand(), workerCommand(), sqlCommand(), configCommand(), versionCommand())
	return root
}
