// Command cluster installs Tutti into a real Kubernetes control plane and says
// whether it behaves: make test-k8s.
//
// kube-apiserver, etcd, kube-controller-manager and kube-scheduler run as
// processes in a network namespace that this command makes and that ends with
// it, so that nothing outside is touched and no port is taken. The nodes are
// those of test/k8s/kubelet: their Pods are real processes of the real image.
// It needs root on Linux, iproute2, and the binaries that the Makefile builds;
// no container engine and no network.
//
// The steps are in steps.go. Each prints a line; the first that fails ends the
// run with the logs' folder and exit code 1.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"os/signal"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/tuttidb/tutti/test/k8s/kubelet"
)

// options are the command's flags.
type options struct {
	Bin, Helm, Kustomize string
	Image                string // made by make image
	Chart, Values        string
	Manifests            string
	Dir                  string
	Coordinators         int
	Inside               bool
}

func main() {
	if err := run(os.Args[1:]); err != nil {
		if !errors.Is(err, errSaid) {
			fmt.Fprintln(os.Stderr, "cluster:", err)
		}
		os.Exit(1)
	}
}

func run(args []string) error {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	switch {
	case len(args) == 2 && args[0] == kubelet.InitCommand:
		return kubelet.ContainerInit(args[1])
	case len(args) == 2 && args[0] == nodeCommand:
		return runNode(ctx, args[1])
	}
	var o options
	fs := flag.NewFlagSet("cluster", flag.ExitOnError)
	fs.StringVar(&o.Bin, "bin", "", "folder with etcd, kube-apiserver, kube-controller-manager, kube-scheduler, kubectl")
	fs.StringVar(&o.Helm, "helm", "helm", "helm")
	fs.StringVar(&o.Kustomize, "kustomize", "kustomize", "kustomize")
	fs.StringVar(&o.Image, "image", "bin/tutti-image.tar", "image that make image has made")
	fs.StringVar(&o.Chart, "chart", "deploy/k8s/chart", "chart")
	fs.StringVar(&o.Values, "values", "deploy/k8s/testdata/values", "folder with values of the variants")
	fs.StringVar(&o.Manifests, "manifests", "deploy/k8s/kustomize", "folder of manifests")
	fs.StringVar(&o.Dir, "dir", "", "folder for data and logs; a temporary one that stays if something fails")
	fs.IntVar(&o.Coordinators, "coordinators", 3, "coordinators to install: 1, 3 or 5")
	fs.BoolVar(&o.Inside, "inside", false, "for the command's own use")
	if err := fs.Parse(args); err != nil {
		return err
	}
	if !o.Inside {
		return apart(ctx, args)
	}
	return inside(ctx, o)
}

// errSaid is a failure that the command inside has told of.
var errSaid = errors.New("the run inside has failed")

// apart runs this command again in network and mount namespaces of its own.
func apart(ctx context.Context, args []string) error {
	self, err := os.Executable()
	if err != nil {
		return err
	}
	cmd := exec.CommandContext(ctx, self, append([]string{"-inside"}, args...)...)
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: unix.CLONE_NEWNET | unix.CLONE_NEWNS, Pdeathsig: syscall.SIGKILL}
	err = cmd.Run()
	if exit := (*exec.ExitError)(nil); errors.As(err, &exit) {
		return errSaid
	}
	return err
}

// network makes the bridge of the Pods, and has every address of a Service
// answered here.
func network() error {
	for _, args := range [][]string{
		{"link", "set", "lo", "up"},
		{"link", "add", kubelet.Bridge, "type", "bridge"},
		{"addr", "add", podGateway + "/16", "dev", kubelet.Bridge},
		{"link", "set", kubelet.Bridge, "up"},
		{"route", "add", "local", serviceRange, "dev", "lo"},
	} {
		if out, err := exec.Command("ip", args...).CombinedOutput(); err != nil {
			return fmt.Errorf("ip %v: %w: %s", args, err, out)
		}
	}
	return nil
}

// nodeCommand is the first argument of a node's process; the second is a nodeSpec.
const nodeCommand = "node"

// nodeSpec is what the process of a node is told.
type nodeSpec struct {
	kubelet.Config
	URL, Token, Images, Hosts string
}

// runNode is a node of the cluster. SIGKILL is the loss of a machine.
func runNode(ctx context.Context, text string) error {
	var spec nodeSpec
	if err := json.Unmarshal([]byte(text), &spec); err != nil {
		return err
	}
	host := &kubelet.Host{Images: spec.Images, Hosts: spec.Hosts}
	log := slog.New(slog.NewTextHandler(os.Stderr, nil))
	return kubelet.NewNode(spec.Config, kubelet.NewAPI(spec.URL, spec.Token), host, log).Run(ctx)
}
