package alert

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
)

const (
	postTimeout = 15 * time.Second
	maxAnswer   = 4 << 10 // no more is read of an answer
	longestWait = 24 * time.Hour
)

// poster posts JSON to an address that is a secret: whoever knows it may post.
type poster struct {
	channel string
	setting string // where the address is configured
	url     *url.URL
	client  *http.Client
	now     func() time.Time
}

// newPoster takes all of the client but the way it handles redirects: they are
// not followed, for a message must not go where nobody configured it to.
func newPoster(channel, setting, address string, client *http.Client, now func() time.Time) (*poster, error) {
	u, err := url.Parse(address)
	if err != nil || u.Scheme != "https" && u.Scheme != "http" || u.Hostname() == "" {
		return nil, fmt.Errorf("%s is no web address; write one that begins with https://", setting)
	}
	own := *client
	own.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return &poster{channel, setting, u, &own, now}, nil
}

// Name is the channel's.
func (p *poster) Name() string { return p.channel }

// post sends the body once. detail picks from an answer what may be repeated.
func (p *poster) post(ctx context.Context, h http.Header, body []byte, detail func(answer []byte) string) error {
	ctx, end := context.WithTimeout(ctx, postTimeout)
	defer end()
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, p.url.String(), bytes.NewReader(body))
	if err != nil {
		return p.failed(ctx, err)
	}
	request.Header = h
	h.Set("Content-Type", "application/json")
	h.Set("User-Agent", "Gapless")
	response, err := p.client.Do(request)
	if err != nil {
		return p.failed(ctx, err)
	}
	defer response.Body.Close()
	answer, err := io.ReadAll(io.LimitReader(response.Body, maxAnswer))
	if response.StatusCode >= 200 && response.StatusCode <= 299 {
		return nil // it was taken, however the answer ends
	}
	if err != nil {
		return p.failed(ctx, err)
	}
	return p.refused(response, detail(answer))
}

// failed is for a post without an answer.
func (p *poster) failed(ctx context.Context, err error) *Error {
	if cause := ctx.Err(); cause != nil {
		return &Error{Channel: p.channel, Reason: "no answer in time; check that this machine reaches " + p.setting, cause: cause}
	}
	var wrapped *url.Error
	if errors.As(err, &wrapped) { // it repeats the address
		err = wrapped.Err
	}
	return &Error{Channel: p.channel, Reason: "can't be reached (" + p.hide(err.Error()) + "); check " + p.setting}
}

// hide takes the address out of a text. Its host may be known.
func (p *poster) hide(text string) string {
	password, _ := p.url.User.Password()
	for _, secret := range []string{p.url.String(), p.url.RequestURI(), p.url.Path, p.url.RawQuery, password} {
		if len(secret) > 1 {
			text = strings.ReplaceAll(text, secret, "[secret]")
		}
	}
	return text
}

// refused is for an answer that is not 2xx.
func (p *poster) refused(response *http.Response, detail string) *Error {
	status := response.StatusCode
	said := fmt.Sprintf("answered %d %s", status, http.StatusText(status))
	if detail != "" {
		said += " (" + detail + ")"
	}
	e := &Error{Channel: p.channel, Reason: said + "; it will be tried again"}
	switch {
	case status == http.StatusTooManyRequests, status == http.StatusServiceUnavailable:
		e.After = after(response.Header.Get("Retry-After"), p.now())
	case status == http.StatusRequestTimeout, status >= 500:
	case status >= 300 && status <= 399:
		e.Permanent, e.Reason = true, said+", and redirects are not followed; set "+p.setting+" to the address it leads to"
	default:
		e.Permanent, e.Reason = true, said+"; check "+p.setting
	}
	return e
}

// after reads Retry-After: seconds or a date.
func after(header string, now time.Time) time.Duration {
	var wait time.Duration
	if seconds, err := strconv.ParseInt(header, 10, 64); err == nil {
		wait = time.Duration(min(max(seconds, 0), int64(longestWait/time.Second))) * time.Second
	} else if at, err := http.ParseTime(header); err == nil {
		wait = at.Sub(now)
	}
	return min(max(wait, 0), longestWait)
}
