package coordinator

import (
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/tuttidb/tutti/connectors"
	"github.com/tuttidb/tutti/exec/mem"
	"github.com/tuttidb/tutti/exec/vector"
	"github.com/tuttidb/tutti/internal/qerr"
	"github.com/tuttidb/tutti/sql/analyzer"
	"github.com/tuttidb/tutti/sql/ast"
	"github.com/tuttidb/tutti/sql/types"
)

// analyzer returns the one that completes and finds names for statements that
// are no queries.
func (q *activeQuery) analyzer() *analyzer.Analyzer {
	return analyzer.New(q.ctx, q.catalogs, q.session(nil), &analyzer.Allocator{})
}

// orError returns err, or other if there is none.
func orError(err error, other *qerr.Error) error {
	if err != nil {
		return err
	}
	return other
}

func (q *activeQuery) createTable(s *ast.CreateTable) error {
	a := q.analyzer()
	n, err := a.TableName(s.Name, s.Pos())
	if err != nil {
		return err
	}
	if err := a.CatalogExists(n.Catalog, s.Pos()); err != nil {
		return err
	}
	w, err := q.catalogs.Writer(n.Catalog)
	if err != nil {
		return err
	}
	if existing, err := q.catalogs.Table(q.ctx, n.Catalog, n.Schema, n.Table); err != nil || existing != nil {
		if err == nil && s.IfNotExists {
			return q.control("CREATE TABLE", nil)
		}
		return orError(err, qerr.At(qerr.TableAlreadyExists, s.Pos(), "Table '%s' already exists", n))
	}
	columns, err := columnsOf(s)
	if err != nil {
		return err
	}
	if err := w.CreateTable(q.ctx, n.Schema, n.Table, columns); err != nil {
		return err
	}
	return q.control("CREATE TABLE", nil)
}

func columnsOf(s *ast.CreateTable) (out []connectors.Column, err error) {
	if s.OrReplace || len(s.Properties) > 0 {
		return nil, qerr.NotSupported(s.Pos(), "OR REPLACE and table properties")
	}
	for _, el := range s.Elements {
		def, ok := el.(*ast.ColumnDefinition)
		if !ok {
			return nil, qerr.NotSupported(el.Pos(), "LIKE in CREATE TABLE")
		}
		t, err := analyzer.DataType(def.Type)
		if err != nil {
			return nil, err
		}
		if len(def.Properties) > 0 {
			return nil, qerr.NotSupported(def.Pos(), "column properties")
		}
		c := connectors.Column{Name: strings.Join(def.Name.Fold(), "."), Type: t, NotNull: def.NotNull}
		if def.Comment != nil {
			c.Comment = def.Comment.Value
		}
		out = append(out, c)
	}
	return out, nil
}

func (q *activeQuery) dropTable(s *ast.DropTable) error {
	n, t, err := q.analyzer().Table(s.Name, s.Pos())
	if err != nil {
		if s.IfExists && (qerr.Is(err, qerr.TableNotFound) || qerr.Is(err, qerr.SchemaNotFound) || qerr.Is(err, qerr.CatalogNotFound)) {
			return q.control("DROP TABLE", nil)
		}
		return err
	}
	w, err := q.catalogs.Writer(n.Catalog)
	if err != nil {
		return err
	}
	if err := w.DropTable(q.ctx, t.Schema, t.Name); err != nil {
		return err
	}
	return q.control("DROP TABLE", nil)
}

// answer delivers rows that the coordinator knows itself. Values are string,
// int64, float64, bool or nil, to fit the columns' types.
func (q *activeQuery) answer(cols []ResultColumn, rows [][]any) error {
	q.setState(Running)
	q.respond(cols)
	if len(rows) == 0 {
		return nil
	}
	pool := mem.NewPool()
	account := mem.NewRoot("answer", 0, pool)
	batch := &vector.Batch{}
	for i, c := range cols {
		b := vector.NewBuilder(account, c.Type)
		defer func() {
			b.Release()
			pool.Trim(0)
		}()
		for _, r := range rows {
			if err := appendValue(b, r[i]); err != nil {
				return err
			}
		}
		batch.Cols = append(batch.Cols, b.Vector())
	}
	for from := 0; from < len(rows); from += vector.MaxRows {
		to := min(from+vector.MaxRows, len(rows))
		batch.N, batch.Sel = len(rows), nil
		if len(rows) > vector.MaxRows {
			batch.Sel = batch.Sel[:0]
			for i := from; i < to; i++ {
				batch.Sel = append(batch.Sel, int32(i))
			}
		}
		if err := q.deliver(batch); err != nil {
			return err
		}
	}
	return nil
}

func appendValue(b *vector.Builder, v any) error {
	switch v := v.(type) {
	case nil:
		return b.AppendNull()
	case string:
		return b.AppendBytes([]byte(v))
	case int64:
		return vector.Append(b, v)
	case float64:
		return vector.Append(b, v)
	case bool:
		n := uint8(0)
		if v {
			n = 1
		}
		return vector.Append(b, n)
	}
	return fmt.Errorf("answer with a value of Go type %T", v)
}

// answerText delivers one text, in a column of its length as the literal that
// it is in Trino.
func (q *activeQuery) answerText(name, text string) error {
	return q.answer([]ResultColumn{literalColumn(name, [][]any{{text}}, 0)}, [][]any{{text}})
}

// literalColumn is the column of texts of a list of literals: as long as the
// longest.
func literalColumn(name string, rows [][]any, at int) ResultColumn {
	longest := 0
	for _, r := range rows {
		if s, ok := r[at].(string); ok {
			longest = max(longest, utf8.RuneCountInString(s))
		}
	}
	return ResultColumn{Name: name, Type: types.VarcharOf(int32(longest))}
}

// textColumns are columns of unbounded text.
func textColumns(names ...string) []ResultColumn {
	out := make([]ResultColumn, len(names))
	for i, n := range names {
		out[i] = ResultColumn{Name: n, Type: types.VarcharType()}
	}
	return out
}
