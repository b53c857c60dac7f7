// Package netpol says whether network policies of Kubernetes let a connection
// pass. It reads the policies as objects and evaluates them by their rules, so
// that a test can hold what a chart allows to what its processes do, on a
// machine where nothing enforces policies:
//
//   - a Pod that no policy selects takes connections from everywhere, and opens
//     them to everywhere; the two directions are apart
//   - one that policies select takes what any rule of any of them lets in
//   - a rule without peers is for all, Pods or not; one without ports for all ports
//   - names of ports are those of the Pod that is connected to
//
// Not supported, and an error: ipBlock, and ranges of ports.
package netpol

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
)

// Policy is a NetworkPolicy.
type Policy struct {
	Metadata struct{ Name, Namespace string }
	Spec     struct {
		PodSelector     Selector
		PolicyTypes     []string
		Ingress, Egress []Rule
	}
}

// Rule lets connections pass: from or to any of its peers, at any of its ports.
type Rule struct {
	From, To []Peer
	Ports    []Port
}

// Peer is who is at the other end. Without a selector of namespaces it is a Pod
// of the policy's own namespace.
type Peer struct {
	PodSelector, NamespaceSelector *Selector
	IPBlock                        *json.RawMessage
}

// Port is a port by number or name; without either, all of the protocol.
type Port struct {
	Protocol string
	Port     json.RawMessage
	EndPort  *int
}

// Selector matches labels.
type Selector struct {
	MatchLabels      map[string]string
	MatchExpressions []struct {
		Key, Operator string
		Values        []string
	}
}

// End is one end of a connection: a Pod, or something else, which has no
// Namespace.
type End struct {
	Namespace       string
	NamespaceLabels map[string]string
	Labels          map[string]string
	// Ports are the numbers of a Pod's named ports.
	Ports map[string]int
}

func (e End) isPod() bool { return e.Namespace != "" }

// Parse reads a policy from its JSON text, and refuses what Allowed could not
// evaluate.
func Parse(text []byte) (Policy, error) {
	var p Policy
	if err := json.Unmarshal(text, &p); err != nil {
		return p, err
	}
	for _, r := range slices.Concat(p.Spec.Ingress, p.Spec.Egress) {
		for _, peer := range slices.Concat(r.From, r.To) {
			if peer.IPBlock != nil {
				return p, fmt.Errorf("policy %s: not supported: ipBlock", p.Metadata.Name)
			}
		}
		for _, port := range r.Ports {
			if port.EndPort != nil {
				return p, fmt.Errorf("policy %s: not supported: ranges of ports", p.Metadata.Name)
			}
		}
	}
	return p, nil
}

// Why a connection does not pass.
var (
	ErrIngress = errors.New("no policy of the Pod that is connected to lets it in")
	ErrEgress  = errors.New("no policy of the Pod that connects lets it out")
)

// Allowed returns nil if the policies let a connection pass, else ErrIngress or
// ErrEgress.
func Allowed(policies []Policy, from, to End, protocol string, port int) error {
	if !passes(policies, "Egress", from, to, to, protocol, port) {
		return ErrEgress
	}
	if !passes(policies, "Ingress", to, from, to, protocol, port) {
		return ErrIngress
	}
	return nil
}

// passes evaluates one direction, for the end that policies of it select.
func passes(policies []Policy, direction string, self, other, to End, protocol string, port int) bool {
	selected := false
	for _, p := range policies {
		if !self.isPod() || p.Metadata.Namespace != self.Namespace || !slices.Contains(p.types(), direction) || !p.Spec.PodSelector.matches(self.Labels) {
			continue
		}
		selected = true
		rules := p.Spec.Ingress
		if direction == "Egress" {
			rules = p.Spec.Egress
		}
		for _, r := range rules {
			if p.peers(slices.Concat(r.From, r.To), other) && ports(r.Ports, to, protocol, port) {
				return true
			}
		}
	}
	return !selected
}

// types are the directions that a policy is for; if it names none, what
// Kubernetes takes it to mean.
func (p Policy) types() []string {
	if len(p.Spec.PolicyTypes) > 0 {
		return p.Spec.PolicyTypes
	}
	if len(p.Spec.Egress) > 0 {
		return []string{"Ingress", "Egress"}
	}
	return []string{"Ingress"}
}

// peers reports whether an end is one of a rule's peers.
func (p Policy) peers(all []Peer, e End) bool {
	if len(all) == 0 {
		return true
	}
	return e.isPod() && slices.ContainsFunc(all, func(peer Peer) bool {
		there := e.Namespace == p.Metadata.Namespace
		if peer.NamespaceSelector != nil {
			there = peer.NamespaceSelector.matches(e.NamespaceLabels)
		}
		return there && (peer.PodSelector == nil || peer.PodSelector.matches(e.Labels))
	})
}

// ports reports whether a port of a Pod is one of a rule's.
func ports(all []Port, to End, protocol string, port int) bool {
	if len(all) == 0 {
		return true
	}
	return slices.ContainsFunc(all, func(p Port) bool {
		if p.Protocol != protocol && (p.Protocol != "" || protocol != "TCP") {
			return false
		}
		if len(p.Port) == 0 {
			return true
		}
		if n, err := strconv.Atoi(string(p.Port)); err == nil {
			return n == port
		}
		var name string
		return json.Unmarshal(p.Port, &name) == nil && name != "" && to.Ports[name] == port && port != 0
	})
}

func (s Selector) matches(labels map[string]string) bool {
	for k, v := range s.MatchLabels {
		if labels[k] != v {
			return false
		}
	}
	for _, e := range s.MatchExpressions {
		v, there := labels[e.Key]
		in := there && slices.Contains(e.Values, v)
		switch e.Operator {
		case "In":
			there = in
		case "NotIn":
			there = !in
		case "DoesNotExist":
			there = !there
		}
		if !there {
			return false
		}
	}
	return true
}
