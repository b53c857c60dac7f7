package kubelet

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
)

// DiskClass is the name of the storage class that Disks serves.
const DiskClass = "folders"

// Disks stands in for a cluster's storage: for every claim of its class it
// makes a folder, as a volume that any node may use, and removes both when the
// claim is gone. It makes the class and marks it as the default.
type Disks struct {
	api *API
	dir string
	log *slog.Logger
}

// NewDisks returns Disks that keep their folders below dir; Run starts them.
func NewDisks(api *API, dir string, log *slog.Logger) *Disks {
	return &Disks{api: api, dir: dir, log: log}
}

type claimObject struct {
	Metadata Meta `json:"metadata"`
	Spec     struct {
		VolumeName       string
		StorageClassName string
		AccessModes      []string
		Resources        struct{ Requests map[string]string }
	} `json:"spec"`
	Status struct{ Phase string } `json:"status"`
}

type volumeObject struct {
	Metadata Meta `json:"metadata"`
	Spec     struct {
		StorageClassName string
		HostPath         struct{ Path string }
	} `json:"spec"`
	Status struct{ Phase string } `json:"status"`
}

// provisioner is the name by which the control plane knows who makes volumes.
const provisioner = "tutti.example/folders"

// Class makes the storage class.
func (d *Disks) Class(ctx context.Context) error {
	return d.api.Do(ctx, http.MethodPost, "/apis/storage.k8s.io/v1/storageclasses", map[string]any{
		"apiVersion": "storage.k8s.io/v1", "kind": "StorageClass", "provisioner": provisioner, "volumeBindingMode": "Immediate", "reclaimPolicy": "Delete",
		"metadata": map[string]any{"name": DiskClass, "annotations": map[string]string{"storageclass.kubernetes.io/is-default-class": "true"}},
	}, nil)
}

// Run follows the claims until ctx ends.
func (d *Disks) Run(ctx context.Context) {
	for pause(ctx, pollEvery) == nil {
		if err := d.sync(ctx); err != nil && ctx.Err() == nil {
			d.log.Warn("disks", "error", err)
		}
	}
}

// sync makes what is claimed, and removes what no claim has any more.
func (d *Disks) sync(ctx context.Context) error {
	var claims struct{ Items []claimObject }
	if err := d.api.Do(ctx, http.MethodGet, "/api/v1/persistentvolumeclaims", nil, &claims); err != nil {
		return err
	}
	var all struct{ Items []volumeObject }
	if err := d.api.Do(ctx, http.MethodGet, "/api/v1/persistentvolumes", nil, &all); err != nil {
		return err
	}
	there := map[string]bool{}
	var errs []error
	for _, v := range all.Items {
		there[v.Metadata.Name] = true
		if v.Spec.StorageClassName == DiskClass && v.Status.Phase == "Released" && v.Metadata.DeletionTimestamp == nil {
			errs = append(errs, d.remove(ctx, v))
		}
	}
	for _, c := range claims.Items {
		if c.Spec.StorageClassName == DiskClass && c.Spec.VolumeName == "" && !there[nameOf(c)] && c.Metadata.DeletionTimestamp == nil {
			errs = append(errs, d.create(ctx, c))
		}
	}
	return errors.Join(errs...)
}

// nameOf is the name of the volume for a claim.
func nameOf(c claimObject) string { return "folder-" + c.Metadata.UID }

func (d *Disks) create(ctx context.Context, c claimObject) error {
	path := filepath.Join(d.dir, nameOf(c))
	if err := os.MkdirAll(path, 0o755); err != nil {
		return err
	}
	return d.api.Do(ctx, http.MethodPost, "/api/v1/persistentvolumes", map[string]any{
		"apiVersion": "v1", "kind": "PersistentVolume",
		"metadata": map[string]any{"name": nameOf(c), "annotations": map[string]string{"pv.kubernetes.io/provisioned-by": provisioner}},
		"spec": map[string]any{
			"capacity": map[string]string{"storage": c.Spec.Resources.Requests["storage"]}, "accessModes": c.Spec.AccessModes,
			"persistentVolumeReclaimPolicy": "Delete", "storageClassName": DiskClass, "hostPath": map[string]string{"path": path},
			"claimRef": map[string]string{
				"apiVersion": "v1", "kind": "PersistentVolumeClaim", "namespace": c.Metadata.Namespace, "name": c.Metadata.Name, "uid": c.Metadata.UID,
			},
		},
	}, nil)
}

// remove deletes a volume and its folder, which must be one of ours.
func (d *Disks) remove(ctx context.Context, v volumeObject) error {
	if filepath.Dir(v.Spec.HostPath.Path) != d.dir {
		return fmt.Errorf("volume %s is at %s, not below %s", v.Metadata.Name, v.Spec.HostPath.Path, d.dir)
	}
	if err := os.RemoveAll(v.Spec.HostPath.Path); err != nil {
		return err
	}
	return d.api.Do(ctx, http.MethodDelete, "/api/v1/persistentvolumes/"+v.Metadata.Name, nil, nil)
}
