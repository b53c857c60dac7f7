package optest

import (
	"context"
	"fmt"
	"math/rand/v2"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/tuttidb/tutti/exec"
	"github.com/tuttidb/tutti/exec/mem"
	"github.com/tuttidb/tutti/exec/vector"
	"github.com/tuttidb/tutti/sql/types"
)

// careless is an operator that takes memory for each batch it passes on and
// that goes wrong in one way.
type careless struct {
	in      exec.Operator
	account *mem.Account
	held    []*mem.Buf
	way     string
}

func (o *careless) Next(ctx context.Context) (*vector.Batch, error) {
	b, err := o.in.Next(ctx)
	if err != nil && o.way == "hangs" {
		select {}
	}
	if b == nil || err != nil {
		return nil, err
	}
	x, err := o.account.Alloc(100)
	if err != nil && o.way == "swallows" {
		return o.Next(ctx)
	}
	if err != nil && o.way == "forgets" {
		o.held = nil
	}
	o.held = append(o.held, x)
	return b, err
}

func (o *careless) Close() error {
	for _, x := range o.held {
		x.Release()
	}
	o.held = nil
	if o.way == "grows" {
		_ = o.account.Grow(1)
	}
	return o.in.Close()
}

// complaints takes what a test would be failed with.
type complaints struct {
	testing.TB
	all []string
}

func (c *complaints) Helper()                    {}
func (c *complaints) Logf(string, ...any)        {}
func (c *complaints) Errorf(f string, xs ...any) { c.all = append(c.all, fmt.Sprintf(f, xs...)) }
func (c *complaints) Fatalf(f string, xs ...any) {
	c.Errorf(f, xs...)
	runtime.Goexit()
}

// TestFaultsAreFound runs operators that leak, hang and lose rows.
func TestFaultsAreFound(t *testing.T) {
	tab := Random(rand.New(rand.NewPCG(1, 2)), []types.Type{types.Of(types.BigInt)}, 60, 30, 0)
	for way, want := range map[string]string{
		"":         "",
		"forgets":  "careless).Next", // with the stack of who took it
		"grows":    "2 accounted for",
		"hangs":    "no end after",
		"swallows": "rows that are not the 60",
	} {
		got := &complaints{}
		x := &faults{
			t: got, tables: []Table{tab}, form: FaultForms()[0], rng: rand.New(rand.NewPCG(1, 3)), most: 10, wait: 200 * time.Millisecond,
			build: func(c *Case) Job {
				return Job{Tops: []exec.Operator{&careless{in: c.Inputs[0], account: c.Account, way: way}}}
			},
		}
		done := make(chan struct{})
		go func() {
			defer close(done)
			x.all()
		}()
		<-done
		if all := strings.Join(got.all, "\n"); (want == "") != (all == "") || !strings.Contains(all, want) {
			t.Errorf("an operator that %s: found %q", way, all)
		}
	}
}

func TestFaultsDrawsNumbers(t *testing.T) {
	x := &faults{rng: rand.New(rand.NewPCG(1, 4)), most: 6}
	if got := fmt.Sprint(x.numbers(4)); got != "[1 2 3 4]" {
		t.Errorf("numbers up to 4 are %s", got)
	}
	got := x.numbers(100)
	if len(got) != 6 || fmt.Sprint(got[:3]) != "[1 2 3]" {
		t.Errorf("numbers up to 100 are %v", got)
	}
	for _, n := range got[3:] {
		if n < 4 || n > 100 {
			t.Errorf("%d was drawn", n)
		}
	}
}
