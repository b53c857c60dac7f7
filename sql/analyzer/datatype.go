package analyzer

import (
	"strings"

	"github.com/tuttidb/tutti/internal/qerr"
	"github.com/tuttidb/tutti/sql/ast"
	"github.com/tuttidb/tutti/sql/types"
)

// plainTypes are the types without parameters by name.
var plainTypes = map[string]types.Kind{
	"boolean": types.Boolean, "tinyint": types.TinyInt, "smallint": types.SmallInt,
	"integer": types.Integer, "int": types.Integer, "bigint": types.BigInt, "real": types.Real,
	"double": types.Double, "varbinary": types.Varbinary, "date": types.Date, "json": types.JSON,
	"uuid": types.UUID, "unknown": types.Unknown,
}

// DataType returns the type that was written.
func DataType(t ast.DataType) (types.Type, error) { return (&Analyzer{}).dataType(t) }

func (a *Analyzer) dataType(t ast.DataType) (types.Type, error) {
	switch t := t.(type) {
	case *ast.DateTimeType:
		return dateTimeType(t)
	case *ast.IntervalType:
		if t.From <= ast.Month {
			return types.Of(types.IntervalYear), nil
		}
		return types.Of(types.IntervalDay), nil
	case *ast.RowType:
		row, err := a.rowType(t)
		if err != nil {
			return row, err
		}
		return row, checkDepth(row, t.Pos())
	case *ast.GenericType:
		return a.genericType(t)
	}
	return types.Type{}, unknownType(t)
}

func unknownType(t ast.DataType) error {
	return qerr.New(qerr.TypeMismatch, "Unknown type: %s", ast.Format(t))
}

func dateTimeType(t *ast.DateTimeType) (types.Type, error) {
	p := int64(3)
	if n, ok := t.Precision.(*ast.TypeNumber); ok {
		p = n.Value
	}
	switch {
	case p < 0 || p > 12:
		return types.Type{}, unknownType(t)
	case p > types.MaxTimePrecision:
		return types.Type{}, qerr.NotSupported(t.Pos(), "fractions of a second finer than nanoseconds: %s", ast.Format(t))
	case t.Kind == ast.TimestampType && t.WithZone:
		return types.TimestampTZOf(int32(p)), nil
	case t.Kind == ast.TimestampType:
		return types.TimestampOf(int32(p)), nil
	case t.WithZone:
		return types.Type{}, qerr.NotSupported(t.Pos(), "time with time zone")
	}
	return types.TimeOf(int32(p)), nil
}

func (a *Analyzer) rowType(t *ast.RowType) (types.Type, error) {
	fields, names := make([]types.Type, len(t.Fields)), make([]string, len(t.Fields))
	for i, f := range t.Fields {
		var err error
		if fields[i], err = a.dataType(f.Type); err != nil {
			return types.Type{}, err
		}
		if f.Name != nil {
			names[i] = f.Name.Name
			if !f.Name.Quoted {
				names[i] = f.Name.Fold()
			}
		}
	}
	return types.RowOf(fields, names), nil
}

func (a *Analyzer) genericType(t *ast.GenericType) (types.Type, error) {
	name := strings.ToLower(t.Name.Name)
	if k, ok := plainTypes[name]; ok && len(t.Args) == 0 {
		return types.Of(k), nil
	}
	switch name {
	case "decimal":
		return decimalType(t)
	case "varchar", "char":
		return stringType(t, name)
	case "array", "map":
		nested, err := a.nestedType(t, name)
		if err != nil {
			return nested, err
		}
		return nested, checkDepth(nested, t.Pos())
	}
	return types.Type{}, unknownType(t)
}

// numbers returns a type's numeric parameters; false if there are others.
func numbers(t *ast.GenericType) ([]int64, bool) {
	var out []int64
	for _, p := range t.Args {
		n, ok := p.(*ast.TypeNumber)
		if !ok {
			return nil, false
		}
		out = append(out, n.Value)
	}
	return out, true
}

func decimalType(t *ast.GenericType) (types.Type, error) {
	n, ok := numbers(t)
	if !ok || len(n) > 2 {
		return types.Type{}, unknownType(t)
	}
	p, s := int64(types.MaxDecimal), int64(0)
	if len(n) > 0 {
		p = n[0]
	}
	if len(n) > 1 {
		s = n[1]
	}
	if p < 1 || p > types.MaxDecimal {
		return types.Type{}, qerr.New(qerr.InvalidFunctionArgument, "DECIMAL precision must be in range [1, 38]: %d", p)
	}
	if s < 0 || s > p {
		return types.Type{}, qerr.New(qerr.InvalidFunctionArgument, "DECIMAL scale must be in range [0, precision (%d)]: %d", p, s)
	}
	return types.DecimalOf(int32(p), int32(s)), nil
}

func stringType(t *ast.GenericType, name string) (types.Type, error) {
	n, ok := numbers(t)
	switch {
	case !ok || len(n) > 1:
		return types.Type{}, unknownType(t)
	case name == "varchar" && len(n) == 0:
		return types.VarcharType(), nil
	case name == "varchar" && n[0] >= 0 && n[0] <= types.Unbounded:
		return types.VarcharOf(int32(n[0])), nil
	case name == "char" && len(n) == 0:
		return types.CharOf(1), nil
	case name == "char" && n[0] >= 0 && n[0] <= 65536:
		return types.CharOf(int32(n[0])), nil
	}
	return types.Type{}, unknownType(t)
}

func (a *Analyzer) nestedType(t *ast.GenericType, name string) (types.Type, error) {
	want := map[string]int{"array": 1, "map": 2}[name]
	if len(t.Args) != want {
		return types.Type{}, unknownType(t)
	}
	elems := make([]types.Type, want)
	for i, p := range t.Args {
		d, ok := p.(ast.DataType)
		if !ok {
			return types.Type{}, unknownType(t)
		}
		var err error
		if elems[i], err = a.dataType(d); err != nil {
			return types.Type{}, err
		}
	}
	if name == "array" {
		return types.ArrayOf(elems[0]), nil
	}
	if !elems[0].Comparable() {
		return types.Type{}, unknownType(t)
	}
	return types.MapOf(elems[0], elems[1]), nil
}
