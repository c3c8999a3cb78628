package shopify

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"time"
)

// maxAnswer bounds an answer of the API; a page of 250 orders has some 100 kB.
const maxAnswer = 32 << 20

// transport is the http.RoundTripper beneath go-shopify. It leads requests to
// the shop, puts the token on them, renews it once on 401, bounds the answer,
// and turns every status but success into an *APIError.
type transport struct {
	client *Client
	base   *url.URL
	tokens tokens
	next   http.RoundTripper

	timeout time.Duration // of one request and its whole answer; 0: none
}

// RoundTrip sends req. As the contract asks, req itself stays as it is.
func (t *transport) RoundTrip(req *http.Request) (*http.Response, error) {
	body, err := io.ReadAll(req.Body)
	_ = req.Body.Close() // it is in memory
	if err != nil {
		return nil, err
	}
	token, err := t.tokens.token(req.Context())
	if err != nil {
		return nil, err
	}
	resp, err := t.send(req, body, token)
	if err != nil {
		return nil, err
	}
	if resp.StatusCode == http.StatusUnauthorized && t.tokens.reject(token) {
		if token, err = t.tokens.token(req.Context()); err != nil {
			return nil, err
		}
		if resp, err = t.send(req, body, token); err != nil {
			return nil, err
		}
	}
	t.client.sawVersion(resp.Header.Get("X-Shopify-API-Version"))
	t.client.sawDate(resp.Header.Get("Date"))
	if resp.StatusCode != http.StatusOK {
		return nil, statusError(t.client.domain, resp)
	}
	return resp, nil
}

// send sends a copy of req and reads the answer whole.
func (t *transport) send(req *http.Request, body []byte, token string) (*http.Response, error) {
	ctx := req.Context()
	if t.timeout > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, t.timeout)
		defer cancel()
	}
	out := req.Clone(ctx)
	out.URL = t.base.JoinPath(req.URL.Path)
	out.Host = t.base.Host
	out.Body, out.GetBody = io.NopCloser(bytes.NewReader(body)), nil
	out.Header.Set("X-Shopify-Access-Token", token)
	out.Header.Set("User-Agent", "Gapless")
	resp, err := t.next.RoundTrip(out)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	whole, err := readAnswer(ctx, resp.Body)
	if err != nil {
		return nil, err
	}
	resp.Body = io.NopCloser(bytes.NewReader(whole))
	return resp, nil
}

// readAnswer reads up to maxAnswer bytes.
func readAnswer(ctx context.Context, body io.Reader) ([]byte, error) {
	whole, err := io.ReadAll(io.LimitReader(body, maxAnswer+1))
	switch {
	case ctx.Err() != nil:
		return nil, ctx.Err()
	case err != nil:
		return nil, fmt.Errorf("the answer broke off: %w", err)
	case len(whole) > maxAnswer:
		return nil, fmt.Errorf("the answer is longer than %d MB", maxAnswer>>20)
	}
	return whole, nil
}
