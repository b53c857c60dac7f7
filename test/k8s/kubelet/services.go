package kubelet

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"net"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

// Services stands in for a cluster's DNS and kube-proxy. Names of Services, and
// of Pods that have one, stand in a hosts file that all Pods see; an address
// of a Service leads to one of its endpoints that are ready.
type Services struct {
	api   *API
	hosts string // path
	log   *slog.Logger

	mu    sync.Mutex
	ports map[string]*forward // by ADDRESS:PORT
	text  []byte
}

// NewServices returns Services that keep the hosts file; Run starts them.
func NewServices(api *API, hosts string, log *slog.Logger) *Services {
	return &Services{api: api, hosts: hosts, log: log, ports: map[string]*forward{}}
}

// forward is a port of a Service.
type forward struct {
	listener net.Listener
	mu       sync.Mutex
	targets  []string
}

type service struct {
	Metadata Meta `json:"metadata"`
	Spec     struct {
		ClusterIP string
		Ports     []struct {
			Name string
			Port int
		}
	} `json:"spec"`
}

type slice struct {
	Metadata  Meta       `json:"metadata"`
	Endpoints []endpoint `json:"endpoints"`
	Ports     []struct {
		Name string
		Port int
	} `json:"ports"`
}

type endpoint struct {
	Addresses  []string
	Hostname   string
	Conditions struct{ Ready *bool }
}

func (e endpoint) ready() bool { return e.Conditions.Ready == nil || *e.Conditions.Ready }

// Run follows the cluster until ctx ends.
func (s *Services) Run(ctx context.Context) {
	defer s.set(nil)
	for pause(ctx, pollEvery/2) == nil {
		if err := s.sync(ctx); err != nil && ctx.Err() == nil {
			s.log.Warn("services", "error", err)
		}
	}
}

func (s *Services) sync(ctx context.Context) error {
	var services struct{ Items []service }
	if err := s.api.Do(ctx, "GET", "/api/v1/services", nil, &services); err != nil {
		return err
	}
	var slices struct{ Items []slice }
	if err := s.api.Do(ctx, "GET", "/apis/discovery.k8s.io/v1/endpointslices", nil, &slices); err != nil {
		return err
	}
	s.set(targets(services.Items, slices.Items))
	return s.write(hostsFile(services.Items, slices.Items))
}

// targets are the addresses behind each ADDRESS:PORT of a Service.
func targets(services []service, all []slice) map[string][]string {
	out := map[string][]string{}
	for _, svc := range services {
		if svc.Spec.ClusterIP == "" || svc.Spec.ClusterIP == "None" {
			continue
		}
		for _, port := range svc.Spec.Ports {
			address := net.JoinHostPort(svc.Spec.ClusterIP, strconv.Itoa(port.Port))
			out[address] = []string{}
			for _, sl := range slicesOf(svc, all) {
				for _, p := range sl.Ports {
					for _, e := range sl.Endpoints {
						if p.Name == port.Name && e.ready() {
							out[address] = append(out[address], net.JoinHostPort(e.Addresses[0], strconv.Itoa(p.Port)))
						}
					}
				}
			}
		}
	}
	return out
}

// slicesOf are the slices of a Service.
func slicesOf(svc service, all []slice) (out []slice) {
	for _, sl := range all {
		if sl.Metadata.Namespace == svc.Metadata.Namespace && sl.Metadata.Labels["kubernetes.io/service-name"] == svc.Metadata.Name {
			out = append(out, sl)
		}
	}
	return out
}

// hostsFile is /etc/hosts as Pods see it. It has the names that are short
// within a namespace for all namespaces: tests use one.
func hostsFile(services []service, all []slice) []byte {
	lines := []string{}
	add := func(ip, name, namespace string) {
		lines = append(lines, fmt.Sprintf("%s %s %s.%s %s.%s.svc %s.%s.svc.cluster.local", ip, name, name, namespace, name, namespace, name, namespace))
	}
	for _, svc := range services {
		if svc.Spec.ClusterIP != "None" {
			add(svc.Spec.ClusterIP, svc.Metadata.Name, svc.Metadata.Namespace)
			continue
		}
		for _, sl := range slicesOf(svc, all) {
			for _, e := range sl.Endpoints {
				if !e.ready() {
					continue
				}
				add(e.Addresses[0], svc.Metadata.Name, svc.Metadata.Namespace) // the name leads to all of them
				if e.Hostname != "" {
					add(e.Addresses[0], e.Hostname+"."+svc.Metadata.Name, svc.Metadata.Namespace)
				}
			}
		}
	}
	slices.SortFunc(lines, cmp.Compare[string])
	return []byte("127.0.0.1 localhost\n" + strings.Join(append(lines, ""), "\n"))
}

// write changes the file in place: it is mounted into Pods, where a new file
// of the same name would not be seen.
func (s *Services) write(text []byte) error {
	if bytes.Equal(text, s.text) {
		return nil
	}
	f, err := os.OpenFile(s.hosts, os.O_CREATE|os.O_WRONLY, 0o644)
	if err != nil {
		return err
	}
	_, err = f.WriteAt(text, 0)
	if err == nil {
		err = f.Truncate(int64(len(text)))
	}
	if e := f.Close(); err == nil {
		err = e
	}
	if err == nil {
		s.text = text
	}
	return err
}

// set makes the ports what they are to be.
func (s *Services) set(want map[string][]string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for address, f := range s.ports {
		if _, stays := want[address]; !stays {
			_ = f.listener.Close() // nobody is to connect any more
			delete(s.ports, address)
		}
	}
	for address, to := range want {
		f := s.ports[address]
		if f == nil {
			l, err := net.Listen("tcp", address)
			if err != nil {
				s.log.Warn("service", "address", address, "error", err)
				continue
			}
			f = &forward{listener: l}
			s.ports[address] = f
			go f.accept()
		}
		f.mu.Lock()
		f.targets = to
		f.mu.Unlock()
	}
}

// accept forwards connections until the listener is closed.
func (f *forward) accept() {
	for {
		conn, err := f.listener.Accept()
		if err != nil {
			return
		}
		go f.carry(conn)
	}
}

// carry connects a client to one of the targets, any of those that answer.
func (f *forward) carry(client net.Conn) {
	defer func() { _ = client.Close() }() // either side may have closed
	f.mu.Lock()
	to := slices.Clone(f.targets)
	f.mu.Unlock()
	rand.Shuffle(len(to), func(i, j int) { to[i], to[j] = to[j], to[i] })
	for _, address := range to {
		server, err := (&net.Dialer{Timeout: time.Second}).DialContext(context.Background(), "tcp", address)
		if err != nil {
			continue
		}
		defer func() { _ = server.Close() }() // as above
		done := make(chan struct{}, 2)
		for _, d := range [][2]net.Conn{{client, server}, {server, client}} {
			go func() {
				_, _ = io.Copy(d[0], d[1]) // the end of either side ends both
				done <- struct{}{}
			}()
		}
		<-done
		return
	}
}
