package kubelet

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"path/filepath"
	"sync"
	"syscall"
	"time"
)

// Runtime gives Pods a place to run. Its methods may be called at the same time.
type Runtime interface {
	// Sandbox makes a place with an address of its own.
	Sandbox(ip string) (Sandbox, error)
}

// Sandbox is the place of a Pod. Close comes when nothing runs in it any more.
type Sandbox interface {
	Start(Spec) (Process, error)
	Close() error
}

// Process is a container's process.
type Process interface {
	Signal(syscall.Signal) error
	// Done is closed when the process has ended; then Code is its exit code.
	Done() <-chan struct{}
	Code() int
}

// Spec is what a process is started with.
type Spec struct {
	Image        string
	Argv         []string
	Env          map[string]string
	Mounts       []Bind
	ReadOnlyRoot bool
	User, Group  int
	FSGroup      int
	Log          string // file that output is appended to
	Dir          string // folder of the Pod, for the runtime's use
}

// Bind puts a folder of the machine into a process's root.
type Bind struct {
	Source, Target string
	ReadOnly       bool
}

// restartPause is between the end of a container and its next start.
const restartPause = time.Second

// pod runs one Pod until it is told to stop.
type pod struct {
	p       *Pod
	c       *Container
	ip      string
	dir     string
	api     *API
	runtime Runtime
	log     *slog.Logger

	once  sync.Once
	stop  chan struct{}
	grace time.Duration

	mu       sync.Mutex // guards what is reported
	ready    bool
	started  bool
	restarts int
	state    map[string]any
	since    time.Time // of ready
	begun    time.Time
}

// end asks the Pod to stop within grace; the first call counts.
func (w *pod) end(grace time.Duration) {
	w.once.Do(func() {
		w.grace = grace
		close(w.stop)
	})
}

// unsupported says why a Pod cannot run on this kind of node, or nothing.
func unsupported(p *Pod) string {
	switch {
	case len(p.Spec.InitContainers) > 0:
		return "not supported: init containers"
	case len(p.Spec.Containers) != 1:
		return "not supported: several containers"
	}
	return ""
}

// run starts the Pod, starts it again when it ends, and returns when it was
// stopped and everything of it is gone.
func (w *pod) run(ctx context.Context) {
	w.begun = time.Now()
	w.since = w.begun
	if why := unsupported(w.p); why != "" {
		w.report(ctx, waiting("CreateContainerError", why))
		<-w.stop
		return
	}
	w.c = &w.p.Spec.Containers[0]
	box, err := w.runtime.Sandbox(w.ip)
	if err != nil {
		w.report(ctx, waiting("CreateContainerError", err.Error()))
		<-w.stop
		return
	}
	defer func() {
		if err := box.Close(); err != nil {
			w.log.Warn("sandbox", "error", err)
		}
	}()
	for {
		if w.container(ctx, box) {
			return
		}
		select {
		case <-w.stop:
			return
		case <-time.After(restartPause):
		}
	}
}

// container runs the container once, and reports whether the Pod was stopped.
func (w *pod) container(ctx context.Context, box Sandbox) (stopped bool) {
	spec, err := w.prepare(ctx)
	if err != nil {
		w.report(ctx, waiting("CreateContainerConfigError", err.Error()))
		return false
	}
	proc, err := box.Start(spec)
	if err != nil {
		w.report(ctx, waiting("CreateContainerError", err.Error()))
		return false
	}
	w.report(ctx, map[string]any{"running": map[string]any{"startedAt": time.Now()}})
	probing, cancel := context.WithCancel(ctx)
	defer cancel()
	sick := make(chan error, 1)
	go w.probe(probing, sick)
	select {
	case <-proc.Done():
		cancel()
		w.ended(ctx, proc.Code(), "Error")
		return false
	case err := <-sick:
		cancel()
		w.log.Warn("restarting what does not answer", "pod", w.p.Metadata.Name, "error", err)
		w.terminate(ctx, proc, 30*time.Second)
		w.ended(ctx, proc.Code(), "Unhealthy")
		return false
	case <-w.stop:
	}
	w.terminate(ctx, proc, w.grace)
	cancel()
	w.ended(ctx, proc.Code(), "Completed")
	return true
}

// ended reports that the container's process is gone.
func (w *pod) ended(ctx context.Context, code int, reason string) {
	w.mu.Lock()
	w.restarts++
	w.started = false
	w.mu.Unlock()
	w.setReady(ctx, false)
	w.report(ctx, map[string]any{"terminated": map[string]any{
		"exitCode": code, "reason": reason, "startedAt": w.begun, "finishedAt": time.Now(),
	}})
}

// terminate runs the preStop hook and ends the process: SIGTERM, and after the
// grace period, which the hook is part of, SIGKILL.
func (w *pod) terminate(ctx context.Context, proc Process, grace time.Duration) {
	limit, cancel := context.WithTimeout(ctx, grace)
	defer cancel()
	if hook := w.c.Lifecycle.PreStop; hook != nil {
		if err := act(limit, hook, w.c, w.ip); err != nil {
			w.log.Warn("preStop", "pod", w.p.Metadata.Name, "error", err)
		}
	}
	if err := proc.Signal(syscall.SIGTERM); err != nil {
		w.log.Warn("SIGTERM", "pod", w.p.Metadata.Name, "error", err)
	}
	select {
	case <-proc.Done():
		return
	case <-limit.Done():
	}
	w.log.Warn("killed after the grace period", "pod", w.p.Metadata.Name, "grace", grace)
	if err := proc.Signal(syscall.SIGKILL); err != nil {
		w.log.Warn("SIGKILL", "pod", w.p.Metadata.Name, "error", err)
	}
	<-proc.Done()
}

// prepare makes the folders and the environment of the container.
func (w *pod) prepare(ctx context.Context) (Spec, error) {
	env, err := environ(ctx, w.api.Values, w.p, w.c, w.ip)
	if err != nil {
		return Spec{}, err
	}
	folders, err := volumes(ctx, w.api, w.p, filepath.Join(w.dir, "volumes"))
	if err != nil {
		return Spec{}, err
	}
	security := w.p.Spec.SecurityContext
	spec := Spec{
		Image: w.c.Image, Env: env, ReadOnlyRoot: w.c.SecurityContext.ReadOnlyRootFilesystem,
		User: security.RunAsUser, Group: security.RunAsGroup, FSGroup: security.FSGroup,
		Log: filepath.Join(w.dir, "log"), Dir: w.dir,
	}
	for _, a := range append(append([]string{}, w.c.Command...), w.c.Args...) {
		spec.Argv = append(spec.Argv, expand(a, env))
	}
	if len(spec.Argv) == 0 {
		return Spec{}, errors.New("not supported: a container without command and arguments")
	}
	for _, m := range w.c.VolumeMounts {
		source, there := folders[m.Name]
		if !there {
			return Spec{}, fmt.Errorf("no volume %s", m.Name)
		}
		spec.Mounts = append(spec.Mounts, Bind{Source: source, Target: m.MountPath, ReadOnly: m.ReadOnly})
	}
	return spec, nil
}

// probe asks the container's probes; sick gets why it should be restarted.
func (w *pod) probe(ctx context.Context, sick chan<- error) {
	ask := func(ctx context.Context, h *Handler) error { return act(ctx, h, w.c, w.ip) }
	if p := w.c.StartupProbe; p != nil {
		if err := started(ctx, p, ask); err != nil {
			sick <- fmt.Errorf("startup probe: %w", err)
			return
		}
	}
	w.mu.Lock()
	w.started = true
	w.mu.Unlock()
	if p := w.c.LivenessProbe; p != nil {
		go watch(ctx, p, true, ask, func(good bool, why error) {
			if !good {
				select {
				case sick <- fmt.Errorf("liveness probe: %w", why):
				default:
				}
			}
		})
	}
	if p := w.c.ReadinessProbe; p != nil {
		watch(ctx, p, false, ask, func(good bool, _ error) { w.setReady(ctx, good) })
		return
	}
	w.setReady(ctx, true)
}

func waiting(reason, message string) map[string]any {
	return map[string]any{"waiting": map[string]any{"reason": reason, "message": message}}
}

// setReady reports a change of readiness.
func (w *pod) setReady(ctx context.Context, ready bool) {
	w.mu.Lock()
	if w.ready == ready {
		w.mu.Unlock()
		return
	}
	w.ready, w.since = ready, time.Now()
	state := maps.Clone(w.state)
	w.mu.Unlock()
	w.report(ctx, state)
}

// report sends the Pod's status with the container in a state. What cannot be
// sent is sent again with the next report; a Pod that is gone needs none.
func (w *pod) report(ctx context.Context, state map[string]any) {
	w.mu.Lock()
	w.state = state
	status := w.status()
	w.mu.Unlock()
	for range 5 {
		err := w.api.SetStatus(ctx, w.p, status)
		var refused *StatusError
		if err == nil || ctx.Err() != nil || errors.As(err, &refused) {
			if refused != nil && refused.Code != 404 {
				w.log.Warn("status", "pod", w.p.Metadata.Name, "error", err)
			}
			return
		}
		if pause(ctx, 100*time.Millisecond) != nil {
			return
		}
	}
}

// status is what is to be said of the Pod; mu is held.
func (w *pod) status() PodStatus {
	s := PodStatus{Phase: "Pending", HostIP: nodeIP, StartTime: &w.begun}
	if w.state["waiting"] == nil {
		// Not beside the address that it may have had before its node was lost.
		s.Phase, s.PodIP, s.PodIPs = "Running", w.ip, []map[string]any{{"$patch": "replace"}, {"ip": w.ip}}
	}
	ready := "False"
	if w.ready {
		ready = "True"
	}
	for kind, is := range map[string]string{"Initialized": "True", "ContainersReady": ready, "Ready": ready} {
		since := w.since
		s.Conditions = append(s.Conditions, Condition{Type: kind, Status: is, LastTransitionTime: &since})
	}
	if w.c != nil {
		s.ContainerStatuses = []ContainerStatus{{
			Name: w.c.Name, Image: w.c.Image, ImageID: w.c.Image, Ready: w.ready, Started: w.started, RestartCount: w.restarts, State: w.state,
		}}
	}
	return s
}
