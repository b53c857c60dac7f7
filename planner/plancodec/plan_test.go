package plancodec

import (
	"bytes"
	"slices"
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"

	"github.com/tuttidb/tutti/planner/plan"
	pb "github.com/tuttidb/tutti/proto/tutti/v1"
	"github.com/tuttidb/tutti/sql/types"
)

// everyPlan is a plan of several fragments, one with every node, one read twice.
func everyPlan(t *testing.T) *plan.Plan {
	t.Helper()
	every := everyNode(t)
	every.ID = 1
	a := column(0, types.Of(types.BigInt))
	read := func(ids ...plan.FragmentID) *plan.RemoteSource {
		return &plan.RemoteSource{Fragments: ids, Columns: []plan.Column{a}}
	}
	leaf := func(id plan.FragmentID) *plan.Fragment {
		return &plan.Fragment{ID: id, Root: &plan.Values{Columns: []plan.Column{a}}, Spread: plan.OneTask, Output: plan.Partitioning{Kind: plan.Replicate}}
	}
	return &plan.Plan{
		Fragments: []*plan.Fragment{
			{ID: 0, Root: read(1, 2), Spread: plan.OnCoordinator, Inputs: []plan.FragmentID{1, 2}}, every,
			{ID: 2, Root: read(5), Inputs: []plan.FragmentID{5}}, leaf(3), leaf(4), leaf(5),
		},
		Names: []string{"x", "x"}, Columns: []plan.Column{a, a},
	}
}

func TestPlanRoundTrip(t *testing.T) {
	p := everyPlan(t)
	b, err := EncodePlan(p)
	if err != nil {
		t.Fatal(err)
	}
	got, err := DecodePlan(Version, b)
	if err != nil {
		t.Fatal(err)
	}
	if again, err := EncodePlan(got); err != nil || !bytes.Equal(b, again) {
		t.Errorf("encoding what was decoded gives other bytes; %v", err)
	}
	if want, got := plan.FormatPlan(p, nil), plan.FormatPlan(got, nil); got != want {
		t.Errorf("got:\n%s\nwant:\n%s", got, want)
	}
	if !slices.Equal(got.Names, p.Names) || !slices.Equal(got.Columns, p.Columns) {
		t.Errorf("result %v %v, want %v %v", got.Names, got.Columns, p.Names, p.Columns)
	}
}

// TestPlanRefusals damages a plan's message: each is an error that names what
// is wrong.
func TestPlanRefusals(t *testing.T) {
	b, err := EncodePlan(everyPlan(t))
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name, want string
		version    uint32
		damage     func(m *pb.Plan)
	}{
		{"another version", "this node knows 1 only", Version + 1, func(*pb.Plan) {}},
		{"no fragment", "no fragment", Version, func(m *pb.Plan) { m.Fragments = nil }},
		{"names", "1 names of 2 columns", Version, func(m *pb.Plan) { m.Names = m.Names[:1] }},
		{"places", "fragment 4 stands in the place of 3", Version, func(m *pb.Plan) { m.Fragments[3].Id = 4 }},
		{"range", "reads 17 of 6", Version, func(m *pb.Plan) { m.Fragments[3].Inputs = []int32{17} }},
		{"negative", "reads -1 of 6", Version, func(m *pb.Plan) { m.Fragments[3].Inputs = []int32{-1} }},
		{"itself", "reads itself", Version, func(m *pb.Plan) { m.Fragments[5].Inputs = []int32{2} }},
		{"not an input", "not among its inputs", Version, func(m *pb.Plan) { m.Fragments[2].Inputs = nil }},
		{"no root", "fragment 4", Version, func(m *pb.Plan) { m.Fragments[4].Root = nil }},
		{"spread", "unknown spread 99", Version, func(m *pb.Plan) { m.Fragments[0].Spread = 99 }},
	} {
		t.Run(c.name, func(t *testing.T) {
			var m pb.Plan
			if err := proto.Unmarshal(b, &m); err != nil {
				t.Fatal(err)
			}
			c.damage(&m)
			damaged, err := proto.Marshal(&m)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := DecodePlan(c.version, damaged); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("error %v, want one with %q", err, c.want)
			}
		})
	}
	if _, err := DecodePlan(Version, []byte{0xff}); err == nil {
		t.Error("bytes that are no message were read")
	}
}

// FuzzDecodePlan feeds damaged plans to the reader: errors, never a panic.
func FuzzDecodePlan(f *testing.F) {
	b, err := EncodePlan(everyPlan(&testing.T{}))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(b)
	f.Fuzz(func(t *testing.T, b []byte) {
		p, err := DecodePlan(Version, b)
		if err != nil {
			return
		}
		if _, err := EncodePlan(p); err != nil {
			t.Errorf("a plan that was read cannot be written: %v", err)
		}
	})
}
