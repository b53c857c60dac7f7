package config

import (
	"errors"
	"fmt"

	"github.com/spf13/pflag"
)

// FromKubernetes is the value of metrics-api-client-ca by which a coordinator
// that is a Pod asks its cluster for the authority.
const FromKubernetes = "kubernetes"

// metricsFlags registers the settings of the API that Kubernetes' autoscaler
// reads the work that waits from.
func (c *Config) metricsFlags(fs *pflag.FlagSet) {
	fs.StringVar(&c.MetricsAPIListen, "metrics-api-listen", "", "address for Kubernetes' external metrics API, over TLS (default: none)")
	fs.StringVar(&c.MetricsAPIClientCA, "metrics-api-client-ca", "", "PEM file of the authority whose certificates clients must have; \""+FromKubernetes+"\": that of the front proxies of the cluster that this coordinator is a Pod of")
	fs.StringVar(&c.MetricsAPICert, "metrics-api-cert", "", "PEM file with the certificate of --metrics-api-listen (default: one made at the start)")
	fs.StringVar(&c.MetricsAPIKey, "metrics-api-key", "", "PEM file with its key")
}

// checkMetricsAPI refuses settings that leave the API open, or half set.
func (c *Config) checkMetricsAPI() error {
	if c.MetricsAPIListen == "" {
		if c.MetricsAPIClientCA+c.MetricsAPICert+c.MetricsAPIKey != "" {
			return errors.New("metrics-api-listen: the other settings of the metrics API need an address to listen on")
		}
		return nil
	}
	host, err := hostOf(c.MetricsAPIListen)
	if err != nil {
		return fmt.Errorf("metrics-api-listen: %w", err)
	}
	if !loopback(host) && c.MetricsAPIClientCA == "" {
		return fmt.Errorf("metrics-api-listen: %s can be reached from other machines; say by --metrics-api-client-ca whose certificates clients must have, or listen on 127.0.0.1", c.MetricsAPIListen)
	}
	if (c.MetricsAPICert == "") != (c.MetricsAPIKey == "") {
		return errors.New("metrics-api-cert: a certificate and its key (--metrics-api-key) go together")
	}
	return nil
}
