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
