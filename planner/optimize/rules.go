package optimize

// rules returns all rules in the order in which they run: first what makes
// expressions plain and moves conditions down, since everything else looks at
// them; then joins, once each leaf has its conditions and so its size; then
// what depends on the shape that the joins have found. Conditions are pushed
// again after subqueries have become plain joins, through which they pass.
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
		{"group early", (*Optimizer).groupEarly},
		{"choose sides", (*Optimizer).chooseSides},
		{"merge projections", (*Optimizer).mergeProjects},
		{"simplify expressions", (*Optimizer).simplifyExpressions},
		{"prune columns", (*Optimizer).pruneColumns},
		{"push limits", (*Optimizer).pushLimits},
		{"hand predicates to connectors", (*Optimizer).enforcePredicates},
		{"prune columns", (*Optimizer).pruneColumns},
		{"place dynamic filters", (*Optimizer).dynamicFilters},
		{"drop group keys", (*Optimizer).dropGroupKeys},
		{"merge projections", (*Optimizer).mergeProjects},
		{"prune columns", (*Optimizer).pruneColumns},
		{"share subplans", (*Optimizer).shareSubplans},
		{"note estimates", (*Optimizer).noteEstimates},
	}
}
