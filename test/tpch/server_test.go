package tpch

import (
	"testing"

	"github.com/tuttidb/tutti/test/slt"
)

// TestServer runs the 22 queries on a server's generated tiny data: see
// slt.ServerURL.
func TestServer(t *testing.T) {
	session, err := slt.NewSession(slt.ServerURL(t), "tpchstd", string(Tiny))
	if err != nil {
		t.Fatal(err)
	}
	Run(t, session, Tiny)
}
