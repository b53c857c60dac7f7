package qerr

import (
	"context"
	"errors"
	"fmt"
	"testing"
)

func TestFrom(t *testing.T) {
	for _, tc := range []struct {
		err  error
		code Code
		text string
	}{
		{New(DivisionByZero, "Division by zero"), DivisionByZero, "Division by zero"},
		{fmt.Errorf("scan t: %w", New(DivisionByZero, "Division by zero")), DivisionByZero, "Division by zero"},
		{fmt.Errorf("scan t: %w", At(TypeMismatch, Pos{2, 3}, "no")), TypeMismatch, "line 2:3: no"},
		{fmt.Errorf("scan t: %w", New(LakeBadData, "bad page")), LakeBadData, "scan t: bad page"},
		{fmt.Errorf("scan t: %w", context.Canceled), UserCanceled, "Query was canceled"},
		{fmt.Errorf("scan t: %w", context.DeadlineExceeded), ExceededTimeLimit, "Query exceeded its time limit"},
		{errors.New("boom"), GenericInternal, "boom"},
	} {
		e := From(tc.err)
		if e.Code != tc.code || e.Error() != tc.text {
			t.Errorf("%v: %s %q, want %s %q", tc.err, e.Code.Name, e.Error(), tc.code.Name, tc.text)
		}
	}
	if From(nil) != nil {
		t.Error("From(nil) is not nil")
	}
}
