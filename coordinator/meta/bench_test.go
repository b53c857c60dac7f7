package meta

import (
	"fmt"
	"testing"
	"time"

	"github.com/tuttidb/tutti/internal/clock"
	pb "github.com/tuttidb/tutti/proto/tutti/v1"
)

// lastPages are as many small last pages as a busy cluster remembers.
func lastPages(n int) []*pb.MetaMemory {
	var all []*pb.MetaMemory
	for i := range n {
		m := RememberPage(&pb.MetaPage{
			Query: fmt.Sprintf("20260102_030405_%05d_abcde", i), Slug: "0123456789abcdef0123456789abcdef", Token: 1, Last: true, Body: make([]byte, 1200),
			Headers: []*pb.MetaHeader{{Name: "Content-Type", Values: []string{"application/json"}}, {Name: "Cache-Control", Values: []string{"no-store"}}},
		}, time.Hour)
		m.Seq = uint64(i + 1)
		all = append(all, m)
	}
	return all
}

// BenchmarkRecollect is what a new leader of three does with what they remember.
func BenchmarkRecollect(b *testing.B) {
	for _, n := range []int{100, 7000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			t := &testing.T{}
			g := newGroup(t, "c1", "c2", "c3")
			g.openAll()
			g.settled()
			lead := g.leader()
			epoch := lead.ready.Load()
			entries := lastPages(n)
			for _, e := range entries {
				e.Seq += firstSeq(epoch)
			}
			for _, id := range g.ids {
				if _, ok, err := g.node(id).memory.put(epoch, entries, nil); !ok || err != nil {
					b.Fatal(ok, err)
				}
			}
			lead.rising.Store(epoch)
			for b.Loop() {
				all, err := lead.recollect(b.Context(), epoch)
				if err != nil || len(all) != n {
					b.Fatal(len(all), err)
				}
			}
			for _, id := range g.ids {
				g.stop(id)
			}
		})
	}
}

// BenchmarkPut is what each word about a query costs every coordinator's memory.
func BenchmarkPut(b *testing.B) {
	m := newMemory(clock.System{}, 1)
	if _, ok, err := m.put(1, lastPages(7000), nil); !ok || err != nil {
		b.Fatal(ok, err)
	}
	e := lastPages(1)
	b.ReportAllocs()
	for i := uint64(10000); b.Loop(); i++ {
		e[0].Seq = i
		if _, ok, err := m.put(1, e, nil); !ok || err != nil {
			b.Fatal(ok, err)
		}
	}
}
