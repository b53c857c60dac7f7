package lake

import (
	"context"
	"strings"

	"github.com/tuttidb/tutti/connectors"
	"github.com/tuttidb/tutti/connectors/lake/parquet"
	"github.com/tuttidb/tutti/connectors/objstore"
	"github.com/tuttidb/tutti/exec/kernel"
	"github.com/tuttidb/tutti/internal/qerr"
)

// Open implements connectors.Connector.
func (l *Lake) Open(ctx context.Context, scan *connectors.Scan, split connectors.Split, env *connectors.Env) (connectors.Source, error) {
	h, err := decodeHandle(scan.Handle)
	if err != nil {
		return nil, err
	}
	info, err := decodeSplit(split.Payload)
	if err != nil {
		return nil, err
	}
	loc, err := objstore.ParseLocation(h.Root)
	if err != nil {
		return nil, err
	}
	bucket, _, err := l.opener.Open(ctx, loc)
	if err != nil {
		return nil, err
	}
	f, err := l.deps.Footers.Open(ctx, bucket, info.object())
	if err != nil {
		return nil, err
	}
	cfg := parquet.Config{
		File: f, Bucket: bucket, Object: info.object(), From: info.From, To: info.To,
		Predicate: scan.Predicate, Hint: scan.Hint, Dynamic: scan.Dynamic, Filter: env.Dynamic,
		Account: env.Account, BatchRows: env.BatchRows, Codecs: l.deps.Codecs, Session: kernel.Session{},
		Fetch: fetchOptions(h.Root),
	}
	if cfg.Columns, err = mapColumns(scan, &h, &info, f); err != nil {
		return nil, err
	}
	return parquet.NewReader(cfg)
}

// fetchOptions suit the store: of a local file, bytes that nobody wants cost
// more than another read; of an object store, the other way round.
func fetchOptions(root string) objstore.FetchOptions {
	if isLocal(root) {
		return objstore.FetchOptions{Gap: 16 << 10, Target: 4 << 20, Requests: 2, Ahead: 32 << 20}
	}
	return objstore.FetchOptions{}
}

// mapColumns finds each of the scan's columns in a file: a field by name, or a
// value that all rows share.
func mapColumns(scan *connectors.Scan, h *handle, info *splitInfo, f *parquet.File) ([]parquet.Column, error) {
	fields := make(map[string]*parquet.Field, len(f.Fields))
	for _, fd := range f.Fields {
		fields[strings.ToLower(fd.Name)] = fd
	}
	out := make([]parquet.Column, len(scan.Columns))
	for i, c := range scan.Columns {
		out[i] = parquet.Column{Type: c.Type, Unread: c.FilterOnly}
		if _, hidden := hiddenType(c.Name); hidden {
			out[i].Value = hiddenValue(c.Name, h.Root, info)
			continue
		}
		if k := keyOf(h.Keys, c.Name); k >= 0 && k < len(info.Values) {
			v, err := partitionValue(c.Type, info.Values[k])
			if err != nil {
				return nil, err
			}
			out[i].Value = v
			continue
		}
		fd := fields[c.Name]
		if fd == nil {
			continue // a file from before the column: nulls
		}
		if t, ok := widest(c.Type, fd.Type); !ok || !t.Equal(c.Type) {
			return nil, qerr.New(qerr.LakeSchemaMismatch, "%s: column %q is %s here, and %s in the table as other files have it", f.Name, c.Name, fd.Type, c.Type)
		}
		out[i].Field = fd
	}
	return out, nil
}

func keyOf(keys []string, name string) int {
	for i, k := range keys {
		if k == name {
			return i
		}
	}
	return -1
}
