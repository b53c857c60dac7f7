package types

// CommonSuper returns the smallest type that both coerce to, as for the
// branches of a CASE or the sides of a comparison.
func CommonSuper(a, b Type) (Type, bool) { return a, a.Equal(b) }

// CanCoerce reports whether from becomes to without being asked.
func CanCoerce(from, to Type) bool { return from.Equal(to) }

// CanCast reports whether CAST from → to exists.
func CanCast(from, to Type) bool { return from.Equal(to) }
