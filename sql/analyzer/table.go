package analyzer

import (
	"strings"

	"github.com/tuttidb/tutti/connectors"
	"github.com/tuttidb/tutti/internal/qerr"
	"github.com/tuttidb/tutti/sql/ast"
)

// filesSchema is the schema whose tables are paths: lake.files."s3://…".
const filesSchema = "files"

// tableName is a table's name with catalog and schema filled in, in lower case.
type tableName struct {
	catalog, schema, table string
	// written is the table as written, for paths.
	written string
}

// String prints the name as Trino does in messages.
func (n tableName) String() string {
	parts := []string{n.catalog, n.schema, n.table}
	for i, p := range parts {
		parts[i] = quoteUnlessPlain(p)
	}
	return strings.Join(parts, ".")
}

func quoteUnlessPlain(s string) string {
	for i, c := range s {
		if c != '_' && (c < 'a' || c > 'z') && (i == 0 || c < '0' || c > '9') {
			return `"` + strings.ReplaceAll(s, `"`, `""`) + `"`
		}
	}
	return s
}

// qualify fills in what a table's name leaves to the session.
func (a *Analyzer) qualify(name *ast.QualifiedName, pos qerr.Pos) (tableName, error) {
	parts := name.Fold()
	if len(parts) > 3 {
		return tableName{}, qerr.New(qerr.SyntaxError, "Too many dots in table name: %s", name)
	}
	n := tableName{table: parts[len(parts)-1], written: name.Last().Name}
	n.schema, n.catalog = strings.ToLower(a.session.Schema), strings.ToLower(a.session.Catalog)
	if len(parts) > 1 {
		n.schema = parts[len(parts)-2]
	}
	if len(parts) > 2 {
		n.catalog = parts[0]
	}
	switch {
	case n.schema == "":
		return n, missingSchema(pos)
	case n.catalog == "":
		return n, missingCatalog(pos)
	}
	return n, nil
}

// table binds a table or a common table expression by name.
func (a *Analyzer) table(t *ast.Table, env *withEnv) (Relation, []field, error) {
	if t.Period != nil {
		return nil, nil, qerr.NotSupported(t.Pos(), "FOR VERSION and FOR TIMESTAMP AS OF")
	}
	if len(t.Name.Parts) == 1 {
		if e := env.find(t.Name.Last().Fold()); e != nil {
			return a.reference(e, t)
		}
	}
	if err := a.countRelation(t.Pos()); err != nil {
		return nil, nil, err
	}
	n, err := a.qualify(t.Name, t.Pos())
	if err != nil {
		return nil, nil, err
	}
	found, err := a.lookup(n, t.Pos())
	if err != nil {
		return nil, nil, err
	}
	scan, fields := a.scan(found.catalog, found.table, n, t.Name.Fold())
	return scan, fields, nil
}

// fileTable binds a path in the place of a table.
func (a *Analyzer) fileTable(t *ast.FileTable) (Relation, []field, error) {
	f, err := a.filesAt(a.session.Catalog, t.Path, t.Pos())
	if err == nil && f.table == nil && a.session.Catalog != "" {
		f, err = a.filesAt("", t.Path, t.Pos())
	}
	if err != nil {
		return nil, nil, err
	}
	if f.table == nil {
		return nil, nil, qerr.At(qerr.TableNotFound, t.Pos(), "No catalog reads files: '%s'", t.Path)
	}
	scan, fields := a.scan(f.catalog, f.table, tableName{catalog: f.catalog, schema: f.table.Schema, table: f.table.Name}, nil)
	return scan, fields, nil
}

// scan makes the scan of a table, whose fields are qualified by alias.
func (a *Analyzer) scan(catalog string, t *connectors.Table, n tableName, alias []string) (*Scan, []field) {
	s := &Scan{Catalog: catalog, Table: t}
	fields := make([]field, len(t.Columns))
	for i, c := range t.Columns {
		col := a.column(c.Name, c.Type)
		s.Cols = append(s.Cols, col)
		fields[i] = field{
			alias: alias, name: c.Name, col: col, hidden: c.Hidden,
			origin: &origin{catalog: n.catalog, schema: n.schema, table: n.table},
		}
	}
	return s, fields
}

// lookup finds a table, once for each name.
func (a *Analyzer) lookup(n tableName, pos qerr.Pos) (fileTable, error) {
	key := n.catalog + "\x00" + n.schema + "\x00" + n.table
	if n.schema == filesSchema {
		key = n.catalog + "\x00" + n.schema + "\x00" + n.written // case matters in paths
	}
	if f, ok := a.files[key]; ok {
		return f, nil
	}
	f, err := a.find(n, pos)
	if err == nil {
		a.files[key] = f
	}
	return f, err
}

func (a *Analyzer) find(n tableName, pos qerr.Pos) (fileTable, error) {
	t, err := a.existing(n, pos)
	if err != nil {
		return fileTable{}, err
	}
	if t != nil {
		return fileTable{n.catalog, t}, nil
	}
	if n.schema == filesSchema && strings.ContainsAny(n.written, "/*.") {
		f, err := a.filesAt(n.catalog, n.written, pos)
		if err != nil || f.table != nil {
			return f, err
		}
	}
	return fileTable{}, a.noTable(n, pos)
}

// existing asks the catalog for a table; nil if there is none.
func (a *Analyzer) existing(n tableName, pos qerr.Pos) (*connectors.Table, error) {
	if err := a.CatalogExists(n.catalog, pos); err != nil {
		return nil, err
	}
	t, err := a.catalog.Table(a.ctx, n.catalog, n.schema, n.table)
	if err != nil {
		return nil, at(pos, err)
	}
	return t, nil
}

// noTable says whether the schema or the table is missing.
func (a *Analyzer) noTable(n tableName, pos qerr.Pos) error {
	if err := a.schemaExists(n.catalog, n.schema, pos); err != nil {
		return err
	}
	return qerr.At(qerr.TableNotFound, pos, "Table '%s' does not exist%s", n, a.suggest(n.table, n.catalog, n.schema))
}

func (a *Analyzer) suggest(name, catalog, schema string) string {
	near := nearest(name)
	for _, s := range a.catalog.Names(a.ctx, catalog, schema) {
		near.offer(strings.ToLower(s))
	}
	return didYouMean(near.best)
}

// filesAt asks for the files at a path, once for each path.
func (a *Analyzer) filesAt(catalog, path string, pos qerr.Pos) (fileTable, error) {
	key := "\x00" + catalog + "\x00" + path
	if f, ok := a.files[key]; ok {
		return f, nil
	}
	name, t, err := a.catalog.TableAt(a.ctx, strings.ToLower(catalog), path)
	if err != nil {
		return fileTable{}, at(pos, err)
	}
	f := fileTable{name, t}
	a.files[key] = f
	return f, nil
}
