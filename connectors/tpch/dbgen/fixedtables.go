package dbgen

// regionFiller makes region (clause 4.2.3).
type regionFiller struct {
	*rows
	comment commentStream
}

// regionComment is the average length of comments in region and nation.
const regionComment = 72

func newRegionFiller(r *rows) filler {
	return &regionFiller{r, newCommentStream(r.g.text, 1500869201, regionComment, 1, r.next)}
}

func (f *regionFiller) fill(b *Batch, maxRows int) (int, int) {
	n := f.left(maxRows)
	if v := f.out(b, RRegionKey); v != nil {
		fillRange(v.int64s(n), f.next)
	}
	if v := f.out(b, RName); v != nil {
		fillRow(v.codes(n), f.next)
	}
	if v := f.out(b, RComment); v != nil {
		f.comment.fill(v, n, 1)
	}
	return n, n
}

// fillRow writes the row's number as its code.
func fillRow(dst []uint8, first int64) {
	for i := range dst {
		dst[i] = uint8(first) + uint8(i)
	}
}

// nationFiller makes nation (clause 4.2.3).
type nationFiller struct {
	*rows
	comment commentStream
}

func newNationFiller(r *rows) filler {
	return &nationFiller{r, newCommentStream(r.g.text, 606179079, regionComment, 1, r.next)}
}

func (f *nationFiller) fill(b *Batch, maxRows int) (int, int) {
	n := f.left(maxRows)
	if v := f.out(b, NNationKey); v != nil {
		fillRange(v.int64s(n), f.next)
	}
	if v := f.out(b, NName); v != nil {
		fillRow(v.codes(n), f.next)
	}
	if v := f.out(b, NRegionKey); v != nil {
		copy(v.int64s(n), nationRegions[f.next:])
	}
	if v := f.out(b, NComment); v != nil {
		f.comment.fill(v, n, 1)
	}
	return n, n
}
