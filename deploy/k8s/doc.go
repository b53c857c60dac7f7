// Package k8s holds what Tutti needs on Kubernetes, and the tests of it that
// need no API server.
//
// The Helm chart in chart is the one description of the objects. The manifests
// in kustomize/base are the chart as it comes, rendered; TestManifests keeps
// them so. image packs the binary into a container image.
//
// The tests run the real helm and kustomize, built once from their Go modules
// into .cache/bin: what they render for each file in testdata/values is kept in
// testdata/golden, and is checked for what must hold for any values: selectors
// match, nobody is root, flags are ones that the binary has. After a change of
// the chart, `go test ./deploy/k8s -update` writes the new text for review.
// test/k8s installs the same variants into a real control plane.
package k8s
