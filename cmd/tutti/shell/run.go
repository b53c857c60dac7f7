package shell

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/tuttidb/tutti/client"
)

// run executes one statement and prints its result. Ctrl-C cancels it.
func (s *shell) run(ctx context.Context, st statement) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	defer s.onInterrupt(func() { cancel(errInterrupted) })()
	start := time.Now()
	m := startMeter(s.screen, s.progress, s.errWidth, start)
	defer m.stop()
	res, err := s.backend.Execute(ctx, st.text)
	if err != nil {
		return causeOr(ctx, err)
	}
	defer res.Close()
	rows, err := s.print(ctx, res, st, m)
	m.stop()
	if err != nil {
		return causeOr(ctx, err)
	}
	s.finish(res, rows, time.Since(start))
	return nil
}

// causeOr prefers the reason that a context ended to what broke because of it.
func causeOr(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return err
}

// print copies the result to the output as it comes and returns its rows.
func (s *shell) print(ctx context.Context, res Result, st statement, m *meter) (rows int64, err error) {
	format := s.format
	if st.vertical {
		format = Vertical
	}
	var p printer
	for {
		page, err := res.Next(ctx)
		m.update(res.Stats())
		if err != nil && !errors.Is(err, io.EOF) {
			if p != nil {
				p.fail()
			}
			return rows, errors.Join(err, s.out.Flush())
		}
		if cols := res.Columns(); p == nil && len(cols) > 0 && !s.isMessage(res, format) {
			p = newPrinter(format, s.out, s.look())
			p.begin(cols)
		}
		rows += int64(len(page))
		if p != nil {
			p.rows(page)
			if errors.Is(err, io.EOF) {
				p.end()
			}
		}
		if flushErr := s.out.Flush(); flushErr != nil {
			return rows, fmt.Errorf("write output: %w", flushErr)
		}
		if errors.Is(err, io.EOF) {
			return rows, nil
		}
	}
}

// isMessage reports whether a statement's outcome is a word to a person
// ("INSERT: 12 rows"), not a table with one number in it.
func (s *shell) isMessage(res Result, f Format) bool {
	kind, _, _ := res.Update()
	return kind != "" && (f == Table || f == Vertical)
}

// finish prints what comes after a result: the outcome of a change, warnings
// and the summary.
func (s *shell) finish(res Result, rows int64, took time.Duration) {
	kind, n, counted := res.Update()
	outcome := kind
	if counted {
		outcome += ": " + plural(n, "row")
	}
	if outcome != "" && !s.summaries && s.isMessage(res, s.format) {
		fmt.Fprintln(s.out, outcome)
	}
	for _, w := range res.Warnings() {
		s.say("Warning: %s\n", visibleLines(w.Message))
	}
	if !s.summaries {
		return
	}
	if outcome == "" {
		outcome = plural(rows, "row")
	}
	s.say("%s\n", summary(outcome, res.Stats(), took))
}

// summary is the line after a statement. Work that the server counted is
// named when it is worth it: rows and bytes read, their rate, memory, spill.
func summary(outcome string, st client.Stats, took time.Duration) string {
	parts := []string{outcome + " in " + duration(took)}
	if st.ProcessedRows > 0 {
		read := plural(st.ProcessedRows, "row")
		if st.ProcessedRows >= 100_000 {
			read = count(st.ProcessedRows) + " rows"
		}
		if b := max(st.PhysicalInputBytes, st.ProcessedBytes); b > 0 {
			read += ", " + bytesText(b)
		}
		parts = append(parts, read+" read")
		if r := rate(st.ProcessedRows, took); st.ProcessedRows >= 100_000 {
			parts = append(parts, count(r)+" rows/s")
		}
	}
	if st.PeakMemoryBytes > 0 {
		parts = append(parts, "peak memory "+bytesText(st.PeakMemoryBytes))
	}
	if st.SpilledBytes > 0 {
		parts = append(parts, "spilled "+bytesText(st.SpilledBytes))
	}
	return strings.Join(parts, " · ")
}
