package parquet

import (
	"errors"
	"fmt"

	"github.com/tuttidb/tutti/internal/qerr"
)

// corruptError says what is wrong with a file. Decoders know neither the
// file's name nor the column; named adds them on the way out.
type corruptError struct{ text string }

func (e *corruptError) Error() string { return e.text }

// corrupt makes an error about a file whose content is not what it should be.
func corrupt(format string, args ...any) error {
	return &corruptError{fmt.Sprintf(format, args...)}
}

// unsupportedError names something that files may have and this package does
// not read.
type unsupportedError struct{ text string }

func (e *unsupportedError) Error() string { return "not supported: " + e.text }

func unsupported(format string, args ...any) error {
	return &unsupportedError{fmt.Sprintf(format, args...)}
}

// inColumn puts the column in front of an error about a file's content.
func inColumn(path string, err error) error {
	var bad *corruptError
	if errors.As(err, &bad) {
		return corrupt("column %q: %s", path, bad.text)
	}
	var no *unsupportedError
	if errors.As(err, &no) {
		return unsupported("column %q: %s", path, no.text)
	}
	return err
}

// named turns an error of a decoder into one for users, with the file's name;
// other errors (of storage, of memory) stay as they are.
func named(file string, err error) error {
	var bad *corruptError
	if errors.As(err, &bad) {
		return qerr.New(qerr.LakeBadData, "%s: %s", file, bad.text)
	}
	var no *unsupportedError
	if errors.As(err, &no) {
		return qerr.New(qerr.LakeUnsupportedFormat, "%s: %s", file, no.Error())
	}
	return err
}
