package tpch

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/tuttidb/tutti/connectors"
)

// unitRange is a split's payload: units From to To-1 of the table.
type unitRange struct {
	From int64 `json:"from"`
	To   int64 `json:"to"`
}

// Splits cuts the table into ranges of about rowsPerSplit rows.
func (c *Connector) Splits(_ context.Context, scan *connectors.Scan) (connectors.SplitSource, error) {
	g, t, err := c.open(scan)
	if err != nil {
		return nil, err
	}
	rows, _ := g.Rows(t)
	return &splits{units: g.Units(t), rows: rows, step: max(1, rowsPerSplit/int64(t.RowsPerUnit()))}, nil
}

type splits struct {
	units, rows, step, at int64
}

// Next returns the next ranges.
func (s *splits) Next(ctx context.Context, limit int) (out []connectors.Split, err error) {
	for len(out) < limit && s.at < s.units {
		to := min(s.at+s.step, s.units)
		payload, err := json.Marshal(unitRange{From: s.at, To: to})
		if err != nil {
			return nil, fmt.Errorf("tpch split: %w", err)
		}
		rows := int64(float64(s.rows) * float64(to-s.at) / float64(s.units))
		out = append(out, connectors.Split{Payload: payload, Rows: rows, Bytes: rows * 64})
		s.at = to
	}
	return out, ctx.Err()
}

// Close does nothing.
func (s *splits) Close() error { return nil }
