package kubelet

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// Meta is what a node looks at in an object's metadata.
type Meta struct {
	Name                       string            `json:"name"`
	Namespace                  string            `json:"namespace"`
	UID                        string            `json:"uid"`
	Labels                     map[string]string `json:"labels,omitempty"`
	DeletionTimestamp          *time.Time        `json:"deletionTimestamp,omitempty"`
	DeletionGracePeriodSeconds *int              `json:"deletionGracePeriodSeconds,omitempty"`
}

// Pod is a Pod's specification.
type Pod struct {
	Metadata Meta      `json:"metadata"`
	Spec     PodSpec   `json:"spec"`
	Status   PodStatus `json:"status"`
}

func (p *Pod) path() string {
	return "/api/v1/namespaces/" + p.Metadata.Namespace + "/pods/" + p.Metadata.Name
}

// PodSpec is the part of a Pod's specification that a node carries out.
type PodSpec struct {
	NodeName        string          `json:"nodeName"`
	Hostname        string          `json:"hostname"`
	Subdomain       string          `json:"subdomain"`
	InitContainers  []Container     `json:"initContainers"`
	Containers      []Container     `json:"containers"`
	Volumes         []Volume        `json:"volumes"`
	SecurityContext SecurityContext `json:"securityContext"`
	ServiceAccount  string          `json:"serviceAccountName"`
}

// SecurityContext is who a Pod's processes are.
type SecurityContext struct {
	RunAsUser  int `json:"runAsUser"`
	RunAsGroup int `json:"runAsGroup"`
	FSGroup    int `json:"fsGroup"`
}

// Container is one process.
type Container struct {
	Name      string   `json:"name"`
	Image     string   `json:"image"`
	Command   []string `json:"command"`
	Args      []string `json:"args"`
	Env       []EnvVar `json:"env"`
	EnvFrom   []struct{ SecretRef, ConfigMapRef *struct{ Name string } }
	Ports     []Port
	Resources struct {
		Limits map[string]string `json:"limits"`
	} `json:"resources"`
	StartupProbe, ReadinessProbe, LivenessProbe *Probe
	Lifecycle                                   struct{ PreStop *Handler }
	VolumeMounts                                []Mount
	SecurityContext                             struct{ ReadOnlyRootFilesystem bool }
}

// EnvVar is a variable of a container's environment.
type EnvVar struct {
	Name, Value string
	ValueFrom   *struct {
		FieldRef         *struct{ FieldPath string }
		SecretKeyRef     *struct{ Name, Key string }
		ResourceFieldRef *struct{ Resource string }
	}
}

// Port is a port of a container or of a Service's endpoint.
type Port struct {
	Name          string
	ContainerPort int
}

// Mount puts a volume into a container.
type Mount struct {
	Name      string
	MountPath string
	ReadOnly  bool
}

// Volume is a folder of a Pod.
type Volume struct {
	Name                  string
	EmptyDir              *struct{}
	ConfigMap             *struct{ Name string }
	Secret                *struct{ SecretName string }
	PersistentVolumeClaim *struct{ ClaimName string }
	Projected             *struct{ Sources []Projection }
}

// Projection is one of the sources of a projected volume.
type Projection struct {
	ConfigMap *struct {
		Name  string
		Items []struct{ Key, Path string }
	}
	ServiceAccountToken *struct {
		Path              string
		ExpirationSeconds int
	}
}

// Handler is an action of a hook or a probe.
type Handler struct {
	HTTPGet *struct {
		Path        string
		Port        PortRef
		Scheme      string
		HTTPHeaders []struct{ Name, Value string }
	}
	TCPSocket *struct{ Port PortRef }
	Sleep     *struct{ Seconds int }
	Exec      *struct{ Command []string }
	GRPC      *struct{ Port int }
}

// Probe is a question that is asked over and over.
type Probe struct {
	Handler
	InitialDelaySeconds, PeriodSeconds, TimeoutSeconds, FailureThreshold, SuccessThreshold int
}

// UnmarshalJSON reads the handler and the times, which stand side by side.
func (p *Probe) UnmarshalJSON(b []byte) error {
	type times struct {
		InitialDelaySeconds, PeriodSeconds, TimeoutSeconds, FailureThreshold, SuccessThreshold int
	}
	t := times{PeriodSeconds: 10, TimeoutSeconds: 1, FailureThreshold: 3, SuccessThreshold: 1}
	if err := json.Unmarshal(b, &t); err != nil {
		return err
	}
	p.InitialDelaySeconds, p.PeriodSeconds, p.TimeoutSeconds = t.InitialDelaySeconds, t.PeriodSeconds, t.TimeoutSeconds
	p.FailureThreshold, p.SuccessThreshold = t.FailureThreshold, t.SuccessThreshold
	return json.Unmarshal(b, &p.Handler)
}

// PortRef is a port by number or by name.
type PortRef string

// UnmarshalJSON reads either.
func (r *PortRef) UnmarshalJSON(b []byte) error {
	*r = PortRef(strings.Trim(string(b), `"`))
	return nil
}

// in is the port's number in c.
func (r PortRef) in(c *Container) (int, error) {
	if n, err := strconv.Atoi(string(r)); err == nil {
		return n, nil
	}
	for _, p := range c.Ports {
		if p.Name == string(r) {
			return p.ContainerPort, nil
		}
	}
	return 0, fmt.Errorf("container %s has no port %s", c.Name, r)
}

// PodStatus is what a node says of a Pod.
type PodStatus struct {
	Phase             string            `json:"phase,omitempty"`
	PodIP             string            `json:"podIP,omitempty"`
	PodIPs            []map[string]any  `json:"podIPs,omitempty"`
	HostIP            string            `json:"hostIP,omitempty"`
	StartTime         *time.Time        `json:"startTime,omitempty"`
	Conditions        []Condition       `json:"conditions,omitempty"`
	ContainerStatuses []ContainerStatus `json:"containerStatuses,omitempty"`
}

// Condition is a condition of a Pod or a node.
type Condition struct {
	Type               string     `json:"type"`
	Status             string     `json:"status"`
	Reason             string     `json:"reason,omitempty"`
	Message            string     `json:"message,omitempty"`
	LastHeartbeatTime  *time.Time `json:"lastHeartbeatTime,omitempty"`
	LastTransitionTime *time.Time `json:"lastTransitionTime,omitempty"`
}

// ContainerStatus is what a node says of a container.
type ContainerStatus struct {
	Name         string         `json:"name"`
	Image        string         `json:"image"`
	ImageID      string         `json:"imageID"`
	Ready        bool           `json:"ready"`
	Started      bool           `json:"started"`
	RestartCount int            `json:"restartCount"`
	State        map[string]any `json:"state"`
}
