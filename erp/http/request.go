package httperp

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"strings"
	"sync/atomic"

	"gapless/erp"
)

// maxAnswer bounds what is read of an answer.
const maxAnswer = 1 << 20

var errTooLong = errors.New("the ERP's answer is longer than 1 MiB")

// answer is what became of one request: a whole answer, or an error.
type answer struct {
	status int
	header http.Header
	body   []byte
	err    error
	left   bool // on err: some of the request may have reached the ERP
}

func (a answer) ok() bool { return a.status >= 200 && a.status <= 299 }

func (a answer) json() (any, error) { return parse(a.body) }

// failed says that an answer tells of an error, whatever its status.
func (a answer) failed() bool {
	v, _ := a.json()
	return hasError(v)
}

// problem says what to do about the answer of a read that is not 2xx. key is
// the setting that led there.
func (a answer) problem(key string) error {
	said := "the ERP answered " + statusText(a.status)
	switch status := a.status; {
	case status == http.StatusUnauthorized, status == http.StatusForbidden:
		return errors.New(said + "; mend token, secret or headers")
	case status >= 300 && status <= 499 && status != http.StatusTooManyRequests:
		return errors.New(said + "; check url and " + key)
	}
	return errors.New(said)
}

// statusText is "503 Service Unavailable".
func statusText(status int) string {
	return strings.TrimSpace(fmt.Sprintf("%d %s", status, http.StatusText(status)))
}

// orderURL is the address of ref under the path of a setting.
func (a *Adapter) orderURL(path, ref string) string {
	return a.s.URL + strings.ReplaceAll(path, "{ref}", url.PathEscape(ref))
}

func (a *Adapter) get(ctx context.Context, url string, t *erp.Transcript) answer {
	return a.do(ctx, http.MethodGet, url, http.Header{}, nil, t)
}

// do sends one request, notes it, and reads the whole answer.
func (a *Adapter) do(ctx context.Context, method, url string, h http.Header, body []byte, t *erp.Transcript) answer {
	ctx, end := context.WithTimeout(ctx, a.s.Timeout)
	defer end()
	var left atomic.Bool
	// Once a connection is at hand the request may leave at any moment, even
	// after Do has returned because the context ended.
	ctx = httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{
		GotConn: func(httptrace.GotConnInfo) { left.Store(true) },
	})
	request, err := http.NewRequestWithContext(ctx, method, url, bytes.NewReader(body))
	if err != nil {
		return answer{err: fmt.Errorf("making the request: %w", err)}
	}
	request.Header = h
	a.authorize(h)
	n := t.Ask(method, url, body)
	ans := a.exchange(request)
	ans.left = left.Load()
	t.Answer(n, ans.status, a.hide(ans.body), ans.err)
	return ans
}

func (a *Adapter) exchange(request *http.Request) answer {
	response, err := a.client.Do(request)
	if err != nil {
		return answer{err: withoutURL(err)}
	}
	defer response.Body.Close()
	body, err := io.ReadAll(io.LimitReader(response.Body, maxAnswer+1))
	switch {
	case err != nil:
		err = fmt.Errorf("reading the ERP's answer: %w", err)
	case len(body) > maxAnswer:
		body, err = body[:maxAnswer], errTooLong
	}
	return answer{status: response.StatusCode, header: response.Header, body: body, err: err}
}

// withoutURL takes the address, which reasons need not repeat, out of a client's error.
func withoutURL(err error) error {
	var wrapped *url.Error
	if errors.As(err, &wrapped) {
		return wrapped.Err
	}
	return err
}

// authorize adds the headers of the settings, which count as secrets.
func (a *Adapter) authorize(h http.Header) {
	h.Set("Accept", "application/json")
	h.Set("User-Agent", "Gapless")
	if a.s.Token != "" {
		h.Set("Authorization", "Bearer "+a.s.Token)
	}
	for name, value := range a.s.Headers {
		h.Set(name, value)
	}
}

// hide takes our secrets out of an answer that repeats them.
func (a *Adapter) hide(body []byte) []byte {
	secrets := []string{a.s.Token, a.s.Secret}
	for _, value := range a.s.Headers {
		secrets = append(secrets, value)
	}
	for _, secret := range secrets {
		if len(secret) >= shortestSecret {
			body = bytes.ReplaceAll(body, []byte(secret), []byte("[secret]"))
		}
	}
	return body
}

// shortestSecret: a shorter header value ("1", "json") is no secret, and
// hiding it would garble answers.
const shortestSecret = 6
