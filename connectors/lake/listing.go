package lake

import (
	"context"
	"encoding/hex"
	"errors"
	"hash/fnv"
	"iter"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/tuttidb/tutti/connectors/objstore"
	"github.com/tuttidb/tutti/internal/qerr"
	"github.com/tuttidb/tutti/sql/types"
)

// listing are the files of a table at one time. It is immutable.
type listing struct {
	// root names the bucket or folder; bucket is it.
	root   string
	bucket objstore.Bucket
	// name is what messages call the table's place.
	name  string
	id    string
	made  time.Time
	files []file
	// keys and kinds are the names and types of the partition columns.
	keys  []string
	kinds []types.Type
	bytes int64
}

// file is one file of a listing.
type file struct {
	objstore.ObjectInfo
	values []*string // of the partition columns; nil for null
}

const (
	// maxListings bounds the listings that a Lake remembers, and maxListed the
	// files in all of them. A query looks its own up within moments of planning;
	// the newest is kept whatever its size.
	maxListings = 256
	maxListed   = 1 << 18
)

// listingCache remembers recent listings by id, and by place for catalogs
// that allow stale ones. The Lake's lock guards it.
type listingCache struct {
	byID    map[string]*listing
	byPlace map[string]*listing
	order   []remembered // oldest first, each id once
	files   int
}

// remembered is a listing and the place it was last made of.
type remembered struct{ id, place string }

func (c *listingCache) add(place string, ls *listing) {
	if c.byID == nil {
		c.byID, c.byPlace = map[string]*listing{}, map[string]*listing{}
	}
	if i := slices.IndexFunc(c.order, func(r remembered) bool { return r.id == ls.id }); i >= 0 {
		c.remove(i)
	}
	c.order = append(c.order, remembered{ls.id, place})
	c.byID[ls.id], c.byPlace[place] = ls, ls
	c.files += len(ls.files)
	for len(c.order) > maxListings || c.files > maxListed && len(c.order) > 1 {
		c.remove(0)
	}
}

// remove forgets entry i.
func (c *listingCache) remove(i int) {
	r := c.order[i]
	c.order = slices.Delete(c.order, i, i+1)
	ls := c.byID[r.id]
	c.files -= len(ls.files)
	delete(c.byID, r.id)
	if c.byPlace[r.place] == ls {
		delete(c.byPlace, r.place)
	}
}

// tableListing lists the files of a table; nil if there is no such table.
func (l *Lake) tableListing(ctx context.Context, schema, table string) (*listing, error) {
	place := schema + "/" + table
	if ls := l.recent(place); ls != nil {
		return ls, nil
	}
	ls, err := l.listTable(ctx, objstore.Join(schema, table))
	if err == nil && ls == nil {
		// Perhaps the names differ in case, or the table is a single file.
		ls, err = l.searchTable(ctx, schema, table)
	}
	if err != nil || ls == nil {
		return nil, err
	}
	l.remember(place, ls)
	return ls, nil
}

func (l *Lake) recent(place string) *listing {
	if l.cfg.ListingStaleness <= 0 {
		return nil
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	ls := l.listings.byPlace[place]
	if ls == nil || l.deps.Clock.Now().Sub(ls.made) > l.cfg.ListingStaleness {
		return nil
	}
	return ls
}

func (l *Lake) remember(place string, ls *listing) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.listings.add(place, ls)
}

// listTable lists the files below a folder of the warehouse; nil if none.
func (l *Lake) listTable(ctx context.Context, dir string) (*listing, error) {
	b, prefix, err := l.opener.Open(ctx, l.warehouse)
	if err != nil {
		return nil, err
	}
	prefix = objstore.Join(prefix, dir) + "/"
	ls, err := l.list(listAll(ctx, b, prefix), b, prefix, func(rel string) bool {
		for part := range strings.SplitSeq(rel, "/") {
			if !visible(part) {
				return false
			}
		}
		return isParquet(rel)
	})
	if l.warehouse.Scheme == objstore.SchemeFile && errors.Is(err, objstore.ErrNoBucket) {
		return nil, nil
	}
	return ls, err
}

// searchTable looks for the table by its names without regard to case, as a
// folder and as a file.
func (l *Lake) searchTable(ctx context.Context, schema, table string) (*listing, error) {
	dir, err := l.folder(ctx, "", schema)
	if err != nil || dir == "" {
		return nil, err
	}
	sub, err := l.folder(ctx, dir, table)
	if err != nil {
		return nil, err
	}
	if sub != "" {
		if ls, err := l.listTable(ctx, sub); ls != nil || err != nil {
			return ls, err
		}
	}
	_, files, err := l.children(ctx, dir)
	if err != nil {
		return nil, err
	}
	for _, f := range files {
		if strings.EqualFold(tableOfFile(f), table) {
			return l.listFile(ctx, objstore.Join(dir, f))
		}
	}
	return nil, nil
}

// listFile makes a listing of one file of the warehouse.
func (l *Lake) listFile(ctx context.Context, key string) (*listing, error) {
	b, prefix, err := l.opener.Open(ctx, l.warehouse)
	if err != nil {
		return nil, err
	}
	key = objstore.Join(prefix, key)
	return l.list(objstore.Glob(ctx, b, escapeMeta(key)), b, key, func(string) bool { return true })
}

// escapeMeta takes the meaning of wildcards from a key.
func escapeMeta(key string) string {
	return strings.NewReplacer(`\`, `\\`, "*", `\*`, "?", `\?`, "[", `\[`, "{", `\{`).Replace(key)
}

// listAll yields all objects below a prefix.
func listAll(ctx context.Context, b objstore.Bucket, prefix string) iter.Seq2[objstore.ObjectInfo, error] {
	return func(yield func(objstore.ObjectInfo, error) bool) {
		for page, err := range b.List(ctx, objstore.ListOptions{Prefix: prefix}) {
			if err != nil {
				yield(objstore.ObjectInfo{}, err)
				return
			}
			for _, o := range page.Objects {
				if !yield(o, nil) {
					return
				}
			}
		}
	}
}

// list makes a listing of those objects that are wanted by what follows base
// in their keys; nil if there are none. Partition folders are looked for
// after base.
func (l *Lake) list(objects iter.Seq2[objstore.ObjectInfo, error], b objstore.Bucket, base string, want func(rel string) bool) (*listing, error) {
	ls := &listing{root: b.URL(), bucket: b, name: b.URL() + "/" + strings.TrimSuffix(base, "/"), made: l.deps.Clock.Now()}
	hash := fnv.New128a()
	for o, err := range objects {
		if err != nil {
			return nil, err
		}
		if o.Size == 0 || !want(o.Key[len(base):]) {
			continue
		}
		f := file{ObjectInfo: o}
		keys, values, err := partitions(o.Key[len(base):])
		if err != nil {
			return nil, qerr.Wrap(qerr.LakeInvalidPartitionValue, err, "%s/%s", ls.root, o.Key)
		}
		if len(ls.files) == 0 {
			ls.keys = keys
		} else if !slices.Equal(keys, ls.keys) {
			return nil, qerr.New(qerr.LakeInvalidStructure, "%s: the files are not partitioned alike: %s has the keys (%s), %s has (%s)",
				ls.name, ls.files[0].Key, strings.Join(ls.keys, ", "), o.Key, strings.Join(keys, ", "))
		}
		f.values = values
		ls.files = append(ls.files, f)
		ls.bytes += o.Size
		_, _ = hash.Write([]byte(o.Key + "\x00" + o.ETag + "\x00"))
	}
	if len(ls.files) == 0 {
		return nil, nil
	}
	if err := l.confine(ls); err != nil {
		return nil, err
	}
	_, _ = hash.Write([]byte(ls.root))
	ls.id = hex.EncodeToString(hash.Sum(nil))
	ls.inferKinds()
	return ls, nil
}

// hiveNull stands for null in the name of a partition folder.
const hiveNull = "__HIVE_DEFAULT_PARTITION__"

// partitions returns the key=value folders in a path, keys in lower case.
func partitions(path string) (keys []string, values []*string, err error) {
	for {
		part, rest, more := strings.Cut(path, "/")
		if !more {
			return keys, values, nil
		}
		path = rest
		key, value, ok := strings.Cut(part, "=")
		if !ok || key == "" {
			continue
		}
		key = strings.ToLower(unescape(key))
		if slices.Contains(keys, key) {
			return nil, nil, qerr.New(qerr.LakeInvalidStructure, "the partition key %q appears twice", key)
		}
		keys = append(keys, key)
		if value == hiveNull {
			values = append(values, nil)
			continue
		}
		value = unescape(value)
		values = append(values, &value)
	}
}

// unescape resolves %XX as Hive writes it in folder names. A "%" that begins no
// such pair stands for itself, for writers that escape nothing, and so does a
// name that would not be UTF-8.
func unescape(s string) string {
	if !strings.Contains(s, "%") {
		return strings.ToValidUTF8(s, "\ufffd")
	}
	out := make([]byte, 0, len(s))
	for i := 0; i < len(s); i++ {
		if s[i] == '%' && i+2 < len(s) {
			if c, err := hex.DecodeString(s[i+1 : i+3]); err == nil {
				out = append(out, c[0])
				i += 2
				continue
			}
		}
		out = append(out, s[i])
	}
	if !utf8.Valid(out) {
		return strings.ToValidUTF8(s, "\ufffd")
	}
	return string(out)
}

// inferKinds gives each partition column a type: bigint if all values are
// integers, date if all are dates, else varchar.
func (ls *listing) inferKinds() {
	ls.kinds = make([]types.Type, len(ls.keys))
	for k := range ls.keys {
		ls.kinds[k] = types.VarcharType()
		for _, t := range []types.Type{types.Of(types.BigInt), types.Of(types.Date)} {
			if ls.allAre(k, t) {
				ls.kinds[k] = t
				break
			}
		}
	}
}

// allAre reports whether the values of partition column k are of type t, and
// not all null.
func (ls *listing) allAre(k int, t types.Type) bool {
	some := false
	for i := range ls.files {
		v := ls.files[i].values[k]
		if v == nil {
			continue
		}
		if _, err := partitionValue(t, v); err != nil {
			return false
		}
		some = true
	}
	return some
}
