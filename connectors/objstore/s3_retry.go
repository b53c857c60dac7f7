package objstore

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/ratelimit"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	"github.com/aws/smithy-go"
	smithyhttp "github.com/aws/smithy-go/transport/http"

	"github.com/tuttidb/tutti/internal/qerr"
)

// newPolicy returns the rules by which attempts are repeated: the SDK's, with
// more sorts of error and without its quota, which would fail the requests of
// one query because of those of another.
func newPolicy(cfg Config) aws.Retryer {
	return retry.NewStandard(func(o *retry.StandardOptions) {
		o.MaxAttempts = cfg.Attempts
		o.RateLimiter = ratelimit.None
		o.Backoff = retry.BackoffDelayerFunc(func(n int, _ error) (time.Duration, error) { return backoff(cfg.Backoff, n), nil })
		o.Retryables = append([]retry.IsErrorRetryable{retry.IsErrorRetryableFunc(ownRules)}, o.Retryables...)
	})
}

// retryStatus are the status codes that may go away.
var retryStatus = map[int]bool{408: true, 429: true, 500: true, 502: true, 503: true, 504: true}

// ownRules decides on the errors that the SDK's rules do not know.
func ownRules(err error) aws.Ternary {
	var (
		cred   *credentialsError
		qe     *qerr.Error
		badXML *smithy.DeserializationError
		cut    *cutError
	)
	switch {
	case errors.As(err, &cred), errors.As(err, &qe), isTLS(err):
		return aws.FalseTernary
	case statusOf(err) >= 300:
		if retryStatus[statusOf(err)] || codeText(err) == "ConditionalRequestConflict" {
			return aws.TrueTernary
		}
		return aws.UnknownTernary
	case errors.As(err, &cut), errors.Is(err, io.ErrUnexpectedEOF), errors.As(err, &badXML):
		return aws.TrueTernary
	}
	return aws.UnknownTernary
}

// cutError is an answer with fewer bytes than it promised.
type cutError struct{ got, want int }

func (e *cutError) Error() string {
	return fmt.Sprintf("the answer was cut off after %d of %d bytes", e.got, e.want)
}

// isTLS reports an error of trust, which time does not mend.
func isTLS(err error) bool {
	var (
		cert *tls.CertificateVerificationError
		auth x509.UnknownAuthorityError
		host x509.HostnameError
		rec  tls.RecordHeaderError
	)
	return errors.As(err, &cert) || errors.As(err, &auth) || errors.As(err, &host) || errors.As(err, &rec)
}

// statusOf returns the HTTP status of an answer that was an error, or 0.
func statusOf(err error) int {
	var v interface{ HTTPStatusCode() int }
	if errors.As(err, &v) {
		return v.HTTPStatusCode()
	}
	return 0
}

// codeText returns the store's own name of the error, such as NoSuchKey.
func codeText(err error) string {
	var v smithy.APIError
	if errors.As(err, &v) {
		return v.ErrorCode()
	}
	return ""
}

// call is one call of a Bucket method on S3, for the loop and its messages.
type call struct {
	op   op
	name string // of the object or bucket
	url  string // of the bucket
	etag string // of the version asked for
}

// retry runs attempt until it succeeds, fails for good, or enough has been
// tried. An attempt reports how many bytes it moved; one that moved a fair
// number makes the count of failures begin anew, so that long reads over a
// flaky line end, and a store that is down does not hold anybody for long.
func (c *client) retry(ctx context.Context, cl call, attempt func(context.Context) (int, error)) (err error) {
	start := time.Now()
	defer func() { c.cfg.Metrics.done(cl.op, start, notEOF(err)) }()
	since, failures := start, 0
	for total := 1; ; total++ {
		c.cfg.Metrics.sent(total > 1)
		moved, err := attempt(ctx)
		if err == nil || isEnd(err) {
			return err
		}
		if ctx.Err() != nil {
			return ctxErr(ctx, cl.name)
		}
		if moved >= stallBytes {
			since, failures = time.Now(), 0
		}
		failures++
		if !c.policy.IsErrorRetryable(err) {
			return c.explain(cl, err)
		}
		delay, _ := c.policy.RetryDelay(failures, err)
		if failures >= c.policy.MaxAttempts() || time.Since(since)+delay+patient(ctx, c.cfg.StallTimeout) > c.cfg.GiveUp {
			return c.unavailable(cl, err, failures, time.Since(since))
		}
		c.cfg.Logger.DebugContext(ctx, "object store: trying again", "object", cl.name, "call", cl.op.String(),
			"failures", failures, "wait", delay, "error", c.reason(err))
		if !sleep(ctx, delay) {
			return ctxErr(ctx, cl.name)
		}
	}
}

// isEnd reports whether an attempt found the object's end. An io.EOF within
// another error is none: that is a connection which broke.
func isEnd(err error) bool {
	return err == io.EOF //nolint:errorlint // see above
}

// sleep waits and reports whether ctx is still alive.
func sleep(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// unavailable is the error after the last attempt.
func (c *client) unavailable(cl call, err error, attempts int, took time.Duration) error {
	times := fmt.Sprintf("%d attempts", attempts)
	if attempts == 1 {
		times = "1 attempt"
	}
	return fail(ErrUnavailable, cl.name, err, "the object store failed in %s over %s (%s); check the endpoint %s and try again",
		times, took.Round(100*time.Millisecond), c.reason(err), c.endpoint())
}

// endpoint names the store in messages.
func (c *client) endpoint() string {
	if c.cfg.Endpoint == "" {
		return "of AWS"
	}
	return c.cfg.Endpoint
}

// explain turns an error that no retry mends into one for the user.
func (c *client) explain(cl call, err error) error {
	var (
		qe   *qerr.Error
		cred *credentialsError
		dns  *net.DNSError
	)
	switch {
	case errors.As(err, &qe):
		return qe
	case errors.As(err, &cred):
		return fail(ErrAccessDenied, cl.name, err, "no usable AWS credentials – set access-key and secret-key, or the AWS environment, profile or role of this node (%s)", c.reason(cred.err))
	case isTLS(err):
		return fail(ErrInvalid, cl.name, err, "no secure connection to the store at %s: %s", c.endpoint(), c.reason(err))
	case errors.As(err, &dns):
		return fail(ErrUnavailable, cl.name, err, "the host name of the store is not known (%s) – check the endpoint %s, the bucket's name and path-style", dns.Name, c.endpoint())
	}
	return c.explainStatus(cl, err)
}

// explainStatus does so for an answer of the store.
func (c *client) explainStatus(cl call, err error) error {
	status, code := statusOf(err), codeText(err)
	missing := status == http.StatusNotFound && missingCodes[code]
	switch {
	case code == "NoSuchBucket", missing && cl.op == opList:
		return fail(ErrNoBucket, cl.url, err, "no such bucket (404) – check its name and the endpoint %s", c.endpoint())
	case missing && cl.etag != "":
		return errGone(cl.name)
	case missing && cl.op != opPut:
		return errNotFound(cl.name)
	case status == http.StatusPreconditionFailed && cl.op == opPut:
		return errExists(cl.name)
	case status == http.StatusPreconditionFailed:
		return errChanged(cl.name, err)
	case status == http.StatusForbidden, status == http.StatusUnauthorized, deniedCodes[code]:
		return c.denied(cl, err, status, code)
	case status >= 300 && status < 400:
		return c.redirected(cl, err, status)
	}
	return fail(ErrInvalid, cl.name, err, "the object store refused the request (%s)", c.reason(err))
}

// missingCodes come with status 404 and mean the object; answers to HEAD have
// no code, for which the SDK puts NotFound.
var missingCodes = map[string]bool{"": true, "NotFound": true, "NoSuchKey": true, "NoSuchVersion": true, "UnknownError": true}

// deniedCodes come with status 400, or 404 in versitygw's case, but mean
// credentials.
var deniedCodes = map[string]bool{
	"ExpiredToken": true, "ExpiredTokenException": true, "InvalidToken": true, "TokenRefreshRequired": true,
	"InvalidAccessKeyId": true, "SignatureDoesNotMatch": true, "RequestTimeTooSkewed": true, "AccessDenied": true,
	"XAdminUserNotFound": true,
}

// denied says which part of the credentials to look at.
func (c *client) denied(cl call, err error, status int, code string) error {
	advice := "check the access key, and that its policy and the bucket's allow this"
	switch code {
	case "ExpiredToken", "ExpiredTokenException", "InvalidToken", "TokenRefreshRequired":
		advice = "the temporary credentials have expired or are not valid; renew them"
	case "InvalidAccessKeyId", "XAdminUserNotFound":
		advice = "the store does not know the access key"
	case "SignatureDoesNotMatch":
		advice = "the secret key does not belong to the access key, or the region is wrong"
	case "RequestTimeTooSkewed":
		advice = "the clock of this node differs too much from the store's"
	}
	if code != "" && code != "Forbidden" && code != "AccessDenied" {
		return fail(ErrAccessDenied, cl.name, err, "access denied (%d %s) – %s", status, code, advice)
	}
	return fail(ErrAccessDenied, cl.name, err, "access denied (%d) – %s", status, advice)
}

// redirected says where the bucket is.
func (c *client) redirected(cl call, err error, status int) error {
	var v interface{ HTTPResponse() *smithyhttp.Response }
	if errors.As(err, &v) && v.HTTPResponse() != nil {
		if region := v.HTTPResponse().Header.Get("X-Amz-Bucket-Region"); region != "" {
			return fail(ErrInvalid, cl.name, err, "the bucket is in region %s (%d) – set region to it", region, status)
		}
	}
	return fail(ErrInvalid, cl.name, err, "the store says that the bucket is elsewhere (%d) – check region and endpoint %s", status, c.endpoint())
}

// reason is the cause of a failure in a few words, without secrets.
func (c *client) reason(err error) string {
	var api smithy.APIError
	var badXML *smithy.DeserializationError
	status := statusOf(err)
	text := ""
	switch {
	case errors.As(err, &api) && status != 0:
		text = fmt.Sprintf("%d %s", status, api.ErrorCode())
		if msg := api.ErrorMessage(); msg != "" && !strings.EqualFold(msg, api.ErrorCode()) {
			text += ": " + msg
		}
	case errors.Is(err, io.ErrUnexpectedEOF):
		text = "the answer was cut off"
	case errors.As(err, &badXML):
		text = "the answer is not that of an S3 store"
	default:
		text = innermost(err).Error()
	}
	text = c.cfg.redact(strings.ToValidUTF8(text, "?"))
	if r := []rune(text); len(r) > 300 {
		text = string(r[:300]) + "..."
	}
	return text
}

// innermost unwraps down to the network's own error: what the SDK puts around
// it says nothing to a user.
func innermost(err error) error {
	var op *net.OpError
	var stall *stallError
	if errors.As(err, &op) {
		return op
	}
	if errors.As(err, &stall) {
		return stall
	}
	for {
		next := errors.Unwrap(err)
		if next == nil {
			return err
		}
		err = next
	}
}
