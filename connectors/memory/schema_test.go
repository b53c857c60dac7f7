package memory

import (
	"slices"
	"testing"

	"github.com/tuttidb/tutti/exec/mem"
	"github.com/tuttidb/tutti/internal/qerr"
)

func TestSchemas(t *testing.T) {
	ctx := t.Context()
	c := New(mem.NewRoot("test", 0, mem.NewPool()))
	defer c.Close()
	if err := c.CreateSchema(ctx, "s"); err != nil {
		t.Fatal(err)
	}
	if err := c.CreateSchema(ctx, "s"); !qerr.Is(err, qerr.SchemaAlreadyExists) {
		t.Errorf("made twice: %v", err)
	}
	if err := c.CreateTable(ctx, "s", "t", nil); err != nil {
		t.Fatal(err)
	}
	if err := c.DropSchema(ctx, "s"); !qerr.Is(err, qerr.SchemaNotEmpty) {
		t.Errorf("dropped with a table: %v", err)
	}
	if err := c.DropTable(ctx, "s", "t"); err != nil {
		t.Fatal(err)
	}
	if err := c.DropSchema(ctx, "s"); err != nil {
		t.Error(err)
	}
	if err := c.DropSchema(ctx, "s"); !qerr.Is(err, qerr.SchemaNotFound) {
		t.Errorf("dropped twice: %v", err)
	}
	if list, _ := c.Schemas(ctx); !slices.Equal(list, []string{defaultSchema}) {
		t.Errorf("schemas %v", list)
	}
}
