package kubelet

import (
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

// diskAPI is as much of an API server as Disks and claims see: it binds what
// is made at once, as the controller manager does, and keeps what is deleted
// in a list.
type diskAPI struct {
	mu      sync.Mutex
	claims  map[string]map[string]any
	volumes map[string]map[string]any
	deleted []string
	tokens  []string
}

func newDiskAPI(t *testing.T) (*diskAPI, *API) {
	t.Helper()
	f := &diskAPI{claims: map[string]map[string]any{}, volumes: map[string]map[string]any{}}
	list := func(of func() map[string]map[string]any) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			f.mu.Lock()
			defer f.mu.Unlock()
			items := []any{}
			for _, o := range of() {
				items = append(items, o)
			}
			_ = json.NewEncoder(w).Encode(map[string]any{"items": items}) // a test server's answer
		}
	}
	one := func(of func() map[string]map[string]any) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			f.mu.Lock()
			defer f.mu.Unlock()
			if o, there := of()[r.PathValue("name")]; there {
				_ = json.NewEncoder(w).Encode(o) // as above
				return
			}
			fail(w, 404, r.PathValue("name")+" not found")
		}
	}
	claims, volumes := func() map[string]map[string]any { return f.claims }, func() map[string]map[string]any { return f.volumes }
	mux := http.NewServeMux()
	mux.HandleFunc("GET /api/v1/persistentvolumeclaims", list(claims))
	mux.HandleFunc("GET /api/v1/persistentvolumes", list(volumes))
	mux.HandleFunc("GET /api/v1/namespaces/lake/persistentvolumeclaims/{name}", one(claims))
	mux.HandleFunc("GET /api/v1/persistentvolumes/{name}", one(volumes))
	mux.HandleFunc("POST /api/v1/persistentvolumes", f.post)
	mux.HandleFunc("POST /api/v1/namespaces/lake/serviceaccounts/me/token", f.token)
	mux.HandleFunc("DELETE /api/v1/persistentvolumes/{name}", func(_ http.ResponseWriter, r *http.Request) {
		f.mu.Lock()
		defer f.mu.Unlock()
		delete(f.volumes, r.PathValue("name"))
		f.deleted = append(f.deleted, r.PathValue("name"))
	})
	s := httptest.NewTLSServer(mux)
	t.Cleanup(s.Close)
	return f, NewAPI(s.URL, "token")
}

func (f *diskAPI) post(w http.ResponseWriter, r *http.Request) {
	var v map[string]any
	if err := json.NewDecoder(r.Body).Decode(&v); err != nil {
		fail(w, 400, err.Error())
		return
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	name := v["metadata"].(map[string]any)["name"].(string)
	if f.volumes[name] != nil {
		fail(w, 409, "exists")
		return
	}
	v["status"] = map[string]any{"phase": "Bound"}
	f.volumes[name] = v
	claim := f.claims[v["spec"].(map[string]any)["claimRef"].(map[string]any)["name"].(string)]
	claim["spec"].(map[string]any)["volumeName"], claim["status"] = name, map[string]any{"phase": "Bound"}
}

func (f *diskAPI) token(w http.ResponseWriter, r *http.Request) {
	b, _ := io.ReadAll(r.Body) // what is missing is seen in the text
	f.mu.Lock()
	defer f.mu.Unlock()
	f.tokens = append(f.tokens, string(b))
	_, _ = io.WriteString(w, `{"status": {"token": "swordfish"}}`) // a test server's answer
}

// claim adds a claim of a class.
func (f *diskAPI) claim(name, class string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.claims[name] = map[string]any{
		"metadata": map[string]any{"name": name, "namespace": "lake", "uid": "uid-" + name},
		"spec": map[string]any{
			"storageClassName": class, "accessModes": []string{"ReadWriteOnce"}, "resources": map[string]any{"requests": map[string]string{"storage": "2Gi"}},
		},
	}
}

// TestDisks follows claims from their making to their end.
func TestDisks(t *testing.T) {
	f, api := newDiskAPI(t)
	dir := t.TempDir()
	d := NewDisks(api, dir, slog.New(slog.DiscardHandler))
	f.claim("one", DiskClass)
	f.claim("two", DiskClass)
	f.claim("other", "fast")
	for range 3 { // once is enough
		if err := d.sync(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	if len(f.volumes) != 2 {
		t.Fatalf("volumes %v", f.volumes)
	}
	spec := fmt.Sprint(f.volumes["folder-uid-one"]["spec"])
	for _, want := range []string{"storage:2Gi", "accessModes:[ReadWriteOnce]", "uid:uid-one", "storageClassName:folders"} {
		if !strings.Contains(spec, want) {
			t.Errorf("%s has no %s", spec, want)
		}
	}
	path, err := api.Disk(t.Context(), "lake", "one")
	if err != nil || path != filepath.Join(dir, "folder-uid-one") {
		t.Errorf("%s (%v)", path, err)
	}
	if info, err := os.Stat(path); err != nil || !info.IsDir() {
		t.Errorf("%v (%v)", info, err)
	}
	for claim, want := range map[string]string{"other": "not bound", "missing": "not found"} {
		if _, err := api.Disk(t.Context(), "lake", claim); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v, want %q", claim, err, want)
		}
	}
	// The claim has gone: the folder goes, and the other one stays.
	delete(f.claims, "one")
	f.volumes["folder-uid-one"]["status"] = map[string]any{"phase": "Released"}
	if err := d.sync(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(path); !os.IsNotExist(err) || len(f.deleted) != 1 || len(f.volumes) != 1 {
		t.Errorf("%v, deleted %v, left %d", err, f.deleted, len(f.volumes))
	}
}

// TestDisksAreOurs: a volume that claims to be ours and lies elsewhere is left alone.
func TestDisksAreOurs(t *testing.T) {
	f, api := newDiskAPI(t)
	elsewhere := t.TempDir()
	f.volumes["v"] = map[string]any{
		"metadata": map[string]any{"name": "v"}, "status": map[string]any{"phase": "Released"},
		"spec": map[string]any{"storageClassName": DiskClass, "hostPath": map[string]any{"path": elsewhere}},
	}
	err := NewDisks(api, t.TempDir(), slog.New(slog.DiscardHandler)).sync(t.Context())
	if err == nil || !strings.Contains(err.Error(), "not below") || len(f.deleted) > 0 {
		t.Errorf("got %v, deleted %v", err, f.deleted)
	}
	if _, err := os.Stat(elsewhere); err != nil {
		t.Error(err)
	}
}

func TestAccountToken(t *testing.T) {
	f, api := newDiskAPI(t)
	p := podOf(t, "p", `"containers": [], "serviceAccountName": "me"`)
	token, err := api.AccountToken(t.Context(), p, 3600)
	if err != nil || token != "swordfish" || len(f.tokens) != 1 || !strings.Contains(f.tokens[0], `"expirationSeconds":3600`) || !strings.Contains(f.tokens[0], `"name":"p"`) {
		t.Errorf("%q (%v), asked %v", token, err, f.tokens)
	}
}
