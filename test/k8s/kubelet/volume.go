package kubelet

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
)

// volumes makes the folders of a Pod below dir and returns them by name.
// Those that processes may write to belong to the Pod's group.
func volumes(ctx context.Context, get source, p *Pod, dir string) (map[string]string, error) {
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
			err = configFiles(ctx, get, p.Metadata.Namespace, v.ConfigMap.Name, path)
		default:
			err = fmt.Errorf("not supported: volumes other than emptyDir and configMap")
		}
		if err != nil {
			return nil, fmt.Errorf("volume %s: %w", v.Name, err)
		}
		out[v.Name] = path
	}
	return out, nil
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

// configFiles writes a ConfigMap's files as the kubelet does: the files are
// links into a hidden folder, which is itself behind a link, so that they
// could all be replaced at once. Who lists the folder must cope with that.
func configFiles(ctx context.Context, get source, namespace, name, path string) error {
	values, err := get(ctx, "configmaps", namespace, name)
	if err != nil {
		return fmt.Errorf("configmap %s: %w", name, err)
	}
	const generation = "..2026_01_01_00_00_00.000000001"
	if err := os.MkdirAll(filepath.Join(path, generation), 0o755); err != nil {
		return err
	}
	if err := link(generation, filepath.Join(path, "..data")); err != nil {
		return err
	}
	for file, content := range values {
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
