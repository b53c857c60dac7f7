package op

// walkStage says which candidates a walk goes through.
type walkStage uint8

const (
	walkDone   walkStage = iota
	walkChains           // each row's chain of build rows
	walkCross            // each row with every build row of a list
)

// walk spells out the candidates of an input batch as pairs of a probe row and
// a build row, as many at a time as asked for.
type walk struct {
	stage walkStage
	rows  []int32 // probe rows
	at    int     // the row of rows that is next

	heads []int32 // chains: the first build row of each row
	next  []int32 // chains: each row's successor, from 1, 0 for none; nil: no chain has two
	cur   int32   // chains: the build row that is next for rows[at], from 1; 0: heads[at]

	list  []int32 // cross: build rows; nil: all of them
	count int     // cross: how many
	col   int     // cross: the one that is next for rows[at]
}

func (w *walk) chains(rows, heads, next []int32) {
	*w = walk{stage: walkChains, rows: rows, heads: heads, next: next}
}

func (w *walk) cross(rows, list []int32, count int) {
	*w = walk{stage: walkCross, rows: rows, list: list, count: count}
}

// single reports whether every row has at most one candidate.
func (w *walk) single() bool {
	return w.stage == walkChains && w.next == nil || w.stage == walkCross && w.count == 1 && w.list == nil
}

// fill writes the next pairs and returns how many, 0 at the end. Rows that
// hits, if not nil, knows to match are passed over.
func (w *walk) fill(pr, br []int32, hits []uint8) int {
	switch {
	case w.stage == walkCross:
		return w.fillCross(pr, br, hits)
	case w.next == nil:
		n := copy(pr, w.rows[w.at:])
		copy(br, w.heads[w.at:])
		w.at += n
		return n
	}
	return w.fillChains(pr, br, hits)
}

func (w *walk) fillChains(pr, br []int32, hits []uint8) int {
	n := 0
	for ; w.at < len(w.rows); w.at++ {
		r := w.rows[w.at]
		row := w.cur
		if row == 0 {
			row = w.heads[w.at] + 1
		}
		if hits != nil && hits[r] == match {
			row = 0
		}
		for ; row != 0; row = w.next[row-1] {
			if n == len(pr) {
				w.cur = row
				return n
			}
			pr[n], br[n] = r, row-1
			n++
		}
		w.cur = 0
	}
	return n
}

func (w *walk) fillCross(pr, br []int32, hits []uint8) int {
	n := 0
	for ; w.at < len(w.rows); w.at++ {
		r := w.rows[w.at]
		if hits != nil && hits[r] == match {
			w.col = w.count
		}
		m := min(len(pr)-n, w.count-w.col)
		for i := range m {
			pr[n+i] = r
			br[n+i] = int32(w.col + i)
		}
		if w.list != nil {
			copy(br[n:n+m], w.list[w.col:])
		}
		n += m
		if w.col += m; w.col < w.count {
			return n
		}
		w.col = 0
	}
	return n
}
