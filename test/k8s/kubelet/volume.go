package kubelet

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// store is what volumes are filled from; *API is one.
type store interface {
	Values(ctx context.Context, kind, namespace, name string) (map[string][]byte, error)
	Disk(ctx context.Context, namespace, claim string) (string, error)
	AccountToken(ctx context.Context, p *Pod, seconds int) (string, error)
}

// volumes makes the folders of a Pod below dir and returns them by name.
// Those that processes may write to belong to the Pod's group.
func volumes(ctx context.Context, from store, p *Pod, dir string) (map[string]string, error) {
	out := map[string]string{}
	for _, v := range p.Spec.Volumes {
		path := filepath.Join(dir, v.Name)
		if err := os.MkdirAll(path, 0o755); err != nil {
			return nil, err
		}
		var err error
		switch {
		case v.EmptyDir != nil:
			err = shared(path, p.Spec.SecurityContext.FSGroup)
		case v.ConfigMap != nil:
			err = valueFiles(ctx, from, "configmaps", p.Metadata.Namespace, v.ConfigMap.Name, path)
		case v.Secret != nil:
			err = valueFiles(ctx, from, "secrets", p.Metadata.Namespace, v.Secret.SecretName, path)
		case v.PersistentVolumeClaim != nil:
			if path, err = from.Disk(ctx, p.Metadata.Namespace, v.PersistentVolumeClaim.ClaimName); err == nil {
				err = shared(path, p.Spec.SecurityContext.FSGroup)
			}
		case v.Projected != nil:
			err = projected(ctx, from, p, v.Projected.Sources, path)
		default:
			err = errors.New("not supported: this kind of volume")
		}
		if err != nil {
			return nil, fmt.Errorf("volume %s: %w", v.Name, err)
		}
		out[v.Name] = path
	}
	return out, nil
}

// projected fills a folder with files of several sources.
func projected(ctx context.Context, from store, p *Pod, sources []Projection, path string) error {
	files := map[string][]byte{}
	for _, s := range sources {
		switch {
		case s.ServiceAccountToken != nil:
			token, err := from.AccountToken(ctx, p, s.ServiceAccountToken.ExpirationSeconds)
			if err != nil {
				return fmt.Errorf("token of %s: %w", p.Spec.ServiceAccount, err)
			}
			files[s.ServiceAccountToken.Path] = []byte(token)
		case s.ConfigMap != nil:
			values, err := from.Values(ctx, "configmaps", p.Metadata.Namespace, s.ConfigMap.Name)
			if err != nil {
				return fmt.Errorf("configmap %s: %w", s.ConfigMap.Name, err)
			}
			for _, item := range s.ConfigMap.Items {
				content, there := values[item.Key]
				if !there {
					return fmt.Errorf("configmap %s has no key %s", s.ConfigMap.Name, item.Key)
				}
				files[item.Path] = content
			}
		default:
			return errors.New("not supported: this source of a projected volume")
		}
	}
	return linked(files, path)
}

// shared lets a group write to a folder, as the kubelet does.
func shared(path string, group int) error {
	if group != 0 && os.Geteuid() == 0 {
		if err := os.Chown(path, 0, group); err != nil {
			return err
		}
	}
	return os.Chmod(path, 0o777|os.ModeSetgid)
}

// valueFiles writes the files of a ConfigMap or a Secret.
func valueFiles(ctx context.Context, from store, kind, namespace, name, path string) error {
	values, err := from.Values(ctx, kind, namespace, name)
	if err != nil {
		return fmt.Errorf("%s %s: %w", strings.TrimSuffix(kind, "s"), name, err)
	}
	return linked(values, path)
}

// linked writes files as the kubelet does: they are links into a hidden
// folder, which is itself behind a link, so that they could all be replaced at
// once. Who lists the folder must cope with that.
func linked(files map[string][]byte, path string) error {
	const generation = "..2026_01_01_00_00_00.000000001"
	if err := os.MkdirAll(filepath.Join(path, generation), 0o755); err != nil {
		return err
	}
	if err := link(generation, filepath.Join(path, "..data")); err != nil {
		return err
	}
	for file, content := range files {
		if err := os.WriteFile(filepath.Join(path, generation, file), content, 0o644); err != nil {
			return err
		}
		if err := link(filepath.Join("..data", file), filepath.Join(path, file)); err != nil {
			return err
		}
	}
	return nil
}

// link makes a link unless it is there, from an earlier start.
func link(target, path string) error {
	if err := os.Symlink(target, path); err != nil && !os.IsExist(err) {
		return err
	}
	return nil
}
