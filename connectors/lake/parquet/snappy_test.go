package parquet

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/klauspost/compress/s2"
)

// snappyTexts are inputs that exercise short and long literals and copies,
// near and far, overlapping and not.
func snappyTexts() (out [][]byte) {
	r := rand.New(rand.NewPCG(12, 12))
	words := bytes.Fields([]byte("the quick brown fox sleeps furiously above carefully even deposits a a a aa aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"))
	for _, n := range []int{0, 1, 15, 80, 100, 1000, 70_000, 300_000} {
		text, noise := make([]byte, 0, n+64), make([]byte, n)
		for len(text) < n {
			text = append(append(text, words[r.IntN(len(words))]...), ' ')
			if r.IntN(50) == 0 {
				text = fmt.Append(text, r.Uint64(), r.Uint64(), r.Uint64(), r.Uint64())
			}
		}
		for i := range noise {
			noise[i] = byte(r.Uint32())
		}
		out = append(out, text[:n], noise, bytes.Repeat([]byte{7}, n), bytes.Repeat([]byte("abc"), n/3))
	}
	return out
}

func TestSnappy(t *testing.T) {
	for i, text := range snappyTexts() {
		for _, packed := range [][]byte{s2.EncodeSnappy(nil, text), s2.EncodeSnappyBest(nil, text)} {
			got := make([]byte, len(text), len(text)+1)
			got[:cap(got)][len(text)] = 0x5a
			if !snappyDecode(got, packed) || !bytes.Equal(got, text) {
				t.Errorf("text %d of %d bytes comes out wrong", i, len(text))
			}
			if got[:cap(got)][len(text)] != 0x5a {
				t.Errorf("text %d: wrote behind the end", i)
			}
		}
	}
}

// snappyPrices are what a dictionary of prices holds, as numbers of 8 bytes.
// Compressed with a large window they are full of offsets of four bytes.
func snappyPrices() (out []byte) {
	r := rand.New(rand.NewPCG(14, 14))
	for range 100_000 {
		out = binary.LittleEndian.AppendUint64(out, 90_000+r.Uint64N(10_000_000))
	}
	return out
}

// TestSnappyFar decodes copies with offsets of four bytes, large and small.
func TestSnappyFar(t *testing.T) {
	prices := snappyPrices()
	got := make([]byte, len(prices))
	if !snappyDecode(got, s2.EncodeSnappy(nil, prices)) || !bytes.Equal(got, prices) {
		t.Error("prices come out wrong")
	}
	want := append([]byte(nil), prices[:100]...)
	packed := append([]byte{60 << 2, 99}, prices[:100]...)
	for offset := 1; offset < 100_000; offset += 1 + offset/3 {
		for n := 1; n <= 64 && offset <= len(want); n++ {
			packed = binary.LittleEndian.AppendUint32(append(packed, byte(n-1)<<2|3), uint32(offset))
			for range n {
				want = append(want, want[len(want)-offset])
			}
		}
	}
	packed = append(binary.AppendUvarint(nil, uint64(len(want))), packed...)
	got = make([]byte, len(want))
	if !snappyDecode(got, packed) || !bytes.Equal(got, want) {
		t.Error("copies come out wrong")
	}
	for _, offset := range []uint32{0, 101, 1 << 31, 1<<32 - 1} {
		bad := append([]byte{200, 1, 60 << 2, 99}, prices[:100]...)
		bad = binary.LittleEndian.AppendUint32(append(bad, 63<<2|3), offset)
		bad = append(append(bad, 60<<2, 99), prices...)
		if snappyDecode(make([]byte, 200), bad) {
			t.Errorf("offset %d accepted", offset)
		}
	}
}

// sameAsS2 compares with the other decoder: the same verdict, the same bytes.
func sameAsS2(t *testing.T, packed []byte) {
	n, err := s2.DecodedLen(packed)
	if err != nil || n > 1<<20 {
		return
	}
	got, want := make([]byte, n), make([]byte, n)
	ok := snappyDecode(got, packed)
	_, err = s2.Decode(want, packed)
	// S2 has an extension, offset 0, that Snappy calls damage.
	if ok && (err != nil || !bytes.Equal(got, want)) {
		t.Fatalf("%x: accepted, and s2 says %v", packed, err)
	}
}

func TestSnappyDamaged(t *testing.T) {
	r := rand.New(rand.NewPCG(13, 13))
	texts := snappyTexts()
	for range 3000 {
		packed := s2.EncodeSnappy(nil, texts[r.IntN(24)])
		if len(packed) < 4 {
			continue
		}
		for range 1 + r.IntN(3) {
			packed[3+r.IntN(len(packed)-3)] = byte(r.Uint32())
		}
		sameAsS2(t, packed[:len(packed)-r.IntN(2)*r.IntN(len(packed)/2)])
	}
}

func FuzzSnappy(f *testing.F) {
	for _, text := range snappyTexts()[:16] {
		f.Add(s2.EncodeSnappy(nil, text))
	}
	f.Fuzz(sameAsS2)
}

func BenchmarkSnappy(b *testing.B) {
	b.Run("text", func(b *testing.B) { benchmarkSnappy(b, snappyTexts()[28]) })
	b.Run("prices", func(b *testing.B) { benchmarkSnappy(b, snappyPrices()) })
}

func benchmarkSnappy(b *testing.B, text []byte) {
	packed := s2.EncodeSnappy(nil, text)
	dst := make([]byte, len(text))
	b.Run("own", func(b *testing.B) {
		b.SetBytes(int64(len(text)))
		for b.Loop() {
			if !snappyDecode(dst, packed) {
				b.Fatal("damaged")
			}
		}
	})
	b.Run("s2", func(b *testing.B) {
		b.SetBytes(int64(len(text)))
		for b.Loop() {
			if _, err := s2.Decode(dst, packed); err != nil {
				b.Fatal(err)
			}
		}
	})
}
