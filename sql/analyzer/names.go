package analyzer

import (
	"github.com/tuttidb/tutti/connectors"
	"github.com/tuttidb/tutti/internal/qerr"
	"github.com/tuttidb/tutti/sql/ast"
)

// TableName is a table's name with what was left to the session filled in, in
// lower case.
type TableName struct{ Catalog, Schema, Table string }

// String prints the name as messages show it: tpch.tiny.nation.
func (n TableName) String() string {
	return tableName{catalog: n.Catalog, schema: n.Schema, table: n.Table}.String()
}

// TableName completes a table's name, for statements that make or drop one.
// Errors are at pos.
func (a *Analyzer) TableName(name *ast.QualifiedName, pos qerr.Pos) (TableName, error) {
	n, err := a.qualify(name, pos)
	return TableName{n.catalog, n.schema, n.table}, err
}

// Table finds the table that a name means, for statements about tables, such
// as SHOW COLUMNS and SHOW STATS. A table, schema or catalog that does not
// exist is an error at pos.
func (a *Analyzer) Table(name *ast.QualifiedName, pos qerr.Pos) (TableName, *connectors.Table, error) {
	n, err := a.qualify(name, pos)
	if err != nil {
		return TableName{}, nil, err
	}
	found, err := a.lookup(n, pos)
	return TableName{n.catalog, n.schema, n.table}, found.table, err
}
