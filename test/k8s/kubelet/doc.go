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
//   - folders that outlive it, by claims (see Disks), ConfigMaps, Secrets and
//     a token of its account as files
//   - the Pod's user and group, no privileges, and its environment: fields,
//     resources, Secrets, $(NAME) in arguments
//   - startup, readiness and liveness probes, restarts, preStop, SIGTERM, the
//     grace period, SIGKILL
//   - names of Services and of StatefulSet Pods in /etc/hosts, that of a
//     headless Service with all of its addresses, and Services that lead to what
//     is ready (see Services)
//
// Not supported, and refused with a word in the Pod's status: several
// containers, init containers, other kinds of volumes, gRPC probes, exec. Limits of memory, processors and volumes are not enforced, nor
// are network policies.
//
// A node dies with its process: SIGKILL ends its Pods with it (see Start), and
// the control plane sees what it sees when a machine is lost.
package kubelet
