package worker

import (
	"context"
	"errors"
	"fmt"

	"github.com/tuttidb/tutti/exchange"
	"github.com/tuttidb/tutti/exec/mem"
	"github.com/tuttidb/tutti/internal/qerr"
	pb "github.com/tuttidb/tutti/proto/tutti/v1"
)

// Why a task is canceled: the cause of its context.
var (
	errQueryEnded = errors.New("the query has ended")
	errEnough     = errors.New("no consumer wants more rows")
	errReleased   = errors.New("the output was released")
	errShutdown   = errors.New("the node is shutting down")
	errStale      = errors.New("the catalogs are of an older generation")
)

// stopped reports whether a task was stopped by its coordinator, and the
// state it is in then.
func stopped(cause error) (pb.TaskState, bool) {
	switch {
	case errors.Is(cause, errQueryEnded), errors.Is(cause, errEnough):
		return pb.TaskState_TASK_STATE_CANCELED, true
	case errors.Is(cause, errReleased):
		return pb.TaskState_TASK_STATE_ABORTED, true
	}
	return 0, false
}

// classify says what an error means to the coordinator. query is the name of
// the query's memory account.
func classify(err error, query string) *pb.Failure {
	var lost *exchange.LostOutput
	var full *mem.LimitError
	var stale *staleCatalogs
	switch {
	case errors.As(err, &stale):
		f := failure(qerr.New(qerr.RemoteTaskError, "%s", stale), pb.Failure_CAUSE_NODE)
		f.Retryable = true
		return f
	case errors.Is(err, errShutdown):
		f := failure(qerr.New(qerr.ServerShuttingDown, "The node is shutting down"), pb.Failure_CAUSE_NODE)
		f.Retryable = true
		return f
	case errors.As(err, &lost):
		f := failure(qerr.Wrap(qerr.PageTransportError, err, "An upstream task's output could not be fetched"), pb.Failure_CAUSE_LOST_OUTPUT)
		f.Retryable, f.Lost = true, exchange.TaskToProto(lost.Task)
		return f
	case errors.As(err, &full):
		return failure(memoryError(full, query), pb.Failure_CAUSE_OUT_OF_MEMORY)
	case errors.Is(err, context.Canceled):
		return failure(qerr.From(err), pb.Failure_CAUSE_CANCELED)
	}
	e := qerr.From(err)
	switch {
	case e.Code == qerr.OutOfSpillSpace:
		// This node's disk is full or broken; others' need not be.
		f := failure(e, pb.Failure_CAUSE_NODE)
		f.Retryable, f.CountsAgainstWorker = true, true
		return f
	case e.Code.Kind == qerr.User:
		return failure(e, pb.Failure_CAUSE_USER)
	case e.Code.Kind == qerr.Resource:
		return failure(e, pb.Failure_CAUSE_OUT_OF_MEMORY)
	case e.Code.Kind == qerr.External:
		return failure(e, pb.Failure_CAUSE_STORAGE)
	}
	f := failure(e, pb.Failure_CAUSE_INTERNAL)
	f.CountsAgainstWorker = true
	return f
}

// memoryError says in Trino's words which limit was in the way: the query's
// own on this node, or the node's.
func memoryError(e *mem.LimitError, query string) *qerr.Error {
	figures := fmt.Sprintf("Allocated: %s, Delta: %s", exchange.DataSize(e.Used), exchange.DataSize(e.Wanted))
	if e.Account == query {
		return qerr.New(qerr.ExceededLocalMemory, "Query exceeded per-node memory limit of %s [%s]", exchange.DataSize(e.Limit), figures)
	}
	return qerr.New(qerr.ClusterOutOfMemory, "Query killed because the node is out of memory: its limit is %s [%s]. Please try again in a few minutes.",
		exchange.DataSize(e.Limit), figures).WithRetry()
}

func failure(e *qerr.Error, cause pb.Failure_Cause) *pb.Failure {
	return &pb.Failure{
		Cause: cause, Retryable: e.Retryable, Code: int32(e.Code.Number), Name: e.Code.Name, Kind: uint32(e.Code.Kind),
		Message: e.Message, Line: int32(e.Pos.Line), Column: int32(e.Pos.Column),
	}
}
