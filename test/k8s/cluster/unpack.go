package main

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
)

// unpack puts the files of an image, as `docker save` writes it, into a
// folder: what a node does after it has pulled an image.
func unpack(image, dir string) error {
	f, err := os.Open(image)
	if err != nil {
		return err
	}
	defer f.Close()
	files := map[string][]byte{}
	if err := eachFile(f, func(h *tar.Header, r io.Reader) error {
		files[h.Name], err = io.ReadAll(r)
		return err
	}); err != nil {
		return fmt.Errorf("%s: %w", image, err)
	}
	var saved []struct{ Layers []string }
	if err := json.Unmarshal(files["manifest.json"], &saved); err != nil || len(saved) != 1 {
		return fmt.Errorf("%s is not an image: %w", image, err)
	}
	for _, name := range saved[0].Layers {
		z, err := gzip.NewReader(bytes.NewReader(files[name]))
		if err != nil {
			return fmt.Errorf("layer %s: %w", name, err)
		}
		if err := eachFile(z, func(h *tar.Header, r io.Reader) error { return place(dir, h, r) }); err != nil {
			return fmt.Errorf("layer %s: %w", name, err)
		}
	}
	return nil
}

func eachFile(r io.Reader, f func(*tar.Header, io.Reader) error) error {
	for tr := tar.NewReader(r); ; {
		h, err := tr.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		if err := f(h, tr); err != nil {
			return err
		}
	}
}

// place writes one file or folder with its owner and mode.
func place(dir string, h *tar.Header, r io.Reader) error {
	if !filepath.IsLocal(h.Name) {
		return fmt.Errorf("%s leads out of the image", h.Name)
	}
	path := filepath.Join(dir, h.Name)
	switch h.Typeflag {
	case tar.TypeDir:
		if err := os.MkdirAll(path, 0o755); err != nil {
			return err
		}
	case tar.TypeReg:
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			return err
		}
		out, err := os.Create(path)
		if err != nil {
			return err
		}
		if _, err := io.Copy(out, r); err != nil {
			return errors.Join(err, out.Close())
		}
		if err := out.Close(); err != nil {
			return err
		}
	default:
		return fmt.Errorf("not supported: %s is neither file nor folder", h.Name)
	}
	if os.Geteuid() == 0 {
		if err := os.Chown(path, h.Uid, h.Gid); err != nil {
			return err
		}
	}
	mode := h.FileInfo().Mode()
	return os.Chmod(path, mode.Perm()|mode&os.ModeSticky)
}
