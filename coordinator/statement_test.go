package coordinator

import (
	"testing"

	"github.com/tuttidb/tutti/connectors/tpch"
	"github.com/tuttidb/tutti/connectors/tpch/dbgen"
)

// addTPCH gives a coordinator the catalog tpch.
func addTPCH(t *testing.T, c *Coordinator) {
	t.Helper()
	conn, err := tpch.New(tpch.Config{}, dbgen.NewText())
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Catalogs().Add("tpch", "tpch", conn); err != nil {
		t.Fatal(err)
	}
}
