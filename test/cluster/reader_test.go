package cluster

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync/atomic"
	"time"

	"github.com/tuttidb/tutti/test/slt"
)

// reader runs statements as Trino's clients do: a GET whose connection broke,
// or that was answered 502, 503 or 504, is sent again for a while; a POST is
// not, unless again is set, for statements that may run twice.
type reader struct {
	url     string
	again   bool
	retries *atomic.Int64
}

type readerPage struct {
	ID      string  `json:"id"`
	NextURI string  `json:"nextUri"`
	Data    [][]any `json:"data"`
	Error   *struct {
		ErrorName string `json:"errorName"`
		Message   string `json:"message"`
	} `json:"error"`
}

// patience is how long a reader tries one request.
const patience = 40 * time.Second

// query runs a statement and returns its rows as text, values separated by
// spaces. step, if set, is called after each page.
func (r *reader) query(ctx context.Context, sql string, step func(page int)) (rows []string, err error) {
	p, err := r.send(ctx, http.MethodPost, r.url+"/v1/statement", sql, r.again)
	for n := 0; err == nil; n++ {
		if p.Error != nil {
			return rows, &slt.Failure{Name: p.Error.ErrorName, Message: p.Error.Message}
		}
		for _, row := range p.Data {
			var values []string
			for _, v := range row {
				values = append(values, slt.Render(v))
			}
			rows = append(rows, strings.Join(values, " "))
		}
		if step != nil {
			step(n)
		}
		if p.NextURI == "" {
			return rows, nil
		}
		if !strings.HasPrefix(p.NextURI, r.url+"/") {
			return rows, fmt.Errorf("nextUri %s leads away from %s", p.NextURI, r.url)
		}
		p, err = r.send(ctx, http.MethodGet, p.NextURI, "", true)
	}
	return rows, err
}

func (r *reader) send(ctx context.Context, method, url, body string, again bool) (*readerPage, error) {
	for begin := time.Now(); ; time.Sleep(20 * time.Millisecond) {
		p, err := r.once(ctx, method, url, body)
		if err == nil || !again || ctx.Err() != nil || time.Since(begin) > patience {
			return p, err
		}
		if r.retries != nil {
			r.retries.Add(1)
		}
	}
}

func (r *reader) once(ctx context.Context, method, url, body string) (*readerPage, error) {
	req, err := http.NewRequestWithContext(ctx, method, url, strings.NewReader(body))
	if err != nil {
		return nil, err
	}
	req.Header.Set("X-Trino-User", "test")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		return nil, err
	}
	if resp.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("%s: %s", resp.Status, bytes.TrimSpace(text))
	}
	p := &readerPage{}
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber()
	return p, d.Decode(p)
}
