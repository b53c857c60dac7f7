package k8s

// object is what the tests look at in a Kubernetes object, of any kind.
type object struct {
	APIVersion string `yaml:"apiVersion"`
	Kind       string
	Metadata   metadata
	Data       map[string]string
	Spec       spec
	// Of a ServiceAccount.
	Automount *bool `yaml:"automountServiceAccountToken"`
	// Of a RoleBinding.
	Subjects []struct{ Kind, Name, Namespace string }
	RoleRef  struct{ Kind, Name string } `yaml:"roleRef"`
}

func (o object) id() string { return o.Kind + " " + o.Metadata.Name }

type metadata struct {
	Name, Namespace     string
	Labels, Annotations map[string]string
}

type selector struct {
	MatchLabels map[string]string `yaml:"matchLabels"`
}

type spec struct {
	Replicas    *int
	ServiceName string `yaml:"serviceName"`
	// Selector is one of labels, or in a Service the labels themselves.
	Selector    map[string]any
	PodSelector selector `yaml:"podSelector"`
	Template    struct {
		Metadata metadata
		Spec     podSpec
	}
	Claims []struct{ Metadata metadata } `yaml:"volumeClaimTemplates"`
	Ports  []struct {
		Name       string
		Port       int
		TargetPort string `yaml:"targetPort"`
	}
	ClusterIP        string                      `yaml:"clusterIP"`
	PublishNotReady  bool                        `yaml:"publishNotReadyAddresses"`
	ScaleTargetRef   struct{ Kind, Name string } `yaml:"scaleTargetRef"`
	Metrics          []metric
	PolicyTypes      []string `yaml:"policyTypes"`
	UnhealthyEvicted string   `yaml:"unhealthyPodEvictionPolicy"`
	// Of an APIService.
	Service    struct{ Name, Namespace string }
	SkipVerify bool   `yaml:"insecureSkipTLSVerify"`
	CABundle   string `yaml:"caBundle"`
}

// metric is what an autoscaler goes by.
type metric struct {
	Type     string
	External struct {
		Metric struct {
			Name     string
			Selector selector
		}
		Target struct {
			Type, Value  string
			AverageValue string `yaml:"averageValue"`
		}
	}
}

type podSpec struct {
	ServiceAccount string `yaml:"serviceAccountName"`
	Automount      *bool  `yaml:"automountServiceAccountToken"`
	Grace          int    `yaml:"terminationGracePeriodSeconds"`
	Security       struct {
		RunAsNonRoot *bool                 `yaml:"runAsNonRoot"`
		RunAsUser    int                   `yaml:"runAsUser"`
		Seccomp      struct{ Type string } `yaml:"seccompProfile"`
	} `yaml:"securityContext"`
	Containers []container
	Volumes    []struct {
		Name     string
		EmptyDir *struct {
			SizeLimit string `yaml:"sizeLimit"`
		} `yaml:"emptyDir"`
		ConfigMap *struct{ Name string } `yaml:"configMap"`
		Secret    *struct {
			SecretName string `yaml:"secretName"`
		}
		Projected *struct {
			Sources []struct {
				ConfigMap *struct{ Name string } `yaml:"configMap"`
			}
		}
	}
	Spread []struct {
		TopologyKey      string   `yaml:"topologyKey"`
		NodeTaintsPolicy string   `yaml:"nodeTaintsPolicy"`
		LabelSelector    selector `yaml:"labelSelector"`
	} `yaml:"topologySpreadConstraints"`
}

type container struct {
	Image         string
	Command, Args []string
	Env           []struct {
		Name, Value string
		ValueFrom   map[string]any `yaml:"valueFrom"`
	}
	EnvFrom []struct {
		SecretRef struct{ Name string } `yaml:"secretRef"`
	} `yaml:"envFrom"`
	Ports []struct {
		Name          string
		ContainerPort int `yaml:"containerPort"`
	}
	Startup   *probe `yaml:"startupProbe"`
	Readiness *probe `yaml:"readinessProbe"`
	Liveness  *probe `yaml:"livenessProbe"`
	Security  struct {
		Escalation   *bool `yaml:"allowPrivilegeEscalation"`
		ReadOnly     bool  `yaml:"readOnlyRootFilesystem"`
		Capabilities struct{ Drop []string }
	} `yaml:"securityContext"`
	Mounts []struct {
		Name      string
		MountPath string `yaml:"mountPath"`
		ReadOnly  bool   `yaml:"readOnly"`
	} `yaml:"volumeMounts"`
}

type probe struct {
	HTTPGet *struct{ Path, Port string } `yaml:"httpGet"`
	TCP     *struct{ Port string }       `yaml:"tcpSocket"`
	GRPC    *struct{ Port int }
}
