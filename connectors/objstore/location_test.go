package objstore_test

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/tuttidb/tutti/connectors/objstore"
	"github.com/tuttidb/tutti/internal/qerr"
)

func TestParseLocation(t *testing.T) {
	tests := []struct{ text, scheme, bucket, path, printed string }{
		{"s3://b", "s3", "b", "", "s3://b"},
		{"s3://b/", "s3", "b", "", "s3://b"},
		{"s3a://My.bucket_1-x/a/b/", "s3", "My.bucket_1-x", "a/b/", "s3://My.bucket_1-x/a/b/"},
		{"S3N://b/k%2F=ü x?*", "s3", "b", "k%2F=ü x?*", "s3://b/k%2F=ü x?*"},
		{"s3://b//k", "s3", "b", "/k", "s3://b//k"},
		{"file:///a/b", "file", "", "/a/b", "file:///a/b"},
		{"file:/a/b", "file", "", "/a/b", "file:///a/b"},
		{"/a/b", "file", "", "/a/b", "file:///a/b"},
		{"data/*.parquet", "file", "", "data/*.parquet", "data/*.parquet"},
		{"../x", "file", "", "../x", "../x"},
		{"a b://c", "file", "", "a b://c", "a b://c"},
	}
	for _, tt := range tests {
		l, err := objstore.ParseLocation(tt.text)
		if err != nil || l.Scheme != tt.scheme || l.Bucket != tt.bucket || l.Path != tt.path || l.String() != tt.printed {
			t.Errorf("ParseLocation(%q) = %+v (%s), %v", tt.text, l, l, err)
		}
		if again, err := objstore.ParseLocation(l.String()); err != nil || again != l {
			t.Errorf("%q came back as %+v, %v", l, again, err)
		}
	}
}

func TestParseLocationErrors(t *testing.T) {
	tests := map[string]string{
		"":                           "location is empty",
		"file://":                    "names a host",
		"file://host/a":              "a file is written with three slashes",
		"s3://":                      "names no bucket",
		"s3:///k":                    "names no bucket",
		"s3://b c/k":                 "character ' '",
		"s3://AKIAX:secret@bucket/k": "keys and the endpoint belong in the catalog's settings",
		"gs://b/k":                   "not supported: locations that begin with gs:// (use s3://bucket/path, file:///path or a path)",
		"http://x/y":                 "not supported: locations that begin with http://",
		"a\x00b":                     "zero byte",
	}
	for text, want := range tests {
		_, err := objstore.ParseLocation(text)
		if err == nil || !strings.Contains(err.Error(), want) || qerr.From(err).Code.Kind != qerr.User {
			t.Errorf("ParseLocation(%q): %v; want %q", text, err, want)
		} else if strings.Contains(err.Error(), "secret@") {
			t.Errorf("a secret shows: %v", err)
		}
	}
}

func FuzzParseLocation(f *testing.F) {
	for _, s := range []string{"s3://b/k", "file:///x", "x/*.csv", "s3a://é/", "file:/", "://", "a+b.c-1://x"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		l, err := objstore.ParseLocation(s)
		if err != nil {
			return
		}
		again, err := objstore.ParseLocation(l.String())
		if err != nil || again != l {
			t.Fatalf("%q = %+v came back as %+v, %v", s, l, again, err)
		}
		base, pattern := l.Split()
		if base.Scheme != l.Scheme || base.Bucket != l.Bucket || base.Path != "." && base.Path+pattern != l.Path {
			t.Fatalf("%q split into %q and %q", s, base, pattern)
		}
		objstore.Match(pattern, "a/b")
	})
}

func TestLocationContains(t *testing.T) {
	tests := []struct {
		a, b string
		want bool
	}{
		{"s3://b", "s3://b/x", true}, {"s3://b/x", "s3://b/x/", true}, {"s3://b/x/", "s3://b/x/y", true},
		{"s3://b/x", "s3://b/xy", false}, {"s3://b", "s3://c/x", false}, {"s3://b/x", "s3://b", false},
		{"s3://b", "/b/x", false}, {"/a", "/a/b", true}, {"/a/b", "/a/b/../c", false}, {"/a/", "/a", true},
		{"/", "/etc", true}, {"x", "x/y", true}, {"x", "x/../y", false}, {".", "x", true}, {".", "..", false},
	}
	for _, tt := range tests {
		if got := mustParse(t, tt.a).Contains(mustParse(t, tt.b)); got != tt.want {
			t.Errorf("%s contains %s: %v", tt.a, tt.b, got)
		}
	}
}

func TestLocationSplit(t *testing.T) {
	dir := t.TempDir()
	tests := []struct{ text, base, pattern string }{
		{"s3://b/a/b*/c", "s3://b/a/", "b*/c"}, {"s3://b/a/k.parquet", "s3://b/a/", "k.parquet"},
		{"s3://b/a/", "s3://b/a/", ""}, {"s3://b", "s3://b", ""}, {"s3://b/*", "s3://b", "*"},
		{"*.csv", ".", "*.csv"}, {"x.csv", ".", "x.csv"}, {"/x/y.csv", "file:///x/", "y.csv"},
		{dir, "file://" + dir, ""}, {dir + "/**", "file://" + dir + "/", "**"}, {"/x*", "file:///", "x*"},
	}
	for _, tt := range tests {
		base, pattern := mustParse(t, tt.text).Split()
		if base.String() != tt.base || pattern != tt.pattern {
			t.Errorf("Split(%q) = %q, %q; want %q, %q", tt.text, base, pattern, tt.base, tt.pattern)
		}
	}
}

func TestOpenGlobFiles(t *testing.T) {
	dir := t.TempDir()
	t.Chdir(dir)
	os.MkdirAll("data/sub", 0o755)
	for _, name := range []string{"data/a.csv", "data/sub/b.csv", "c.csv"} {
		if err := os.WriteFile(filepath.FromSlash(name), nil, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	tests := map[string]string{
		"data/*.csv": "a.csv", "data/**/*.csv": "a.csv sub/b.csv", "data": "a.csv sub/b.csv", "data/": "a.csv sub/b.csv",
		"data/a.csv": "a.csv", "c.csv": "c.csv", "*.csv": "c.csv", dir + "/data/sub/*": "b.csv", "file://" + dir + "/*.csv": "c.csv", "no/such/*": "error",
	}
	for text, want := range tests {
		b, pattern, err := objstore.OpenGlob(t.Context(), mustParse(t, text), objstore.Config{})
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for o, err := range objstore.Glob(t.Context(), b, pattern) {
			if err != nil {
				got = []string{"error"}
				wantErr(t, err, objstore.ErrNoBucket, qerr.LakeFilesystemError, false, "file://"+dir+"/no/such: no such folder")
				break
			}
			got = append(got, o.Key)
		}
		if strings.Join(got, " ") != want {
			t.Errorf("%q gave %q, want %q", text, got, want)
		}
	}
}

func TestJoin(t *testing.T) {
	tests := []struct {
		parts []string
		want  string
	}{
		{nil, ""}, {[]string{"", "a"}, "a"}, {[]string{"a", "", "b"}, "a/b"}, {[]string{"a/", "/b"}, "a/b"}, {[]string{"a", "b/"}, "a/b/"}, {[]string{"/a", "b"}, "/a/b"},
	}
	for _, tt := range tests {
		if got := objstore.Join(tt.parts...); got != tt.want {
			t.Errorf("Join(%q) = %q", tt.parts, got)
		}
	}
}

// TestConfigShowsNoSecret tries every usual way of printing.
func TestConfigShowsNoSecret(t *testing.T) {
	c := objstore.Config{Endpoint: "http://user:canary@host", Region: "r", AccessKey: "canary1", SecretKey: "canary2", SessionToken: "canary3"}
	type outer struct {
		C objstore.Config
		P *objstore.Config
	}
	o := outer{c, &c}
	var sb strings.Builder
	for _, h := range []slog.Handler{slog.NewTextHandler(&sb, nil), slog.NewJSONHandler(&sb, nil)} {
		slog.New(h).Info("x", "c", c, "p", &c, "o", o)
	}
	fmt.Fprintf(&sb, "%v %+v %#v %s %q %v %+v %#v", c, c, c, c, c, o, o, o)
	j, err := json.Marshal(o)
	y, err2 := c.MarshalYAML()
	fmt.Fprint(&sb, string(j), err, y, err2)
	if strings.Contains(sb.String(), "canary") {
		t.Errorf("a secret shows: %s", sb.String())
	}
	if !strings.Contains(c.String(), `region:"r"`) || !strings.Contains(c.String(), `secret-key:"***"`) {
		t.Errorf("printed as %s", c)
	}
}

func TestConfigCheck(t *testing.T) {
	tests := map[string]objstore.Config{
		"must be given together":    {AccessKey: "canary"},
		"session-token needs":       {SessionToken: "canary"},
		"at least 5 MiB":            {PartSize: 100},
		"http://HOST:PORT":          {Endpoint: "localhost:9000"},
		"not hold a user":           {Endpoint: "http://a:canary@b"},
		"not hold a query":          {Endpoint: "http://b?canary"},
		"endpoint is not a URL":     {Endpoint: "http://canary\x7f"},
		"must be http://HOST:PORT ": {Endpoint: "ftp://b"},
	}
	for want, c := range tests {
		err := c.Check()
		if !qerr.Is(err, qerr.InvalidArguments) || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "canary") {
			t.Errorf("%s: %v", want, err)
		}
	}
	if err := (objstore.Config{Endpoint: "https://s3.example.com/base"}).Check(); err != nil {
		t.Error(err)
	}
}
