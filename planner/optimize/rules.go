package optimize

// rules returns all rules in the order in which they run.
func rules() []Rule {
	return []Rule{
		{"simplify expressions", (*Optimizer).simplifyExpressions},
		{"push predicates", (*Optimizer).pushPredicates},
		{"simplify existence", (*Optimizer).simplifyExistence},
		{"simplify expressions", (*Optimizer).simplifyExpressions},
		{"push predicates", (*Optimizer).pushPredicates},
		{"drop what is empty", (*Optimizer).dropEmpty},
		{"drop what is redundant", (*Optimizer).dropRedundant},
		{"merge projections", (*Optimizer).mergeProjects},
		{"prune columns", (*Optimizer).pruneColumns},
		{"reorder joins", (*Optimizer).reorderJoins},
		{"turn semi joins around", (*Optimizer).turnExistence},
		{"choose sides", (*Optimizer).chooseSides},
		{"merge projections", (*Optimizer).mergeProjects},
		{"prune columns", (*Optimizer).pruneColumns},
		{"push limits", (*Optimizer).pushLimits},
		{"hand predicates to connectors", (*Optimizer).enforcePredicates},
		{"prune columns", (*Optimizer).pruneColumns},
		{"place dynamic filters", (*Optimizer).dynamicFilters},
		{"note estimates", (*Optimizer).noteEstimates},
	}
}
