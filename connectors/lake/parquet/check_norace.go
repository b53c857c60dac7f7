//go:build !race

package parquet

// checkPointers says that casts of unaligned memory are checked.
const checkPointers = false
