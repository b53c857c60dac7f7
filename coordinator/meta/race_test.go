//go:build race

package meta

// raced is set when the race detector watches, which makes all slower.
const raced = true
