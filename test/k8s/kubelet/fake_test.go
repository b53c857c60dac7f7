package kubelet

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// fakeAPI is as much of an API server as a node sees.
type fakeAPI struct {
	mu      sync.Mutex
	pods    map[string]*Pod // by name
	secrets map[string]map[string][]byte
	nodes   []string
	status  map[string][]PodStatus // all that was said, by name
	removed []string
	leases  int
}

func newFakeAPI(t *testing.T) (*fakeAPI, *API) {
	t.Helper()
	f := &fakeAPI{pods: map[string]*Pod{}, secrets: map[string]map[string][]byte{}, status: map[string][]PodStatus{}}
	mux := http.NewServeMux()
	mux.HandleFunc("POST /api/v1/nodes", f.postNode)
	mux.HandleFunc("PATCH /api/v1/nodes/{name}/status", func(http.ResponseWriter, *http.Request) {})
	mux.HandleFunc("/apis/coordination.k8s.io/", f.lease)
	mux.HandleFunc("GET /api/v1/pods", f.listPods)
	mux.HandleFunc("PATCH /api/v1/namespaces/{ns}/pods/{name}/status", f.patchStatus)
	mux.HandleFunc("DELETE /api/v1/namespaces/{ns}/pods/{name}", f.deletePod)
	mux.HandleFunc("GET /api/v1/namespaces/{ns}/secrets/{name}", f.getSecret)
	s := httptest.NewTLSServer(mux)
	t.Cleanup(s.Close)
	return f, NewAPI(s.URL, "token")
}

func fail(w http.ResponseWriter, code int, message string) {
	w.WriteHeader(code)
	_ = json.NewEncoder(w).Encode(map[string]string{"message": message}) // a test server's answer
}

func (f *fakeAPI) postNode(w http.ResponseWriter, r *http.Request) {
	var n struct{ Metadata Meta }
	if json.NewDecoder(r.Body).Decode(&n) != nil || r.Header.Get("Authorization") != "Bearer token" {
		fail(w, 401, "no")
		return
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.nodes = append(f.nodes, n.Metadata.Name)
}

func (f *fakeAPI) lease(w http.ResponseWriter, r *http.Request) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.leases++
	if r.Method == http.MethodPost && f.leases > 1 {
		fail(w, 409, "exists")
	}
}

func (f *fakeAPI) listPods(w http.ResponseWriter, r *http.Request) {
	f.mu.Lock()
	defer f.mu.Unlock()
	var list struct {
		Items []*Pod `json:"items"`
	}
	for _, p := range f.pods {
		if r.FormValue("fieldSelector") == "spec.nodeName="+p.Spec.NodeName {
			list.Items = append(list.Items, p)
		}
	}
	_ = json.NewEncoder(w).Encode(list) // a test server's answer
}

func (f *fakeAPI) patchStatus(w http.ResponseWriter, r *http.Request) {
	var body struct {
		Metadata Meta
		Status   PodStatus
	}
	if err := json.NewDecoder(r.Body).Decode(&body); err != nil {
		fail(w, 400, err.Error())
		return
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	p := f.pods[r.PathValue("name")]
	if p == nil || p.Metadata.UID != body.Metadata.UID || !strings.HasPrefix(r.Header.Get("Content-Type"), "application/strategic-merge-patch") {
		fail(w, 404, "gone")
		return
	}
	f.status[p.Metadata.Name] = append(f.status[p.Metadata.Name], body.Status)
}

func (f *fakeAPI) deletePod(w http.ResponseWriter, r *http.Request) {
	var body struct {
		GracePeriodSeconds int
		Preconditions      struct{ UID string }
	}
	_ = json.NewDecoder(r.Body).Decode(&body) // what is missing is refused below
	f.mu.Lock()
	defer f.mu.Unlock()
	p := f.pods[r.PathValue("name")]
	switch {
	case p == nil:
		fail(w, 404, "gone")
	case p.Metadata.UID != body.Preconditions.UID:
		fail(w, 409, "another one")
	default:
		delete(f.pods, p.Metadata.Name)
		f.removed = append(f.removed, p.Metadata.Name)
	}
}

func (f *fakeAPI) getSecret(w http.ResponseWriter, r *http.Request) {
	f.mu.Lock()
	defer f.mu.Unlock()
	data, there := f.secrets[r.PathValue("name")]
	if !there {
		fail(w, 404, `secrets "`+r.PathValue("name")+`" not found`)
		return
	}
	_ = json.NewEncoder(w).Encode(map[string]any{"data": data}) // a test server's answer
}

// change alters the fake's state.
func (f *fakeAPI) change(do func()) {
	f.mu.Lock()
	defer f.mu.Unlock()
	do()
}

// said waits until the newest status of a Pod is as wanted.
func (f *fakeAPI) said(t *testing.T, pod, what string, is func(PodStatus) bool) PodStatus {
	t.Helper()
	var last PodStatus
	eventually(t, what, func() bool {
		f.mu.Lock()
		defer f.mu.Unlock()
		all := f.status[pod]
		if len(all) == 0 {
			return false
		}
		last = all[len(all)-1]
		return is(last)
	})
	return last
}

func eventually(t *testing.T, what string, is func() bool) {
	t.Helper()
	for end := time.Now().Add(20 * time.Second); !is(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("never: %s", what)
		}
	}
}

// fakeRuntime starts processes that do what a test says.
type fakeRuntime struct {
	mu      sync.Mutex
	boxes   int // open sandboxes
	started []*fakeProcess
	deaf    bool // new processes do not end on SIGTERM
}

type fakeProcess struct {
	spec    Spec
	deaf    bool
	mu      sync.Mutex
	signals []syscall.Signal
	code    int
	done    chan struct{}
	once    sync.Once
}

func (r *fakeRuntime) Sandbox(string) (Sandbox, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.boxes++
	return r, nil
}

func (r *fakeRuntime) Close() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.boxes--
	return nil
}

func (r *fakeRuntime) Start(s Spec) (Process, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	p := &fakeProcess{spec: s, deaf: r.deaf, done: make(chan struct{})}
	r.started = append(r.started, p)
	return p, nil
}

// process waits for the nth process to have been started.
func (r *fakeRuntime) process(t *testing.T, n int) (p *fakeProcess) {
	t.Helper()
	eventually(t, "the process starts", func() bool {
		r.mu.Lock()
		defer r.mu.Unlock()
		if len(r.started) > n {
			p = r.started[n]
		}
		return p != nil
	})
	return p
}

func (p *fakeProcess) exit(code int) {
	p.once.Do(func() {
		p.code = code
		close(p.done)
	})
}

func (p *fakeProcess) Signal(s syscall.Signal) error {
	p.mu.Lock()
	p.signals = append(p.signals, s)
	p.mu.Unlock()
	if s == syscall.SIGKILL {
		p.exit(137)
	} else if !p.deaf {
		p.exit(0)
	}
	return nil
}

func (p *fakeProcess) Done() <-chan struct{} { return p.done }
func (p *fakeProcess) Code() int             { return p.code }
