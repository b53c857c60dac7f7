package parquet

import (
	"context"
	"errors"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/apache/arrow-go/v18/arrow"
	pq "github.com/apache/arrow-go/v18/parquet"
	"github.com/apache/arrow-go/v18/parquet/compress"

	"github.com/tuttidb/tutti/connectors/objstore"
	"github.com/tuttidb/tutti/exec/mem"
	"github.com/tuttidb/tutti/internal/qerr"
	"github.com/tuttidb/tutti/sql/expr"
	"github.com/tuttidb/tutti/sql/function"
	"github.com/tuttidb/tutti/sql/types"
)

// seedFiles are small files of many forms.
func seedFiles(t testing.TB) (files [][]byte) {
	forms := [][]pq.WriterProperty{
		{pq.WithDictionaryDefault(true)},
		{pq.WithDictionaryDefault(false), pq.WithDataPageVersion(pq.DataPageV2), pq.WithPageIndexEnabled(true)},
		{pq.WithCompression(compress.Codecs.Snappy), pq.WithMaxRowGroupLength(20), pq.WithPageIndexEnabled(true)},
		{pq.WithCompression(compress.Codecs.Zstd), pq.WithBloomFilterEnabled(true), pq.WithDictionaryDefault(false)},
		{pq.WithCompression(compress.Codecs.Gzip), pq.WithDataPageVersion(pq.DataPageV2)},
		{pq.WithCompression(compress.Codecs.Lz4Raw), pq.WithDictionaryPageSizeLimit(100)},
	}
	for i, form := range forms {
		m := &maker{r: rand.New(rand.NewPCG(8, uint64(i))), nulls: 0.2, few: i % 2 * 4}
		all := append(flatFields(true), nestedFields()...)
		for from := 0; from < len(all); from += 9 {
			rec := makeRecord(m, 40, all[from:min(from+9, len(all))]...)
			files = append(files, write(t, rec, append(form, pq.WithDataPageSize(200), pq.WithBatchSize(10))...))
		}
	}
	for _, enc := range []pq.Encoding{pq.Encodings.DeltaBinaryPacked, pq.Encodings.DeltaByteArray, pq.Encodings.DeltaLengthByteArray, pq.Encodings.ByteStreamSplit} {
		kind := arrow.PrimitiveTypes.Int64
		if enc == pq.Encodings.DeltaByteArray || enc == pq.Encodings.DeltaLengthByteArray {
			kind = arrow.BinaryTypes.String
		}
		m := &maker{r: rand.New(rand.NewPCG(9, 9)), nulls: 0.2}
		rec := makeRecord(m, 60, arrow.Field{Name: "x", Type: kind, Nullable: true})
		files = append(files, write(t, rec, pq.WithDictionaryDefault(false), pq.WithEncoding(enc)))
	}
	return files
}

// readDamaged reads a file that may be damaged. It may succeed, or fail with
// an error that names the file; nothing else.
func readDamaged(t testing.TB, data []byte) {
	tf := stage(t, data)
	tf.root = mem.NewRoot("fuzz", 64<<20, tf.pool)
	tf.pool.Poison = false // slow
	f, err := Open(context.Background(), tf.b, tf.obj)
	if err == nil {
		tf.file = f
		cfg := tf.config()
		cfg.BatchRows = 100
		_, err = tryRows(cfg)
		for i, c := range cfg.Columns {
			if e := predicateOn(t, c.Type, i); e != nil {
				cfg.Predicate = e
				_, perr := tryRows(cfg)
				checkError(t, perr)
			}
		}
	}
	checkError(t, err)
}

// predicateOn makes a condition that prunes by every means.
func predicateOn(t testing.TB, k types.Type, i int) expr.Expr {
	col := &expr.Column{ID: expr.ColumnID(i), Typ: k}
	var c *expr.Const
	switch k.Kind {
	case types.BigInt, types.Integer, types.Date:
		c = &expr.Const{Value: int64(7_777_777), Typ: k}
	case types.Varchar:
		c = &expr.Const{Value: "7777777 and again", Typ: k}
	default:
		return nil
	}
	return call(t, function.OpEq, col, c)
}

func checkError(t testing.TB, err error) {
	var limit *mem.LimitError
	if err == nil || errors.As(err, &limit) {
		return
	}
	q := qerr.From(err)
	good := q.Code == qerr.LakeBadData || q.Code == qerr.LakeUnsupportedFormat || q.Code == qerr.LakeFilesystemError
	if !good || !strings.Contains(err.Error(), "f.parquet") {
		t.Fatalf("%s: %v", q.Code.Name, err)
	}
}

// FuzzRead reads mutated files: one byte range of a seed is overwritten.
func FuzzRead(f *testing.F) {
	seeds := seedFiles(f)
	for i := range seeds {
		f.Add(i, 100, []byte{0xff})
		f.Add(i, len(seeds[i])-100, []byte{0, 0, 0})
	}
	f.Fuzz(func(t *testing.T, seed, at int, over []byte) {
		if seed < 0 || at < 0 {
			return
		}
		data := append([]byte(nil), seeds[seed%len(seeds)]...)
		copy(data[at%len(data):], over)
		readDamaged(t, data)
	})
}

// TestDamaged reads files with random damage and cut-off ends.
func TestDamaged(t *testing.T) {
	seeds := seedFiles(t)
	r := rand.New(rand.NewPCG(10, 10))
	n := 500
	if testing.Short() {
		n = 100
	}
	for range n {
		data := append([]byte(nil), seeds[r.IntN(len(seeds))]...)
		for range 1 + r.IntN(4) {
			at := r.IntN(len(data))
			if r.IntN(2) == 0 { // near the end, where the footer is
				at = len(data) - 1 - r.IntN(min(len(data), 3000))
			}
			data[at] = byte([]int{0, 255, 127, 128, r.IntN(256), int(data[at]) ^ 1<<r.IntN(8)}[r.IntN(6)])
		}
		if r.IntN(20) == 0 {
			data = data[:r.IntN(len(data))]
		}
		readDamaged(t, data)
	}
}

// TestTruncated: a file that ends before the size it was listed with.
func TestTruncated(t *testing.T) {
	data := seedFiles(t)[0]
	tf := openBytes(t, data)
	obj, err := tf.b.Put(t.Context(), "f.parquet", strings.NewReader(string(data[:len(data)/2])), int64(len(data)/2), objstore.PutOptions{})
	if err != nil {
		t.Fatal(err)
	}
	cfg := tf.config()
	cfg.Object.ETag = obj.ETag
	_, err = tryRows(cfg)
	if !qerr.Is(err, qerr.LakeBadData) || !strings.Contains(err.Error(), "f.parquet") {
		t.Errorf("error %v", err)
	}
}
