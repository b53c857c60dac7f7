// Package ui holds the web page: plain HTML, CSS and JavaScript modules that
// read the JSON under /v1 and nothing else. The files are part of the binary;
// there is no build step and nothing comes from other hosts.
package ui

import (
	"embed"
	"io/fs"
)

//go:embed static
var static embed.FS

// Files returns the page's files, to be served at /ui/.
func Files() fs.FS {
	files, err := fs.Sub(static, "static")
	if err != nil {
		return static // "static" is a valid path, so this cannot be
	}
	return files
}
