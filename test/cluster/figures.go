package cluster

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// Figures are what the nodes hold: metric, then node, as in
// tutti_node_slabs{node="worker-1"}.
type Figures map[string]float64

// held are the metrics that must return to their start values after queries
// have ended, and by how much they may differ: connections that stay open and
// caches that fill make the difference.
var held = map[string]float64{
	"tutti_node_memory_bytes":   8 << 20,
	"tutti_node_retained_bytes": 0,
	"tutti_node_slabs":          8,
	"tutti_node_goroutines":     24,
	"tutti_node_open_files":     12,
	"tutti_node_tasks":          0,
	"tutti_node_queries":        0,
}

// Figures reads the metrics of all nodes.
func (c *Cluster) Figures(ctx context.Context) (Figures, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, c.URL+"/metrics", nil)
	if err != nil {
		return nil, err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	out := Figures{}
	for lines := bufio.NewScanner(resp.Body); lines.Scan(); {
		name, value, ok := strings.Cut(lines.Text(), " ")
		if !ok || !strings.HasPrefix(name, "tutti_node_") {
			continue
		}
		if out[name], err = strconv.ParseFloat(value, 64); err != nil {
			return nil, fmt.Errorf("metric %s: %w", name, err)
		}
	}
	if len(out) == 0 {
		return nil, errors.New("/metrics shows no nodes")
	}
	return out, nil
}

// Grown compares two readings and returns an error that names every figure
// that has grown by more than it may.
func Grown(before, after Figures) error {
	var errs []error
	for name, now := range after {
		metric, _, _ := strings.Cut(name, "{")
		slack, checked := held[metric]
		if was := before[name]; checked && now > was+slack {
			errs = append(errs, fmt.Errorf("%s: %.0f before, %.0f now", name, was, now))
		}
	}
	return errors.Join(errs...)
}

// Settled waits until nothing has grown since before, at most for a time.
func (c *Cluster) Settled(ctx context.Context, before Figures, patience time.Duration) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	for {
		now, err := c.Figures(ctx)
		if err == nil {
			err = Grown(before, now)
		}
		if err == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return err
		case <-time.After(100 * time.Millisecond):
		}
	}
}
