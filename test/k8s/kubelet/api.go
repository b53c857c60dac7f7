package kubelet

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
)

// API calls a Kubernetes API server, with objects as this package declares
// them: a node needs few of their fields.
type API struct {
	URL, Token string
	client     *http.Client
}

// NewAPI returns a client of the API server at base. Its certificate is not
// checked: it is a stranger's only if someone else is in our own namespace.
func NewAPI(base, token string) *API {
	transport := &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}, MaxIdleConnsPerHost: 8}
	return &API{URL: base, Token: token, client: &http.Client{Transport: transport}}
}

// StatusError is an answer that is not a success.
type StatusError struct {
	Code    int
	Message string
}

func (e *StatusError) Error() string { return fmt.Sprintf("%d: %s", e.Code, e.Message) }

// Do sends a request; body and into may be nil. The content type is JSON, or
// for a PATCH the strategic merge of Kubernetes.
func (a *API) Do(ctx context.Context, method, path string, body, into any) error {
	var r io.Reader
	if body != nil {
		b, err := json.Marshal(body)
		if err != nil {
			return err
		}
		r = bytes.NewReader(b)
	}
	req, err := http.NewRequestWithContext(ctx, method, a.URL+path, r)
	if err != nil {
		return err
	}
	req.Header.Set("Authorization", "Bearer "+a.Token)
	req.Header.Set("Content-Type", "application/json")
	if method == http.MethodPatch {
		req.Header.Set("Content-Type", "application/strategic-merge-patch+json")
	}
	resp, err := a.client.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		return err
	}
	if resp.StatusCode >= 300 {
		return &StatusError{Code: resp.StatusCode, Message: messageOf(b)}
	}
	if into == nil {
		return nil
	}
	return json.Unmarshal(b, into)
}

// messageOf is what the API server says in its Status object.
func messageOf(b []byte) string {
	var s struct{ Message string }
	if json.Unmarshal(b, &s) == nil && s.Message != "" {
		return s.Message
	}
	return string(b[:min(len(b), 300)])
}

// Pods lists the Pods of a node.
func (a *API) Pods(ctx context.Context, node string) ([]Pod, error) {
	var list struct{ Items []Pod }
	err := a.Do(ctx, http.MethodGet, "/api/v1/pods?fieldSelector="+url.QueryEscape("spec.nodeName="+node), nil, &list)
	return list.Items, err
}

// Values returns the contents of a ConfigMap or a Secret.
func (a *API) Values(ctx context.Context, kind, namespace, name string) (map[string][]byte, error) {
	if kind == "secrets" {
		var s struct{ Data map[string][]byte }
		err := a.Do(ctx, http.MethodGet, "/api/v1/namespaces/"+namespace+"/secrets/"+name, nil, &s)
		return s.Data, err
	}
	var c struct{ Data map[string]string }
	err := a.Do(ctx, http.MethodGet, "/api/v1/namespaces/"+namespace+"/"+kind+"/"+name, nil, &c)
	out := map[string][]byte{}
	for k, v := range c.Data {
		out[k] = []byte(v)
	}
	return out, err
}

// Disk returns the folder of this machine that a claim is bound to.
func (a *API) Disk(ctx context.Context, namespace, claim string) (string, error) {
	var c claimObject
	if err := a.Do(ctx, http.MethodGet, "/api/v1/namespaces/"+namespace+"/persistentvolumeclaims/"+claim, nil, &c); err != nil {
		return "", err
	}
	if c.Spec.VolumeName == "" || c.Status.Phase != "Bound" {
		return "", fmt.Errorf("claim %s is not bound", claim)
	}
	var v volumeObject
	if err := a.Do(ctx, http.MethodGet, "/api/v1/persistentvolumes/"+c.Spec.VolumeName, nil, &v); err != nil {
		return "", err
	}
	if v.Spec.HostPath.Path == "" {
		return "", fmt.Errorf("not supported: volume %s is not a folder of this machine", c.Spec.VolumeName)
	}
	return v.Spec.HostPath.Path, nil
}

// AccountToken returns a token for a Pod's account.
func (a *API) AccountToken(ctx context.Context, p *Pod, seconds int) (string, error) {
	var t struct{ Status struct{ Token string } }
	body := map[string]any{"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": map[string]any{
		"expirationSeconds": seconds,
		"boundObjectRef":    map[string]any{"apiVersion": "v1", "kind": "Pod", "name": p.Metadata.Name, "uid": p.Metadata.UID},
	}}
	err := a.Do(ctx, http.MethodPost, "/api/v1/namespaces/"+p.Metadata.Namespace+"/serviceaccounts/"+p.Spec.ServiceAccount+"/token", body, &t)
	return t.Status.Token, err
}

// SetStatus merges a Pod's status, which goes to nobody but this very Pod.
func (a *API) SetStatus(ctx context.Context, p *Pod, s PodStatus) error {
	body := map[string]any{"metadata": map[string]any{"uid": p.Metadata.UID}, "status": s}
	return a.Do(ctx, http.MethodPatch, p.path()+"/status", body, nil)
}

// Remove deletes a Pod that has ended, for good.
func (a *API) Remove(ctx context.Context, p *Pod) error {
	body := map[string]any{
		"kind": "DeleteOptions", "apiVersion": "v1", "gracePeriodSeconds": 0,
		"preconditions": map[string]any{"uid": p.Metadata.UID},
	}
	return a.Do(ctx, http.MethodDelete, p.path(), body, nil)
}
