package config

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
)

// leastElection is the shortest silence that tells a dead coordinator from one
// that pauses for a moment.
const leastElection = 50 * time.Millisecond

// checkPeers checks what coordinators need to find each other. It completes
// the address to listen on by this coordinator's own among the peers.
func (c *Config) checkPeers() error {
	if c.ElectionTimeout < leastElection {
		return fmt.Errorf("election-timeout: %s is less than %s", c.ElectionTimeout, leastElection)
	}
	if c.LeaderWait <= 0 {
		return fmt.Errorf("leader-wait: %s is not a time to wait", c.LeaderWait)
	}
	if len(c.Peers) == 0 {
		if c.RaftListen != "" {
			return errors.New("raft-listen: a coordinator alone needs no port for others; name all of them by --peers")
		}
		return nil
	}
	var ids, addresses []string
	self := ""
	for _, item := range c.Peers {
		id, address, ok := strings.Cut(strings.TrimSpace(item), "=")
		host, err := hostOf(address)
		switch {
		case !ok || id == "" || err != nil || host == "":
			return fmt.Errorf("peers: %q is not ID=HOST:PORT", item)
		case slices.Contains(ids, id):
			return fmt.Errorf("peers: %s is named twice", id)
		case slices.Contains(addresses, address):
			return fmt.Errorf("peers: %s is the address of two coordinators", address)
		}
		if id == c.NodeID {
			self = address
		}
		ids, addresses = append(ids, id), append(addresses, address)
	}
	switch {
	case c.NodeID == "":
		return fmt.Errorf("peers: say by --node-id which of %s this coordinator is", strings.Join(ids, ", "))
	case self == "":
		return fmt.Errorf("node-id: %s is not among the peers %s%s", c.NodeID, strings.Join(ids, ", "), Suggest(c.NodeID, ids))
	case len(ids)%2 == 0:
		return fmt.Errorf("peers: %d coordinators survive no more losses than %d: name 1, 3 or 5", len(ids), len(ids)-1)
	case len(ids) == 1:
		c.RaftListen = ""
	case c.RaftListen == "":
		c.RaftListen = self
	}
	return c.checkReach(addresses)
}

// checkReach refuses peers on other machines without a secret.
func (c *Config) checkReach(addresses []string) error {
	for _, address := range addresses {
		host, err := hostOf(address)
		if err != nil {
			return fmt.Errorf("peers: %w", err)
		}
		if len(addresses) > 1 && !loopback(host) && c.InternalSecret == "" {
			return fmt.Errorf("peers: %s is on another machine; set --internal-secret on all nodes", address)
		}
	}
	return nil
}

// PeerMap returns the peers as id → address; nil for a coordinator alone.
// Check has been called.
func (c *Config) PeerMap() map[string]string {
	if len(c.Peers) < 2 {
		return nil
	}
	out := map[string]string{}
	for _, item := range c.Peers {
		id, address, _ := strings.Cut(strings.TrimSpace(item), "=")
		out[id] = address
	}
	return out
}
