//go:build !race

package meta

const raced = false
