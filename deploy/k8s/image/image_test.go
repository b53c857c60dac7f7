package main

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"debug/elf"
	"encoding/binary"
	"encoding/json"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// executable is the least that passes for a Linux executable: an ELF header,
// and a program header of the given type.
func executable(machine elf.Machine, prog elf.ProgType) []byte {
	var buf bytes.Buffer
	h := elf.Header64{
		Ident: [elf.EI_NIDENT]byte{0x7f, 'E', 'L', 'F', byte(elf.ELFCLASS64), byte(elf.ELFDATA2LSB), byte(elf.EV_CURRENT)},
		Type:  uint16(elf.ET_EXEC), Machine: uint16(machine), Version: uint32(elf.EV_CURRENT),
		Phoff: 64, Ehsize: 64, Phentsize: 56, Phnum: 1,
	}
	_ = binary.Write(&buf, binary.LittleEndian, h)                              // a buffer takes all
	_ = binary.Write(&buf, binary.LittleEndian, elf.Prog64{Type: uint32(prog)}) // as above
	return buf.Bytes()
}

func testSpec(t *testing.T) Spec {
	t.Helper()
	dir := t.TempDir()
	write := func(name string, b []byte) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, b, 0o755); err != nil {
			t.Fatal(err)
		}
		return path
	}
	return Spec{
		Binary:       write("tutti", executable(elf.EM_X86_64, elf.PT_LOAD)),
		Certificates: write("certs.pem", []byte("certificates")),
		Name:         "tutti:1.2.3", Version: "1.2.3", Arch: "amd64",
	}
}

// entries reads a tar file.
func entries(t *testing.T, r io.Reader) (names []string, headers map[string]*tar.Header, content map[string][]byte) {
	t.Helper()
	headers, content = map[string]*tar.Header{}, map[string][]byte{}
	for tr := tar.NewReader(r); ; {
		h, err := tr.Next()
		if errors.Is(err, io.EOF) {
			return names, headers, content
		}
		if err != nil {
			t.Fatal(err)
		}
		b, err := io.ReadAll(tr)
		if err != nil {
			t.Fatal(err)
		}
		names, headers[h.Name], content[h.Name] = append(names, h.Name), h, b
	}
}

func decode[T any](t *testing.T, b []byte) (v T) {
	t.Helper()
	if err := json.Unmarshal(b, &v); err != nil {
		t.Fatalf("%v in %s", err, b)
	}
	return v
}

// TestLayout follows the digests from the index to the files, as an engine
// that loads the image does, by both of its tables of contents.
func TestLayout(t *testing.T) {
	spec := testSpec(t)
	var buf bytes.Buffer
	digest, err := Write(&buf, spec)
	if err != nil {
		t.Fatal(err)
	}
	_, _, files := entries(t, &buf)
	blob := func(d descriptor) []byte {
		b := files[blobPath(d)]
		if digestOf(b) != d.Digest || len(b) != d.Size {
			t.Fatalf("the blob of %+v has %d bytes and digest %s", d, len(b), digestOf(b))
		}
		return b
	}
	if got := string(files["oci-layout"]); got != `{"imageLayoutVersion":"1.0.0"}` {
		t.Errorf("oci-layout is %s", got)
	}
	index := decode[manifest](t, files["index.json"])
	if len(index.Manifests) != 1 || index.Manifests[0].Digest != digest || index.Manifests[0].Annotations["io.containerd.image.name"] != spec.Name {
		t.Fatalf("index is %s", files["index.json"])
	}
	m := decode[manifest](t, blob(index.Manifests[0]))
	if m.Config == nil || len(m.Layers) != 1 || m.Layers[0].MediaType != typeLayer {
		t.Fatalf("manifest is %+v", m)
	}
	c := decode[config](t, blob(*m.Config))
	if c.Config.User != "65532:65532" || strings.Join(c.Config.Entrypoint, " ") != "/tutti" || c.Architecture != "amd64" || c.OS != "linux" {
		t.Errorf("config is %+v", c)
	}
	z, err := gzip.NewReader(bytes.NewReader(blob(m.Layers[0])))
	if err != nil {
		t.Fatal(err)
	}
	plain, err := io.ReadAll(z)
	if err != nil {
		t.Fatal(err)
	}
	if len(c.RootFS.DiffIDs) != 1 || c.RootFS.DiffIDs[0] != digestOf(plain) {
		t.Errorf("diff ids are %v, the layer is %s", c.RootFS.DiffIDs, digestOf(plain))
	}
	docker := decode[[]saved](t, files["manifest.json"])
	if len(docker) != 1 || docker[0].Config != blobPath(*m.Config) || docker[0].Layers[0] != blobPath(m.Layers[0]) || docker[0].RepoTags[0] != spec.Name {
		t.Errorf("manifest.json is %s", files["manifest.json"])
	}
	checkFileSystem(t, plain)
}

// checkFileSystem checks what a container sees.
func checkFileSystem(t *testing.T, plain []byte) {
	t.Helper()
	names, headers, content := entries(t, bytes.NewReader(plain))
	for _, want := range []struct {
		name string
		mode int64
		uid  int
	}{
		{"tutti", 0o755, 0},
		{"tmp/", 0o1777, 0},
		{"var/lib/tutti/", 0o755, User},
		{"etc/ssl/certs/ca-certificates.crt", 0o644, 0},
		{"etc/passwd", 0o644, 0},
	} {
		h := headers[want.name]
		if h == nil {
			t.Errorf("%s is not in the image, which has %v", want.name, names)
		} else if h.Mode != want.mode || h.Uid != want.uid || h.ModTime.Unix() != 0 {
			t.Errorf("%s has mode %o, owner %d and time %v", h.Name, h.Mode, h.Uid, h.ModTime)
		}
	}
	if string(content["etc/ssl/certs/ca-certificates.crt"]) != "certificates" {
		t.Error("the certificates are not those that were given")
	}
	seen := map[string]bool{"": true}
	for _, name := range names {
		parent := strings.TrimSuffix(name, "/")
		parent = parent[:strings.LastIndex(parent, "/")+1]
		if !seen[parent] {
			t.Errorf("%s comes before its folder", name)
		}
		seen[name] = true
	}
}

func TestSameInputsSameBytes(t *testing.T) {
	spec := testSpec(t)
	var one, two bytes.Buffer
	for _, w := range []*bytes.Buffer{&one, &two} {
		if _, err := Write(w, spec); err != nil {
			t.Fatal(err)
		}
	}
	if !bytes.Equal(one.Bytes(), two.Bytes()) {
		t.Error("two images of the same binary differ")
	}
}

func TestRefused(t *testing.T) {
	for _, c := range []struct {
		name   string
		binary []byte
		change func(*Spec)
		want   string
	}{
		{"dynamic", executable(elf.EM_X86_64, elf.PT_INTERP), nil, "not static: build it with CGO_ENABLED=0"},
		{"other machine", executable(elf.EM_AARCH64, elf.PT_LOAD), nil, "built for EM_AARCH64, not for amd64"},
		{"unknown machine", executable(elf.EM_X86_64, elf.PT_LOAD), func(s *Spec) { s.Arch = "z80" }, `not supported: architecture "z80"`},
		{"a script", []byte("#!/bin/sh\n"), nil, "not a Linux executable"},
		{"no binary", nil, func(s *Spec) { s.Binary += ".not" }, "no such file"},
		{"no certificates", nil, func(s *Spec) { s.Certificates += ".not" }, "certificates: "},
	} {
		t.Run(c.name, func(t *testing.T) {
			spec := testSpec(t)
			if c.binary != nil {
				if err := os.WriteFile(spec.Binary, c.binary, 0o755); err != nil {
					t.Fatal(err)
				}
			}
			if c.change != nil {
				c.change(&spec)
			}
			out := filepath.Join(t.TempDir(), "image.tar")
			if _, err := build(spec, out); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v, want %q", err, c.want)
			}
			left, err := os.ReadDir(filepath.Dir(out))
			if err != nil || len(left) != 0 {
				t.Errorf("a refused image left %v (%v)", left, err)
			}
		})
	}
}

// TestBuild writes a file that others may read, and replaces an older one.
func TestBuild(t *testing.T) {
	out := filepath.Join(t.TempDir(), "image.tar")
	if err := os.WriteFile(out, []byte("older"), 0o600); err != nil {
		t.Fatal(err)
	}
	digest, err := build(testSpec(t), out)
	if err != nil || !strings.HasPrefix(digest, "sha256:") {
		t.Fatalf("digest %q, %v", digest, err)
	}
	info, err := os.Stat(out)
	if err != nil || info.Mode().Perm() != 0o644 || info.Size() < 1024 {
		t.Errorf("the image is %v (%v)", info, err)
	}
}
