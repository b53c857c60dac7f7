package lake

import (
	"strconv"
	"strings"

	"github.com/tuttidb/tutti/internal/qerr"
	"github.com/tuttidb/tutti/sql/types"
)

// The hidden columns, which Trino's Hive connector has too.
const (
	colPath     = "$path"
	colSize     = "$file_size"
	colModified = "$file_modified_time"
)

// hiddenType returns the type of a hidden column; ok is false for other names.
func hiddenType(name string) (t types.Type, ok bool) {
	switch name {
	case colPath:
		return types.VarcharType(), true
	case colSize:
		return types.Of(types.BigInt), true
	case colModified:
		return types.TimestampTZOf(3), true
	}
	return t, false
}

// hiddenValue returns a hidden column's value for a file, in the form of
// expr.Const.
func hiddenValue(name, root string, s *splitFile) any {
	switch name {
	case colPath:
		return strings.ToValidUTF8(root+"/"+string(s.Key), "\ufffd")
	case colSize:
		return s.Size
	}
	return types.Int128{Lo: uint64(s.Modified * 1000), Hi: types.UTCZone}
}

// partitionValue returns a partition's value as a constant of type t.
func partitionValue(t types.Type, text *string) (any, error) {
	if text == nil {
		return nil, nil
	}
	bad := qerr.New(qerr.LakeInvalidPartitionValue, "the partition value %q is not a %s", *text, t)
	switch t.Kind {
	case types.BigInt:
		v, err := strconv.ParseInt(*text, 10, 64)
		if err != nil || (*text)[0] == '+' {
			return nil, bad
		}
		return v, nil
	case types.Date:
		days, ok := types.ParseDate([]byte(*text))
		if !ok || len(*text) != len("2006-01-02") {
			return nil, bad
		}
		return days, nil
	case types.Varchar:
		return *text, nil
	}
	return nil, bad
}
