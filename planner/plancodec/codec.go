// Package plancodec turns plans and their fragments into bytes and back: the
// only code that knows both the plan and its protobuf form. Fragments go to
// workers, whole plans to the coordinator that may have to go on with a query
// where another one died. A plan carries a version;
// a reader refuses one it does not know, so that nodes of neighboring
// releases never misread each other.
package plancodec

import (
	"fmt"

	"google.golang.org/protobuf/proto"

	"github.com/tuttidb/tutti/planner/plan"
	pb "github.com/tuttidb/tutti/proto/tutti/v1"
)

// Version is the version of the plans that this build writes and reads. It
// grows when a reader of the old one would misunderstand a new plan.
const Version = 1

// maxDepth bounds the nesting of plans and expressions that are read, so that
// a hostile message cannot exhaust the stack.
const maxDepth = 2000

// EncodeFragment returns the fragment's bytes. It fails only for plans with
// nodes or values that no plan should have.
func EncodeFragment(f *plan.Fragment) ([]byte, error) {
	e := &encoder{}
	msg := e.fragment(f)
	if e.err != nil {
		return nil, fmt.Errorf("encode fragment %d: %w", f.ID, e.err)
	}
	return proto.MarshalOptions{Deterministic: true}.Marshal(msg)
}

// DecodeFragment reads what EncodeFragment of the given version wrote.
func DecodeFragment(version uint32, b []byte) (*plan.Fragment, error) {
	if version != Version {
		return nil, fmt.Errorf("plan version %d, this node knows %d only", version, Version)
	}
	var msg pb.Fragment
	if err := proto.Unmarshal(b, &msg); err != nil {
		return nil, fmt.Errorf("decode fragment: %w", err)
	}
	d := &decoder{}
	f := d.fragment(&msg)
	if d.err != nil {
		return nil, fmt.Errorf("decode fragment %d: %w", msg.Id, d.err)
	}
	return f, nil
}

// fragment is a fragment as a message.
func (e *encoder) fragment(f *plan.Fragment) *pb.Fragment {
	msg := &pb.Fragment{
		Id: int32(f.ID), Root: e.node(f.Root), Spread: uint32(f.Spread), OutputKind: uint32(f.Output.Kind),
		OutputKeys: e.columns(f.Output.Keys), Indeterminate: f.Indeterminate, SameFilters: f.SameFilters,
	}
	for _, in := range f.Inputs {
		msg.Inputs = append(msg.Inputs, int32(in))
	}
	return msg
}

// fragment reads a message.
func (d *decoder) fragment(msg *pb.Fragment) *plan.Fragment {
	f := &plan.Fragment{
		ID: plan.FragmentID(msg.GetId()), Root: d.node(msg.GetRoot()), Spread: plan.Spread(msg.GetSpread()),
		Output:        plan.Partitioning{Kind: plan.ExchangeKind(msg.GetOutputKind()), Keys: d.columns(msg.GetOutputKeys())},
		Indeterminate: msg.GetIndeterminate(), SameFilters: msg.GetSameFilters(),
	}
	d.bound("spread", msg.GetSpread(), uint32(plan.OnCoordinator))
	d.bound("output kind", msg.GetOutputKind(), uint32(plan.RoundRobin))
	for _, in := range msg.GetInputs() {
		f.Inputs = append(f.Inputs, plan.FragmentID(in))
	}
	return f
}

// encoder collects the first error, so that building messages reads as one
// expression.
type encoder struct{ err error }

func (e *encoder) fail(format string, args ...any) {
	if e.err == nil {
		e.err = fmt.Errorf(format, args...)
	}
}

// decoder collects the first error and bounds the nesting.
type decoder struct {
	err   error
	depth int
}

func (d *decoder) fail(format string, args ...any) {
	if d.err == nil {
		d.err = fmt.Errorf(format, args...)
	}
}

// bound checks an enumeration that travels as a number.
func (d *decoder) bound(what string, v, last uint32) {
	if v > last {
		d.fail("unknown %s %d", what, v)
	}
}

// enter counts one level of nesting; false when there are too many.
func (d *decoder) enter() bool {
	d.depth++
	if d.depth > maxDepth {
		d.fail("nested deeper than %d", maxDepth)
	}
	return d.err == nil
}

func (d *decoder) leave() { d.depth-- }
