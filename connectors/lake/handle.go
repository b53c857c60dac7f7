package lake

import (
	"encoding/json"
	"time"

	"github.com/tuttidb/tutti/connectors/objstore"
	"github.com/tuttidb/tutti/internal/qerr"
)

// handleVersion is the version of handles and splits. A reader refuses others:
// in a cluster whose nodes differ, that is an error and not a wrong answer.
const handleVersion = 2

// handle is a table's Handle: where its files are, but not which, as it goes
// to every worker.
type handle struct {
	Version int `json:"v"`
	// Root is the location of the bucket, or the local folder, that keys belong to.
	Root string `json:"root"`
	// ID names the listing that the table was described from.
	ID string `json:"id"`
	// Keys are the names of the partition columns.
	Keys []string `json:"keys,omitempty"`
}

// splitInfo is a split's Payload: files to be read one after the other, or a
// range of one.
type splitInfo struct {
	Version int         `json:"v"`
	Files   []splitFile `json:"f"`
}

// splitFile is what a split reads of one version of a file.
type splitFile struct {
	// Key is a string of bytes: file systems hold names that are not UTF-8.
	Key  []byte `json:"k"`
	Size int64  `json:"s"`
	ETag string `json:"e,omitempty"`
	// Modified is the file's time in milliseconds since the epoch.
	Modified int64 `json:"m,omitempty"`
	// From and To are the bytes whose row groups are read.
	From int64 `json:"b,omitempty"`
	To   int64 `json:"t"`
	// Values are the values of the partition columns, as text; null for null.
	Values []*string `json:"p,omitempty"`
}

func (h handle) encode() []byte { return mustJSON(h) }

func (s splitInfo) encode() []byte { return mustJSON(s) }

// mustJSON encodes structures of strings and numbers, which cannot fail.
func mustJSON(v any) []byte {
	b, _ := json.Marshal(v)
	return b
}

func decodeHandle(b []byte) (h handle, err error) {
	if err := json.Unmarshal(b, &h); err != nil || h.Version != handleVersion {
		return h, qerr.New(qerr.SerializationError, "a lake table's handle cannot be read (version %d, this node has %d)", h.Version, handleVersion)
	}
	return h, nil
}

func decodeSplit(b []byte) (s splitInfo, err error) {
	if err := json.Unmarshal(b, &s); err != nil || s.Version != handleVersion || len(s.Files) == 0 {
		return s, qerr.New(qerr.SerializationError, "a lake split cannot be read (version %d, this node has %d)", s.Version, handleVersion)
	}
	return s, nil
}

// object returns the version of the file that the split is about.
func (s *splitFile) object() objstore.ObjectInfo {
	return objstore.ObjectInfo{Key: string(s.Key), Size: s.Size, ETag: s.ETag, ModTime: time.UnixMilli(s.Modified).UTC()}
}
