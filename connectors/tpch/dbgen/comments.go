package dbgen

// Shares of the average length that comments and addresses keep to.
const (
	shortest = 0.4
	longest  = 1.6
)

// commentStream draws comments: two numbers each, position and length.
type commentStream struct {
	stream
	reader    spanReader
	low, high int64
	lengths   float64 // number of lengths
	positions float64 // number of positions
}

// newCommentStream returns the stream of comments with the given average
// length, perUnit of them in a unit.
func newCommentStream(text *Text, seed uint64, average float64, perUnit, from int64) commentStream {
	low, high := int64(average*shortest), int64(average*longest)
	return commentStream{
		stream:    newStream(seed, 2*perUnit, from),
		reader:    spanReader{text: text},
		low:       low,
		high:      high,
		lengths:   float64(high - low + 1),
		positions: float64(textSize - high + 1),
	}
}

// span returns the comment whose position is drawn by state.
func (c *commentStream) span(state uint64) span {
	pos := pick(state, c.positions)
	length := c.low + pick(mulmod(state, multiplier), c.lengths)
	// The text of a token begins with the space that the text proper
	// lacks before its first word: hence the 1.
	return makeSpan(pos+1, length)
}

// fill writes the comments of n units, perUnit each.
func (c *commentStream) fill(v *Vector, n, perUnit int) {
	c.reader.resize(n * perUnit)
	spans := c.reader.spans
	for i := 0; i < len(spans); i += perUnit {
		state := c.state
		for j := range perUnit {
			spans[i+j] = c.span(state)
			state = mulmod(state, multiplier*multiplier)
		}
		c.state = mulmod(c.state, c.jump)
	}
	c.reader.copyTo(v, int(c.high))
}

// fillLines writes the comments of all lines. Each draws two numbers, and so
// does each line that an order lacks: hence the squares.
func (c *commentStream) fillLines(v *Vector, l *layout) {
	c.reader.resize(l.rows)
	for i, jump := range l.jump {
		c.reader.spans[i] = c.span(c.state)
		c.state = mulmod(c.state, mulmod(uint64(jump), uint64(jump)))
	}
	c.reader.copyTo(v, int(c.high))
}
