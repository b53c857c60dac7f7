package plan

import (
	"slices"

	"github.com/tuttidb/tutti/connectors"
	"github.com/tuttidb/tutti/sql/expr"
)

func scanSpec(n *Scan) *connectors.Scan {
	spec := &connectors.Scan{
		Schema: n.Table.Schema, Table: n.Table.Name, Handle: n.Table.Handle, Limit: n.Limit,
		Columns: make([]connectors.ScanColumn, len(n.Columns)),
	}
	at := make(map[expr.ColumnID]int, len(n.Columns))
	for i, c := range n.Columns {
		at[c.ID] = i
		spec.Columns[i] = connectors.ScanColumn{
			Ordinal: n.Ordinals[i], Name: n.Table.Columns[n.Ordinals[i]].Name, Type: c.Type,
			FilterOnly: slices.Contains(n.FilterOnly, c.ID),
		}
	}
	spec.Predicate, spec.Hint = Renumber(n.Predicate, at), Renumber(n.Hint, at)
	for _, d := range n.Dynamic {
		spec.Dynamic = append(spec.Dynamic, connectors.DynamicUse{ID: int32(d.Filter), Column: at[d.Column]})
	}
	return spec
}

// Renumber replaces column IDs by the positions in at. nil stays nil.
func Renumber(e expr.Expr, at map[expr.ColumnID]int) expr.Expr {
	if e == nil {
		return nil
	}
	return expr.Transform(e, func(e expr.Expr) expr.Expr {
		if c, ok := e.(*expr.Column); ok {
			return &expr.Column{ID: expr.ColumnID(at[c.ID]), Typ: c.Typ, Name: c.Name}
		}
		return e
	})
}
