package main

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"debug/elf"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"time"
)

// User is the user and group that containers run as: the number that "nonroot"
// has in most small images.
const User = 65532

// Spec is what goes into an image.
type Spec struct {
	Binary       string // path of a static executable, which becomes /tutti
	Certificates string // path of PEM certificates, or ""
	Name         string // name:tag
	Version      string
	Arch         string // as GOARCH
}

// Media types of the OCI image specification 1.1.
const (
	typeManifest = "application/vnd.oci.image.manifest.v1+json"
	typeIndex    = "application/vnd.oci.image.index.v1+json"
	typeConfig   = "application/vnd.oci.image.config.v1+json"
	typeLayer    = "application/vnd.oci.image.layer.v1.tar+gzip"
)

type descriptor struct {
	MediaType   string            `json:"mediaType"`
	Digest      string            `json:"digest"`
	Size        int               `json:"size"`
	Annotations map[string]string `json:"annotations,omitempty"`
}

type manifest struct {
	SchemaVersion int          `json:"schemaVersion"`
	MediaType     string       `json:"mediaType"`
	Config        *descriptor  `json:"config,omitempty"`
	Layers        []descriptor `json:"layers,omitempty"`
	Manifests     []descriptor `json:"manifests,omitempty"`
}

type config struct {
	Architecture string    `json:"architecture"`
	OS           string    `json:"os"`
	Created      time.Time `json:"created"`
	Config       runConfig `json:"config"`
	RootFS       rootFS    `json:"rootfs"`
}

type runConfig struct {
	User         string              `json:"User"`
	Entrypoint   []string            `json:"Entrypoint"`
	WorkingDir   string              `json:"WorkingDir"`
	Env          []string            `json:"Env"`
	ExposedPorts map[string]struct{} `json:"ExposedPorts"`
	Labels       map[string]string   `json:"Labels"`
}

type rootFS struct {
	Type    string   `json:"type"`
	DiffIDs []string `json:"diff_ids"`
}

// saved is an entry of manifest.json, as `docker save` writes it.
type saved struct {
	Config   string
	RepoTags []string
	Layers   []string
}

// Write writes the image as a tar file and returns the manifest's digest.
func Write(w io.Writer, spec Spec) (string, error) {
	binary, err := os.ReadFile(spec.Binary)
	if err != nil {
		return "", err
	}
	if err := checkBinary(binary, spec.Arch); err != nil {
		return "", fmt.Errorf("%s: %w", spec.Binary, err)
	}
	var certs []byte
	if spec.Certificates != "" {
		if certs, err = os.ReadFile(spec.Certificates); err != nil {
			return "", fmt.Errorf("certificates: %w", err)
		}
	}
	plain, err := layer(binary, certs)
	if err != nil {
		return "", err
	}
	packed, err := compress(plain)
	if err != nil {
		return "", err
	}
	return writeLayout(w, spec, digestOf(plain), packed)
}

// machines are the ELF machines by GOARCH.
var machines = map[string]elf.Machine{"amd64": elf.EM_X86_64, "arm64": elf.EM_AARCH64}

// checkBinary refuses what could not start in an empty file system.
func checkBinary(b []byte, arch string) error {
	f, err := elf.NewFile(bytes.NewReader(b))
	if err != nil {
		return fmt.Errorf("not a Linux executable: %w", err)
	}
	if want, known := machines[arch]; !known {
		return fmt.Errorf("not supported: architecture %q", arch)
	} else if f.Machine != want {
		return fmt.Errorf("built for %v, not for %s", f.Machine, arch)
	}
	for _, p := range f.Progs {
		if p.Type == elf.PT_INTERP {
			return errors.New("not static: build it with CGO_ENABLED=0")
		}
	}
	return nil
}

// layer is the image's file system.
func layer(binary, certs []byte) ([]byte, error) {
	var buf bytes.Buffer
	t := tar.NewWriter(&buf)
	entries := []tar.Header{
		{Name: "etc/", Mode: 0o755}, {Name: "etc/passwd", Mode: 0o644}, {Name: "etc/group", Mode: 0o644},
		{Name: "etc/ssl/", Mode: 0o755}, {Name: "etc/ssl/certs/", Mode: 0o755},
		{Name: "etc/ssl/certs/ca-certificates.crt", Mode: 0o644},
		{Name: "tmp/", Mode: 0o1777}, {Name: "tutti", Mode: 0o755},
		{Name: "var/", Mode: 0o755}, {Name: "var/lib/", Mode: 0o755},
		{Name: "var/lib/tutti/", Mode: 0o755, Uid: User, Gid: User},
	}
	content := map[string][]byte{
		"etc/passwd":                        fmt.Appendf(nil, "root:x:0:0::/:\ntutti:x:%d:%d::/var/lib/tutti:\n", User, User),
		"etc/group":                         fmt.Appendf(nil, "root:x:0:\ntutti:x:%d:\n", User),
		"etc/ssl/certs/ca-certificates.crt": certs,
		"tutti":                             binary,
	}
	for _, h := range entries {
		if err := addFile(t, h, content[h.Name]); err != nil {
			return nil, err
		}
	}
	err := t.Close() // which writes the end
	return buf.Bytes(), err
}

// addFile appends a folder, whose name ends in a slash, or a file.
func addFile(t *tar.Writer, h tar.Header, content []byte) error {
	h.Typeflag, h.Size, h.ModTime = tar.TypeReg, int64(len(content)), time.Unix(0, 0)
	if h.Name[len(h.Name)-1] == '/' {
		h.Typeflag = tar.TypeDir
	}
	if err := t.WriteHeader(&h); err != nil {
		return err
	}
	_, err := t.Write(content)
	return err
}

func compress(b []byte) ([]byte, error) {
	var buf bytes.Buffer
	z := gzip.NewWriter(&buf)
	if _, err := z.Write(b); err != nil {
		return nil, err
	}
	err := z.Close() // which writes the end
	return buf.Bytes(), err
}

// writeLayout writes the outer tar file: blobs by digest, the OCI index, and
// manifest.json for docker.
func writeLayout(w io.Writer, spec Spec, diffID string, packed []byte) (string, error) {
	t := tar.NewWriter(w)
	for _, dir := range []string{"blobs/", "blobs/sha256/"} {
		if err := addFile(t, tar.Header{Name: dir, Mode: 0o755}, nil); err != nil {
			return "", err
		}
	}
	addBlob := func(mediaType string, b []byte) (descriptor, error) {
		d := descriptor{MediaType: mediaType, Digest: digestOf(b), Size: len(b)}
		return d, addFile(t, tar.Header{Name: blobPath(d), Mode: 0o644}, b)
	}
	addJSON := func(mediaType string, v any) (descriptor, error) {
		b, err := json.Marshal(v)
		if err != nil {
			return descriptor{}, err
		}
		return addBlob(mediaType, b)
	}
	rows, err := addBlob(typeLayer, packed)
	if err != nil {
		return "", err
	}
	conf, err := addJSON(typeConfig, configOf(spec, diffID))
	if err != nil {
		return "", err
	}
	m, err := addJSON(typeManifest, manifest{SchemaVersion: 2, MediaType: typeManifest, Config: &conf, Layers: []descriptor{rows}})
	if err != nil {
		return "", err
	}
	m.Annotations = map[string]string{"org.opencontainers.image.ref.name": spec.Name, "io.containerd.image.name": spec.Name}
	for _, f := range []struct {
		name string
		v    any
	}{
		{"oci-layout", map[string]string{"imageLayoutVersion": "1.0.0"}},
		{"index.json", manifest{SchemaVersion: 2, MediaType: typeIndex, Manifests: []descriptor{m}}},
		{"manifest.json", []saved{{Config: blobPath(conf), RepoTags: []string{spec.Name}, Layers: []string{blobPath(rows)}}}},
	} {
		b, err := json.Marshal(f.v)
		if err != nil {
			return "", err
		}
		if err := addFile(t, tar.Header{Name: f.name, Mode: 0o644}, b); err != nil {
			return "", err
		}
	}
	return m.Digest, t.Close()
}

// configOf is how a container of the image runs.
func configOf(spec Spec, diffID string) config {
	return config{
		Architecture: spec.Arch, OS: "linux", Created: time.Unix(0, 0).UTC(),
		Config: runConfig{
			User: fmt.Sprintf("%d:%d", User, User), Entrypoint: []string{"/tutti"}, WorkingDir: "/",
			Env:          []string{"PATH=/", "SSL_CERT_FILE=/etc/ssl/certs/ca-certificates.crt"},
			ExposedPorts: map[string]struct{}{"8080/tcp": {}, "8081/tcp": {}},
			Labels: map[string]string{
				"org.opencontainers.image.title":    "Tutti",
				"org.opencontainers.image.version":  spec.Version,
				"org.opencontainers.image.licenses": "Apache-2.0",
				"org.opencontainers.image.source":   "https://github.com/tuttidb/tutti",
			},
		},
		RootFS: rootFS{Type: "layers", DiffIDs: []string{diffID}},
	}
}

func digestOf(b []byte) string {
	sum := sha256.Sum256(b)
	return "sha256:" + hex.EncodeToString(sum[:])
}

func blobPath(d descriptor) string { return "blobs/sha256/" + d.Digest[len("sha256:"):] }
