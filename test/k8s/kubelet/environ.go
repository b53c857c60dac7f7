package kubelet

import (
	"context"
	"fmt"
	"regexp"
	"strconv"
	"strings"
)

// kubernetesIP is the address of the Service of the API server: the first of
// the range that the control plane is started with.
const kubernetesIP = "10.96.0.1"

// source gives the contents of ConfigMaps and Secrets.
type source func(ctx context.Context, kind, namespace, name string) (map[string][]byte, error)

// environ is a container's environment, by name. Later names win over earlier
// ones, and all over those of envFrom, as in Kubernetes.
func environ(ctx context.Context, get source, p *Pod, c *Container, ip string) (map[string]string, error) {
	// Of all Services, that of Kubernetes itself is told to every Pod.
	env := map[string]string{"HOSTNAME": hostname(p), "KUBERNETES_SERVICE_HOST": kubernetesIP, "KUBERNETES_SERVICE_PORT": "443"}
	for _, from := range c.EnvFrom {
		kind, ref := "secrets", from.SecretRef
		if ref == nil {
			kind, ref = "configmaps", from.ConfigMapRef
		}
		if ref == nil {
			continue
		}
		values, err := get(ctx, kind, p.Metadata.Namespace, ref.Name)
		if err != nil {
			return nil, fmt.Errorf("%s %s: %w", kind, ref.Name, err)
		}
		for k, v := range values {
			env[k] = string(v)
		}
	}
	for _, v := range c.Env {
		value, err := valueOf(ctx, get, p, c, ip, v)
		if err != nil {
			return nil, fmt.Errorf("variable %s: %w", v.Name, err)
		}
		env[v.Name] = expand(value, env)
	}
	return env, nil
}

func valueOf(ctx context.Context, get source, p *Pod, c *Container, ip string, v EnvVar) (string, error) {
	switch {
	case v.ValueFrom == nil:
		return v.Value, nil
	case v.ValueFrom.FieldRef != nil:
		return field(p, ip, v.ValueFrom.FieldRef.FieldPath)
	case v.ValueFrom.SecretKeyRef != nil:
		ref := v.ValueFrom.SecretKeyRef
		values, err := get(ctx, "secrets", p.Metadata.Namespace, ref.Name)
		if err != nil {
			return "", err
		}
		b, there := values[ref.Key]
		if !there {
			return "", fmt.Errorf("secret %s has no key %s", ref.Name, ref.Key)
		}
		return string(b), nil
	case v.ValueFrom.ResourceFieldRef != nil:
		return resource(c, v.ValueFrom.ResourceFieldRef.Resource)
	}
	return "", fmt.Errorf("not supported: this source of a value")
}

// field is a field of the Pod that its containers may ask for.
func field(p *Pod, ip, path string) (string, error) {
	switch path {
	case "metadata.name":
		return p.Metadata.Name, nil
	case "metadata.namespace":
		return p.Metadata.Namespace, nil
	case "metadata.uid":
		return p.Metadata.UID, nil
	case "spec.nodeName":
		return p.Spec.NodeName, nil
	case "status.podIP":
		return ip, nil
	}
	return "", fmt.Errorf("not supported: field %s", path)
}

// resource is a limit in whole units, rounded up: processors or bytes.
func resource(c *Container, name string) (string, error) {
	kind, ok := strings.CutPrefix(name, "limits.")
	text := c.Resources.Limits[kind]
	if !ok || text == "" {
		return "", fmt.Errorf("not supported: resource %s without a limit", name)
	}
	milli, isMilli := strings.CutSuffix(text, "m")
	n, err := strconv.Atoi(milli)
	if err != nil {
		return "", fmt.Errorf("not supported: quantity %s", text)
	}
	if isMilli {
		n = (n + 999) / 1000
	}
	return strconv.Itoa(n), nil
}

var variable = regexp.MustCompile(`\$\$|\$\(([-._a-zA-Z][-._a-zA-Z0-9]*)\)`)

// expand replaces $(NAME) by its value, $$ by $, and leaves names that are not
// known as they are.
func expand(text string, env map[string]string) string {
	return variable.ReplaceAllStringFunc(text, func(m string) string {
		if m == "$$" {
			return "$"
		}
		if v, known := env[m[2:len(m)-1]]; known {
			return v
		}
		return m
	})
}

func hostname(p *Pod) string {
	if p.Spec.Hostname != "" {
		return p.Spec.Hostname
	}
	return p.Metadata.Name
}
