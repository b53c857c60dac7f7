package dbgen

import (
	"runtime"
	"sync"
	"sync/atomic"
)

// The comment text is 300 MiB long. It is kept as tokens of one byte, each
// standing for a word with the space (or comma and space) before it, in blocks
// that cover blockSize bytes of text each and are made when first read. Where
// in the random stream a block begins is known in advance (textStarts).
const (
	textSize   = 300 << 20
	blockBits  = 18
	blockSize  = 1 << blockBits
	numBlocks  = textSize / blockSize
	textSeed   = 933588178
	maxComment = 198 // the longest comment, of partsupp

	// Every markSize bytes of text, a block notes which token is there.
	markBits = 6
	markSize = 1 << markBits
	numMarks = blockSize / markSize
)

// textBlock holds the tokens that cover the text positions i·blockSize …
// (i+1)·blockSize + maxComment, so that a comment that begins in a block also
// ends in it. It is immutable.
type textBlock struct {
	// marks has, for each markSize bytes, the position of the token that
	// holds the first of them (low 16 bits) and how many bytes of that
	// token come before it (high 16 bits).
	marks  [numMarks]uint32
	tokens []uint8
}

// Text is the random text that comments are cut from (clause 4.2.2.14). It
// grows as it is read, to about 70 MB; share one between all generators of a
// process. All methods may be called from any number of goroutines.
type Text struct {
	lexicon *lexicon
	used    atomic.Bool
	blocks  [numBlocks]atomic.Pointer[textBlock]
}

// NewText returns an empty text; its parts are made when first read.
func NewText() *Text { return &Text{lexicon: newLexicon()} }

// Resident returns the bytes of memory held by the parts made so far.
func (t *Text) Resident() int64 {
	var n int64
	for i := range t.blocks {
		if b := t.blocks[i].Load(); b != nil {
			n += int64(len(b.marks))*4 + int64(cap(b.tokens))
		}
	}
	return n
}

// Release drops all parts and returns the bytes that the garbage collector may
// now free. Scans that run go on: they make again what they need.
func (t *Text) Release() int64 {
	freed := t.Resident()
	for i := range t.blocks {
		t.blocks[i].Store(nil)
	}
	return freed
}

// Sweep calls Release if no comment has been read since the last Sweep, and
// returns the bytes freed. Called every so often (30 s, say) by the owner of a
// Text, it keeps an idle process small.
func (t *Text) Sweep() int64 {
	if t.used.Swap(false) {
		return 0
	}
	return t.Release()
}

// Prefill makes all missing parts with the given number of goroutines (all
// processors if 0 or less), and returns when done. It is never needed, but a
// single scan of many comments makes the parts on one processor only: some
// 0.4 s in all.
func (t *Text) Prefill(workers int) {
	if workers <= 0 {
		workers = runtime.GOMAXPROCS(0)
	}
	var next atomic.Int64
	var wg sync.WaitGroup
	for range workers {
		wg.Go(func() {
			for i := next.Add(1) - 1; i < numBlocks; i = next.Add(1) - 1 {
				t.block(int(i))
			}
		})
	}
	wg.Wait()
	t.used.Store(true)
}

// block returns block i, making it if need be. Two goroutines that miss the
// same block at the same time both make it, which costs less than a lock.
func (t *Text) block(i int) *textBlock {
	if b := t.blocks[i].Load(); b != nil {
		return b
	}
	b := t.lexicon.block(i)
	t.blocks[i].Store(b)
	return b
}

// span is a comment: length in the low 8 bits, position in the text above.
type span uint64

func makeSpan(pos, length int64) span { return span(pos<<8 | length) }

func (s span) length() int { return int(s & 0xff) }
func (s span) pos() int    { return int(s >> 8) }

// spanReader copies comments out of a text, a batch at a time.
type spanReader struct {
	text    *Text
	spans   []span
	first   []uint32 // the mark before each span
	touched uint8
}

// resize readies the reader for n spans, which the caller then sets.
func (r *spanReader) resize(n int) {
	r.spans, r.first = sized(r.spans, n), sized(r.first, n)
}

// copyTo writes the comments, of up to size bytes each, to v, one a row.
//
// A comment is a random read, twice over (mark, then token), into more memory
// than caches hold. So all rows' reads are started by two short loops, in which
// the processor can keep many of them under way, before the words are copied.
func (r *spanReader) copyTo(v *Vector, size int) {
	t := r.text
	t.used.Store(true)
	for i, s := range r.spans {
		r.first[i] = t.block(s.pos() >> blockBits).marks[s.pos()%blockSize/markSize]
	}
	for i, s := range r.spans {
		r.touched |= t.block(s.pos() >> blockBits).tokens[r.first[i]&0xffff]
	}
	at, dst := 0, v.beginText(len(r.spans), size)
	offsets := v.Offsets[1:]
	for i, s := range r.spans {
		skip := s.pos()%markSize + int(r.first[i]>>16)
		tokens := t.block(s.pos() >> blockBits).tokens[r.first[i]&0xffff:]
		t.lexicon.expand(dst[at:], tokens, skip, s.length())
		at += s.length()
		offsets[i] = int32(at)
	}
	v.Bytes = dst[:at]
}

// wordSlot is the room for a token's text, a power of two so that a token's
// place is a shift away; copying all of it is two instructions.
const wordSlot = 32

// lexicon is the comment grammar compiled for making and reading tokens.
type lexicon struct {
	// text has the token's bytes at token·wordSlot; one more slot lets a
	// copy that starts within the last word run over.
	text    [257 * wordSlot]byte
	lengths [256]uint8

	noun, verb, adverb, adjective, comma, auxiliary, preposition, terminator choice
	sentence, nounPhrase, verbPhrase                                         forms
}

// choice is a distribution of tokens: one entry for each unit of weight.
type choice struct {
	tokens []uint8
	n      float64
}

// forms is a distribution of sequences of parts of speech.
type forms struct {
	parts []string
	n     float64
}

func newLexicon() *lexicon {
	x := &lexicon{}
	next := 0
	add := func(words []weighted, before, after string) choice {
		var c choice
		for _, w := range words {
			n := copy(x.text[next*wordSlot:], before+w.word+after)
			x.lengths[next] = uint8(n)
			for range w.weight {
				c.tokens = append(c.tokens, uint8(next))
			}
			next++
		}
		c.n = float64(len(c.tokens))
		return c
	}
	x.noun, x.verb, x.adverb = add(nouns, " ", ""), add(verbs, " ", ""), add(adverbs, " ", "")
	x.adjective, x.comma = add(adjectives, " ", ""), add(adjectives, ", ", "")
	x.auxiliary, x.preposition = add(auxiliaries, " ", ""), add(prepositions, " ", " the")
	x.terminator = add(terminators, "", "")
	x.sentence, x.nounPhrase, x.verbPhrase = newForms(sentences), newForms(nounPhrases), newForms(verbPhrases)
	return x
}

func newForms(sequences []weighted) forms {
	var f forms
	for _, s := range sequences {
		for range s.weight {
			f.parts = append(f.parts, s.word)
		}
	}
	f.n = float64(len(f.parts))
	return f
}

// expand writes length bytes of the text of tokens to dst, leaving out the
// first skip bytes. It may write up to wordSlot bytes more.
func (x *lexicon) expand(dst []byte, tokens []uint8, skip, length int) {
	i := 0
	for n := int(x.lengths[tokens[0]]); skip >= n; n = int(x.lengths[tokens[i]]) {
		skip -= n
		i++
	}
	for at := 0; at < length; i++ {
		token := int(tokens[i])
		from := token*wordSlot + skip
		*(*[wordSlot]byte)(dst[at:]) = *(*[wordSlot]byte)(x.text[from:])
		at += int(x.lengths[token]) - skip
		skip = 0
	}
}

// block makes block i from the sentence that its first byte is in.
func (x *lexicon) block(i int) *textBlock {
	start := textStarts[i]
	w := writer{lexicon: x, state: start >> 16, at: -int(start & 0xffff)}
	for w.at < blockSize+maxComment {
		w.sentence()
	}
	b := &textBlock{tokens: append([]uint8(nil), w.tokens[:w.n]...)}
	x.mark(b, -int(start&0xffff))
	return b
}

// mark fills b.marks, given the position in the block of the first token.
func (x *lexicon) mark(b *textBlock, at int) {
	next := 0
	for i, token := range b.tokens {
		end := at + int(x.lengths[token])
		for ; next < numMarks && next*markSize < end; next++ {
			b.marks[next] = uint32(i) | uint32(next*markSize-at)<<16
		}
		at = end
	}
}

// writer makes sentences.
type writer struct {
	*lexicon
	state  uint64 // of the random stream
	at     int    // position of the next token in the text
	n      int    // number of tokens
	tokens [1 << 16]uint8
}

func (w *writer) draw(n float64) int64 {
	w.state = mulmod(w.state, multiplier)
	return pick(w.state, n)
}

func (w *writer) word(c *choice) {
	token := c.tokens[w.draw(c.n)]
	w.tokens[w.n] = token
	w.n++
	w.at += int(w.lengths[token])
}

func (w *writer) sentence() {
	form := w.lexicon.sentence.parts[w.draw(w.lexicon.sentence.n)]
	for i := range len(form) {
		switch form[i] {
		case 'N':
			w.nounPhrase()
		case 'V':
			w.verbPhrase()
		case 'P':
			w.word(&w.preposition)
			w.nounPhrase()
		case 'T':
			w.word(&w.terminator)
		}
	}
}

func (w *writer) nounPhrase() {
	form := w.lexicon.nounPhrase.parts[w.draw(w.lexicon.nounPhrase.n)]
	for i := range len(form) {
		switch form[i] {
		case 'N':
			w.word(&w.noun)
		case 'J':
			w.word(&w.adjective)
		case 'K':
			w.word(&w.comma)
		case 'D':
			w.word(&w.adverb)
		}
	}
}

func (w *writer) verbPhrase() {
	form := w.lexicon.verbPhrase.parts[w.draw(w.lexicon.verbPhrase.n)]
	for i := range len(form) {
		switch form[i] {
		case 'V':
			w.word(&w.verb)
		case 'D':
			w.word(&w.adverb)
		case 'X':
			w.word(&w.auxiliary)
		}
	}
}
