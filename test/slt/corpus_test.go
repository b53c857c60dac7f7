package slt

import "testing"

// TestCorpus runs the corpus against a server: see ServerURL.
func TestCorpus(t *testing.T) {
	url := ServerURL(t)
	open := func() (Executor, error) { return NewSession(url, "tpch", "tiny") }
	RunCorpus(t, Corpus(), open, Options{})
}
