package analyzer

import (
	"fmt"

	"github.com/tuttidb/tutti/sql/ast"
	"github.com/tuttidb/tutti/sql/types"
)

// Output describes a column of a result, as DESCRIBE OUTPUT does.
type Output struct {
	// Name is what clients see: _colN for a column without name.
	Name string
	// Catalog, Schema and Table say which table's column it is; "" for an
	// expression.
	Catalog, Schema, Table string
	Type                   types.Type
	// Aliased says that the name was given in the query.
	Aliased bool
}

func (f *field) output() Output {
	o := Output{Name: f.name, Type: f.col.Type, Aliased: f.aliased}
	if f.origin != nil {
		o.Catalog, o.Schema, o.Table = f.origin.catalog, f.origin.schema, f.origin.table
	}
	return o
}

// Names returns the names of a query's columns as clients see them.
func (q *Query) Names() []string {
	names := make([]string, len(q.Outputs))
	for i, o := range q.Outputs {
		names[i] = outputName(o.Name, i)
	}
	return names
}

func outputName(name string, i int) string {
	if name == "" {
		return fmt.Sprintf("_col%d", i)
	}
	return name
}

// Description is what is known of a statement without its parameters.
type Description struct {
	// Outputs are the result's columns; none for a statement without rows.
	Outputs []Output
	// Parameters are the types that the statement's places ask for, in order;
	// unknown where any would do.
	Parameters []types.Type
}

// Describe binds a statement whose parameters have no values yet.
func (a *Analyzer) Describe(stmt ast.Statement) (*Description, error) {
	a.describing = true
	if err := a.start(stmt); err != nil {
		return nil, err
	}
	d := &Description{}
	var err error
	switch s := stmt.(type) {
	case *ast.Query:
		var q *Query
		if q, err = a.topQuery(s); err == nil {
			d.Outputs = q.described()
		}
	case *ast.Insert:
		_, err = a.Insert(s)
		d.Outputs = rowCountOutput()
	case *ast.CreateTableAs:
		_, err = a.CreateTableAs(s)
		d.Outputs = rowCountOutput()
	}
	if err != nil {
		return nil, err
	}
	for i := range ast.ParameterCount(stmt) {
		d.Parameters = append(d.Parameters, a.wanted[i])
	}
	return d, nil
}

func (q *Query) described() []Output {
	out := make([]Output, len(q.Outputs))
	for i, o := range q.Outputs {
		o.Name = outputName(o.Name, i)
		out[i] = o
	}
	return out
}

func rowCountOutput() []Output { return []Output{{Name: "rows", Type: bigint}} }
