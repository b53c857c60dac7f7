package main

import (
	"slices"
	"testing"
	"time"
)

func TestRecorded(t *testing.T) {
	for _, c := range []struct {
		before, live []string
		since        time.Duration
		want         []string
	}{
		{nil, nil, 0, nil},
		{nil, []string{"w2", "w1"}, 0, []string{"w1", "w2"}},
		{[]string{"w1", "w2"}, nil, time.Second, []string{"w1", "w2"}}, // they are about to join
		{[]string{"w1"}, []string{"w3", "w1"}, time.Second, []string{"w1", "w3"}},
		{[]string{"w1"}, []string{"w3"}, keepRecorded, []string{"w3"}},
		{[]string{"w1"}, nil, keepRecorded, nil},
	} {
		if got := recorded(c.before, c.live, c.since); !slices.Equal(got, c.want) {
			t.Errorf("%v, %v after %s: %v, want %v", c.before, c.live, c.since, got, c.want)
		}
	}
}
