package client

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"

	"github.com/klauspost/compress/zstd"
	"github.com/pierrec/lz4/v4"
)

// The encodings of result segments, in the order of preference that is sent
// when Client.Encodings is nil.
const (
	EncodingZstd = "json+zstd"
	EncodingLZ4  = "json+lz4"
	EncodingJSON = "json"
)

// maxSegment bounds the size that a segment may say it unpacks to, so that a
// damaged header cannot ask for all memory.
const maxSegment = 1 << 30

// encodedData is the object form of "data": rows in segments.
type encodedData struct {
	Encoding string            `json:"encoding"`
	Metadata map[string]any    `json:"metadata"`
	Segments []json.RawMessage `json:"segments"`
}

type segment struct {
	Type string `json:"type"`
	// Data is the content of an inline segment (base64 in JSON).
	Data []byte `json:"data"`
	// URI, AckURI and Headers say where a spooled segment lies.
	URI      string              `json:"uri"`
	AckURI   string              `json:"ackUri"`
	Headers  map[string][]string `json:"headers"`
	Metadata struct {
		RowsCount        int64 `json:"rowsCount"`
		SegmentSize      int64 `json:"segmentSize"`
		UncompressedSize int64 `json:"uncompressedSize"`
	} `json:"metadata"`
}

// unpacker reads the rows of one query's answers. It keeps its decompressor
// from page to page and is not safe for concurrent use.
type unpacker struct {
	client *Client
	zstd   *zstd.Decoder
}

// decodeData turns the data field of an answer into rows, whichever form it
// has. Spooled segments are fetched and acknowledged.
func (u *unpacker) decodeData(ctx context.Context, data json.RawMessage) ([][]any, error) {
	trimmed := bytes.TrimLeft(data, " \t\r\n")
	if len(trimmed) == 0 || bytes.Equal(trimmed, []byte("null")) {
		return nil, nil
	}
	if trimmed[0] == '[' {
		return DecodeRows(string(trimmed))
	}
	var enc encodedData
	if err := json.Unmarshal(trimmed, &enc); err != nil {
		return nil, fmt.Errorf("read encoded rows: %w", err)
	}
	var rows [][]any
	for i, raw := range enc.Segments {
		part, err := u.segmentRows(ctx, enc.Encoding, raw)
		if err != nil {
			return nil, fmt.Errorf("segment %d of %d (%s): %w", i+1, len(enc.Segments), enc.Encoding, err)
		}
		if rows == nil {
			rows = part
		} else {
			rows = append(rows, part...)
		}
	}
	return rows, nil
}

func (u *unpacker) segmentRows(ctx context.Context, encoding string, raw json.RawMessage) ([][]any, error) {
	var seg segment
	if err := json.Unmarshal(raw, &seg); err != nil {
		return nil, err
	}
	switch seg.Type {
	case "inline":
	case "spooled":
		if err := u.client.fetchSegment(ctx, &seg); err != nil {
			return nil, err
		}
	default:
		return nil, fmt.Errorf("not supported: segment type %q", seg.Type)
	}
	text, err := u.unpack(encoding, seg.Data, seg.Metadata.UncompressedSize)
	if err != nil {
		return nil, err
	}
	rows, err := DecodeRows(text)
	if err != nil {
		return nil, err
	}
	if want := seg.Metadata.RowsCount; want > 0 && want != int64(len(rows)) {
		return nil, fmt.Errorf("it holds %d rows but announces %d", len(rows), want)
	}
	if seg.AckURI != "" {
		u.client.acknowledge(ctx, &seg)
	}
	return rows, nil
}

// unpack returns the JSON text of a segment. A size of zero means that the
// server left it uncompressed, which it does with small segments.
func (u *unpacker) unpack(encoding string, data []byte, size int64) (string, error) {
	compression := strings.TrimPrefix(strings.TrimPrefix(encoding, EncodingJSON), "+")
	if size == 0 || compression == "" {
		return string(data), nil
	}
	if size < 0 || size > maxSegment {
		return "", fmt.Errorf("uncompressed size of %d bytes is out of range", size)
	}
	var out []byte
	var err error
	switch compression {
	case "zstd":
		out, err = u.unzstd(data, size)
	case "lz4":
		out = make([]byte, size)
		var n int
		n, err = lz4.UncompressBlock(data, out)
		out = out[:max(n, 0)]
	default:
		return "", fmt.Errorf("not supported: encoding %q", encoding)
	}
	if err != nil {
		return "", fmt.Errorf("unpack: %w", err)
	}
	if int64(len(out)) != size {
		return "", fmt.Errorf("unpack: got %d bytes instead of %d", len(out), size)
	}
	return string(out), nil
}

func (u *unpacker) unzstd(data []byte, size int64) ([]byte, error) {
	if u.zstd == nil {
		// One goroutine: segments are small, and pages arrive one by one.
		r, err := zstd.NewReader(nil, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxMemory(maxSegment))
		if err != nil {
			return nil, err
		}
		u.zstd = r
	}
	return u.zstd.DecodeAll(data, make([]byte, 0, size))
}

// close frees the decoder; the unpacker may be used again after it.
func (u *unpacker) close() {
	if u.zstd != nil {
		u.zstd.Close()
		u.zstd = nil
	}
}

// fetchSegment downloads a spooled segment. Its address may be a storage
// service with a signed URI, so it gets the headers the server names and no
// credentials or session of ours unless it is the server itself.
func (c *Client) fetchSegment(ctx context.Context, seg *segment) error {
	ans, err := c.exchange(ctx, request{method: http.MethodGet, url: seg.URI, repeatable: true, plain: true, header: seg.Headers})
	if err != nil {
		return err
	}
	seg.Data = ans.body
	return nil
}

// acknowledge lets the server delete a spooled segment. It is best effort:
// segments expire by themselves.
func (c *Client) acknowledge(ctx context.Context, seg *segment) {
	req, err := c.newRequest(ctx, request{method: http.MethodGet, url: seg.AckURI, plain: true, header: seg.Headers})
	if err != nil {
		return
	}
	if resp, err := c.http().Do(req); err == nil {
		_, err = io.Copy(io.Discard, io.LimitReader(resp.Body, 1<<16))
		_ = errors.Join(err, resp.Body.Close())
	}
}
