package expr

// Children returns the direct arguments of e. The caller must not change the slice.
func Children(e Expr) []Expr {
	switch e := e.(type) {
	case *Call:
		return e.Args
	case *Form:
		return e.Args
	case *Cast:
		return []Expr{e.Arg}
	}
	return nil
}

// WithChildren returns e with other arguments, as many as it has.
func WithChildren(e Expr, args []Expr) Expr {
	switch e := e.(type) {
	case *Call:
		return &Call{Fn: e.Fn, Args: args}
	case *Form:
		return &Form{Op: e.Op, Args: args, Index: e.Index, Typ: e.Typ}
	case *Cast:
		return &Cast{Arg: args[0], Typ: e.Typ, Safe: e.Safe}
	}
	return e
}

// Walk calls visit for e and, while visit returns true, for what is below it.
func Walk(e Expr, visit func(Expr) bool) {
	if !visit(e) {
		return
	}
	for _, c := range Children(e) {
		Walk(c, visit)
	}
}

// Transform rebuilds e bottom up: f is given each node with its arguments
// already transformed and returns what stands in its place. Subtrees in which
// f changes nothing are shared with e.
func Transform(e Expr, f func(Expr) Expr) Expr {
	args := Children(e)
	var changed []Expr
	for i, a := range args {
		b := Transform(a, f)
		if b != a && changed == nil {
			changed = append(changed, args...)
		}
		if changed != nil {
			changed[i] = b
		}
	}
	if changed != nil {
		e = WithChildren(e, changed)
	}
	return f(e)
}

// Substitute replaces columns by expressions; columns not in m stay.
func Substitute(e Expr, m map[ColumnID]Expr) Expr {
	return Transform(e, func(e Expr) Expr {
		if c, ok := e.(*Column); ok {
			if r, ok := m[c.ID]; ok {
				return r
			}
		}
		return e
	})
}

// Columns calls add for each column reference within e, repeats included.
func Columns(e Expr, add func(*Column)) {
	Walk(e, func(e Expr) bool {
		if c, ok := e.(*Column); ok {
			add(c)
		}
		return true
	})
}

// Conjuncts splits nested ANDs into their parts. A nil e has none.
func Conjuncts(e Expr) []Expr {
	if e == nil {
		return nil
	}
	return Flatten(nil, e, And)
}

// Flatten adds the parts of nested forms of one operator, AND or OR, to a list;
// anything else is one part. It takes time in proportion to the parts, however
// they are nested.
func Flatten(list []Expr, e Expr, op Op) []Expr {
	f, ok := e.(*Form)
	if !ok || f.Op != op {
		return append(list, e)
	}
	for _, a := range f.Args {
		list = Flatten(list, a, op)
	}
	return list
}
