package objstore_test

import (
	"fmt"
	"testing"

	"github.com/tuttidb/tutti/connectors/objstore"
)

// BenchmarkGetRange reads ranges of 1 and 8 MiB, one at a time. The S3 server
// is in the same process: its work counts too.
func BenchmarkGetRange(b *testing.B) {
	file, _ := openFolder(b)
	buckets := map[string]objstore.Bucket{"file": file, "s3": newFakeS3(b, "bucket").bucket(b, "bucket")}
	for name, bucket := range buckets {
		info := put(b, bucket, "k", noise(1, 64<<20))
		for _, mib := range []int64{1, 8} {
			b.Run(fmt.Sprintf("%s/%dMiB", name, mib), func(b *testing.B) {
				dst := make([]byte, mib<<20)
				b.SetBytes(mib << 20)
				b.ReportAllocs()
				for i := range b.N {
					off := int64(i) % (64 / mib) * mib << 20
					if _, err := bucket.GetRange(b.Context(), "k", info.ETag, off, dst); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
	}
}

// BenchmarkFetch reads 64 column chunks of 1 MiB through a Fetcher.
func BenchmarkFetch(b *testing.B) {
	file, _ := openFolder(b)
	buckets := map[string]objstore.Bucket{"file": file, "s3": newFakeS3(b, "bucket").bucket(b, "bucket")}
	var ranges []objstore.Range
	for i := range int64(64) {
		ranges = append(ranges, objstore.Range{Off: i << 20, Len: 1<<20 - 4096})
	}
	for name, bucket := range buckets {
		info := put(b, bucket, "k", noise(1, 64<<20))
		b.Run(name, func(b *testing.B) {
			f := objstore.NewFetcher(objstore.FetchOptions{})
			b.SetBytes(64 << 20)
			b.ReportAllocs()
			for b.Loop() {
				d, err := f.Fetch(b.Context(), bucket, info, ranges)
				if err != nil {
					b.Fatal(err)
				}
				for i := range ranges {
					if _, err := d.Bytes(i); err != nil {
						b.Fatal(err)
					}
					d.Free(i)
				}
				d.Release()
			}
		})
	}
}
