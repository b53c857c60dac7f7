package worker

import (
	"context"
	"errors"
	"fmt"
	"syscall"
	"testing"

	"github.com/tuttidb/tutti/exchange"
	"github.com/tuttidb/tutti/exec/mem"
	"github.com/tuttidb/tutti/internal/qerr"
	"github.com/tuttidb/tutti/planner/plan"
	pb "github.com/tuttidb/tutti/proto/tutti/v1"
)

// TestClassify: what an error means to the coordinator, wrapped or not.
func TestClassify(t *testing.T) {
	lost := &exchange.LostOutput{Task: plan.TaskID{Stage: plan.StageID{Query: "q", Fragment: 3}, Task: 4, Attempt: 5}, Reason: "test"}
	for _, c := range []struct {
		name  string
		err   error
		cause pb.Failure_Cause
		code  string
		// retryable elsewhere or later; counts against this worker
		retryable, counts bool
	}{
		{"the node shuts down", errShutdown, pb.Failure_CAUSE_NODE, "SERVER_SHUTTING_DOWN", true, false},
		{"an input is lost", lost, pb.Failure_CAUSE_LOST_OUTPUT, "PAGE_TRANSPORT_ERROR", true, false},
		{"the query's memory", &mem.LimitError{Account: "query q", Limit: 10, Used: 9, Wanted: 2}, pb.Failure_CAUSE_OUT_OF_MEMORY, "EXCEEDED_LOCAL_MEMORY_LIMIT", false, false},
		{"the node's memory", &mem.LimitError{Account: "node", Limit: 10, Used: 9, Wanted: 2}, pb.Failure_CAUSE_OUT_OF_MEMORY, "CLUSTER_OUT_OF_MEMORY", true, false},
		{"canceled", context.Canceled, pb.Failure_CAUSE_CANCELED, "", false, false},
		{"the user's mistake", qerr.New(qerr.DivisionByZero, "Division by zero"), pb.Failure_CAUSE_USER, "DIVISION_BY_ZERO", false, false},
		{"a limit on what is kept on disk", qerr.New(qerr.ExceededSpillLimit, "limit"), pb.Failure_CAUSE_OUT_OF_MEMORY, "EXCEEDED_SPILL_LIMIT", false, false},
		{"the disk is full", qerr.Wrap(qerr.OutOfSpillSpace, syscall.ENOSPC, "disk is full"), pb.Failure_CAUSE_NODE, "OUT_OF_SPILL_SPACE", true, true},
		{"the store", qerr.New(qerr.LakeFilesystemError, "does not answer"), pb.Failure_CAUSE_STORAGE, "HIVE_FILESYSTEM_ERROR", false, false},
		{"a mistake of ours", errors.New("index out of range"), pb.Failure_CAUSE_INTERNAL, "GENERIC_INTERNAL_ERROR", false, true},
	} {
		for _, err := range []error{c.err, fmt.Errorf("operator 7: %w", c.err)} {
			f := classify(err, "query q")
			if f.Cause != c.cause || c.code != "" && f.Name != c.code || f.Retryable != c.retryable || f.CountsAgainstWorker != c.counts {
				t.Errorf("%s: %v, %s, retryable %v, counts %v", c.name, f.Cause, f.Name, f.Retryable, f.CountsAgainstWorker)
			}
		}
	}
	if f := classify(lost, "query q"); f.Lost.GetStage() != 3 || f.Lost.Task != 4 || f.Lost.Attempt != 5 {
		t.Errorf("lost is %v", f.Lost)
	}
}
