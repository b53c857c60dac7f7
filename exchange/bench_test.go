package exchange

import (
	"context"
	"fmt"
	"testing"

	"github.com/tuttidb/tutti/exec/mem"
	"github.com/tuttidb/tutti/exec/vector"
	"github.com/tuttidb/tutti/planner/plan"
	pb "github.com/tuttidb/tutti/proto/tutti/v1"
	"github.com/tuttidb/tutti/sql/types"
)

// benchTypes are like a fact table's: six numbers, a date, a short string.
var benchTypes = []types.Type{
	types.Of(types.BigInt), types.Of(types.BigInt), types.Of(types.BigInt), types.Of(types.Double), types.Of(types.Double), types.DecimalOf(12, 2),
	types.Of(types.Date), types.VarcharType(),
}

// benchBatch returns a batch of rows and the bytes of it.
func benchBatch(b *testing.B, account *mem.Account, rows int) (*vector.Batch, int64, func()) {
	batch := &vector.Batch{N: rows}
	var builders []*vector.Builder
	bytes := int64(0)
	for _, t := range benchTypes {
		c := vector.NewBuilder(account, t)
		for i := range rows {
			var err error
			switch t.Physical() {
			case types.PhysInt32:
				err = vector.Append(c, int32(i))
			case types.PhysBytes:
				err = c.AppendBytes(fmt.Appendf(nil, "comment number %d", i%1000))
			default:
				err = vector.Append(c, int64(i)*7)
			}
			if err != nil {
				b.Fatal(err)
			}
		}
		builders = append(builders, c)
		v := c.Vector()
		bytes += vectorBytes(v)
		batch.Cols = append(batch.Cols, v)
	}
	return batch, bytes, func() {
		for _, c := range builders {
			c.Release()
		}
	}
}

// BenchmarkOutput partitions rows that are grouped by partition in each batch
// already, as the partitioning operator hands them over.
func BenchmarkOutput(b *testing.B) {
	for _, parts := range []int{1, 16, 64} {
		b.Run(fmt.Sprintf("partitions=%d", parts), func(b *testing.B) {
			pool := mem.NewPool()
			root := mem.NewRoot("bench", 0, pool)
			s, err := NewStore(StoreConfig{Account: root, MemoryLimit: 1 << 40})
			if err != nil {
				b.Fatal(err)
			}
			batch, bytes, release := benchBatch(b, root, vector.DefaultRows)
			defer release()
			sels := make([][]int32, parts)
			for i := range batch.N {
				sels[i%parts] = append(sels[i%parts], int32(i))
			}
			o, err := s.NewOutput(OutputConfig{Task: taskID(1, 0, 0), Types: benchTypes, Partitions: parts, Account: root})
			if err != nil {
				b.Fatal(err)
			}
			b.SetBytes(bytes)
			b.ReportAllocs()
			for i := 0; b.Loop(); i++ {
				for p, sel := range sels {
					if parts == 1 {
						sel = nil
					}
					if err := o.Write(context.Background(), p, &vector.Batch{N: batch.N, Cols: batch.Cols, Sel: sel}); err != nil {
						b.Fatal(err)
					}
				}
				if i%200 == 199 { // keeps memory small
					b.StopTimer()
					o.Abort()
					if o, err = s.NewOutput(o.cfg); err != nil {
						b.Fatal(err)
					}
					b.StartTimer()
				}
			}
			o.Abort()
		})
	}
}

func benchFrame(b *testing.B, rows int) (Frame, func()) {
	root := mem.NewRoot("bench", 0, mem.NewPool())
	batch, _, release := benchBatch(b, root, rows)
	return encodeFrame(b, batch.Cols, rows), release
}

func BenchmarkEncode(b *testing.B) {
	root := mem.NewRoot("bench", 0, mem.NewPool())
	batch, bytes, release := benchBatch(b, root, 32768)
	defer release()
	var e encoder
	var body []byte
	b.SetBytes(bytes)
	for b.Loop() {
		n, err := e.layout(batch.Cols, batch.N)
		if err != nil {
			b.Fatal(err)
		}
		if body == nil {
			body = vector.AsBytes(make([]int64, n/8))
		}
		e.fill(body)
	}
}

func BenchmarkDecode(b *testing.B) {
	f, release := benchFrame(b, 32768)
	defer release()
	for _, trusted := range []bool{false, true} {
		b.Run(fmt.Sprintf("trusted=%v", trusted), func(b *testing.B) {
			d := decoder{types: benchTypes, trusted: trusted}
			b.SetBytes(int64(len(f.Body)))
			b.ReportAllocs()
			for b.Loop() {
				if _, _, err := d.decode(f); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkTransfer moves one partition of 256 MB from a store to an operator.
func BenchmarkTransfer(b *testing.B) {
	for _, flight := range []bool{false, true} {
		name := "same process"
		if flight {
			name = "flight"
		}
		b.Run(name, func(b *testing.B) { benchTransfer(b, flight) })
	}
}

func benchTransfer(b *testing.B, flight bool) {
	n := newNode(b, nodeConfig{})
	n.pool.Poison = false
	batch, _, release := benchBatch(b, n.root, vector.DefaultRows)
	defer release()
	id := taskID(1, 0, 0)
	o, err := n.store.NewOutput(OutputConfig{Task: id, Types: benchTypes, Partitions: 1, Account: n.root})
	if err != nil {
		b.Fatal(err)
	}
	for range 400 {
		if err := o.Write(b.Context(), 0, batch); err != nil {
			b.Fatal(err)
		}
	}
	ends, err := o.Finish(b.Context())
	if err != nil {
		b.Fatal(err)
	}
	b.SetBytes(ends[0].Bytes)
	b.ReportAllocs()
	for b.Loop() {
		cfg := InputsConfig{Task: taskID(0, 0, 0), Store: n.store, Conns: n.conns, Auth: n.auth}
		if !flight {
			cfg.Self = n.address
		}
		in := NewInputs(cfg)
		if err := in.Update(&pb.Inputs{Sources: []*pb.Source{sourceOf(n, id, ends[0])}, Complete: []int32{1}}); err != nil {
			b.Fatal(err)
		}
		node := remoteNode(plan.Gather, 1)
		node.Columns = nil
		for _, t := range benchTypes {
			node.Columns = append(node.Columns, plan.Column{Type: t})
		}
		op, err := in.Open(node, n.root)
		if err != nil {
			b.Fatal(err)
		}
		rows := int64(0)
		for {
			x, err := op.Next(b.Context())
			if err != nil {
				b.Fatal(err)
			}
			if x == nil {
				break
			}
			rows += int64(x.N)
		}
		if rows != ends[0].Rows {
			b.Fatalf("%d rows", rows)
		}
		_ = op.Close()
		in.Close()
	}
}
