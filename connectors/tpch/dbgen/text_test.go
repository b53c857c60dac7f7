package dbgen

import (
	"bytes"
	"flag"
	"fmt"
	"go/format"
	"os"
	"strings"
	"sync"
	"testing"
)

var update = flag.Bool("update", false, "rewrite textstarts.go")

// sentenceText makes the comment text the plain way, sentence by sentence, and
// calls visit before each with its position and the state of the stream.
func sentenceText(limit int, visit func(at int, state uint64)) []byte {
	var text []byte
	state := uint64(textSeed)
	next := func(words []weighted) string {
		total := 0
		for _, w := range words {
			total += w.weight
		}
		state = state * 16807 % 2147483647
		n := int(float64(state) / 2147483647 * float64(total))
		for _, w := range words {
			if n -= w.weight; n < 0 {
				return w.word
			}
		}
		return ""
	}
	phrase := func(words ...string) { text = append(text, strings.Join(words, " ")+" "...) }
	noun := func() {
		switch next(nounPhrases) {
		case "N":
			phrase(next(nouns))
		case "JN":
			phrase(next(adjectives), next(nouns))
		case "JKN":
			phrase(next(adjectives)+",", next(adjectives), next(nouns))
		case "DJN":
			phrase(next(adverbs), next(adjectives), next(nouns))
		}
	}
	verb := func() {
		switch next(verbPhrases) {
		case "V":
			phrase(next(verbs))
		case "XV":
			phrase(next(auxiliaries), next(verbs))
		case "VD":
			phrase(next(verbs), next(adverbs))
		case "XVD":
			phrase(next(auxiliaries), next(verbs), next(adverbs))
		}
	}
	for len(text) < limit {
		visit(len(text), state)
		for _, part := range next(sentences) {
			switch part {
			case 'N':
				noun()
			case 'V':
				verb()
			case 'P':
				phrase(next(prepositions), "the")
				noun()
			case 'T':
				text = append(text[:len(text)-1], next(terminators)+" "...)
			}
		}
	}
	return text[:limit]
}

// wholeText is the text and its block starts, made once for the tests.
var wholeText = sync.OnceValues(func() ([]byte, [numBlocks]uint64) {
	var starts [numBlocks]uint64
	last, lastState := 0, uint64(textSeed)
	block := 0
	note := func(at int, state uint64) {
		for block < numBlocks && block*blockSize < at {
			starts[block] = lastState<<16 | uint64(block*blockSize-last)
			block++
		}
		last, lastState = at, state
	}
	text := sentenceText(textSize, note)
	note(textSize, 0)
	return text, starts
})

func TestTextStarts(t *testing.T) {
	if testing.Short() && !*update {
		t.Skip("makes 300 MiB of text the plain way")
	}
	_, starts := wholeText()
	if *update {
		if err := os.WriteFile("textstarts.go", startsSource(starts), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if starts != textStarts {
		t.Error("textstarts.go is out of date: go test -run TextStarts -update")
	}
}

func startsSource(starts [numBlocks]uint64) []byte {
	var b bytes.Buffer
	b.WriteString(`package dbgen

// textStarts has, for each block of the text, the last sentence that begins at
// or before the block: the state of the random stream there (upper bits) and how
// many bytes before the block it begins (lower 16 bits). Made by
// go test -run TextStarts -update.
var textStarts = [numBlocks]uint64{
`)
	for i, s := range starts {
		fmt.Fprintf(&b, "%#x,", s)
		if i%6 == 5 {
			b.WriteByte('\n')
		}
	}
	b.WriteString("}\n")
	source, _ := format.Source(b.Bytes())
	return source
}

// read returns a part of the text as comments are read.
func read(t *Text, pos, length int) string {
	r := spanReader{text: t}
	r.resize(1)
	r.spans[0] = makeSpan(int64(pos)+1, int64(length))
	var v Vector
	r.copyTo(&v, length)
	return string(v.Text(0))
}

func TestTextAgainstPlain(t *testing.T) {
	const limit = 3*blockSize + maxComment
	plain := sentenceText(limit, func(int, uint64) {})
	text := NewText()
	for pos := 0; pos < 3*blockSize; pos += 37 {
		length := 1 + pos%maxComment
		if got, want := read(text, pos, length), string(plain[pos:pos+length]); got != want {
			t.Fatalf("%d bytes at %d: %q, want %q", length, pos, got, want)
		}
	}
	for block := 1; block <= 3; block++ { // at the edges, every position
		for pos := block*blockSize - 100; pos < min(block*blockSize+100, limit-50); pos++ {
			if got, want := read(text, pos, 50), string(plain[pos:pos+50]); got != want {
				t.Fatalf("at %d: %q, want %q", pos, got, want)
			}
		}
	}
}

func TestWholeText(t *testing.T) {
	if testing.Short() {
		t.Skip("makes 300 MiB of text the plain way")
	}
	plain, _ := wholeText()
	text := NewText()
	for pos := 0; pos < textSize; pos += maxComment {
		n := min(maxComment, textSize-pos)
		if got := read(text, pos, n); got != string(plain[pos:pos+n]) {
			t.Fatalf("at %d: %q, want %q", pos, got, plain[pos:pos+n])
		}
	}
}

func TestTextIsMadeWhenRead(t *testing.T) {
	text := NewText()
	g := mustNew(t, 1, text)
	data(t, g, LineItem, all(LineItem)[:LComment], 0, 1000, 100)
	if n := text.Resident(); n != 0 {
		t.Errorf("%d bytes of text for a scan without comments", n)
	}
	data(t, g, Region, []int{RComment}, 0, 5, 100)
	if n := text.Resident(); n == 0 || n > 5*100_000 {
		t.Errorf("%d bytes of text for five comments", n)
	}
}

func TestSweep(t *testing.T) {
	text := NewText()
	g := mustNew(t, 1, text)
	want := data(t, g, Nation, []int{NComment}, 0, 25, 100)
	held := text.Resident()
	if n := text.Sweep(); n != 0 || text.Resident() != held {
		t.Errorf("a sweep after use frees %d bytes", n)
	}
	if n := text.Sweep(); n != held || text.Resident() != 0 {
		t.Errorf("a second sweep frees %d bytes of %d", n, held)
	}
	if !equal(data(t, g, Nation, []int{NComment}, 0, 25, 100), want) {
		t.Error("text made again differs")
	}
}

func TestPrefill(t *testing.T) {
	text := NewText()
	text.Prefill(0)
	for i := range text.blocks {
		if text.blocks[i].Load() == nil {
			t.Fatalf("block %d is missing", i)
		}
	}
	if n := text.Resident(); n > 80<<20 {
		t.Errorf("the text takes %d bytes", n)
	}
	if text.Sweep() != 0 {
		t.Error("a sweep drops text just made")
	}
}
