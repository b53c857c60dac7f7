// Package shell is the engine of `tutti sql`: it reads statements from a
// terminal, a file or the command line, runs them on a [Backend], and prints
// what comes back.
//
// A Backend runs statements: [Dial] gives one for a server, and a process that
// runs queries itself can bring its own. Everything above it is the same:
//
//	source of text (editor, -e, file, stdin)
//	  → splitter     statements, cut at ; outside quotes and comments
//	  → run          Backend.Execute, progress line, Ctrl-C
//	  → printer      one per format; all but table print as rows arrive
//
// Data goes to Out and nothing else does, so that output can be piped;
// messages, errors and the progress line go to Err.
//
// # Exit codes
//
// [Run] returns 0 when all statements ran; else the code of the first failure,
// after which a script stops: 1 for an error in the statement or its rights,
// 2 for wrong options, 3 when something outside failed (no server, an object
// store), 4 when a limit was reached, 5 for an internal error of the server,
// 130 when interrupted by Ctrl-C.
package shell
