package config

import (
	"strings"
	"testing"

	"github.com/spf13/pflag"
)

func TestMetricsAPI(t *testing.T) {
	for _, c := range []struct{ args, want string }{
		{"", ""},
		{"--metrics-api-listen=127.0.0.1:8443", ""},
		{"--metrics-api-listen=:8443 --metrics-api-client-ca=kubernetes", ""},
		{"--metrics-api-listen=:8443 --metrics-api-client-ca=/ca.pem --metrics-api-cert=/c --metrics-api-key=/k", ""},
		{"--metrics-api-listen=8443", "is not HOST:PORT"},
		{"--metrics-api-listen=:8443", "can be reached from other machines"},
		{"--metrics-api-listen=127.0.0.1:8443 --metrics-api-cert=/c", "go together"},
		{"--metrics-api-listen=127.0.0.1:8443 --metrics-api-key=/k", "go together"},
		{"--metrics-api-client-ca=kubernetes", "need an address"},
		{"--metrics-api-cert=/c --metrics-api-key=/k", "need an address"},
	} {
		var cfg Config
		fs := pflag.NewFlagSet("test", pflag.ContinueOnError)
		cfg.Flags(fs, Coordinator)
		err := fs.Parse(strings.Fields(c.args))
		if err == nil {
			err = cfg.Check(Coordinator)
		}
		if (err == nil) != (c.want == "") || err != nil && !strings.Contains(err.Error(), c.want) {
			t.Errorf("%q: got %v, want %q", c.args, err, c.want)
		}
	}
	for _, role := range []Role{Server, Worker} {
		var cfg Config
		fs := pflag.NewFlagSet("test", pflag.ContinueOnError)
		cfg.Flags(fs, role)
		if fs.Lookup("metrics-api-listen") != nil {
			t.Errorf("role %d has a metrics API", role)
		}
	}
}
