//go:build race

package schedule

// slowdown is by how much less is simulated with the race detector, which looks
// for something else.
const slowdown = 20
