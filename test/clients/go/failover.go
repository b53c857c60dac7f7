package main

import (
	"crypto/sha256"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/trinodb/trino-go-client/trino"
)

// query is a line of queries.tsv: a name, whether the order of rows is fixed,
// and the text.
type query struct {
	name, sql string
	ordered   bool
}

func readQueries(folder string) ([]query, error) {
	b, err := os.ReadFile(filepath.Join(folder, "queries.tsv"))
	if err != nil {
		return nil, err
	}
	var out []query
	for line := range strings.Lines(string(b)) {
		f := strings.SplitN(strings.TrimSuffix(line, "\n"), "\t", 3)
		if len(f) != 3 {
			return nil, fmt.Errorf("queries.tsv: %q", line)
		}
		out = append(out, query{name: f[0], ordered: f[1] == "1", sql: f[2]})
	}
	return out, nil
}

// failover is the load of this client for failover.sh, which describes what is
// read and printed.
func failover(server, folder string) error {
	queries, err := readQueries(folder)
	if err != nil {
		return err
	}
	db := open(server, "lake", "sf1")
	want := map[string][32]byte{}
	for _, q := range queries {
		if want[q.name], err = q.digest(db); err != nil {
			return fmt.Errorf("%s: %w", q.name, err)
		}
	}
	fmt.Println("ready")
	for i := 0; ; i = (i + 1) % len(queries) {
		if _, err := os.Stat(filepath.Join(folder, "stop")); err == nil {
			fmt.Println("done")
			return nil
		}
		q, start := queries[i], time.Now()
		got, err := q.digest(db)
		outcome, detail := "ok", ""
		switch {
		case err != nil:
			outcome, detail = failure(err), strings.Join(strings.Fields(err.Error()), " ")
		case got != want[q.name]:
			outcome = "wrong"
		}
		fmt.Printf("%s\t%d\t%d\t%s\t%s\n", q.name, start.UnixMilli(), time.Now().UnixMilli(), outcome, detail)
	}
}

// failure tells what the server says from what happens to a connection.
func failure(err error) string {
	var e *trino.ErrTrino
	var v trino.ErrTrino
	var f *trino.ErrQueryFailed
	switch {
	case errors.As(err, &e), errors.As(err, &v):
		return "error"
	case errors.As(err, &f) && f.StatusCode >= 400:
		return "error"
	}
	return "cut"
}

func (q query) digest(db *sql.DB) ([32]byte, error) {
	all, err := rows(db, q.sql)
	if err != nil {
		return [32]byte{}, err
	}
	if !q.ordered {
		slices.Sort(all)
	}
	return sha256.Sum256([]byte(strings.Join(all, "\n"))), nil
}
