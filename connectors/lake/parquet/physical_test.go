package parquet

import (
	"bytes"
	"fmt"
	"math/big"
	"strings"
	"testing"

	pq "github.com/apache/arrow-go/v18/parquet"
	"github.com/apache/arrow-go/v18/parquet/file"
	"github.com/apache/arrow-go/v18/parquet/schema"
)

// physical is a leaf written as it is, below the level where arrow types
// decide how.
type physical struct {
	name    string
	node    func(rep pq.Repetition) (schema.Node, error)
	values  any // a slice of what the column's writer takes
	want    string
	content string
}

func primitive(name string, logical schema.LogicalType, kind pq.Type, length int) func(pq.Repetition) (schema.Node, error) {
	return func(rep pq.Repetition) (schema.Node, error) {
		return schema.NewPrimitiveNodeLogical(name, rep, logical, kind, length, -1)
	}
}

func converted(kind pq.Type, c schema.ConvertedType, length, precision, scale int) func(pq.Repetition) (schema.Node, error) {
	return func(rep pq.Repetition) (schema.Node, error) {
		return schema.NewPrimitiveNodeConverted("x", rep, kind, c, length, precision, scale, -1)
	}
}

// twosComplement returns a number in so many bytes, big endian.
func twosComplement(x int64, n int) []byte {
	v := big.NewInt(x)
	if x < 0 {
		v.Add(v, new(big.Int).Lsh(big.NewInt(1), uint(8*n)))
	}
	return v.FillBytes(make([]byte, n))
}

// TestPhysicalTypes reads logical types on each physical type that they may
// have, also as old writers name them.
func TestPhysicalTypes(t *testing.T) {
	dec := schema.NewDecimalLogicalType
	text := []pq.ByteArray{[]byte("a"), []byte(`{"k": 1}`)}
	tests := []physical{
		{"decimal in INT32", primitive("x", dec(9, 2), pq.Types.Int32, 0), []int32{-12345, 999999999}, "decimal(9,2)", "[[-12345] [999999999]]"},
		{"decimal in INT64", primitive("x", dec(18, 3), pq.Types.Int64, 0), []int64{-1, 999999999999999999}, "decimal(18,3)", "[[-1] [999999999999999999]]"},
		{"short decimal in fixed bytes", primitive("x", dec(5, 1), pq.Types.FixedLenByteArray, 3), []pq.FixedLenByteArray{twosComplement(-99999, 3), twosComplement(7, 3)}, "decimal(5,1)", "[[-99999] [7]]"},
		{"decimal in wide fixed bytes", primitive("x", dec(10, 0), pq.Types.FixedLenByteArray, 20), []pq.FixedLenByteArray{twosComplement(-5, 20), twosComplement(1<<32, 20)}, "decimal(10,0)", "[[-5] [4294967296]]"},
		{"decimal in BYTE_ARRAY", primitive("x", dec(18, 2), pq.Types.ByteArray, 0), []pq.ByteArray{twosComplement(-300, 2), twosComplement(5, 1), twosComplement(1<<40, 9), {}}, "decimal(18,2)", "[[-300] [5] [1099511627776] [0]]"},
		{"old decimal", converted(pq.Types.Int32, schema.ConvertedTypes.Decimal, 0, 4, 2), []int32{-1234}, "decimal(4,2)", "[[-1234]]"},
		{"enum", primitive("x", schema.EnumLogicalType{}, pq.Types.ByteArray, 0), text, "varchar", `[[a] [{"k": 1}]]`},
		{"json", primitive("x", schema.JSONLogicalType{}, pq.Types.ByteArray, 0), text[1:], "json", `[[{"k": 1}]]`},
		{"bson", primitive("x", schema.BSONLogicalType{}, pq.Types.ByteArray, 0), text[:1], "varbinary", "[[a]]"},
		{"old text", converted(pq.Types.ByteArray, schema.ConvertedTypes.UTF8, 0, 0, 0), text[:1], "varchar", "[[a]]"},
		{"bytes", converted(pq.Types.ByteArray, schema.ConvertedTypes.None, 0, 0, 0), text[:1], "varbinary", "[[a]]"},
		{"interval", converted(pq.Types.FixedLenByteArray, schema.ConvertedTypes.Interval, 12, 0, 0), []pq.FixedLenByteArray{[]byte("abcdefghijkl")}, "varbinary", "[[abcdefghijkl]]"},
		{"uuid", primitive("x", schema.UUIDLogicalType{}, pq.Types.FixedLenByteArray, 16), []pq.FixedLenByteArray{twosComplement(258, 16)}, "uuid", "[[258]]"},
		{"half precision", primitive("x", schema.Float16LogicalType{}, pq.Types.FixedLenByteArray, 2), []pq.FixedLenByteArray{{0x00, 0x3c}, {0x01, 0x00}, {0x00, 0xfc}}, "real", "[[1] [5.9604645e-08] [-Inf]]"},
		{"old date", converted(pq.Types.Int32, schema.ConvertedTypes.Date, 0, 0, 0), []int32{-1, 19000}, "date", "[[-1] [19000]]"},
		{"old time in ms", converted(pq.Types.Int32, schema.ConvertedTypes.TimeMillis, 0, 0, 0), []int32{86399999}, "time(3)", "[[86399999000000]]"},
		{"old time in us", converted(pq.Types.Int64, schema.ConvertedTypes.TimeMicros, 0, 0, 0), []int64{1}, "time(6)", "[[1000]]"},
		{"time in ns", primitive("x", schema.NewTimeLogicalType(true, schema.TimeUnitNanos), pq.Types.Int64, 0), []int64{1}, "time(9)", "[[1]]"},
		{"old timestamp in ms", converted(pq.Types.Int64, schema.ConvertedTypes.TimestampMillis, 0, 0, 0), []int64{-1}, "timestamp(3)", "[[-1000]]"},
		{"timestamp in ns", primitive("x", schema.NewTimestampLogicalType(false, schema.TimeUnitNanos), pq.Types.Int64, 0), []int64{-1}, "timestamp(9)", "[[-1]]"},
		{"instant in us", primitive("x", schema.NewTimestampLogicalType(true, schema.TimeUnitMicros), pq.Types.Int64, 0), []int64{5}, "timestamp(6) with time zone", "[[5]]"},
		{"INT96", converted(pq.Types.Int96, schema.ConvertedTypes.None, 0, 0, 0), []pq.Int96{{0x40, 0x42, 0x0f, 0, 0, 0, 0, 0, 0x8c, 0x3d, 0x25, 0}}, "timestamp(6)", "[[1000]]"},
		{"unsigned 8", converted(pq.Types.Int32, schema.ConvertedTypes.Uint8, 0, 0, 0), []int32{255}, "smallint", "[[255]]"},
		{"unsigned 16", converted(pq.Types.Int32, schema.ConvertedTypes.Uint16, 0, 0, 0), []int32{65535}, "integer", "[[65535]]"},
		{"unsigned 32", converted(pq.Types.Int32, schema.ConvertedTypes.Uint32, 0, 0, 0), []int32{-1}, "bigint", "[[4294967295]]"},
		{"unsigned 64", converted(pq.Types.Int64, schema.ConvertedTypes.Uint64, 0, 0, 0), []int64{-1}, "decimal(20,0)", "[[18446744073709551615]]"},
		{"signed 8", converted(pq.Types.Int32, schema.ConvertedTypes.Int8, 0, 0, 0), []int32{-128}, "tinyint", "[[-128]]"},
		{"signed 16", converted(pq.Types.Int32, schema.ConvertedTypes.Int16, 0, 0, 0), []int32{-32768}, "smallint", "[[-32768]]"},
		{"booleans", converted(pq.Types.Boolean, schema.ConvertedTypes.None, 0, 0, 0), []bool{true, false, true}, "boolean", "[[true] [false] [true]]"},
	}
	for _, tc := range tests {
		for _, dict := range []bool{true, false} {
			t.Run(fmt.Sprintf("%s/dictionary %v", tc.name, dict), func(t *testing.T) {
				tf := openBytes(t, tc.write(t, dict))
				if got := tf.file.Fields[0].Type.String(); got != tc.want {
					t.Errorf("the type is %s, want %s", got, tc.want)
				}
				if got := fmt.Sprint(readRows(t, tf.config())); got != tc.content {
					t.Errorf("rows %s, want %s", got, tc.content)
				}
			})
		}
	}
}

// write writes a file of the one column.
func (p *physical) write(t *testing.T, dict bool) []byte {
	t.Helper()
	node, err := p.node(pq.Repetitions.Required)
	if err != nil {
		t.Fatal(err)
	}
	root, err := schema.NewGroupNode("schema", pq.Repetitions.Required, schema.FieldList{node}, -1)
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	w := file.NewParquetWriter(&out, root, file.WithWriterProps(pq.NewWriterProperties(pq.WithDictionaryDefault(dict))))
	group, err := w.AppendRowGroupChecked()
	if err != nil {
		t.Fatal(err)
	}
	cw, err := group.NextColumn()
	if err != nil {
		t.Fatal(err)
	}
	switch cw := cw.(type) {
	case *file.Int32ColumnChunkWriter:
		_, err = cw.WriteBatch(p.values.([]int32), nil, nil)
	case *file.Int64ColumnChunkWriter:
		_, err = cw.WriteBatch(p.values.([]int64), nil, nil)
	case *file.Int96ColumnChunkWriter:
		_, err = cw.WriteBatch(p.values.([]pq.Int96), nil, nil)
	case *file.BooleanColumnChunkWriter:
		_, err = cw.WriteBatch(p.values.([]bool), nil, nil)
	case *file.ByteArrayColumnChunkWriter:
		_, err = cw.WriteBatch(p.values.([]pq.ByteArray), nil, nil)
	case *file.FixedLenByteArrayColumnChunkWriter:
		_, err = cw.WriteBatch(p.values.([]pq.FixedLenByteArray), nil, nil)
	default:
		t.Fatalf("no values for %T", cw)
	}
	if err == nil {
		err = w.Close()
	}
	if err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

// TestUnsupported: what is not read says so, with the file's name.
func TestUnsupported(t *testing.T) {
	big := physical{node: primitive("x", schema.NewDecimalLogicalType(40, 2), pq.Types.FixedLenByteArray, 17), values: []pq.FixedLenByteArray{twosComplement(1, 17)}}
	tf := stage(t, big.write(t, false))
	if _, err := Open(t.Context(), tf.b, tf.obj); err == nil || !strings.Contains(err.Error(), `f.parquet: not supported: column "x": decimals of more than 38 digits`) {
		t.Errorf("error %v", err)
	}
}
