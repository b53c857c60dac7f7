package analyzer

// nearness finds the name that comes nearest to one that does not exist.
type nearness struct {
	name     string
	best     string
	distance int
}

func nearest(name string) *nearness {
	// A third of the letters may be wrong: "nmae" suggests "name", and "id"
	// suggests nothing but "i" and "d".
	return &nearness{name: name, distance: max(1, len(name)/3) + 1}
}

// offer considers a name that exists. Of equally near ones the first wins.
func (n *nearness) offer(name string) {
	if d := editDistance(n.name, name); d < n.distance && d < len(n.name) {
		n.best, n.distance = name, d
	}
}

// DidYouMean returns "; did you mean '…'?" for the known name that comes
// nearest to one that does not exist, or nothing.
func DidYouMean(name string, known []string) string {
	near := nearest(name)
	for _, k := range known {
		near.offer(k)
	}
	return didYouMean(near.best)
}

// didYouMean is the text added to Trino's message, which stays its beginning.
func didYouMean(name string) string {
	if name == "" {
		return ""
	}
	return "; did you mean '" + name + "'?"
}

// editDistance is the optimal string alignment distance: insertions,
// deletions, substitutions and swaps of neighbors count one each.
func editDistance(a, b string) int {
	before, prev, cur := make([]int, len(b)+1), make([]int, len(b)+1), make([]int, len(b)+1)
	for j := range prev {
		prev[j] = j
	}
	for i := 1; i <= len(a); i++ {
		cur[0] = i
		for j := 1; j <= len(b); j++ {
			cost := 1
			if a[i-1] == b[j-1] {
				cost = 0
			}
			cur[j] = min(prev[j]+1, cur[j-1]+1, prev[j-1]+cost)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				cur[j] = min(cur[j], before[j-2]+1)
			}
		}
		before, prev, cur = prev, cur, before
	}
	return prev[len(b)]
}
