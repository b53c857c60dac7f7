package rig

import (
	"bufio"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// owner returns which of some processes holds the other end of a connection
// that was accepted on loopback: by the inode of the socket with the peer's
// address, which the kernel lists, and the descriptors of the processes. 0 if
// none does.
func owner(conn net.Conn, pids []int) int {
	peer, ok := conn.RemoteAddr().(*net.TCPAddr)
	here, also := conn.LocalAddr().(*net.TCPAddr)
	if !ok || !also {
		return 0
	}
	inode := inodeOf("/proc/net/tcp", peer.Port, here.Port)
	if inode == "" {
		return 0
	}
	want := "socket:[" + inode + "]"
	for _, pid := range pids {
		names, _ := filepath.Glob(fmt.Sprintf("/proc/%d/fd/*", pid))
		for _, name := range names {
			if to, err := os.Readlink(name); err == nil && to == want {
				return pid
			}
		}
	}
	return 0
}

// inodeOf finds the socket from a local port to a remote one in a table of the
// kernel's, "" if there is none.
func inodeOf(table string, local, remote int) string {
	f, err := os.Open(table)
	if err != nil {
		return ""
	}
	defer f.Close()
	lines := bufio.NewScanner(f)
	for lines.Scan() {
		// sl local_address rem_address st queues timer retransmits uid timeout inode
		fields := strings.Fields(lines.Text())
		if len(fields) > 9 && portOf(fields[1]) == local && portOf(fields[2]) == remote {
			return fields[9]
		}
	}
	return ""
}

// portOf is the port in 0100007F:1F90.
func portOf(address string) int {
	_, hex, _ := strings.Cut(address, ":")
	port, err := strconv.ParseUint(hex, 16, 16)
	if err != nil {
		return -1
	}
	return int(port)
}
