package objstore

import (
	"context"
	"errors"
	"iter"
	"strings"

	"github.com/bmatcuk/doublestar/v4"
)

// metaChars are the characters that begin something special in a pattern.
const metaChars = `*?[{\`

// HasMeta reports whether a path holds wildcards.
func HasMeta(path string) bool { return strings.ContainsAny(path, metaChars) }

// literalLen returns the length of the part of a pattern without wildcards.
func literalLen(pattern string) int {
	if i := strings.IndexAny(pattern, metaChars); i >= 0 {
		return i
	}
	return len(pattern)
}

// Glob yields the objects of b whose keys match pattern, in ascending order
// of keys. In a pattern, * and ? stand for characters other than "/", ** for
// any number of whole folders, [a-z] for one character, {a,b} for either, and
// a backslash takes away the meaning of the next character.
//
// Only keys with the pattern's literal beginning are listed, and nothing below
// the last folder when the pattern does not reach there. A pattern without
// wildcards is one object, or everything below it if it ends in "/" or is
// empty. An object that is not there is no error: nothing is yielded.
func Glob(ctx context.Context, b Bucket, pattern string) iter.Seq2[ObjectInfo, error] {
	return func(yield func(ObjectInfo, error) bool) {
		if !HasMeta(pattern) && pattern != "" && !strings.HasSuffix(pattern, "/") {
			yieldOne(ctx, b, pattern, yield)
			return
		}
		if !doublestar.ValidatePattern(pattern) {
			yield(ObjectInfo{}, fail(ErrInvalid, nameOf(b.URL(), pattern), nil, "not a valid pattern: a bracket or brace is not closed"))
			return
		}
		prefix := pattern[:literalLen(pattern)]
		rest := pattern[len(prefix):]
		opts := ListOptions{Prefix: prefix, Flat: rest != "" && !crossesFolders(rest)}
		for page, err := range b.List(ctx, opts) {
			if err != nil {
				yield(ObjectInfo{}, err)
				return
			}
			if !yieldMatches(page.Objects, pattern, rest, yield) {
				return
			}
		}
	}
}

// yieldOne yields the object under key, if there is one.
func yieldOne(ctx context.Context, b Bucket, key string, yield func(ObjectInfo, error) bool) {
	info, err := b.Stat(ctx, key)
	if errors.Is(err, ErrNotFound) {
		return
	}
	yield(info, err)
}

// yieldMatches yields the objects that match; all do when rest is empty.
func yieldMatches(objects []ObjectInfo, pattern, rest string, yield func(ObjectInfo, error) bool) bool {
	for _, o := range objects {
		if rest != "" && !doublestar.MatchUnvalidated(pattern, o.Key) {
			continue
		}
		if !yield(o, nil) {
			return false
		}
	}
	return true
}

// crossesFolders reports whether what follows the literal beginning of a
// pattern can match a "/".
func crossesFolders(rest string) bool {
	return strings.ContainsAny(rest, "/") || strings.Contains(rest, "**")
}

// Match reports whether key matches a pattern of the kind that Glob takes. A
// pattern that is not valid matches nothing.
func Match(pattern, key string) bool {
	ok, err := doublestar.Match(pattern, key)
	return ok && err == nil
}
