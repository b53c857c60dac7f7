package lake

import (
	"context"
	"encoding/hex"
	"errors"
	"hash/fnv"
	"iter"
	"net/url"
	"slices"
	"strings"
	"time"

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

// maxListings bounds the listings that a Lake remembers. A query looks its
// own up within moments of planning.
const maxListings = 256

// listingCache remembers recent listings by id, and by place for catalogs
// that allow stale ones. The Lake's lock guards it.
type listingCache struct {
	byID    map[string]*listing
	byPlace map[string]*listing
	order   []string // ids, oldest first
}

func (c *listingCache) add(place string, ls *listing) {
	if c.byID == nil {
		c.byID, c.byPlace = map[string]*listing{}, map[string]*listing{}
	}
	if c.byID[ls.id] == nil {
		c.order = append(c.order, ls.id)
	}
	c.byID[ls.id] = ls
	c.byPlace[place] = ls
	for len(c.order) > maxListings {
		delete(c.byID, c.order[0])
		c.order = c.order[1:]
	}
	for p, old := range c.byPlace {
		if len(c.byPlace) > maxListings && old != ls {
			delete(c.byPlace, p)
		}
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
		if key, err = url.PathUnescape(key); err != nil {
			return nil, nil, err
		}
		key = strings.ToLower(key)
		if slices.Contains(keys, key) {
			return nil, nil, qerr.New(qerr.LakeInvalidStructure, "the partition key %q appears twice", key)
		}
		keys = append(keys, key)
		if value == hiveNull {
			values = append(values, nil)
			continue
		}
		if value, err = url.PathUnescape(value); err != nil {
			return nil, nil, err
		}
		values = append(values, &value)
	}
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
