package plan

// Lines returns what Format prints below a node's own line: assignments,
// aggregates, rows, filters.
func Lines(n Node) []string { return nodeLines(n) }
