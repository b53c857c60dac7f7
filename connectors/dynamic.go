package connectors

// DynamicFilter is what the build side of a join says about the values that
// its probe side can match: complete, immutable, and built from committed
// build tasks only. Null never matches. A row may be dropped if any part
// excludes its value; the parts are independent.
type DynamicFilter struct {
	// Empty says that nothing can match.
	Empty bool
	// Min and Max bound the values, inclusive, in the Go form of expr.Const;
	// nil if not known.
	Min, Max any
	// Values are all the values, sorted, when there are few; else nil.
	Values []any
	// Bloom is a split-block bloom filter over kernel.Hash of the value; nil if none.
	Bloom []uint64
}
