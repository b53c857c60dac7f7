package main

import (
	"errors"
	"fmt"
	"io"
	"testing"

	"github.com/tuttidb/tutti/cmd/tutti/shell"
)

// TestLocalBackend: tutti sql --local runs statements without any setting.
func TestLocalBackend(t *testing.T) {
	backend, stop, err := localBackend(shell.Options{User: "ann"})
	if err != nil {
		t.Fatal(err)
	}
	defer stop()
	if catalog, schema := backend.Namespace(); catalog != "lake" || schema != "default" {
		t.Errorf("namespace is %s.%s", catalog, schema)
	}
	for sql, want := range map[string]string{
		"SELECT 40 + 2": "[42]", "SELECT count(*) FROM tpch.tiny.nation": "[25]", "SELECT current_user": "[ann]",
		"SELECT node_id FROM system.runtime.nodes": "[local]",
	} {
		got := values(t, backend, sql)
		if fmt.Sprint(got) != want {
			t.Errorf("%s: got %v, want %s", sql, got, want)
		}
	}
}

// TestLocalTimeZone: what depends on the session's zone or on today's date does
// so, be it of constants, which the optimizer would like to compute, or of rows.
func TestLocalTimeZone(t *testing.T) {
	backend, stop, err := localBackend(shell.Options{User: "ann", TimeZone: "America/Los_Angeles"})
	if err != nil {
		t.Fatal(err)
	}
	defer stop()
	rows := " FROM (SELECT max(orderdate) AS d FROM tpch.tiny.orders)"
	for sql, want := range map[string]string{
		"SELECT CAST(TIMESTAMP '2020-07-01 00:00:00' AS varchar), CAST(CAST(TIMESTAMP '2020-07-01 00:00:00' AS timestamp with time zone) AS varchar)": "[2020-07-01 00:00:00 2020-07-01 00:00:00.000 America/Los_Angeles]",
		"SELECT CAST(CAST(DATE '2020-07-01' AS timestamp with time zone) AS varchar)":                                                                 "[2020-07-01 00:00:00.000 America/Los_Angeles]",
		"SELECT CAST(CAST('2020-07-01 00:00:00' AS timestamp with time zone) AS varchar)":                                                             "[2020-07-01 00:00:00.000 America/Los_Angeles]",
		"SELECT CAST(CAST(d AS timestamp with time zone) AS varchar)" + rows:                                                                          "[1998-08-02 00:00:00.000 America/Los_Angeles]",
		"SELECT CAST(d AS timestamp with time zone) > TIMESTAMP '1998-08-02 00:00:00 UTC'" + rows:                                                     "[true]",
		"SELECT CAST(TIMESTAMP '2020-07-01 00:00:00' AT TIME ZONE 'UTC' AS varchar)":                                                                  "[2020-07-01 07:00:00 UTC]",
		"SELECT CAST(from_unixtime(0) AS varchar), to_unixtime(TIMESTAMP '1970-01-01 00:00:00')":                                                      "[1969-12-31 16:00:00.000 America/Los_Angeles 28800.0]",
		"SELECT CAST(parse_datetime('2020', 'yyyy') AS varchar)":                                                                                      "[2020-01-01 00:00:00.000 America/Los_Angeles]",
		"SELECT CAST(from_iso8601_timestamp('2020-01-01T00:00:00') AS varchar)":                                                                       "[2020-01-01 00:00:00.000 America/Los_Angeles]",
		"SELECT DATE '2020-01-01' = TIMESTAMP '2020-01-01 08:00:00 UTC'":                                                                              "[true]",
		"SELECT CAST(CAST(TIME '12:34:56' AS timestamp) AS date) = current_date":                                                                      "[true]",
		"SELECT CAST(CAST(CAST(CAST(d AS timestamp) AS time) AS timestamp) AS date) = current_date" + rows:                                            "[true]",
		"SELECT TRY_CAST('2020-07-01 00:00:00' AS timestamp with time zone) = TIMESTAMP '2020-07-01 07:00 UTC'":                                       "[true]",
	} {
		if got := fmt.Sprint(values(t, backend, sql)); got != want {
			t.Errorf("%s: got %v, want %s", sql, got, want)
		}
	}
}

// values runs a statement and returns its values row by row.
func values(t *testing.T, backend shell.Backend, sql string) (got []any) {
	t.Helper()
	result, err := backend.Execute(t.Context(), sql)
	if err != nil {
		t.Fatal(sql, err)
	}
	for {
		rows, err := result.Next(t.Context())
		for _, row := range rows {
			got = append(got, row...)
		}
		if errors.Is(err, io.EOF) {
			return got
		}
		if err != nil {
			t.Fatal(sql, err)
		}
	}
}
