package netpol

import (
	"errors"
	"strings"
	"testing"
)

func pod(namespace, app string) End {
	return End{Namespace: namespace, NamespaceLabels: map[string]string{"name": namespace}, Labels: map[string]string{"app": app}, Ports: map[string]int{"http": 8080}}
}

// TestAllowed goes through the rules of network policies, one policy or a few
// at a time.
func TestAllowed(t *testing.T) {
	web, db, other, outside := pod("a", "web"), pod("a", "db"), pod("b", "web"), End{}
	const of = `{"metadata": {"name": "p", "namespace": "a"}, "spec": {"podSelector": {"matchLabels": {"app": "db"}}, `
	for _, c := range []struct {
		name     string
		policies []string
		from, to End
		port     int
		want     error
	}{
		{"no policy", nil, other, db, 1, nil},
		{"a policy without rules", []string{of + `"policyTypes": ["Ingress"]}}`}, web, db, 1, ErrIngress},
		{"of another namespace", []string{strings.Replace(of, `"a"`, `"b"`, 1) + `"policyTypes": ["Ingress"]}}`}, web, db, 1, nil},
		{"of another Pod", []string{of + `"policyTypes": ["Ingress"]}}`}, db, web, 1, nil},
		{"a rule for all", []string{of + `"ingress": [{}]}}`}, outside, db, 1, nil},
		{"a rule for a port", []string{of + `"ingress": [{"ports": [{"port": 80}]}]}}`}, outside, db, 80, nil},
		{"and not for another", []string{of + `"ingress": [{"ports": [{"port": 80}]}]}}`}, outside, db, 81, ErrIngress},
		{"a port by name", []string{of + `"ingress": [{"ports": [{"port": "http"}]}]}}`}, outside, db, 8080, nil},
		{"a name that is not there", []string{of + `"ingress": [{"ports": [{"port": "grpc"}]}]}}`}, outside, db, 0, ErrIngress},
		{"another protocol", []string{of + `"ingress": [{"ports": [{"protocol": "UDP", "port": 80}]}]}}`}, outside, db, 80, ErrIngress},
		{"all ports of a protocol", []string{of + `"ingress": [{"ports": [{"protocol": "TCP"}]}]}}`}, outside, db, 80, nil},
		{"a Pod of the namespace", []string{of + `"ingress": [{"from": [{"podSelector": {"matchLabels": {"app": "web"}}}]}]}}`}, web, db, 1, nil},
		{"not of another one", []string{of + `"ingress": [{"from": [{"podSelector": {"matchLabels": {"app": "web"}}}]}]}}`}, other, db, 1, ErrIngress},
		{"nor from outside", []string{of + `"ingress": [{"from": [{"podSelector": {}}]}]}}`}, outside, db, 1, ErrIngress},
		{"any Pod of the namespace", []string{of + `"ingress": [{"from": [{"podSelector": {}}]}]}}`}, db, db, 1, nil},
		{"a namespace", []string{of + `"ingress": [{"from": [{"namespaceSelector": {"matchLabels": {"name": "b"}}}]}]}}`}, other, db, 1, nil},
		{"not the own one by that", []string{of + `"ingress": [{"from": [{"namespaceSelector": {"matchLabels": {"name": "b"}}}]}]}}`}, web, db, 1, ErrIngress},
		{"Pods of a namespace", []string{of + `"ingress": [{"from": [{"namespaceSelector": {}, "podSelector": {"matchLabels": {"app": "x"}}}]}]}}`}, other, db, 1, ErrIngress},
		{"one peer or the other", []string{of + `"ingress": [{"from": [{"namespaceSelector": {"matchLabels": {"name": "b"}}}, {"podSelector": {}}]}]}}`}, web, db, 1, nil},
		{"one policy or the other", []string{of + `"policyTypes": ["Ingress"]}}`, of + `"ingress": [{}]}}`}, web, db, 1, nil},
		{"one rule or the other", []string{of + `"ingress": [{"ports": [{"port": 1}]}, {"ports": [{"port": 2}]}]}}`}, web, db, 2, nil},
		{"peers and ports", []string{of + `"ingress": [{"from": [{"podSelector": {}}], "ports": [{"port": 1}]}]}}`}, web, db, 2, ErrIngress},
		{"rules out say nothing of the way in", []string{of + `"policyTypes": ["Egress"]}}`}, web, db, 1, nil},
		{"no way out", []string{of + `"policyTypes": ["Egress"]}}`}, db, web, 1, ErrEgress},
		{"a way out", []string{of + `"policyTypes": ["Egress"], "egress": [{"to": [{"podSelector": {"matchLabels": {"app": "web"}}}]}]}}`}, db, web, 1, nil},
		{"to a port of the other's", []string{of + `"policyTypes": ["Egress"], "egress": [{"ports": [{"port": "http"}]}]}}`}, db, other, 8080, nil},
		{"to a number anywhere", []string{of + `"policyTypes": ["Egress"], "egress": [{"ports": [{"port": 443}]}]}}`}, db, outside, 443, nil},
		{"rules out without types mean both", []string{of + `"egress": [{}]}}`}, web, db, 1, ErrIngress},
		{"ways in without types mean in only", []string{of + `"ingress": [{}]}}`}, db, outside, 1, nil},
		{"in", []string{of + `"ingress": [{"from": [{"podSelector": {"matchExpressions": [{"key": "app", "operator": "In", "values": ["web", "x"]}]}}]}]}}`}, web, db, 1, nil},
		{"not in", []string{of + `"ingress": [{"from": [{"podSelector": {"matchExpressions": [{"key": "app", "operator": "NotIn", "values": ["web", "x"]}]}}]}]}}`}, web, db, 1, ErrIngress},
		{"exists", []string{of + `"ingress": [{"from": [{"podSelector": {"matchExpressions": [{"key": "app", "operator": "Exists"}]}}]}]}}`}, web, db, 1, nil},
		{"does not exist", []string{of + `"ingress": [{"from": [{"podSelector": {"matchExpressions": [{"key": "app", "operator": "DoesNotExist"}]}}]}]}}`}, web, db, 1, ErrIngress},
	} {
		t.Run(c.name, func(t *testing.T) {
			var all []Policy
			for _, text := range c.policies {
				p, err := Parse([]byte(text))
				if err != nil {
					t.Fatal(err)
				}
				all = append(all, p)
			}
			if err := Allowed(all, c.from, c.to, "TCP", c.port); !errors.Is(err, c.want) {
				t.Errorf("got %v, want %v", err, c.want)
			}
		})
	}
}

func TestParseRefuses(t *testing.T) {
	for text, want := range map[string]string{
		`{"spec": {"ingress": [{"from": [{"ipBlock": {"cidr": "0.0.0.0/0"}}]}]}}`: "not supported: ipBlock",
		`{"spec": {"egress": [{"ports": [{"port": 1, "endPort": 2}]}]}}`:          "not supported: ranges",
		`{"spec": []}`: "cannot unmarshal",
	} {
		if _, err := Parse([]byte(text)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v, want %q", text, err, want)
		}
	}
}
