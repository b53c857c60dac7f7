package cluster

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"

	"github.com/tuttidb/tutti/test/slt"
)

// statement is the part of an answer that a client needs to go on.
type statement struct {
	NextURI string `json:"nextUri"`
	Error   *struct {
		ErrorName string `json:"errorName"`
		Message   string `json:"message"`
	} `json:"error"`
}

// post starts a statement on the object store's tables and returns where to
// ask for its rows.
func post(ctx context.Context, server, sql string) (next string, err error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, server+"/v1/statement", strings.NewReader(sql))
	if err != nil {
		return "", err
	}
	req.Header.Set("X-Trino-Catalog", "s3")
	req.Header.Set("X-Trino-Schema", "sf1")
	return send(req)
}

// get asks for the next page.
func get(ctx context.Context, uri string) (next string, err error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, uri, nil)
	if err != nil {
		return "", err
	}
	return send(req)
}

func send(req *http.Request) (next string, err error) {
	req.Header.Set("X-Trino-User", "cancel")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return "", err
	}
	defer resp.Body.Close()
	var s statement
	if err := decode(resp, &s); err != nil {
		return "", err
	}
	if s.Error != nil {
		return "", &slt.Failure{Name: s.Error.ErrorName, Message: s.Error.Message}
	}
	return s.NextURI, nil
}

func decode(resp *http.Response, into any) error {
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("%s: %s", resp.Request.URL, resp.Status)
	}
	return json.NewDecoder(resp.Body).Decode(into)
}
