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
		result, err := backend.Execute(t.Context(), sql)
		if err != nil {
			t.Fatal(sql, err)
		}
		var got []any
		for {
			rows, err := result.Next(t.Context())
			for _, row := range rows {
				got = append(got, row...)
			}
			if errors.Is(err, io.EOF) {
				break
			}
			if err != nil {
				t.Fatal(sql, err)
			}
		}
		if fmt.Sprint(got) != want {
			t.Errorf("%s: got %v, want %s", sql, got, want)
		}
	}
}
