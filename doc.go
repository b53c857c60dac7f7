// Package tutti is the root of the Tutti module. It has no code: the root
// holds the test that keeps the packages' imports in order (deps_test.go).
// Start reading at ARCHITECTURE.md, or at cmd/tutti.
package tutti
