package plancodec

import (
	"fmt"

	"google.golang.org/protobuf/proto"

	"github.com/tuttidb/tutti/planner/plan"
	pb "github.com/tuttidb/tutti/proto/tutti/v1"
)

// EncodePlan returns a whole plan's bytes, the same for the same plan. It fails
// only for plans with nodes or values that no plan should have.
func EncodePlan(p *plan.Plan) ([]byte, error) {
	e := &encoder{}
	msg := &pb.Plan{Names: p.Names, Columns: e.columns(p.Columns)}
	for _, f := range p.Fragments {
		msg.Fragments = append(msg.Fragments, e.fragment(f))
		if e.err != nil {
			return nil, fmt.Errorf("encode fragment %d: %w", f.ID, e.err)
		}
	}
	if e.err != nil {
		return nil, fmt.Errorf("encode plan: %w", e.err)
	}
	return proto.MarshalOptions{Deterministic: true}.Marshal(msg)
}

// DecodePlan reads what EncodePlan of the given version wrote. The fragments of
// what it returns are a DAG below the first one, as a planner's are.
func DecodePlan(version uint32, b []byte) (*plan.Plan, error) {
	if version != Version {
		return nil, fmt.Errorf("plan version %d, this node knows %d only", version, Version)
	}
	var msg pb.Plan
	if err := proto.Unmarshal(b, &msg); err != nil {
		return nil, fmt.Errorf("decode plan: %w", err)
	}
	d := &decoder{}
	p := &plan.Plan{Names: msg.Names, Columns: d.columns(msg.Columns)}
	for _, m := range msg.Fragments {
		p.Fragments = append(p.Fragments, d.fragment(m))
		if d.err != nil {
			return nil, fmt.Errorf("decode fragment %d: %w", m.GetId(), d.err)
		}
	}
	if d.err != nil {
		return nil, fmt.Errorf("decode plan: %w", d.err)
	}
	if err := checkPlan(p); err != nil {
		return nil, fmt.Errorf("decode plan: %w", err)
	}
	return p, nil
}

// checkPlan looks whether those who walk a plan along its fragments' numbers
// come to an end.
func checkPlan(p *plan.Plan) error {
	if len(p.Fragments) == 0 {
		return fmt.Errorf("it has no fragment")
	}
	if len(p.Names) != len(p.Columns) {
		return fmt.Errorf("%d names of %d columns", len(p.Names), len(p.Columns))
	}
	for i, f := range p.Fragments {
		if int(f.ID) != i {
			return fmt.Errorf("fragment %d stands in the place of %d", f.ID, i)
		}
		if err := checkInputs(p, f); err != nil {
			return err
		}
	}
	seen := make([]visit, len(p.Fragments))
	for _, f := range p.Fragments {
		if !acyclic(p, f.ID, seen) {
			return fmt.Errorf("fragment %d reads itself", f.ID)
		}
	}
	return nil
}

// checkInputs compares what a fragment says it reads with what its nodes do.
func checkInputs(p *plan.Plan, f *plan.Fragment) (err error) {
	known := map[plan.FragmentID]bool{}
	for _, in := range f.Inputs {
		if in < 0 || int(in) >= len(p.Fragments) {
			return fmt.Errorf("fragment %d reads %d of %d", f.ID, in, len(p.Fragments))
		}
		known[in] = true
	}
	plan.Walk(f.Root, func(n plan.Node) bool {
		if r, ok := n.(*plan.RemoteSource); ok {
			for _, id := range r.Fragments {
				if !known[id] && err == nil {
					err = fmt.Errorf("fragment %d reads %d, which is not among its inputs", f.ID, id)
				}
			}
		}
		return err == nil
	})
	return err
}

// visit is how far acyclic is with a fragment.
type visit uint8

const (
	unseen visit = iota
	entered
	left
)

func acyclic(p *plan.Plan, id plan.FragmentID, seen []visit) bool {
	switch seen[id] {
	case entered:
		return false
	case left:
		return true
	}
	seen[id] = entered
	for _, in := range p.Fragments[id].Inputs {
		if !acyclic(p, in, seen) {
			return false
		}
	}
	seen[id] = left
	return true
}
