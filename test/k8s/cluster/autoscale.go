package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/tuttidb/tutti/coordinator/backlog"
	"github.com/tuttidb/tutti/test/slt"
	"github.com/tuttidb/tutti/test/tpch"
)

const (
	metricName = "tutti_work_waiting_seconds"
	metricPath = "/apis/external.metrics.k8s.io/v1beta1/namespaces/" + namespace + "/" + metricName + "?labelSelector=environment%3D" + release
	// burst is how many clients ask at once to have workers added.
	burst = 150
	// atOnce is how many answers may take that need no worker.
	atOnce = 3 * time.Second
)

// backlog is what the cluster says of the work that waits.
func (p *plane) backlog(ctx context.Context) (f backlog.Figures, err error) {
	server, err := p.server(ctx)
	if err != nil {
		return f, err
	}
	text, err := fetch(ctx, server+"/v1/backlog")
	if err == nil {
		err = json.Unmarshal([]byte(text), &f)
	}
	return f, err
}

// fetch gets a page.
func fetch(ctx context.Context, url string) (string, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return "", err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return "", err
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err == nil && resp.StatusCode != http.StatusOK {
		err = fmt.Errorf("%s: %s: %s", url, resp.Status, b)
	}
	return string(b), err
}

// metric reads the metric through the API server, as an autoscaler does.
func (p *plane) metric(ctx context.Context) (string, error) {
	var list struct{ Items []struct{ Value string } }
	if err := p.api.Do(ctx, http.MethodGet, metricPath, nil, &list); err != nil {
		return "", err
	}
	if len(list.Items) != 1 {
		return "", fmt.Errorf("the metric has %d values", len(list.Items))
	}
	return list.Items[0].Value, nil
}

// stepNone has a cluster without workers: what needs none is answered at once,
// a query that does waits, says so, is work that waits, and is answered when
// workers come.
func (p *plane) stepNone(ctx context.Context) (string, error) {
	server, err := p.server(ctx)
	if err != nil {
		return "", err
	}
	session, err := slt.NewSession(server, "tpchstd", string(tpch.Tiny))
	if err != nil {
		return "", err
	}
	slowest := time.Duration(0)
	for _, sql := range []string{
		"SELECT 1", "SHOW CATALOGS", "SHOW TABLES", "DESCRIBE nation", "EXPLAIN SELECT count(*) FROM nation", "SHOW SESSION",
		"SELECT count(*) FROM system.runtime.nodes", "SELECT table_name FROM information_schema.tables", "SET SESSION query_max_run_time = '1h'",
	} {
		began := time.Now()
		if _, err := session.Query(ctx, sql); err != nil {
			return "", fmt.Errorf("without workers, %s: %w", sql, err)
		}
		if slowest = max(slowest, time.Since(began)); slowest > atOnce {
			return "", fmt.Errorf("without workers, %s took %s", sql, slowest)
		}
	}
	answered := make(chan error, 1)
	go func() { answered <- ask(ctx, server, tpch.Queries()[5]) }()
	note, err := p.oneWaits(ctx, session)
	if err != nil {
		return "", err
	}
	if _, err := p.kubectl(ctx, "scale", "deployment", release+"-worker", "--replicas=2"); err != nil {
		return "", err
	}
	began := time.Now()
	if err := <-answered; err != nil {
		return "", fmt.Errorf("the query that waited: %w", err)
	}
	waited := time.Since(began)
	if err := errors.Join(p.pods(ctx, "worker", 2), p.workers(ctx, 2)); err != nil {
		return "", err
	}
	return fmt.Sprintf("answers within %.1f s; %s; answered %.1f s after workers were asked for", slowest.Seconds(), note, waited.Seconds()), nil
}

// oneWaits makes sure that everybody can see that one query waits for a worker.
func (p *plane) oneWaits(ctx context.Context, session *slt.Session) (string, error) {
	var value string
	err := p.wait(ctx, time.Minute, "a query that waits for a worker", func() error {
		got, err := session.Query(ctx, "SELECT state FROM system.runtime.queries WHERE state = 'WAITING_FOR_RESOURCES'")
		if err != nil {
			return err
		}
		f, err := p.backlog(ctx)
		if err != nil {
			return err
		}
		if value, err = p.metric(ctx); err != nil {
			return err
		}
		if len(got.Rows) != 1 || f.Queries < 1 || f.Seconds <= 0 || f.OldestSeconds <= 0 || f.Workers != 0 || value == "0" {
			return fmt.Errorf("%d queries wait, the backlog is %+v, the metric %s", len(got.Rows), f, value)
		}
		return nil
	})
	return "the metric is " + value, err
}

// stepAutoscale gives the workers to the chart's autoscaler, which asks the
// coordinators: it is to follow a burst, and the quiet after it.
func (p *plane) stepAutoscale(ctx context.Context) (string, error) {
	values := []string{
		"worker.autoscaling.enabled=true", "worker.autoscaling.maxReplicas=4", "worker.autoscaling.scaleDownSeconds=0",
		"worker.autoscaling.workWaiting.seconds=1", // the queries are small
	}
	if err := p.helmSet(ctx, "upgrade", values...); err != nil {
		return "", err
	}
	server, err := p.server(ctx)
	if err != nil {
		return "", err
	}
	if err := p.workers(ctx, 1); err != nil {
		return "", err
	}
	calm := beginSlowly(ctx, server, 1, time.Second)
	began := time.Now()
	l := begin(ctx, server, burst)
	most, err := p.follow(ctx, 4)
	up := time.Since(began)
	if err == nil {
		l.more(ctx, 10)
	}
	asked, failed := l.end()
	if err = errors.Join(err, failed); err == nil {
		began = time.Now()
		err = p.workers(ctx, 1) // all at once: what was added within the minute does not count
	}
	down := time.Since(began)
	more, failed := calm.end()
	if err = errors.Join(err, failed); err != nil {
		return "", errors.Join(err, p.explainScaling(ctx))
	}
	// The number of workers is the autoscaler's by now: who takes it back must say so.
	if err := p.helmSet(ctx, "upgrade", "--force-conflicts", "worker.replicas=2"); err != nil {
		return "", err
	}
	return fmt.Sprintf("up to %.1f s waiting; 1 → 4 in %.1f s, back in %.1f s; %d queries, none failed", most, up.Seconds(), down.Seconds(), asked+more), p.pods(ctx, "worker", 2)
}

// follow waits for n workers and returns the most seconds of work that waited
// meanwhile.
func (p *plane) follow(ctx context.Context, n int) (most float64, err error) {
	watching, stop := context.WithCancel(ctx)
	done := make(chan struct{})
	go func() {
		defer close(done)
		for watching.Err() == nil {
			if f, err := p.backlog(watching); err == nil {
				most = max(most, f.Seconds)
			}
			time.Sleep(200 * time.Millisecond)
		}
	}()
	err = p.workers(ctx, n)
	stop()
	<-done
	return most, err
}

// explainScaling is what the autoscaler has to say.
func (p *plane) explainScaling(ctx context.Context) error {
	out, err := p.kubectl(ctx, "describe", "hpa")
	return errors.Join(err, errors.New(strings.TrimSpace(out)))
}
