// Command image packs a static tutti binary into a container image, without a
// container engine, a base image or a registry: nothing but the binary, the
// certificates that object stores are checked against, and a user that is not
// root. It is what a Dockerfile of FROM scratch and four lines would make.
//
// The output is one tar file that is both an OCI image layout and what `docker
// save` writes, so `docker load`, `podman load`, `ctr image import`, `kind load
// image-archive` and `skopeo copy oci-archive:` all take it. The same inputs
// give the same bytes: times are zero, the order is fixed.
package main

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
)

func main() {
	var spec Spec
	var out string
	flag.StringVar(&spec.Binary, "binary", "bin/tutti", "the static binary")
	flag.StringVar(&spec.Certificates, "certs", "/etc/ssl/certs/ca-certificates.crt", "certificate authorities in PEM; empty for none")
	flag.StringVar(&spec.Name, "name", "tutti:dev", "name and tag of the image")
	flag.StringVar(&spec.Version, "version", "dev", "version for the image's labels")
	flag.StringVar(&spec.Arch, "arch", runtime.GOARCH, "architecture that the binary is for")
	flag.StringVar(&out, "o", "bin/tutti-image.tar", "file to write")
	flag.Parse()
	digest, err := build(spec, out)
	if err != nil {
		fmt.Fprintln(os.Stderr, "image:", err)
		os.Exit(1)
	}
	fmt.Printf("%s (%s, %s) → %s\n", spec.Name, spec.Arch, digest, out)
}

// build writes the image of spec to the file out, all or nothing, and returns
// the digest of its manifest.
func build(spec Spec, out string) (digest string, err error) {
	tmp, err := os.CreateTemp(filepath.Dir(out), ".image-")
	if err != nil {
		return "", err
	}
	defer func() {
		if err != nil {
			err = fmt.Errorf("%s: %w", out, err)
			_ = os.Remove(tmp.Name()) // the first error is the one to tell
		}
	}()
	if digest, err = Write(tmp, spec); err != nil {
		_ = tmp.Close() // as above
		return "", err
	}
	if err = tmp.Chmod(0o644); err != nil {
		return "", err
	}
	if err = tmp.Close(); err != nil {
		return "", err
	}
	return digest, os.Rename(tmp.Name(), out)
}
