// Package kubelet is a node of a Kubernetes cluster without a container engine:
// it turns the Pods that a real scheduler gives it into real processes. It is
// what test/k8s needs to install Tutti into a real control plane on a bare
// machine; it is not a kubelet for anything else.
//
// What a Pod gets is what its containers could tell apart from the real thing:
//
//   - an address and a network namespace of its own, on a bridge
//   - the image's files as its root, read-only where the Pod says so, and only
//     its volumes to write to
//   - the Pod's user and group, no privileges, and its environment: fields,
//     resources, Secrets, $(NAME) in arguments
//   - startup, readiness and liveness probes, restarts, preStop, SIGTERM, the
//     grace period, SIGKILL
//   - names of Services and of StatefulSet Pods in /etc/hosts, and Services that
//     lead to what is ready (see Services)
//
// Not supported, and refused with a word in the Pod's status: several
// containers, init containers, volumes other than emptyDir and configMap, gRPC
// probes, exec. Limits of memory, processors and volumes are not enforced, nor
// are network policies.
//
// A node dies with its process: SIGKILL ends its Pods with it (see Start), and
// the control plane sees what it sees when a machine is lost.
package kubelet
