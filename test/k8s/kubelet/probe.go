package kubelet

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"time"
)

// act carries out a handler of a container at an address: nil is success.
func act(ctx context.Context, h *Handler, c *Container, ip string) error {
	switch {
	case h.HTTPGet != nil:
		port, err := h.HTTPGet.Port.in(c)
		if err != nil {
			return err
		}
		header := http.Header{}
		for _, one := range h.HTTPGet.HTTPHeaders {
			header.Add(one.Name, one.Value)
		}
		return get(ctx, "http://"+net.JoinHostPort(ip, strconv.Itoa(port))+h.HTTPGet.Path, header)
	case h.TCPSocket != nil:
		port, err := h.TCPSocket.Port.in(c)
		if err != nil {
			return err
		}
		conn, err := new(net.Dialer).DialContext(ctx, "tcp", net.JoinHostPort(ip, strconv.Itoa(port)))
		if err != nil {
			return err
		}
		return conn.Close()
	case h.Sleep != nil:
		return pause(ctx, time.Duration(h.Sleep.Seconds)*time.Second)
	}
	return errors.New("not supported: exec and gRPC in probes and hooks")
}

func get(ctx context.Context, url string, header http.Header) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return err
	}
	req.Header = header
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if _, err := io.Copy(io.Discard, resp.Body); err != nil {
		return err
	}
	if resp.StatusCode < 200 || resp.StatusCode >= 400 {
		return fmt.Errorf("%s answers %d", url, resp.StatusCode)
	}
	return nil
}

// pause waits, or returns ctx's error.
func pause(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// started asks a startup probe until it succeeds, or has failed too often.
func started(ctx context.Context, p *Probe, ask func(context.Context, *Handler) error) error {
	for failed := 0; ; {
		once, cancel := context.WithTimeout(ctx, time.Duration(p.TimeoutSeconds)*time.Second)
		err := ask(once, &p.Handler)
		cancel()
		if err == nil {
			return nil
		}
		if failed++; failed >= max(1, p.FailureThreshold) {
			return err
		}
		if err := pause(ctx, time.Duration(p.PeriodSeconds)*time.Second); err != nil {
			return err
		}
	}
}

// watch asks a probe until ctx ends and reports each change of the answer,
// which is at first the given one; the thresholds are the probe's.
func watch(ctx context.Context, p *Probe, good bool, ask func(context.Context, *Handler) error, changed func(good bool, why error)) {
	if pause(ctx, time.Duration(p.InitialDelaySeconds)*time.Second) != nil {
		return
	}
	same := 0
	for {
		once, cancel := context.WithTimeout(ctx, time.Duration(p.TimeoutSeconds)*time.Second)
		err := ask(once, &p.Handler)
		cancel()
		if ctx.Err() != nil {
			return
		}
		if (err == nil) == good {
			same = 0
		} else if same++; same >= p.threshold(good) {
			good, same = !good, 0
			changed(good, err)
		}
		if pause(ctx, time.Duration(p.PeriodSeconds)*time.Second) != nil {
			return
		}
	}
}

// threshold is how many answers in a row turn a good or bad probe over.
func (p *Probe) threshold(good bool) int {
	if good {
		return max(1, p.FailureThreshold)
	}
	return max(1, p.SuccessThreshold)
}
