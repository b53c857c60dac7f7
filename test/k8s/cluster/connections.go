package main

import (
	"bytes"
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/tuttidb/tutti/test/k8s/netpol"
)

// socket is a TCP socket of a process: one that listens has no remote end.
type socket struct {
	local, remote netip.AddrPort
	listens       bool
}

// The states of sockets that matter here, as the kernel lists them.
const (
	established = "01"
	listening   = "0A"
)

// sockets reads the text of /proc/PID/net/tcp or tcp6.
func sockets(text []byte) (out []socket, err error) {
	for i, line := range strings.Split(strings.TrimSpace(string(text)), "\n") {
		f := strings.Fields(line)
		if i == 0 || len(f) < 4 || f[3] != established && f[3] != listening {
			continue
		}
		s := socket{listens: f[3] == listening}
		if s.local, err = endpoint(f[1]); err != nil {
			return nil, err
		}
		if s.remote, err = endpoint(f[2]); err != nil {
			return nil, err
		}
		out = append(out, s)
	}
	return out, nil
}

// endpoint reads ADDRESS:PORT in hexadecimal; addresses are words of four bytes
// in the machine's order, which is taken to be little endian.
func endpoint(text string) (netip.AddrPort, error) {
	address, port, _ := strings.Cut(text, ":")
	b, err := hex.DecodeString(address)
	if err == nil && len(b)%4 != 0 {
		err = errors.New("not whole words")
	}
	if err != nil {
		return netip.AddrPort{}, fmt.Errorf("address %s: %w", text, err)
	}
	for w := range slices.Chunk(b, 4) {
		slices.Reverse(w)
	}
	n, err := strconv.ParseUint(port, 16, 16)
	ip, ok := netip.AddrFromSlice(b)
	if err != nil || !ok {
		return netip.AddrPort{}, fmt.Errorf("address %s: %w", text, errors.Join(err))
	}
	return netip.AddrPortFrom(ip.Unmap(), uint16(n)), nil
}

// connected is what a Pod's process has open.
type connected struct {
	pod     string
	sockets []socket
}

// connections looks at the processes whose root is below the plane's folder.
func (p *plane) connections() (out []connected, err error) {
	roots, err := filepath.Glob("/proc/[0-9]*/root")
	if err != nil {
		return nil, err
	}
	for _, link := range roots {
		if root, err := os.Readlink(link); err != nil || !strings.HasPrefix(root, p.dir) {
			continue // of somebody else, or gone
		}
		proc := filepath.Dir(link)
		c := connected{}
		env, err := os.ReadFile(filepath.Join(proc, "environ"))
		if err != nil {
			continue // gone
		}
		for v := range bytes.SplitSeq(env, []byte{0}) {
			if name, is := strings.CutPrefix(string(v), "POD_NAME="); is {
				c.pod = name
			}
		}
		for _, file := range []string{"net/tcp", "net/tcp6"} {
			text, err := os.ReadFile(filepath.Join(proc, file))
			if err != nil {
				continue // as above
			}
			s, err := sockets(text)
			if err != nil {
				return nil, err
			}
			c.sockets = append(c.sockets, s...)
		}
		out = append(out, c)
	}
	return out, nil
}

// podEnd is a Pod as policies see it, and what it is.
type podEnd struct {
	netpol.End
	name, component string
}

// ends are the Pods by address.
func (p *plane) ends(ctx context.Context) (map[string]podEnd, error) {
	text, err := p.kubectl(ctx, "get", "pods", "-o", "json")
	if err != nil {
		return nil, err
	}
	var list struct {
		Items []struct {
			Metadata struct {
				Name, Namespace string
				Labels          map[string]string
			}
			Spec struct {
				Containers []struct {
					Ports []struct {
						Name          string
						ContainerPort int
					}
				}
			}
			Status struct{ PodIP string }
		}
	}
	if err := json.Unmarshal([]byte(text), &list); err != nil {
		return nil, err
	}
	out := map[string]podEnd{}
	for _, i := range list.Items {
		e := podEnd{name: i.Metadata.Name, component: i.Metadata.Labels["app.kubernetes.io/component"], End: netpol.End{
			Namespace: i.Metadata.Namespace, Labels: i.Metadata.Labels, Ports: map[string]int{},
			NamespaceLabels: map[string]string{"kubernetes.io/metadata.name": i.Metadata.Namespace},
		}}
		for _, port := range i.Spec.Containers[0].Ports {
			e.Ports[port.Name] = port.ContainerPort
		}
		out[i.Status.PodIP] = e
	}
	return out, nil
}

// policies are those of the namespace.
func (p *plane) policies(ctx context.Context) (out []netpol.Policy, err error) {
	text, err := p.kubectl(ctx, "get", "networkpolicies", "-o", "json")
	if err != nil {
		return nil, err
	}
	var list struct{ Items []json.RawMessage }
	if err := json.Unmarshal([]byte(text), &list); err != nil {
		return nil, err
	}
	for _, item := range list.Items {
		one, err := netpol.Parse(item)
		if err != nil {
			return nil, err
		}
		out = append(out, one)
	}
	return out, nil
}

// judge holds the connections of Pods to the policies, and the ports on which
// they listen to those that they declare. It returns who was seen to connect
// to whom at which port, with how many connections.
func judge(policies []netpol.Policy, ends map[string]podEnd, all []connected) (seen map[string]int, err error) {
	seen = map[string]int{}
	byName := map[string]podEnd{}
	for _, e := range ends {
		byName[e.name] = e
	}
	var errs []error
	for _, c := range all {
		to, there := byName[c.pod]
		if !there {
			continue // it has just gone
		}
		names := map[int]string{}
		for name, n := range to.Ports {
			names[n] = name
		}
		for _, s := range c.sockets {
			port := int(s.local.Port())
			switch {
			case s.local.Addr().IsLoopback():
			case s.listens && names[port] == "":
				errs = append(errs, fmt.Errorf("%s listens on port %d, which it does not declare", c.pod, port))
			case s.listens || names[port] == "": // a connection that it made itself: the other end is judged
			default:
				from, isPod := ends[s.remote.Addr().String()]
				if !isPod {
					continue // its node, which is always let in, or one that has gone
				}
				seen[from.component+" → "+to.component+" "+names[port]]++
				if err := netpol.Allowed(policies, from.End, to.End, "TCP", port); err != nil {
					errs = append(errs, fmt.Errorf("%s is connected to %s at %s: %w", from.name, to.name, names[port], err))
				}
			}
		}
	}
	return seen, errors.Join(errs...)
}

// stepPolicies looks at who is connected to whom while clients ask.
func (p *plane) stepPolicies(ctx context.Context) (string, error) {
	server, err := p.server(ctx)
	if err != nil {
		return "", err
	}
	want := []string{"worker → coordinator grpc", "worker → worker grpc", "coordinator → worker grpc"}
	if p.o.Coordinators > 1 {
		want = append(want, "coordinator → coordinator raft")
	}
	l := begin(ctx, server, clients)
	l.more(ctx, 5)
	var note string
	err = func() error {
		policies, err := p.policies(ctx)
		if err != nil {
			return err
		}
		ends, err := p.ends(ctx)
		if err != nil {
			return err
		}
		all, err := p.connections()
		if err != nil {
			return err
		}
		seen, err := judge(policies, ends, all)
		if err != nil {
			return err
		}
		total := 0
		for _, n := range seen {
			total += n
		}
		for _, w := range want {
			if seen[w] == 0 {
				return fmt.Errorf("nobody was seen to connect %s: %v", w, seen)
			}
		}
		note = fmt.Sprintf("%d policies let all %d connections of %d kinds pass", len(policies), total, len(seen))
		return nil
	}()
	_, failed := l.end()
	return note, errors.Join(err, failed)
}
