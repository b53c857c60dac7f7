package parquet

import "github.com/tuttidb/tutti/sql/types"

func newNested(cfg *Config, f *Field, t types.Type) (column, error) {
	return nil, unsupported("nested column %s", f.Name)
}
