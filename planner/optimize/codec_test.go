package optimize_test

import (
	"bytes"
	"slices"
	"testing"

	"github.com/tuttidb/tutti/planner/plan"
	"github.com/tuttidb/tutti/planner/plancodec"
	tpchtest "github.com/tuttidb/tutti/test/tpch"
)

// TestPlansAsBytes writes and reads the plans of the 22 queries: what was read
// prints, and is written, as what was written.
func TestPlansAsBytes(t *testing.T) {
	b := newBench(t, "sf1")
	for _, q := range tpchtest.Queries() {
		t.Run(q.Name, func(t *testing.T) {
			p := b.distributed(t, q.SQL)
			enc, err := plancodec.EncodePlan(p)
			if err != nil {
				t.Fatal(err)
			}
			got, err := plancodec.DecodePlan(plancodec.Version, enc)
			if err != nil {
				t.Fatal(err)
			}
			if want, got := plan.FormatPlan(p, nil), plan.FormatPlan(got, nil); got != want {
				t.Errorf("got:\n%s\nwant:\n%s", got, want)
			}
			if !slices.Equal(got.Names, p.Names) || !slices.EqualFunc(got.Columns, p.Columns, func(a, b plan.Column) bool {
				return a.ID == b.ID && a.Name == b.Name && a.Type.String() == b.Type.String()
			}) {
				t.Errorf("result %v %v, want %v %v", got.Names, got.Columns, p.Names, p.Columns)
			}
			if again, err := plancodec.EncodePlan(got); err != nil || !bytes.Equal(again, enc) {
				t.Errorf("encoding what was decoded gives other bytes; %v", err)
			}
			t.Logf("%d fragments, %d bytes", len(p.Fragments), len(enc))
		})
	}
}
