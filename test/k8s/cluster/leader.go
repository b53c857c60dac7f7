package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/tuttidb/tutti/test/tpch"
)

// kills is how often the leading coordinator is killed.
const kills = 3

// leader returns the Pod of the coordinator that leads, and its address: the
// one that knows how much work waits.
func (p *plane) leader(ctx context.Context) (pod, ip string, err error) {
	out, err := p.kubectl(ctx, "get", "pods", "-l", "app.kubernetes.io/component=coordinator", "-o",
		`jsonpath={range .items[*]}{.metadata.name} {.status.podIP}{"\n"}{end}`)
	if err != nil {
		return "", "", err
	}
	for line := range strings.Lines(out) {
		name, address, _ := strings.Cut(strings.TrimSpace(line), " ")
		once, cancel := context.WithTimeout(ctx, 2*time.Second)
		text, err := fetch(once, "http://"+address+":8080/metrics")
		cancel()
		if err == nil && strings.Contains(text, "\n"+metricName+" ") {
			return name, address, nil
		}
	}
	return "", "", errors.New("no coordinator leads")
}

// stepLeader kills the leader's Pod under load, a few times: another one leads,
// and the Pod comes back with its name and its disk, at another address.
func (p *plane) stepLeader(ctx context.Context) (string, error) {
	server, err := p.server(ctx)
	if err != nil {
		return "", err
	}
	l := begin(ctx, server, clients)
	var pauses []time.Duration
	for range kills {
		l.more(ctx, 5)
		pause, err := p.killLeader(ctx, server)
		if err != nil {
			_, failed := l.end()
			return "", errors.Join(err, failed, p.explain(ctx))
		}
		pauses = append(pauses, pause)
	}
	l.more(ctx, 5)
	asked, err := l.end()
	slices.Sort(pauses)
	return fmt.Sprintf("%d kills: answers again after %.1f s, at worst %.1f s; %d queries, none failed (%d new statements cut off and asked again, slowest %.1f s)",
		kills, pauses[len(pauses)/2].Seconds(), pauses[len(pauses)-1].Seconds(), asked, l.cut, l.worst.Seconds()), err
}

// killLeader kills the leader's Pod without a warning, and returns how long it
// took until a query that was begun then was answered.
func (p *plane) killLeader(ctx context.Context, server string) (time.Duration, error) {
	old, address, err := p.leader(ctx)
	if err != nil {
		return 0, err
	}
	began := time.Now()
	if _, err := p.kubectl(ctx, "delete", "pod", old, "--grace-period=0", "--force", "--wait=false"); err != nil {
		return 0, err
	}
	for err = errCut; errors.Is(err, errCut); {
		err = ask(ctx, server, tpch.Queries()[5])
	}
	took := time.Since(began)
	if err != nil {
		return 0, fmt.Errorf("after %s was killed: %w", old, err)
	}
	if err := errors.Join(p.pods(ctx, "coordinator", p.o.Coordinators), p.workers(ctx, 2)); err != nil {
		return 0, err
	}
	ip, err := p.kubectl(ctx, "get", "pod", old, "-o", "jsonpath={.status.podIP}")
	if err == nil && ip == address {
		err = fmt.Errorf("%s is at %s again: a change of address was not tested", old, ip)
	}
	return took, err
}

// stepRoll restarts all coordinators, one after the other, under load.
func (p *plane) stepRoll(ctx context.Context) (string, error) {
	server, err := p.server(ctx)
	if err != nil {
		return "", err
	}
	l := begin(ctx, server, clients)
	l.more(ctx, 3)
	_, err = p.kubectl(ctx, "rollout", "restart", "statefulset", release+"-coordinator")
	if err == nil {
		_, err = p.kubectl(ctx, "rollout", "status", "statefulset", release+"-coordinator", "--timeout=240s")
	}
	err = errors.Join(err, p.pods(ctx, "coordinator", p.o.Coordinators), p.workers(ctx, 2))
	l.more(ctx, 5)
	asked, failed := l.end()
	return fmt.Sprintf("%d queries, none failed (%d new statements cut off, slowest %.1f s)", asked, l.cut, l.worst.Seconds()), errors.Join(err, failed)
}
