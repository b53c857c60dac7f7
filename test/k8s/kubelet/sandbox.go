package kubelet

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// Bridge is the bridge that Pods hang on; whoever makes the namespace that a
// cluster lives in makes it, see test/k8s/cluster.
const Bridge = "br0"

// InitCommand is the first argument with which this executable is started
// again to become a container: main must call ContainerInit then.
const InitCommand = "container-init"

// Host is the Runtime of a Linux machine. It needs root and a network
// namespace of its own that has the bridge.
type Host struct {
	Images string // folder with the unpacked files of each image, see ImageDir
	Hosts  string // hosts file of all Pods
}

// ImageDir is the folder of an image's files.
func (h *Host) ImageDir(image string) string {
	return filepath.Join(h.Images, strings.NewReplacer("/", "_", ":", "_", "@", "_").Replace(image))
}

// box is a network namespace, held by an open file.
type box struct {
	host *Host
	net  *os.File
	link string
}

// Sandbox makes a network namespace with an address on the bridge.
func (h *Host) Sandbox(ip string) (Sandbox, error) {
	b := &box{host: h, link: "p" + strings.ReplaceAll(strings.TrimPrefix(ip, "10.244."), ".", "-")}
	if err := apart(func() error { return b.create() }); err != nil {
		return nil, err
	}
	// The end inside goes to the namespace by the path of the open file.
	ns := fmt.Sprintf("/proc/%d/fd/%d", os.Getpid(), b.net.Fd())
	_ = command("ip", "link", "del", b.link) // of a node that was lost, whose namespaces go a little later
	err := command("ip", "link", "add", b.link, "type", "veth", "peer", "name", "eth0", "netns", ns)
	if err == nil {
		err = command("ip", "link", "set", b.link, "master", Bridge, "up")
	}
	if err == nil {
		err = b.enter(func() error {
			return errors.Join(
				command("ip", "link", "set", "lo", "up"),
				command("ip", "addr", "add", ip+"/16", "dev", "eth0"),
				command("ip", "link", "set", "eth0", "up"),
				command("ip", "route", "add", "default", "via", nodeIP),
			)
		})
	}
	if err != nil {
		return nil, errors.Join(err, b.Close())
	}
	return b, nil
}

// create makes the namespace; the calling thread is in it afterwards.
func (b *box) create() error {
	if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
		return fmt.Errorf("network namespace: %w", err)
	}
	f, err := os.Open("/proc/thread-self/ns/net")
	b.net = f
	return err
}

// apart runs f on a thread whose network namespace f may change; it is put
// back afterwards. Processes that f starts are in the thread's namespace.
func apart(f func() error) error {
	runtime.LockOSThread()
	back, err := os.Open("/proc/thread-self/ns/net")
	if err != nil {
		runtime.UnlockOSThread()
		return err
	}
	defer back.Close()
	err = f()
	if e := unix.Setns(int(back.Fd()), unix.CLONE_NEWNET); e != nil {
		// The thread must not run anything else: it stays locked, and ends with its goroutine.
		return errors.Join(err, fmt.Errorf("leaving a network namespace: %w", e))
	}
	runtime.UnlockOSThread()
	return err
}

// enter runs f in the namespace.
func (b *box) enter(f func() error) error {
	return apart(func() error {
		if err := unix.Setns(int(b.net.Fd()), unix.CLONE_NEWNET); err != nil {
			return fmt.Errorf("entering a network namespace: %w", err)
		}
		return f()
	})
}

func command(name string, args ...string) error {
	if out, err := exec.Command(name, args...).CombinedOutput(); err != nil {
		return fmt.Errorf("%s %s: %w: %s", name, strings.Join(args, " "), err, out)
	}
	return nil
}

// linger is how long the link of a Pod outlives its process. What the kernel
// tells the peers when a process dies, that its connections are at an end, is
// still under way on a busy machine, and is lost with the link: they would wait
// for an answer until they give up. Other kubelets take longer than this.
const linger = 500 * time.Millisecond

// Close gives the namespace up; the link goes with it.
func (b *box) Close() error {
	if b.net == nil {
		return nil
	}
	time.Sleep(linger)
	_ = command("ip", "link", "del", b.link) // it may be gone already
	return b.net.Close()
}

// Start starts a process in the sandbox.
func (b *box) Start(s Spec) (Process, error) {
	image := b.host.ImageDir(s.Image)
	if _, err := os.Stat(image); err != nil {
		return nil, fmt.Errorf("image %s: %w", s.Image, err)
	}
	in := initSpec{Spec: s, Root: filepath.Join(s.Dir, "root"), ImageDir: image, Hosts: b.host.Hosts, Parent: os.Getpid()}
	if err := in.mountPoints(); err != nil {
		return nil, err
	}
	text, err := json.Marshal(in)
	if err != nil {
		return nil, err
	}
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	out, err := os.OpenFile(s.Log, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o644)
	if err != nil {
		return nil, err
	}
	defer out.Close()
	cmd := exec.Command(self, InitCommand, string(text))
	cmd.Stdout, cmd.Stderr = out, out
	cmd.Env = []string{}
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: unix.CLONE_NEWNS, Setpgid: true}
	if err := b.enter(cmd.Start); err != nil {
		return nil, err
	}
	p := &process{cmd: cmd, done: make(chan struct{})}
	go p.wait()
	return p, nil
}

// process is a container's process.
type process struct {
	cmd  *exec.Cmd
	done chan struct{}
	once sync.Once
}

func (p *process) wait() {
	_ = p.cmd.Wait() // the exit code says it
	p.once.Do(func() { close(p.done) })
}

func (p *process) Signal(s syscall.Signal) error {
	if err := p.cmd.Process.Signal(s); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return err
	}
	return nil
}

func (p *process) Done() <-chan struct{} { return p.done }

func (p *process) Code() int {
	state := p.cmd.ProcessState
	if w, ok := state.Sys().(syscall.WaitStatus); ok && w.Signaled() {
		return 128 + int(w.Signal())
	}
	return state.ExitCode()
}

// initSpec is what a process needs to know to become a container.
type initSpec struct {
	Spec
	Root, ImageDir, Hosts string
	Parent                int
}

// mountPoints makes what is mounted on, in the image's files, as container
// engines do.
func (in *initSpec) mountPoints() error {
	dirs := []string{"/proc", "/dev", "/etc"}
	for _, m := range in.Mounts {
		dirs = append(dirs, m.Target)
	}
	errs := []error{os.MkdirAll(in.Root, 0o755)}
	for _, d := range dirs {
		errs = append(errs, os.MkdirAll(filepath.Join(in.ImageDir, d), 0o755))
	}
	for _, name := range []string{"etc/hosts", "etc/resolv.conf"} {
		f, err := os.OpenFile(filepath.Join(in.ImageDir, name), os.O_CREATE|os.O_WRONLY, 0o644)
		if err == nil {
			err = f.Close()
		}
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}

// ContainerInit makes this process, which is alone in its mount namespace, the
// container that text describes. It returns only if that fails.
func ContainerInit(text string) error {
	var in initSpec
	if err := json.Unmarshal([]byte(text), &in); err != nil {
		return err
	}
	if err := in.mount(); err != nil {
		return err
	}
	if err := in.drop(); err != nil {
		return err
	}
	env := make([]string, 0, len(in.Env)+1)
	env = append(env, "SSL_CERT_FILE=/etc/ssl/certs/ca-certificates.crt")
	for k, v := range in.Env {
		env = append(env, k+"="+v)
	}
	return fmt.Errorf("%s: %w", in.Argv[0], syscall.Exec(in.Argv[0], in.Argv, env))
}

// mount makes the container's files and goes there.
func (in *initSpec) mount() error {
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
		return fmt.Errorf("private mounts: %w", err)
	}
	if err := bind(in.ImageDir, in.Root, false); err != nil {
		return err
	}
	binds := []Bind{{Source: "/proc", Target: "/proc"}, {Source: "/dev", Target: "/dev"}, {Source: in.Hosts, Target: "/etc/hosts", ReadOnly: true}}
	for _, m := range append(binds, in.Mounts...) {
		target := filepath.Join(in.Root, m.Target)
		if info, err := os.Stat(m.Source); err == nil && info.IsDir() {
			// It may lie in a volume that is mounted by now, and not be there.
			if err := os.MkdirAll(target, 0o755); err != nil {
				return err
			}
		}
		if err := bind(m.Source, target, m.ReadOnly); err != nil {
			return err
		}
	}
	if in.ReadOnlyRoot {
		if err := readOnly(in.Root); err != nil {
			return err
		}
	}
	if err := unix.Chroot(in.Root); err != nil {
		return fmt.Errorf("chroot: %w", err)
	}
	return unix.Chdir("/")
}

func bind(source, target string, ro bool) error {
	if err := unix.Mount(source, target, "", unix.MS_BIND, ""); err != nil {
		return fmt.Errorf("mounting %s on %s: %w", source, target, err)
	}
	if ro {
		return readOnly(target)
	}
	return nil
}

func readOnly(target string) error {
	if err := unix.Mount("", target, "", unix.MS_BIND|unix.MS_REMOUNT|unix.MS_RDONLY, ""); err != nil {
		return fmt.Errorf("making %s read-only: %w", target, err)
	}
	return nil
}

// drop gives up root and its privileges, and ties the process to its node: it
// is killed when the node's process ends.
func (in *initSpec) drop() error {
	if err := unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); err != nil {
		return err
	}
	if err := syscall.Setgroups([]int{in.FSGroup}); err != nil {
		return fmt.Errorf("groups: %w", err)
	}
	if err := syscall.Setgid(in.Group); err != nil {
		return fmt.Errorf("group: %w", err)
	}
	if err := syscall.Setuid(in.User); err != nil {
		return fmt.Errorf("user: %w", err)
	}
	// After the change of user, which clears it.
	if err := unix.Prctl(unix.PR_SET_PDEATHSIG, uintptr(syscall.SIGKILL), 0, 0, 0); err != nil {
		return err
	}
	if os.Getppid() != in.Parent {
		return errors.New("the node is gone")
	}
	return nil
}
