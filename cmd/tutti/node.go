package main

import (
	"net"
	"os"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/tuttidb/tutti/coordinator"
)

// self describes this process as a node.
func (p *process) self(id string, web net.Listener) coordinator.NodeInfo {
	n := coordinator.NodeInfo{
		ID: id, HTTPAddress: p.webAddress(web), Version: version, Coordinator: true, State: "active", LastSeen: time.Now(),
		MemoryUsed: p.account.Used(), MemoryLimit: int64(p.cfg.MemoryLimit), RSS: residentBytes(), Threads: p.cfg.Threads,
	}
	var use syscall.Rusage
	if syscall.Getrusage(syscall.RUSAGE_SELF, &use) == nil {
		n.CPU = time.Duration(use.Utime.Nano() + use.Stime.Nano())
	}
	return n
}

// webAddress is where others reach an HTTP listener: where it listens, or, if
// that is everywhere, on the host that the process is advertised under.
func (p *process) webAddress(l net.Listener) string {
	address := l.Addr().String()
	host, port, err := net.SplitHostPort(address)
	if ip := net.ParseIP(host); err != nil || ip == nil || !ip.IsUnspecified() {
		return address
	}
	if own, _, err := net.SplitHostPort(p.cfg.Advertise); err == nil && own != "" {
		return net.JoinHostPort(own, port)
	}
	return address
}

// residentBytes is the process's resident memory, 0 where unknown.
func residentBytes() int64 {
	b, err := os.ReadFile("/proc/self/statm")
	if err != nil {
		return 0
	}
	fields := strings.Fields(string(b))
	if len(fields) < 2 {
		return 0
	}
	pages, err := strconv.ParseInt(fields[1], 10, 64)
	if err != nil {
		return 0
	}
	return pages * int64(os.Getpagesize())
}
