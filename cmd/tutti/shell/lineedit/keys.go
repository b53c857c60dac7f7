package lineedit

import (
	"bufio"
	"strings"
)

// keyCode is what a key means.
type keyCode uint8

const (
	keyNone  keyCode = iota
	keyRune          // a character: key.r
	keyPaste         // pasted text: key.text
	keyEnter
	keyNewline
	keyTab
	keyEscape
	keyInterrupt
	keyEOF
	keySearch
	keyAbort
	keyClear
	keyLeft
	keyRight
	keyUp
	keyDown
	keyHome
	keyEnd
	keyWordLeft
	keyWordRight
	keyPrevious
	keyNext
	keyBackspace
	keyDelete
	keyKillEnd
	keyKillStart
	keyKillWordLeft
	keyKillWordRight
	keyYank
	keyTranspose
)

type key struct {
	code keyCode
	r    rune
	text string
}

// Bracketed paste: the terminal marks pasted text, so that line ends in it do
// not end the input.
const (
	pasteOn  = "\x1b[?2004h"
	pasteOff = "\x1b[?2004l"
	pasteEnd = "\x1b[201~"
)

var controls = map[rune]keyCode{
	1: keyHome, 2: keyLeft, 3: keyInterrupt, 4: keyEOF, 5: keyEnd, 6: keyRight, 7: keyAbort, 8: keyBackspace, 9: keyTab, 10: keyEnter,
	11: keyKillEnd, 12: keyClear, 13: keyEnter, 14: keyNext, 16: keyPrevious, 18: keySearch, 20: keyTranspose, 21: keyKillStart,
	23: keyKillWordLeft, 25: keyYank, 127: keyBackspace,
}

// alts are keys pressed with Alt, or after Escape.
var alts = map[rune]keyCode{
	'b': keyWordLeft, 'f': keyWordRight, 'd': keyKillWordRight, 8: keyKillWordLeft, 127: keyKillWordLeft, '\r': keyNewline, '\n': keyNewline,
}

// sequences are keys by what follows ESC [ or ESC O. A modifier (1;5 is
// Ctrl, 1;3 is Alt) makes arrows go by words.
var sequences = map[string]keyCode{
	"A": keyUp, "B": keyDown, "C": keyRight, "D": keyLeft, "H": keyHome, "F": keyEnd, "1~": keyHome, "7~": keyHome, "4~": keyEnd, "8~": keyEnd,
	"3~": keyDelete, "1;5C": keyWordRight, "1;3C": keyWordRight, "1;5D": keyWordLeft, "1;3D": keyWordLeft, "3;5~": keyKillWordRight, "3;3~": keyKillWordRight,
	"13;2u": keyNewline, "27;2;13~": keyNewline,
}

// readKey reads the next key. Unknown sequences are read to their end and
// come as keyNone. Escape begins a sequence, or means Alt with the next key,
// however late that comes: slow links cut sequences apart. Only where the
// caller has a use for a single Escape (lone) is one with nothing behind it a
// key of its own.
func readKey(in *bufio.Reader, lone bool) (key, error) {
	r, _, err := in.ReadRune()
	if err != nil {
		return key{}, err
	}
	switch {
	case r != 0x1b && (r >= ' ' && r != 127):
		return key{code: keyRune, r: r}, nil
	case r != 0x1b:
		return key{code: controls[r]}, nil
	case lone && in.Buffered() == 0:
		return key{code: keyEscape}, nil
	}
	if r, _, err = in.ReadRune(); err != nil {
		return key{}, err
	}
	if r != '[' && r != 'O' {
		return key{code: alts[r]}, nil
	}
	return readSequence(in)
}

// readSequence reads the rest of a control sequence of ECMA-48: parameters,
// then one final byte.
func readSequence(in *bufio.Reader) (key, error) {
	var s strings.Builder
	for {
		c, err := in.ReadByte()
		if err != nil {
			return key{}, err
		}
		s.WriteByte(c)
		if c >= 0x40 && c <= 0x7e {
			break
		}
		if s.Len() > 32 {
			return key{}, nil // not a sequence
		}
	}
	if s.String() == "200~" {
		return readPaste(in)
	}
	return key{code: sequences[s.String()]}, nil
}

// readPaste reads pasted text up to its end mark. Line ends become \n, and
// other control characters but tabs are dropped.
func readPaste(in *bufio.Reader) (key, error) {
	var s strings.Builder
	for !strings.HasSuffix(s.String(), pasteEnd) {
		part, err := in.ReadString(pasteEnd[len(pasteEnd)-1])
		s.WriteString(part)
		if err != nil {
			return key{}, err
		}
	}
	text := strings.NewReplacer("\r\n", "\n", "\r", "\n").Replace(strings.TrimSuffix(s.String(), pasteEnd))
	text = strings.Map(func(r rune) rune {
		if (r < ' ' && r != '\n' && r != '\t') || r == 127 {
			return -1
		}
		return r
	}, text)
	return key{code: keyPaste, text: text}, nil
}
