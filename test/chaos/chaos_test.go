package chaos

import (
	"context"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

// shortSeed is what the short form draws from, so that it is the same each
// time.
const shortSeed = 4

// campaign runs faults against a cluster of its own and fails the test for
// every violation.
func campaign(t *testing.T, cfg WorldConfig, clients int, plan func(*rand.Rand) []Fault) []*Record {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	dir, err := os.MkdirTemp("", "tutti-chaos-")
	if err != nil {
		t.Fatal(err)
	}
	cfg.Dir = dir
	w, err := NewWorld(ctx, cfg)
	defer func() {
		if err := w.Close(!t.Failed()); err != nil {
			t.Error(err)
		}
	}()
	if err != nil {
		t.Fatal(err)
	}
	mix, err := mixOf(ctx, w.Cluster.URL, clients < 3)
	if os.Getenv("CHAOS_LARGE") != "" && err == nil {
		mix, err = largeOnly(ctx, w.Cluster.URL)
		w.Large = true
	}
	if err != nil {
		t.Fatal(err)
	}
	for _, q := range mix.queries { // right before anything is broken; what stays after a first time is there
		if err := Ask(ctx, w.Cluster.URL, q, Bound); err != nil {
			t.Fatalf("%s, undisturbed: %v", q.Name, err)
		}
	}
	began := time.Now()
	c := &Campaign{
		World: w, Load: StartLoad(ctx, w.Cluster.URL, clients, cfg.Seed, Bound, mix.Next), Plan: plan,
		Rng: rand.New(rand.NewPCG(cfg.Seed, 1)), Say: t.Logf,
	}
	t.Logf("seed %d", cfg.Seed)
	records, err := c.Run(ctx)
	if err != nil {
		t.Error(err)
	}
	c.Load.Pause() // a query whose client is gone would hold up the end
	outcomes := c.Load.Stop()
	for _, r := range records {
		if len(r.Violations) > 0 {
			t.Errorf("seed %d: %s: %d violations", cfg.Seed, r.Name(), len(r.Violations))
		}
	}
	t.Logf("%d queries and %d strikes in %s, seed %d\n%s", len(outcomes), len(records), time.Since(began).Round(time.Second), cfg.Seed, Table(records))
	return records
}

// TestShort lets each of a few faults strike once.
func TestShort(t *testing.T) {
	if os.Getenv("CHAOS") != "" {
		t.Log("the long form is asked for")
		return
	}
	left := slices.DeleteFunc(Faults(), func(f Fault) bool { return !f.Short })
	campaign(t, WorldConfig{Workers: 3, Seed: shortSeed}, 2, func(rng *rand.Rand) []Fault {
		if len(left) == 0 {
			return nil
		}
		f := left[0]
		f.Hold[1] = min(f.Hold[1], f.Hold[0]+time.Second)
		left = left[1:]
		return []Fault{f}
	})
}

// TestLong is the long form: all faults, one at a time and two at a time, for
// as long as CHAOS says.
func TestLong(t *testing.T) {
	text := os.Getenv("CHAOS")
	if text == "" {
		t.Log("asked for by CHAOS=10m")
		return
	}
	length, err := time.ParseDuration(text)
	if err != nil {
		t.Fatal(err)
	}
	seed := uint64(time.Now().UnixNano())
	if s := os.Getenv("CHAOS_SEED"); s != "" {
		if seed, err = strconv.ParseUint(s, 10, 64); err != nil {
			t.Fatal(err)
		}
	}
	faults := Faults()
	if only := os.Getenv("CHAOS_FAULTS"); only != "" {
		names := strings.Split(only, ",")
		faults = slices.DeleteFunc(faults, func(f Fault) bool { return !slices.Contains(names, f.Name) })
	}
	if len(faults) == 0 {
		t.Fatal("no such faults")
	}
	disks := slices.ContainsFunc(faults, func(f Fault) bool { return f.Mounts })
	clocks := slices.ContainsFunc(faults, func(f Fault) bool { return f.Clocks })
	end := time.Time{}
	var order []Fault
	campaign(t, WorldConfig{Workers: 4, Seed: seed, Disks: disks, Clocks: clocks}, 3, func(rng *rand.Rand) []Fault {
		if end.IsZero() {
			end = time.Now().Add(length)
		}
		if time.Now().After(end) {
			return nil
		}
		if len(order) == 0 { // each before any strikes again
			order = slices.Clone(faults)
			rng.Shuffle(len(order), func(i, j int) { order[i], order[j] = order[j], order[i] })
		}
		draw := []Fault{order[0]}
		order = order[1:]
		if rng.IntN(4) == 0 {
			if other := faults[rng.IntN(len(faults))]; other.Name != draw[0].Name && !(other.Store && draw[0].Store) && !other.Alone && !draw[0].Alone {
				draw = append(draw, other)
			}
		}
		return draw
	})
}
