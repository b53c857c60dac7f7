package memory

import (
	"fmt"
	"strings"
	"testing"

	"github.com/tuttidb/tutti/connectors"
	"github.com/tuttidb/tutti/connectors/conntest"
	"github.com/tuttidb/tutti/exec/kernel"
	"github.com/tuttidb/tutti/exec/mem"
	"github.com/tuttidb/tutti/exec/vector"
	"github.com/tuttidb/tutti/sql/types"
)

// columns of the test's tables.
var columns = []connectors.Column{
	{Name: "id", Type: types.Of(types.BigInt)}, {Name: "name", Type: types.VarcharType()},
	{Name: "price", Type: types.DecimalOf(12, 2)}, {Name: "tags", Type: types.ArrayOf(types.VarcharType())},
}

// insert appends n rows from number from on.
func insert(t *testing.T, c *Connector, account *mem.Account, table string, from, n int, end func(connectors.RowSink) error) {
	t.Helper()
	sink, err := c.Insert(t.Context(), "default", table)
	if err != nil {
		t.Fatal(err)
	}
	b := vector.Batch{N: n}
	for _, col := range columns {
		vb := vector.NewBuilder(account, col.Type)
		defer vb.Release()
		for i := from; i < from+n; i++ {
			var v any
			switch col.Name {
			case "id":
				v = int64(i)
			case "name":
				v = strings.Repeat("name ", i%5) + fmt.Sprint(i)
			case "price":
				v = int64(i * 100)
			case "tags":
				v = []any{fmt.Sprint("t", i), nil}
			}
			if i%7 == 0 && col.Name != "id" {
				v = nil
			}
			if err := kernel.AppendValue(vb, col.Type, v); err != nil {
				t.Fatal(err)
			}
		}
		b.Cols = append(b.Cols, vb.Vector())
	}
	if err := sink.Append(t.Context(), &b); err != nil {
		t.Fatal(err)
	}
	if err := end(sink); err != nil {
		t.Fatal(err)
	}
}

func TestConformance(t *testing.T) {
	account := mem.NewRoot("test", 0, mem.NewPool())
	c := New(account)
	for _, name := range []string{"rows", "empty"} {
		if err := c.CreateTable(t.Context(), "default", name, columns); err != nil {
			t.Fatal(err)
		}
	}
	commit := func(s connectors.RowSink) error { return s.Commit(t.Context()) }
	insert(t, c, account, "rows", 0, 500, commit)
	insert(t, c, account, "rows", 500, 300, commit)
	insert(t, c, account, "rows", 9000, 10, func(s connectors.RowSink) error { s.Abort(); return nil })
	conntest.Run(t, conntest.Config{
		// Its tables live in the one instance, which each test would close.
		New:        func(*testing.T) connectors.Connector { return keepOpen{c} },
		OwnBatches: true,
		Tables:     []conntest.Table{{Schema: "default", Name: "rows"}, {Schema: "default", Name: "empty"}},
	})
	if err := c.Close(); err != nil {
		t.Error(err)
	}
	if n := account.Used(); n != 0 {
		t.Errorf("%d bytes are accounted after Close", n)
	}
}

// keepOpen is a connector that is not closed.
type keepOpen struct{ *Connector }

func (keepOpen) Close() error { return nil }
