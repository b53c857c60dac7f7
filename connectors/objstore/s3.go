package objstore

import (
	"context"

	"github.com/tuttidb/tutti/internal/qerr"
)

// NewS3 will open a bucket of an S3-compatible store.
func NewS3(context.Context, string, Config) (Bucket, error) {
	return nil, qerr.NotSupported(qerr.Pos{}, "S3 buckets")
}
